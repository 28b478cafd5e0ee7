/** Which cron texts are read, and how many ticks a day they have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readCronSyntax } from '../../dags/cron-syntax.ts';

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
    ['5/20 0 * * *', 3, true],
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
  ]) {
    test(`"${cron}" is refused`, () => {
      assert.equal(readCronSyntax(cron).valid, false);
    });
  }
});
