/** bqemulator starts as pinned; each thing that BigQuery does and it does not is still so, and the sandbox does it. */
import { strict as assert } from 'node:assert';
import { after, describe, test } from 'node:test';
import { type Probe, rejectsWith, SALES, withProbe } from './bigquery-probe.ts';
import { startEmulatedAccount, startSandboxAccount } from './bigquery-servers.ts';
import { expectGap } from './known-gap.ts';

const account = await startEmulatedAccount();
const sandbox = await startSandboxAccount();
after(() => sandbox.close());

interface Gap {
  /** What BigQuery does. */
  readonly promise: string;
  /** Page of its documentation that says so. */
  readonly document: string;
  /** What bqemulator does instead. */
  readonly instead: string;
  readonly shows: RegExp;
  readonly probe: (probe: Probe) => Promise<void>;
}

const GAPS: readonly Gap[] = [
  {
    promise: 'a load into a decorator replaces that partition alone',
    document: 'Managing partitioned table data: write data to a specific partition',
    instead: 'refuses partition decorators as table names',
    shows: /Invalid table id/,
    probe: async (probe) => {
      await probe.fill();
      const uri = await probe.file(['2025-01-02', 20]);
      await probe.load([uri], { destinationTable: probe.at('sales$20250102'), writeDisposition: 'WRITE_TRUNCATE' });
      assert.equal(await probe.products(), '1,20');
    },
  },
  {
    promise: 'a table deleted by its decorator loses that partition alone',
    document: 'Managing partitioned tables: delete a partition',
    instead: 'refuses partition decorators as table names',
    shows: /Invalid table id/,
    probe: async (probe) => {
      await probe.fill();
      await probe.place.client.dataset(probe.enriched).table('sales$20250102').delete();
      assert.equal(await probe.products(), '1');
    },
  },
  {
    promise: 'a copy job takes one partition by its decorator',
    document: 'Managing partitioned tables: copy individual partitions',
    instead: 'finds no table under a partition decorator',
    shows: /notFound/,
    probe: async (probe) => {
      await probe.fill();
      const job = await probe.job({
        copy: {
          sourceTable: probe.at('sales$20250101'),
          destinationTable: probe.at('one'),
          writeDisposition: 'WRITE_TRUNCATE',
        },
      });
      assert.equal(job.status?.errorResult, undefined);
    },
  },
  {
    promise: 'a job id that is taken is answered 409',
    document: 'Running jobs programmatically: generating a job ID; Error messages: duplicate',
    instead: 'runs the job again',
    shows: /Missing expected rejection/,
    probe: async (probe) => {
      await probe.query('SELECT 1', {}, 'taken');
      await assert.rejects(probe.query('SELECT 1', {}, 'taken'), rejectsWith(409, 'duplicate'));
    },
  },
  {
    promise: 'a load of several files that fails on one changes nothing',
    document: 'Introduction to loading data; REST: JobConfigurationLoad.writeDisposition (atomic)',
    instead: 'keeps the files before the one that failed, and has lost what was there',
    shows: /actual: '7'/,
    probe: async (probe) => {
      await probe.fill();
      const uri = await probe.file(['2025-01-01', 7]);
      await probe.load([uri, uri.replace(/[^/]+$/, 'zz-missing.parquet')], { writeDisposition: 'WRITE_TRUNCATE' });
      assert.equal(await probe.products(), '1,2');
    },
  },
  {
    promise: 'a query writes into its destination table',
    document: 'REST: JobConfigurationQuery.destinationTable',
    instead: 'ignores the destination of a query in silence',
    shows: /notFound/,
    probe: async (probe) => {
      await probe.query('SELECT 1 AS n', { destinationTable: probe.at('made'), writeDisposition: 'WRITE_TRUNCATE' });
      assert.deepEqual(await probe.place.read('SELECT n FROM enriched.made'), [{ n: '1' }]);
    },
  },
  {
    promise: 'a table that requires a partition filter refuses a query without one',
    document: 'Querying partitioned tables: require a partition filter',
    instead: 'forgets requirePartitionFilter',
    shows: /actual: undefined/,
    probe: async (probe) => {
      await probe.patch({ requirePartitionFilter: true });
      assert.equal((await probe.sales()).requirePartitionFilter, true);
      await assert.rejects(probe.products());
    },
  },
  {
    promise: 'a table keeps its expiry',
    document: 'REST: Table.expirationTime',
    instead: 'forgets expirationTime',
    shows: /actual: undefined/,
    probe: async (probe) => {
      await probe.patch({ expirationTime: '4102444800000' });
      assert.equal((await probe.sales()).expirationTime, '4102444800000');
    },
  },
  {
    promise: 'a column keeps its policy tags',
    document: 'REST: TableFieldSchema.policyTags',
    instead: 'forgets policyTags',
    shows: /actual: undefined/,
    probe: async (probe) => {
      const policyTags = { names: ['projects/p/locations/us/taxonomies/1/policyTags/2'] };
      await probe.patch({
        schema: {
          fields: [
            { name: 'day', type: 'DATE' },
            { name: 'product', type: 'INTEGER', policyTags },
          ],
        },
      });
      const { fields } = (await probe.sales()).schema as {
        readonly fields: readonly { readonly policyTags?: object }[];
      };
      assert.deepEqual(fields[1]?.policyTags, policyTags);
    },
  },
  {
    promise: 'a decimal column keeps its precision and scale',
    document: 'REST: TableFieldSchema.precision',
    instead: 'forgets precision and scale, so that the adapter takes the column for another',
    shows: /column amount: BigQuery has numeric, the spec says decimal\(18,2\)/,
    probe: async ({ place }) => {
      const def = {
        ...SALES,
        table: 'decimals',
        columns: [...SALES.columns, { name: 'amount', type: 'decimal(18,2)' }],
      };
      const warehouse = await place.open();
      await warehouse.ensureTable(def);
      await warehouse.ensureTable(def);
    },
  },
  {
    promise: 'a table may have a BIGNUMERIC column',
    document: 'REST: TableFieldSchema.type',
    instead: 'answers 500',
    shows: /internalError/,
    probe: async ({ place, enriched }) => {
      await place.client
        .dataset(enriched)
        .createTable('big', { schema: [{ name: 'a', type: 'BIGNUMERIC', precision: '38', scale: '12' }] });
    },
  },
  {
    promise: 'a column that a patch adds can be queried',
    document: 'Modifying table schemas: add a column',
    instead: 'lists the column in tables.get and does not add it',
    shows: /Referenced column.*channel/,
    probe: async (probe) => {
      await probe.fill();
      await probe.patch({
        schema: {
          fields: [
            { name: 'day', type: 'DATE' },
            { name: 'product', type: 'INTEGER' },
            { name: 'channel', type: 'STRING' },
          ],
        },
      });
      assert.equal((await probe.place.read('SELECT channel FROM enriched.sales')).length, 2);
    },
  },
  {
    promise: 'a patch under an etag that is not the current one is answered 412',
    document: 'Error messages; RFC 9110, If-Match',
    instead: 'ignores If-Match',
    shows: /Missing expected rejection/,
    probe: async (probe) => {
      await assert.rejects(
        probe.patch({ description: 'late' }, { 'If-Match': '"stale"' }),
        rejectsWith(412, 'conditionNotMet'),
      );
    },
  },
  {
    promise: 'a load of a missing object fails as notFound',
    document: 'Error messages: notFound',
    instead: 'says invalid',
    shows: /actual: 'invalid'/,
    probe: async (probe) => {
      const { status } = await probe.load([`gs://${probe.place.account.bucket}/none/*.parquet`]);
      assert.equal(status?.errorResult?.reason, 'notFound');
    },
  },
  {
    promise: 'a load takes columns of Parquet by their names',
    document: 'Loading Parquet data',
    instead: 'takes them by their places',
    shows: /Conversion Error/,
    probe: async (probe) => {
      const { shown } = await probe.place.stage(SALES, '', "SELECT 5::BIGINT AS product, DATE '2025-01-05' AS day");
      const { status } = await probe.load([shown], { writeDisposition: 'WRITE_APPEND' });
      assert.equal(status?.errorResult, undefined);
    },
  },
  {
    promise: 'a dry run tells the bytes that a query reads',
    document: 'Estimate and control costs: dry run',
    instead: 'says 0',
    shows: /no bytes/,
    probe: async (probe) => {
      await probe.fill();
      const query = { query: `SELECT product FROM ${probe.enriched}.sales`, useLegacySql: false };
      const { statistics } = await probe.job({ dryRun: true, query });
      assert.ok(Number(statistics?.query?.totalBytesProcessed) > 0, 'no bytes');
    },
  },
  {
    promise: 'a query past maximumBytesBilled is refused',
    document: 'REST: JobConfigurationQuery.maximumBytesBilled',
    instead: 'does not bill, and runs it',
    shows: /it ran/,
    probe: async (probe) => {
      await probe.fill();
      const job = await probe
        .query(`SELECT product FROM ${probe.enriched}.sales`, { maximumBytesBilled: '1' })
        .catch(() => null);
      assert.ok(job === null || job.status?.errorResult !== undefined, 'it ran');
    },
  },
  {
    promise: 'a copy job of several sources copies all of them',
    document: 'REST: JobConfigurationTableCopy.sourceTables',
    instead: 'copies the first',
    shows: /actual: '1'/,
    probe: async (probe) => {
      for (const [table, id] of [
        ['a', 1],
        ['b', 2],
      ] as const)
        await probe.place.query(`CREATE TABLE ${probe.enriched}.${table} AS SELECT ${id} AS id`);
      await probe.job({ copy: { sourceTables: [probe.at('a'), probe.at('b')], destinationTable: probe.at('both') } });
      const [found] = await probe.place.read('SELECT COUNT(*) AS n FROM enriched.both');
      assert.equal(found?.n, '2');
    },
  },
  {
    promise: 'an extract job writes Parquet into the bucket',
    document: 'REST: JobConfigurationExtract; Exporting table data: wildcard URI',
    instead: 'answers 500 for a bucket',
    shows: /internalError/,
    probe: async (probe) => {
      await probe.fill();
      await probe.job({
        extract: {
          sourceTable: probe.at('sales'),
          destinationUris: [probe.place.store.uri('out/part-*.parquet')],
          destinationFormat: 'PARQUET',
        },
      });
      assert.notEqual(await probe.place.store.stat('out/part-000000000000.parquet'), null);
    },
  },
  {
    promise: 'a MERGE with two source rows for one target row fails',
    document: 'GoogleSQL, DML: MERGE statement',
    instead: 'takes the last one',
    shows: /Missing expected rejection/,
    probe: async (probe) => {
      await probe.fill();
      await assert.rejects(
        probe.place.query(
          `MERGE ${probe.enriched}.sales AS t USING (SELECT 1 AS product, 8 AS n UNION ALL SELECT 1, 9) AS s
            ON t.product = s.product WHEN MATCHED THEN UPDATE SET product = s.n`,
        ),
      );
    },
  },
  {
    promise: 'client.query() rejects for a statement that failed',
    document: 'REST: jobs.query; Error messages: invalidQuery',
    instead: 'answers 200 without rows, so that it resolves with []',
    shows: /Missing expected rejection/,
    probe: async ({ place }) => {
      await assert.rejects(place.client.query('SELECT * FROM no_such_dataset.no_such_table'));
    },
  },
  {
    promise: 'a dataset that has tables is not deleted, and resourceInUse says why',
    document: 'REST: datasets.delete, deleteContents; Error messages: resourceInUse',
    instead: 'says 404 notFound',
    shows: /actual: '404 notFound'/,
    probe: async ({ place, enriched }) => {
      await assert.rejects(place.client.dataset(enriched).delete(), rejectsWith(400, 'resourceInUse'));
    },
  },
];

if ('skip' in account) describe(account.title, { skip: account.skip }, () => {});
else {
  after(() => account.close());
  let number = 0;
  const onProbe = (work: (probe: Probe) => Promise<void>): Promise<void> => {
    number += 1;
    const name = `g${number}`;
    return withProbe(account, { name, prefix: `${name}/` }, work);
  };

  describe(account.title, () => {
    test('fills a table by a statement, queries it, and rejects a failed statement that is run as a job', () =>
      onProbe(async (probe) => {
        await probe.fill();
        assert.equal(await probe.products(), '1,2');
        await assert.rejects(probe.place.query(`SELECT * FROM ${probe.enriched}.no_such_table`), /no_such_table/);
      }));

    for (const { promise, instead, shows, probe } of GAPS) {
      test(promise, (context) =>
        onProbe((made) =>
          expectGap(context, { reason: `${account.bigQueryTitle} ${instead}`, shows }, () => probe(made)),
        ),
      );
    }
  });
}

describe('what bqemulator does not, the sandbox does', () => {
  for (const [index, { promise, document, probe }] of GAPS.entries()) {
    test(`${promise} (${document})`, () => withProbe(sandbox, { name: `s${index}`, prefix: `s${index}/` }, probe));
  }
});
