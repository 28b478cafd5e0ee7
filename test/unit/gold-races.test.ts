/** Marts of two runs at once: what is newer stays, and what was built on shifting ground is not published. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { CrashError, type GoldLake, martOf, withGoldLake } from '../fixtures-support/gold-lake.ts';

const TOTAL = martOf({
  name: 'fct_total',
  grain: ['channel'],
  partitionKey: null,
  columns: [
    { name: 'channel', type: 'string', description: '' },
    { name: 'orders', type: 'int64', description: '' },
  ],
  inputs: [{ layer: 'enriched', table: 'int_orders' }],
  sql: 'SELECT channel, COUNT(*) AS orders FROM enriched.int_orders GROUP BY 1',
});
const ROWS = 'SELECT channel, orders FROM fct_total ORDER BY channel';

/** Other tables of the layer come and go without being read. */
async function publishOrders(gold: GoldLake, channels: readonly string[], other = 'x'): Promise<void> {
  const rows = channels.map((channel) => `('${channel}')`).join(', ');
  await gold.lake.publishTables(
    'enriched',
    {
      int_orders: `SELECT DATE '2025-03-01' AS day, * FROM (VALUES ${rows}) AS t(channel)`,
      int_other: `SELECT DATE '2025-03-01' AS day, '${other}' AS what`,
    },
    () => 'day',
  );
}

const refused = (code: string, pattern: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof PipelineError && thrown.code === code, String(thrown));
  assert.match(thrown.message, pattern);
  return true;
};

describe('two runs of the marts at once', () => {
  test('a run that was overtaken between build and publish leaves what is newer to readers', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const late = await gold.build('fct_total', { runDate: '2025-03-01' });
      await publishOrders(gold, ['web', 'web']);
      await gold.run({ runDate: '2025-03-02' });
      await assert.rejects(
        gold.publish([late], { runDate: '2025-03-01' }),
        refused('publish_conflict', /stale in fct_total.*by run run-2025-03-02 in version 1/),
      );
      assert.deepEqual(await gold.query(ROWS), [['web', '2']]);
      assert.equal((await gold.gold())?.sequence, 1);
    });
  });

  test('one that published before is not in the way of its own retry', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const staged = await gold.build('fct_total', { runDate: '2025-03-01' });
      const first = await gold.publish([staged], { runDate: '2025-03-01' });
      assert.deepEqual(await gold.publish([staged], { runDate: '2025-03-01' }), first);
    });
  });

  test('a mart whose input is published again while its query runs is not staged', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const act = (): Promise<void> => publishOrders(gold, ['web', 'phone']);
      await assert.rejects(
        gold.build('fct_total', { runDate: '2025-03-01', meanwhile: { at: 'before buildMart', act } }),
        refused('state_conflict', /enriched\.int_orders was published again, in version 2, while fct_total was built/),
      );
      await gold.run({ runDate: '2025-03-01' });
      assert.deepEqual(await gold.query(ROWS), [
        ['phone', '1'],
        ['web', '1'],
      ]);
    });
  });

  test('a version that leaves its inputs as they are does not matter to it', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const act = (): Promise<void> => publishOrders(gold, ['web'], 'y');
      const staged = await gold.build('fct_total', {
        runDate: '2025-03-01',
        meanwhile: { at: 'before buildMart', act },
      });
      assert.equal((await gold.lake.publications.current('enriched'))?.sequence, 2);
      await gold.publish([staged], { runDate: '2025-03-01' });
      assert.deepEqual(await gold.query(ROWS), [['web', '1']]);
    });
  });

  test('older rows that are loaded late do not stay over those that readers see', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const act = (): Promise<void> => publishOrders(gold, ['web', 'phone']);
      const late = { runDate: '2025-03-01', meanwhile: { at: 'before loadPartitions', act: once(act) } } as const;
      const output = await gold.load('enriched', 'int_orders', late);
      assert.deepEqual(await gold.inWarehouse('SELECT channel FROM enriched.int_orders ORDER BY 1'), [
        ['phone'],
        ['web'],
      ]);
      assert.ok(output.kind === 'loaded');
      assert.deepEqual(
        output.receipts.map(({ rows, changed }) => [rows, changed]),
        [
          [1, true],
          [2, true],
        ],
      );
    });
  });

  test('a mart whose input is published again while it is loaded is built on what readers see', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      const act = (): Promise<void> => publishOrders(gold, ['web', 'phone']);
      const late = { runDate: '2025-03-01', meanwhile: { at: 'before loadPartitions', act: once(act) } } as const;
      await gold.publish([await gold.build('fct_total', late)], late);
      assert.deepEqual(await gold.inWarehouse('SELECT channel, orders FROM gold.fct_total ORDER BY 1'), [
        ['phone', '1'],
        ['web', '1'],
      ]);
    });
  });
});

describe('a version of gold that is replaced before its marts are swapped', () => {
  test('does not come into the warehouse where gold was rolled back', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      await gold.run({ runDate: '2025-03-01' });
      await publishOrders(gold, ['web', 'phone']);
      const act = (): Promise<void> => gold.rollBack(1);
      await gold.run({ runDate: '2025-03-02', meanwhile: { at: 'after publish', act } });
      assert.deepEqual(await gold.query(ROWS), [['web', '1']]);
      assert.deepEqual(await gold.inWarehouse('SELECT channel, orders FROM gold.fct_total ORDER BY 1'), [['web', '1']]);
      assert.deepEqual((await gold.gold())?.revertsTo, 1);
    });
  });

  test('does not come there by a retry either', async () => {
    await withGoldLake([TOTAL], async (gold) => {
      await publishOrders(gold, ['web']);
      await gold.run({ runDate: '2025-03-01' });
      await publishOrders(gold, ['web', 'phone']);
      const staged = await gold.build('fct_total', { runDate: '2025-03-02' });
      await assert.rejects(gold.publish([staged], { runDate: '2025-03-02', crash: 'after publish' }), CrashError);
      await gold.rollBack(1);
      await gold.publish([staged], { runDate: '2025-03-02' });
      assert.deepEqual(await gold.query(ROWS), [['web', '1']]);
      assert.deepEqual(await gold.inWarehouse('SELECT channel, orders FROM gold.fct_total ORDER BY 1'), [['web', '1']]);
    });
  });
});

function once(act: () => Promise<unknown>): () => Promise<unknown> {
  let isDone = false;
  return async () => {
    if (isDone) return;
    isDone = true;
    await act();
  };
}
