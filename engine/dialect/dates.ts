/** Date parts, truncation, differences and formats of GoogleSQL -> DuckDB text. Instants are taken in UTC, the session's zone. */
import type { DatePart } from '../../core/google-sql/ast.ts';
import { WEEKDAYS } from '../../core/google-sql/functions.ts';
import { literal } from '../sql-text.ts';
import type { Sql } from './types.ts';

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

/**
 * The instant of civil time in a zone; the zone is one that `civilTime` takes. Of an hour that comes twice, as clocks are put back,
 * it is the first, where DuckDB takes the second.
 */
export function instantOfCivil(civil: string, zone: Sql): string {
  const minutes = offsetMinutes(zone);
  if (minutes !== null) return `((${civil} - ${minutes} * INTERVAL 1 MINUTE) AT TIME ZONE 'UTC')`;
  if (zone.literal?.value === 'UTC') return `(${civil} AT TIME ZONE 'UTC')`;
  const instant = `(c AT TIME ZONE ${zone.text})`;
  // Clocks go back by an hour, but by half of one on Lord Howe Island.
  const earlier = [60, 30].map((by) => {
    const before = `(${instant} - INTERVAL ${by} MINUTE)`;
    return `WHEN (${before} AT TIME ZONE ${zone.text}) = c THEN ${before}`;
  });
  return `list_transform([${civil}], lambda c: CASE ${earlier.join(' ')} ELSE ${instant} END)[1]`;
}

/** The begin of an hour or a shorter part in a zone: at the offset that the instant itself has, also where an hour comes twice. */
export function truncateInZone(instant: string, civil: string, part: DatePart): string {
  return `(${instant} - (${civil} - date_trunc(${literal(part.name.toLowerCase())}, ${civil})))`;
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

const dayOf = (moment: string): string => `CAST(${moment} AS DATE)`;

/** Boundaries of the part between two days or civil times, negative where `later` lies before `earlier`. */
export function dateDifference(later: string, earlier: string, part: DatePart): string {
  switch (part.name) {
    case 'WEEK':
    case 'ISOWEEK':
      return `(date_diff('day', ${truncateDate(dayOf(earlier), part)}, ${truncateDate(dayOf(later), part)}) // 7)`;
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

/** A day or instant after 9999 is an error in GoogleSQL; DuckDB goes on. */
export function inCalendar(value: string, type: 'DATE' | 'TIMESTAMP' | 'TIMESTAMPTZ'): string {
  const [first, end] =
    type === 'DATE' ? ['0001-01-01', '9999-12-31'] : ['0001-01-01 00:00:00', '9999-12-31 23:59:59.999999'];
  const isOutside = `${value} < ${type} ${literal(first ?? '')} OR ${value} > ${type} ${literal(end ?? '')}`;
  return `(CASE WHEN ${isOutside} THEN error('a day outside of the years 1 to 9999') ELSE ${value} END)`;
}

/** Codes of FORMAT_DATE and FORMAT_TIMESTAMP that both engines write alike. */
const FORMAT_CODES: { readonly [code: string]: string } = {
  A: '%A',
  D: '%m/%d/%y',
  h: '%b',
  I: '%I',
  p: '%p',
  R: '%H:%M',
  X: '%H:%M:%S',
  x: '%m/%d/%y',
  E4Y: '%Y',
  a: '%a',
  B: '%B',
  b: '%b',
  d: '%d',
  H: '%H',
  j: '%j',
  M: '%M',
  m: '%m',
  n: '\n',
  S: '%S',
  T: '%H:%M:%S',
  t: '\t',
  U: '%U',
  u: '%u',
  V: '%V',
  W: '%W',
  w: '%w',
  y: '%y',
  '%': '%%',
};

/** Codes that DuckDB has no code for, or writes otherwise: what stands there, of a value. Years have as many digits as they need. */
const FORMAT_VALUES: { readonly [code: string]: (value: string) => string } = {
  C: (value) => `CAST(year(${value}) // 100 AS VARCHAR)`,
  F: (value) => `CAST(year(${value}) AS VARCHAR) || strftime(${value}, '-%m-%d')`,
  G: (value) => `CAST(isoyear(${value}) AS VARCHAR)`,
  Y: (value) => `CAST(year(${value}) AS VARCHAR)`,
  e: (value) => `lpad(CAST(day(${value}) AS VARCHAR), 2, ' ')`,
  k: (value) => `lpad(CAST(hour(${value}) AS VARCHAR), 2, ' ')`,
  l: (value) => `lpad(CAST((hour(${value}) + 11) % 12 + 1 AS VARCHAR), 2, ' ')`,
  g: (value) => `lpad(CAST(isoyear(${value}) % 100 AS VARCHAR), 2, '0')`,
  P: (value) => `lower(strftime(${value}, '%p'))`,
  Q: (value) => `CAST(quarter(${value}) AS VARCHAR)`,
  'E*S': (value) => `rtrim(rtrim(strftime(${value}, '%S.%f'), '0'), '.')`,
};

/** The zone, where it is UTC. */
const UTC_CODES: { readonly [code: string]: string } = { Z: 'UTC', z: '+0000', Ez: '+00:00' };

const TIME_CODES = ['H', 'I', 'k', 'l', 'M', 'p', 'P', 'R', 'S', 'T', 'X', 'Z', 'z', 'Ez', 'E*S'];

/** The text of a day or of civil time, or the code that is not covered: for a day also those of the time of day. */
export function formatted(
  value: string,
  format: string,
  hasTime: boolean,
  isInUtc: boolean,
): string | { readonly unknown: string } {
  const pieces: { readonly format: string; readonly value: string | null }[] = [];
  for (const [whole] of format.matchAll(/%E(?:[1-6*]S|4Y|z)|%[\s\S]?|[^%]+/g)) {
    const code = whole.startsWith('%') ? whole.slice(1) : null;
    const isTime = code !== null && (TIME_CODES.includes(code) || /^E\dS$/.test(code));
    if (code === null) pieces.push({ format: whole, value: null });
    else if (isTime && !hasTime) return { unknown: whole };
    else if (FORMAT_CODES[code] !== undefined) pieces.push({ format: FORMAT_CODES[code], value: null });
    else {
      const zone = isInUtc ? UTC_CODES[code] : undefined;
      const piece = FORMAT_VALUES[code]?.(value) ?? fraction(value, code);
      if (zone !== undefined) pieces.push({ format: zone, value: null });
      else if (piece === null) return { unknown: whole };
      else pieces.push({ format: '', value: piece });
    }
  }
  const texts: string[] = [];
  let plain = '';
  const flush = () => {
    if (plain !== '') texts.push(`strftime(${value}, ${literal(plain)})`);
    plain = '';
  };
  for (const piece of pieces) {
    if (piece.value === null) plain += piece.format;
    else {
      flush();
      texts.push(piece.value);
    }
  }
  flush();
  if (texts.length === 0) return `(CASE WHEN ${value} IS NOT NULL THEN '' END)`;
  return texts.length === 1 ? (texts[0] ?? '') : `(${texts.join(' || ')})`;
}

/** Seconds with a fraction of so many digits; null for any other code. */
function fraction(value: string, code: string): string | null {
  const digits = /^E([1-6])S$/.exec(code)?.[1];
  return digits === undefined ? null : `left(strftime(${value}, '%S.%f'), ${3 + Number(digits)})`;
}
