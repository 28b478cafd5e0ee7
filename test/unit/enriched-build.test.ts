/** Which partitions a build of an enriched table writes, keeps and removes, and from which versions of its inputs. */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import pl from 'nodejs-polars';
import { PipelineError } from '../../core/errors.ts';
import type { TransformSpec } from '../../core/spec.ts';
import type { StagedTable } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import {
  defineTransform,
  type InputDefinition,
  type TransformDefinition,
} from '../../transforms/enriched/define-transform.ts';
import { relation } from '../../transforms/enriched/input-query.ts';
import { loadBuiltin } from '../../transforms/enriched/registry.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { specOf, withEngine } from '../fixtures-support/enriched-tables.ts';

type Order = readonly [id: string, at: string, arrived: string, quantity?: number];

const values = (partitions: StagedTable['partitions']): readonly string[] => partitions.map(({ value }) => value);

/** A user's transform: one row per order day, with the amount of the last two days. */
const twoDaySums = defineTransform({
  name: 'two_day_sums',
  inputs: {
    orders: {
      columns: { order_id: 'string', order_date: 'timestamp', amount: 'int64' },
      date: { as: 'day', from: ['order_date'] },
    },
  },
  window: { before: 1, after: 0 },
  partitionKey: 'day',
  primaryKey: ['day'],
  columns: [
    { name: 'day', type: 'date' },
    { name: 'amount', type: 'int64' },
  ],
  run: ({ orders }) =>
    orders
      .groupBy(['day'])
      .agg(pl.col('amount').sum().alias('daily'))
      .sort(['day'])
      .groupByRolling({ indexColumn: 'day', period: '2d' })
      .agg(pl.col('daily').sum().alias('amount')),
}) as TransformDefinition;

const spec: TransformSpec = { ...specOf(twoDaySums), implementation: { kind: 'file', path: 'two-day-sums.ts' } };
const withTwoDaySums = { loadTransform: async () => ({ definition: twoDaySums, codeHash: 'v1' }), tables: ['orders'] };

async function publishOrders(lake: EnrichedLake, orders: readonly Order[]): Promise<void> {
  const rows = orders.map(
    ([id, at, arrived, amount = 1]) =>
      `SELECT '${id}' AS order_id, TIMESTAMPTZ '${at} 12:00:00+00' AS order_date, ${amount}::BIGINT AS amount, DATE '${arrived}' AS ingestion_dt`,
  );
  await lake.publishTables('silver', { orders: rows.join(' UNION ALL ') });
}

async function sums(session: DuckDbSession, lake: EnrichedLake): Promise<readonly string[]> {
  const rows = await session.rows(
    `SELECT day::VARCHAR AS day, amount, ingest_dt::VARCHAR AS run FROM (${await lake.published('two_day_sums')}) ORDER BY day`,
  );
  return rows.map((row) => `${row.day}=${row.amount} on ${row.run}`);
}

const withLake = (work: (lake: EnrichedLake, session: DuckDbSession, folder: string) => Promise<void>): Promise<void> =>
  withEngine((session, folder) => work(new EnrichedLake(session, folder), session, folder));

async function fails(work: Promise<unknown>): Promise<PipelineError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof PipelineError) return thrown;
    throw thrown;
  }
  throw new Error('it did not fail');
}

const FIRST: readonly Order[] = [
  ['o1', '2025-10-01', '2025-10-01', 10],
  ['o2', '2025-10-02', '2025-10-02', 20],
  ['o3', '2025-10-04', '2025-10-04', 40],
];

describe('a day table', () => {
  test('is built for all days at first, and a second run of the same day changes nothing', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, FIRST);
      const staged = await lake.build(spec, '2025-10-04', withTwoDaySums);
      assert.deepEqual(values(staged.partitions), ['2025-10-01', '2025-10-02', '2025-10-04']);
      assert.deepEqual([staged.account.input, staged.account.output], [3, 3]);
      assert.deepEqual(staged.columns.at(-1), { name: 'ingest_dt', type: 'date' });
      assert.deepEqual(await sums(session, lake), [
        '2025-10-01=10 on 2025-10-04',
        '2025-10-02=30 on 2025-10-04',
        '2025-10-04=40 on 2025-10-04',
      ]);
      const again = await lake.build(spec, '2025-10-04', { ...withTwoDaySums, firstDay: '2025-10-02' });
      assert.equal(again.unchanged, true);
      assert.deepEqual(values(again.partitions), ['2025-10-02', '2025-10-04']);
      assert.equal(again.account.output, 2);
    });
  });

  test('stays as it is where the run holds an input back, and is brought up by the next one', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      const before = await sums(session, lake);
      await publishOrders(lake, [...FIRST, ['o4', '2025-10-05', '2025-10-05', 5]]);
      const publication = { layer: 'silver', sequence: 2, touched: {}, moved: false, held: ['orders'] } as const;
      const outputs = { promote: { kind: 'published', publication } } as const;
      const held = await lake.build(spec, '2025-10-05', { ...withTwoDaySums, outputs });
      assert.deepEqual([held.unchanged, held.heldBackBy, held.removed], [true, 'silver.orders', []]);
      assert.deepEqual(await sums(session, lake), before);
      const next = await lake.build(spec, '2025-10-05', withTwoDaySums);
      assert.deepEqual(values(next.partitions), ['2025-10-05']);
    });
  });

  test('is held back before it was ever built, with its input', async () => {
    await withLake(async (lake) => {
      const publication = { layer: 'silver', sequence: 0, touched: {}, moved: false, held: ['orders'] } as const;
      const outputs = { promote: { kind: 'published', publication } } as const;
      const held = await lake.stage(spec, '2025-10-05', { ...withTwoDaySums, outputs });
      assert.deepEqual([held.unchanged, held.heldBackBy, held.partitions], [true, 'silver.orders', []]);
    });
  });

  test('rewrites the day of a late row and the days whose window reaches back to it, no more', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      await publishOrders(lake, [
        ...FIRST,
        ['o4', '2025-10-01', '2025-10-05', 5],
        ['o5', '2025-10-05', '2025-10-05', 50],
      ]);
      const staged = await lake.build(spec, '2025-10-05', withTwoDaySums);
      assert.deepEqual(values(staged.partitions), ['2025-10-01', '2025-10-02', '2025-10-05']);
      assert.deepEqual(await sums(session, lake), [
        '2025-10-01=15 on 2025-10-05',
        '2025-10-02=35 on 2025-10-05',
        '2025-10-04=40 on 2025-10-04',
        '2025-10-05=90 on 2025-10-05',
      ]);
    });
  });

  test('drops a day that has no row any more, and moves a row whose date was corrected', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      await publishOrders(lake, [FIRST[0] as Order, ['o2', '2025-10-03', '2025-10-05', 20], FIRST[2] as Order]);
      const staged = await lake.build(spec, '2025-10-05', withTwoDaySums);
      assert.deepEqual(staged.removed, ['2025-10-02']);
      assert.deepEqual(
        (await sums(session, lake)).map((line) => line.slice(0, 13)),
        ['2025-10-01=10', '2025-10-03=20', '2025-10-04=60'],
      );
    });
  });

  test('holds back days beyond the run date until a run reaches them', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, [...FIRST, ['o9', '2025-10-06', '2025-10-04', 90]]);
      const staged = await lake.build(spec, '2025-10-04', withTwoDaySums);
      assert.deepEqual(values(staged.partitions), ['2025-10-01', '2025-10-02', '2025-10-04']);
      assert.deepEqual(staged.state.deferred, ['2025-10-06']);
      assert.equal((await lake.build(spec, '2025-10-05', withTwoDaySums)).unchanged, true);
      const due = await lake.build(spec, '2025-10-06', withTwoDaySums);
      assert.deepEqual(values(due.partitions), ['2025-10-06']);
      assert.equal((await sums(session, lake)).at(-1), '2025-10-06=90 on 2025-10-06');
    });
  });

  test('a run for an older date still repairs days up to the newest run date', async () => {
    await withLake(async (lake, session) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      await publishOrders(lake, [...FIRST, ['o4', '2025-10-04', '2025-10-02', 1]]);
      const staged = await lake.build(spec, '2025-10-02', withTwoDaySums);
      // The partition 2025-10-02 changed: its old and its new rows are of the 2nd and the 4th.
      assert.deepEqual(values(staged.partitions), ['2025-10-02', '2025-10-04']);
      assert.equal(staged.state.as_of, '2025-10-04');
      assert.equal((await sums(session, lake)).at(-1), '2025-10-04=41 on 2025-10-02');
    });
  });

  test('is rebuilt whole where code or parameters changed', async () => {
    await withLake(async (lake) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      const edited = { ...withTwoDaySums, loadTransform: async () => ({ definition: twoDaySums, codeHash: 'v2' }) };
      const staged = await lake.build(spec, '2025-10-04', edited);
      assert.equal(staged.replacesAll, true);
      assert.deepEqual(values(staged.partitions), ['2025-10-01', '2025-10-02', '2025-10-04']);
    });
  });

  test('is rebuilt whole where the silver version it came from is no longer kept', async () => {
    await withLake(async (lake, _session, folder) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      await publishOrders(lake, [...FIRST, ['o5', '2025-10-05', '2025-10-05']]);
      await rm(join(folder, 'lake/silver/_history/000000000001.json'));
      const staged = await lake.build(spec, '2025-10-05', withTwoDaySums);
      assert.equal(staged.partitions.length, 4);
      assert.equal(staged.replacesAll, true);
    });
  });

  test('reads the silver that its run published or pinned, not what came after', async () => {
    await withLake(async (lake) => {
      await publishOrders(lake, FIRST);
      await publishOrders(lake, [...FIRST, ['o5', '2025-10-05', '2025-10-05']]);
      await publishOrders(lake, [...FIRST, ['o5', '2025-10-05', '2025-10-05'], ['o6', '2025-10-06', '2025-10-06']]);
      const pinned = { kind: 'pinned', pinned: { layer: 'bronze', bronze: {}, publications: { silver: 1 } } } as const;
      const first = await lake.stage(spec, '2025-10-31', { ...withTwoDaySums, outputs: { pin: pinned } });
      assert.equal(first.state.silver, 1);
      assert.equal(first.partitions.length, 3);
      const publication = { layer: 'silver', sequence: 2, touched: {}, moved: true } as const;
      const outputs = { pin: pinned, promote: { kind: 'published', publication } } as const;
      const second = await lake.stage(spec, '2025-10-31', { ...withTwoDaySums, outputs });
      assert.equal(second.state.silver, 2);
      assert.equal(second.partitions.length, 4);
    });
  });

  test('equal inputs give equal bytes', async () => {
    const fingerprints: string[] = [];
    for (let time = 0; time < 2; time++) {
      await withLake(async (lake) => {
        await publishOrders(lake, FIRST);
        const staged = await lake.build(spec, '2025-10-04', withTwoDaySums);
        fingerprints.push(staged.partitions.map((partition) => partition.fingerprint).join());
      });
    }
    assert.equal(fingerprints[0], fingerprints[1]);
  });
});

describe('rows that come late', () => {
  const cart = (id: string, customer: string, at: string, arrived: string) =>
    `SELECT '${id}' AS cart_id, '${customer}' AS customer_id, TIMESTAMPTZ '${at}+00' AS created_at, 9::DECIMAL(18,2) AS cart_total, DATE '${arrived}' AS ingestion_dt`;
  const order = (id: string, customer: string, at: string, arrived: string) =>
    `SELECT '${id}' AS order_id, '${customer}' AS customer_id, TIMESTAMPTZ '${at}+00' AS order_date, 'web' AS order_channel, DATE '${arrived}' AS ingestion_dt`;
  const together = (rows: readonly string[]) => rows.join(' UNION ALL ');

  test('an order converts a cart of two days before it', async () => {
    await withLake(async (lake, session) => {
      const spec = specOf(await loadBuiltin('int_cart_attribution'));
      const carts = together([
        cart('k0', 'c9', '2025-09-30 20:00:00', '2025-09-30'),
        cart('k1', 'c1', '2025-10-01 20:00:00', '2025-10-01'),
      ]);
      const earlier = order('o0', 'c8', '2025-10-01 08:00:00', '2025-10-01');
      await lake.publishTables('silver', { shopping_carts: carts, orders: earlier });
      await lake.build(spec, '2025-10-02');
      await lake.publishTables('silver', {
        shopping_carts: carts,
        orders: together([earlier, order('o1', 'c1', '2025-10-03 19:00:00', '2025-10-03')]),
      });
      const staged = await lake.build(spec, '2025-10-03');
      assert.deepEqual(values(staged.partitions), ['2025-10-01']);
      const rows = await session.rows(
        `SELECT cart_id, cart_status FROM (${await lake.published(spec.name)}) ORDER BY 1`,
      );
      assert.deepEqual(rows, [
        { cart_id: 'k0', cart_status: 'abandoned' },
        { cart_id: 'k1', cart_status: 'converted' },
      ]);
    });
  });

  test('an order of long ago gives its channel to every later cart of the customer', async () => {
    await withLake(async (lake, session) => {
      const spec = specOf(await loadBuiltin('int_cart_attribution'));
      const carts = cart('k1', 'c1', '2025-10-20 20:00:00', '2025-10-20');
      const other = order('o0', 'c8', '2025-10-20 08:00:00', '2025-10-20');
      await lake.publishTables('silver', { shopping_carts: carts, orders: other });
      await lake.build(spec, '2025-10-20');
      await lake.publishTables('silver', {
        shopping_carts: carts,
        orders: together([other, order('o1', 'c1', '2025-10-01 19:00:00', '2025-10-21')]),
      });
      await lake.build(spec, '2025-10-21');
      const row = await session.one(`SELECT cart_channel FROM (${await lake.published(spec.name)})`);
      assert.equal(row.cart_channel, 'web');
    });
  });

  test('a cart is found by an order of two days after it', async () => {
    await withLake(async (lake, session) => {
      const spec = specOf(await loadBuiltin('int_attributed_purchases'));
      const orders = together([
        order('o1', 'c1', '2025-10-03 19:00:00', '2025-10-03'),
        order('o2', 'c2', '2025-10-01 19:00:00', '2025-10-01'),
      ]);
      const other = cart('k0', 'c9', '2025-10-03 20:00:00', '2025-10-03');
      await lake.publishTables('silver', { orders, shopping_carts: other });
      await lake.build(spec, '2025-10-03');
      await lake.publishTables('silver', {
        orders,
        shopping_carts: together([other, cart('k1', 'c1', '2025-10-01 20:00:00', '2025-10-04')]),
      });
      const staged = await lake.build(spec, '2025-10-04');
      assert.deepEqual(values(staged.partitions), ['2025-10-01', '2025-10-03']);
      const rows = await session.rows(`SELECT cart_id FROM (${await lake.published(spec.name)}) ORDER BY order_id`);
      assert.deepEqual(rows, [{ cart_id: 'k1' }, { cart_id: null }]);
    });
  });

  test('an order that comes after its lines moves them to its own day', async () => {
    await withLake(async (lake, session) => {
      const spec = specOf(await loadBuiltin('int_sales_velocity'));
      const lines = together(
        ['o1', 'o2'].map(
          (id, index) =>
            `SELECT '${id}' AS order_id, 1::BIGINT AS product_id, ${10 ** index}::BIGINT AS quantity, DATE '2025-10-05' AS ingestion_dt`,
        ),
      );
      const first = order('o1', 'c1', '2025-10-04 08:00:00', '2025-10-04');
      await lake.publishTables('silver', { order_items: lines, orders: first });
      await lake.build(spec, '2025-10-05');
      await lake.publishTables('silver', {
        order_items: lines,
        orders: together([first, order('o2', 'c1', '2025-10-03 08:00:00', '2025-10-06')]),
      });
      const staged = await lake.build(spec, '2025-10-06');
      assert.deepEqual(staged.removed, ['2025-10-05']);
      const rows = await session.rows(
        `SELECT order_dt::VARCHAR AS day, daily_quantity AS sold FROM (${await lake.published(spec.name)}) ORDER BY 1`,
      );
      assert.deepEqual(rows, [
        { day: '2025-10-03', sold: 10 },
        { day: '2025-10-04', sold: 1 },
      ]);
    });
  });
});

describe('a snapshot', () => {
  test('has one partition per run date; past ones stay, a rerun of one sees what arrived since', async () => {
    await withLake(async (lake) => {
      const spec = specOf(await loadBuiltin('int_customer_retention_signals'));
      const publish = (orders: readonly Order[]) =>
        lake.publishTables('silver', {
          customers: "SELECT 'c1' AS customer_id, DATE '2025-01-01' AS ingestion_dt",
          orders: orders
            .map(
              ([id, at, arrived]) =>
                `SELECT '${id}' AS order_id, 'c1' AS customer_id, TIMESTAMPTZ '${at} 12:00:00+00' AS order_date, DATE '${arrived}' AS ingestion_dt`,
            )
            .join(' UNION ALL '),
        });
      await publish(FIRST);
      const first = await lake.build(spec, '2025-10-04');
      assert.deepEqual(values(first.partitions), ['2025-10-04']);
      assert.equal((await lake.build(spec, '2025-10-04')).unchanged, true);
      const second = await lake.build(spec, '2025-10-05');
      assert.deepEqual([values(second.partitions), second.removed, second.replacesAll], [['2025-10-05'], [], false]);
      assert.equal((await lake.build(spec, '2025-10-04')).unchanged, true);
      await publish([...FIRST, ['o4', '2025-10-03', '2025-10-06']]);
      const rerun = await lake.build(spec, '2025-10-04');
      assert.equal(rerun.unchanged, false);
      assert.notEqual(rerun.partitions[0]?.fingerprint, first.partitions[0]?.fingerprint);
      const current = await lake.publications.current('enriched');
      assert.deepEqual(Object.keys(current?.tables[spec.name]?.partitions ?? {}), ['2025-10-04', '2025-10-05']);
      assert.equal(
        current?.tables[spec.name]?.partitions['2025-10-05']?.fingerprint,
        second.partitions[0]?.fingerprint,
      );
    });
  });

  test('reads the newest dim snapshot on or before the run date, else the earliest, else silver', async () => {
    await withLake(async (lake, session) => {
      const spec = specOf(await loadBuiltin('int_customer_retention_signals'));
      const orders =
        "SELECT 'o1' AS order_id, 'c1' AS customer_id, TIMESTAMPTZ '2025-10-01 12:00:00+00' AS order_date, DATE '2025-10-01' AS ingestion_dt";
      const customer = (name: string, key: string, day: string) =>
        `SELECT 'c1' AS customer_id, '${name}' AS first_name, DATE '${day}' AS ${key}`;
      await lake.publishTables('silver', { customers: customer('silver', 'ingestion_dt', '2025-10-01'), orders });
      const names = async (runDate: string) => {
        await lake.build(spec, runDate, { dims: ['customers'] });
        const row = await session.one(
          `SELECT first_name FROM (${await lake.published(spec.name)}) WHERE ingest_dt = DATE '${runDate}'`,
        );
        return row.first_name;
      };
      assert.equal(await names('2025-10-04'), 'silver');
      await lake.publishTables(
        'dims',
        {
          customers: ['2025-10-05', '2025-10-07', '2025-10-09']
            .map((day) => customer(`dim of ${day}`, 'snapshot_dt', day))
            .join(' UNION ALL '),
        },
        () => 'snapshot_dt',
      );
      assert.equal(await names('2025-10-08'), 'dim of 2025-10-07');
      assert.equal(await names('2025-10-03'), 'dim of 2025-10-05');
      assert.ok(lake.notes.some((note) => note.includes('its earliest (2025-10-05) is read')));
    });
  });
});

describe('inputs and rows that are not as declared', () => {
  const definition = (change: Partial<TransformDefinition>): TransformDefinition => ({ ...twoDaySums, ...change });
  const building = (
    lake: EnrichedLake,
    change: Partial<TransformDefinition>,
    specChange: Partial<TransformSpec> = {},
  ) =>
    fails(
      lake.build({ ...spec, ...specChange }, '2025-10-04', {
        ...withTwoDaySums,
        loadTransform: async () => ({ definition: definition(change), codeHash: null }),
      }),
    );

  test('each names the transform, the column, what was expected and what was found', async () => {
    await withLake(async (lake) => {
      await publishOrders(lake, FIRST);
      const threw = await building(lake, {
        run: () => {
          throw new Error('no such thing');
        },
      });
      assert.equal(threw.code, 'transform_failed');
      assert.match(threw.message, /two_day_sums failed: no such thing/);

      const plan = await building(lake, {
        run: ({ orders }) => (orders as pl.LazyDataFrame).filter(pl.col('amuont').gt(pl.lit(1))),
      });
      assert.equal(plan.code, 'transform_failed');
      assert.match(plan.message, /amuont/);
      assert.doesNotMatch(plan.message, /Parquet SCAN/);

      const lacking = await building(lake, { run: ({ orders }) => (orders as pl.LazyDataFrame).select('day') });
      assert.equal(lacking.code, 'transform_invalid');
      assert.match(lacking.message, /two_day_sums declares the column amount \(int64\).*Found: day/);

      const wrong = await building(lake, {
        run: ({ orders }) => (orders as pl.LazyDataFrame).select(pl.col('day'), pl.lit(1).alias('amount')),
      });
      assert.equal(wrong.code, 'transform_invalid');
      assert.match(wrong.message, /two_day_sums, column amount: expected int64, found DOUBLE/);

      const eager = await building(lake, { run: () => 7 as never });
      assert.match(eager.message, /returned number; expected a LazyDataFrame/);

      const undated = await building(lake, {
        run: ({ orders }) =>
          (orders as pl.LazyDataFrame).select(pl.lit(null).cast(pl.Date).alias('day'), pl.col('amount')),
      });
      const huge = await building(lake, {
        columns: [
          { name: 'day', type: 'date' },
          { name: 'amount', type: 'decimal(3,2)' },
        ],
        run: ({ orders }) => (orders as pl.LazyDataFrame).select('day', 'amount'),
      });
      assert.equal(huge.code, 'transform_failed');
      assert.match(huge.message, /two_day_sums.*does not fit the declared type/);
      assert.equal(undated.code, 'transform_failed');
      assert.match(undated.message, /3 rows whose day is null/);
      assert.equal(await lake.publications.current('enriched'), null);
    });
  });

  test('an input, column, key or parameter that does not exist is named with what was probably meant', async () => {
    await withLake(async (lake) => {
      await publishOrders(lake, FIRST);
      const orders = twoDaySums.inputs.orders;
      assert.ok(orders);
      const table = await building(lake, { inputs: { order: orders } });
      assert.equal(table.code, 'transform_invalid');
      assert.match(table.message, /reads order, but the pipeline has no table.*did it mean orders/);
      const column = await building(lake, {
        inputs: { orders: { ...orders, columns: { ...orders.columns, ingestion_dat: 'date' } } },
      });
      assert.match(column.message, /silver\.orders\.ingestion_dat \(date\).*did it mean ingestion_dt/);
      const param = await building(lake, { params: { tolerance_hours: 48 } }, { params: { tolerance_hour: 1 } });
      assert.match(param.message, /no parameter tolerance_hour; did you mean tolerance_hours.*enriched\.yml:1/);
      const kind = await building(lake, { params: { tolerance_hours: 48 } }, { params: { tolerance_hours: '2d' } });
      assert.match(kind.message, /takes a number for the parameter tolerance_hours, but the spec says "2d"/);
      const key = await building(lake, {}, { partitionKey: 'order_dt' });
      assert.match(key.message, /partitioned by day in its code, but by order_dt in the spec/);
      const unpublished = await fails(
        lake.build(specOf(await loadBuiltin('int_shipping_economics')), '2025-10-04', { tables: ['orders'] }),
      );
      assert.match(unpublished.message, /silver\.orders\.shipping_speed/);
    });
  });

  test('a declaration with faults is refused with all of them', () => {
    assert.throws(
      () =>
        defineTransform({
          name: 'broken',
          inputs: { orders: { columns: { order_id: 'string' }, date: 'order_date' } },
          partitionKey: 'day',
          primaryKey: ['id'],
          columns: [
            { name: 'day', type: 'string' },
            { name: 'ingest_dt', type: 'date' },
          ],
          run: ({ orders }) => orders,
        }),
      /ingest_dt is added by the build.*primary key id is no column.*partition key day is no column of type date.*day from order_date, which it does not read/,
    );
  });

  test('a table without declared columns is read in the types that the transform asks for', async () => {
    await withLake(async (lake, session) => {
      const orders = (at: string) =>
        `SELECT 'o1' AS order_id, '${at}' AS order_date, 'two-day' AS shipping_speed, 45.1::DOUBLE AS shipping_cost, 40.05::DOUBLE AS actual_shipping_cost, DATE '2025-10-02' AS ingestion_dt`;
      await lake.publishTables('silver', { orders: orders('2025-10-01T23:30:00-02:00') });
      const spec = specOf(await loadBuiltin('int_shipping_economics'));
      const staged = await lake.build(spec, '2025-10-02');
      // 23:30 two hours west of UTC is the next day there.
      assert.deepEqual(values(staged.partitions), ['2025-10-02']);
      const row = await session.one(
        `SELECT shipping_margin::VARCHAR AS margin FROM (${await lake.published(spec.name)})`,
      );
      assert.equal(row.margin, '5.05');
      await lake.publishTables('silver', { orders: orders('yesterday') });
      const failure = await fails(lake.build(spec, '2025-10-02'));
      assert.equal(failure.code, 'transform_failed');
      assert.match(
        failure.message,
        /int_shipping_economics cannot read orders.*yesterday.*Declare the columns of orders/s,
      );
    });
  });

  test('a column that files from before it lack is null there', async () => {
    await withEngine(async (session, folder) => {
      const path = join(folder, 'old.parquet');
      await session.run(`COPY (SELECT 'o1' AS order_id) TO '${path}' (FORMAT parquet)`);
      const input: InputDefinition = { columns: { order_id: 'string', amount: 'int64' }, date: null };
      const columns = [
        { name: 'order_id', type: 'string' },
        { name: 'amount', type: 'int64' },
      ] as const;
      assert.deepEqual(await session.rows(`SELECT * FROM ${relation(input, { columns, paths: [path] })}`), [
        { order_id: 'o1', amount: null },
      ]);
    });
  });

  test('an optional input that the pipeline lacks is empty, and the log says so', async () => {
    await withLake(async (lake, session) => {
      await lake.publishTables('silver', {
        shopping_carts:
          "SELECT 'k1' AS cart_id, 'c1' AS customer_id, TIMESTAMPTZ '2025-10-01 12:00:00+00' AS created_at, 5::DECIMAL(18,2) AS cart_total, DATE '2025-10-01' AS ingestion_dt",
        orders:
          "SELECT 'o1' AS order_id, 'c2' AS customer_id, TIMESTAMPTZ '2025-10-01 12:00:00+00' AS order_date, DATE '2025-10-01' AS ingestion_dt",
      });
      // As the seed's own spec names it: without int_, without keys.
      const spec = {
        ...specOf(await loadBuiltin('cart_attribution')),
        name: 'cart_attribution',
        partitionKey: '',
        primaryKey: [],
      };
      await lake.build(spec, '2025-10-01');
      const row = await session.one(
        `SELECT cart_status, item_count, cart_channel FROM (${await lake.published('cart_attribution')})`,
      );
      assert.deepEqual(row, { cart_status: 'abandoned', item_count: 0, cart_channel: 'unknown' });
      assert.ok(lake.notes.some((note) => note.startsWith('cart_items is not in this pipeline')));
    });
  });
});

describe('a transform of a user', () => {
  test('is a module beside the spec, found by its path, and may read another transform’s output', async () => {
    await withLake(async (lake, session, folder) => {
      await publishOrders(lake, FIRST);
      await lake.build(spec, '2025-10-04', withTwoDaySums);
      await mkdir(join(folder, 'specs/test'), { recursive: true });
      const path = join(folder, 'specs/test/doubled.ts');
      const text = (factor: number) => `
        import { defineTransform } from 'assay';
        import pl, { type Expr } from 'nodejs-polars';
        const factor: Expr = pl.lit(${factor}).cast(pl.Int64);
        export default defineTransform({
          name: 'doubled',
          inputs: { two_day_sums: { columns: { day: 'date', amount: 'int64' }, date: 'day' } },
          partitionKey: 'day',
          primaryKey: ['day'],
          columns: [{ name: 'day', type: 'date' }, { name: 'amount', type: 'int64' }],
          run: ({ two_day_sums }) => two_day_sums.withColumns(pl.col('amount').mul(factor)),
        });`;
      await writeFile(path, text(2));
      const user: TransformSpec = { ...spec, name: 'doubled', implementation: { kind: 'file', path: 'doubled.ts' } };
      assert.deepEqual(values((await lake.build(user, '2025-10-04')).partitions), [
        '2025-10-01',
        '2025-10-02',
        '2025-10-04',
      ]);
      const amounts = async () =>
        (await session.rows(`SELECT amount FROM (${await lake.published('doubled')}) ORDER BY day`)).map(
          (row) => row.amount,
        );
      assert.deepEqual(await amounts(), [20, 60, 80]);
      assert.equal((await lake.build(user, '2025-10-04')).unchanged, true);
      await writeFile(path, text(3));
      await lake.build(user, '2025-10-04');
      assert.deepEqual(await amounts(), [30, 90, 120]);

      // In one run: the other table is staged, not yet published.
      await publishOrders(lake, [...FIRST, ['o5', '2025-10-05', '2025-10-05', 50]]);
      const upstream = await lake.stage(spec, '2025-10-05', withTwoDaySums);
      const staged = await lake.stage(user, '2025-10-05', { outputs: { sums: { kind: 'staged', staged: upstream } } });
      assert.deepEqual(values(staged.partitions), ['2025-10-05']);
    });
  });

  test('a module that is missing, broken or no transform is named', async () => {
    await withLake(async (lake, _session, folder) => {
      await publishOrders(lake, FIRST);
      await mkdir(join(folder, 'specs/test'), { recursive: true });
      await writeFile(join(folder, 'specs/test/broken.ts'), 'export default {');
      await writeFile(join(folder, 'specs/test/other.ts'), 'export default { name: 1 };');
      const failure = (path: string) =>
        fails(lake.build({ ...spec, implementation: { kind: 'file', path } }, '2025-10-04'));
      for (const [path, message] of [
        ['missing.ts', /missing\.ts cannot be read/],
        ['broken.ts', /broken\.ts does not load/],
        ['other.ts', /other\.ts has no transform as its default export/],
      ] as const) {
        const { code, message: text } = await failure(path);
        assert.equal(code, 'transform_invalid');
        assert.match(text, message);
      }
      const unknown = await fails(
        lake.build({ ...spec, implementation: { kind: 'builtin', name: 'int_sales_velocty' } }, '2025-10-04'),
      );
      assert.match(unknown.message, /no built-in transform int_sales_velocty; did you mean int_sales_velocity/);
    });
  });
});
