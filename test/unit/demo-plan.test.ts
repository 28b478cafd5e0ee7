/** Where the dirt goes, and what each run must find of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TABLE_NAMES, type TableName } from '../../demo/bronze-tables.ts';
import { choosePlaces, type SoundRows } from '../../demo/choose-places.ts';
import { type DemoPlan, parseDemoPlan, plantedFor, renderDemoPlan } from '../../demo/demo-plan.ts';

const [D1, D2, D3] = ['2025-10-01', '2025-10-02', '2025-10-03'] as const;

function planOf(planted: DemoPlan['tables']['orders']['planted']): DemoPlan {
  const empty = { rows: {}, planted: [] };
  const tables = Object.fromEntries(TABLE_NAMES.map((table) => [table, empty])) as unknown as DemoPlan['tables'];
  return {
    formatVersion: 1,
    firstDay: D1,
    lastDay: D3,
    days: 3,
    ordersPerDay: 10,
    seed: 1,
    tables: { ...tables, orders: { rows: { [D1]: 10, [D2]: 20, [D3]: 30 }, planted } },
  };
}

describe('what a run must find', () => {
  const plan = planOf([
    { kind: 'quarantined', reasons: ['negative_gross_total', 'negative_net_total'], day: D1, rows: 2 },
    { kind: 'quarantined', reasons: ['negative_net_total'], day: D3, rows: 1 },
    { kind: 'duplicate', reason: 'duplicate_order_id', firstDay: D2, day: D2, rows: 3 },
    { kind: 'duplicate', reason: 'duplicate_order_id', firstDay: D2, day: D3, rows: 4 },
    { kind: 'orphan', foreignKey: 'fk_customer', day: D3, rows: 5 },
    { kind: 'bad_cast', check: 'cast_x', day: D2, rows: 1 },
    { kind: 'late', day: D3, rows: 6 },
  ]);

  test('in one run over everything all second deliveries are duplicates', () => {
    assert.deepEqual(plantedFor(plan, 'orders', D1, D3), {
      input: 60,
      output: 60 - 3 - 7,
      quarantined: 3,
      duplicates: 7,
      replaced: 0,
      byReason: { duplicate_order_id: 7, negative_gross_total: 2, negative_net_total: 3 },
      orphans: { fk_customer: 5 },
      badCasts: { cast_x: 1 },
      late: 6,
    });
  });

  test('in a later run a row that an earlier one published is replaced instead', () => {
    const { orphans, badCasts, late, ...last } = plantedFor(plan, 'orders', D3, D3);
    assert.deepEqual(last, {
      input: 30,
      output: 29,
      quarantined: 1,
      duplicates: 0,
      replaced: 4,
      byReason: { negative_net_total: 1 },
    });
    assert.deepEqual([orphans, badCasts, late], [{ fk_customer: 5 }, {}, 6]);
  });

  test('a plan survives the way to disk and back, and other text is refused', () => {
    assert.deepEqual(parseDemoPlan(renderDemoPlan(plan), 'p'), plan);
    for (const text of ['', '{}', 'null', '{"formatVersion": 2}']) {
      assert.throws(() => parseDemoPlan(text, 'data/demo-plan.json'), /data\/demo-plan\.json is no plan of a demo/);
    }
  });
});

describe('where faults are planted', () => {
  const sound = (rowsPerDay: number, days: number): SoundRows => {
    const each = (table: TableName): ReadonlyMap<number, number> =>
      new Map(
        Array.from({ length: table === 'customers' || table === 'product_catalog' ? 1 : days }, (_, day) => [
          day,
          rowsPerDay,
        ]),
      );
    return Object.fromEntries(TABLE_NAMES.map((table) => [table, each(table)])) as SoundRows;
  };

  test('no sound row serves twice, and none is asked for that is not there', () => {
    for (const [rows, days] of [
      [500, 14],
      [30, 5],
      [3, 2],
      [1, 1],
    ] as const) {
      const used = new Set<string>();
      for (const { fault, fromDay, fromRow, day } of choosePlaces(rows * days, days, sound(rows, days))) {
        const key = `${fault.table} ${fromDay} ${fromRow}`;
        assert.ok(!used.has(key), key);
        used.add(key);
        assert.ok(fromRow >= 1 && fromRow <= rows);
        assert.ok(fromDay >= 0 && day >= fromDay && day < days);
      }
    }
  });

  test('only rows meant for it come again on the last day, from partitions without orphans', () => {
    const places = choosePlaces(2_800, 14, sound(500, 14));
    const crossing = places.filter(
      ({ fault, fromDay, day }) => fault.effect.kind === 'duplicate' && day === 13 && fromDay < 13,
    );
    assert.ok(crossing.length > 0);
    assert.deepEqual([...new Set(crossing.map(({ fromDay }) => fromDay))], [12]);
    const orphanDays = places
      .filter(({ fault }) => fault.effect.kind === 'orphan' && fault.table !== 'customers')
      .map(({ day }) => day);
    assert.ok(!orphanDays.includes(12));
  });

  test('a larger demo has more dirt, in proportion', () => {
    const few = choosePlaces(2_800, 14, sound(500, 14)).filter(({ fault }) => fault.table === 'orders').length;
    const many = choosePlaces(28_000, 14, sound(5_000, 14)).filter(({ fault }) => fault.table === 'orders').length;
    assert.equal(many, few * 10);
  });
});
