/** The reference pipeline: its reason codes, its tasks, and that its transforms agree with their code. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { columnsOf } from '../../core/google-sql.ts';
import type { Spec } from '../../core/spec.ts';
import { BUILTIN_TRANSFORMS } from '../../dags/builtin-transforms.ts';
import { compileDags } from '../../dags/compile-dag.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { listSpecFolders } from '../../dags/spec-files.ts';
import { BUILTIN_TRANSFORM_NAMES, loadBuiltin } from '../../transforms/enriched/registry.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

const read = () => readSpec({ root: packageRoot(), folder: 'specs/ecommerce', environment: 'local', env: {} });

/** Every code that a row of the table can be quarantined or set aside for, without those of casts that bronze's own types rule out. */
function reasonsOf(spec: Spec, name: string): readonly string[] {
  const table = spec.tables.find((candidate) => candidate.name === name);
  assert.ok(table, name);
  const derived = table.columns.flatMap((column) => (column.missingReason === null ? [] : [column.missingReason]));
  const reasons = [
    ...derived,
    ...table.rules.map((rule) => rule.reason),
    ...table.foreignKeys.map((foreignKey) => foreignKey.reason),
    table.duplicateReason,
  ];
  return [...new Set(reasons)].sort();
}

describe('the reference pipeline', () => {
  test('is a folder of specs, valid, without a warning', async () => {
    assert.deepEqual(listSpecFolders(packageRoot()), ['specs/ecommerce']);
    assert.deepEqual(read().issues, []);
  });

  const REASONS: { readonly [table: string]: readonly string[] } = {
    orders: [
      'missing_order_id',
      'missing_customer_id',
      'invalid_order_date',
      'missing_gross_total',
      'missing_net_total',
      'negative_gross_total',
      'negative_net_total',
      'negative_discount',
      'net_exceeds_gross',
      'customer_fk_invalid',
      'duplicate_order_id',
    ],
    order_items: [
      'missing_order_id',
      'invalid_product_id',
      'invalid_quantity',
      'missing_unit_price',
      'negative_unit_price',
      'negative_discount',
      'negative_cost_price',
      'order_fk_invalid',
      'product_fk_invalid',
      'duplicate_order_product',
    ],
    customers: ['missing_customer_id', 'invalid_email', 'missing_signup_date', 'duplicate_customer_id'],
    product_catalog: [
      'invalid_product_id',
      'missing_product_name',
      'missing_unit_price',
      'negative_unit_price',
      'negative_cost_price',
      'negative_inventory',
      'unit_price_below_cost',
      'duplicate_product_id',
    ],
    shopping_carts: [
      'missing_cart_id',
      'missing_customer_id',
      'invalid_created_at',
      'negative_cart_total',
      'updated_before_created',
      'customer_fk_invalid',
      'duplicate_cart_id',
    ],
    cart_items: [
      'invalid_cart_item_id',
      'missing_cart_id',
      'invalid_product_id',
      'invalid_quantity',
      'missing_unit_price',
      'negative_unit_price',
      'cart_fk_invalid',
      'product_fk_invalid',
      'duplicate_cart_item_line',
    ],
    returns: [
      'missing_return_id',
      'missing_order_id',
      'missing_customer_id',
      'invalid_return_date',
      'negative_refunded_amount',
      'order_fk_invalid',
      'customer_fk_invalid',
      'duplicate_return_id',
    ],
    return_items: [
      'invalid_return_item_id',
      'missing_return_id',
      'missing_order_id',
      'invalid_product_id',
      'invalid_quantity_returned',
      'negative_unit_price',
      'negative_cost_price',
      'negative_refunded_amount',
      'return_fk_invalid',
      'order_fk_invalid',
      'product_fk_invalid',
      'duplicate_return_item_line',
    ],
  };
  for (const [table, reasons] of Object.entries(REASONS)) {
    test(`quarantines rows of ${table} under the known codes`, async () => {
      assert.deepEqual(reasonsOf(read().spec, table), [...reasons].sort());
    });
  }

  test('exempts guests from having a customer, and nothing else from anything', async () => {
    const { spec } = read();
    const foreignKeys = spec.tables.flatMap((table) =>
      table.foreignKeys.map((foreignKey) => ({ table: table.name, ...foreignKey })),
    );
    for (const { column, exempt, minIntegrity } of foreignKeys) {
      assert.equal(exempt, column === 'customer_id' ? 'GUEST-%' : null);
      assert.equal(minIntegrity, 0.99);
    }
    assert.deepEqual(foreignKeys.map(({ table, id }) => `${table}.${id}`).sort(), [
      'cart_items.fk_cart',
      'cart_items.fk_product',
      'order_items.fk_order',
      'order_items.fk_product',
      'orders.fk_customer',
      'return_items.fk_order',
      'return_items.fk_product',
      'return_items.fk_return',
      'returns.fk_customer',
      'returns.fk_order',
      'shopping_carts.fk_customer',
    ]);
  });

  test('compiles the refresh of the dims to eight steps', async () => {
    const dag = compileDags(read().spec).find((candidate) => candidate.id === 'ecom_dim_refresh_pipeline');
    assert.equal(dag?.schedule, null);
    assert.deepEqual(
      dag?.tasks.map((task) => task.id),
      [
        'setup_pipeline_config',
        'validate_bronze_dims',
        'refresh_dims.customers',
        'refresh_dims.product_catalog',
        'validate_refresh',
        'promote_refresh',
        'snapshot_dims.customers',
        'snapshot_dims.product_catalog',
        'validate_dims_snapshot',
        'publish_dims_latest',
      ],
    );
  });

  test('compiles the way to gold with all known task ids, each after what it needs', async () => {
    const { spec } = read();
    const dag = compileDags(spec).find((candidate) => candidate.id === 'ecom_silver_to_gold_pipeline');
    assert.ok(dag);
    assert.deepEqual(dag.schedule, { cron: '0 6 * * *', timezone: 'UTC', window: 'previous_day', catchup: 'none' });
    const facts = ['cart_items', 'order_items', 'orders', 'return_items', 'returns', 'shopping_carts'];
    const transforms = Object.keys(BUILTIN_TRANSFORMS);
    const expected = [
      'setup_pipeline_config',
      'dims_freshness_gate',
      'trigger_dim_refresh',
      'skip_dim_refresh',
      'dims_refresh_done',
      'validate_dims_quality',
      'validate_bronze_quality',
      ...facts.map((table) => `base_silver.${table}`),
      'validate_silver_quality',
      'promote_silver_base',
      ...transforms.map((name) => `enriched_silver.${name}`),
      'validate_enriched_quality',
      'promote_enriched',
      'should_load_bigquery',
      ...transforms.map((name) => `load_to_bigquery.${name}`),
      'should_run_gold',
      ...spec.marts.map((mart) => `gold_marts_build.${mart.name}`),
      'validate_gold_quality',
      'publish_gold',
    ];
    const ids = dag.tasks.map((task) => task.id);
    const loadedForMarts = ids.filter((id) => /^load_to_bigquery\.(silver|dims)\./.test(id));
    assert.deepEqual(ids.filter((id) => !loadedForMarts.includes(id)).sort(), expected.sort());

    const upstream = (id: string) => dag.tasks.find((task) => task.id === id)?.upstream;
    assert.deepEqual(
      upstream('base_silver.return_items'),
      ['validate_bronze_quality', 'base_silver.returns', 'base_silver.orders'].sort(
        (a, b) => ids.indexOf(a) - ids.indexOf(b),
      ),
    );
    assert.deepEqual(upstream('dims_refresh_done'), ['trigger_dim_refresh', 'skip_dim_refresh']);
    const published = dag.tasks.find((task) => task.id === 'promote_silver_base')?.tables;
    assert.deepEqual([...(published ?? [])].sort(), facts);
  });

  test('has the eight marts of the reference', async () => {
    const { spec } = read();
    assert.deepEqual(
      spec.marts.map((mart) => mart.name),
      [
        'fct_cart_abandonment',
        'fct_customer_segments',
        'fct_daily_dashboard',
        'fct_finance_revenue',
        'fct_marketing_attribution',
        'fct_product_profitability',
        'fct_sales_operations',
        'fct_shipping_analysis',
      ],
    );
  });
});

test('checks of enriched tables read columns that the transforms put out', async () => {
  for (const transform of read().spec.transforms) {
    const definition = await loadBuiltin(transform.name);
    const columns = new Set([...definition.columns.map((column) => column.name), 'ingest_dt']);
    for (const { id, column, sql } of transform.checks) {
      const read = [...(column === null ? [] : [column]), ...(sql === null ? [] : columnsOf(sql))];
      assert.ok(read.length > 0, id);
      for (const name of read) assert.ok(columns.has(name), `${transform.name}.${id}: ${name}`);
    }
  }
});

describe('what the scheduler knows of the built-in transforms', () => {
  test('is their names', () => {
    assert.deepEqual(Object.keys(BUILTIN_TRANSFORMS).sort(), [...BUILTIN_TRANSFORM_NAMES].sort());
  });

  for (const [name, known] of Object.entries(BUILTIN_TRANSFORMS)) {
    test(`of ${name} agrees with its code`, async () => {
      const definition = await loadBuiltin(name);
      const inputs = Object.entries(definition.inputs);
      assert.deepEqual(
        [...known.required].sort(),
        inputs
          .filter(([, input]) => !input.optional)
          .map(([input]) => input)
          .sort(),
      );
      assert.deepEqual(
        [...known.optional].sort(),
        inputs
          .filter(([, input]) => input.optional)
          .map(([input]) => input)
          .sort(),
      );
      assert.equal(known.partitionKey, definition.partitionKey);
      assert.deepEqual(known.primaryKey, definition.primaryKey);
      const params = definition.params ?? {};
      const window = typeof definition.window === 'function' ? definition.window(params) : definition.window;
      const { kind, ...days } = known.window({});
      assert.deepEqual(kind === 'as_of' ? 'as_of' : days, window);
      const columns = new Set([...definition.columns.map((column) => column.name), 'ingest_dt']);
      for (const column of [...known.primaryKey, ...known.keyFields]) assert.ok(columns.has(column), column);
    });
  }
});
