/** Which cron texts are read, and how many ticks a day they have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readCronSyntax } from '../../dags/cron-syntax.ts';
import { nextTick } from '../../scheduler/cron.ts';

describe('a cron text', () => {
  const valid: readonly (readonly [string, number, boolean])[] = [
    ['0 6 * * *', 1, true],
    ['@daily', 1, true],
    ['@hourly', 24, true],
    ['*/15 * * * *', 96, true],
    ['0 6,18 * * *', 2, true],
    ['0 8-10 * * MON-FRI', 3, false],
    ['30 0 6 * * *', 1, true],
    ['0,30 0 6 * * ?', 2, true],
    ['0 6 L * *', 1, false],
    ['0 6 * jan,dec *', 1, false],
    ['0 6 * * 5#3', 1, false],
    ['5-59/20 0 * * *', 3, true],
    ['0 6 15W,L * SAT-SUN', 1, false],
    ['0 6 29 2 *', 1, false],
    ['0 6 30 2 MON', 1, false],
    ['@weekly', 1, false],
  ];
  for (const [cron, ticksPerDay, isEveryDay] of valid) {
    test(`${cron} ticks ${ticksPerDay} times on a day`, () => {
      assert.deepEqual(readCronSyntax(cron), { valid: true, ticksPerDay, isEveryDay });
    });
  }

  for (const cron of [
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '* * * * MOON',
    '5-1 * * * *',
    '*/0 * * * *',
    '@dayly',
    'a b c d e',
    '1,,2 * * * *',
    '5/20 * * * *',
    '*/61 * * * *',
    '0 6 * * */8',
    '0 6 W * *',
    '0 6 32W * *',
    '0 6 1,LW * *',
    '0 6 * * L',
    '0 6 * * XL',
    '0 6 * * FEB#1',
    '0 6 30 2 *',
    '0 6 31,31W 4,6 ?',
  ]) {
    test(`"${cron}" is refused`, () => {
      assert.equal(readCronSyntax(cron).valid, false);
    });
  }

  test('is valid only where the scheduler can plan by it', () => {
    const numbers = fc.integer({ min: 0, max: 62 }).map(String);
    const word = fc.oneof(numbers, numbers, fc.constantFrom('JAN', 'feb', 'DEC', 'SUN', 'mon', 'SAT', 'MOON', ''));
    const step = fc.oneof(
      fc.constant(''),
      fc.constant(''),
      fc.integer({ min: 0, max: 62 }).map((each) => `/${each}`),
    );
    const part = fc.oneof(
      word,
      fc.constantFrom(
        '*',
        '?',
        'L',
        'LW',
        'W',
        '1L',
        'SUNL',
        '5#2',
        'FRI#L',
        '7#6',
        '15W',
        '31W',
        '30W',
        '29',
        '30',
        '31',
      ),
      fc.tuple(fc.constantFrom('*', '?'), step).map((each) => each.join('')),
      fc.tuple(word, fc.constant('-'), word, step).map((each) => each.join('')),
      fc.tuple(word, step).map((each) => each.join('')),
    );
    const field = fc.oneof(
      part,
      fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
    );
    const usual = fc.constantFrom('0', '6', '*');
    const texts = fc.tuple(
      fc.oneof(usual, field),
      usual,
      fc.oneof(fc.constant('*'), field),
      fc.oneof(fc.constantFrom('*', '2', '4,6'), field),
      fc.oneof(fc.constantFrom('*', '*', '?'), field),
    );
    fc.assert(
      fc.property(texts, (fields) => {
        const cron = fields.join(' ');
        assert.ok(!readCronSyntax(cron).valid || isPlannable(cron), cron);
      }),
      { numRuns: 3_000 },
    );
  });
});

function isPlannable(cron: string): boolean {
  try {
    return nextTick({ cron, timezone: 'UTC' }, Date.UTC(2024, 0, 1)) !== null;
  } catch {
    return false;
  }
}
