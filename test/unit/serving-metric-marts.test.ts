/** The metrics of the reference pipeline's marts: each figure against DuckDB's own SQL over the same rows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { MetricQuery } from '../../core/metric-query.ts';
import type { MartSpec } from '../../core/spec.ts';
import type { ColumnType } from '../../core/types.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { compileMetricQuery } from '../../serving/query/metric-sql.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import { queryRows } from '../fixtures-support/query-rows.ts';

/** By mart and measure: what it is, said a second time in another dialect. */
const FIGURES: { readonly [mart: string]: { readonly [measure: string]: string } } = {
  fct_daily_dashboard: {
    orders: 'sum(orders_count)',
    gross_revenue: 'sum(gross_revenue)',
    net_revenue: 'sum(net_revenue)',
    average_order_value: 'sum(net_revenue)::DOUBLE / nullif(sum(orders_count), 0)',
    orders_per_cart: 'sum(orders_count)::DOUBLE / nullif(sum(carts_created), 0)',
    returns_per_order: 'sum(returns_count)::DOUBLE / nullif(sum(orders_count), 0)',
    refunds: 'sum(refund_total)',
    days: 'count(DISTINCT metric_date)',
  },
  fct_finance_revenue: {
    gross_revenue: 'sum(gross_revenue)',
    net_revenue: 'sum(net_revenue)',
    discount_rate: '1 - sum(net_revenue)::DOUBLE / nullif(sum(gross_revenue), 0)',
    shipping_revenue: 'sum(shipping_revenue)',
    shipping_margin: 'sum(shipping_margin)',
  },
  fct_shipping_analysis: {
    orders: 'sum(orders)',
    shipping_revenue: 'sum(shipping_revenue)',
    shipping_cost: 'sum(shipping_cost)',
    shipping_margin: 'sum(shipping_margin)',
    shipping_margin_rate: 'sum(shipping_margin)::DOUBLE / nullif(sum(shipping_revenue), 0)',
  },
  fct_product_profitability: {
    units_sold: 'sum(units_sold)',
    units_returned: 'sum(units_returned)',
    gross_revenue: 'sum(gross_revenue)',
    net_revenue: 'sum(net_revenue)',
    net_margin: 'sum(net_margin)',
    margin_rate: 'sum(net_margin)::DOUBLE / nullif(sum(gross_revenue), 0)',
    return_rate: 'sum(units_returned)::DOUBLE / nullif(sum(units_sold), 0)',
    products: 'count(DISTINCT product_id)',
  },
  fct_cart_abandonment: {
    abandoned_carts: 'sum(abandoned_carts)',
    converted_carts: 'sum(converted_carts)',
    abandoned_value: 'sum(abandoned_value)',
    value_per_abandoned_cart: 'sum(abandoned_value)::DOUBLE / nullif(sum(abandoned_carts), 0)',
  },
  fct_marketing_attribution: {
    orders: 'sum(total_orders)',
    recovered_orders: 'sum(recovered_orders)',
    recovery_rate: 'sum(recovered_orders)::DOUBLE / nullif(sum(total_orders), 0)',
    abandoned_value: 'sum(abandoned_value)',
  },
  fct_customer_segments: {
    customers: 'sum(customer_count)',
    average_net_clv: 'sum(avg_net_clv::DOUBLE * customer_count) / nullif(sum(customer_count), 0)',
  },
};

const folder = mkdtempSync(join(tmpdir(), 'assay-test-'));
let session: DuckDbSession;
let lake: EnrichedLake;
let marts: readonly MartSpec[] = [];

/** 200 rows that differ in every column, over four months, some cells NULL, some counts 0. */
function rowsOf(mart: MartSpec): string {
  const cell = (type: ColumnType, index: number): string => {
    const mixed = `hash(i * 31 + ${index})`;
    switch (type) {
      case 'date':
        return `DATE '2025-01-01' + CAST(${mixed} % 120 AS INTEGER)`;
      case 'string':
        return `'word ' || (${mixed} % 4)`;
      case 'int64':
        return `${mixed} % 6`;
      default:
        return `(CAST(${mixed} % 100000 AS BIGINT) - 1000) / 100`;
    }
  };
  const columns = mart.columns.map(({ name, type }, index) => {
    const value = cell(type, index);
    const mayBeNull = type !== 'date' && type !== 'string';
    return `CAST(${mayBeNull ? `CASE WHEN hash(i + ${index}) % 11 = 0 THEN NULL ELSE ${value} END` : value} AS ${duckDbType(type)}) AS "${name}"`;
  });
  return `SELECT ${columns.join(', ')} FROM range(200) AS r(i)`;
}

before(async () => {
  session = await DuckDbSession.open({ threads: 1 });
  lake = new EnrichedLake(session, folder);
  const { spec } = readSpec({ root: packageRoot(), folder: 'specs/ecommerce', environment: 'local', env: {} });
  marts = spec.marts.filter(({ metrics }) => metrics !== null);
  const tables = Object.fromEntries(marts.map((mart) => [mart.name, rowsOf(mart)]));
  await lake.publishTables('gold', tables, (table) => {
    const mart = marts.find(({ name }) => name === table);
    return mart?.partitionKey ?? mart?.columns[0]?.name ?? '';
  });
  for (const mart of marts) await session.run(`CREATE TABLE ${mart.name} AS ${rowsOf(mart)}`);
});
after(async () => {
  await session.close();
  rmSync(folder, { recursive: true, force: true });
});

async function answer(words: Pick<MetricQuery, 'mart' | 'measures' | 'dimensions' | 'time'>) {
  const query = compileMetricQuery(marts, { filters: [], orderBy: [], limit: null, ...words });
  return queryRows({ publications: lake.publications, lake: lake.files, ...query, maxRows: 10_000, maxSeconds: 60 });
}

function assertSame(
  actual: readonly (readonly unknown[])[],
  expected: readonly (readonly unknown[])[],
  keys: number,
): void {
  assert.deepEqual(
    actual.map((row) => row.slice(0, keys)),
    expected.map((row) => row.slice(0, keys)),
  );
  for (const [index, row] of actual.entries()) {
    for (const [at, value] of row.entries()) {
      if (at < keys) continue;
      const other = expected[index]?.[at] ?? null;
      if (value === null || other === null) assert.equal(value, other);
      else assert.ok(Math.abs(Number(value) - Number(other)) < 1e-8, `${value} is not ${other}`);
    }
  }
}

describe('the reference marts', () => {
  test('all have metrics but the one that has a row for each product and day alone', () => {
    assert.deepEqual(marts.map(({ name }) => name).sort(), Object.keys(FIGURES).sort());
    for (const { name, metrics } of marts)
      assert.deepEqual(
        metrics?.measures.map((measure) => measure.name),
        Object.keys(FIGURES[name] ?? {}),
        name,
      );
  });

  for (const [name, figures] of Object.entries(FIGURES)) {
    test(`${name} gives the figures that SQL gives: in all, by month and dimension, by ISO week`, async () => {
      const mart = marts.find((candidate) => candidate.name === name) ?? assert.fail();
      const measures = Object.keys(figures);
      const selected = Object.values(figures).join(', ');
      const directly = async (sql: string): Promise<readonly (readonly unknown[])[]> =>
        (await session.rows(sql)).map((row) => Object.values(row));

      const total = await answer({ mart: name, measures, dimensions: [], time: null });
      assertSame(total.rows, await directly(`SELECT ${selected} FROM ${name}`), 0);

      const [dimension] = mart.metrics?.dimensions ?? [];
      const column = dimension?.sql.replaceAll('`', '"') ?? assert.fail();
      const { time = null } = mart.metrics ?? {};
      const by = await answer({
        mart: name,
        measures,
        dimensions: [dimension?.name ?? ''],
        time: time === null ? null : { grain: 'month' },
      });
      const groups = time === null ? [column] : [`CAST(strftime(${time}, '%Y-%m-01') AS DATE)`, column];
      const list = groups.map((_, index) => index + 1).join(', ');
      const ordered = groups.map((_, index) => `${index + 1} NULLS FIRST`).join(', ');
      const expected = await directly(
        `SELECT ${groups.join(', ')}, ${selected} FROM ${name} GROUP BY ${list} ORDER BY ${ordered}`,
      );
      assert.ok(expected.length > 3);
      assertSame(by.rows, expected, groups.length);

      if (time === null) return;
      const weekly = await answer({ mart: name, measures, dimensions: [], time: { grain: 'week' } });
      const monday = `${time} - CAST(isodow(${time}) - 1 AS INTEGER)`;
      assertSame(weekly.rows, await directly(`SELECT ${monday}, ${selected} FROM ${name} GROUP BY 1 ORDER BY 1`), 1);
    });
  }

  test('an English weekday groups the dashboard', async () => {
    const { rows } = await answer({
      mart: 'fct_daily_dashboard',
      measures: ['days'],
      dimensions: ['weekday'],
      time: null,
    });
    assert.deepEqual(
      rows.map(([day]) => day),
      ['Friday', 'Monday', 'Saturday', 'Sunday', 'Thursday', 'Tuesday', 'Wednesday'],
    );
  });
});
