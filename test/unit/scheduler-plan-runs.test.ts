import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Interval, Schedule } from '../../core/types.ts';
import {
  lastCompleteWindow,
  nextRun,
  planRuns,
  runIdFor,
  windowOfLogicalDate,
  windowOfTick,
} from '../../scheduler/plan-runs.ts';
import { daily } from './scheduler-fixtures.ts';

const at = (iso: string): number => Date.parse(iso);
const text = ({ startMs, endMs }: Interval): string =>
  [startMs, endMs].map((ms) => new Date(ms).toISOString().slice(0, 16)).join(' to ');
const hourly: Schedule = { cron: '@hourly', timezone: 'UTC', window: 'since_last', catchup: 'none' };

describe('the window of a tick', () => {
  test('previous_day is the whole calendar day before, in the schedule’s zone', () => {
    assert.equal(text(windowOfTick(daily(), at('2025-10-16T06:00:00Z'))), '2025-10-15T00:00 to 2025-10-16T00:00');
    // 2025-03-30 has 23 hours in Paris, 2025-10-26 has 25.
    const paris = daily({ timezone: 'Europe/Paris' });
    assert.equal(text(windowOfTick(paris, at('2025-03-31T04:00:00Z'))), '2025-03-29T23:00 to 2025-03-30T22:00');
    assert.equal(text(windowOfTick(paris, at('2025-10-27T05:00:00Z'))), '2025-10-25T22:00 to 2025-10-26T23:00');
  });

  test('previous_day skips a day that the zone never had (Apia, 2011-12-30)', () => {
    const apia = daily({ timezone: 'Pacific/Apia' });
    // 06:00 on the 31st, local: the day before was the 29th.
    assert.equal(text(windowOfTick(apia, at('2011-12-30T16:00:00Z'))), '2011-12-29T10:00 to 2011-12-30T10:00');
  });

  test('same_day is the day of the tick, since_last what lies between two ticks', () => {
    const evening = daily({ cron: '0 20 * * *', window: 'same_day' });
    assert.equal(text(windowOfTick(evening, at('2025-10-16T20:00:00Z'))), '2025-10-16T00:00 to 2025-10-17T00:00');
    assert.equal(text(windowOfTick(hourly, at('2025-10-16T20:00:00Z'))), '2025-10-16T19:00 to 2025-10-16T20:00');
  });
});

describe('planning runs', () => {
  const dag = (catchup: Schedule['catchup']) => ({ schedule: daily({ catchup }) });
  /** The 13th to the 16th have ticked while nobody was there; the scheduler woke on the 16th at noon. */
  const asleep = { isPaused: false, cursorMs: at('2025-10-12T12:00:00Z'), awakeSinceMs: at('2025-10-16T12:00:00Z') };
  const ids = (catchup: Schedule['catchup'], now: string, state = asleep) =>
    planRuns(dag(catchup), state, at(now)).runs.map((run) => run.runId);

  test('takes a tick the moment it is due, with its interval', () => {
    const state = { isPaused: false, cursorMs: at('2025-10-15T06:00:00Z'), awakeSinceMs: at('2025-10-15T00:00:00Z') };
    assert.deepEqual(planRuns(dag('none'), state, at('2025-10-16T05:59:59.999Z')).runs, []);
    assert.deepEqual(planRuns(dag('none'), state, at('2025-10-16T06:00:00Z')), {
      runs: [
        {
          runId: 'scheduled__2025-10-15T00:00:00Z',
          logicalDateMs: at('2025-10-15T00:00:00Z'),
          interval: { startMs: at('2025-10-15T00:00:00Z'), endMs: at('2025-10-16T00:00:00Z') },
          runAfterMs: at('2025-10-16T06:00:00Z'),
        },
      ],
      cursorMs: at('2025-10-16T06:00:00Z'),
    });
  });

  test('catches up none, the last or all of what was missed', () => {
    const now = '2025-10-16T12:00:00Z';
    assert.deepEqual(ids('none', now), []);
    assert.deepEqual(ids('last', now), ['scheduled__2025-10-15T00:00:00Z']);
    assert.deepEqual(ids('all', now), [
      'scheduled__2025-10-12T00:00:00Z',
      'scheduled__2025-10-13T00:00:00Z',
      'scheduled__2025-10-14T00:00:00Z',
      'scheduled__2025-10-15T00:00:00Z',
    ]);
  });

  test('a missed tick that is not caught up is not planned later either', () => {
    const plan = planRuns(dag('none'), asleep, at('2025-10-16T12:00:00Z'));
    assert.equal(plan.cursorMs, at('2025-10-16T06:00:00Z'));
    const next = planRuns(dag('none'), { ...asleep, cursorMs: plan.cursorMs }, at('2025-10-17T06:00:00Z'));
    assert.deepEqual(
      next.runs.map((run) => run.runId),
      ['scheduled__2025-10-16T00:00:00Z'],
    );
  });

  test('a paused DAG plans nothing and keeps its place', () => {
    const paused = { ...asleep, isPaused: true };
    assert.deepEqual(planRuns(dag('all'), paused, at('2025-10-16T12:00:00Z')), { runs: [], cursorMs: asleep.cursorMs });
  });

  test('a DAG without a schedule plans nothing', () => {
    assert.deepEqual(planRuns({ schedule: null }, asleep, at('2030-01-01T00:00:00Z')).runs, []);
    assert.equal(nextRun({ schedule: null }, 0), null);
  });

  test('over a long absence goes on where the limit cut it', () => {
    const dagHourly = { schedule: { ...hourly, catchup: 'all' } as const };
    const nowMs = at('2025-03-01T00:00:00Z');
    let state = { isPaused: false, cursorMs: at('2025-01-01T00:00:00Z'), awakeSinceMs: nowMs };
    const starts: number[] = [];
    for (let plan = planRuns(dagHourly, state, nowMs); plan.runs.length > 0; plan = planRuns(dagHourly, state, nowMs)) {
      starts.push(...plan.runs.map((run) => run.logicalDateMs));
      state = { ...state, cursorMs: plan.cursorMs };
    }
    // January and February 2025 have 59 days.
    assert.equal(new Set(starts).size, 59 * 24);
    assert.equal(starts.length, 59 * 24);
  });
});

describe('a trigger without a date', () => {
  const utc = { timezone: 'UTC' };

  test('covers yesterday, before and after the day’s tick', () => {
    const dag = { ...utc, schedule: daily() };
    assert.equal(text(lastCompleteWindow(dag, at('2025-10-16T05:00:00Z'))), '2025-10-15T00:00 to 2025-10-16T00:00');
    assert.equal(text(lastCompleteWindow(dag, at('2025-10-16T07:00:00Z'))), '2025-10-15T00:00 to 2025-10-16T00:00');
  });

  test('never covers a day that is not over', () => {
    const dag = { ...utc, schedule: daily({ cron: '0 20 * * *', window: 'same_day' }) };
    assert.equal(text(lastCompleteWindow(dag, at('2025-10-16T21:00:00Z'))), '2025-10-15T00:00 to 2025-10-16T00:00');
  });

  test('covers the last full span between ticks, or yesterday in the zone without a schedule', () => {
    assert.equal(
      text(lastCompleteWindow({ ...utc, schedule: hourly }, at('2025-10-16T10:30:00Z'))),
      '2025-10-16T09:00 to 2025-10-16T10:00',
    );
    // Noon UTC is already 01:00 on the 17th in Auckland, thirteen hours ahead.
    const auckland = { timezone: 'Pacific/Auckland', schedule: null };
    assert.equal(
      text(lastCompleteWindow(auckland, at('2025-10-16T12:00:00Z'))),
      '2025-10-15T11:00 to 2025-10-16T11:00',
    );
  });
});

describe('a trigger with a logical date', () => {
  test('covers the day, or the span, that holds it', () => {
    const dag = { timezone: 'UTC', schedule: daily() };
    assert.equal(text(windowOfLogicalDate(dag, at('2025-10-15T00:00:00Z'))), '2025-10-15T00:00 to 2025-10-16T00:00');
    const spans = { timezone: 'UTC', schedule: hourly };
    assert.equal(text(windowOfLogicalDate(spans, at('2025-10-15T07:00:00Z'))), '2025-10-15T07:00 to 2025-10-15T08:00');
    assert.equal(text(windowOfLogicalDate(spans, at('2025-10-15T07:20:00Z'))), '2025-10-15T07:00 to 2025-10-15T08:00');
  });

  test('is named by it', () => {
    assert.equal(runIdFor('manual', at('2025-10-15T00:00:00Z')), 'manual__2025-10-15T00:00:00Z');
    assert.equal(runIdFor('backfill', at('2025-10-15T00:00:00.250Z')), 'backfill__2025-10-15T00:00:00.250Z');
  });
});
