/** Exports of built marts on the stand-in: two of the same build at once, and one whose build is taken away. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildOfSales, FCT_SALES, hasCode, rows, SALES } from '../contract/warehouse-contract.ts';
import { type SandboxPlace, withSandboxWarehouse } from '../contract/warehouse-sandbox.ts';

const BUILD = buildOfSales(['2025-01-01']);

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
          return warehouse.exportBuilt(FCT_SALES, `${place.folder}/${name}`);
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
      await assert.rejects(
        warehouse.exportBuilt(FCT_SALES, `${place.folder}/late`),
        hasCode('state_conflict', /fct_sales/),
      );
    });
  });
});
