/** Days of changed input rows -> the output days to rewrite, and the days to remember for a later run. Pure. */
import type { Day, JsonObject } from '../../core/types.ts';
import { type DayRange, FIRST_DAY, mergeRanges, shiftDay, widenRanges } from './day-ranges.ts';
import type { DayWindow, InputDefinition } from './define-transform.ts';

/** What a build leaves with the publication for the next one. */
export interface BuildState {
  /** Sequence of the silver publication that the table was built from; null before silver had one. */
  readonly silver: number | null;
  readonly dims: number | null;
  /** Newest run date so far; output days never lie behind it. */
  readonly asOf: Day;
  /** Input days behind `asOf` whose rows have arrived: they count as changed once a run reaches them. */
  readonly deferred: readonly Day[];
  /** Snapshots only: by run date, the fingerprint of what the snapshot was made of. */
  readonly built: { readonly [day: Day]: string };
}

export interface ChangedDays {
  readonly days: readonly Day[];
  readonly reach: InputDefinition['reach'];
}

export interface DayPlan {
  readonly touched: readonly DayRange[];
  readonly deferred: readonly Day[];
}

/** Snapshots whose fingerprint is kept; a rerun of an older one is rebuilt, which gives the same rows. */
const KEPT_SNAPSHOTS = 60;

/**
 * A change on day t rewrites `[t − after, t + before]`, with `history` everything from `t − after` on, never beyond `cap`.
 * Rows of a day beyond it are input for others at once, but their own day waits until a run's date reaches it.
 */
export function planDays(
  changed: readonly ChangedDays[],
  window: DayWindow,
  cap: Day,
  deferredBefore: readonly Day[],
): DayPlan {
  // A day that stays deferred was input to all output days before it when it arrived: it rewrites nothing again.
  const due: ChangedDays = { days: deferredBefore.filter((day) => day <= cap), reach: 'window' };
  const ranges = [...changed, due].flatMap(({ days, reach }) =>
    days.map((day) => ({
      from: shiftDay(day, -window.after),
      to: earlier(reach === 'history' ? cap : shiftDay(day, window.before), cap),
    })),
  );
  const late = [...changed.flatMap(({ days }) => days), ...deferredBefore].filter((day) => day > cap);
  return { touched: mergeRanges(ranges), deferred: [...new Set(late)].sort() };
}

/** Days of an input that the rewritten output days can depend on. Two days of slack cost little and forgive a window cut too fine. */
export function readRanges(
  touched: readonly DayRange[],
  window: DayWindow,
  reach: InputDefinition['reach'],
): readonly DayRange[] {
  const near = widenRanges(touched, window.before + 2, window.after + 2);
  const last = near.at(-1);
  if (reach !== 'history' || !last) return near;
  return [{ from: FIRST_DAY, to: last.to }];
}

export function stateToJson(state: BuildState): JsonObject {
  return { silver: state.silver, dims: state.dims, as_of: state.asOf, deferred: state.deferred, built: state.built };
}

/** Null for the state of a table that was never built, or by a version that remembered other things. */
export function stateFromJson(json: JsonObject | undefined): BuildState | null {
  const asOf = json?.as_of;
  if (!json || typeof asOf !== 'string') return null;
  const built = json.built;
  return {
    silver: typeof json.silver === 'number' ? json.silver : null,
    dims: typeof json.dims === 'number' ? json.dims : null,
    asOf,
    deferred: Array.isArray(json.deferred) ? json.deferred.filter((day): day is string => typeof day === 'string') : [],
    built:
      built !== null && typeof built === 'object' && !Array.isArray(built)
        ? Object.fromEntries(
            Object.entries(built).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
          )
        : {},
  };
}

/** The remembered snapshots with this one, the newest of them. */
export function rememberSnapshot(
  built: BuildState['built'],
  day: Day,
  fingerprint: string,
): { readonly [day: Day]: string } {
  const entries = Object.entries({ ...built, [day]: fingerprint }).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.slice(-KEPT_SNAPSHOTS));
}

const earlier = (a: Day, b: Day): Day => (a < b ? a : b);
