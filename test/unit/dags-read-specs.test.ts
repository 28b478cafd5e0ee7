/** YAML -> Spec: defaults, derived names, merging, overlays, variables, marts. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML with variables of ours
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { brief, issuesOf, readTexts, SHOP, specOf } from '../fixtures-support/spec-folder.ts';

const one = <T>(list: readonly T[] | undefined, index = 0): T => {
  const item = list?.[index];
  assert.ok(item);
  return item;
};

const table = (text: string) => ({ 'shop.yml': `base_silver:\n  tables:\n    - ${text}\n` });

describe('a spec', () => {
  test('takes its name from the folder and every limit from the defaults', async () => {
    const spec = await specOf({ 'shop.yml': SHOP });
    assert.equal(spec.pipeline, 'shop');
    assert.equal(spec.folder, 'specs/shop');
    assert.equal(spec.timezone, 'UTC');
    assert.deepEqual(spec.nullValues, ['', 'none', 'null', 'n/a', 'nan']);
    assert.equal(spec.reportDir, 'docs/validation_reports/shop');
    const orders = one(spec.tables, 1);
    assert.deepEqual(orders.quality, {
      sla: 0.95,
      minRows: 1,
      allowEmpty: false,
      maxQuarantinePct: 5,
      maxRowLossPct: 1,
    });
    assert.equal(orders.partitionKey, 'ingestion_dt');
    assert.deepEqual(orders.orderBy, ['ingestion_ts']);
    assert.deepEqual(orders.location, { file: 'specs/shop/shop.yml', line: 7, column: 7 });
    assert.deepEqual(orders.source, {
      table: 'orders',
      format: 'parquet',
      partitionKey: 'ingest_dt',
      select: 'interval',
      checksum: 'bytes',
      manifest: 'required',
      landing: null,
    });
  });

  test('hands its own defaults down to tables that say nothing else', async () => {
    const text = `owner: me\ndefaults: {quality: {sla: 0.8, min_rows: 3}}\n${SHOP}      quality: {min_rows: 0}\n`;
    const spec = await specOf({ 'shop.yml': text });
    assert.equal(one(spec.tables, 0).quality.minRows, 3);
    assert.equal(one(spec.tables, 1).quality.minRows, 0);
    assert.equal(one(spec.tables, 1).quality.sla, 0.8);
    assert.equal(one(spec.tables, 1).owner, 'me');
  });

  test('is plain JSON: text and back gives the same', async () => {
    const spec = await specOf({ 'shop.yml': SHOP });
    assert.deepEqual(JSON.parse(JSON.stringify(spec)), spec);
  });

  test('written in CRLF and with a byte order mark is the same', async () => {
    const plain = await specOf({ 'shop.yml': SHOP });
    const windows = await specOf({ 'shop.yml': `\ufeff${SHOP.replaceAll('\n', '\r\n')}` });
    assert.deepEqual(windows, plain);
  });
});

describe('names derived from columns', () => {
  test('a required column gives missing_ and invalid_, `reason` one code for both', async () => {
    const spec = await specOf(
      table(
        '{name: t, primary_key: [id], columns: [{name: id, type: int64, required: true}, {name: at, type: timestamp, required: true, reason: bad_at}]}',
      ),
    );
    const [id, at] = one(spec.tables).columns;
    assert.deepEqual([id?.missingReason, id?.invalidReason], ['missing_id', 'invalid_id']);
    assert.deepEqual([at?.missingReason, at?.invalidReason], ['bad_at', 'bad_at']);
  });

  test('an optional column has no reason unless on_invalid asks for quarantine; text always casts', async () => {
    const spec = await specOf(
      table(
        '{name: t, primary_key: [a], columns: [{name: a, required: true}, {name: b, type: date}, {name: c, type: date, on_invalid: quarantine}]}',
      ),
    );
    assert.deepEqual(
      one(spec.tables).columns.map((column) => [column.missingReason, column.invalidReason]),
      [
        ['missing_a', null],
        [null, null],
        [null, 'invalid_c'],
      ],
    );
  });

  test('foreign keys and duplicates are named for their columns', async () => {
    const spec = await specOf({ 'shop.yml': SHOP });
    const orders = one(spec.tables, 1);
    assert.deepEqual(orders.foreignKeys, [
      {
        id: 'fk_customer',
        column: 'customer_id',
        references: { table: 'customers', column: 'customer_id' },
        exempt: null,
        minIntegrity: 0.99,
        reason: 'customer_fk_invalid',
      },
    ]);
    assert.equal(orders.duplicateReason, 'duplicate_order_id');
    const lines = await specOf(table('{name: l, primary_key: [order_id, product_id]}'));
    assert.equal(one(lines.tables).duplicateReason, 'duplicate_order_id_product_id');
  });
});

describe('a source', () => {
  test('by another key than ingest_dt is read where it changed', async () => {
    const spec = await specOf(
      table('{name: t, primary_key: [a], source: {partition_key: category, manifest: {checksum: rows}}}'),
    );
    const { select, checksum, manifest } = one(spec.tables).source;
    assert.deepEqual([select, checksum, manifest], ['changed', 'rows', 'required']);
  });

  test('without manifest expects no checksum', async () => {
    const spec = await specOf(
      table('{name: t, primary_key: [a], source: {partition_key: null, manifest: {required: false}}}'),
    );
    const { partitionKey, select, checksum, manifest } = one(spec.tables).source;
    assert.deepEqual([partitionKey, select, checksum, manifest], [null, 'changed', 'none', 'none']);
  });

  test('a landing file is read by its ending', async () => {
    const spec = await specOf(table('{name: t, primary_key: [a], source: {landing: {path: raw/t.tsv}}}'));
    assert.deepEqual(one(spec.tables).source.landing, {
      path: 'raw/t.tsv',
      format: 'tsv',
      delimiter: '\t',
      header: true,
    });
  });
});

describe('transforms', () => {
  const files = (transform: string) => ({
    'shop.yml': `base_silver:
  tables:
    - {name: orders, primary_key: [order_id]}
    - {name: order_items, primary_key: [order_id]}
    - {name: shopping_carts, primary_key: [cart_id]}
enriched_silver:
  transforms:
    - ${transform}
`,
  });

  test('a bare name and its inputs are enough for a built-in one', async () => {
    const transform = one(
      (await specOf(files('{name: cart_attribution, depends_on: [orders, shopping_carts]}'))).transforms,
    );
    assert.equal(transform.name, 'cart_attribution');
    assert.deepEqual(transform.implementation, { kind: 'builtin', name: 'int_cart_attribution' });
    assert.equal(transform.partitionKey, 'cart_dt');
    assert.deepEqual(transform.primaryKey, ['cart_id']);
    assert.deepEqual(transform.window, { kind: 'days', before: 0, after: 2 });
  });

  test('without inputs it takes those that the pipeline has', async () => {
    const transform = one((await specOf(files('{name: int_sales_velocity}'))).transforms);
    assert.deepEqual(transform.dependsOn, ['orders', 'order_items']);
    assert.deepEqual(transform.window, { kind: 'days', before: 6, after: 0 });
  });

  test('the windows follow from the parameters: 72 hours touch three days, 14 days read 13 before', async () => {
    const wide = files('{name: cart_attribution, depends_on: [orders, shopping_carts]}');
    const spec = await specOf({ ...wide, 'p.yml': 'params: {attribution_tolerance_hours: 72}\n' });
    assert.deepEqual(one(spec.transforms).window, { kind: 'days', before: 0, after: 3 });
    const velocity = await specOf(files('{name: sales_velocity, params: {sales_velocity_window_days: 14}}'));
    assert.deepEqual(one(velocity.transforms).window, { kind: 'days', before: 13, after: 0 });
  });

  test('what the YAML says wins', async () => {
    const spec = await specOf(files('{name: sales_velocity, window: {before: 9d, after: 1}, key_fields: [order_dt]}'));
    assert.deepEqual(one(spec.transforms).window, { kind: 'days', before: 9, after: 1 });
    assert.deepEqual(one(spec.transforms).keyFields, ['order_dt']);
  });

  test('a module of your own is named relative to the folder of the spec', async () => {
    const own = files('{name: mine, file: ./lib/../mine.ts, depends_on: [orders], partition_key: d, primary_key: [d]}');
    const spec = await specOf({ ...own, 'mine.ts': 'export default 1;\n' });
    assert.deepEqual(one(spec.transforms).implementation, { kind: 'file', path: 'specs/shop/mine.ts' });
  });
});

describe('several files', () => {
  test('are one document, merged by key and, in lists of named things, by name', async () => {
    const [customers, orders] = SHOP.split(/(?= {4}- name: orders)/);
    const spec = await specOf({
      'a.yml': `owner: me\n${customers}`,
      'tables/b.yml': `base_silver:\n  tables:\n${orders}`,
    });
    const whole = await specOf({ 'a.yml': `owner: me\n${SHOP}` });
    assert.equal(spec.fingerprint, whole.fingerprint);
  });

  test('that declare one table twice are told both places', async () => {
    const issues = await issuesOf({
      'a.yml': SHOP,
      'b.yml': 'base_silver: {tables: [{name: orders, primary_key: [x]}]}\n',
    });
    const repeated = issues.filter((issue) => issue.severity === 'error');
    assert.deepEqual(brief(repeated), ['error duplicate_name b.yml:1:31']);
    assert.match(one(repeated).message, /specs\/shop\/a\.yml:7:13$/);
  });

  test('that set one key are told both places', async () => {
    const issues = await issuesOf({ 'a.yml': `owner: a\n${SHOP}`, 'b.yml': 'owner: b\n' });
    assert.deepEqual(brief(issues), ['error duplicate_key b.yml:1:1']);
    assert.match(one(issues).message, /specs\/shop\/a\.yml:1:1$/);
  });
});

describe('an overlay', () => {
  const overlay = `base_silver:
  tables:
    - name: orders
      quality: {sla: 0.5}
      foreign_keys: [{column: customer_id, min_integrity: 0.1}]
      columns: [{name: total, required: true}]
`;

  test('changes only what it says, down to columns and foreign keys by name', async () => {
    const spec = await specOf({ 'shop.yml': SHOP, 'overlays/dev.yml': overlay }, { environment: 'dev' });
    const base = await specOf({ 'shop.yml': SHOP });
    const [changed, orders] = [one(spec.tables, 1), one(base.tables, 1)];
    assert.equal(changed.quality.sla, 0.5);
    assert.equal(changed.quality.minRows, orders.quality.minRows);
    assert.equal(one(changed.foreignKeys).minIntegrity, 0.1);
    assert.equal(one(changed.foreignKeys).references.table, 'customers');
    assert.deepEqual(
      changed.columns.map((column) => [column.name, column.type, column.required]),
      orders.columns.map((column) => [column.name, column.type, column.name === 'total' || column.required]),
    );
    assert.deepEqual(one(spec.tables, 0), one(base.tables, 0));
  });

  test('of another environment is not read', async () => {
    const texts = { 'shop.yml': SHOP, 'overlays/dev.yml': 'nonsense: [\n' };
    assert.deepEqual(await specOf(texts, { environment: 'prod' }), await specOf({ 'shop.yml': SHOP }));
  });

  test('reaches tasks by id, checks by id and rules by reason', async () => {
    const base = `${SHOP}      rules: [{reason: r, when: total < 0}]
      checks: [{id: c, column: total, not_null: true}]
dags: [{id: d, tasks: [{id: a, kind: empty}, {id: b, kind: empty}]}]
`;
    const over = `base_silver: {tables: [{name: orders, rules: [{reason: r, when: total < 5}], checks: [{id: c, fail_if: "> 9%"}]}]}
dags: [{id: d, tasks: [{id: b, timeout: 5m}]}]
`;
    const { spec, issues } = await readTexts({ 'shop.yml': base, 'overlays/local.yml': over });
    assert.deepEqual(issues, []);
    const orders = one(spec.tables, 1);
    assert.equal(one(orders.rules).when, 'total < 5');
    assert.deepEqual(one(orders.checks).failIf, { op: '>', value: 9, unit: 'percent' });
    assert.deepEqual(
      one(spec.dags).tasks.map((task) => [task.id, task.timeoutMs]),
      [
        ['a', null],
        ['b', 300_000],
      ],
    );
  });

  test('that names something new adds it, with a warning and what was probably meant', async () => {
    const issues = await issuesOf({
      'shop.yml': SHOP,
      'overlays/local.yml': 'base_silver: {tables: [{name: ordrs, primary_key: [id]}]}\n',
    });
    const warning = issues.find((issue) => issue.code === 'overlay_adds');
    assert.equal(warning?.severity, 'warning');
    assert.equal(warning?.hint, 'did you mean "orders"?');
  });

  test('with a fault is told by its own file', async () => {
    const issues = await issuesOf({
      'shop.yml': SHOP,
      'overlays/local.yml': 'base_silver: {tables: [{name: orders, qality: {sla: 1}}]}\n',
    });
    assert.deepEqual(brief(issues), ['error unknown_key overlays/local.yml:1:39']);
  });
});

describe('variables', () => {
  const text = (owner: string) => ({ 'shop.yml': `owner: ${owner}\n${SHOP}` });

  test('are filled in; an empty one counts as unset; a default fills the gap', async () => {
    const owner = async (written: string, env: Record<string, string>) => (await specOf(text(written), { env })).owner;
    assert.equal(await owner('team-${TEAM}', { TEAM: 'a' }), 'team-a');
    assert.equal(await owner('${TEAM:-none}', { TEAM: 'a' }), 'a');
    assert.equal(await owner('${TEAM:-nobody}', { TEAM: '' }), 'nobody');
    assert.equal(await owner('"${A:-x}${B:-}"', {}), 'x');
    assert.equal(await owner('"$${TEAM}"', { TEAM: 'a' }), '${TEAM}');
  });

  test('in plain text are read again as YAML, so that a number is a number', async () => {
    const spec = await specOf(
      { 'shop.yml': `defaults:\n  quality:\n    sla: \${SLA:-0.5}\n${SHOP}` },
      { env: { SLA: '0.75' } },
    );
    assert.equal(one(spec.tables).quality.sla, 0.75);
  });

  test('without value or default are an error at their place', async () => {
    const issues = await issuesOf(text('the ${TEAM} team'));
    assert.deepEqual(brief(issues), ['error unset_variable shop.yml:1:12']);
    assert.match(one(issues).message, /TEAM is not set/);
  });

  test('without a value are one fault, whatever the place would have wanted', async () => {
    const issues = await issuesOf({ 'shop.yml': `defaults:\n  quality:\n    sla: \${SLA}\n${SHOP}` });
    assert.deepEqual(brief(issues), ['error unset_variable shop.yml:3:10']);
  });

  test('that are no names are an error', async () => {
    assert.deepEqual(brief(await issuesOf(text('"${not a name}"'))), ['error bad_variable shop.yml:1:9']);
    assert.deepEqual(brief(await issuesOf(text('"${OPEN"'))), ['error bad_variable shop.yml:1:9']);
  });
});

describe('parameters in SQL', () => {
  test('become literals, in strings and comments they stay', async () => {
    const text = `params: {least: -1.5, word: it's, on: true}
${SHOP}      rules:
        - {reason: a, when: "total < @least and order_id <> @word and @on and order_id <> '@least'"}
`;
    const rule = one(one((await specOf({ 'shop.yml': text })).tables, 1).rules);
    assert.equal(rule.when, "total < (-1.5) and order_id <> 'it\\'s' and TRUE and order_id <> '@least'");
  });

  test("the run's window is for dims and marts alone", async () => {
    assert.deepEqual(
      await issuesOf({ 'shop.yml': `${SHOP}dims: [{name: orders, where: date(order_date) < @window_end}]\n` }),
      [],
    );
    const issues = await issuesOf({
      'shop.yml': `${SHOP}      rules: [{reason: a, when: date(order_date) < @window_end}]\n`,
    });
    assert.deepEqual(brief(issues), ['error unknown_param shop.yml:16:52']);
  });
});

describe('a mart file', () => {
  const header = (columns = '[{name: day, type: date}, {name: orders, type: int64}]') => `/* @assay   any remark
description: Orders a day.
grain: [day]
partition_key: day
columns: ${columns}
@assay */
`;
  const query = `SELECT date(order_date) AS day, COUNT(*) AS orders
FROM silver.orders
WHERE date(order_date) >= @window_start AND date(order_date) < @window_end
GROUP BY 1
`;

  test('is a mart of the file’s name whose inputs are found in the query', async () => {
    const { spec, issues } = await readTexts({ 'shop.yml': SHOP, 'marts/daily.sql': header() + query });
    assert.deepEqual(issues, []);
    const mart = one(spec.marts);
    assert.equal(mart.name, 'daily');
    assert.deepEqual(mart.grain, ['day']);
    assert.equal(mart.partitionKey, 'day');
    assert.deepEqual(mart.inputs, [{ layer: 'silver', table: 'orders' }]);
    assert.equal(mart.sql, query.trim());
  });

  test('faults in header and query stand at their lines of the file', async () => {
    const text = `${header('[{name: day, type: dat}]').replace('grain: [day]', 'grain: [dai]')}${query.replace('silver.orders', 'silver.ordrs')}`;
    assert.deepEqual(brief(await issuesOf({ 'shop.yml': SHOP, 'marts/daily.sql': text })), [
      'error unknown_column marts/daily.sql:3:9',
      'error unknown_type marts/daily.sql:5:29',
      'error unknown_table marts/daily.sql:8:6',
    ]);
  });

  test('without a header, or with a table that has no layer, says what to write', async () => {
    const bare = await issuesOf({ 'shop.yml': SHOP, 'marts/daily.sql': query });
    assert.deepEqual(brief(bare), ['error bad_mart_header marts/daily.sql:1:1']);
    const unqualified = await issuesOf({
      'shop.yml': SHOP,
      'marts/daily.sql': header() + query.replace('silver.', ''),
    });
    assert.deepEqual(brief(unqualified), ['error bad_reference marts/daily.sql:8:6']);
    assert.equal(one(unqualified).hint, 'write silver.orders');
  });

  test('is changed by overlays by its name', async () => {
    const overlay = 'gold: {marts: [{name: daily, checks: [{id: some, column: orders, not_null: true}]}]}\n';
    const spec = await specOf({ 'shop.yml': SHOP, 'marts/daily.sql': header() + query, 'overlays/local.yml': overlay });
    assert.equal(one(one(spec.marts).checks).id, 'some');
  });
});
