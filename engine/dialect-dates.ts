/** Date parts, truncation, differences and formats of GoogleSQL -> DuckDB text. Instants are taken in UTC, the session's zone. */
import type { DatePart } from '../core/google-sql-ast.ts';
import { WEEKDAYS } from '../core/google-sql-functions.ts';
import type { Sql } from './dialect-types.ts';
import { literal } from './sql-text.ts';

/** Microseconds in the parts that have a fixed length. */
const MICROSECONDS: { readonly [part: string]: number } = {
  MICROSECOND: 1,
  MILLISECOND: 1_000,
  SECOND: 1_000_000,
  MINUTE: 60_000_000,
  HOUR: 3_600_000_000,
  DAY: 86_400_000_000,
};

export function hasFixedLength(part: DatePart): boolean {
  return MICROSECONDS[part.name] !== undefined;
}

/** Days since the last day on which a week begins: Sunday for WEEK, Monday for ISOWEEK, the named one for WEEK(day). */
function daysIntoWeek(day: string, part: DatePart): string {
  const first = part.name === 'ISOWEEK' ? 1 : WEEKDAYS.indexOf(part.weekday ?? 'SUNDAY');
  return `((dayofweek(${day}) + ${7 - first}) % 7)`;
}

export const ZONE_FAULT = {
  message: 'A time zone is written out, and by its name.',
  hint: "Write 'America/Los_Angeles', 'UTC' or '+05:30'.",
} as const;

/** Civil time that an instant has in a zone; null for a zone that is not a literal, or no name of the tz database. */
export function civilTime(instant: string, zone: Sql): string | null {
  const minutes = offsetMinutes(zone);
  if (minutes !== null) return `((${instant} AT TIME ZONE 'UTC') + ${minutes} * INTERVAL 1 MINUTE)`;
  return isZoneName(zone) ? `(${instant} AT TIME ZONE ${zone.text})` : null;
}

/** The instant of civil time in a zone; the zone is one that `civilTime` takes. */
export function instantOfCivil(civil: string, zone: Sql): string {
  const minutes = offsetMinutes(zone);
  if (minutes !== null) return `((${civil} - ${minutes} * INTERVAL 1 MINUTE) AT TIME ZONE 'UTC')`;
  return `(${civil} AT TIME ZONE ${zone.text})`;
}

/** DuckDB knows no offsets as zones. */
function offsetMinutes({ literal: zone }: Sql): number | null {
  const found = /^(?:UTC)?([+-])(\d{1,2})(?::(\d{2}))?$/.exec(zone?.kind === 'string' ? zone.value : '');
  if (!found) return null;
  return (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3] ?? 0));
}

/** DuckDB also takes abbreviations such as `PST`, which GoogleSQL does not. */
function isZoneName({ literal: zone }: Sql): boolean {
  return zone?.kind === 'string' && /^(UTC|[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+)+)$/.test(zone.value);
}

/** The first day of the part that a day lies in; a DATE. */
export function truncateDate(day: string, part: DatePart): string {
  switch (part.name) {
    case 'DAY':
      return day;
    case 'WEEK':
    case 'ISOWEEK':
      return `(${day} - CAST(${daysIntoWeek(day, part)} AS INTEGER))`;
    case 'ISOYEAR': {
      // The fourth of January always lies in the first ISO week.
      const fourth = `make_date(CAST(isoyear(${day}) AS BIGINT), 1, 4)`;
      return `(${fourth} - CAST(${daysIntoWeek(fourth, { ...part, name: 'ISOWEEK' })} AS INTEGER))`;
    }
    default:
      return `CAST(date_trunc(${literal(part.name.toLowerCase())}, ${day}) AS DATE)`;
  }
}

/** The last day of the part that a day lies in. */
export function lastDay(day: string, part: DatePart): string {
  return `CAST(${truncateDate(day, part)} + ${interval('1', part)} - INTERVAL 1 DAY AS DATE)`;
}

export function interval(amount: string, part: DatePart): string {
  const [factor, unit] = { WEEK: [7, 'DAY'], ISOWEEK: [7, 'DAY'], QUARTER: [3, 'MONTH'] }[part.name] ?? [1, part.name];
  const count = factor === 1 ? `(${amount})` : `(${factor} * (${amount}))`;
  return `(CAST(${count} AS BIGINT) * INTERVAL 1 ${unit})`;
}

/** Boundaries of the part between two days, negative where `later` lies before `earlier`. */
export function dateDifference(later: string, earlier: string, part: DatePart): string {
  switch (part.name) {
    case 'WEEK':
    case 'ISOWEEK':
      return `(date_diff('day', ${truncateDate(earlier, part)}, ${truncateDate(later, part)}) // 7)`;
    case 'ISOYEAR':
      return `CAST(isoyear(${later}) - isoyear(${earlier}) AS BIGINT)`;
    default:
      return `date_diff(${literal(part.name.toLowerCase())}, ${earlier}, ${later})`;
  }
}

/** Whole parts between two instants, cut toward zero. */
export function timestampDifference(later: string, earlier: string, part: DatePart): string {
  return `((epoch_us(${later}) - epoch_us(${earlier})) // ${MICROSECONDS[part.name] ?? 1})`;
}

export function extractPart(value: string, part: DatePart): string {
  const field = (name: string) => `CAST(date_part('${name}', ${value}) AS BIGINT)`;
  switch (part.name) {
    case 'DATE':
      return `CAST(${value} AS DATE)`;
    case 'DAYOFWEEK':
      return `(${field('dow')} + 1)`;
    case 'DAYOFYEAR':
      return field('doy');
    case 'ISOWEEK':
      return field('week');
    case 'WEEK':
      return `((${field('doy')} + 6 - ${daysIntoWeek(value, part)}) // 7)`;
    case 'MILLISECOND':
      return `(${field('millisecond')} % 1000)`;
    case 'MICROSECOND':
      return `(${field('microsecond')} % 1000000)`;
    default:
      return field(part.name.toLowerCase());
  }
}

/** Codes of FORMAT_DATE and FORMAT_TIMESTAMP that both engines write alike. */
const FORMAT_CODES: { readonly [code: string]: string } = {
  A: '%A',
  a: '%a',
  B: '%B',
  b: '%b',
  d: '%d',
  F: '%Y-%m-%d',
  G: '%G',
  H: '%H',
  j: '%j',
  M: '%M',
  m: '%m',
  S: '%S',
  T: '%H:%M:%S',
  U: '%U',
  u: '%u',
  V: '%V',
  W: '%W',
  w: '%w',
  Y: '%Y',
  y: '%y',
  '%': '%%',
};

/** The same format in DuckDB's codes, or the code that has none: for a day also those of the time of day. */
export function formatCodes(
  format: string,
  hasTime: boolean,
): { readonly format: string } | { readonly unknown: string } {
  let unknown: string | null = null;
  const translated = format.replace(/%([\s\S]?)/g, (whole, code: string) => {
    const known = !hasTime && ['H', 'M', 'S', 'T'].includes(code) ? undefined : FORMAT_CODES[code];
    if (known === undefined) unknown ??= whole;
    return known ?? whole;
  });
  return unknown === null ? { format: translated } : { unknown };
}
