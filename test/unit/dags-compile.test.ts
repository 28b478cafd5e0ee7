/** Spec -> Dags: groups, edges, what single tasks cover, the DAG of a spec that has none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CycleError } from '../../core/errors.ts';
import type { Dag, Task } from '../../core/types.ts';
import { compileDags } from '../../dags/compile-dag.ts';
import { SHOP, type SpecTexts, specOf } from '../fixtures-support/spec-folder.ts';

async function compiled(texts: SpecTexts, id?: string): Promise<Dag> {
  const dags = compileDags(await specOf(texts));
  const dag = id === undefined ? dags[0] : dags.find((candidate) => candidate.id === id);
  assert.ok(dag);
  return dag;
}

function taskOf(dag: Dag, id: string): Task {
  const task = dag.tasks.find((candidate) => candidate.id === id);
  assert.ok(task, `${dag.id} has no task ${id}: ${dag.tasks.map((candidate) => candidate.id).join(', ')}`);
  return task;
}

const ids = (dag: Dag) => dag.tasks.map((task) => task.id);

/** orders needs customers, lines needs orders. */
const THREE_TABLES = `${SHOP}    - name: lines
      primary_key: [order_id]
      foreign_keys: [{column: order_id, references: orders.order_id}]
`;

const dag = (...tasks: readonly string[]) =>
  `dags:\n  - id: daily\n    tasks:\n${tasks.map((task) => `      - ${task}\n`).join('')}`;

describe('a group', () => {
  test('has one task a table, ordered by foreign keys; before and after it wait all or for all', async () => {
    const tasks = ['{id: first, kind: empty}', '{id: base, kind: build, layer: silver}', '{id: last, kind: empty}'];
    const daily = await compiled({ 'shop.yml': THREE_TABLES, 'dag.yml': dag(...tasks) });
    assert.deepEqual(
      daily.tasks.map((task) => [task.id, task.group, task.tables, task.upstream]),
      [
        ['first', null, [], []],
        ['base.customers', 'base', ['customers'], ['first']],
        ['base.orders', 'base', ['orders'], ['first', 'base.customers']],
        ['base.lines', 'base', ['lines'], ['first', 'base.orders']],
        ['last', null, [], ['base.customers', 'base.orders', 'base.lines']],
      ],
    );
  });

  test('keeps only edges between its members', async () => {
    const daily = await compiled({
      'shop.yml': THREE_TABLES,
      'dag.yml': dag('{id: base, kind: build, layer: silver, except: [orders]}'),
    });
    assert.deepEqual(
      daily.tasks.map((task) => [task.id, task.upstream]),
      [
        ['base.customers', []],
        ['base.lines', []],
      ],
    );
  });

  test('of one table is a group as well', async () => {
    const daily = await compiled({
      'shop.yml': SHOP,
      'dag.yml': dag('{id: base, kind: build, layer: silver, tables: [orders]}'),
    });
    assert.deepEqual(ids(daily), ['base.orders']);
  });

  test('whose table refers to itself does not wait for itself', async () => {
    const text =
      'base_silver: {tables: [{name: staff, primary_key: [id], foreign_keys: [{column: boss, references: staff.id}]}]}\n';
    const daily = await compiled({ 'shop.yml': text, 'dag.yml': dag('{id: base, kind: build, layer: silver}') });
    assert.deepEqual(taskOf(daily, 'base.staff').upstream, []);
  });

  test('without members passes on what it waits for', async () => {
    const tasks = ['{id: first, kind: empty}', '{id: none, kind: build, layer: dims}', '{id: last, kind: empty}'];
    const daily = await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(...tasks) });
    assert.deepEqual(taskOf(daily, 'last').upstream, ['first']);
  });

  test('can be waited for by one member', async () => {
    const tasks = ['{id: base, kind: build, layer: silver}', '{id: early, kind: empty, depends_on: [base.customers]}'];
    const daily = await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(...tasks) });
    assert.deepEqual(taskOf(daily, 'early').upstream, ['base.customers']);
  });

  test('of transforms is ordered by their inputs', async () => {
    const text = `${SHOP}enriched_silver:
  transforms:
    - {name: late, file: ./late.ts, depends_on: [early], partition_key: d, primary_key: [d]}
    - {name: early, file: ./early.ts, depends_on: [orders], partition_key: d, primary_key: [d]}
`;
    const texts = {
      'shop.yml': text,
      'late.ts': '',
      'early.ts': '',
      'dag.yml': dag('{id: e, kind: build, layer: enriched}'),
    };
    const daily = await compiled(texts);
    assert.deepEqual(
      daily.tasks.map((task) => [task.id, task.upstream]),
      [
        ['e.early', []],
        ['e.late', ['e.early']],
      ],
    );
  });
});

describe('a single task', () => {
  const tasks = [
    '{id: pin, kind: pin, layer: bronze}',
    '{id: base, kind: build, layer: silver, tables: [customers]}',
    '{id: check, kind: validate, layer: silver}',
    '{id: out, kind: publish, layer: silver}',
  ];

  test('that publishes covers what is built before it, one that pins bronze what is used after it', async () => {
    const daily = await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(...tasks) });
    assert.deepEqual(taskOf(daily, 'pin').tables, ['customers']);
    assert.deepEqual(taskOf(daily, 'out').tables, ['customers']);
    assert.deepEqual(taskOf(daily, 'check').tables, ['customers', 'orders']);
  });

  test('takes retry, timeout and trigger rule from its own line, and no others', async () => {
    const line = '{id: a, kind: empty, retry: {retries: 5, delay: 30s}, timeout: 2h, trigger_rule: all_done}';
    const { retry, timeoutMs, triggerRule } = taskOf(await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(line) }), 'a');
    assert.deepEqual(retry, { retries: 5, delayMs: 30_000 });
    assert.equal(timeoutMs, 7_200_000);
    assert.equal(triggerRule, 'all_done');
  });

  test('goes through the warehouse one at a time where it touches it, else through the default pool', async () => {
    const texts = {
      'shop.yml': SHOP,
      'marts/m.sql':
        '/* @assay\ngrain: [n]\ncolumns: [{name: n, type: int64}]\n@assay */\nSELECT COUNT(*) AS n FROM silver.orders\n',
    };
    const pools = new Map((await compiled(texts)).tasks.map((task) => [task.id, task.pool]));
    const inWarehouse = [...pools].filter(([, pool]) => pool === 'warehouse').map(([id]) => id);
    assert.deepEqual(inWarehouse, ['load_warehouse.orders', 'build_gold.m', 'validate_gold', 'publish_gold']);
    assert.equal(pools.get('validate_silver'), 'default');
  });
});

describe('a load', () => {
  const mart =
    '/* @assay\ngrain: [n]\ncolumns: [{name: n, type: int64}]\n@assay */\nSELECT COUNT(*) AS n FROM silver.orders CROSS JOIN dims.customers\n';
  const enriched = `${SHOP}dims: [{name: customers}]
enriched_silver: {transforms: [{name: int_shipping_economics, depends_on: [orders]}]}
`;

  test('of the enriched layer also takes what marts read from silver and dims', async () => {
    const texts = {
      'shop.yml': enriched,
      'marts/m.sql': mart,
      'dag.yml': dag('{id: load, kind: load, layer: enriched}'),
    };
    assert.deepEqual(
      (await compiled(texts)).tasks.map((task) => [task.id, task.layer, task.tables]),
      [
        ['load.int_shipping_economics', 'enriched', ['int_shipping_economics']],
        ['load.dims.customers', 'dims', ['customers']],
        ['load.silver.orders', 'silver', ['orders']],
      ],
    );
  });

  test('leaves to another load of the DAG what that one takes', async () => {
    const loads = [
      '{id: load, kind: load, layer: enriched}',
      '{id: more, kind: load, layer: silver, tables: [orders]}',
    ];
    const texts = { 'shop.yml': enriched, 'marts/m.sql': mart, 'dag.yml': dag(...loads) };
    assert.deepEqual(ids(await compiled(texts)), ['load.int_shipping_economics', 'load.dims.customers', 'more.orders']);
  });
});

describe('a spec without DAGs', () => {
  test('gets one of its name that leaves out the layers it does not have', async () => {
    const shop = await compiled({ 'shop.yml': SHOP });
    assert.equal(shop.id, 'shop');
    assert.equal(shop.schedule, null);
    assert.deepEqual(ids(shop), [
      'pin_bronze',
      'validate_bronze',
      'build_silver.customers',
      'build_silver.orders',
      'validate_silver',
      'publish_silver',
    ]);
  });

  test('goes from bronze to gold where it has all layers', async () => {
    const texts = {
      'shop.yml': `${SHOP}dims: [{name: customers}]
enriched_silver: {transforms: [{name: int_shipping_economics, depends_on: [orders]}]}
`,
      'marts/m.sql':
        '/* @assay\ngrain: [n]\ncolumns: [{name: n, type: int64}]\n@assay */\nSELECT COUNT(*) AS n FROM enriched.int_shipping_economics\n',
    };
    const shop = await compiled(texts);
    assert.deepEqual(ids(shop).slice(6), [
      'build_dims.customers',
      'validate_dims',
      'publish_dims',
      'pin_dims',
      'build_enriched.int_shipping_economics',
      'validate_enriched',
      'publish_enriched',
      'should_load_warehouse',
      'load_warehouse.int_shipping_economics',
      'should_run_gold',
      'build_gold.m',
      'validate_gold',
      'publish_gold',
    ]);
    for (const [index, task] of shop.tasks.entries()) if (index > 0) assert.notDeepEqual(task.upstream, [], task.id);
  });

  test('and without tables gets none', async () => {
    assert.deepEqual(compileDags(await specOf({ 'shop.yml': 'owner: me\n' })), []);
  });
});

describe('a fingerprint', () => {
  const tasks = ['{id: base, kind: build, layer: silver}', '{id: out, kind: publish, layer: silver}'];

  test('changes with what a spec says', async () => {
    const before = await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(...tasks) });
    const after = await compiled({ 'shop.yml': SHOP.replace('(18,2)', '(18,3)'), 'dag.yml': dag(...tasks) });
    assert.notEqual(before.fingerprint, after.fingerprint);
  });

  test('does not change with comments, key order, quoting, line breaks or the file that a table stands in', async () => {
    const before = await compiled({ 'shop.yml': SHOP, 'dag.yml': dag(...tasks) });
    const rewritten = `# all tables
base_silver:
    tables:
        -   primary_key:
                - "customer_id"   # the key
            columns: [{required: true, name: customer_id}]
            name: customers

        -   name: 'orders'
            columns:
                -   {required: true, name: order_id}
                -   {required: true, name: customer_id}
                -   {type: timestamp, name: order_date}
                -   {type: "decimal(18, 2)", name: total}
            primary_key: [order_id]
            foreign_keys: [{references: customers.customer_id, column: customer_id}]
`;
    const after = await compiled({ 'tables/all.yml': rewritten, 'daily.yml': dag(...tasks) });
    assert.equal(after.fingerprint, before.fingerprint);
  });
});

test('a spec made by hand whose tasks form a circle is refused with the path', async () => {
  const spec = await specOf({ 'shop.yml': SHOP, 'dag.yml': dag('{id: a, kind: empty}', '{id: b, kind: empty}') });
  const [daily] = spec.dags;
  assert.ok(daily);
  const circular = {
    ...daily,
    tasks: daily.tasks.map((task) => (task.id === 'a' ? { ...task, dependsOn: ['b'] } : task)),
  };
  assert.throws(
    () => compileDags({ ...spec, dags: [circular] }),
    (thrown: unknown) => thrown instanceof CycleError && thrown.path.join() === 'a,b,a',
  );
});
