/** What the documents of BigQuery leave open, or only tell -> what a real project does; each test says what it found. */
import { strict as assert } from 'node:assert';
import { after, describe, test } from 'node:test';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { faultOf } from '../../serving/bigquery/errors.ts';
import { request } from '../cloud/bigquery-place.ts';
import { type Job, type Probe, SALES, withProbe } from '../cloud/bigquery-probe.ts';
import { realAccount } from './account.ts';

const account = realAccount(process.env);

interface Fact {
  readonly question: string;
  /** What the adapter and the sandbox take for true; several where either answer is safe. */
  readonly taken: readonly string[];
  readonly find: (probe: Probe) => Promise<string>;
  /** Why only Google's own service is asked. */
  readonly onlyGoogle?: string;
}

/** `HTTP 409 duplicate`, or the reason of a finished job. */
async function answerOf(job: Promise<Job>): Promise<string> {
  try {
    const { status } = await job;
    return status?.errorResult === undefined ? 'it runs' : `the job ends ${status.errorResult.reason}`;
  } catch (thrown) {
    const { httpStatus, reason } = faultOf(thrown);
    return `HTTP ${httpStatus} ${reason}`;
  }
}

const day = (probe: Probe, date: string): object => probe.at(`sales$${date.replaceAll('-', '')}`);
const TRUNCATE = { writeDisposition: 'WRITE_TRUNCATE' };

const WIDE: WarehouseTableDef = {
  ...SALES,
  table: 'wide',
  columns: [
    { name: 'day', type: 'date', description: 'The day.' },
    { name: 's', type: 'string' },
    { name: 'i', type: 'int64' },
    { name: 'f', type: 'float64' },
    { name: 'b', type: 'bool' },
    { name: 't', type: 'timestamp' },
    { name: 'd2', type: 'decimal(18,2)' },
    { name: 'd9', type: 'decimal(38,9)' },
    { name: 'd12', type: 'decimal(38,12)' },
  ],
  clusterBy: ['s', 'i'],
  description: 'All types.',
  options: { labels: { team: 'shop' }, requirePartitionFilter: true, partitionExpirationDays: 4_000 },
};

const FACTS: readonly Fact[] = [
  {
    question: 'a load into a decorator replaces which rows?',
    taken: ['that partition alone'],
    find: async (probe) => {
      await probe.fill();
      const uri = await probe.file(['2025-01-02', 20]);
      await probe.load([uri], { destinationTable: day(probe, '2025-01-02'), ...TRUNCATE });
      const left = await probe.products();
      return left === '1,20' ? 'that partition alone' : `others too: ${left}`;
    },
  },
  {
    question: 'rows outside of the partition that a load names?',
    taken: ['the job ends invalid, and nothing changes'],
    find: async (probe) => {
      await probe.fill();
      const uri = await probe.file(['2025-01-02', 20], ['2025-01-03', 30]);
      const answer = await answerOf(probe.load([uri], { destinationTable: day(probe, '2025-01-02'), ...TRUNCATE }));
      const left = await probe.products();
      return left === '1,2' ? `${answer}, and nothing changes` : `${answer}, and the table holds ${left}`;
    },
  },
  {
    question: 'a table deleted by its decorator loses what?',
    taken: ['that partition alone'],
    find: async (probe) => {
      await probe.fill();
      await probe.place.client.dataset(probe.enriched).table('sales$20250102').delete();
      const left = await probe.products();
      return left === '1' ? 'that partition alone' : `it holds ${left}`;
    },
  },
  {
    question: 'a query whose destination is a decorator replaces which rows?',
    taken: ['that partition alone'],
    find: async (probe) => {
      await probe.fill();
      const query = "SELECT DATE '2025-01-02' AS day, 20 AS product";
      const answer = await answerOf(probe.query(query, { destinationTable: day(probe, '2025-01-02'), ...TRUNCATE }));
      const left = await probe.products();
      return left === '1,20' ? 'that partition alone' : `${answer}, it holds ${left}`;
    },
  },
  {
    question: 'a copy job from decorator to decorator replaces which rows?',
    taken: ['that partition alone'],
    find: async (probe) => {
      await probe.fill();
      await probe.place.query(`CREATE TABLE ${probe.enriched}.other (day DATE, product INT64) PARTITION BY day`);
      await probe.place.query(
        `INSERT INTO ${probe.enriched}.other (day, product) VALUES (DATE '2025-01-02', 20), (DATE '2025-01-03', 30)`,
      );
      const answer = await answerOf(
        probe.job({
          copy: {
            sourceTable: probe.at('other$20250102'),
            destinationTable: day(probe, '2025-01-02'),
            createDisposition: 'CREATE_NEVER',
            ...TRUNCATE,
          },
        }),
      );
      const left = await probe.products();
      return left === '1,20' ? 'that partition alone' : `${answer}, it holds ${left}`;
    },
  },
  {
    question: 'a job id that is taken?',
    taken: ['HTTP 409 duplicate, and the job ran once'],
    find: async (probe) => {
      const insert = `INSERT INTO ${probe.enriched}.sales (day, product) VALUES (DATE '2025-01-01', 1)`;
      await probe.query(insert, {}, `${probe.enriched}_taken`);
      const answer = await answerOf(probe.query(insert, {}, `${probe.enriched}_taken`));
      return `${answer}, and the job ran ${(await probe.products()) === '1' ? 'once' : 'again'}`;
    },
  },
  {
    question: 'the id of a job that failed?',
    taken: ['HTTP 409 duplicate'],
    find: async (probe) => {
      const id = `${probe.enriched}_failed`;
      const first = await answerOf(probe.query("SELECT ERROR('on purpose')", {}, id));
      assert.notEqual(first, 'it runs');
      return answerOf(probe.query('SELECT 1', {}, id));
    },
  },
  {
    question: 'a load of several files of which one is missing?',
    taken: ['the job ends notFound, and nothing changes'],
    find: async (probe) => {
      await probe.fill();
      const uri = await probe.file(['2025-01-01', 7]);
      const answer = await answerOf(
        probe.load([uri, uri.replace(/[^/]+$/, 'zz-missing.parquet')], {
          ...TRUNCATE,
          createDisposition: 'CREATE_NEVER',
        }),
      );
      const left = await probe.products();
      return left === '1,2' ? `${answer}, and nothing changes` : `${answer}, and the table holds ${left}`;
    },
  },
  {
    question: 'columns of Parquet are taken by name or by place?',
    taken: ['by name'],
    find: async (probe) => {
      const { shown } = await probe.place.stage(SALES, '', "SELECT 5::BIGINT AS product, DATE '2025-01-05' AS day");
      const answer = await answerOf(probe.load([shown], { writeDisposition: 'WRITE_APPEND' }));
      return (await probe.products()) === '5' ? 'by name' : answer;
    },
  },
  {
    question: 'a Parquet TIMESTAMP without a time zone into a TIMESTAMP column? (the adapter refuses the file before)',
    taken: ['it is taken for UTC', 'the load fails'],
    find: async (probe) => {
      const { shown } = await probe.place.stage(SALES, '', "SELECT TIMESTAMP '2025-01-01 12:00:00' AS t");
      await probe.place.query(`CREATE TABLE ${probe.enriched}.moments (t TIMESTAMP)`);
      const answer = await answerOf(
        probe.load([shown], {
          destinationTable: probe.at('moments'),
          writeDisposition: 'WRITE_APPEND',
          schema: { fields: [{ name: 't', type: 'TIMESTAMP' }] },
        }),
      );
      if (answer !== 'it runs') return 'the load fails';
      const [row] = await probe.place.read("SELECT FORMAT_TIMESTAMP('%F %T', t) AS t FROM enriched.moments");
      return row?.t === '2025-01-01 12:00:00' ? 'it is taken for UTC' : `it becomes ${row?.t}`;
    },
  },
  {
    question: 'an object address with its generation?',
    taken: ['the load fails'],
    find: async (probe) => {
      const { shown, partition } = await probe.place.stage(
        SALES,
        '',
        "SELECT DATE '2025-01-01' AS day, 1::BIGINT AS product",
      );
      const info = await probe.place.store.stat(partition.files[0]?.key ?? '');
      const answer = await answerOf(probe.load([`${shown}#${info?.generation}`], { writeDisposition: 'WRITE_APPEND' }));
      return answer === 'it runs' ? 'it loads' : 'the load fails';
    },
  },
  {
    question: 'WRITE_EMPTY into a table with rows?',
    taken: ['the job ends duplicate', 'HTTP 409 duplicate'],
    find: async (probe) => {
      await probe.fill();
      return answerOf(probe.load([await probe.file(['2025-01-01', 7])], { writeDisposition: 'WRITE_EMPTY' }));
    },
  },
  {
    question: 'a table that stands as defined, with all types and options, is changed by a second look?',
    taken: ['no'],
    find: async ({ place, enriched }) => {
      const warehouse = await place.open();
      const metadata = async (): Promise<{ readonly etag?: string }> =>
        (await place.client.dataset(enriched).table('wide').getMetadata())[0];
      await warehouse.ensureTable(WIDE);
      const { etag } = await metadata();
      await warehouse.ensureTable(WIDE);
      return (await metadata()).etag === etag ? 'no' : 'yes';
    },
  },
  {
    question: 'a table that was dropped and made anew is told by its creationTime?',
    taken: ['yes'],
    find: async (probe) => {
      const { creationTime } = await probe.sales();
      await probe.place.client.dataset(probe.enriched).table('sales').delete();
      await (await probe.place.open()).ensureTable(SALES);
      return (await probe.sales()).creationTime === creationTime ? 'no' : 'yes';
    },
  },
  {
    question: 'a whole table that a load truncates counts as made anew?',
    taken: ['no', 'yes'],
    find: async (probe) => {
      const { creationTime } = await probe.sales();
      await probe.load([await probe.file(['2025-01-01', 7])], { ...TRUNCATE, createDisposition: 'CREATE_NEVER' });
      return (await probe.sales()).creationTime === creationTime ? 'no' : 'yes';
    },
  },
  {
    question: 'what else of a table does a truncating load keep?',
    taken: ['description, labels, partitioning'],
    find: async (probe) => {
      await probe.patch({ description: 'kept', labels: { kept: 'yes' } });
      await probe.load([await probe.file(['2025-01-01', 7])], { ...TRUNCATE, createDisposition: 'CREATE_NEVER' });
      const { description, labels, timePartitioning } = await probe.sales();
      const kept = [
        ...(description === 'kept' ? ['description'] : []),
        ...((labels as { kept?: string } | undefined)?.kept === 'yes' ? ['labels'] : []),
        ...(timePartitioning === undefined ? [] : ['partitioning']),
      ];
      return kept.join(', ') || 'nothing';
    },
  },
  {
    question: 'a patch under an etag that is not the current one?',
    taken: ['HTTP 412 conditionNotMet'],
    find: async (probe) => {
      const { etag } = await probe.sales();
      await probe.patch({ description: 'one' }, { 'If-Match': String(etag) });
      return answerOf(probe.patch({ description: 'late' }, { 'If-Match': String(etag) }).then(() => ({})));
    },
  },
  {
    question: 'a required partition filter refuses a query without one, and takes a DELETE by constants?',
    taken: ['yes, and yes'],
    find: async (probe) => {
      await probe.fill();
      await probe.patch({ requirePartitionFilter: true });
      const bare = await answerOf(probe.query(`SELECT product FROM ${probe.enriched}.sales`));
      const byDays = await answerOf(
        probe.query(`DELETE FROM ${probe.enriched}.sales WHERE \`day\` IN (DATE '2025-01-01', DATE '2025-01-02')`),
      );
      return `${bare === 'it runs' ? 'no' : 'yes'}, and ${byDays === 'it runs' ? 'yes' : `no: ${byDays}`}`;
    },
  },
  {
    question: 'a dry run tells the bytes of a query?',
    taken: ['yes'],
    find: async (probe) => {
      await probe.fill();
      const query = { query: `SELECT product FROM ${probe.enriched}.sales`, useLegacySql: false };
      const { statistics } = await probe.job({ dryRun: true, query });
      return Number(statistics?.query?.totalBytesProcessed ?? 0) > 0 ? 'yes' : 'no';
    },
  },
  {
    question: 'a dry run tells the bytes of a transaction?',
    taken: ['yes', 'no', 'it is refused'],
    find: async (probe) => {
      await probe.fill();
      const sales = `${probe.enriched}.sales`;
      const script = `BEGIN TRANSACTION; DELETE FROM ${sales} WHERE product = 1; INSERT INTO ${sales} (day, product) SELECT day, product FROM ${sales}; COMMIT TRANSACTION;`;
      try {
        const { statistics } = await probe.job({ dryRun: true, query: { query: script, useLegacySql: false } });
        return Number(statistics?.query?.totalBytesProcessed ?? 0) > 0 ? 'yes' : 'no';
      } catch {
        return 'it is refused';
      }
    },
  },
  {
    question: 'a transaction over two datasets that fails at its end leaves what?',
    taken: ['all as it was'],
    find: async (probe) => {
      await probe.fill();
      const gold = { ...SALES, dataset: 'gold' as const };
      await (await probe.place.open()).ensureTable(gold);
      const answer = await answerOf(
        probe.query(
          `BEGIN TRANSACTION; DELETE FROM ${probe.enriched}.sales WHERE TRUE;
           INSERT INTO ${probe.place.dataset('gold')}.sales (day, product) VALUES (DATE '2025-01-01', 1);
           INSERT INTO ${probe.enriched}.sales (day, product) VALUES (DATE '2025-01-01', CAST('x' AS INT64));
           COMMIT TRANSACTION;`,
        ),
      );
      if (answer === 'it runs') return 'it did not fail';
      const [count] = await probe.place.read('SELECT COUNT(*) AS n FROM gold.sales');
      const left = await probe.products();
      return left === '1,2' && count?.n === '0' ? 'all as it was' : `${left} and ${count?.n} rows`;
    },
  },
  {
    question: 'two transactions on one table at once?',
    taken: ['both end well', 'one is aborted due to concurrent update'],
    find: async (probe) => {
      await probe.fill();
      const sales = `${probe.enriched}.sales`;
      const jobs = await Promise.all(
        [10, 20].map((product) =>
          probe.query(
            `BEGIN TRANSACTION; DELETE FROM ${sales} WHERE \`day\` = DATE '2025-01-01'; INSERT INTO ${sales} (day, product) VALUES (DATE '2025-01-01', ${product}); COMMIT TRANSACTION;`,
          ),
        ),
      );
      const failed = jobs.flatMap(({ status }) => status?.errorResult ?? []);
      if (failed.length === 0) return 'both end well';
      const isKnown = failed.every(({ message }) => /aborted due to concurrent update/i.test(message ?? ''));
      return isKnown ? 'one is aborted due to concurrent update' : `${failed[0]?.reason}: ${failed[0]?.message}`;
    },
  },
  {
    question: 'MERGE with two source rows for one target row?',
    taken: ['it fails'],
    find: async (probe) => {
      await probe.fill();
      const answer = await answerOf(
        probe.query(
          `MERGE ${probe.enriched}.sales AS t USING (SELECT 1 AS product, 8 AS n UNION ALL SELECT 1, 9) AS s
            ON t.product = s.product WHEN MATCHED THEN UPDATE SET product = s.n`,
        ),
      );
      return answer === 'it runs' ? 'it runs' : 'it fails';
    },
  },
  {
    question: 'a sum past the range of INT64?',
    taken: ['it fails'],
    find: async (probe) =>
      (await answerOf(probe.query('SELECT SUM(n) FROM UNNEST([9223372036854775807, 1]) AS n'))) === 'it runs'
        ? 'it runs'
        : 'it fails',
  },
  {
    question: 'a statement that cannot be, sent to jobs.query?',
    taken: ['HTTP 400 invalidQuery'],
    find: (probe) =>
      answerOf(
        request<Job>(
          probe.place.client,
          'POST',
          '/queries',
          {},
          {
            query: 'SELECT 1 +',
            useLegacySql: false,
            location: probe.place.account.location,
          },
        ),
      ),
  },
  {
    question: 'a dataset with tables is deleted?',
    taken: ['HTTP 400 resourceInUse'],
    find: (probe) =>
      answerOf(
        probe.place.client
          .dataset(probe.enriched)
          .delete()
          .then(() => ({})),
      ),
  },
  {
    question: 'an extract by wildcard names its files how?',
    taken: ['part-000000000000.parquet'],
    find: async (probe) => {
      await probe.fill();
      const answer = await answerOf(
        probe.job({
          extract: {
            sourceTable: probe.at('sales'),
            destinationUris: [probe.place.store.uri('out/part-*.parquet')],
            destinationFormat: 'PARQUET',
            compression: 'SNAPPY',
          },
        }),
      );
      const keys: string[] = [];
      for await (const { key } of probe.place.store.list('out/')) keys.push(key.slice('out/'.length));
      return keys.join(', ') || answer;
    },
  },
  {
    question: 'a table as it was before a load can be read?',
    taken: ['yes'],
    onlyGoogle: 'a stand-in keeps no history of its tables',
    find: async (probe) => {
      const insert = `INSERT INTO ${probe.enriched}.sales (day, product) VALUES (DATE '2025-01-01', 1)`;
      const { statistics } = await probe.query(insert);
      const before = new Date(Number(statistics?.endTime) + 1).toISOString();
      await probe.load([await probe.file(['2025-01-01', 7])], { ...TRUNCATE, createDisposition: 'CREATE_NEVER' });
      const rows = await probe.place.query(
        `SELECT product FROM ${probe.enriched}.sales FOR SYSTEM_TIME AS OF TIMESTAMP '${before}'`,
      );
      return rows.map(({ product }) => product).join() === '1' ? 'yes' : 'no';
    },
  },
  {
    question: 'a listing shows an object as soon as it is written, and no more as soon as it is deleted?',
    taken: ['yes'],
    find: async ({ place: { store } }) => {
      for (let round = 0; round < 20; round += 1) {
        const key = `list/${round}`;
        await store.write(key, Buffer.from(key), 'absent');
        if (!(await isListed(key))) return `no: it was missing in round ${round}`;
        await store.delete(key);
        if (await isListed(key)) return `no: it stayed in round ${round}`;
      }
      return 'yes';

      async function isListed(wanted: string): Promise<boolean> {
        for await (const { key } of store.list('list/')) if (key === wanted) return true;
        return false;
      }
    },
  },
];

if ('skip' in account) describe('facts of BigQuery, for real', { skip: account.skip }, () => {});
else {
  const found: string[] = [];
  let number = 0;
  after(() => {
    process.stdout.write(`\nfound in ${account.projectId}:\n${found.join('\n')}\n`);
  });
  describe(`facts of BigQuery in ${account.projectId}`, () => {
    for (const { question, taken, find, onlyGoogle } of FACTS) {
      const skip = (account.bigQueryEndpoint !== null && onlyGoogle) || false;
      test(question, { skip }, () => {
        number += 1;
        const names = { name: `${account.datasets}f${number}`, prefix: `${account.prefix}facts-${number}/` };
        return withProbe(account, names, async (probe) => {
          const answer = await find(probe);
          found.push(`  ${question} ${answer}`);
          assert.ok(taken.includes(answer), `found: ${answer}. The adapter takes for true: ${taken.join(' | ')}`);
        });
      });
    }
  });
}
