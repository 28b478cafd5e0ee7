/** A Dag's schedule, what was planned before, and now -> the runs that are due, each with its data interval. Pure. */
import { addDays, dayOf, intervalOfDays, isoInstant, startOfDay } from '../core/partition.ts';
import type { Dag, Interval, RunType, Schedule } from '../core/types.ts';
import { lastTick, nextTick } from './cron.ts';

/** What planning needs to know of a DAG besides its schedule; instants in epoch ms. */
export interface ScheduleState {
  readonly isPaused: boolean;
  /** Ticks up to here are dealt with. A new DAG, or one with a new schedule, begins at the instant it was first seen. */
  readonly cursorMs: number;
  /** Since when ticks could be answered: start of the scheduler or end of the pause, whichever is later. */
  readonly awakeSinceMs: number;
}

export interface PlannedRun {
  readonly runId: string;
  /** Start of the interval. */
  readonly logicalDateMs: number;
  readonly interval: Interval;
  /** The tick itself. */
  readonly runAfterMs: number;
}

export interface RunPlan {
  /** Oldest first. */
  readonly runs: readonly PlannedRun[];
  readonly cursorMs: number;
}

/** At most so many missed ticks are caught up in one plan; the next plan goes on from there. */
const CATCHUP_LIMIT = 1000;

/**
 * The runs that fell due after the cursor. Planning again with the returned cursor at the same instant plans nothing,
 * unless `CATCHUP_LIMIT` cut the first plan short.
 *
 * Catchup `none`: the latest tick, if it came while the scheduler was awake. `last`: the latest tick, whenever it came.
 * `all`: every tick. A paused DAG plans nothing and keeps its cursor.
 */
export function planRuns(dag: Pick<Dag, 'schedule'>, state: ScheduleState, nowMs: number): RunPlan {
  const nothing = { runs: [], cursorMs: state.cursorMs };
  const { schedule } = dag;
  if (schedule === null || state.isPaused) return nothing;
  if (schedule.catchup === 'all') {
    const ticks = ticksBetween(schedule, state.cursorMs, nowMs);
    const runs = ticks.map((tick) => plannedRun(schedule, tick));
    // Where a zone skips a calendar day, that day's tick falls on the next one, which has its own.
    const distinct = runs.filter((run, index) => run.logicalDateMs !== runs[index - 1]?.logicalDateMs);
    return { runs: distinct, cursorMs: ticks.at(-1) ?? state.cursorMs };
  }
  const latest = lastTick(schedule, nowMs);
  if (latest === null || latest <= state.cursorMs) return nothing;
  const missed = schedule.catchup === 'none' && latest < state.awakeSinceMs;
  return { runs: missed ? [] : [plannedRun(schedule, latest)], cursorMs: latest };
}

/** The next tick after an instant with the interval that it will cover; null without a schedule. */
export function nextRun(
  dag: Pick<Dag, 'schedule'>,
  afterMs: number,
): { runAfterMs: number; interval: Interval } | null {
  if (dag.schedule === null) return null;
  const tick = nextTick(dag.schedule, afterMs);
  return tick === null ? null : { runAfterMs: tick, interval: windowOfTick(dag.schedule, tick) };
}

/** The data interval of one tick. Days are calendar days of the schedule's zone; `[start, end)` in UTC. */
export function windowOfTick(schedule: Schedule, tickMs: number): Interval {
  const { timezone } = schedule;
  switch (schedule.window) {
    case 'previous_day': {
      const endMs = startOfDay(dayOf(tickMs, timezone), timezone);
      // The day that held the instant before midnight: a zone that crossed the date line has no day D - 1.
      return { startMs: startOfDay(dayOf(endMs - 1, timezone), timezone), endMs };
    }
    case 'same_day': {
      const day = dayOf(tickMs, timezone);
      return { startMs: startOfDay(day, timezone), endMs: startOfDay(addDays(day, 1), timezone) };
    }
    case 'since_last':
      return { startMs: lastTick(schedule, tickMs - 1) ?? tickMs, endMs: tickMs };
    default:
      return schedule.window satisfies never;
  }
}

/** What a trigger without a date covers: the latest window of the schedule that is over, else yesterday in the DAG's zone. */
export function lastCompleteWindow(dag: Pick<Dag, 'schedule' | 'timezone'>, nowMs: number): Interval {
  const { schedule } = dag;
  if (schedule !== null) {
    let tick = nextTick(schedule, nowMs) ?? lastTick(schedule, nowMs);
    // The next tick's window may be over before it ticks (yesterday, before 06:00); that of the last may still be open (today).
    for (let looked = 0; tick !== null && looked < 4; looked += 1) {
      const window = windowOfTick(schedule, tick);
      if (window.endMs <= nowMs && window.startMs < window.endMs) return window;
      tick = lastTick(schedule, tick - 1);
    }
  }
  const yesterday = dayOf(startOfDay(dayOf(nowMs, dag.timezone), dag.timezone) - 1, dag.timezone);
  return intervalOfDays(yesterday, yesterday, dag.timezone);
}

/** What a run with a given logical date covers: the window of the schedule that holds it, else its day in the DAG's zone. */
export function windowOfLogicalDate(dag: Pick<Dag, 'schedule' | 'timezone'>, logicalDateMs: number): Interval {
  const { schedule } = dag;
  if (schedule?.window === 'since_last') {
    const startMs = lastTick(schedule, logicalDateMs);
    const endMs = nextTick(schedule, logicalDateMs);
    if (startMs !== null && endMs !== null) return { startMs, endMs };
  }
  const day = dayOf(logicalDateMs, dag.timezone);
  return intervalOfDays(day, day, dag.timezone);
}

/** `scheduled__2025-10-15T00:00:00Z` */
export function runIdFor(runType: RunType, instantMs: number): string {
  return `${runType}__${isoInstant(instantMs).replace('.000Z', 'Z')}`;
}

function ticksBetween(schedule: Schedule, afterMs: number, untilMs: number): readonly number[] {
  const ticks: number[] = [];
  let tick = nextTick(schedule, afterMs);
  while (tick !== null && tick <= untilMs && ticks.length < CATCHUP_LIMIT) {
    ticks.push(tick);
    tick = nextTick(schedule, tick);
  }
  return ticks;
}

function plannedRun(schedule: Schedule, tickMs: number): PlannedRun {
  const interval = windowOfTick(schedule, tickMs);
  return {
    runId: runIdFor('scheduled', interval.startMs),
    logicalDateMs: interval.startMs,
    interval,
    runAfterMs: tickMs,
  };
}
