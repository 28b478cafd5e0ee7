/** Laws of base silver over random dirty batches, against a model that knows nothing of SQL. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StagedTable } from '../../core/types.ts';
import { BaseLake, column, rule, specOf, tableSpec } from '../fixtures-support/base-lake.ts';
import fc from '../fixtures-support/properties.ts';

const DAYS = ['2025-10-08', '2025-10-09', '2025-10-10'] as const;
const table = tableSpec('t', {
  primaryKey: ['id', 'line'],
  identity: ['owner'],
  columns: [
    column('id', 'int64', { required: true }),
    column('line', 'string', { clean: 'lower' }),
    column('owner', 'string'),
    column('v', 'decimal(18,2)', { required: true }),
  ],
  rules: [rule('negative', 'v < 0')],
});
const spec = specOf([table]);

/** One bronze row, as text. */
interface Raw {
  readonly id: string | null;
  readonly line: string | null;
  readonly owner: string;
  readonly v: string | null;
  /** Hours after the start of the row's day; null for a row that does not say when it came. */
  readonly hour: number | null;
  readonly event: string;
}
type Batches = readonly (readonly Raw[])[];

const raw: fc.Arbitrary<Raw> = fc.record({
  id: fc.constantFrom('1', ' 2 ', '3', '4', 'n/a', '5.5', null),
  line: fc.constantFrom('a', ' A ', 'b', null),
  owner: fc.constant('ann'),
  v: fc.constantFrom('1', '2.50', '-1', 'free', '', null),
  hour: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null, freq: 8 }),
  event: fc.constantFrom('e1', 'e2'),
});
const batches: fc.Arbitrary<Batches> = fc.tuple(...DAYS.map(() => fc.array(raw, { minLength: 1, maxLength: 12 })));

const instantOf = (day: number, hour: number): string =>
  new Date(Date.parse(`${DAYS[day]}T00:00:00Z`) + hour * 3_600_000).toISOString();

async function deliver(lake: BaseLake, day: number, rows: readonly Raw[]): Promise<void> {
  const sql = (value: string | null) => (value === null ? 'NULL::VARCHAR' : `'${value}'`);
  const selects = rows.map(
    ({ id, line, owner, v, hour, event }, index) =>
      `SELECT ${sql(id)} AS id, ${sql(line)} AS line, ${sql(owner)} AS owner, ${sql(v)} AS v, ` +
      `${sql(hour === null ? null : instantOf(day, hour))} AS ingestion_ts, '${event}' AS event_id, '${day}-${index}' AS source_file`,
  );
  await lake.writeBronze(`t/ingest_dt=${DAYS[day]}/part-0000.parquet`, selects.join(' UNION ALL '));
}

/** The rule book in plain code: valid rows, and of each key the newest, then the later event, then the first place. */
function model(delivered: Batches): Map<string, string> {
  const best = new Map<string, { order: readonly [number, string]; place: string; row: string }>();
  delivered.forEach((rows, day) => {
    rows.forEach(({ id, line, v, hour, event }, index) => {
      const key = id?.trim() ?? '';
      if (!/^\d+$/.test(key) || !/^\d+(\.\d+)?$/.test(v ?? '')) return;
      const name = `${key}/${line?.trim().toLowerCase() ?? '∅'}`;
      const order = [hour === null ? -1 : Date.parse(instantOf(day, hour)), event] as const;
      const known = best.get(name);
      const isBetter =
        !known || order[0] > known.order[0] || (order[0] === known.order[0] && order[1] > known.order[1]);
      if (isBetter) best.set(name, { order, place: `${day}-${index}`, row: `${Number(v).toFixed(2)}@${day}-${index}` });
    });
  });
  return new Map([...best].map(([name, { row }]) => [name, row]));
}

async function silverOf(lake: BaseLake): Promise<Map<string, string>> {
  const rows = await lake.silver('t', "id || '/' || coalesce(line, '∅') AS name, v || '@' || source_file AS row");
  assert.equal(new Set(rows.map((row) => row.name)).size, rows.length, 'a key stands in silver twice');
  return new Map(rows.map((row) => [String(row.name), String(row.row)]));
}

const sorted = (rows: Map<string, string>) => [...rows].sort();
const size = (delivered: Batches) => delivered.reduce((sum, rows) => sum + rows.length, 0);

function assertAccounted(staged: StagedTable | undefined, input: number): void {
  assert.ok(staged);
  const { account } = staged;
  assert.equal(account.input, input);
  assert.equal(account.output + account.quarantined + account.duplicates + account.filtered, input);
}

describe('base silver laws', () => {
  test('day by day in any order, and all at once, give the rows of the model', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), async (delivered, order) => {
        await using whole = await BaseLake.open();
        await using daily = await BaseLake.open();
        for (const [day, rows] of delivered.entries()) {
          await deliver(whole, day, rows);
          await deliver(daily, day, rows);
        }
        const expected = sorted(model(delivered));
        const { t } = await whole.run(spec, DAYS[0], DAYS[2]);
        assertAccounted(t, size(delivered));
        assert.equal(t?.account.output, expected.length);
        assert.deepEqual(sorted(await silverOf(whole)), expected);

        let standing = 0;
        for (const day of order) {
          const name = DAYS[day] ?? '';
          const { t: staged } = await daily.run(spec, name);
          assertAccounted(staged, delivered[day]?.length ?? 0);
          standing += (staged?.account.output ?? 0) - (staged?.account.replaced ?? 0);
        }
        assert.deepEqual(sorted(await silverOf(daily)), expected);
        assert.equal(standing, expected.length);
      }),
      { numRuns: 8 },
    );
  });

  test('a day delivered again with more rows ends where a first delivery of them would', async () => {
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.integer({ min: 0, max: 2 }),
        fc.array(raw, { maxLength: 6 }),
        async (first, day, more) => {
          await using lake = await BaseLake.open();
          for (const [at, rows] of first.entries()) await deliver(lake, at, rows);
          await lake.run(spec, DAYS[0], DAYS[2]);
          const final = first.map((rows, at) => (at === day ? [...rows, ...more] : rows));
          await deliver(lake, day, final[day] ?? []);
          const { t } = await lake.run(spec, DAYS[0], DAYS[2]);
          assertAccounted(t, size(final));
          assert.deepEqual(sorted(await silverOf(lake)), sorted(model(final)));
        },
      ),
      { numRuns: 6 },
    );
  });

  test('in order of days a key keeps the owner it had first, built at once or one by one', async () => {
    const owned = fc.tuple(raw, fc.constantFrom('ann', 'bob')).map(([row, owner]) => ({ ...row, owner }));
    const days = fc.tuple(...DAYS.map(() => fc.array(owned, { minLength: 1, maxLength: 8 })));
    await fc.assert(
      fc.asyncProperty(days, async (delivered) => {
        // Hours stay inside the day, so that the order of days is the order of arrival.
        const timely = delivered.map((rows) => rows.map((row) => ({ ...row, hour: (row.hour ?? 0) % 24 })));
        await using whole = await BaseLake.open();
        await using daily = await BaseLake.open();
        for (const [day, rows] of timely.entries()) {
          await deliver(whole, day, rows);
          await deliver(daily, day, rows);
        }
        const { t } = await whole.run(spec, DAYS[0], DAYS[2]);
        assertAccounted(t, size(timely));
        for (const day of DAYS) await daily.run(spec, day);
        assert.deepEqual(sorted(await silverOf(daily)), sorted(await silverOf(whole)));
      }),
      { numRuns: 6 },
    );
  });
});
