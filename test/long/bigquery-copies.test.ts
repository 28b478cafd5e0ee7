/** Copy and extract jobs of the BigQuery stand-in. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { type JobAnswer, messageOf, reasonOf, tableRef, type World, withBigQuery } from './bigquery-world.ts';

async function copies(work: (world: World) => Promise<void>): Promise<void> {
  await withBigQuery(async (world) => {
    await world.client.createDataset('shop');
    for (const [name, from] of [
      ['a', 10],
      ['b', 20],
    ] as const) {
      await world.rows(
        `CREATE TABLE shop.${name} PARTITION BY day CLUSTER BY id OPTIONS (description = "Table ${name}") AS
         SELECT DATE '2025-10-14' AS day, ${from} AS id UNION ALL SELECT DATE '2025-10-15', ${from + 1}`,
      );
    }
    await work(world);
  });
}

function copy(world: World, from: readonly string[], to: string, writeDisposition?: string): Promise<JobAnswer> {
  const sourceTables = from.map((table) => tableRef(table));
  return world.job({
    copy: { sourceTables, destinationTable: tableRef(to), ...(writeDisposition ? { writeDisposition } : {}) },
  });
}

const idsOf = async (world: World, table: string) =>
  (await world.rows(`SELECT id FROM shop.${table} ORDER BY id`)).map(([id]) => id);

describe('a copy job', () => {
  test('copies all its sources into a new table with their partitioning, free of charge (emulators.md 3.3 took the first)', () =>
    copies(async (world) => {
      const job = await copy(world, ['a', 'b'], 'both');
      assert.equal(reasonOf(job), undefined);
      assert.equal(job.statistics.copy.copiedRows, '4');
      assert.deepEqual(await idsOf(world, 'both'), ['10', '11', '20', '21']);
      const { body } = await world.call('GET', '/datasets/shop/tables/both');
      assert.deepEqual([body.timePartitioning, body.clustering], [{ type: 'DAY', field: 'day' }, { fields: ['id'] }]);
    }));

  test('is WRITE_EMPTY by default: a table with rows is duplicate, and stays', () =>
    copies(async (world) => {
      assert.equal(reasonOf(await copy(world, ['a'], 'b')), 'duplicate');
      assert.deepEqual(await idsOf(world, 'b'), ['20', '21']);
    }));

  test('replaces, or adds, as its disposition says', () =>
    copies(async (world) => {
      await copy(world, ['a'], 'b', 'WRITE_APPEND');
      assert.deepEqual(await idsOf(world, 'b'), ['10', '11', '20', '21']);
      await copy(world, ['a'], 'b', 'WRITE_TRUNCATE');
      assert.deepEqual(await idsOf(world, 'b'), ['10', '11']);
    }));

  test('takes decorators on both sides, and leaves all other partitions (bigquery-gcs.md 3.4, write, audit, publish)', () =>
    copies(async (world) => {
      assert.equal(reasonOf(await copy(world, ['a$20251015'], 'b$20251015', 'WRITE_TRUNCATE')), undefined);
      assert.deepEqual(await idsOf(world, 'b'), ['11', '20']);
      const wrong = await copy(world, ['a$20251014'], 'b$20251015', 'WRITE_TRUNCATE');
      assert.equal(reasonOf(wrong), 'invalid');
      assert.match(messageOf(wrong), /different partitions/);
      assert.deepEqual(await idsOf(world, 'b'), ['11', '20']);
    }));

  test('into a table that is clustered otherwise is invalid', () =>
    copies(async (world) => {
      await world.rows('CREATE TABLE shop.plain (day DATE, id INT64) PARTITION BY day');
      const job = await copy(world, ['plain'], 'b', 'WRITE_TRUNCATE');
      assert.equal(reasonOf(job), 'invalid');
      assert.match(messageOf(job), /Expects clustering\(id\), but input is no clustering/);
      assert.deepEqual(await idsOf(world, 'b'), ['20', '21']);
    }));

  test('of a source that is not there is notFound, and copies none of the others', () =>
    copies(async (world) => {
      assert.equal(reasonOf(await copy(world, ['a', 'nothing'], 'b', 'WRITE_TRUNCATE')), 'notFound');
      assert.deepEqual(await idsOf(world, 'b'), ['20', '21']);
    }));

  test('between tables of unlike partitioning or columns is invalid', () =>
    copies(async (world) => {
      await world.rows("CREATE TABLE shop.plain AS SELECT DATE '2025-10-14' AS day, 1 AS id");
      await world.rows("CREATE TABLE shop.other PARTITION BY day AS SELECT DATE '2025-10-14' AS day, 'x' AS id");
      assert.equal(reasonOf(await copy(world, ['plain'], 'a', 'WRITE_APPEND')), 'invalid');
      assert.equal(reasonOf(await copy(world, ['a', 'other'], 'c')), 'invalid');
      assert.equal(reasonOf(await copy(world, ['other'], 'a', 'WRITE_APPEND')), 'invalid');
    }));

  test('of another kind than COPY is not imitated', () =>
    copies(async (world) => {
      const job = await world.job({
        copy: { sourceTable: tableRef('a'), destinationTable: tableRef('c'), operationType: 'SNAPSHOT' },
      });
      assert.deepEqual([job.error.code, reasonOf(job)], [501, 'notImplemented']);
    }));
});

describe('an extract job', () => {
  async function rowsOf(world: World, names: readonly string[]) {
    await using session = await DuckDbSession.open();
    const paths = names.map((name) => join(world.folder, 'buckets', 'lake', name));
    return await session.rows(
      `SELECT CAST(day AS VARCHAR) AS day, id FROM read_parquet(${fileList(paths)}) ORDER BY id`,
    );
  }
  const extract = (world: World, table: string, uri: string) =>
    world.job({
      extract: {
        sourceTable: tableRef(table),
        destinationUris: [uri],
        destinationFormat: 'PARQUET',
        compression: 'SNAPPY',
      },
    });

  test('writes a table as one Parquet object', () =>
    copies(async (world) => {
      const job = await extract(world, 'a', 'gs://lake/out/a.parquet');
      assert.deepEqual([reasonOf(job), job.statistics.extract.destinationUriFileCounts], [undefined, ['1']]);
      assert.deepEqual(await rowsOf(world, ['out/a.parquet']), [
        { day: '2025-10-14', id: 10 },
        { day: '2025-10-15', id: 11 },
      ]);
    }));

  test('writes a partition under a wildcard with numbered names', () =>
    copies(async (world) => {
      assert.equal(reasonOf(await extract(world, 'a$20251015', 'gs://lake/out/x-*.parquet')), undefined);
      assert.deepEqual(await readdir(join(world.folder, 'buckets', 'lake', 'out')), ['x-000000000000.parquet']);
      assert.deepEqual(await rowsOf(world, ['out/x-000000000000.parquet']), [{ day: '2025-10-15', id: 11 }]);
    }));

  test('of a table that is not there is notFound; another format is not imitated', () =>
    copies(async (world) => {
      assert.equal(reasonOf(await extract(world, 'nothing', 'gs://lake/x.parquet')), 'notFound');
      const csv = await world.job({ extract: { sourceTable: tableRef('a'), destinationUris: ['gs://lake/x.csv'] } });
      assert.equal(csv.error.code, 501);
    }));
});
