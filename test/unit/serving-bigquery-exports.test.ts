/** Exports of built marts on the stand-in: two of the same build at once, and one whose build is taken away. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MartBuild, WarehouseTableDef } from '../../core/ports.ts';
import { hasCode, rows, SALES } from '../contract/warehouse-contract.ts';
import { type SandboxPlace, withSandboxWarehouse } from '../contract/warehouse-sandbox.ts';

const MART: WarehouseTableDef = {
  dataset: 'gold',
  table: 'fct_sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'total', type: 'decimal(18,2)' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: 'Sales.',
};
const BUILD: MartBuild = {
  def: MART,
  sql: 'SELECT day, SUM(amount) AS total FROM enriched.sales WHERE day >= @window_start AND day < @window_end GROUP BY 1',
  days: ['2025-01-01'],
  fingerprints: { '2025-01-01': 'v1' },
};

const withBuiltMart = (work: (place: SandboxPlace) => Promise<void>): Promise<void> =>
  withSandboxWarehouse({}, async (place) => {
    const warehouse = await place.open();
    const { partition } = await place.stage(SALES, '2025-01-01', rows('2025-01-01', [1, '10.00']));
    await warehouse.loadPartitions(SALES, [partition], []);
    await warehouse.buildMart(BUILD);
    await work(place);
  });

const extracts = (place: SandboxPlace): readonly unknown[] =>
  place.calls.flatMap(({ body }) => body?.configuration?.extract?.destinationUris ?? []);

describe('an export of a built mart', () => {
  test('is not disturbed by another of the same build, which takes only its own objects away', async () => {
    await withBuiltMart(async (place) => {
      const exported = await Promise.all(
        ['one', 'two', 'three'].map(async (name) => {
          const warehouse = await place.open();
          return warehouse.exportBuilt(MART, `${place.folder}/${name}`);
        }),
      );
      for (const files of exported)
        assert.deepEqual(
          files.map(({ partition, rows: count }) => [partition, count]),
          [['2025-01-01', 1]],
        );
      assert.equal(new Set(extracts(place)).size, 3);
      const left: string[] = [];
      for await (const { key } of place.store.list('_export/')) left.push(key);
      assert.deepEqual(left, []);
    });
  });

  test('says that another run took the build where its table is gone', async () => {
    await withBuiltMart(async (place) => {
      const warehouse = await place.open();
      for (const table of await place.leftovers()) await place.api('DELETE', `/datasets/staging/tables/${table}`);
      await assert.rejects(warehouse.exportBuilt(MART, `${place.folder}/late`), hasCode('state_conflict', /fct_sales/));
    });
  });
});
