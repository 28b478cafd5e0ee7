/** What a reader of a faulty spec is told: all of it at once, each fault at its place. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SpecError } from '../../core/errors.ts';
import { ISSUE_CODES, IssueLog } from '../../dags/issue-log.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { parseYamlTree, treeValue } from '../../dags/yaml-tree.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import { brief, issuesOf, readTexts, SHOP } from '../fixtures-support/spec-folder.ts';

const FIVE_MISTAKES = `base_silver:
  tables:
    - name: customers
      primary_key: [customer_id]
      colums: []
    - name: orders
      primary_key: [order_idd]
      foreign_keys:
        - {column: customer_id, references: custmers.customer_id}
      columns:
        - {name: order_id}
        - {name: customer_id}
        - {name: total, type: decimals}
      rules:
        - {reason: negative_total, when: totl < 0}
`;

describe('a spec with faults', () => {
  test('gives one message for each of five different mistakes, each at its line and column', async () => {
    const issues = await issuesOf({ 'shop.yml': FIVE_MISTAKES });
    const errors = issues.filter((issue) => issue.severity === 'error');
    assert.deepEqual(brief(errors), [
      'error unknown_key shop.yml:5:7',
      'error unknown_column shop.yml:7:21',
      'error unknown_table shop.yml:9:45',
      'error unknown_type shop.yml:13:31',
      'error unknown_column shop.yml:15:42',
    ]);
    assert.deepEqual(
      errors.map((issue) => issue.hint),
      [
        'did you mean "columns"?',
        'did you mean "order_id"?',
        'did you mean "customers"?',
        null,
        'did you mean "total"?',
      ],
    );
    assert.equal(errors[2]?.lineText, '        - {column: customer_id, references: custmers.customer_id}');
    for (const issue of errors) assert.notEqual(issue.expected, '');
  });

  test('throws them together, counted in the message', async () => {
    await assert.rejects(readTexts({ 'shop.yml': FIVE_MISTAKES }), (thrown: unknown) => {
      assert.ok(thrown instanceof SpecError);
      assert.equal(thrown.code, 'spec_invalid');
      assert.match(thrown.message, /^5 faults in the spec; the first at specs\/shop\/shop\.yml:5:7: /);
      return true;
    });
  });

  test('is told about every file of the folder in one go, in the order of the files', async () => {
    const issues = await issuesOf({
      'b.yml': 'dims: [{name: nowhere}]\n',
      'a.yml': `${SHOP}ownr: me\n`,
      'tables/c.yml': 'base_silver: {tables: [{name: extra}]}\n',
    });
    assert.deepEqual(
      brief(issues).filter((line) => line.startsWith('error')),
      ['error unknown_key a.yml:16:1', 'error unknown_table b.yml:1:15', 'error missing_key tables/c.yml:1:24'],
    );
  });

  test('a misspelt key is one fault, not also a missing one', async () => {
    const issues = await issuesOf({
      'shop.yml': 'base_silver:\n  tables:\n    - name: orders\n      primry_key: [id]\n',
    });
    assert.deepEqual(brief(issues), ['info columns_from_bronze shop.yml:3:7', 'error unknown_key shop.yml:4:7']);
  });

  test('a name inside a part that could not be read is not called unknown', async () => {
    const issues = await issuesOf({
      'customers.yml': 'base_silver:\n  tables:\n    - name: "customers\n',
      'orders.yml': SHOP.replace(/ {4}- name: customers\n(?: {6}.*\n){3}/, ''),
    });
    assert.deepEqual([...new Set(brief(issues).map((line) => line.split(':')[0]))], ['error bad_yaml customers.yml']);
  });
});

describe('text that is no YAML', () => {
  const faults: readonly (readonly [string, string, string])[] = [
    ['a tab as indentation', 'pipeline: shop\nbase_silver:\n\ttables: []\n', 'error tab_indent shop.yml:3:1'],
    ['a key set twice', 'owner: a\npipeline: shop\nowner: b\n', 'error duplicate_key shop.yml:3:1'],
    ['an open quote', 'owner: "a\n', 'error bad_yaml shop.yml:2:1'],
    ['an alias of nothing', 'owner: *me\n', 'error bad_yaml shop.yml:1:8'],
    ['a list at the top', '- a\n- b\n', 'error not_a_mapping shop.yml:1:1'],
    ['a word alone', 'hello\n', 'error not_a_mapping shop.yml:1:1'],
    ['an empty file', '', 'error empty_file shop.yml:1:1'],
    ['comments alone', '# nothing yet\n', 'error empty_file shop.yml:1:1'],
    ['a second document', 'owner: a\n---\nowner: b\n', 'error bad_yaml shop.yml:2:1'],
    ['a bracket that is never closed', 'params: [a, b\nowner: c\ndescription: d\n', 'error bad_yaml shop.yml:2:1'],
    ['a value that begins like a list', 'owner: - a\nparams: {a: 1}\ndescription: }b\n', 'error bad_yaml shop.yml:1:8'],
    ['a number that loses digits', 'params: {big: 12345678901234567890}\n', 'error bad_value shop.yml:1:15'],
  ];
  for (const [what, text, expected] of faults) {
    test(`${what} is told with its place`, async () => {
      assert.deepEqual(brief(await issuesOf({ 'shop.yml': text })), [expected]);
    });
  }

  test('one fault is told once, however much of the text it leaves without a meaning', async () => {
    const issues = await issuesOf({ 'shop.yml': SHOP.replace('- name: ', '- name: "') });
    assert.deepEqual(brief(issues).length, 1, brief(issues).join('\n'));
  });

  test('every line that a tab indents is told, and nothing that follows from them', async () => {
    const text = 'base_silver:\n  tables:\n\t- name: a\n\t  columns: []\n';
    const codes = (await issuesOf({ 'shop.yml': text })).map(({ code, location }) => `${code} ${location.line}`);
    assert.deepEqual(codes, ['tab_indent 3', 'tab_indent 4']);
  });

  test('an alias inside its own anchor ends as a fault, not as a loop', async () => {
    assert.deepEqual(brief(await issuesOf({ 'shop.yml': 'params: &p {a: *p}\n' })), ['error bad_yaml shop.yml:1:16']);
  });

  test('an alias is of the last anchor of its name above it, wherever that stands', () => {
    const text = 'a: &v 1\nb: [*v, {c: &v 2}]\nd: &w {e: *v, f: &v 3}\ng: &v 4\nh: *w\ni: *v\n';
    const { tree, complete } = parseYamlTree(text, 'shop.yml', new IssueLog(new Map()));
    assert.ok(tree && complete);
    assert.deepEqual(treeValue(tree), { a: 1, b: [1, { c: 2 }], d: { e: 2, f: 3 }, g: 4, h: { e: 2, f: 3 }, i: 4 });
  });

  test('a file that is not UTF-8 is named, and the others are still read', async () => {
    const issues = await issuesOf({
      'a.yml': Buffer.from([...Buffer.from('orders: '), 0xff]),
      'b.yml': 'ownr: me\ndims: [{name: orders}]\n',
    });
    assert.deepEqual(brief(issues), ['error unreadable_file a.yml:1:1', 'error unknown_key b.yml:1:1']);
  });

  test('a folder without YAML says what it expects', async () => {
    const issues = await issuesOf({ 'readme.txt': 'hi' });
    assert.deepEqual(
      issues.map((issue) => issue.code),
      ['no_files'],
    );
  });
});

describe('the faults beyond shape', () => {
  const withShop = (text: string) => ({ 'shop.yml': SHOP, 'x.yml': text });
  const dag = (...tasks: string[]) =>
    `dags:\n  - id: daily\n    tasks:\n${tasks.map((task) => `      - ${task}\n`).join('')}`;
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'a value that is no choice',
      'base_silver: {tables: [{name: t, primary_key: [a], source: {format: parket}}]}\n',
      ['info columns_from_bronze x.yml:1:24', 'error bad_value x.yml:1:69'],
    ],
    [
      'a limit that cannot be read',
      `dims:\n  - name: orders\n    checks: [{id: c, column: total, not_null: true, fail_if: lots}]\n`,
      ['error bad_limit x.yml:3:62'],
    ],
    [
      'a check that measures nothing',
      'dims:\n  - name: orders\n    checks: [{id: c, column: total}]\n',
      ['error bad_check x.yml:3:14'],
    ],
    [
      'a check that measures two things',
      'dims:\n  - name: orders\n    checks: [{id: c, column: total, not_null: true, regex: a}]\n',
      ['error bad_check x.yml:3:14'],
    ],
    ['a time zone that does not exist', 'defaults: {timezone: Europe/Berlinn}\n', ['error bad_timezone x.yml:1:22']],
    ['an offset as time zone', 'defaults: {timezone: "+02:00"}\n', ['error bad_timezone x.yml:1:22']],
    [
      'a name with a space',
      'base_silver: {tables: [{name: my table, primary_key: [a]}]}\n',
      ['error bad_name x.yml:1:31'],
    ],
    ['a dim of no table', 'dims: [{name: order}]\n', ['error unknown_table x.yml:1:15']],
    [
      'a transform that is not built in',
      'enriched_silver:\n  transforms: [{name: cart_atribution, depends_on: [orders]}]\n',
      ['error unknown_transform x.yml:2:23'],
    ],
    [
      'an input that nobody declares',
      'enriched_silver:\n  transforms: [{name: shipping_economics, depends_on: [orders, ordes]}]\n',
      ['error unknown_table x.yml:2:64'],
    ],
    [
      'an input that the transform needs',
      'enriched_silver:\n  transforms: [{name: sales_velocity, depends_on: [orders]}]\n',
      ['error missing_input x.yml:2:51'],
    ],
    [
      'a module that is not there',
      'enriched_silver:\n  transforms: [{name: mine, file: ./mine.ts, depends_on: [orders], partition_key: d, primary_key: [d]}]\n',
      ['error missing_file x.yml:2:35'],
    ],
    [
      'a transform of your own without keys',
      'enriched_silver:\n  transforms:\n    - {name: mine, file: ./x.yml, depends_on: [orders]}\n',
      ['error missing_key x.yml:3:7', 'error missing_key x.yml:3:7', 'error bad_value x.yml:3:26'],
    ],
    ['a DAG without tasks', 'dags: [{id: daily}]\n', ['error missing_key x.yml:1:8']],
    ['a task of no kind', dag('{id: a}'), ['error missing_key x.yml:4:9']],
    ['a task of an unknown kind', dag('{id: a, kind: biuld, layer: silver}'), ['error bad_value x.yml:4:23']],
    ['a key of another kind', dag('{id: a, kind: empty, layer: silver}'), ['error bad_task x.yml:4:30']],
    ['a build without layer', dag('{id: a, kind: build}'), ['error missing_key x.yml:4:9']],
    ['a build of bronze', dag('{id: a, kind: build, layer: bronze}'), ['error bad_task x.yml:4:37']],
    [
      'a dependency on no task',
      dag('{id: alpha, kind: empty}', '{id: b, kind: empty, depends_on: [alpa]}'),
      ['error unknown_task x.yml:5:43'],
    ],
    [
      'tasks in a circle',
      dag('{id: a, kind: empty, depends_on: [b]}', '{id: b, kind: empty}'),
      ['error cycle x.yml:4:42'],
    ],
    ['a task that waits for itself', dag('{id: a, kind: empty, depends_on: [a]}'), ['error cycle x.yml:4:42']],
    [
      'a table that the layer lacks',
      dag('{id: a, kind: validate, layer: silver, tables: [ordrs]}'),
      ['error unknown_table x.yml:4:57'],
    ],
    [
      'an exception that the layer lacks',
      dag('{id: a, kind: validate, layer: silver, except: [ordrs]}'),
      ['error unknown_table x.yml:4:57'],
    ],
    [
      'a publish without a build',
      dag('{id: a, kind: publish, layer: silver}'),
      ['error nothing_to_publish x.yml:4:14'],
    ],
    [
      'one table built twice',
      dag('{id: a, kind: build, layer: silver}', '{id: b, kind: build, layer: silver, tables: [orders]}'),
      ['error bad_task x.yml:5:14'],
    ],
    ['a trigger of no DAG', dag('{id: a, kind: trigger_dag, dag: dayly}'), ['error unknown_dag x.yml:4:41']],
    ['a DAG that triggers itself', dag('{id: a, kind: trigger_dag, dag: daily}'), ['error cycle x.yml:4:41']],
    [
      'a switch that is none',
      dag('{id: a, kind: short_circuit, setting: warehouse.lod}'),
      ['error unknown_setting x.yml:4:47'],
    ],
    [
      'a branch that leads elsewhere',
      `dims: [{name: orders}]\n${dag('{id: a, kind: branch, if: dims_fresh, then: b, else: c}', '{id: b, kind: empty}', '{id: c, kind: empty}')}`,
      ['error bad_branch x.yml:5:62'],
    ],
    [
      'a branch to no task',
      `dims: [{name: orders}]\n${dag('{id: a, kind: branch, if: dims_fresh, then: b, else: d}', '{id: b, kind: empty}')}`,
      ['error unknown_task x.yml:5:62'],
    ],
    [
      'cron of four fields',
      'dags: [{id: d, schedule: {cron: "0 6 * *"}, tasks: [{id: a, kind: empty}]}]\n',
      ['error bad_cron x.yml:1:33'],
    ],
    [
      'an hour that no day has',
      'dags: [{id: d, schedule: {cron: "0 25 * * *"}, tasks: [{id: a, kind: empty}]}]\n',
      ['error bad_cron x.yml:1:33'],
    ],
    [
      'ticks that share a day',
      'dags: [{id: d, schedule: {cron: "0 6,18 * * *", window: previous_day}, tasks: [{id: a, kind: empty}]}]\n',
      ['error shared_window x.yml:1:57'],
    ],
    [
      'a zone that no schedule has',
      'dags: [{id: d, schedule: {cron: "@daily", timezone: UTZ}, tasks: [{id: a, kind: empty}]}]\n',
      ['error bad_timezone x.yml:1:53'],
    ],
    [
      'an expression of another dialect',
      'dims: [{name: orders, where: "total::int > 0"}]\n',
      ['error bad_expression x.yml:1:36'],
    ],
    [
      'a parameter that nobody declares',
      'dims: [{name: orders, where: total > @minimum}]\n',
      ['error unknown_param x.yml:1:38'],
    ],
  ];
  for (const [what, text, expected] of cases) {
    test(`${what}`, async () => {
      assert.deepEqual(brief(await issuesOf(withShop(text))), expected);
    });
  }

  test('a misspelt input is not also called missing', async () => {
    const text = 'enriched_silver:\n  transforms: [{name: shipping_economics, depends_on: [ordrs]}]\n';
    assert.deepEqual(brief(await issuesOf(withShop(text))), ['error unknown_table x.yml:2:56']);
  });

  test('tables whose foreign keys form a circle are named in order; a table may refer to itself', async () => {
    const table = (name: string, parent: string) =>
      `    - {name: ${name}, primary_key: [id], foreign_keys: [{column: p, references: ${parent}.id}]}\n`;
    const circle = `base_silver:\n  tables:\n${table('a', 'b')}${table('b', 'c')}${table('c', 'a')}${table('tree', 'tree')}`;
    const issues = (await issuesOf({ 'shop.yml': circle })).filter((issue) => issue.severity === 'error');
    assert.deepEqual(brief(issues), ['error cycle shop.yml:3:75']);
    assert.match(issues[0]?.message ?? '', /a → b → c → a$/);
  });

  test('a foreign key of another type than its parent is an error', async () => {
    const issues = await issuesOf({
      'shop.yml': SHOP.replace(
        '{name: customer_id, required: true}\n    - name',
        '{name: customer_id, type: int64}\n    - name',
      ),
    });
    assert.deepEqual(brief(issues), ['error type_mismatch shop.yml:10:45']);
  });

  test('a column computed from one below it is unknown; from one above it, known', async () => {
    const text = (columns: string) => `base_silver: {tables: [{name: t, primary_key: [a], columns: [${columns}]}]}\n`;
    const above = '{name: a, type: date}, {name: b, type: date, expr: a}, {name: c, type: date, expr: b}';
    assert.deepEqual(await issuesOf({ 'shop.yml': text(above) }), []);
    const below = '{name: a, type: date}, {name: b, type: date, expr: c}, {name: c, type: date, expr: a}';
    assert.deepEqual(
      (await issuesOf({ 'shop.yml': text(below) })).map((issue) => issue.code),
      ['unknown_column'],
    );
  });

  test('lineage columns and the ingestion day may be used without being declared', async () => {
    const rules = '      rules: [{reason: late, when: date(ingestion_ts) > ingestion_dt and source_file is null}]\n';
    assert.deepEqual(await issuesOf({ 'shop.yml': SHOP + rules }), []);
  });

  test('a fault inside a block of SQL stands in the line of the block', async () => {
    const rule =
      '      rules:\n        - reason: odd\n          when: |\n            total < 0\n            or totl > 5\n';
    assert.deepEqual(brief(await issuesOf({ 'shop.yml': SHOP + rule })), ['error unknown_column shop.yml:20:16']);
  });

  test('every code that an issue can have is explained in the reference', () => {
    const page = readFileSync(join(packageRoot(), 'docs/reference/spec-issues.md'), 'utf8');
    const missing = Object.keys(ISSUE_CODES).filter((code) => !page.includes(`\`${code}\``));
    assert.deepEqual(missing, []);
  });
});

describe("the seed's block", () => {
  const read = (folder: string) =>
    readSpec({ root: packageRoot(), folder: `test/fixtures/specs/${folder}`, environment: 'local', env: {} });

  test('alone has no other errors than the two tables that it only mentions', async () => {
    assert.throws(
      () => read('seed'),
      (thrown: unknown) => {
        assert.ok(thrown instanceof SpecError);
        const errors = thrown.issues.filter((issue) => issue.severity === 'error');
        assert.deepEqual(
          errors.map((issue) => [issue.code, issue.message]),
          [
            ['unknown_table', 'no table product_catalog is declared in base_silver'],
            ['unknown_table', 'no table shopping_carts is declared in base_silver, dims or enriched_silver'],
          ],
        );
        return true;
      },
    );
  });

  test('beside a file with those tables is valid, and says that columns are taken from bronze', async () => {
    const { spec, issues } = read('seed-completed');
    assert.deepEqual(
      spec.tables.map((table) => table.name),
      ['orders', 'customers', 'shopping_carts', 'product_catalog'],
    );
    const fromBronze = issues.filter((issue) => issue.code === 'columns_from_bronze');
    assert.deepEqual(
      fromBronze.map((issue) => issue.severity),
      ['info', 'info', 'info', 'info'],
    );
    assert.deepEqual(
      spec.transforms.map((transform) => transform.implementation),
      [
        { kind: 'builtin', name: 'int_cart_attribution' },
        { kind: 'builtin', name: 'int_customer_lifetime_value' },
      ],
    );
  });
});
