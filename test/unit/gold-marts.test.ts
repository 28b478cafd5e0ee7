/** The eight marts of the reference pipeline on hand-made enriched rows -> values worked out by hand. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { MartSpec } from '../../core/spec.ts';
import type { ColumnType } from '../../core/types.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { withGoldLake } from '../fixtures-support/gold-lake.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

/** A table as its columns and rows of SQL literals. */
interface Rows {
  readonly columns: { readonly [name: string]: ColumnType };
  readonly rows: readonly (readonly string[])[];
}

const MONEY: ColumnType = 'decimal(18,2)';
const RATE: ColumnType = 'decimal(18,6)';

function queryOf({ columns, rows }: Rows): string {
  const names = Object.keys(columns).map((name) => `"${name}"`);
  const casts = Object.entries(columns).map(([name, type]) => `CAST("${name}" AS ${duckDbType(type)}) AS "${name}"`);
  return `SELECT ${casts.join(', ')} FROM (VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}) AS t(${names.join(', ')})`;
}

const D1 = "'2025-03-01'";
const D2 = "'2025-03-02'";
const D4 = "'2025-03-04'";

const KEYS: { readonly [table: string]: string } = {
  int_regional_financials: 'order_dt',
  int_shipping_economics: 'order_dt',
  int_attributed_purchases: 'order_dt',
  int_cart_attribution: 'cart_dt',
  int_customer_retention_signals: 'ingest_dt',
  int_sales_velocity: 'order_dt',
  int_inventory_risk: 'ingest_dt',
  int_product_performance: 'product_dt',
  int_customer_lifetime_value: 'ingest_dt',
  int_daily_business_metrics: 'date',
};

const TABLES: { readonly [table: string]: Rows } = {
  int_regional_financials: {
    columns: { order_id: 'string', order_dt: 'date', order_channel: 'string', gross_total: MONEY, net_total: MONEY },
    rows: [
      ["'o1'", D1, "'web'", '100.00', '90.00'],
      ["'o2'", D1, "'web'", '50.10', '50.10'],
      ["'o3'", D1, "'phone'", '10.00', '9.99'],
      ["'o4'", D2, 'NULL', '7.00', '7.00'],
    ],
  },
  int_shipping_economics: {
    columns: {
      order_id: 'string',
      order_dt: 'date',
      order_channel: 'string',
      shipping_speed: 'string',
      shipping_cost: MONEY,
      actual_shipping_cost: MONEY,
      shipping_margin: MONEY,
      shipping_margin_pct: RATE,
    },
    rows: [
      ["'o1'", D1, "'web'", "'standard'", '5.00', '4.50', '0.50', '0.100000'],
      ["'o2'", D1, "'web'", "'standard'", '6.00', '4.00', '2.00', '0.333333'],
      ["'o3'", D1, "'phone'", "'overnight'", '0.00', '70.00', '-70.00', 'NULL'],
      ["'o4'", D2, 'NULL', "'standard'", '5.00', '5.10', '-0.10', '-0.020000'],
    ],
  },
  int_attributed_purchases: {
    columns: { order_id: 'string', order_dt: 'date', order_channel: 'string', is_recovered: 'bool' },
    rows: [
      ["'o1'", D1, "'web'", 'TRUE'],
      ["'o2'", D1, "'web'", 'FALSE'],
      ["'o3'", D1, "'phone'", 'FALSE'],
      ["'o4'", D2, 'NULL', 'TRUE'],
    ],
  },
  int_cart_attribution: {
    columns: {
      cart_id: 'string',
      cart_dt: 'date',
      cart_channel: 'string',
      cart_status: 'string',
      time_to_purchase_hours: 'int64',
      abandoned_value: MONEY,
    },
    rows: [
      ["'c1'", D1, "'web'", "'converted'", '1', 'NULL'],
      ["'c2'", D1, "'web'", "'converted'", '4', 'NULL'],
      ["'c3'", D1, "'web'", "'abandoned'", 'NULL', '20.00'],
      ["'c4'", D1, "'ebay'", "'abandoned'", 'NULL', '0.30'],
      ["'c5'", D1, "'ebay'", "'empty'", 'NULL', 'NULL'],
      ["'c6'", D2, "'unknown'", "'empty'", 'NULL', 'NULL'],
    ],
  },
  int_customer_retention_signals: {
    columns: { customer_id: 'string', ingest_dt: 'date', is_in_danger_zone: 'bool' },
    rows: [
      ["'k1'", D2, 'TRUE'],
      ["'k2'", D2, 'FALSE'],
      ["'k3'", D2, 'TRUE'],
    ],
  },
  int_sales_velocity: {
    columns: { product_id: 'int64', order_dt: 'date', velocity_avg: RATE, trend_signal: 'string' },
    rows: [
      ['1', D1, '3.000000', "'STABLE'"],
      ['2', D1, '1.000000', "'DOWN'"],
      ['1', D2, '3.500000', "'UP'"],
      ['1', D4, '2.000000', "'DOWN'"],
    ],
  },
  // Snapshots on the second and the third only: the first reads the second, the fourth has none.
  int_inventory_risk: {
    columns: { product_id: 'int64', ingest_dt: 'date', inventory_quantity: 'int64', risk_tier: 'string' },
    rows: [
      ['1', D2, '40', "'MODERATE'"],
      ['3', D2, '5', "'HIGH'"],
      ['1', "'2025-03-03'", '30', "'HEALTHY'"],
    ],
  },
  int_product_performance: {
    columns: {
      product_id: 'int64',
      product_dt: 'date',
      units_sold: 'int64',
      units_returned: 'int64',
      gross_revenue: MONEY,
      net_revenue: MONEY,
      gross_profit: MONEY,
      net_margin: MONEY,
      return_rate: RATE,
      margin_pct: RATE,
    },
    rows: [
      ['1', D1, '3', '1', '30.00', '20.00', '12.00', '2.00', '0.333333', '0.066667'],
      ['9', D1, '0', '0', '0.00', '0.00', '0.00', '0.00', 'NULL', 'NULL'],
      ['1', D2, '4', '0', '40.00', '40.00', '16.00', '16.00', '0.000000', '0.400000'],
    ],
  },
  int_customer_lifetime_value: {
    columns: {
      customer_id: 'string',
      ingest_dt: 'date',
      customer_segment: 'string',
      predicted_clv_bucket: 'string',
      actual_clv_bucket: 'string',
      net_clv: MONEY,
      avg_order_value: RATE,
      total_spent: MONEY,
    },
    rows: [
      ["'k1'", D1, "'whale'", "'high'", "'high_value'", '999.00', '999.000000', '999.00'],
      ["'k1'", D2, "'regular'", "'low'", "'low_value'", '10.00', '5.000000', '10.00'],
      ["'k2'", D2, "'regular'", "'low'", "'low_value'", '10.01', '5.005000', '20.02'],
      ["'k3'", D2, "'regular'", "'low'", "'low_value'", '0.00', '0.000000', '0.00'],
      ["'k4'", D2, "'one-timer'", 'NULL', "'medium_value'", '200.00', '200.000000', '200.00'],
    ],
  },
  int_daily_business_metrics: {
    columns: {
      date: 'date',
      orders_count: 'int64',
      gross_revenue: MONEY,
      net_revenue: MONEY,
      avg_order_value: RATE,
      carts_created: 'int64',
      cart_conversion_rate: RATE,
      returns_count: 'int64',
      return_rate: RATE,
      refund_total: MONEY,
      revenue_7d_avg: RATE,
      revenue_30d_avg: RATE,
      revenue_30d_std: RATE,
      revenue_anomaly_flag: 'string',
    },
    rows: [
      [
        D1,
        '3',
        '160.10',
        '150.09',
        '50.030000',
        '5',
        '0.600000',
        '1',
        '0.333333',
        '9.00',
        '150.090000',
        '150.090000',
        'NULL',
        "'NORMAL'",
      ],
    ],
  },
};

/** What every mart holds, as rows of text in the order of its columns. */
const EXPECTED: {
  readonly [mart: string]: { readonly columns: string; readonly rows: readonly (readonly (string | null)[])[] };
} = {
  fct_finance_revenue: {
    columns: 'order_date, order_channel, gross_revenue, net_revenue, shipping_revenue, shipping_cost, shipping_margin',
    rows: [
      ['2025-03-01', 'phone', '10.00', '9.99', '0.00', '70.00', '-70.00'],
      ['2025-03-01', 'web', '150.10', '140.10', '11.00', '8.50', '2.50'],
      ['2025-03-02', 'unknown', '7.00', '7.00', '5.00', '5.10', '-0.10'],
    ],
  },
  // Web, standard: (0.1 + 0.333333) / 2 = 0.2166665, away from zero 0.216667.
  fct_shipping_analysis: {
    columns:
      'order_date, order_channel, shipping_speed, orders, shipping_revenue, shipping_cost, shipping_margin, shipping_margin_pct',
    rows: [
      ['2025-03-01', 'phone', 'overnight', '1', '0.00', '70.00', '-70.00', null],
      ['2025-03-01', 'web', 'standard', '2', '11.00', '8.50', '2.50', '0.216667'],
      ['2025-03-02', 'unknown', 'standard', '1', '5.00', '5.10', '-0.10', '-0.020000'],
    ],
  },
  // Two of the three web carts were bought, after 1 and 4 hours.
  fct_cart_abandonment: {
    columns:
      'cart_date, channel, abandoned_carts, converted_carts, conversion_rate, abandoned_value, avg_time_to_purchase_hours',
    rows: [
      ['2025-03-01', 'ebay', '1', '0', '0.000000', '0.30', null],
      ['2025-03-01', 'web', '1', '2', '0.666667', '20.00', '2.500000'],
      ['2025-03-02', 'unknown', '0', '0', '0.000000', '0.00', null],
    ],
  },
  fct_marketing_attribution: {
    columns:
      'metric_date, channel, recovered_orders, total_orders, abandoned_carts, converted_carts, abandoned_value, avg_time_to_purchase_hours, at_risk_customers, total_customers',
    rows: [
      ['2025-03-01', 'ebay', '0', '0', '1', '0', '0.30', null, '0', '0'],
      ['2025-03-01', 'phone', '0', '1', '0', '0', '0.00', null, '0', '0'],
      ['2025-03-01', 'web', '1', '2', '1', '2', '20.00', '2.500000', '0', '0'],
      ['2025-03-02', 'all', '0', '0', '0', '0', '0.00', null, '2', '3'],
      ['2025-03-02', 'unknown', '1', '1', '0', '0', '0.00', null, '0', '0'],
    ],
  },
  fct_sales_operations: {
    columns:
      'order_date, product_id, sales_velocity_7d, trend_signal, inventory_quantity, inventory_risk_tier, gross_profit, net_margin, return_rate',
    rows: [
      ['2025-03-01', '1', '3.000000', 'STABLE', '40', 'MODERATE', '12.00', '2.00', '0.333333'],
      ['2025-03-01', '2', '1.000000', 'DOWN', null, null, null, null, null],
      ['2025-03-02', '1', '3.500000', 'UP', '40', 'MODERATE', '16.00', '16.00', '0.000000'],
      ['2025-03-04', '1', '2.000000', 'DOWN', null, null, null, null, null],
    ],
  },
  fct_product_profitability: {
    columns:
      'product_date, product_id, units_sold, units_returned, gross_revenue, net_revenue, gross_profit, net_margin, return_rate, margin_pct',
    rows: [
      ['2025-03-01', '1', '3', '1', '30.00', '20.00', '12.00', '2.00', '0.333333', '0.066667'],
      ['2025-03-01', '9', '0', '0', '0.00', '0.00', '0.00', '0.00', null, null],
      ['2025-03-02', '1', '4', '0', '40.00', '40.00', '16.00', '16.00', '0.000000', '0.400000'],
    ],
  },
  // The latest snapshot alone: 20.01 / 3, 10.005 / 3, 30.02 / 3.
  fct_customer_segments: {
    columns:
      'customer_segment, predicted_clv_bucket, actual_clv_bucket, customer_count, avg_net_clv, avg_order_value, avg_total_spent',
    rows: [
      ['one-timer', 'unknown', 'medium_value', '1', '200.000000', '200.000000', '200.000000'],
      ['regular', 'low', 'low_value', '3', '6.670000', '3.335000', '10.006667'],
    ],
  },
  fct_daily_dashboard: {
    columns:
      'metric_date, orders_count, gross_revenue, net_revenue, avg_order_value, carts_created, cart_conversion_rate, returns_count, return_rate, refund_total, revenue_7d_avg, revenue_30d_avg, revenue_30d_std, revenue_anomaly_flag',
    rows: [
      [
        '2025-03-01',
        '3',
        '160.10',
        '150.09',
        '50.030000',
        '5',
        '0.600000',
        '1',
        '0.333333',
        '9.00',
        '150.090000',
        '150.090000',
        null,
        'NORMAL',
      ],
    ],
  },
};

let marts: readonly MartSpec[] = [];

before(async () => {
  const { spec } = readSpec({ root: packageRoot(), folder: 'specs/ecommerce', environment: 'local', env: {} });
  marts = spec.marts;
});

describe('the marts of the reference pipeline', () => {
  test('are the eight of the seed, each with a grain, described columns and at least two checks', () => {
    assert.deepEqual(marts.map(({ name }) => name).sort(), Object.keys(EXPECTED).sort());
    for (const mart of marts) {
      assert.ok(mart.grain.length > 0, mart.name);
      assert.ok(mart.checks.length >= 2, mart.name);
      assert.ok(mart.description !== '', mart.name);
    }
  });

  for (const [name, expected] of Object.entries(EXPECTED)) {
    test(`${name} has the values worked out by hand, in the lake and in the warehouse`, async () => {
      const mart = marts.find((candidate) => candidate.name === name);
      assert.ok(mart);
      await withGoldLake([mart], async (gold) => {
        const inputs = Object.fromEntries(
          mart.inputs.map(({ table }) => [table, queryOf(TABLES[table] ?? { columns: {}, rows: [] })]),
        );
        await gold.lake.publishTables('enriched', inputs, (table) => KEYS[table] ?? '');
        await gold.run({ runDate: '2025-03-04', firstDay: '2025-03-01' });
        const order = mart.grain.map((column) => `"${column}"`).join(', ');
        assert.equal(mart.columns.map((column) => column.name).join(', '), expected.columns);
        const byDay = [...(mart.partitionKey ? [mart.partitionKey] : []), ...mart.grain].join(', ');
        assert.deepEqual(await gold.query(`SELECT ${expected.columns} FROM ${name} ORDER BY ${byDay}`), expected.rows);
        const warehouse = await gold.inWarehouse(
          `SELECT ${expected.columns} FROM gold.${name} ORDER BY ${mart.partitionKey ? `${mart.partitionKey}, ` : ''}${order}`,
        );
        assert.deepEqual(warehouse, expected.rows);
      });
    });
  }

  test('a shipping amount that is not known fails no check of its mart, which a strict gate would stop at', async () => {
    const mart = marts.find(({ name }) => name === 'fct_shipping_analysis');
    const shipping = TABLES.int_shipping_economics;
    assert.ok(mart && shipping);
    const rows = [
      ["'o1'", D1, "'web'", "'standard'", '5.00', '4.50', '0.50', '0.100000'],
      ["'o2'", D1, "'web'", "'standard'", '6.00', 'NULL', 'NULL', 'NULL'],
      ["'o3'", D2, "'web'", 'NULL', 'NULL', 'NULL', 'NULL', 'NULL'],
    ];
    await withGoldLake([mart], async (gold) => {
      await gold.lake.publishTables(
        'enriched',
        { int_shipping_economics: queryOf({ ...shipping, rows }) },
        () => 'order_dt',
      );
      await gold.run({ runDate: '2025-03-02', firstDay: '2025-03-01' });
      assert.deepEqual(
        await gold.query(
          `SELECT shipping_revenue, shipping_cost, shipping_margin FROM ${mart.name} ORDER BY order_date`,
        ),
        [
          ['11.00', '4.50', '0.50'],
          [null, null, null],
        ],
      );
      for (const check of mart.checks.filter(({ sql, failIf }) => sql !== null && failIf !== null)) {
        const offending = await gold.query(`SELECT count(*) FROM ${mart.name} WHERE ${check.sql}`);
        assert.deepEqual(offending, [['0']], check.id);
      }
    });
  });
});
