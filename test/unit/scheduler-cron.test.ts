import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lastTick, nextTick } from '../../scheduler/cron.ts';

function ticks(cron: string, timezone: string, after: string, count: number): readonly string[] {
  const found: string[] = [];
  let at = Date.parse(after);
  for (let n = 0; n < count; n += 1) {
    at = nextTick({ cron, timezone }, at) ?? assert.fail('no tick');
    found.push(new Date(at).toISOString().slice(0, 19));
  }
  return found;
}

describe('cron in plain time', () => {
  test('ticks on five fields, six fields and names', () => {
    assert.deepEqual(ticks('0 6 * * *', 'UTC', '2025-10-15T06:00:00Z', 2), [
      '2025-10-16T06:00:00',
      '2025-10-17T06:00:00',
    ]);
    assert.deepEqual(ticks('*/20 * * * * *', 'UTC', '2025-01-01T00:00:05Z', 3), [
      '2025-01-01T00:00:20',
      '2025-01-01T00:00:40',
      '2025-01-01T00:01:00',
    ]);
    assert.deepEqual(ticks('@hourly', 'UTC', '2025-01-01T00:30:00Z', 1), ['2025-01-01T01:00:00']);
    assert.deepEqual(ticks('@daily', 'Asia/Tokyo', '2025-01-01T00:00:00Z', 1), ['2025-01-01T15:00:00']);
  });

  test('a tick is strictly after the given instant', () => {
    assert.deepEqual(ticks('0 6 * * *', 'UTC', '2025-10-15T05:59:59.999Z', 1), ['2025-10-15T06:00:00']);
    assert.deepEqual(ticks('0 6 * * *', 'UTC', '2025-10-15T06:00:00.001Z', 1), ['2025-10-16T06:00:00']);
  });

  test('the last tick is found however far back it lies', () => {
    const last = (cron: string, at: string) => {
      const tick = lastTick({ cron, timezone: 'UTC' }, Date.parse(at));
      return tick === null ? null : new Date(tick).toISOString().slice(0, 19);
    };
    assert.equal(last('0 6 * * *', '2025-10-15T06:00:00Z'), '2025-10-15T06:00:00');
    assert.equal(last('0 6 * * *', '2025-10-15T05:59:59Z'), '2025-10-14T06:00:00');
    assert.equal(last('* * 1 1 *', '2025-10-15T00:00:00Z'), '2025-01-01T23:59:00');
    assert.equal(last('0 0 29 2 *', '2025-10-15T00:00:00Z'), '2024-02-29T00:00:00');
    assert.equal(last('0 0 30 2 *', '2025-10-15T00:00:00Z'), null);
  });
});

describe('cron over a gap', () => {
  // A clock that jumps from 02:00 to 03:00 never shows 02:30: the first instant after the jump stands for it.
  test('runs at the first valid instant in Paris (2025-03-30, 01:00Z)', () => {
    assert.deepEqual(ticks('30 2 * * *', 'Europe/Paris', '2025-03-28T12:00:00Z', 3), [
      '2025-03-29T01:30:00',
      '2025-03-30T01:00:00',
      '2025-03-31T00:30:00',
    ]);
  });

  test('runs at the first valid instant in New York (2025-03-09, 07:00Z)', () => {
    assert.deepEqual(ticks('15 2 * * *', 'America/New_York', '2025-03-08T12:00:00Z', 2), [
      '2025-03-09T07:00:00',
      '2025-03-10T06:15:00',
    ]);
  });

  test('runs at the first valid instant where the jump is half an hour (Lord Howe, 2025-10-05, 02:00 to 02:30)', () => {
    assert.deepEqual(ticks('15 2 * * *', 'Australia/Lord_Howe', '2025-10-04T00:00:00Z', 2), [
      '2025-10-04T15:30:00',
      '2025-10-05T15:15:00',
    ]);
  });

  test('runs at one o’clock where midnight is skipped (Beirut 2025-03-30, São Paulo 2018-11-04)', () => {
    assert.deepEqual(ticks('@daily', 'Asia/Beirut', '2025-03-29T12:00:00Z', 2), [
      '2025-03-29T22:00:00',
      '2025-03-30T21:00:00',
    ]);
    assert.deepEqual(ticks('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T12:00:00Z', 2), [
      '2018-11-04T03:00:00',
      '2018-11-05T02:00:00',
    ]);
  });

  test('several ticks of one gap are one', () => {
    assert.deepEqual(ticks('*/15 * * * *', 'Europe/Paris', '2025-03-30T00:40:00Z', 3), [
      '2025-03-30T00:45:00',
      '2025-03-30T01:00:00',
      '2025-03-30T01:15:00',
    ]);
  });

  test('a calendar day that a zone leaves out ticks when the next one begins (Apia, 2011-12-30)', () => {
    assert.deepEqual(ticks('0 6 * * *', 'Pacific/Apia', '2011-12-29T10:00:00Z', 3), [
      '2011-12-29T16:00:00',
      '2011-12-30T10:00:00',
      '2011-12-30T16:00:00',
    ]);
  });
});

describe('cron over an overlap', () => {
  test('runs once, the first time, in Paris (2025-10-26, 03:00 back to 02:00)', () => {
    assert.deepEqual(ticks('30 2 * * *', 'Europe/Paris', '2025-10-25T12:00:00Z', 2), [
      '2025-10-26T00:30:00',
      '2025-10-27T01:30:00',
    ]);
  });

  test('runs once in New York (2025-11-02, 02:00 back to 01:00) and in Lord Howe (2025-04-06, 02:00 back to 01:30)', () => {
    assert.deepEqual(ticks('30 1 * * *', 'America/New_York', '2025-11-01T12:00:00Z', 2), [
      '2025-11-02T05:30:00',
      '2025-11-03T06:30:00',
    ]);
    assert.deepEqual(ticks('45 1 * * *', 'Australia/Lord_Howe', '2025-04-05T00:00:00Z', 2), [
      '2025-04-05T14:45:00',
      '2025-04-06T15:15:00',
    ]);
  });

  test('does not repeat the hour that is shown twice', () => {
    assert.deepEqual(ticks('*/30 * * * *', 'Europe/Paris', '2025-10-26T00:10:00Z', 3), [
      '2025-10-26T00:30:00',
      '2025-10-26T02:00:00',
      '2025-10-26T02:30:00',
    ]);
  });
});
