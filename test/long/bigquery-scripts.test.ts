/** DML, DDL, scripts and transactions of the BigQuery stand-in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../sandbox/bigquery/quotas.ts';
import { messageOf, reasonOf, type World, withBigQuery } from './bigquery-world.ts';

async function twoMarts(work: (world: World) => Promise<void>): Promise<void> {
  await withBigQuery(async (world) => {
    await world.client.createDataset('shop');
    for (const table of ['a', 'b'])
      await world.rows(`CREATE TABLE shop.${table} AS SELECT 1 AS version, x AS id FROM UNNEST([1, 2, 3]) AS x`);
    await work(world);
  });
}

const script = (world: World, text: string) => world.job({ query: { query: text, useLegacySql: false } });
const idsOf = async (world: World, table: string) =>
  (await world.rows(`SELECT id FROM shop.${table} ORDER BY id`)).map(([id]) => Number(id));

describe('a multi-statement transaction', () => {
  test('makes all its changes visible together', () =>
    twoMarts(async (world) => {
      const job = await script(
        world,
        `BEGIN TRANSACTION;
         DELETE FROM shop.a WHERE id > 1; -- a comment; with a semicolon
         INSERT INTO shop.a (id, version) SELECT 10, 2;
         DELETE FROM shop.b WHERE TRUE;
         COMMIT TRANSACTION;`,
      );
      assert.equal(reasonOf(job), undefined);
      assert.deepEqual([job.statistics.query.statementType, job.statistics.numChildJobs], ['SCRIPT', '5']);
      assert.deepEqual([await idsOf(world, 'a'), await idsOf(world, 'b')], [[1, 10], []]);
    }));

  for (const [why, fault] of [
    ['a division by zero', 'INSERT INTO shop.b (id, version) SELECT DIV(1, 0), 1'],
    ['a missing table', 'DELETE FROM shop.nothing WHERE TRUE'],
    ['a type that does not fit', "INSERT INTO shop.b (id, version) SELECT 'x', 1"],
  ])
    test(`is rolled back as a whole by ${why}`, () =>
      twoMarts(async (world) => {
        const job = await script(
          world,
          `BEGIN TRANSACTION; DELETE FROM shop.a WHERE TRUE; ${fault}; COMMIT TRANSACTION`,
        );
        assert.ok(['invalidQuery', 'notFound'].includes(reasonOf(job) ?? ''), messageOf(job));
        assert.deepEqual(
          [await idsOf(world, 'a'), await idsOf(world, 'b')],
          [
            [1, 2, 3],
            [1, 2, 3],
          ],
        );
      }));

  test('is undone by ROLLBACK, and where the script ends without COMMIT', () =>
    twoMarts(async (world) => {
      await script(
        world,
        'BEGIN TRANSACTION; DELETE FROM shop.a WHERE TRUE; ROLLBACK TRANSACTION; DELETE FROM shop.b WHERE id = 3',
      );
      assert.deepEqual(
        [await idsOf(world, 'a'), await idsOf(world, 'b')],
        [
          [1, 2, 3],
          [1, 2],
        ],
      );
      await script(world, 'BEGIN; DELETE FROM shop.a WHERE TRUE');
      assert.deepEqual(await idsOf(world, 'a'), [1, 2, 3]);
    }));

  test('is seen by a reader in a loop as a whole: never two versions mixed', () =>
    twoMarts(async (world) => {
      const seen = new Set<string>();
      let isDone = false;
      const reader = (async () => {
        while (!isDone) {
          const [row] = await world.rows(
            'SELECT (SELECT MAX(version) FROM shop.a) AS a, (SELECT MAX(version) FROM shop.b) AS b',
          );
          seen.add(`${row?.[0]}/${row?.[1]}`);
        }
      })();
      for (let version = 2; version <= 6; version++) {
        const swap = ['a', 'b'].map(
          (t) => `DELETE FROM shop.${t} WHERE TRUE; INSERT INTO shop.${t} (version, id) SELECT ${version}, 1;`,
        );
        const job = await script(world, `BEGIN TRANSACTION; ${swap.join(' ')} COMMIT TRANSACTION;`);
        assert.equal(reasonOf(job), undefined);
      }
      isDone = true;
      await reader;
      for (const pair of seen) {
        const [a, b] = pair.split('/');
        assert.equal(a, b);
      }
    }));

  test('takes no DDL, no second BEGIN and no COMMIT without BEGIN', () =>
    twoMarts(async (world) => {
      for (const text of [
        'BEGIN TRANSACTION; DROP TABLE shop.a; COMMIT TRANSACTION',
        'BEGIN TRANSACTION; CREATE TABLE shop.c AS SELECT 1 AS x; COMMIT TRANSACTION',
        'BEGIN TRANSACTION; BEGIN TRANSACTION; COMMIT TRANSACTION',
        'DELETE FROM shop.a WHERE FALSE; COMMIT TRANSACTION',
      ]) {
        const job = await script(world, text);
        assert.deepEqual([reasonOf(job), /at \[1:\d+\]$/.test(messageOf(job))], ['invalidQuery', true], text);
      }
      assert.deepEqual(await idsOf(world, 'a'), [1, 2, 3]);
    }));

  test('changes only so many tables: 100 in BigQuery (bigquery-gcs.md 3.1), two here', () =>
    withBigQuery(
      async (world) => {
        await world.client.createDataset('shop');
        await script(
          world,
          'CREATE TABLE shop.a (x INT64); CREATE TABLE shop.b (x INT64); CREATE TABLE shop.c (x INT64)',
        );
        const change = (tables: readonly string[]) =>
          script(
            world,
            `BEGIN TRANSACTION; ${tables.map((name) => `TRUNCATE TABLE shop.${name};`).join('')} COMMIT TRANSACTION`,
          );
        assert.equal(reasonOf(await change(['a', 'b', 'a'])), undefined);
        assert.equal(reasonOf(await change(['a', 'b', 'c'])), 'resourcesExceeded');
        assert.equal(LIMITS.tablesPerTransaction, 100);
      },
      { limits: { tablesPerTransaction: 2 } },
    ));
});

describe('a script without a transaction', () => {
  test('keeps what was done before the statement that fails', () =>
    twoMarts(async (world) => {
      const job = await script(
        world,
        'DELETE FROM shop.a WHERE id = 1; DELETE FROM shop.nothing WHERE TRUE; DELETE FROM shop.b WHERE TRUE',
      );
      assert.equal(reasonOf(job), 'notFound');
      assert.deepEqual(
        [await idsOf(world, 'a'), await idsOf(world, 'b')],
        [
          [2, 3],
          [1, 2, 3],
        ],
      );
    }));

  test('answers the rows of its last SELECT', () =>
    twoMarts(async (world) => {
      assert.deepEqual(
        await world
          .rows('DELETE FROM shop.a WHERE id = 1; SELECT COUNT(*) AS n FROM shop.a; DELETE FROM shop.b WHERE FALSE')
          .catch(String),
        [],
      );
      assert.deepEqual(await world.rows('DELETE FROM shop.a WHERE id = 2; SELECT COUNT(*) AS n FROM shop.a'), [['1']]);
    }));
});

describe('the rows of a query in a transaction', () => {
  test('are answered after COMMIT, and gone with ROLLBACK', () =>
    twoMarts(async (world) => {
      assert.deepEqual(await world.rows('BEGIN; SELECT 5 AS x; COMMIT'), [['5']]);
      assert.deepEqual(await world.rows('SELECT 1 AS x; BEGIN; SELECT 5 AS x; ROLLBACK'), [['1']]);
    }));
});

describe('DML', () => {
  test('counts the rows that it changes', () =>
    twoMarts(async (world) => {
      const job = await script(world, 'DELETE FROM shop.a AS t WHERE t.id IN (SELECT id FROM shop.b WHERE id > 1)');
      assert.deepEqual([job.statistics.query.statementType, job.statistics.query.numDmlAffectedRows], ['DELETE', '2']);
      assert.deepEqual(job.statistics.query.dmlStats, { deletedRowCount: '2' });
      const answer = await world.call('POST', '/queries', {
        query: 'INSERT INTO shop.a (id) VALUES (7), (8)',
        useLegacySql: false,
      });
      assert.equal(answer.body.numDmlAffectedRows, '2');
      const truncated = await script(world, 'TRUNCATE TABLE shop.a');
      assert.equal(truncated.statistics.query.numDmlAffectedRows, '3');
    }));

  test('DELETE needs WHERE; other statements are not run, both with their place', () =>
    twoMarts(async (world) => {
      assert.match(messageOf(await script(world, 'DELETE FROM shop.a')), /DELETE must have a WHERE clause at \[1:1\]/);
      assert.match(
        messageOf(await script(world, 'SELECT 1 AS x;\nUPDATE shop.a SET id = 1 WHERE TRUE')),
        /UPDATE statements at \[2:1\]/,
      );
    }));

  test('INSERT goes by the named columns, widens numbers and refuses other types and counts', () =>
    twoMarts(async (world) => {
      await world.rows('CREATE TABLE shop.n (f FLOAT64, d NUMERIC(10, 2), s STRING NOT NULL)');
      await world.rows("INSERT INTO shop.n (s, d, f) SELECT 'x', 1, 2");
      assert.deepEqual(await world.rows('SELECT f, d, s FROM shop.n'), [['2.0', '1', 'x']]);
      assert.match(
        messageOf(await script(world, 'INSERT INTO shop.n (s, d) SELECT 1, 1')),
        /Query column 1 has type INT64 which cannot be inserted into column s, which has type STRING/,
      );
      assert.match(
        messageOf(await script(world, "INSERT INTO shop.n (s) SELECT 'x', 1")),
        /wrong column count; Has 2, expected 1/,
      );
      assert.match(
        messageOf(await script(world, 'INSERT INTO shop.n (nothing) SELECT 1')),
        /Column nothing is not present/,
      );
      assert.match(
        messageOf(await script(world, 'INSERT INTO shop.n (f) SELECT 1')),
        /Required field s cannot be null/,
      );
      assert.match(
        messageOf(await script(world, 'INSERT INTO shop.n (s) SELECT CAST(NULL AS STRING)')),
        /Required field s cannot be null/,
      );
    }));
});

describe('MERGE', () => {
  test('updates, inserts and deletes by one look at what was there', () =>
    twoMarts(async (world) => {
      const job = await script(
        world,
        `MERGE INTO shop.a AS t USING (SELECT x AS id, 9 AS version FROM UNNEST([2, 3, 4]) AS x) AS s ON t.id = s.id
         WHEN MATCHED AND s.id = 3 THEN DELETE
         WHEN MATCHED THEN UPDATE SET version = s.version, id = t.id
         WHEN NOT MATCHED THEN INSERT (id, version) VALUES (s.id, s.version)
         WHEN NOT MATCHED BY SOURCE AND t.id = 1 THEN UPDATE SET version = 0`,
      );
      assert.equal(messageOf(job), '');
      assert.deepEqual([job.statistics.query.statementType, job.statistics.query.numDmlAffectedRows], ['MERGE', '4']);
      assert.deepEqual(await world.rows('SELECT id, version FROM shop.a ORDER BY id'), [
        ['1', '0'],
        ['2', '9'],
        ['4', '9'],
      ]);
    }));

  test('takes INSERT ROW and a table as its source', () =>
    twoMarts(async (world) => {
      await world.rows('INSERT INTO shop.b (id, version) VALUES (5, 5)');
      const job = await script(world, 'MERGE shop.a t USING shop.b s ON t.id = s.id WHEN NOT MATCHED THEN INSERT ROW');
      assert.equal(messageOf(job), '');
      assert.deepEqual(await idsOf(world, 'a'), [1, 2, 3, 5]);
    }));

  test('with two source rows for one target row fails, and changes nothing (emulators.md 3.4)', () =>
    twoMarts(async (world) => {
      const job = await script(
        world,
        'MERGE shop.a t USING (SELECT x AS id FROM UNNEST([1, 1]) AS x) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET version = 2',
      );
      assert.match(messageOf(job), /must match at most one source row for each target row/);
      assert.deepEqual(await world.rows('SELECT DISTINCT version FROM shop.a'), [['1']]);
    }));
});

describe('DDL', () => {
  test('CREATE TABLE AS SELECT sets partitioning, clustering and options', () =>
    twoMarts(async (world) => {
      const job = await script(
        world,
        `CREATE OR REPLACE TABLE shop.m PARTITION BY DATE_TRUNC(day, MONTH) CLUSTER BY id, name
         OPTIONS (description = "The \\"mart\\".", labels = [("layer", "gold"), ("env", "dev")], require_partition_filter = TRUE,
                  partition_expiration_days = 30, expiration_timestamp = TIMESTAMP "2026-01-01 00:00:00 UTC")
         AS SELECT DATE '2025-10-15' AS day, 1 AS id, 'x' AS name`,
      );
      assert.equal(messageOf(job), '');
      assert.deepEqual(
        [job.statistics.query.statementType, job.statistics.query.ddlOperationPerformed],
        ['CREATE_TABLE_AS_SELECT', 'CREATE'],
      );
      const { body } = await world.call('GET', '/datasets/shop/tables/m');
      assert.deepEqual(body.timePartitioning, { type: 'MONTH', field: 'day', expirationMs: '2592000000' });
      assert.deepEqual(
        [body.clustering.fields, body.description, body.labels],
        [['id', 'name'], 'The "mart".', { layer: 'gold', env: 'dev' }],
      );
      assert.deepEqual([body.requirePartitionFilter, body.expirationTime, body.numRows], [true, '1767225600000', '1']);
    }));

  test('may replace a table by a query over itself', () =>
    twoMarts(async (world) => {
      assert.equal(
        messageOf(await script(world, 'CREATE OR REPLACE TABLE shop.a AS SELECT id FROM shop.a WHERE id > 1')),
        '',
      );
      assert.deepEqual(await idsOf(world, 'a'), [2, 3]);
    }));

  test('CREATE TABLE of one that is there is duplicate, IF NOT EXISTS leaves it; DROP of none is notFound, IF EXISTS nothing', () =>
    twoMarts(async (world) => {
      assert.equal(reasonOf(await script(world, 'CREATE TABLE shop.a AS SELECT 1 AS x')), 'duplicate');
      assert.equal(reasonOf(await script(world, 'CREATE TABLE IF NOT EXISTS shop.a AS SELECT 1 AS x')), undefined);
      assert.deepEqual(await idsOf(world, 'a'), [1, 2, 3]);
      assert.equal(reasonOf(await script(world, 'DROP TABLE shop.nothing')), 'notFound');
      assert.equal(reasonOf(await script(world, 'DROP TABLE IF EXISTS shop.nothing')), undefined);
      assert.equal(reasonOf(await script(world, 'DROP TABLE IF EXISTS `test-project.shop.a`')), undefined);
      assert.equal((await world.call('GET', '/datasets/shop/tables/a')).status, 404);
    }));
});
