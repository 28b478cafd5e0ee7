/** What a run pins of bronze: by days, by change, with manifests, and when something vanished. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BaseLake, column, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

const ROW = (id: number) => `SELECT ${id} AS id, '2025-10-09T02:15:00+00:00' AS ingestion_ts, 'evt_${id}' AS event_id`;
const orders = tableSpec('orders', { columns: [column('id', 'int64', { required: true })] });
const catalog = tableSpec('catalog', {
  columns: [column('id', 'int64', { required: true }), column('category', 'string')],
  partitionKey: 'ingestion_dt',
  source: { ...orders.source, table: 'catalog', partitionKey: 'category', select: 'changed' },
});

describe('pin bronze', () => {
  test('an interval table pins every partition of the days, done or not; a table without a folder pins none', async () => {
    await using lake = await BaseLake.open();
    for (const day of ['07', '08', '09', '10']) {
      await lake.writeBronze(`orders/ingest_dt=2025-10-${day}/part-0000.parquet`, ROW(Number(day)));
    }
    const spec = specOf([orders, tableSpec('nowhere', { columns: orders.columns })]);
    const names = async () => (await lake.pin(spec, '2025-10-08', '2025-10-09')).bronze.orders?.map((p) => p.partition);
    assert.deepEqual(await names(), ['ingest_dt=2025-10-08', 'ingest_dt=2025-10-09']);
    await lake.run(spec, '2025-10-08', '2025-10-09');
    assert.deepEqual(await names(), ['ingest_dt=2025-10-08', 'ingest_dt=2025-10-09']);
    assert.deepEqual((await lake.pin(spec, '2025-10-08', '2025-10-09')).bronze.nowhere, []);
  });

  test('a changed table pins what is new or different since it was published, and all of it when its logic changes', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('catalog/category=Books/part-0000.parquet', ROW(1));
    await lake.writeBronze('catalog/category=Toys/part-0000.parquet', ROW(2));
    const names = async (table = catalog) =>
      (await lake.pin(specOf([table]), '2025-10-08', '2025-10-08')).bronze.catalog?.map((p) => p.partition);
    assert.deepEqual(await names(), ['category=Books', 'category=Toys']);
    await lake.run(specOf([catalog]), '2025-10-08');
    assert.deepEqual(await names(), []);
    await lake.writeObject('catalog/category=Toys/_MANIFEST.json', '{"table":"catalog","total_rows":1,"files":[]}');
    assert.deepEqual(await names(), ['category=Toys']);
    const changed = { ...catalog, rules: [{ reason: 'x', when: 'id < 0', location: catalog.location }] };
    assert.deepEqual(await names(changed), ['category=Books', 'category=Toys']);
  });

  test('the fingerprint follows manifest text, file names and sizes', async () => {
    await using lake = await BaseLake.open();
    const key = 'orders/ingest_dt=2025-10-08/part-0000.parquet';
    await lake.writeBronze(key, ROW(1));
    const print = async () =>
      (await lake.pin(specOf([orders]), '2025-10-08', '2025-10-08')).bronze.orders?.[0]?.fingerprint;
    const first = await print();
    assert.equal(await print(), first);
    await lake.writeObject('orders/ingest_dt=2025-10-08/_SUCCESS', '');
    assert.equal(await print(), first);
    const seen = new Set([first]);
    await lake.writeBronze(key, `${ROW(1)} UNION ALL ${ROW(2)}`);
    seen.add(await print());
    await lake.writeObject(
      'orders/ingest_dt=2025-10-08/_MANIFEST.json',
      '{"table":"orders","total_rows":2,"files":[]}',
    );
    seen.add(await print());
    await lake.writeBronze('orders/ingest_dt=2025-10-08/part-0001.parquet', ROW(3));
    seen.add(await print());
    assert.equal(seen.size, 4);
  });

  test('manifests come along in their three states, strays by table', async () => {
    await using lake = await BaseLake.open();
    for (const day of ['08', '09', '10']) {
      await lake.writeBronze(`orders/ingest_dt=2025-10-${day}/part-0000.parquet`, ROW(1));
    }
    await lake.writeObject('orders/ingest_dt=2025-10-09/_MANIFEST.json', '{"half');
    await lake.writeObject(
      'orders/ingest_dt=2025-10-10/_MANIFEST.json',
      '{"table":"orders","total_rows":1,"files":[]}',
    );
    await lake.writeBronze('orders/ingest_dt=2025-10-10/more/part-0000.parquet', ROW(1));
    const pinned = await lake.pin(specOf([orders]), '2025-10-08', '2025-10-10');
    assert.deepEqual(
      pinned.bronze.orders?.map((partition) => partition.manifest.state),
      ['missing', 'unreadable', 'read'],
    );
    assert.deepEqual(pinned.strays, { orders: ['orders/ingest_dt=2025-10-10/more/part-0000.parquet'] });
  });

  test('a partition that silver holds and bronze has lost is pinned without files, and silver keeps its rows', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('orders/ingest_dt=2025-10-08/part-0000.parquet', ROW(1));
    await lake.writeBronze('catalog/category=Books/part-0000.parquet', ROW(1));
    const spec = specOf([orders, catalog]);
    await lake.run(spec, '2025-10-08');
    await rm(join(lake.root, 'bronze'), { recursive: true });
    const pinned = await lake.pin(spec, '2025-10-08', '2025-10-08');
    for (const [table, partition] of [
      ['orders', 'ingest_dt=2025-10-08'],
      ['catalog', 'category=Books'],
    ] as const) {
      const [vanished] = pinned.bronze[table] ?? [];
      assert.equal(vanished?.partition, partition);
      assert.deepEqual([vanished?.files, vanished?.manifest], [[], { state: 'missing' }]);
    }
    assert.deepEqual((await lake.pin(spec, '2025-10-09', '2025-10-09')).bronze.orders, []);
    const staged = await lake.run(spec, '2025-10-08');
    assert.equal(staged.orders?.unchanged, true);
    assert.equal(staged.orders?.account.output, 1);
    assert.equal((await lake.silver('orders')).length, 1);
  });
});
