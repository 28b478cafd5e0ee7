/** Laws of the dialect over random input: it never fails but by a fault with a place, and its arithmetic is that of whole numbers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { lintExpression, lintQuery } from '../../core/google-sql.ts';
import type { ColumnSchema } from '../../core/types.ts';
import { toDuckDbExpression, toDuckDbQuery } from '../../engine/dialect.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import fc from '../fixtures-support/properties.ts';

let session: DuckDbSession;
before(async () => {
  session = await DuckDbSession.open({ threads: 1 });
});
after(async () => {
  await session.close();
});

const PIECES = [
  'SELECT',
  'FROM',
  'a',
  't.b',
  '*',
  ',',
  '(',
  ')',
  "'x'",
  '"y"',
  '1',
  '.5',
  'AND',
  'NOT',
  'IN',
  'CASE',
  'WHEN',
  'THEN',
  'END',
  '=',
  '<',
  '||',
  'SUM(',
  'CAST(',
  'AS',
  'INT64',
  'DATE',
  'INTERVAL',
  'DAY',
  'OVER',
  'GROUP BY',
  'ORDER BY',
  '@p',
  '`q`',
  'UNION ALL',
  'JOIN',
  'ON',
  '[',
  ']',
  'NULL',
  '-- c\n',
  '\n',
  'UNNEST(',
  'EXTRACT(',
];

const soup = fc.array(fc.constantFrom(...PIECES), { maxLength: 25 }).map((words) => words.join(' '));

describe('any text', () => {
  for (const [name, texts] of [
    ['of words of the language', soup],
    ['of any characters', fc.string({ unit: 'grapheme', maxLength: 60 })],
  ] as const) {
    test(`${name} has faults that lie inside of it, or none`, () => {
      fc.assert(
        fc.property(texts, (text) => {
          const lines = text.split('\n');
          for (const { line, column } of [...lintExpression(text), ...lintQuery(text)]) {
            assert.ok(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`);
            assert.ok(
              column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1,
              `column ${column} of “${lines[line - 1]}”`,
            );
          }
        }),
        { numRuns: 500 },
      );
    });

    test(`${name} is translated or refused, and never fails otherwise`, () => {
      fc.assert(
        fc.property(texts, (text) => {
          for (const translate of [
            () => toDuckDbExpression(text, { p: 1 }),
            () => toDuckDbQuery(text, { table: () => 't', parameters: { p: 1 } }),
          ]) {
            try {
              translate();
            } catch (thrown) {
              if (!(thrown instanceof SqlFaultError)) throw thrown;
            }
          }
        }),
        { numRuns: 500 },
      );
    });
  }
});

/** Half away from zero, in whole numbers. */
function roundedQuotient(dividend: bigint, divisor: bigint): bigint {
  const sign = dividend < 0n !== divisor < 0n ? -1n : 1n;
  const [n, d] = [dividend < 0n ? -dividend : dividend, divisor < 0n ? -divisor : divisor];
  return sign * ((2n * n + d) / (2n * d));
}

const decimal = (value: bigint, scale: number): string => {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
};

test('a quotient of NUMERIC values is exact to nine digits, half away from zero', async () => {
  const columns: readonly ColumnSchema[] = [
    { name: 'a', type: 'decimal(18,2)' },
    { name: 'b', type: 'decimal(18,6)' },
  ];
  const duckSql = toDuckDbExpression('a / b', {}, columns);
  const money = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });
  const ratio = fc
    .oneof(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.constantFrom(3n, -7n, 128_000_000n, 1n))
    .filter((b) => b !== 0n);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(money, ratio), { minLength: 1, maxLength: 40 }), async (pairs) => {
      const rows = pairs.map(
        ([a, b], index) => `(${index}, ${decimal(a, 2)}::DECIMAL(18,2), ${decimal(b, 6)}::DECIMAL(18,6))`,
      );
      const found = await session.rows(
        `SELECT ${duckSql} AS q FROM (VALUES ${rows.join(', ')}) AS t(i, a, b) ORDER BY i`,
      );
      // a / b in billionths: (a / 10^2) / (b / 10^6) * 10^9
      const expected = pairs.map(([a, b]) =>
        decimal(roundedQuotient(a * 10n ** 13n, b), 9).replace(/^-(0\.0+)$/, '$1'),
      );
      assert.deepEqual(
        found.map((row) => String(row.q)),
        expected,
      );
    }),
    { numRuns: 25 },
  );
});

/** The exact value of a FLOAT64 in units of 10^-digits, half away from zero. */
function roundedUnits(value: number, digits: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0);
  const exponent = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = (exponent === 0 ? fraction : fraction | 0x10000000000000n) * (value < 0 ? -1n : 1n);
  const shift = Math.max(exponent, 1) - 1075;
  const scale = 10n ** BigInt(digits);
  return shift >= 0 ? mantissa * scale * 2n ** BigInt(shift) : roundedQuotient(mantissa * scale, 2n ** BigInt(-shift));
}

test('a FLOAT64 is rounded by its exact value, half away from zero', async () => {
  // Near halves of the second, third and sixth digit, where the product with a power of ten is rounded to a half.
  const near = fc
    .tuple(fc.integer({ min: -2_000_000, max: 2_000_000 }), fc.constantFrom(1e3, 1e4, 1e7))
    .map(([units, by]) => (units * 10 + 5) / by / 10);
  const value = fc.oneof(near, fc.double({ min: -1e12, max: 1e12, noNaN: true }));
  const digits = fc.constantFrom(1, 2, 3, 6, 11);
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 50 }), digits, async (values, places) => {
      const duckSql = toDuckDbExpression(`ROUND(f, ${places})`, {}, [{ name: 'f', type: 'float64' }]);
      const rows = values.map((each, index) => `(${index}, CAST('${each}' AS DOUBLE))`).join(', ');
      const found = await session.rows(`SELECT ${duckSql} AS r FROM (VALUES ${rows}) AS t(i, f) ORDER BY i`);
      const expected = values.map((each) =>
        Math.abs(each) * 10 ** places < 2 ** 52 ? Number(roundedUnits(each, places)) / 10 ** places : each,
      );
      assert.deepEqual(
        found.map((row) => Number(row.r) + 0),
        expected.map((each) => each + 0),
      );
    }),
    { numRuns: 100 },
  );
});

test('weeks begin on the day that is said, and their difference counts their beginnings', async () => {
  const WEEKDAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'];
  const DAY_MS = 86_400_000;
  // Day 0, 1970-01-01, was a Thursday.
  const weekOf = (day: number, first: number) => Math.floor((day + 4 - first) / 7);
  const iso = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
  const day = fc.integer({ min: -20_000, max: 40_000 });
  await fc.assert(
    fc.asyncProperty(day, day, fc.integer({ min: 0, max: 6 }), async (one, other, first) => {
      const week = `WEEK(${WEEKDAYS[first]})`;
      const googleSql = [
        `DATE_TRUNC(DATE '${iso(one)}', ${week})`,
        `DATE_DIFF(DATE '${iso(one)}', DATE '${iso(other)}', ${week})`,
      ];
      const [start, difference] = googleSql.map((text) => toDuckDbExpression(text));
      const found = await session.one(`SELECT CAST(${start} AS VARCHAR) AS start, ${difference} AS difference`);
      assert.deepEqual(found, {
        start: iso(weekOf(one, first) * 7 - 4 + first),
        difference: weekOf(one, first) - weekOf(other, first),
      });
    }),
    { numRuns: 60 },
  );
});
