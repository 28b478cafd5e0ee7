/** Figures per product on lines written by hand: stock at risk, daily performance, velocity. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runBuiltin, type TestRow, type TextRow } from '../fixtures-support/enriched-tables.ts';

const RUN_DATE = '2025-10-31';

const orderOn = (order_id: string, order_date: string): TestRow => ({ order_id, order_date });

describe('int_inventory_risk', () => {
  const risk = (
    product_catalog: readonly TestRow[],
    sold: readonly (readonly [number, number])[],
    returned: readonly (readonly [number, number])[] = [],
  ): Promise<readonly TextRow[]> =>
    runBuiltin(
      'int_inventory_risk',
      {
        product_catalog,
        orders: [orderOn('o1', '2025-10-01 10:00:00')],
        order_items: sold.map(([product_id, quantity]) => ({ order_id: 'o1', product_id, quantity })),
        return_items: returned.map(([product_id, quantity_returned]) => ({
          return_id: 'r1',
          product_id,
          quantity_returned,
          ingestion_dt: '2025-10-05',
        })),
      },
      { runDate: RUN_DATE },
    );
  const product = (
    product_id: number,
    inventory_quantity: number | null,
    cost_price: string | null = '2.50',
  ): TestRow => ({
    product_id,
    inventory_quantity,
    cost_price,
  });

  test('the score is sales per stock plus returns per sale, at most 1, and decides the tier', async () => {
    const rows = await risk(
      [product(1, 100), product(2, 100), product(3, 100), product(4, 100), product(5, 3)],
      [
        [1, 80],
        [2, 50],
        [3, 49],
        [4, 90],
        [5, 1],
      ],
      [[4, 45]],
    );
    assert.deepEqual(
      rows.map((row) => [row.utilization_ratio, row.return_signal, row.attention_score, row.risk_tier]),
      [
        ['0.800000', '0.000000', '0.800000', 'HIGH'],
        ['0.500000', '0.000000', '0.500000', 'MODERATE'],
        ['0.490000', '0.000000', '0.490000', 'HEALTHY'],
        ['0.900000', '0.500000', '1.000000', 'HIGH'],
        ['0.333333', '0.000000', '0.333333', 'HEALTHY'],
      ],
    );
  });

  test('a product without stock, sales or cost has zeros, and is there', async () => {
    const rows = await risk([product(1, null, null), product(2, 0), product(3, 7)], [[2, 5]], [[3, 4]]);
    assert.deepEqual(
      rows.map((row) => [
        row.sales_volume,
        row.return_volume,
        row.inventory_quantity,
        row.locked_capital,
        row.attention_score,
      ]),
      [
        ['0', '0', '0', '0.00', '0.000000'],
        ['5', '0', '0', '0.00', '0.000000'],
        ['0', '4', '7', '17.50', '0.000000'],
      ],
    );
  });

  test('a line counts from its order’s day on, not from the day it arrived', async () => {
    const rows = await runBuiltin(
      'int_inventory_risk',
      {
        product_catalog: [product(1, 10)],
        orders: [orderOn('o1', '2025-10-31 23:59:59'), orderOn('o2', '2025-11-01 00:00:00')],
        order_items: [
          { order_id: 'o1', product_id: 1, quantity: 1, ingestion_dt: '2025-11-05' },
          { order_id: 'o2', product_id: 1, quantity: 10, ingestion_dt: '2025-10-01' },
          { order_id: 'gone', product_id: 1, quantity: 100, ingestion_dt: '2025-10-31' },
        ],
      },
      { runDate: RUN_DATE },
    );
    assert.equal(rows[0]?.sales_volume, '101');
  });
});

describe('int_product_performance', () => {
  test('sales count on the order’s day, returns on the day of the order they undo, carts on the day of the line', async () => {
    const rows = await runBuiltin('int_product_performance', {
      product_catalog: [
        {
          product_id: 1,
          product_name: 'Lamp',
          category: 'Home',
          unit_price: '10.00',
          cost_price: '6.00',
          inventory_quantity: 9,
        },
      ],
      orders: [orderOn('o1', '2025-10-05 23:00:00')],
      returns: [{ return_id: 'r2', return_date: '2025-10-20 00:00:00' }],
      order_items: [
        {
          order_id: 'o1',
          product_id: 1,
          quantity: 3,
          unit_price: '10.00',
          cost_price: '5.50',
          ingestion_dt: '2025-10-06',
        },
        {
          order_id: 'o1',
          product_id: 1,
          quantity: 1,
          unit_price: '9.99',
          cost_price: null,
          ingestion_dt: '2025-10-06',
        },
      ],
      return_items: [
        {
          return_id: 'r1',
          order_id: 'o1',
          product_id: 1,
          quantity_returned: 1,
          refunded_amount: '10.00',
          ingestion_dt: '2025-10-09',
        },
        {
          return_id: 'r2',
          order_id: 'gone',
          product_id: 1,
          quantity_returned: 2,
          refunded_amount: '4.00',
          ingestion_dt: '2025-10-21',
        },
        {
          return_id: 'gone',
          order_id: 'gone',
          product_id: 1,
          quantity_returned: 1,
          refunded_amount: null,
          ingestion_dt: '2025-10-22',
        },
      ],
      cart_items: [
        { product_id: 1, quantity: 5, added_at: '2025-10-05 09:00:00', ingestion_dt: '2025-10-07' },
        { product_id: 1, quantity: 7, added_at: null, ingestion_dt: '2025-10-07' },
      ],
    });
    assert.deepEqual(
      rows.map((row) => [row.product_dt, row.units_sold, row.units_returned, row.units_in_carts, row.refunded_amount]),
      [
        ['2025-10-05', '4', '1', '5', '10.00'],
        ['2025-10-07', '0', '0', '7', '0.00'],
        ['2025-10-20', '0', '2', '0', '4.00'],
        ['2025-10-22', '0', '1', '0', '0.00'],
      ],
    );
    // Margin: 3 × (10.00 − 5.50) + 1 × (9.99 − 6.00 from the catalog) = 17.49.
    const [first, second, third] = rows;
    assert.deepEqual(
      [first?.gross_revenue, first?.net_revenue, first?.gross_margin, first?.gross_profit, first?.net_margin],
      ['39.99', '29.99', '17.49', '17.49', '7.49'],
    );
    // 1 / 4, 4 / max(5, 4), 7.49 / 39.99 = 0.18729682…
    assert.deepEqual(
      [first?.return_rate, first?.cart_to_order_rate, first?.margin_pct],
      ['0.250000', '0.800000', '0.187297'],
    );
    assert.deepEqual([second?.return_rate, second?.cart_to_order_rate, second?.margin_pct], [null, '0.000000', null]);
    assert.deepEqual([third?.return_rate, third?.cart_to_order_rate, third?.net_margin], [null, null, '-4.00']);
    assert.deepEqual(
      [
        first?.product_name,
        first?.category,
        first?.catalog_unit_price,
        first?.catalog_cost_price,
        first?.inventory_quantity,
      ],
      ['Lamp', 'Home', '10.00', '6.00', '9'],
    );
  });

  test('rates are capped at 1 unless capping is off', async () => {
    const tables = {
      product_catalog: [{ product_id: 1 }],
      order_items: [{ order_id: 'o1', product_id: 1, quantity: 2, unit_price: '1.00', ingestion_dt: '2025-10-05' }],
      return_items: [
        { return_id: 'r1', order_id: 'o1', product_id: 1, quantity_returned: 3, ingestion_dt: '2025-10-05' },
      ],
    };
    const [capped] = await runBuiltin('int_product_performance', tables);
    assert.equal(capped?.return_rate, '1.000000');
    const [open] = await runBuiltin('int_product_performance', tables, {
      runDate: RUN_DATE,
      params: { rate_cap_enabled: false },
    });
    assert.equal(open?.return_rate, '1.500000');
  });

  test('a product that the catalog lacks keeps its figures; a line of unknown cost adds no margin', async () => {
    const [row] = await runBuiltin('int_product_performance', {
      product_catalog: [],
      order_items: [{ order_id: 'o1', product_id: 8, quantity: 2, unit_price: '5.00', ingestion_dt: '2025-10-05' }],
    });
    assert.deepEqual(
      [row?.product_id, row?.product_name, row?.gross_revenue, row?.gross_margin],
      ['8', null, '10.00', '0.00'],
    );
  });
});

describe('int_sales_velocity', () => {
  const velocity = (
    sales: readonly (readonly [number, string, number])[],
    params: { readonly [name: string]: number } = {},
  ): Promise<readonly TextRow[]> =>
    runBuiltin(
      'int_sales_velocity',
      {
        orders: sales.map(([, day], index) => orderOn(`o${index}`, `${day} 12:00:00`)),
        order_items: sales.map(([product_id, , quantity], index) => ({ order_id: `o${index}`, product_id, quantity })),
      },
      { runDate: RUN_DATE, params },
    );

  test('the window is seven calendar days of the product, with gaps', async () => {
    const rows = await velocity([
      [1, '2025-10-01', 10],
      [1, '2025-10-01', 2],
      [1, '2025-10-05', 20],
      [1, '2025-10-07', 1],
      [1, '2025-10-08', 40],
      [1, '2025-10-20', 50],
      [2, '2025-10-07', 999],
    ]);
    assert.deepEqual(
      rows.map((row) => [row.product_id, row.order_dt, row.daily_quantity, row.velocity_avg, row.trend_signal]),
      [
        ['1', '2025-10-01', '12', '12.000000', 'STABLE'],
        ['1', '2025-10-05', '20', '16.000000', 'UP'],
        ['1', '2025-10-07', '1', '11.000000', 'DOWN'],
        // 10-01 has left the window: (20 + 1 + 40) / 3.
        ['1', '2025-10-08', '40', '20.333333', 'UP'],
        ['1', '2025-10-20', '50', '50.000000', 'STABLE'],
        ['2', '2025-10-07', '999', '999.000000', 'STABLE'],
      ],
    );
  });

  test('exactly 1.2 and 0.8 times the mean is still stable', async () => {
    // (8 + 12) / 2 = 10: the second day is 1.2 times it. (12 + 8) / 2 = 10: 0.8 times.
    const up = await velocity([
      [1, '2025-10-01', 8],
      [1, '2025-10-02', 12],
      [2, '2025-10-01', 12],
      [2, '2025-10-02', 8],
    ]);
    assert.deepEqual(
      up.map((row) => row.trend_signal),
      ['STABLE', 'STABLE', 'STABLE', 'STABLE'],
    );
  });

  test('the window’s length is a parameter', async () => {
    const rows = await velocity(
      [
        [1, '2025-10-01', 10],
        [1, '2025-10-02', 20],
        [1, '2025-10-03', 30],
      ],
      { sales_velocity_window_days: 2 },
    );
    assert.deepEqual(
      rows.map((row) => row.velocity_avg),
      ['10.000000', '15.000000', '25.000000'],
    );
  });
});
