/** Building, staging and publishing marts: content decides what is built, and a death at any step is healed by the next run. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { StagedTable } from '../../core/types.ts';
import { type Crash, CrashError, type GoldLake, martOf, withGoldLake } from '../fixtures-support/gold-lake.ts';

const DAILY = martOf({
  name: 'fct_daily',
  grain: ['day', 'channel'],
  partitionKey: 'day',
  columns: [
    { name: 'day', type: 'date', description: '' },
    { name: 'channel', type: 'string', description: '' },
    { name: 'amount', type: 'decimal(18,2)', description: '' },
  ],
  inputs: [{ layer: 'enriched', table: 'int_orders' }],
  sql: `SELECT order_dt AS day, channel, SUM(amount) AS amount FROM enriched.int_orders
        WHERE order_dt >= @window_start AND order_dt < @window_end GROUP BY 1, 2`,
});

const TOTAL = martOf({
  name: 'fct_total',
  grain: ['channel'],
  partitionKey: null,
  columns: [
    { name: 'channel', type: 'string', description: '' },
    { name: 'amount', type: 'decimal(18,2)', description: '' },
  ],
  inputs: [{ layer: 'enriched', table: 'int_orders' }],
  sql: 'SELECT channel, SUM(amount) AS amount FROM enriched.int_orders GROUP BY 1',
});

type Order = readonly [day: string, channel: string, amount: string];

const ORDERS: readonly Order[] = [
  ['2025-03-01', 'web', '10.00'],
  ['2025-03-01', 'web', '0.05'],
  ['2025-03-02', 'phone', '7.00'],
];

async function publishOrders(gold: GoldLake, orders: readonly Order[]): Promise<void> {
  const rows = orders
    .map(([day, channel, amount]) => `(DATE '${day}', '${channel}', ${amount}::DECIMAL(18,2))`)
    .join(', ');
  await gold.lake.publishTables(
    'enriched',
    { int_orders: `SELECT * FROM (VALUES ${rows}) AS t(order_dt, channel, amount)` },
    () => 'order_dt',
  );
}

const DAILY_ROWS = 'SELECT day, channel, amount FROM fct_daily ORDER BY day, channel';
const TOTAL_ROWS = 'SELECT channel, amount FROM fct_total ORDER BY channel';
const built = (staged: StagedTable | undefined): readonly string[] =>
  staged?.unchanged ? [] : (staged?.partitions ?? []).map(({ value }) => value);

/** Lake and warehouse tell the same, and this. */
async function assertGold(
  gold: GoldLake,
  daily: readonly (readonly string[])[],
  total: readonly (readonly string[])[],
): Promise<void> {
  assert.deepEqual(await gold.query(DAILY_ROWS), daily);
  assert.deepEqual(await gold.query(TOTAL_ROWS), total);
  assert.deepEqual(await gold.inWarehouse(DAILY_ROWS.replace('fct_', 'gold.fct_')), daily);
  assert.deepEqual(await gold.inWarehouse(TOTAL_ROWS.replace('fct_', 'gold.fct_')), total);
}

const FIRST_DAILY = [
  ['2025-03-01', 'web', '10.05'],
  ['2025-03-02', 'phone', '7.00'],
];
const FIRST_TOTAL = [
  ['phone', '7.00'],
  ['web', '10.05'],
];

describe('a run of the marts', () => {
  test('builds every day that its inputs have, whatever the run’s date', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      const [daily, total] = await gold.run({ runDate: '2025-03-02' });
      assert.deepEqual(built(daily), ['2025-03-01', '2025-03-02']);
      assert.deepEqual(built(total), ['']);
      assert.deepEqual(daily?.primaryKey, ['day', 'channel']);
      await assertGold(gold, FIRST_DAILY, FIRST_TOTAL);
    });
  });

  test('again on the same inputs builds nothing and publishes nothing', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      const before = await gold.gold();
      gold.calls.length = 0;
      const staged = await gold.run({ runDate: '2025-03-02', runId: 'again' });
      assert.deepEqual(
        staged.map(({ unchanged }) => unchanged),
        [true, true],
      );
      assert.deepEqual(await gold.gold(), before);
      assert.ok(!gold.calls.includes('buildMart') && !gold.calls.includes('swapMarts'), gold.calls.join());
      // What it repeats for the gate is what is published for the run's day.
      assert.deepEqual(
        staged[0]?.partitions.map(({ value }) => value),
        ['2025-03-02'],
      );
    });
  });

  test('a late order rebuilds its day alone', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      await publishOrders(gold, [...ORDERS, ['2025-03-01', 'phone', '1.00'], ['2025-03-03', 'web', '2.00']]);
      const [daily] = await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(built(daily), ['2025-03-01', '2025-03-03']);
      await assertGold(
        gold,
        [
          ['2025-03-01', 'phone', '1.00'],
          ['2025-03-01', 'web', '10.05'],
          ['2025-03-02', 'phone', '7.00'],
          ['2025-03-03', 'web', '2.00'],
        ],
        [
          ['phone', '8.00'],
          ['web', '12.05'],
        ],
      );
    });
  });

  test('a day that no input has any more is removed', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      await publishOrders(gold, ORDERS.slice(0, 2));
      const [daily] = await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(daily?.removed, ['2025-03-02']);
      await assertGold(gold, [['2025-03-01', 'web', '10.05']], [['web', '10.05']]);
    });
  });

  test('a day that is left without rows is removed for readers and not built again', async () => {
    const webOnly = { ...DAILY, sql: DAILY.sql.replace('GROUP BY', "AND channel = 'web' GROUP BY") };
    await withGoldLake([webOnly], async (gold) => {
      await publishOrders(gold, ORDERS);
      const [first] = await gold.run({ runDate: '2025-03-02' });
      assert.deepEqual(built(first), ['2025-03-01']);
      const [second] = await gold.run({ runDate: '2025-03-02', runId: 'again' });
      assert.equal(second?.unchanged, true);
    });
  });

  test('a rollback of the inputs is followed by the marts', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      await publishOrders(gold, [['2025-03-01', 'web', '999.00']]);
      await gold.run({ runDate: '2025-03-03' });
      await gold.lake.publications.rollback('enriched', 1, { dagId: 'cli', runId: 'rollback' });
      await gold.run({ runDate: '2025-03-04' });
      await assertGold(gold, FIRST_DAILY, FIRST_TOTAL);
    });
  });

  test('a lost warehouse file is built anew, and the lake keeps its version', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      const before = await gold.gold();
      await rm(gold.warehousePath);
      await gold.run({ runDate: '2025-03-02', runId: 'again' });
      await assertGold(gold, FIRST_DAILY, FIRST_TOTAL);
      assert.deepEqual(await gold.gold(), before);
    });
  });
});

describe('a mart that is edited', () => {
  test('is rebuilt for every day', async () => {
    await withGoldLake([DAILY], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      gold.edit({ ...DAILY, sql: DAILY.sql.replace('SUM(amount)', '2 * SUM(amount)') });
      const [daily] = await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(built(daily), ['2025-03-01', '2025-03-02']);
      assert.deepEqual(await gold.inWarehouse(DAILY_ROWS.replace('fct_', 'gold.fct_')), [
        ['2025-03-01', 'web', '20.10'],
        ['2025-03-02', 'phone', '14.00'],
      ]);
    });
  });

  test('may gain a column', async () => {
    await withGoldLake([DAILY], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      const columns = [...DAILY.columns, { name: 'orders', type: 'int64', description: '' }] as const;
      gold.edit({ ...DAILY, columns, sql: DAILY.sql.replace('AS amount', 'AS amount, COUNT(*) AS orders') });
      await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(await gold.query('SELECT orders FROM fct_daily ORDER BY day'), [['2'], ['1']]);
      assert.deepEqual(await gold.inWarehouse('SELECT orders FROM gold.fct_daily ORDER BY day'), [['2'], ['1']]);
    });
  });

  test('with another type is refused before anything is published; a new warehouse file takes it', async () => {
    await withGoldLake([DAILY], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      const before = await gold.gold();
      const columns = DAILY.columns.map((column) =>
        column.name === 'amount' ? { ...column, type: 'float64' as const } : column,
      );
      gold.edit({ ...DAILY, columns });
      await assert.rejects(gold.run({ runDate: '2025-03-03' }), (thrown) => {
        assert.equal(asPipelineError(thrown).code, 'warehouse_schema');
        assert.match(asPipelineError(thrown).message, /gold\.fct_daily, column amount.*move the warehouse file away/);
        return true;
      });
      assert.deepEqual(await gold.gold(), before);
      await rm(gold.warehousePath);
      await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(await gold.query(DAILY_ROWS), [
        ['2025-03-01', 'web', '10.05'],
        ['2025-03-02', 'phone', '7'],
      ]);
    });
  });

  test('by another partitioning replaces all of the mart once the warehouse file is a new one', async () => {
    await withGoldLake([DAILY], async (gold) => {
      await publishOrders(gold, ORDERS);
      await gold.run({ runDate: '2025-03-02' });
      gold.edit({ ...DAILY, partitionKey: null, sql: DAILY.sql.replace(/WHERE[\s\S]*GROUP/, 'GROUP') });
      await assert.rejects(gold.run({ runDate: '2025-03-03' }), /is partitioned by day/);
      await rm(gold.warehousePath);
      await gold.run({ runDate: '2025-03-03' });
      assert.deepEqual(Object.keys((await gold.gold())?.tables.fct_daily?.partitions ?? {}), ['']);
      assert.deepEqual(await gold.query(DAILY_ROWS), FIRST_DAILY);
    });
  });
});

test('a mart by order day over a table that is partitioned by arrival loses no late order', async () => {
  const mart = martOf({
    ...DAILY,
    inputs: [{ layer: 'silver', table: 'orders' }],
    sql: DAILY.sql.replace('enriched.int_orders', 'silver.orders'),
  });
  const silver = (rows: readonly (readonly [arrived: string, ...order: Order])[]): string =>
    `SELECT * FROM (VALUES ${rows.map(([arrived, day, channel, amount]) => `(DATE '${arrived}', DATE '${day}', '${channel}', ${amount}::DECIMAL(18,2))`).join(', ')}) AS t(ingestion_dt, order_dt, channel, amount)`;
  await withGoldLake([mart], async (gold) => {
    await gold.lake.publishTables('silver', { orders: silver([['2025-03-01', '2025-03-01', 'web', '1.00']]) });
    await gold.run({ runDate: '2025-03-01' });
    await gold.lake.publishTables('silver', {
      orders: silver([
        ['2025-03-01', '2025-03-01', 'web', '1.00'],
        ['2025-03-03', '2025-03-01', 'web', '2.00'],
        ['2025-03-03', '2025-03-02', 'phone', '4.00'],
      ]),
    });
    await gold.run({ runDate: '2025-03-03' });
    const expected = [
      ['2025-03-01', 'web', '3.00'],
      ['2025-03-02', 'phone', '4.00'],
    ];
    assert.deepEqual(await gold.query(DAILY_ROWS), expected);
    assert.deepEqual(await gold.inWarehouse(DAILY_ROWS.replace('fct_', 'gold.fct_')), expected);
    const [again] = await gold.run({ runDate: '2025-03-03', runId: 'again' });
    assert.equal(again?.unchanged, true);
  });
});

const CRASHES: readonly Crash[] = [
  'before loadPartitions',
  'after loadPartitions',
  'before buildMart',
  'after buildMart',
  'before exportBuilt',
  'after exportBuilt',
  'before publish',
  'after publish',
  'before swapMarts',
  'after swapMarts',
];

describe('a death in the middle of the second run', () => {
  const NEWER: readonly Order[] = [...ORDERS, ['2025-03-01', 'phone', '1.00']];
  const NEWER_DAILY = [['2025-03-01', 'phone', '1.00'], ...FIRST_DAILY];
  const NEWER_TOTAL = [
    ['phone', '8.00'],
    ['web', '10.05'],
  ];

  for (const crash of CRASHES) {
    test(`${crash}: a retry ends with the same rows`, async () => {
      await withGoldLake([DAILY, TOTAL], async (gold) => {
        await publishOrders(gold, ORDERS);
        await gold.run({ runDate: '2025-03-02' });
        await publishOrders(gold, NEWER);
        await assert.rejects(gold.run({ runDate: '2025-03-03', crash }), CrashError);
        await gold.run({ runDate: '2025-03-03' });
        await assertGold(gold, NEWER_DAILY, NEWER_TOTAL);
      });
    });
  }

  test('a publish that dies between pointer and swap is finished by a retry of that task alone', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      const staged = [
        await gold.build('fct_daily', { runDate: '2025-03-02' }),
        await gold.build('fct_total', { runDate: '2025-03-02' }),
      ];
      await assert.rejects(gold.publish(staged, { runDate: '2025-03-02', crash: 'before swapMarts' }), CrashError);
      const output = await gold.publish(staged, { runDate: '2025-03-02' });
      assert.deepEqual(output.kind === 'published' ? [output.publication.sequence, output.publication.moved] : null, [
        1,
        true,
      ]);
      await assertGold(gold, FIRST_DAILY, FIRST_TOTAL);
    });
  });

  test('the swap shows all marts of a run or none', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      await assert.rejects(gold.run({ runDate: '2025-03-02', crash: 'before swapMarts' }), CrashError);
      assert.deepEqual(
        await gold.inWarehouse(
          "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gold' AND table_name NOT LIKE '#_build%' ESCAPE '#'",
        ),
        [],
      );
    });
  });
});

describe('what a run of the marts refuses', () => {
  test('marts that were built from different versions of their inputs', async () => {
    await withGoldLake([DAILY, TOTAL], async (gold) => {
      await publishOrders(gold, ORDERS);
      const daily = await gold.build('fct_daily', { runDate: '2025-03-02' });
      await publishOrders(gold, ORDERS.slice(0, 1));
      const total = await gold.build('fct_total', { runDate: '2025-03-02' });
      await assert.rejects(gold.publish([daily, total], { runDate: '2025-03-02' }), (thrown) => {
        assert.equal(asPipelineError(thrown).code, 'state_conflict');
        assert.match(asPipelineError(thrown).message, /version 1 of enriched.*version 2/);
        return true;
      });
      assert.equal(await gold.gold(), null);
    });
  });

  test('a mart whose input was never published', async () => {
    await withGoldLake([DAILY], async (gold) => {
      await assert.rejects(gold.build('fct_daily', { runDate: '2025-03-02' }), (thrown) => {
        assert.equal(asPipelineError(thrown).code, 'publication_not_found');
        assert.match(asPipelineError(thrown).message, /enriched\.int_orders is not published yet/);
        return true;
      });
    });
  });
});

describe('the load task', () => {
  test('loads what differs, removes what is gone, and does nothing the second time', async () => {
    await withGoldLake([], async (gold) => {
      await publishOrders(gold, ORDERS);
      const run = { runDate: '2025-03-02' };
      const first = await gold.load('enriched', 'int_orders', run);
      assert.deepEqual(
        first.kind === 'loaded' ? first.receipts.map(({ partition, rows }) => [partition, rows]) : null,
        [
          ['2025-03-01', 2],
          ['2025-03-02', 1],
        ],
      );
      assert.deepEqual(await gold.load('enriched', 'int_orders', run), { kind: 'loaded', receipts: [], jobs: [] });
      await publishOrders(gold, [...ORDERS.slice(0, 2), ['2025-03-05', 'web', '3.00']]);
      const third = await gold.load('enriched', 'int_orders', run);
      assert.deepEqual(third.kind === 'loaded' ? third.receipts.map(({ partition }) => partition) : null, [
        '2025-03-05',
      ]);
      assert.deepEqual(
        await gold.inWarehouse(
          'SELECT CAST(order_dt AS VARCHAR), count(*) FROM enriched.int_orders GROUP BY 1 ORDER BY 1',
        ),
        [
          ['2025-03-01', '2'],
          ['2025-03-05', '1'],
        ],
      );
    });
  });
});
