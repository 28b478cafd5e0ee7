/** Calendar days -> a few closed ranges of days, and back to questions about single days. Pure. */
import { addDays } from '../../core/partition.ts';
import type { Day } from '../../core/types.ts';

/** Both ends included. */
export interface DayRange {
  readonly from: Day;
  readonly to: Day;
}

/** Ends of what a four-digit year can say; an open end is one of these. */
export const FIRST_DAY: Day = '0001-01-01';
export const LAST_DAY: Day = '9999-12-31';

/** The day n days later, or the last that can be written. */
export function shiftDay(day: Day, days: number): Day {
  const shifted = addDays(day, days);
  if (days < 0 && (shifted > day || shifted < FIRST_DAY)) return FIRST_DAY;
  return days > 0 && shifted < day ? LAST_DAY : shifted;
}

/** Sorted ranges without overlap; neighbours are joined, empty ranges dropped. */
export function mergeRanges(ranges: readonly DayRange[]): readonly DayRange[] {
  const sorted = ranges
    .filter((range) => range.from <= range.to)
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const merged: DayRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (!last || range.from > shiftDay(last.to, 1)) merged.push(range);
    else if (range.to > last.to) merged[merged.length - 1] = { from: last.from, to: range.to };
  }
  return merged;
}

/** Every range made longer at both ends. */
export function widenRanges(ranges: readonly DayRange[], before: number, after: number): readonly DayRange[] {
  return mergeRanges(ranges.map(({ from, to }) => ({ from: shiftDay(from, -before), to: shiftDay(to, after) })));
}

export function inRanges(day: Day, ranges: readonly DayRange[]): boolean {
  return ranges.some(({ from, to }) => from <= day && day <= to);
}
