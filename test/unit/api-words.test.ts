/** How schedules, patterns, times and numbers are put into words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { matchesLike } from '../../api/airflow/sql-like.ts';
import { bytes, duration, intervalWords, plural } from '../../api/pages/words.ts';
import { cronInWords, scheduleInWords } from '../../api/schedule-words.ts';
import { intervalOfDays } from '../../core/partition.ts';
import fc from '../fixtures-support/properties.ts';

describe('a schedule in words', () => {
  test('says the patterns that people write', () => {
    for (const [cron, words] of [
      ['0 6 * * *', 'every day at 06:00'],
      ['30 18 * * 1-5', 'Monday to Friday at 18:30'],
      ['0 3 * * 0', 'every Sunday at 03:00'],
      ['0 3 * * 7', 'every Sunday at 03:00'],
      ['5 4 1 * *', 'on day 1 of the month at 04:05'],
      ['15 * * * *', 'every hour at minute 15'],
      ['*/10 * * * *', 'every 10 minutes'],
      ['@daily', 'every day at 00:00'],
    ] as const) {
      assert.equal(cronInWords(cron), words);
    }
  });

  test('quotes what it cannot say rather than say it wrong', () => {
    for (const cron of [
      '0 6 1 1 *',
      '0 0 6 * * *',
      '0 6 1 * 1',
      '0,30 6 * * *',
      '0 6-8 * * *',
      '@reboot',
      '0 6 * * MON',
    ]) {
      assert.equal(cronInWords(cron), `at cron ${cron}`);
    }
  });

  test('names zone and window, or that there is none', () => {
    assert.equal(scheduleInWords(null), 'only when triggered');
    assert.equal(
      scheduleInWords({ cron: '0 6 * * *', timezone: 'Europe/Berlin', window: 'since_last', catchup: 'none' }),
      'every day at 06:00 Europe/Berlin, covers the time since the last tick',
    );
  });
});

describe('LIKE', () => {
  test('knows percent, underscore, alternatives and no case', () => {
    assert.ok(matchesLike('ecom_silver_to_gold', '%SILVER%'));
    assert.ok(matchesLike('abc', 'a_c'));
    assert.ok(matchesLike('abc', 'x% | a%'));
    assert.ok(matchesLike('anything', '~'));
    assert.ok(!matchesLike('ecom_silver', 'silver'));
    assert.ok(!matchesLike('ac', 'a_c'));
    assert.ok(!matchesLike('a.c', 'a+c'));
  });

  test('agrees with the same pattern as a regular expression', () => {
    const letters = fc.constantFrom('a', 'b', '%', '_');
    const pattern = fc.array(letters, { maxLength: 6 }).map((parts) => parts.join(''));
    const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, pattern, (subject, like) => {
        const expression = new RegExp(`^${like.replaceAll('%', '.*').replaceAll('_', '.')}$`);
        assert.equal(matchesLike(subject, like), expression.test(subject));
      }),
    );
  });

  test('is not led astray by many wildcards', () => {
    assert.equal(matchesLike('a'.repeat(5000), `${'%a'.repeat(50)}b`), false);
  });
});

describe('times and numbers', () => {
  test('durations grow coarser as they grow', () => {
    for (const [ms, words] of [
      [0, '0 ms'],
      [870, '870 ms'],
      [12_460, '12.4 s'],
      [59_999, '59.9 s'],
      [63_000, '1 min 03 s'],
      [7_800_000, '2 h 10 min'],
    ] as const) {
      assert.equal(duration(ms), words);
    }
  });

  test('whole days are days of the zone, anything else instants', () => {
    assert.equal(intervalWords(intervalOfDays('2025-10-15', '2025-10-15', 'UTC'), 'UTC'), '2025-10-15');
    assert.equal(intervalWords(intervalOfDays('2025-10-08', '2025-10-17', 'UTC'), 'UTC'), '2025-10-08 to 2025-10-17');
    const berlin = intervalOfDays('2025-10-26', '2025-10-26', 'Europe/Berlin');
    assert.equal(intervalWords(berlin, 'Europe/Berlin'), '2025-10-26');
    assert.equal(intervalWords(berlin, 'UTC'), '2025-10-25 22:00 to 2025-10-26 23:00');
  });

  test('numbers are grouped, one is not many, bytes are binary', () => {
    assert.equal(plural(1, 'row'), '1 row');
    assert.equal(plural(107_923, 'row'), '107,923 rows');
    assert.equal(bytes(1023), '1023 B');
    assert.equal(bytes(180_224), '176.0 KiB');
  });
});
