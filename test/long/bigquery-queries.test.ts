/** Queries of the BigQuery stand-in: parameters, costs, filters, destinations, faults with their place, pages. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { messageOf, PROJECT, reasonOf, tableRef, type World, withBigQuery } from './bigquery-world.ts';

/** 3 rows on 2 days: `day` 8 bytes, `id` 8, `name` 2 and its length, so 16 + 3, 16 + 4, 16 + 5. */
async function sales(work: (world: World) => Promise<void>, options = ''): Promise<void> {
  await withBigQuery(async (world) => {
    await world.client.createDataset('shop');
    await world.rows(`CREATE TABLE shop.sales (day DATE, id INT64, name STRING) PARTITION BY day ${options}`);
    await world.rows(
      "INSERT INTO shop.sales VALUES (DATE '2025-10-14', 1, 'a'), (DATE '2025-10-15', 2, 'bb'), (DATE '2025-10-15', 3, 'ccc')",
    );
    await work(world);
  });
}

const query = (text: string, more: object = {}) => ({ query: { query: text, useLegacySql: false, ...more } });

describe('a query', () => {
  test('by the unmodified client gives rows, in order, and rejects where it fails (emulators.md 3.1 resolved [])', () =>
    sales(async ({ client }) => {
      const [rows] = await client.query('SELECT id, name FROM `test-project.shop.sales` ORDER BY id DESC');
      assert.deepEqual(rows, [
        { id: 3, name: 'ccc' },
        { id: 2, name: 'bb' },
        { id: 1, name: 'a' },
      ]);
      const failing = ['SELEC 1', 'SELECT * FROM shop.nothing', 'SELECT 1 / 0 AS x', 'SELECT nothing FROM shop.sales'];
      for (const text of failing) await assert.rejects(async () => client.query(text), /./, text);
      await assert.rejects(async () => {
        const [job] = await client.createQueryJob('SELECT 1 / 0 AS x');
        await job.getQueryResults();
      });
    }));

  test('names tables in every way that GoogleSQL has', () =>
    sales(async (world) => {
      for (const name of [
        'shop.sales',
        '`shop.sales`',
        '`shop`.`sales`',
        '`test-project.shop.sales`',
        '`test-project`.shop.sales',
        '`test-project`.`shop`.`sales`',
      ])
        assert.deepEqual(await world.rows(`SELECT COUNT(*) AS n FROM ${name}`), [['3']], name);
      const job = await world.job(
        query('SELECT COUNT(*) AS n FROM sales', { defaultDataset: { projectId: PROJECT, datasetId: 'shop' } }),
      );
      assert.equal(reasonOf(job), undefined);
      const bare = await world.job(query('SELECT 1 AS x FROM sales'));
      assert.match(
        messageOf(bare),
        /Table "sales" must be qualified with a dataset \(e\.g\. dataset\.table\) at \[1:20\]/,
      );
    }));

  test('that fails is HTTP 4xx by its reason on jobs.query and on getQueryResults, with the place in the text', () =>
    sales(async (world) => {
      const post = (text: string) => world.call('POST', '/queries', { query: text, useLegacySql: false });
      const missing = await post('SELECT 1 AS x FROM shop.nothing');
      assert.deepEqual([missing.status, missing.body.error.errors[0].reason], [404, 'notFound']);
      assert.equal(
        missing.body.error.message,
        'Not found: Table test-project:shop.nothing was not found in location US',
      );
      const column = await post('SELECT id,\n  nam FROM `test-project.shop.sales`');
      assert.deepEqual([column.status, column.body.error.errors[0].reason], [400, 'invalidQuery']);
      assert.match(column.body.error.message, /nam.* at \[2:3\]$/);
      const foreign = await post('SELECT id::INT64 AS x FROM shop.sales');
      assert.match(foreign.body.error.message, /at \[1:10\]$/);
      await world.job(query('SELECT nothing AS x FROM shop.sales'), 'bad');
      const results = await world.call('GET', '/queries/bad');
      assert.deepEqual([results.status, results.body.error.errors[0].reason], [400, 'invalidQuery']);
    }));

  test('tells the place behind a parameter as it stands in the caller’s text', () =>
    sales(async (world) => {
      const job = await world.job(
        query('SELECT id FROM `test-project.shop.sales` WHERE day = @a_very_long_name AND nam = 1', {
          parameterMode: 'NAMED',
          queryParameters: [
            { name: 'a_very_long_name', parameterType: { type: 'DATE' }, parameterValue: { value: '2025-10-15' } },
          ],
        }),
      );
      assert.match(messageOf(job), /at \[1:76\]$/);
    }));

  test('takes named and positional parameters of all simple types, and arrays', () =>
    sales(async ({ client }) => {
      const named = await client.query({
        query:
          'SELECT id FROM shop.sales WHERE day = @day AND id > @least AND name IN UNNEST(@names) AND name <> @quote ORDER BY id',
        params: { day: client.date('2025-10-15'), least: 2, names: ['bb', 'ccc'], quote: 'it\'s "x" \\ y' },
        types: { day: 'DATE', least: 'INT64', names: ['STRING'], quote: 'STRING' },
      });
      assert.deepEqual(named[0], [{ id: 3 }]);
      const positional = await client.query({
        query: "SELECT id FROM shop.sales WHERE name = ? AND id = ? AND '?' = '?' -- ?",
        params: ['bb', 2],
      });
      assert.deepEqual(positional[0], [{ id: 2 }]);
      const [values] = await client.query({
        query: 'SELECT @t AS t, @i AS i, @s AS s, @none AS none, @b AS b',
        params: { t: client.timestamp('2025-10-15 10:00:00'), i: -5, s: 'line\nbreak', none: null, b: true },
        types: { t: 'TIMESTAMP', i: 'INT64', s: 'STRING', none: 'STRING', b: 'BOOL' },
      });
      assert.equal(values[0].t.value, '2025-10-15T10:00:00.000Z');
      assert.deepEqual([values[0].i, values[0].s, values[0].none, values[0].b], [-5, 'line\nbreak', null, true]);
    }));

  test('without one of its parameters is invalidQuery', () =>
    sales(async (world) => {
      const job = await world.job(query('SELECT @x AS x', { parameterMode: 'NAMED', queryParameters: [] }));
      assert.deepEqual([reasonOf(job), messageOf(job)], ['invalidQuery', "Query parameter 'x' not found"]);
    }));

  test('with the same requestId is the same job (emulators.md 3.3 ran it again)', () =>
    sales(async (world) => {
      const body = { query: 'INSERT INTO shop.sales (id) VALUES (9)', useLegacySql: false, requestId: 'r-1' };
      const first = await world.call('POST', '/queries', body);
      const second = await world.call('POST', '/queries', body);
      assert.deepEqual(first.body.jobReference, second.body.jobReference);
      assert.deepEqual(await world.rows('SELECT id FROM shop.sales WHERE id = 9'), [['9']]);
    }));

  test('gives its rows in pages, from any row', () =>
    sales(async (world) => {
      await world.job(query('SELECT n FROM UNNEST(GENERATE_ARRAY(1, 10)) AS n ORDER BY n'), 'ten');
      const get = async (parameters: string) => (await world.call('GET', `/queries/ten?${parameters}`)).body;
      const values = (body: { rows: { f: { v: string }[] }[] }) => body.rows.map((row) => Number(row.f[0]?.v));
      const first = await get('maxResults=4');
      assert.deepEqual([first.totalRows, values(first)], ['10', [1, 2, 3, 4]]);
      const second = await get(`maxResults=4&pageToken=${first.pageToken}`);
      assert.deepEqual(values(second), [5, 6, 7, 8]);
      const last = await get(`maxResults=4&pageToken=${second.pageToken}`);
      assert.deepEqual([values(last), last.pageToken], [[9, 10], undefined]);
      assert.deepEqual(values(await get('startIndex=8')), [9, 10]);
      // Google's client for Python takes an empty list for the only page.
      assert.equal('rows' in (await get('maxResults=0')), false);
      assert.equal((await world.call('GET', '/queries/ten?pageToken=abc')).status, 400);
      const [all] = await world.client.job('ten').getQueryResults({ maxResults: 3 });
      assert.equal(all.length, 3);
    }));

  test('that is not done within timeoutMs answers jobComplete false', () =>
    sales(async (world) => {
      const text =
        'SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a CROSS JOIN UNNEST(GENERATE_ARRAY(1, 100000)) AS b WHERE MOD(a * b, 7) = 3';
      const { body } = await world.call('POST', '/queries', { query: text, useLegacySql: false, timeoutMs: 1 });
      assert.deepEqual([body.jobComplete, body.rows], [false, undefined]);
      await world.call('POST', `/jobs/${body.jobReference.jobId}/cancel`);
    }));
});

describe('bytes', () => {
  const dry = async (world: World, text: string, more: object = {}) => {
    const { status, body } = await world.call('POST', '/jobs', {
      configuration: { dryRun: true, ...query(text, more) },
    });
    return status === 200 ? Number(body.statistics.totalBytesProcessed) : body.error.errors[0].reason;
  };

  test('of a dry run are those of the columns read, in the partitions that constants leave (bigquery-gcs.md 3.4)', () =>
    sales(async (world) => {
      assert.equal(await dry(world, 'SELECT id FROM shop.sales'), 24);
      assert.equal(await dry(world, 'SELECT name FROM shop.sales'), 12);
      assert.equal(await dry(world, 'SELECT * FROM shop.sales'), 60);
      assert.equal(await dry(world, "SELECT * FROM shop.sales WHERE day = '2025-10-15'"), 41);
      assert.equal(await dry(world, "SELECT id FROM shop.sales WHERE day BETWEEN '2025-10-01' AND '2025-10-14'"), 16);
      assert.equal(
        await dry(world, "WITH s AS (SELECT * FROM shop.sales) SELECT id FROM s WHERE day > '2025-10-14'"),
        41,
      );
      assert.equal(await dry(world, 'SELECT COUNT(*) AS n FROM shop.sales'), 0);
      assert.equal(await dry(world, 'SELECT 1 AS x'), 0);
    }));

  test('of a dry run come with the schema, and no job is made', () =>
    sales(async (world) => {
      const { body } = await world.call('POST', '/jobs', {
        jobReference: { jobId: 'dry' },
        configuration: { dryRun: true, ...query('SELECT id, SUM(id) AS total FROM shop.sales GROUP BY id') },
      });
      assert.deepEqual(
        body.statistics.query.schema.fields.map((f: { type: string }) => f.type),
        ['INTEGER', 'INTEGER'],
      );
      assert.equal(body.status.state, 'DONE');
      assert.equal((await world.call('GET', '/jobs/dry')).status, 404);
      const [job] = await world.client.createQueryJob({ query: 'SELECT id FROM shop.sales', dryRun: true });
      assert.equal(job.metadata.statistics.totalBytesProcessed, '24');
    }));

  test('of a dry run of a faulty query are HTTP 400 or 404; one of DML changes nothing', () =>
    sales(async (world) => {
      assert.equal(await dry(world, 'SELECT nothing FROM shop.sales'), 'invalidQuery');
      assert.equal(await dry(world, 'SELECT 1 AS x FROM shop.nothing'), 'notFound');
      assert.equal(await dry(world, 'DELETE FROM shop.sales WHERE TRUE'), 0);
      assert.equal((await world.rows('SELECT id FROM shop.sales')).length, 3);
    }));

  test('billed are megabytes, at least ten for each table; maximumBytesBilled refuses more, before it runs', () =>
    sales(async (world) => {
      const cheap = await world.job(query('SELECT id FROM shop.sales', { maximumBytesBilled: String(10 * 1_048_576) }));
      assert.equal(cheap.statistics.query.totalBytesBilled, '10485760');
      const refused = await world.job(query('SELECT id FROM shop.sales', { maximumBytesBilled: '10485759' }));
      assert.equal(reasonOf(refused), 'bytesBilledLimitExceeded');
      assert.equal(messageOf(refused), 'Query exceeded limit for bytes billed: 10485759. 10485760 or higher required.');
      const free = await world.job(query('SELECT 1 AS x', { maximumBytesBilled: '1' }));
      assert.equal(free.statistics.query.totalBytesBilled, '0');
    }));
});

describe('a required partition filter (emulators.md 3.3: never enforced there)', () => {
  const REQUIRED = 'OPTIONS (require_partition_filter = TRUE)';

  for (const text of [
    "SELECT id FROM shop.sales WHERE day = '2025-10-15'",
    "SELECT id FROM shop.sales AS s WHERE s.day >= DATE '2025-10-15' AND id > 1",
    "SELECT id FROM shop.sales WHERE day IN ('2025-10-14', '2025-10-15')",
    "SELECT id FROM shop.sales WHERE day = '2025-10-14' OR day = '2025-10-15'",
    "SELECT id FROM (SELECT * FROM shop.sales) WHERE day > DATE_SUB(DATE '2025-10-15', INTERVAL 3 DAY)",
    "WITH s AS (SELECT day AS d, id FROM shop.sales) SELECT id FROM s WHERE d = '2025-10-15'",
    "SELECT a.id FROM shop.sales AS a JOIN shop.sales AS b ON a.id = b.id AND b.day = '2025-10-15' WHERE a.day = '2025-10-15'",
    "DELETE FROM shop.sales WHERE day = '2025-10-14'",
  ])
    test(`is met by: ${text}`, () =>
      sales(async (world) => {
        assert.equal(reasonOf(await world.job(query(text))), undefined);
      }, REQUIRED));

  for (const text of [
    'SELECT id FROM shop.sales',
    'SELECT id FROM shop.sales WHERE id = 1',
    "SELECT id FROM shop.sales WHERE day = '2025-10-15' OR id = 1",
    'SELECT a.id FROM shop.sales AS a JOIN shop.sales AS b ON a.day = b.day',
    "SELECT id FROM shop.sales WHERE day <> '2025-10-15'",
    "SELECT id FROM (SELECT * FROM shop.sales LIMIT 1) WHERE day = '2025-10-15'",
    'DELETE FROM shop.sales WHERE id = 1',
    'DELETE FROM shop.sales WHERE TRUE',
  ])
    test(`is not met by: ${text}`, () =>
      sales(async (world) => {
        const job = await world.job(query(text));
        assert.equal(reasonOf(job), 'invalidQuery');
        assert.match(
          messageOf(job),
          /Cannot query over table 'test-project\.shop\.sales' without a filter over column\(s\) 'day' that can be used for partition elimination/,
        );
      }, REQUIRED));
});

describe('the destination of a query (emulators.md 3.3 ignored it in silence)', () => {
  const into = (table: string, more: object = {}) => ({ destinationTable: tableRef(table), ...more });

  test('is created with partitioning and clustering, and holds the rows', () =>
    sales(async (world) => {
      const job = await world.job(
        query(
          'SELECT day, id FROM shop.sales',
          into('copy', { timePartitioning: { type: 'DAY', field: 'day' }, clustering: { fields: ['id'] } }),
        ),
        'q',
      );
      assert.equal(reasonOf(job), undefined);
      assert.equal((await world.rows('SELECT id FROM shop.copy')).length, 3);
      const { body } = await world.call('GET', '/datasets/shop/tables/copy');
      assert.deepEqual([body.timePartitioning, body.clustering], [{ type: 'DAY', field: 'day' }, { fields: ['id'] }]);
      assert.equal((await world.call('GET', '/queries/q')).body.totalRows, '3');
    }));

  test('is WRITE_EMPTY by default; a decorator replaces one partition; rows elsewhere are invalid', () =>
    sales(async (world) => {
      const full = await world.job(query('SELECT * FROM shop.sales', into('sales')));
      assert.equal(reasonOf(full), 'duplicate');
      const text = "SELECT DATE '2025-10-15' AS day, 9 AS id, 'new' AS name";
      await world.job(query(text, into('sales$20251015', { writeDisposition: 'WRITE_TRUNCATE' })));
      assert.deepEqual(await world.rows('SELECT id FROM shop.sales ORDER BY id'), [['1'], ['9']]);
      const stray = await world.job(query(text, into('sales$20251014', { writeDisposition: 'WRITE_TRUNCATE' })));
      assert.equal(reasonOf(stray), 'invalid');
    }));

  test('takes new columns only where schemaUpdateOptions let it', () =>
    sales(async (world) => {
      const text = "SELECT DATE '2025-10-16' AS day, 4 AS id, 'd' AS name, TRUE AS flag";
      const append = { writeDisposition: 'WRITE_APPEND' };
      assert.equal(reasonOf(await world.job(query(text, into('sales', append)))), 'invalid');
      const adding = { ...append, schemaUpdateOptions: ['ALLOW_FIELD_ADDITION'] };
      assert.equal(reasonOf(await world.job(query(text, into('sales', adding)))), undefined);
      assert.deepEqual(await world.rows('SELECT id, flag FROM shop.sales ORDER BY id'), [
        ['1', null],
        ['2', null],
        ['3', null],
        ['4', 'true'],
      ]);
    }));

  test('that is not there is notFound with CREATE_NEVER, and in a dataset that is not there', () =>
    sales(async (world) => {
      const never = await world.job(query('SELECT 1 AS x', into('nothing', { createDisposition: 'CREATE_NEVER' })));
      assert.equal(reasonOf(never), 'notFound');
      const nowhere = await world.job(query('SELECT 1 AS x', { destinationTable: tableRef('t', 'nowhere') }));
      assert.equal(reasonOf(nowhere), 'notFound');
    }));

  test('has no place in a job with DML, DDL or a script, which would leave it as it was', () =>
    sales(async (world) => {
      for (const text of [
        'DELETE FROM shop.sales WHERE TRUE',
        'SELECT 1 AS x; SELECT 2 AS x',
        'DROP TABLE shop.sales',
      ]) {
        const job = await world.job(query(text, into('other')));
        assert.deepEqual(
          [reasonOf(job), messageOf(job)],
          ['invalidQuery', 'Cannot set destination table in jobs with DML, DDL or script statements'],
        );
      }
      assert.equal((await world.rows('SELECT id FROM shop.sales')).length, 3);
    }));
});
