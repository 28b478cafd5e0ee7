/** Calendar days, intervals and Hive partitions: from one to the other and back. */
import type { Day, Interval } from './types.ts';

export const DAY_MS = 86_400_000;

/** True for a real calendar day written `YYYY-MM-DD`. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text);
}

/** The calendar day of an instant in an IANA zone. */
export function dayOf(instantMs: number, timezone: string): Day {
  return zonedParts(instantMs, timezone).day;
}

/** The first instant of a calendar day in an IANA zone; after a gap at midnight, the first valid one. */
export function startOfDay(day: Day, timezone: string): number {
  const utc = Date.parse(`${day}T00:00:00Z`);
  if (timezone === 'UTC') return utc;
  // Zones lie within 26 hours of each other: search the first instant of that span whose local day is `day`.
  let low = utc - DAY_MS;
  let high = utc + DAY_MS;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (dayOf(middle, timezone) >= day) high = middle;
    else low = middle;
  }
  return high;
}

export function addDays(day: Day, days: number): Day {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Days from `first` to `last`, both included; empty where `last` is before `first`. */
export function daysBetween(first: Day, last: Day): readonly Day[] {
  const days: Day[] = [];
  for (let day = first; day <= last; day = addDays(day, 1)) days.push(day);
  return days;
}

/** `[from, to]` as whole days in a zone -> the half-open interval that covers them. */
export function intervalOfDays(from: Day, to: Day, timezone: string): Interval {
  return { startMs: startOfDay(from, timezone), endMs: startOfDay(addDays(to, 1), timezone) };
}

/** First and last calendar day that an interval touches, both included. An empty interval has its start's day twice. */
export function daysOfInterval(interval: Interval, timezone: string): { readonly first: Day; readonly last: Day } {
  const first = dayOf(interval.startMs, timezone);
  const last = interval.endMs > interval.startMs ? dayOf(interval.endMs - 1, timezone) : first;
  return { first, last };
}

/** `ingest_dt` and `2025-10-15` -> `ingest_dt=2025-10-15`, escaped as Hive does. */
export function hivePartition(key: string, value: string): string {
  return `${key}=${encodeURIComponent(value)}`;
}

/** `ingest_dt=2025-10-15` -> its key and value; null where the text is no Hive partition. */
export function parseHivePartition(segment: string): { readonly key: string; readonly value: string } | null {
  const at = segment.indexOf('=');
  if (at <= 0) return null;
  try {
    return { key: segment.slice(0, at), value: decodeURIComponent(segment.slice(at + 1)) };
  } catch {
    return { key: segment.slice(0, at), value: segment.slice(at + 1) };
  }
}

export function isoInstant(ms: number): string {
  return new Date(ms).toISOString();
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function zonedParts(instantMs: number, timezone: string): { day: Day } {
  if (timezone === 'UTC') return { day: new Date(instantMs).toISOString().slice(0, 10) };
  let formatter = formatters.get(timezone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-CA', {
      timeZone: timezone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    formatters.set(timezone, formatter);
  }
  return { day: formatter.format(new Date(instantMs)) };
}
