/** Dims, enriched tables and marts -> their own checks, and the names of reports. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Spec } from '../../core/spec.ts';
import type { Report, StagedTable } from '../../core/types.ts';
import { reportName } from '../../validation/report/report-name.ts';
import {
  checkSpec,
  columnSpec,
  columns,
  DAY,
  dimSpec,
  Lake,
  martSpec,
  ordersSpec,
  pinned,
  pipelineSpec,
  publication,
  resultOf,
  staged,
  transformSpec,
  validate,
} from './validation-lake.ts';

const NONE_FAILS = { failIf: { op: '>', value: 0, unit: 'rows' } } as const;

describe('dims', () => {
  const spec = pipelineSpec({
    tables: [
      ordersSpec({
        name: 'customers',
        primaryKey: ['customer_id'],
        columns: [
          columnSpec('customer_id', 'string', { required: true }),
          columnSpec('email', 'string', { required: true }),
        ],
      }),
    ],
    dims: [dimSpec('customers', { primaryKey: ['customer_id'] })],
  });
  const snapshot = (
    lake: Lake,
    day: string,
    query = `SELECT 'CUST-' || i AS customer_id, 'a@b.c' AS email FROM range(5) AS t(i)`,
  ) =>
    lake.stage(
      'dims',
      'customers',
      { [day]: `SELECT *, DATE '${day}' AS snapshot_dt FROM (${query})` },
      {
        columns: columns('customer_id string, email string, snapshot_dt date'),
        primaryKey: ['customer_id'],
        partitionKey: 'snapshot_dt',
      },
    );
  const judge = (
    lake: Lake,
    outputs: Parameters<typeof validate>[1]['outputs'],
    published: readonly StagedTable[] = [],
  ) =>
    validate(lake, {
      spec,
      layer: 'dims',
      tables: ['customers'],
      outputs,
      publications: published.length > 0 ? [publication('dims', 1, published)] : [],
    });

  test('a staged snapshot of the run’s date with unique keys passes', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, [staged(await snapshot(lake, DAY))]);
    assert.equal(report.name, 'DIMS_SNAPSHOT_QUALITY');
    assert.equal(report.decision.verdict, 'PASS');
    assert.equal(report.tables[0]?.account.output, 5);
  });

  test('a key twice, a null and rows of another date fail', async () => {
    await using lake = await Lake.open();
    const query = `SELECT * FROM (VALUES ('C-1', 'a@b.c'), ('C-1', 'a@b.c'), (NULL, 'x@y.z'), ('C-2', NULL)) AS t(customer_id, email)`;
    const bad = await snapshot(lake, DAY, query);
    const { report } = await judge(lake, [staged(bad)]);
    const failed = report.results.filter((result) => result.state === 'FAIL').map((result) => result.checkId);
    assert.deepEqual(failed, ['not_null_customer_id', 'not_null_email', 'pk_unique']);
    await lake.parquet(
      `lake/dims/customers/${DAY}.parquet`,
      `SELECT 'C-1' AS customer_id, 'a' AS email, DATE '2025-10-01' AS snapshot_dt`,
    );
    const moved = await judge(lake, [staged(bad)]);
    assert.equal(resultOf(moved.report, 'customers', 'partition_agrees').state, 'FAIL');
  });

  test('an empty snapshot fails', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, [
      staged(await snapshot(lake, DAY, `SELECT '' AS customer_id, '' AS email WHERE false`)),
    ]);
    assert.equal(resultOf(report, 'customers', 'snapshot_filled').state, 'FAIL');
  });

  test('without a build of this run the pinned publication is read: fresh passes, old fails, younger warns as bootstrap', async () => {
    await using lake = await Lake.open();
    const states: string[] = [];
    for (const day of [DAY, '2025-10-07', '2025-10-20']) {
      const { report } = await judge(lake, [pinned({}, { publications: { dims: 1 } })], [await snapshot(lake, day)]);
      states.push(
        `${resultOf(report, 'customers', 'snapshot_fresh').state} ${resultOf(report, 'customers', 'bootstrap').state}`,
      );
    }
    // Fresh within 24 hours of the run's date means the snapshot of that date.
    assert.deepEqual(states, ['PASS PASS', 'FAIL PASS', 'PASS WARN']);
  });

  test('no snapshot at all fails', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, [pinned({}, { publications: { dims: null } })]);
    assert.equal(resultOf(report, 'customers', 'snapshot_present').state, 'FAIL');
    assert.equal(report.decision.verdict, 'FAIL');
  });
});

describe('enriched', () => {
  const COLUMNS = columns(
    'order_id string, cart_id string, shipping_cost decimal(18,2), return_rate float64, order_dt date',
  );
  const rows = (values: string, day = DAY) =>
    `SELECT order_id, cart_id, cost::DECIMAL(18,2) AS shipping_cost, rate::DOUBLE AS return_rate, DATE '${day}' AS order_dt
     FROM (VALUES ${values}) AS t(order_id, cart_id, cost, rate)`;
  const shipping = transformSpec('int_shipping', {
    keyFields: ['order_id', 'cart_id'],
    checks: [checkSpec('cheap', { sql: 'shipping_cost > 100', ...NONE_FAILS })],
  });
  const stage = (lake: Lake, queries: { readonly [day: string]: string }, rest: Partial<StagedTable> = {}) =>
    lake.stage('enriched', 'int_shipping', queries, {
      columns: COLUMNS,
      primaryKey: ['order_id'],
      partitionKey: 'order_dt',
      ...rest,
    });
  const judge = (
    lake: Lake,
    table: StagedTable,
    spec: Partial<Spec> = {},
    published: readonly StagedTable[] = [],
  ): Promise<{ report: Report }> =>
    validate(lake, {
      spec: pipelineSpec({ transforms: [shipping], ...spec }),
      layer: 'enriched',
      tables: ['int_shipping'],
      outputs: [staged(table), pinned({}, { publications: { enriched: published.length > 0 ? 1 : null } })],
      publications: published.length > 0 ? [publication('enriched', 1, published)] : [],
    });

  test('negative amounts, rates beyond one, and offences of declared checks fail', async () => {
    await using lake = await Lake.open();
    const table = await stage(lake, {
      [DAY]: rows(`('O1', 'C1', -1, 0.5), ('O2', 'C2', 120, 1.5), ('O3', 'C3', 1, 'nan'::DOUBLE)`),
    });
    const { report } = await judge(lake, table);
    const failed = (id: string) => resultOf(report, 'int_shipping', id).failedRows;
    assert.deepEqual(
      ['non_negative_shipping_cost', 'rate_return_rate', 'finite_return_rate', 'cheap'].map(failed),
      [1, 2, 1, 1],
    );
  });

  test('a key field may lack values, and warns only where it lacks all', async () => {
    await using lake = await Lake.open();
    const some = await judge(lake, await stage(lake, { [DAY]: rows(`('O1', 'C1', 1, 0), ('O2', NULL, 1, 0)`) }));
    assert.equal(resultOf(some.report, 'int_shipping', 'key_field_cart_id').observed, '50.00 % null');
    assert.equal(some.report.decision.verdict, 'PASS');
    const all = await judge(lake, await stage(lake, { [DAY]: rows(`('O1', NULL::VARCHAR, 1, 0)`) }));
    assert.equal(resultOf(all.report, 'int_shipping', 'key_field_cart_id').state, 'WARN');
  });

  test('a key is unique over the whole table, but only within a day where each day is a snapshot', async () => {
    await using lake = await Lake.open();
    const old = await stage(lake, { '2025-10-07': rows(`('O1', 'C1', 1, 0)`, '2025-10-07') });
    const table = await stage(lake, { [DAY]: rows(`('O1', 'C1', 1, 0)`) });
    const days = await judge(lake, table, {}, [old]);
    assert.equal(resultOf(days.report, 'int_shipping', 'pk_unique').state, 'FAIL');
    const snapshots = await judge(lake, table, { transforms: [{ ...shipping, window: { kind: 'as_of' } }] }, [old]);
    assert.equal(resultOf(snapshots.report, 'int_shipping', 'pk_unique').state, 'PASS');
  });

  test('rows are compared with the day before, reported and not gated', async () => {
    await using lake = await Lake.open();
    const old = await stage(lake, { '2025-10-07': rows(`('A', 'C', 1, 0), ('B', 'C', 1, 0)`, '2025-10-07') });
    const { report } = await judge(lake, await stage(lake, { [DAY]: rows(`('O1', 'C1', 1, 0)`) }), {}, [old]);
    assert.equal(resultOf(report, 'int_shipping', 'volume').observed, '−50.00 % against 2025-10-07 (2 rows)');
    assert.equal(report.decision.verdict, 'PASS');
  });

  test('too few rows fail, none of no input is not evaluated, and a run date without rows warns', async () => {
    await using lake = await Lake.open();
    const other = await judge(lake, await stage(lake, { '2025-10-07': rows(`('O1', 'C1', 1, 0)`, '2025-10-07') }), {
      transforms: [{ ...shipping, minRows: 2 }],
    });
    assert.equal(resultOf(other.report, 'int_shipping', 'min_rows').state, 'FAIL');
    assert.equal(resultOf(other.report, 'int_shipping', 'run_date_partition').state, 'WARN');
    const none = await judge(lake, await stage(lake, {}));
    assert.equal(resultOf(none.report, 'int_shipping', 'min_rows').state, 'NOT EVALUATED');
    assert.equal(none.report.decision.verdict, 'WARN');
  });

  test('no row where an input has some is too few', async () => {
    await using lake = await Lake.open();
    const orders = await lake.stage(
      'silver',
      'orders',
      { '': "SELECT 'O1' AS order_id" },
      {
        columns: columns('order_id string'),
        primaryKey: ['order_id'],
      },
    );
    const { report } = await validate(lake, {
      spec: pipelineSpec({ transforms: [{ ...shipping, dependsOn: ['orders'] }] }),
      layer: 'enriched',
      tables: ['int_shipping'],
      outputs: [staged(await stage(lake, {}))],
      publications: [publication('silver', 1, [orders])],
    });
    assert.equal(resultOf(report, 'int_shipping', 'min_rows').state, 'FAIL');
  });

  test('columns that are new, gone or of another type are told', async () => {
    await using lake = await Lake.open();
    const before = await stage(
      lake,
      { [DAY]: rows(`('O1', 'C1', 1, 0)`) },
      {
        columns: columns(
          'order_id int64, colour string, order_dt date, shipping_cost decimal(18,2), return_rate float64',
        ),
      },
    );
    const { report } = await judge(lake, await stage(lake, { [DAY]: rows(`('O1', 'C1', 1, 0)`) }), {}, [before]);
    assert.equal(
      resultOf(report, 'int_shipping', 'schema_change').observed,
      'new cart_id (string), colour is gone, order_id is string, was int64',
    );
    const lying = await stage(
      lake,
      { [DAY]: rows(`('O1', 'C1', 1, 0)`) },
      {
        columns: columns('order_id string, cart_id int64, order_dt date, tax float64'),
      },
    );
    const wrong = await judge(lake, lying);
    assert.equal(
      resultOf(wrong.report, 'int_shipping', 'columns').observed,
      'cart_id is VARCHAR, expected int64, tax is missing',
    );
  });
});

describe('gold', () => {
  const mart = martSpec('fct_shipping', {
    grain: ['order_date', 'channel'],
    columns: [
      { name: 'order_date', type: 'date', description: '' },
      { name: 'channel', type: 'string', description: '' },
      { name: 'margin', type: 'decimal(18,2)', description: '' },
    ],
    checks: [checkSpec('in_window', { sql: 'order_date < @window_start or order_date >= @window_end', ...NONE_FAILS })],
  });
  const judge = async (lake: Lake, values: string) => {
    const query = `SELECT d::DATE AS order_date, channel, m::DECIMAL(18,2) AS margin FROM (VALUES ${values}) AS t(d, channel, m)`;
    const table = await lake.stage(
      'gold',
      'fct_shipping',
      { [DAY]: query },
      {
        columns: columns('order_date date, channel string, margin decimal(18,2)'),
        primaryKey: ['order_date', 'channel'],
        partitionKey: 'order_date',
      },
    );
    const { report } = await validate(lake, {
      spec: pipelineSpec({ marts: [mart] }),
      layer: 'gold',
      tables: ['fct_shipping'],
      outputs: [staged(table)],
    });
    return report;
  };

  test('a mart of unique grain in its window passes', async () => {
    await using lake = await Lake.open();
    const report = await judge(lake, `('${DAY}', 'web', 1), ('${DAY}', 'phone', 2)`);
    assert.equal(report.name, 'GOLD_QUALITY');
    assert.equal(report.decision.verdict, 'PASS');
  });

  test('a repeated or incomplete grain and rows outside the window fail', async () => {
    await using lake = await Lake.open();
    const report = await judge(
      lake,
      `('${DAY}', 'web', 1), ('${DAY}', 'web', 2), ('${DAY}', NULL, 2), ('2025-10-09', 'web', 3)`,
    );
    const failed = report.results.filter((result) => result.state === 'FAIL').map((result) => result.checkId);
    assert.deepEqual(failed, ['grain_unique', 'in_window', 'not_null_channel', 'partition_agrees']);
  });
});

test('a task over lookups alone has a report of its own name, in bronze and silver', () => {
  const dims = ['customers', 'product_catalog'];
  assert.equal(reportName('bronze', dims, dims), 'BRONZE_DIMS_QUALITY');
  assert.equal(reportName('silver', ['customers'], dims), 'SILVER_DIMS_QUALITY');
  assert.equal(reportName('silver', ['customers', 'orders'], dims), 'SILVER_QUALITY');
  assert.equal(reportName('bronze', ['orders'], []), 'BRONZE_QUALITY');
  assert.equal(reportName('dims', dims, dims), 'DIMS_SNAPSHOT_QUALITY');
});
