/** Base silver over small lakes: reasons, keys over the whole table, copy on write, reruns, and what is remembered. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BaseLake, column, foreignKey, rule, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

type Value = string | number | null;

/** SELECT of rows given by column names and values; lineage says they came in the morning after `day`. */
function rows(day: string, names: readonly string[], ...values: readonly (readonly Value[])[]): string {
  const sql = (value: Value) => (value === null ? 'NULL' : typeof value === 'number' ? String(value) : `'${value}'`);
  const [year, month, date] = day.split('-').map(Number);
  const next = `${year}-${month}-${String((date ?? 0) + 1).padStart(2, '0')}T02:15:00+00:00`;
  return values
    .map((row) => {
      const cells = names.map((name, index) => `${sql(row[index] ?? null)} AS ${name}`);
      return `SELECT ${cells.join(', ')}, 'batch_${day}' AS batch_id, '${next}' AS ingestion_ts, 'evt_${row[0]}' AS event_id, 'src' AS source_file`;
    })
    .join(' UNION ALL ');
}

const D8 = '2025-10-08';
const D9 = '2025-10-09';
const D10 = '2025-10-10';
const key = (table: string, day: string, part = 0) => `${table}/ingest_dt=${day}/part-000${part}.parquet`;

const orders = tableSpec('orders', {
  columns: [
    column('id', 'string', { required: true }),
    column('customer_id', 'string', { required: true }),
    column('placed', 'timestamp', { required: true, missingReason: 'invalid_placed', invalidReason: 'invalid_placed' }),
    column('gross', 'decimal(18,2)', { required: true }),
    column('net', 'decimal(18,2)'),
    column('items', 'int64'),
    column('placed_dt', 'date', { expr: 'date(placed)' }),
  ],
  rules: [rule('negative_gross', 'gross < 0'), rule('net_exceeds_gross', 'net > gross')],
  duplicateReason: 'duplicate_order_id',
});
const NAMES = ['id', 'customer_id', 'placed', 'gross', 'net', 'items'];
const good = (id: string, gross = '10.00', customer = 'c1'): Value[] => [
  id,
  customer,
  '2025-10-08 10:00:00',
  gross,
  '0.5',
  '1',
];

describe('reasons', () => {
  test('every reason of a row stands in the order of columns, then rules; valid rows go out', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(
      key('orders', D8),
      rows(
        D8,
        NAMES,
        good('o1'),
        [null, ' ', 'soon', '-1', '5', 'x'],
        ['o3', 'c', null, 'abc', null, null],
        ['o4', 'c', '2025-10-08', '-2', '-3', null],
        ['o5', 'c', '2025-10-08', '1.00', '1.01', null],
        [null, null, null, null, null, null],
      ),
    );
    const { orders: staged } = await lake.build(specOf([orders]), D8);
    assert.ok(staged);
    assert.deepEqual(
      (await lake.quarantined(staged, '_row_number, _reasons')).map((row) => [row._row_number, row._reasons]),
      [
        [2, 'missing_id | missing_customer_id | invalid_placed | negative_gross | net_exceeds_gross'],
        [3, 'invalid_placed | invalid_gross'],
        [4, 'negative_gross'],
        [5, 'net_exceeds_gross'],
        [6, 'missing_id | missing_customer_id | invalid_placed | missing_gross'],
      ],
    );
    assert.deepEqual(staged.account, {
      input: 6,
      output: 1,
      quarantined: 5,
      duplicates: 0,
      filtered: 0,
      replaced: 0,
      byReason: {
        invalid_gross: 1,
        invalid_placed: 3,
        missing_customer_id: 2,
        missing_gross: 1,
        missing_id: 2,
        negative_gross: 2,
        net_exceeds_gross: 2,
      },
    });
  });

  test('a bad cast in an optional column is null and counted, unless the spec gives it a reason', async () => {
    await using lake = await BaseLake.open();
    const table = (invalidReason: string | null) => ({
      ...orders,
      columns: orders.columns.map((one) => (one.name === 'items' ? { ...one, invalidReason } : one)),
    });
    const bad = ['o2', 'c', '2025-10-08', '1', null, 'many'];
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1'), bad, [null, 'c', D8, '1', null, 'few']));
    const counted = (await lake.build(specOf([table(null)]), D8)).orders;
    assert.deepEqual(counted?.buildCounts, { cast_items: 1 });
    assert.equal(counted?.account.output, 2);
    const held = (await lake.build(specOf([table('invalid_items')]), D8)).orders;
    assert.deepEqual(held?.account.byReason, { invalid_items: 2, missing_id: 1 });
    assert.deepEqual(held?.buildCounts, {});
  });

  test('a row of nothing but nulls is quarantined also where nothing is required', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', { columns: [column('id', 'int64'), column('v', 'string')] });
    await lake.writeBronze(key('t', D8), rows(D8, ['id', 'v'], [null, 'x'], [null, 'n/a'], [1, null]));
    const { t } = await lake.build(specOf([table]), D8);
    assert.deepEqual(t?.account.byReason, { all_fields_null: 1 });
    assert.equal(t?.account.output, 2);
  });

  test('a row without a partition value is quarantined for that, if for nothing else', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', {
      partitionKey: 'day',
      columns: [column('id', 'int64', { required: true }), column('day', 'date')],
    });
    await lake.writeBronze(key('t', D8), rows(D8, ['id', 'day'], [1, D8], [2, null], [null, null], [4, 'never']));
    const { t } = await lake.build(specOf([table]), D8);
    assert.deepEqual(t?.account.byReason, { missing_day: 2, missing_id: 1 });
    assert.deepEqual(
      t?.partitions.map(({ value }) => value),
      [D8],
    );
  });

  test('quarantined rows keep their raw values, place and kind', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(
      key('orders', D8),
      rows(D8, NAMES, good(' o1 '), good('o1'), ['o2', 'c', '??', '1', null, null]),
    );
    const { orders: staged } = await lake.build(specOf([orders]), D8);
    assert.ok(staged);
    const [file] = staged.quarantine;
    assert.equal(file?.key.endsWith('/orders/part-00000.parquet'), true);
    const held = await lake.quarantined(
      staged,
      'id, placed, _kind, _reasons, _bronze_partition, _source_file, _row_number',
    );
    assert.deepEqual(held, [
      {
        id: ' o1 ',
        placed: '2025-10-08 10:00:00',
        _kind: 'duplicate',
        _reasons: 'duplicate_order_id',
        _bronze_partition: `ingest_dt=${D8}`,
        _source_file: key('orders', D8),
        _row_number: 1,
      },
      {
        id: 'o2',
        placed: '??',
        _kind: 'quarantined',
        _reasons: 'invalid_placed',
        _bronze_partition: `ingest_dt=${D8}`,
        _source_file: key('orders', D8),
        _row_number: 3,
      },
    ]);
  });

  test('where every row goes out no quarantine is written', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1')));
    assert.deepEqual((await lake.build(specOf([orders]), D8)).orders?.quarantine, []);
  });
});

describe('silver rows', () => {
  test('columns are those declared, then the day they came in and lineage, in key order', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o2'), good('o1')));
    const { orders: staged } = await lake.run(specOf([orders]), D8);
    assert.deepEqual(
      staged?.columns.slice(-6).map(({ name, type }) => `${name} ${type}`),
      [
        'ingestion_dt date',
        'batch_id string',
        'ingestion_ts timestamp',
        'event_id string',
        'source_file string',
        'bronze_partition string',
      ],
    );
    const [first, second] = await lake.silver('orders', '* EXCLUDE (placed), CAST(placed AS VARCHAR) AS placed', 'id');
    assert.deepEqual(first, {
      id: 'o1',
      customer_id: 'c1',
      gross: '10.00',
      net: '0.50',
      items: 1,
      placed_dt: D8,
      ingestion_dt: D8,
      batch_id: `batch_${D8}`,
      ingestion_ts: '2025-10-09 02:15:00+00',
      event_id: 'evt_o1',
      source_file: 'src',
      bronze_partition: `ingest_dt=${D8}`,
      placed: '2025-10-08 10:00:00+00',
    });
    assert.equal(second?.id, 'o2');
  });

  test('without ingest_dt the day is that of ingestion_ts', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', {
      columns: [column('id', 'int64', { required: true }), column('kind', 'string', { clean: 'lower' })],
      source: { ...orders.source, table: 't', partitionKey: 'kind', select: 'changed' },
    });
    await lake.writeBronze('t/kind=A%20b/part-0.parquet', rows(D8, ['id', 'kind'], [1, ' a B'], [2, 'Other']));
    const { t } = await lake.run(specOf([table]), D10);
    assert.deepEqual(await lake.silver('t', 'id, kind, ingestion_dt', 'id'), [
      { id: 1, kind: 'a b', ingestion_dt: D9 },
      { id: 2, kind: 'a b', ingestion_dt: D9 },
    ]);
    assert.deepEqual(t?.buildCounts, { partition_disagrees: 1 });
  });

  test('the same bronze gives the same bytes', async () => {
    await using lake = await BaseLake.open();
    const many = Array.from({ length: 500 }, (_, n) => good(`o${(n * 7) % 500}`, n % 9 === 0 ? '-1' : '12.50'));
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, ...many));
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, ...many.slice(0, 50)));
    const files = async () => {
      const { orders: staged } = await lake.build(specOf([orders]), D8, D9);
      return [...(staged?.partitions ?? []).flatMap((p) => p.files), ...(staged?.quarantine ?? [])].map(
        (f) => f.crc32c,
      );
    };
    const first = await files();
    assert.equal(first.length, 3);
    assert.deepEqual(await files(), first);
  });
});

describe('keys', () => {
  test('of equal keys the newest valid row wins, then the later event id, then the first place', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', {
      columns: [column('id', 'int64', { required: true }), column('v', 'int64')],
      rules: [rule('bad', 'v < 0')],
    });
    const row = (id: number, v: number, ts: string, event: string) =>
      `SELECT ${id} AS id, ${v} AS v, '${ts}' AS ingestion_ts, '${event}' AS event_id`;
    await lake.writeBronze(
      key('t', D8, 1),
      [row(3, 31, 'T1', 'e'), row(1, 11, '2025-10-09T01:00:00Z', 'e'), row(1, -1, '2025-10-09T09:00:00Z', 'e')].join(
        ' UNION ALL ',
      ),
    );
    await lake.writeBronze(
      key('t', D8, 0),
      [
        row(1, 12, '2025-10-09T02:00:00+01:30', 'z'),
        row(2, 21, '2025-10-09T01:00:00Z', 'a'),
        row(2, 22, '2025-10-09T01:00:00Z', 'b'),
        row(3, 32, 'T2', 'e'),
        row(3, 33, 'T2', 'e'),
      ].join(' UNION ALL '),
    );
    const { t } = await lake.run(specOf([table]), D8);
    // 1: 01:00Z is later than 02:00+01:30; the newest row is invalid and hides nothing. 3: no time at all, so file, then row.
    assert.deepEqual(await lake.silver('t', 'id, v', 'id'), [
      { id: 1, v: 11 },
      { id: 2, v: 22 },
      { id: 3, v: 32 },
    ]);
    assert.deepEqual(t?.account.byReason, { bad: 1, duplicate_t: 4 });
  });

  test('null parts of a key are equal to each other', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', {
      primaryKey: ['id', 'added'],
      columns: [column('id', 'int64', { required: true }), column('added', 'timestamp')],
    });
    await lake.writeBronze(key('t', D8), rows(D8, ['id', 'added'], [1, null], [1, null], [1, D8], [2, null]));
    await lake.writeBronze(key('t', D9), rows(D9, ['id', 'added'], [2, null]));
    const { t } = await lake.run(specOf([table]), D8);
    assert.deepEqual([t?.account.output, t?.account.duplicates], [3, 1]);
    const next = await lake.run(specOf([table]), D9);
    assert.equal(next.t?.account.replaced, 1);
    assert.equal((await lake.silver('t')).length, 3);
  });

  test('a newer row of a later day takes the older one out of its partition, and nothing else', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([orders]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1', '1'), good('o2', '2')));
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o3', '3')));
    await lake.run(spec, D8, D9);
    await lake.writeBronze(key('orders', D10), rows(D10, NAMES, good('o1', '11'), good('o4', '4')));
    const { orders: staged } = await lake.run(spec, D10);
    assert.deepEqual(
      staged?.partitions.map(({ value, rows }) => [value, rows]),
      [
        [D8, 1],
        [D10, 2],
      ],
    );
    assert.equal(staged?.account.replaced, 1);
    assert.equal(staged?.account.output, 2);
    assert.deepEqual(await lake.silver('orders', 'id, gross, bronze_partition', 'id'), [
      { id: 'o1', gross: '11.00', bronze_partition: `ingest_dt=${D10}` },
      { id: 'o2', gross: '2.00', bronze_partition: `ingest_dt=${D8}` },
      { id: 'o3', gross: '3.00', bronze_partition: `ingest_dt=${D9}` },
      { id: 'o4', gross: '4.00', bronze_partition: `ingest_dt=${D10}` },
    ]);
  });

  test('a partition that loses its last row is removed; an older delivery that comes late is a duplicate', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([orders]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1', '1')));
    await lake.run(spec, D8);
    await lake.writeBronze(key('orders', D10), rows(D10, NAMES, good('o1', '3')));
    const { orders: newer } = await lake.run(spec, D10);
    assert.deepEqual(newer?.removed, [D8]);
    assert.deepEqual(
      newer?.partitions.map(({ value }) => value),
      [D10],
    );
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o1', '2')));
    const { orders: late } = await lake.run(spec, D9);
    assert.deepEqual([late?.account.output, late?.account.duplicates, late?.partitions], [0, 1, []]);
    assert.deepEqual(await lake.silver('orders', 'gross'), [{ gross: '3.00' }]);
  });

  test('a partition delivered again replaces what silver has of it', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([orders]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1', '1'), good('o2', '2')));
    await lake.run(spec, D8);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o2', '22'), good('o3', '3'), good('o3', '4')));
    const { orders: staged } = await lake.run(spec, D8);
    assert.deepEqual([staged?.account.output, staged?.account.duplicates, staged?.account.replaced], [2, 1, 0]);
    assert.deepEqual(await lake.silver('orders', 'id, gross', 'id'), [
      { id: 'o2', gross: '22.00' },
      { id: 'o3', gross: '3.00' },
    ]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o2', '-1')));
    const { orders: empty } = await lake.run(spec, D8);
    assert.deepEqual(empty?.removed, [D8]);
    assert.deepEqual(await lake.silver('orders'), []);
  });

  test('a known key with another identity is a collision, and never overwrites', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([{ ...orders, identity: ['customer_id'] }]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1', '1', 'ann'), good('o2', '2', 'bob')));
    await lake.run(spec, D8);
    await lake.writeBronze(
      key('orders', D9),
      `${rows(D9, NAMES, good('o1', '11', 'eve'), good('o1', '12', 'ann'), good('o3', '3', 'cem'))}
       UNION ALL ${rows(D10, NAMES, good('o3', '33', 'dan'))}`,
    );
    const { orders: staged } = await lake.run(spec, D9);
    assert.ok(staged);
    // o1 is Ann's since the 8th; o3 is Cem's, because his row came first, although Dan's is newer.
    assert.deepEqual(staged.account.byReason, { key_collision: 2 });
    assert.equal(staged.account.replaced, 1);
    assert.deepEqual(await lake.silver('orders', 'id, customer_id, gross', 'id'), [
      { id: 'o1', customer_id: 'ann', gross: '12.00' },
      { id: 'o2', customer_id: 'bob', gross: '2.00' },
      { id: 'o3', customer_id: 'cem', gross: '3.00' },
    ]);
    assert.deepEqual(
      (await lake.quarantined(staged, 'customer_id')).map((row) => row.customer_id),
      ['eve', 'dan'],
    );
  });
});

describe('foreign keys', () => {
  const customers = tableSpec('customers', { columns: [column('id', 'string', { required: true })] });
  const items = tableSpec('items', {
    columns: [column('id', 'int64', { required: true }), column('order_id', 'string'), column('customer_id', 'string')],
    foreignKeys: [foreignKey('order_id', 'orders.id'), foreignKey('customer_id', 'customers.id', 'GUEST-%')],
    rules: [rule('bad_id', 'id < 0')],
  });

  test('strict mode quarantines rows whose parent is neither published nor staged by this run', async () => {
    await using lake = await BaseLake.open({ strictForeignKeys: true });
    const spec = specOf([customers, orders, items]);
    await lake.writeBronze(key('customers', D8), rows(D8, ['id'], ['c1']));
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1')));
    await lake.run(spec, D8);
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o2'), good('o3', '-5')));
    await lake.writeBronze(
      key('items', D9),
      rows(
        D9,
        ['id', 'order_id', 'customer_id'],
        [1, 'o1', 'c1'],
        [2, 'o2', 'GUEST-7'],
        [3, 'o3', 'c1'],
        [4, null, null],
        [5, 'o9', 'c9'],
        [-6, 'o9', 'c1'],
      ),
    );
    const { items: staged } = await lake.run(spec, D9);
    assert.ok(staged);
    assert.deepEqual(
      (await lake.quarantined(staged, 'id, _reasons')).map((row) => `${row.id}: ${row._reasons}`),
      ['3: order_fk_invalid', '5: order_fk_invalid | customer_fk_invalid', '-6: bad_id | order_fk_invalid'],
    );
    assert.equal(staged.account.output, 3);
  });

  test('soft mode lets orphans pass', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(key('items', D8), rows(D8, ['id', 'order_id', 'customer_id'], [1, 'o1', 'c1']));
    assert.equal((await lake.build(specOf([customers, orders, items]), D8)).items?.account.output, 1);
  });

  test('a table may refer to itself: parents are its valid rows, old and new, and orphans take their children along', async () => {
    await using lake = await BaseLake.open({ strictForeignKeys: true });
    const staff = tableSpec('staff', {
      columns: [column('id', 'int64', { required: true }), column('boss_id', 'int64')],
      foreignKeys: [foreignKey('boss_id', 'staff.id')],
      rules: [rule('bad_id', 'id > 90')],
    });
    await lake.writeBronze(key('staff', D8), rows(D8, ['id', 'boss_id'], [1, null], [2, 1]));
    await lake.run(specOf([staff]), D8);
    await lake.writeBronze(
      key('staff', D9),
      rows(D9, ['id', 'boss_id'], [3, 2], [4, 3], [5, 77], [6, 5], [7, 6], [99, 1], [8, 99]),
    );
    const { staff: staged } = await lake.run(specOf([staff]), D9);
    assert.deepEqual(await lake.silver('staff', 'id', 'id'), [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]);
    assert.deepEqual(staged?.account.byReason, { bad_id: 1, boss_fk_invalid: 4 });
  });

  test('an orphan never wins over a sound row of the same key', async () => {
    await using lake = await BaseLake.open({ strictForeignKeys: true });
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1')));
    await lake.writeBronze(
      key('items', D8),
      `${rows(D8, ['id', 'order_id', 'customer_id'], [1, 'o1', null])} UNION ALL ${rows(D9, ['id', 'order_id', 'customer_id'], [1, 'lost', null])}`,
    );
    const { items: staged } = await lake.run(specOf([customers, orders, items]), D8);
    assert.deepEqual(staged?.account.byReason, { order_fk_invalid: 1 });
    assert.deepEqual(await lake.silver('items', 'order_id'), [{ order_id: 'o1' }]);
  });
});

describe('reruns', () => {
  test('a rerun of built partitions writes nothing and reports the same account, counts and quarantine', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([orders]);
    await lake.writeBronze(
      key('orders', D8),
      rows(D8, NAMES, good('o1'), good('o1'), ['o2', 'c', D8, '1', null, 'x'], good('o3', '-1')),
    );
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o4')));
    const first = (await lake.run(spec, D8, D9)).orders;
    const again = (await lake.run(spec, D8, D9)).orders;
    assert.ok(first && again);
    assert.equal(again.unchanged, true);
    for (const part of ['account', 'buildCounts', 'quarantine', 'partitions', 'columns', 'inputs', 'state'] as const) {
      assert.deepEqual(again[part], first[part], part);
    }
    const one = (await lake.run(spec, D8)).orders;
    assert.deepEqual([one?.account.input, one?.account.output, one?.partitions.length], [4, 2, 1]);
    assert.deepEqual(one?.buildCounts, { cast_items: 1 });
  });

  test('of two pinned partitions only the changed one is read; the account covers both', async () => {
    await using lake = await BaseLake.open();
    const spec = specOf([orders]);
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1'), good('o2', '-1')));
    await lake.run(spec, D8);
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o3'), good('o4', '-1')));
    const { orders: staged } = await lake.run(spec, D8, D9);
    assert.equal(staged?.unchanged, false);
    assert.deepEqual(
      staged?.partitions.map(({ value }) => value),
      [D9],
    );
    assert.deepEqual([staged?.account.input, staged?.account.output, staged?.account.quarantined], [4, 2, 2]);
    assert.deepEqual(Object.keys(staged?.inputs ?? {}), [`ingest_dt=${D8}`, `ingest_dt=${D9}`]);
    assert.equal(staged?.quarantine.length, 2);
  });

  test('a change of the table’s logic rebuilds the pinned days, and the others when they are run again', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(key('orders', D8), rows(D8, NAMES, good('o1', '100'), good('o2', '5')));
    await lake.writeBronze(key('orders', D9), rows(D9, NAMES, good('o3', '100'), good('o4', '5')));
    await lake.run(specOf([orders]), D8, D9);
    const stricter = specOf([{ ...orders, rules: [...orders.rules, rule('too_much', 'gross > 50')] }]);
    const second = (await lake.run(stricter, D9)).orders;
    assert.deepEqual(second?.account.byReason, { too_much: 1 });
    assert.deepEqual(
      (await lake.silver('orders', 'id', 'id')).map((row) => row.id),
      ['o1', 'o2', 'o4'],
    );
    const first = (await lake.run(stricter, D8)).orders;
    assert.equal(first?.unchanged, false);
    assert.deepEqual(
      (await lake.silver('orders', 'id', 'id')).map((row) => row.id),
      ['o2', 'o4'],
    );
  });

  test('a table with nothing pinned stages nothing, with an account of zero', async () => {
    await using lake = await BaseLake.open();
    const { orders: staged } = await lake.run(specOf([orders]), D8);
    assert.deepEqual([staged?.unchanged, staged?.partitions, staged?.account.input], [true, [], 0]);
    assert.equal(staged?.columns.length, 13);
  });
});

describe('columns that bronze lacks or adds', () => {
  test('a missing optional column is null and counted; an undeclared one is counted and not read', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(
      key('orders', D8),
      rows(
        D8,
        ['id', 'customer_id', 'placed', 'gross', 'extra', 'more'],
        ['o1', 'c', D8, '1', 'x', 'y'],
        ['o2', 'c', D8, '2', 'x', 'y'],
      ),
    );
    const { orders: staged } = await lake.run(specOf([orders]), D8);
    assert.deepEqual(staged?.buildCounts, { missing_column_items: 2, missing_column_net: 2, undeclared_columns: 2 });
    assert.deepEqual(await lake.silver('orders', 'id, net, items', 'id'), [
      { id: 'o1', net: null, items: null },
      { id: 'o2', net: null, items: null },
    ]);
  });

  test('files of one run may hold a column as text, number, untyped null, or not at all', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t', {
      columns: [column('id', 'int64', { required: true }), column('v', 'decimal(18,2)')],
    });
    const of = (id: number, v: string) => `SELECT ${id} AS id${v === '' ? '' : `, ${v} AS v`}`;
    await lake.writeBronze(key('t', D8, 0), of(1, "' 1.50 '"));
    await lake.writeBronze(key('t', D8, 1), of(2, '2.499::DOUBLE'));
    await lake.writeBronze(key('t', D8, 2), of(3, 'NULL'));
    await lake.writeBronze(key('t', D8, 3), of(4, ''));
    await lake.writeBronze(key('t', D8, 4), `SELECT 5::DOUBLE AS ID, 7::BIGINT AS "V"`);
    const { t } = await lake.run(specOf([table]), D8);
    assert.deepEqual(await lake.silver('t', 'id, v', 'id'), [
      { id: 1, v: '1.50' },
      { id: 2, v: '2.50' },
      { id: 3, v: null },
      { id: 4, v: null },
      { id: 5, v: '7.00' },
    ]);
    assert.deepEqual(t?.buildCounts, { missing_column_v: 1 });
  });

  test('a table without declared columns takes them from bronze, and its key must be there', async () => {
    await using lake = await BaseLake.open();
    const table = tableSpec('t');
    await lake.writeBronze(
      key('t', D8),
      `SELECT 1 AS id, ' a ' AS name, 1.5::DOUBLE AS score, DATE '2025-10-01' AS day, true AS ok, 'b' AS batch_id
       UNION ALL SELECT NULL, 'n/a', 2.5, NULL, false, 'b'`,
    );
    const { t } = await lake.run(specOf([table]), D8);
    assert.deepEqual(
      t?.columns.slice(0, 5).map(({ name, type }) => `${name} ${type}`),
      [...['id int64', 'name string', 'score float64', 'day date', 'ok bool']],
    );
    assert.deepEqual(t?.account.byReason, { missing_id: 1 });
    assert.deepEqual(await lake.silver('t', 'id, name, score, day, ok, batch_id'), [
      { id: 1, name: 'a', score: 1.5, day: '2025-10-01', ok: true, batch_id: 'b' },
    ]);
    await lake.writeBronze(key('t', D9), "SELECT 2::DOUBLE AS id, 'b' AS name, 3::DOUBLE AS score, 'new' AS added");
    await lake.run(specOf([table]), D9);
    assert.deepEqual(await lake.silver('t', 'id, score, added', 'id'), [
      { id: 1, score: 1.5, added: null },
      { id: 2, score: 3, added: 'new' },
    ]);
  });
});
