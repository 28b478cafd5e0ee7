/** Staged silver -> keys, foreign keys, row accounts and declared checks. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GateFailedError } from '../../core/errors.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { TableSpec } from '../../core/spec.ts';
import type { Report, RowAccount, StagedTable } from '../../core/types.ts';
import {
  checkSpec,
  columnSpec,
  columns,
  DAY,
  foreignKey,
  Lake,
  martSpec,
  ordersSpec,
  pinned,
  pipelineSpec,
  publication,
  QUALITY,
  resultOf,
  staged,
  transformSpec,
  type ValidateRequest,
  validate,
} from './validation-lake.ts';

const COLUMNS = columns(
  'order_id string, customer_id string, order_date timestamp, net_total decimal(18,2), items int64, ingestion_dt date',
);

function goodRows(
  from: number,
  count: number,
  day = DAY,
  replaced: { readonly [column: string]: string } = {},
): string {
  const base = {
    order_id: `'ORD-' || i`,
    customer_id: `'CUST-' || i`,
    order_date: `TIMESTAMPTZ '${day} 10:00:00+00'`,
    net_total: `(i * 2)::DECIMAL(18,2)`,
    items: 'i',
    ingestion_dt: `DATE '${day}'`,
    ...replaced,
  };
  const select = Object.entries(base).map(([name, sql]) => `${sql} AS ${name}`);
  return `SELECT ${select.join(', ')} FROM range(${from}, ${from + count}) AS t(i)`;
}

function account(rest: Partial<RowAccount>): RowAccount {
  const merged = { ...EMPTY_ACCOUNT, ...rest };
  return { ...merged, input: merged.output + merged.quarantined + merged.duplicates + merged.filtered };
}

function stageOrders(
  lake: Lake,
  queries: { readonly [value: string]: string },
  rest: Partial<StagedTable> = {},
): Promise<StagedTable> {
  return lake.stage('silver', 'orders', queries, {
    columns: COLUMNS,
    primaryKey: ['order_id'],
    partitionKey: 'ingestion_dt',
    ...rest,
  });
}

async function judge(
  lake: Lake,
  table: StagedTable,
  spec: Partial<TableSpec> = {},
  rest: Partial<ValidateRequest> = {},
): Promise<{ readonly report: Report; readonly markdown: string; readonly thrown: unknown }> {
  return validate(lake, {
    spec: pipelineSpec({ tables: [ordersSpec(spec)] }),
    layer: 'silver',
    tables: ['orders'],
    outputs: [staged(table)],
    ...rest,
  });
}

describe('row accounts', () => {
  const judgeAccount = async (
    rest: Partial<RowAccount>,
    spec: Partial<TableSpec> = {},
    more: Partial<StagedTable> = {},
  ) => {
    await using lake = await Lake.open();
    const rows = rest.output ?? 0;
    const queries = rows === 0 ? {} : { [DAY]: goodRows(0, rows) };
    return await judge(lake, await stageOrders(lake, queries, { account: account(rest), ...more }), spec);
  };

  test('a pass rate at the SLA passes, down to nine tenths of it warns, below that fails', async () => {
    // SLA 0.80: 80 of 100 passes; 72 of 100 is 0.9 · 0.80 and warns; 71 of 100 fails.
    const spec = { quality: { ...QUALITY, sla: 0.8 } };
    const states = [];
    for (const output of [80, 72, 71]) {
      const { report } = await judgeAccount({ output, quarantined: 100 - output }, spec);
      states.push(resultOf(report, 'orders', 'pass_rate').state);
    }
    assert.deepEqual(states, ['PASS', 'WARN', 'FAIL']);
  });

  test('duplicates count neither for the pass rate nor for the quarantine share', async () => {
    const { report } = await judgeAccount({ output: 19, quarantined: 1, duplicates: 80 });
    assert.equal(resultOf(report, 'orders', 'pass_rate').observed, '95.00 %');
    assert.equal(resultOf(report, '*', 'max_quarantine').observed, '5.00 %');
    assert.equal(resultOf(report, '*', 'max_quarantine').state, 'PASS');
    assert.equal(report.tables[0]?.passRate, 0.95);
  });

  test('more than the pipeline’s share of quarantined rows fails over all tables, and only warns at the table', async () => {
    const { report } = await judgeAccount({ output: 94, quarantined: 6 }, { quality: { ...QUALITY, sla: 0.5 } });
    assert.equal(resultOf(report, '*', 'max_quarantine').state, 'FAIL');
    assert.equal(resultOf(report, 'orders', 'max_quarantine').state, 'WARN');
    assert.deepEqual(report.decision.blockedBy, ['silver.*.max_quarantine']);
  });

  test('a table’s own quarantine limit is a gate of its own', async () => {
    const spec = { quality: { ...QUALITY, maxQuarantinePct: 1 } };
    const { report } = await judgeAccount({ output: 98, quarantined: 2 }, spec);
    assert.equal(resultOf(report, 'orders', 'max_quarantine').state, 'FAIL');
  });

  test('no row at all fails, unless the table may be empty: then it is not evaluated, and no pass', async () => {
    const strict = await judgeAccount({});
    assert.equal(resultOf(strict.report, 'orders', 'pass_rate').state, 'FAIL');
    assert.equal(resultOf(strict.report, 'orders', 'min_rows').state, 'FAIL');
    const lenient = await judgeAccount({}, { quality: { ...QUALITY, allowEmpty: true } });
    assert.equal(resultOf(lenient.report, 'orders', 'pass_rate').state, 'NOT EVALUATED');
    assert.equal(lenient.report.tables[0]?.state, 'NOT EVALUATED');
    assert.equal(lenient.report.decision.verdict, 'WARN');
    assert.match(lenient.markdown, /Not evaluated \(not a pass\)/);
  });

  test('fewer rows than the least fail, quarantined ones counted in', async () => {
    const spec = { quality: { ...QUALITY, sla: 0.5, minRows: 10 } };
    const nine = await judgeAccount({ output: 8, quarantined: 1, duplicates: 5 }, spec);
    const ten = await judgeAccount({ output: 8, quarantined: 2 }, spec);
    assert.equal(resultOf(nine.report, 'orders', 'min_rows').state, 'FAIL');
    assert.equal(resultOf(ten.report, 'orders', 'min_rows').state, 'PASS');
  });

  test('what the build counted becomes warnings, a collision of keys too', async () => {
    const { report } = await judgeAccount(
      { output: 20, quarantined: 1, byReason: { key_collision: 1 } },
      {},
      { buildCounts: { cast_items: 3, undeclared_columns: 2 } },
    );
    assert.equal(resultOf(report, 'orders', 'cast_items').observed, '3 rows');
    assert.equal(resultOf(report, 'orders', 'undeclared_columns').observed, '2 columns');
    assert.equal(resultOf(report, 'orders', 'key_collision').state, 'WARN');
    assert.equal(report.decision.verdict, 'WARN');
  });

  test('rows that the manifests promise and nobody read are lost, and more than one percent fails', async () => {
    await using lake = await Lake.open();
    const read = account({ output: 197 });
    const input = `ingest_dt=${DAY}`;
    const table = await stageOrders(
      lake,
      { [DAY]: goodRows(0, 197) },
      {
        account: read,
        inputs: { [input]: { fingerprint: '', account: read, wrote: [DAY] } },
      },
    );
    const promise = (totalRows: number) =>
      pinned({
        orders: [
          {
            partition: input,
            files: [],
            fingerprint: '',
            manifest: {
              state: 'read',
              manifest: {
                table: 'orders',
                partition: input,
                totalRows,
                files: [],
                batchId: null,
                schemaFingerprint: null,
              },
            },
          },
        ],
      });
    const states = [];
    for (const promised of [197, 198, 200, 190]) {
      const { report } = await judge(
        lake,
        table,
        {},
        { outputs: [staged(table), promise(promised)], runId: `r${promised}` },
      );
      states.push(resultOf(report, 'orders', 'row_loss').state);
    }
    // 1 of 198 is 0.51 %, 3 of 200 is 1.5 %; more rows than promised are worth a look.
    assert.deepEqual(states, ['PASS', 'WARN', 'FAIL', 'WARN']);
  });
});

describe('keys', () => {
  test('a key twice in what is staged fails and is shown', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: `${goodRows(0, 5)} UNION ALL ${goodRows(3, 1)}` });
    const { report } = await judge(lake, table);
    const result = resultOf(report, 'orders', 'pk_unique');
    assert.equal(result.state, 'FAIL');
    assert.equal(result.failedRows, 1);
    assert.deepEqual(result.samples, [{ order_id: 'ORD-3', rows: '2' }]);
  });

  test('a key of an older, untouched partition fails too, and one of a rewritten partition does not', async () => {
    await using lake = await Lake.open();
    const old = await stageOrders(lake, { '2025-10-07': goodRows(0, 5, '2025-10-07') });
    const table = await stageOrders(lake, { [DAY]: goodRows(4, 5) });
    const before = publication('silver', 4, [old]);
    const pin = pinned({}, { publications: { silver: 4 } });
    const kept = await judge(lake, table, {}, { outputs: [staged(table), pin], publications: [before] });
    assert.equal(resultOf(kept.report, 'orders', 'pk_unique').failedRows, 1);
    const moved = { ...table, removed: ['2025-10-07'] };
    const gone = await judge(lake, moved, {}, { outputs: [staged(moved), pin], publications: [before] });
    assert.equal(resultOf(gone.report, 'orders', 'pk_unique').state, 'PASS');
  });

  test('a required column with a null fails, and its row is masked by the column’s pii tag', async () => {
    await using lake = await Lake.open();
    const query = goodRows(0, 5, DAY, { net_total: `CASE WHEN i < 2 THEN NULL ELSE 1 END::DECIMAL(18,2)` });
    const spec = { primaryKey: ['order_id', 'customer_id'] };
    const table = await stageOrders(lake, { [DAY]: query }, { primaryKey: ['order_id', 'customer_id'] });
    const { report } = await judge(lake, table, spec);
    const result = resultOf(report, 'orders', 'not_null_net_total');
    assert.deepEqual([result.state, result.failedRows, result.totalRows], ['FAIL', 2, 5]);
    assert.deepEqual(result.samples, [
      { order_id: 'ORD-0', customer_id: 'CUST-•••••', ingestion_dt: DAY },
      { order_id: 'ORD-1', customer_id: 'CUST-•••••', ingestion_dt: DAY },
    ]);
    assert.match(result.note, /ingestion_dt=2025-10-08 2/);
  });

  test('a row in another partition than its column names fails', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: `${goodRows(0, 3)} UNION ALL ${goodRows(9, 1, '2025-10-01')}` });
    const { report } = await judge(lake, table);
    assert.deepEqual(resultOf(report, 'orders', 'partition_agrees').failedRows, 1);
  });

  test('files that lost rows since they were staged fail', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: goodRows(0, 3) });
    await lake.parquet(`lake/silver/orders/${DAY}.parquet`, goodRows(0, 2));
    const { report } = await judge(lake, table);
    assert.equal(resultOf(report, 'orders', 'rows_as_staged').state, 'FAIL');
  });

  test('a staged file that does not read blocks in every mode, by one result', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: goodRows(0, 3) }, { account: account({ output: 3 }) });
    lake.write(`lake/silver/orders/${DAY}.parquet`, 'gone');
    const { report, thrown } = await judge(lake, table);
    assert.deepEqual(report.decision.blockedBy, ['silver.orders.readable']);
    assert.equal((thrown as { code?: string }).code, 'gate_undecided');
    assert.ok(!JSON.stringify(report).includes(lake.root));
  });
});

describe('foreign keys', () => {
  const CUSTOMERS = columns('customer_id string, email string');
  const withKey = {
    foreignKeys: [foreignKey('customer_id', { table: 'customers', column: 'customer_id' }, { exempt: 'GUEST-%' })],
  };
  const customersSpec = ordersSpec({
    name: 'customers',
    primaryKey: ['customer_id'],
    columns: [columnSpec('customer_id', 'string', { required: true }), columnSpec('email', 'string', { pii: 'email' })],
  });
  const spec = pipelineSpec({ tables: [ordersSpec(withKey), customersSpec] });

  const parents = (lake: Lake, count: number) =>
    lake.stage(
      'silver',
      'customers',
      { '': `SELECT 'CUST-' || i AS customer_id, 'a@b.c' AS email FROM range(${count}) AS t(i)` },
      { columns: CUSTOMERS, primaryKey: ['customer_id'] },
    );

  test('count orphans among the rows that need a parent: null and exempt values do not', async () => {
    await using lake = await Lake.open();
    // 200 orders: one null, one guest, 198 that need one of 196 customers, of which 1..195 are there to find; 196..199 are orphans.
    const query = goodRows(0, 200, DAY, {
      customer_id: `CASE i WHEN 0 THEN NULL WHEN 1 THEN 'GUEST-9' ELSE 'CUST-' || i END`,
    });
    const table = await stageOrders(lake, { [DAY]: query });
    const customers = await parents(lake, 196);
    const { report } = await judge(
      lake,
      table,
      {},
      {
        spec,
        outputs: [staged(table), pinned({}, { publications: { silver: 2 } })],
        publications: [publication('silver', 2, [customers])],
      },
    );
    const result = resultOf(report, 'orders', 'fk_customers');
    assert.deepEqual([result.failedRows, result.totalRows, result.observed], [4, 198, '97.98 %']);
    assert.equal(result.state, 'FAIL');
    assert.equal(result.expected, '≥ 99 %');
    assert.deepEqual(result.samples[0], { order_id: 'ORD-196', customer_id: 'CUST-•••••', ingestion_dt: DAY });
  });

  test('see a parent that this run has staged, and pass down to their least integrity with a count worth a look', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: goodRows(0, 100) });
    const customers = await parents(lake, 99);
    const { report, markdown } = await judge(lake, table, {}, { spec, outputs: [staged(customers), staged(table)] });
    const result = resultOf(report, 'orders', 'fk_customers');
    assert.deepEqual([result.state, result.failedRows, result.observed], ['PASS', 1, '99.00 %']);
    assert.match(
      markdown,
      /PASS `orders\.fk_customers`: 99\.00 %, 1 of 100 rows .* By partition: ingestion_dt=2025-10-08 1\./,
    );
  });

  test('are observed alike whether orphans were kept or quarantined', async () => {
    await using lake = await Lake.open();
    const customers = await parents(lake, 6_882);
    const soft = await stageOrders(lake, { [DAY]: goodRows(0, 6_987) });
    const kept = await judge(lake, soft, {}, { spec, outputs: [staged(customers), staged(soft)], runId: 'soft' });
    const quarantine = await lake.file(
      'lake/quarantine/orders.parquet',
      `SELECT 'ORD-' || i AS order_id, 'CUST-' || i AS customer_id, 'customer_id_fk_invalid' AS _reasons, 'quarantined' AS _kind,
              'orders/ingest_dt=${DAY}/part-0000.parquet' AS _source_file, i AS _row_number FROM range(6882, 6987) AS t(i)`,
    );
    const strict = await stageOrders(
      lake,
      { [DAY]: goodRows(0, 6_882) },
      {
        account: account({ output: 6_882, quarantined: 105, byReason: { customer_id_fk_invalid: 105 } }),
        inputs: {
          [`ingest_dt=${DAY}`]: {
            fingerprint: '',
            account: account({ output: 6_882, quarantined: 105, byReason: { customer_id_fk_invalid: 105 } }),
            wrote: [DAY],
          },
        },
        quarantine: [quarantine],
      },
    );
    const removed = await judge(
      lake,
      strict,
      {},
      {
        spec,
        outputs: [staged(customers), staged(strict)],
        strictForeignKeys: true,
        runId: 'strict',
      },
    );
    const [a, b] = [kept.report, removed.report].map((report) => resultOf(report, 'orders', 'fk_customers'));
    assert.deepEqual([a?.state, a?.observed, a?.failedRows, a?.totalRows], ['FAIL', '98.50 %', 105, 6_987]);
    assert.deepEqual([b?.state, b?.observed, b?.failedRows, b?.totalRows], ['FAIL', '98.50 %', 105, 6_987]);
    assert.match(b?.note ?? '', /105 quarantined as customer_id_fk_invalid: ingest_dt=2025-10-08 105\./);
    assert.deepEqual(b?.samples[0], {
      order_id: 'ORD-6882',
      customer_id: 'CUST-•••••',
      source: `orders/ingest_dt=${DAY}/part-0000.parquet`,
    });
    assert.equal(b?.samples.length, 5);
  });

  test('that fail show orphans and rows of every day, whether orphans were kept or quarantined', async () => {
    await using lake = await Lake.open();
    const customers = await parents(lake, 4);
    // Customers 0..3 are known. Two of four orders of the 8th, and the one of the 10th, have none; on the 9th there is no order.
    const soft = await stageOrders(lake, { [DAY]: goodRows(2, 4), '2025-10-10': goodRows(9, 1, '2025-10-10') });
    const kept = await judge(lake, soft, {}, { spec, outputs: [staged(customers), staged(soft)], runId: 'soft' });
    const result = resultOf(kept.report, 'orders', 'fk_customers');
    assert.deepEqual(result.spread, [
      {
        key: 'ingestion_dt',
        of: 'rows that need a parent',
        partitions: [
          { value: DAY, failed: 2, rows: 4 },
          { value: '2025-10-09', failed: 0, rows: 0 },
          { value: '2025-10-10', failed: 1, rows: 1 },
        ],
        others: null,
      },
    ]);
    assert.equal(result.note, '');
    assert.match(
      kept.markdown,
      /Orphans ÷ rows that need a parent, by `ingestion_dt` of 2025:\n\n\| 10-08 \| 10-09 \| 10-10 \|\n.*\n\| 2\/4 \| none \| 1\/1 \|\n/,
    );
    const lenient = pipelineSpec({
      tables: [
        ordersSpec({ foreignKeys: withKey.foreignKeys.map((key) => ({ ...key, minIntegrity: 0.1 })) }),
        customersSpec,
      ],
    });
    const few = await judge(
      lake,
      soft,
      {},
      { spec: lenient, outputs: [staged(customers), staged(soft)], runId: 'few' },
    );
    const passed = resultOf(few.report, 'orders', 'fk_customers');
    assert.deepEqual([passed.state, passed.spread], ['PASS', undefined]);
    assert.equal(passed.note, `By partition: ingestion_dt=${DAY} 2, ingestion_dt=2025-10-10 1.`);
    const accounts = {
      [`ingest_dt=${DAY}`]: account({ output: 2, quarantined: 2, byReason: { customer_id_fk_invalid: 2 } }),
      'ingest_dt=2025-10-09': account({ output: 1, quarantined: 3, byReason: { negative_net_total: 3 } }),
    };
    const strict = await stageOrders(
      lake,
      { [DAY]: goodRows(0, 2) },
      {
        account: account({ output: 3, quarantined: 5, byReason: { customer_id_fk_invalid: 2, negative_net_total: 3 } }),
        inputs: Object.fromEntries(
          Object.entries(accounts).map(([input, own]) => [input, { fingerprint: '', account: own, wrote: [DAY] }]),
        ),
      },
    );
    const outputs = [staged(customers), staged(strict)];
    const removed = await judge(lake, strict, {}, { spec, outputs, strictForeignKeys: true, runId: 'strict' });
    assert.deepEqual(resultOf(removed.report, 'orders', 'fk_customers').spread, [
      {
        key: 'ingest_dt',
        of: 'rows that came in',
        partitions: [
          { value: DAY, failed: 2, rows: 4 },
          { value: '2025-10-09', failed: 0, rows: 4 },
        ],
        others: null,
      },
    ]);
  });

  test('fail where every row was quarantined, and where the parent has no rows yet', async () => {
    await using lake = await Lake.open();
    const none = await stageOrders(
      lake,
      {},
      {
        account: account({ quarantined: 14, byReason: { customer_id_fk_invalid: 14 } }),
      },
    );
    const all = await judge(lake, none, {}, { spec, outputs: [staged(none)], runId: 'none' });
    const result = resultOf(all.report, 'orders', 'fk_customers');
    assert.deepEqual([result.state, result.observed, result.failedRows], ['FAIL', '0.00 %', 14]);
    const table = await stageOrders(lake, { [DAY]: goodRows(0, 4) });
    const empty = await judge(lake, table, {}, { spec, outputs: [staged(table)], runId: 'empty' });
    assert.equal(resultOf(empty.report, 'orders', 'fk_customers').observed, '0.00 %');
    assert.match(resultOf(empty.report, 'orders', 'fk_customers').note, /silver\.customers holds no row\./);
  });

  test('compare a number with a text by its text', async () => {
    await using lake = await Lake.open();
    const numbered = await lake.stage(
      'silver',
      'customers',
      { '': 'SELECT i AS customer_id FROM range(3) AS t(i)' },
      {
        columns: columns('customer_id int64'),
        primaryKey: ['customer_id'],
      },
    );
    const table = await stageOrders(lake, { [DAY]: goodRows(0, 4, DAY, { customer_id: 'i::VARCHAR' }) });
    const { report } = await judge(lake, table, {}, { spec, outputs: [staged(numbered), staged(table)] });
    assert.equal(resultOf(report, 'orders', 'fk_customers').failedRows, 1);
  });
});

describe('declared checks', () => {
  const rows = goodRows(0, 100);
  const measure = async (checks: TableSpec['checks'], query = rows) => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, { [DAY]: query }, { account: account({ output: 100 }) });
    return await judge(lake, table, { checks });
  };
  const above = (value: number, unit: 'rows' | 'percent') => ({ op: '>', value, unit }) as const;

  test('each kind counts its offending rows', async () => {
    const { report } = await measure([
      checkSpec('accepted', { column: 'customer_id', acceptedValues: ['CUST-1', "CUST-'2"] }),
      checkSpec('range', { column: 'items', range: { min: 10, max: 89 } }),
      checkSpec('regex', { column: 'order_id', regex: '^ORD-[0-9]$' }),
      checkSpec('present', { column: 'items', notNull: true }),
      checkSpec('single', { unique: ['customer_id', 'items'] }),
      checkSpec('condition', { sql: 'items >= 97 and net_total > 0' }),
    ]);
    const failed = (id: string) => resultOf(report, 'orders', id).failedRows;
    // accepted: 100 − 1; range: 0..9 and 90..99; regex: ORD-10..99; condition: 97, 98, 99.
    assert.deepEqual(
      ['accepted', 'range', 'regex', 'present', 'single', 'condition'].map(failed),
      [99, 20, 90, 0, 0, 3],
    );
    assert.equal(resultOf(report, 'orders', 'condition').state, 'FAIL');
    assert.deepEqual(resultOf(report, 'orders', 'condition').samples[0], {
      order_id: 'ORD-97',
      net_total: '194.00',
      items: '97',
      ingestion_dt: DAY,
    });
  });

  test('limits decide between warning and failure, by rows or by share', async () => {
    const sql = 'items < 5';
    const { report } = await measure([
      checkSpec('warn_rows', { sql, warnIf: above(4, 'rows'), failIf: above(5, 'rows') }),
      checkSpec('at_limit', { sql, failIf: above(5, 'percent') }),
      checkSpec('above_limit', { sql, failIf: above(4.9, 'percent') }),
      checkSpec('only_warn', { sql, warnIf: above(0, 'rows') }),
    ]);
    const state = (id: string) => resultOf(report, 'orders', id).state;
    assert.deepEqual(['warn_rows', 'at_limit', 'above_limit', 'only_warn'].map(state), [
      'WARN',
      'PASS',
      'FAIL',
      'WARN',
    ]);
    assert.equal(resultOf(report, 'orders', 'at_limit').observed, '5.00 %');
    assert.equal(resultOf(report, 'orders', 'only_warn').severity, 'warn');
    assert.equal(resultOf(report, 'orders', 'warn_rows').expected, '≤ 4 rows (FAIL if > 5 rows)');
  });

  test('one that cannot run blocks with its place in the spec, and the others are still measured', async () => {
    const { report, thrown } = await measure([
      checkSpec('misspelt', { sql: 'itemz > 3' }),
      checkSpec('no_column', { column: 'colour', notNull: true }),
      checkSpec('bad_pattern', { column: 'order_id', regex: '(' }),
      checkSpec('sound', { sql: 'items > 98' }),
    ]);
    assert.equal((thrown as { code?: string }).code, 'gate_undecided');
    assert.deepEqual(
      [...report.decision.blockedBy].sort(),
      ['bad_pattern', 'misspelt', 'no_column', 'sound'].map((id) => `silver.orders.${id}`),
    );
    assert.match(resultOf(report, 'orders', 'no_column').note, /^specs\/shop\/tables\.yml:7: /);
    assert.equal(resultOf(report, 'orders', 'sound').failedRows, 1);
    assert.equal(resultOf(report, 'orders', 'pk_unique').state, 'PASS');
  });

  test('over no rows are not evaluated', async () => {
    await using lake = await Lake.open();
    const table = await stageOrders(lake, {}, { account: account({ quarantined: 3 }) });
    const { report } = await judge(lake, table, { checks: [checkSpec('sound', { sql: 'items > 98' })] });
    assert.equal(resultOf(report, 'orders', 'sound').state, 'NOT EVALUATED');
  });
});

describe('the handler', () => {
  const broken = async (lake: Lake) =>
    stageOrders(lake, { [DAY]: `${goodRows(0, 5)} UNION ALL ${goodRows(3, 1)}` }, { account: account({ output: 6 }) });

  test('in strict mode throws after the report is written, and says what readers still see', async () => {
    await using lake = await Lake.open();
    const table = await broken(lake);
    const { markdown, report, thrown } = await judge(
      lake,
      table,
      {},
      {
        mode: 'strict',
        publications: [publication('silver', 9, [])],
      },
    );
    assert.ok(thrown instanceof GateFailedError);
    assert.equal(thrown.report.decision.mayPublish, false);
    assert.match(thrown.message, /silver\.orders\.pk_unique/);
    assert.equal(report.currentPublication, 9);
    assert.match(
      markdown,
      /^# SILVER\\?_QUALITY · shop · 2025-10-08 · FAIL, not published\n\n\*\*Readers still see publication 9\.\*\*/,
    );
  });

  test('in warning-only mode goes on with the same verdict', async () => {
    await using lake = await Lake.open();
    const { output, report, thrown } = (await judge(lake, await broken(lake))) as Awaited<ReturnType<typeof validate>>;
    assert.equal(thrown, null);
    assert.equal(report.decision.verdict, 'FAIL');
    assert.equal(output?.kind === 'report' && output.report.decision.mayPublish, true);
  });

  test('refuses a table that no task has staged', async () => {
    await using lake = await Lake.open();
    const { report, thrown } = await validate(lake, {
      spec: pipelineSpec({ tables: [ordersSpec()] }),
      layer: 'silver',
      tables: ['orders'],
      outputs: [],
    });
    assert.deepEqual(report.decision.blockedBy, ['silver.orders.staged']);
    assert.equal((thrown as { code?: string }).code, 'gate_undecided');
  });

  test('writes the same bytes for the same data under another run', async () => {
    await using lake = await Lake.open();
    const table = await broken(lake);
    const first = await judge(lake, table, {}, { runId: 'manual__1' });
    const second = await judge(lake, table, {}, { runId: 'manual__2' });
    assert.equal(first.markdown, second.markdown);
    assert.deepEqual(first.report, second.report);
    assert.ok(!first.markdown.includes('manual__'));
  });

  test('compares with the interval before, also when it or a newer one has run since', async () => {
    await using lake = await Lake.open();
    const sound = await stageOrders(lake, { [DAY]: goodRows(0, 5) }, { account: account({ output: 5 }) });
    const on = (table: StagedTable, firstDay: string, runId: string) =>
      judge(lake, table, {}, { firstDay, runId, mode: 'strict' });
    const first = await on(sound, '2025-10-08', 'day8');
    assert.equal(first.report.since?.kind, 'nothing_before');
    const other = '2025-10-07';
    const twice = `${goodRows(0, 5, other)} UNION ALL ${goodRows(3, 1, other)}`;
    const bad = await stageOrders(lake, { [other]: twice }, { account: account({ output: 6 }) });
    const second = await on(bad, '2025-10-09', 'day9');
    assert.ok(second.report.since?.kind === 'compared');
    assert.deepEqual(second.report.since.interval, { from: '2025-10-08', to: '2025-10-08' });
    assert.deepEqual(second.report.since.newFailures, ['silver.orders.pk_unique']);
    assert.equal(second.report.rerun, 'assay run shop_daily --date 2025-10-09');
    const third = await on(bad, '2025-10-10', 'day10');
    assert.match(
      third.markdown,
      /## Since 2025-10-09 \(FAIL, not published\)\nNew failures 0 · fixed 0 · still failing 1 ·/,
    );
    for (const [day, table, earlier] of [
      ['2025-10-08', sound, first],
      ['2025-10-09', bad, second],
      ['2025-10-10', bad, third],
    ] as const) {
      const again = await on(table, day, `again-${day}`);
      assert.equal(again.markdown, earlier.markdown);
      assert.deepEqual(again.report, earlier.report);
    }
  });

  test('says what is made of a table that fails', async () => {
    await using lake = await Lake.open();
    const spec = pipelineSpec({
      tables: [ordersSpec()],
      transforms: [transformSpec('int_sales', { dependsOn: ['orders'] })],
      marts: [martSpec('fct_sales', { inputs: [{ layer: 'enriched', table: 'int_sales' }] })],
    });
    const { markdown } = await judge(lake, await broken(lake), {}, { spec });
    assert.match(markdown, /\n\*\*Hit downstream:\*\* `enriched\.int_sales` · `gold\.fct_sales`\n/);
  });

  test('says which tables could be held so that the others pass, and whether all may be accepted', async () => {
    await using lake = await Lake.open();
    const itemsSpec = ordersSpec({ name: 'items' });
    const items = await lake.stage(
      'silver',
      'items',
      { [DAY]: goodRows(0, 5) },
      { columns: COLUMNS, primaryKey: ['order_id'], partitionKey: 'ingestion_dt', account: account({ output: 5 }) },
    );
    const orders = await broken(lake);
    const remedies = async (runId: string, rest: Partial<ValidateRequest> = {}) => {
      const { report } = await validate(lake, {
        spec: pipelineSpec({ tables: [ordersSpec(), itemsSpec] }),
        layer: 'silver',
        tables: ['orders', 'items'],
        outputs: [staged(orders), staged(items)],
        mode: 'strict',
        runId,
        ...rest,
      });
      return report.remedies;
    };
    assert.deepEqual(await remedies('one'), { accept: true, hold: ['orders'] });
    assert.deepEqual(await remedies('all', { tables: ['orders'] }), { accept: true, hold: [] });
    // A table that nobody has staged was not measured: it can be held, not accepted.
    assert.deepEqual(await remedies('unbuilt', { outputs: [staged(items)] }), { accept: false, hold: ['orders'] });
    // Without `orders`, more than five percent of the rest are still quarantined.
    const dirty = { ...items, account: account({ output: 5, quarantined: 5 }) };
    const lenient = ordersSpec({ name: 'items', quality: { ...QUALITY, sla: 0, maxQuarantinePct: 100 } });
    const outputs = [staged(orders), staged(dirty)];
    const spec = pipelineSpec({ tables: [ordersSpec(), lenient] });
    assert.deepEqual(await remedies('limit', { outputs, spec }), { accept: true, hold: [] });
    assert.equal(await remedies('open', { mode: 'warning-only' }), undefined);
  });
});
