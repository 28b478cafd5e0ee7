/** Instants <-> what a clock on the wall of an IANA zone shows, with a written rule for gaps and overlaps. */
import { DAY_MS } from '../core/partition.ts';

/**
 * What the wall clock of the zone shows at an instant, written as if it were UTC: epoch ms in, epoch ms out.
 *
 * @throws RangeError for an unknown zone
 */
export function wallTime(instantMs: number, timezone: string): number {
  return instantMs + offsetAt(instantMs, timezone);
}

/**
 * The instant at which the wall clock shows `wallMs`.
 * Shown twice (overlap): the first time. Never shown (gap): the first instant after the gap.
 */
export function instantOfWall(wallMs: number, timezone: string): number {
  const before = wallMs - offsetAt(wallMs - DAY_MS, timezone);
  const after = wallMs - offsetAt(wallMs + DAY_MS, timezone);
  const earlier = Math.min(before, after);
  const later = Math.max(before, after);
  if (wallTime(earlier, timezone) === wallMs) return earlier;
  if (wallTime(later, timezone) === wallMs) return later;
  return firstInstant(earlier, later, (instant) => wallTime(instant, timezone) > wallMs);
}

/** The first instant in `(low, high]` where `holds`, given that it holds at `high` and changes once. */
function firstInstant(low: number, high: number, holds: (instantMs: number) => boolean): number {
  let no = low;
  let yes = high;
  while (yes - no > 1) {
    const middle = Math.floor((no + yes) / 2);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}

function offsetAt(instantMs: number, timezone: string): number {
  if (timezone === 'UTC') return 0;
  const whole = Math.floor(instantMs / 1000) * 1000;
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const part of formatterOf(timezone).formatToParts(whole)) parts[part.type] = Number(part.value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timezone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timezone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(timezone, formatter);
  }
  return formatter;
}
