/** Calls on dates, civil times and instants -> DuckDB text. */
import { literal } from '../../sql-text.ts';
import {
  civilTime,
  dateDifference,
  formatted as formattedText,
  hasFixedLength,
  inCalendar,
  instantOfCivil,
  interval,
  lastDay,
  timestampDifference,
  truncateDate,
  truncateInZone,
  ZONE_FAULT,
} from '../dates.ts';
import { type ParsedFormat, parseFormat } from '../parsing.ts';
import { DATE, DATETIME, INT64, type Sql, type SqlType, STRING, sql, TIMESTAMP } from '../types.ts';
import {
  arg,
  civilOf,
  day,
  expectKind,
  type Functions,
  instant,
  type Render,
  type RenderedCall,
  text,
  whole,
} from './call.ts';

const DATE_SOURCES: readonly SqlType['kind'][] = ['DATE', 'TIMESTAMP', 'DATETIME'];

/** Civil time in the zone that is the argument `index`. */
export function civil(call: RenderedCall, moment: string, index: number): string {
  return civilTime(moment, arg(call, index)) ?? call.refuse(ZONE_FAULT.message, ZONE_FAULT.hint);
}

const dateOf: Render = (call) => {
  if (call.args.length === 3) {
    const [year, month, dayOfMonth] = [0, 1, 2].map((index) => whole(call, index));
    return sql(`make_date(${year}, ${month}, ${dayOfMonth})`, DATE);
  }
  if (call.args.length === 2) return sql(`CAST(${civil(call, instant(call, 0), 1)} AS DATE)`, DATE);
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS DATE).');
  return value.type.kind === 'DATE' ? value : sql(`CAST(${value.text} AS DATE)`, DATE);
};

const timestampOf: Render = (call) => {
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS TIMESTAMP).');
  if (call.args.length > 1) {
    if (!['DATE', 'DATETIME'].includes(value.type.kind))
      return call.refuse(
        'TIMESTAMP with a time zone takes a DATE or DATETIME.',
        'Write TIMESTAMP(CAST(text AS DATETIME), zone).',
      );
    const zone = arg(call, 1);
    civil(call, "TIMESTAMPTZ '1970-01-01'", 1);
    return sql(instantOfCivil(`CAST(${value.text} AS TIMESTAMP)`, zone), TIMESTAMP);
  }
  return sql(`CAST(${value.text} AS TIMESTAMPTZ)`, TIMESTAMP);
};

const partOf = (call: RenderedCall) => call.call.part ?? { name: 'MONTH', weekday: null, at: call.call.at };

/** The part of the `INTERVAL n PART` that the call has been given. */
export function intervalPart(call: RenderedCall) {
  const argument = call.call.args.find((candidate) => candidate.kind === 'interval');
  if (argument?.kind !== 'interval') throw new Error(`${call.call.name} was rendered without its interval`);
  return argument.part;
}

const dateShift =
  (sign: '+' | '-'): Render =>
  (call) => {
    const part = intervalPart(call);
    if (hasFixedLength(part) && part.name !== 'DAY')
      return call.refuse(`${call.call.name} takes no ${part.name}.`, 'Write TIMESTAMP_ADD or TIMESTAMP_SUB.');
    return sql(inCalendar(`CAST(${day(call, 0)} ${sign} ${interval(call.amount, part)} AS DATE)`, 'DATE'), DATE);
  };

const datetimeOf: Render = (call) => {
  if (call.args.length === 6) {
    const [year, month, dayOfMonth, hour, minute, second] = call.args.map((_, index) => whole(call, index));
    return sql(
      `make_timestamp(${year}, ${month}, ${dayOfMonth}, ${hour}, ${minute}, CAST(${second} AS DOUBLE))`,
      DATETIME,
    );
  }
  if (call.args.length > 2) return call.refuse('DATETIME takes an instant and a zone, a day, or six numbers.');
  if (call.args.length === 2) return sql(civil(call, instant(call, 0), 1), DATETIME);
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS DATETIME).');
  return sql(
    value.type.kind === 'TIMESTAMP' ? `(${value.text} AT TIME ZONE 'UTC')` : `CAST(${value.text} AS TIMESTAMP)`,
    DATETIME,
  );
};

const datetimeShift =
  (sign: '+' | '-'): Render =>
  (call) =>
    sql(
      inCalendar(`(${civilOf(call, 0)} ${sign} ${interval(call.amount, intervalPart(call))})`, 'TIMESTAMP'),
      DATETIME,
    );

const datetimeTrunc: Render = (call) => {
  const part = partOf(call);
  const value = civilOf(call, 0);
  if (hasFixedLength(part)) return sql(`date_trunc(${literal(part.name.toLowerCase())}, ${value})`, DATETIME);
  return sql(`CAST(${truncateDate(`CAST(${value} AS DATE)`, part)} AS TIMESTAMP)`, DATETIME);
};

const timestampShift =
  (sign: '+' | '-'): Render =>
  (call) => {
    const part = intervalPart(call);
    if (!hasFixedLength(part))
      return call.refuse(
        `${call.call.name} takes no ${part.name}.`,
        'Months and years have no fixed length: use DATE_ADD.',
      );
    return sql(inCalendar(`(${instant(call, 0)} ${sign} ${interval(call.amount, part)})`, 'TIMESTAMPTZ'), TIMESTAMP);
  };

const timestampDiff: Render = (call) => {
  const part = partOf(call);
  if (!hasFixedLength(part))
    return call.refuse(`TIMESTAMP_DIFF takes no ${part.name}.`, 'Write DATE_DIFF(DATE(later), DATE(earlier), PART).');
  return sql(timestampDifference(instant(call, 0), instant(call, 1), part), INT64);
};

const timestampTrunc: Render = (call) => {
  const part = partOf(call);
  const value = instant(call, 0);
  if (call.args.length > 1) {
    const local = civil(call, value, 1);
    if (hasFixedLength(part) && part.name !== 'DAY') return sql(truncateInZone(value, local, part), TIMESTAMP);
    const first = `CAST(${truncateDate(`CAST(${local} AS DATE)`, part)} AS TIMESTAMP)`;
    return sql(instantOfCivil(first, arg(call, 1)), TIMESTAMP);
  }
  if (hasFixedLength(part)) return sql(`date_trunc(${literal(part.name.toLowerCase())}, ${value})`, TIMESTAMP);
  return sql(`CAST(${truncateDate(`CAST(${value} AS DATE)`, part)} AS TIMESTAMPTZ)`, TIMESTAMP);
};

const lastDayOf: Render = (call) => {
  const { name } = partOf(call);
  if (name === 'ISOYEAR' || name === 'DAY') return call.refuse(`LAST_DAY takes no ${name} here.`);
  return sql(lastDay(day(call, 0), partOf(call)), DATE);
};

const formatted =
  (value: (call: RenderedCall, index: number) => string): Render =>
  (call) => {
    const format = arg(call, 0).literal;
    if (format?.kind !== 'string') return call.refuse(`${call.call.name} takes its format as a literal.`);
    const isInUtc = call.call.name === 'FORMAT_TIMESTAMP' && call.args.length < 3;
    const found = formattedText(value(call, 1), format.value, call.call.name !== 'FORMAT_DATE', isInUtc);
    if (typeof found !== 'string')
      return call.refuse(
        `“${found.unknown}” is no format code that every engine writes alike.`,
        'Use %Y %m %d %F %D %e %H %I %M %p %S %E3S %E*S %T %R %y %b %B %a %A %j %Q %G %V %U %W %u %w.',
      );
    return sql(found, STRING);
  };

const UTC: Sql = { text: "'UTC'", type: STRING, literal: { kind: 'string', value: 'UTC' } };

/** What stands for a text that is not of the format: an error, or NULL after `SAFE.`. */
const parsedBy =
  (assemble: (parsed: ParsedFormat, value: string) => string, type: SqlType): Render =>
  (call) => {
    const format = arg(call, 0).literal;
    if (format?.kind !== 'string') return call.refuse(`${call.call.name} takes its format as a literal.`);
    const parsed = parseFormat(format.value, type.kind !== 'DATE');
    if ('unknown' in parsed)
      return call.refuse(
        `“${parsed.unknown}” is no format code that every engine reads alike.`,
        `Use %Y %y %m %b %B %d %e %F %D${type.kind === 'DATE' ? '' : ' %H %I %p %M %S %E*S %T %R'}.`,
      );
    const value = text(call, 1);
    const civilTimeRead = assemble(parsed, value);
    if (call.args.length > 2) civil(call, "TIMESTAMPTZ '1970-01-01'", 2);
    const read = type.kind === 'TIMESTAMP' ? instantOfCivil(civilTimeRead, call.args[2] ?? UTC) : civilTimeRead;
    if (call.call.safe) return sql(`(${read})`, type);
    const message = `concat('Cannot read ', ${value}, ${literal(` by the format ${format.value}`)})`;
    return sql(`(CASE WHEN ${value} IS NULL THEN NULL ELSE coalesce(${read}, error(${message})) END)`, type);
  };

/** Rounded down, also before 1970, where `//` would cut toward zero. */
function floorDivided(value: string, by: number): string {
  return `((${value} - ((${value} % ${by}) + ${by}) % ${by}) // ${by})`;
}

/** Milliseconds that are taken for seconds lie in no year that there is. */
const instantOf =
  (microsecondsEach: number): Render =>
  (call) => {
    const micros = `CAST(${whole(call, 0)} AS BIGINT) * ${microsecondsEach}`;
    return sql(inCalendar(`CAST(make_timestamp(${micros}) AS TIMESTAMPTZ)`, 'TIMESTAMPTZ'), TIMESTAMP);
  };

export const DATES = {
  DATE: dateOf,
  DATE_ADD: dateShift('+'),
  DATE_SUB: dateShift('-'),
  DATE_DIFF: (call) => sql(dateDifference(day(call, 0), day(call, 1), partOf(call)), INT64),
  DATE_TRUNC: (call) => {
    const { type } = arg(call, 0);
    if (type.kind === 'TIMESTAMP') return timestampTrunc(call);
    return type.kind === 'DATETIME' ? datetimeTrunc(call) : sql(truncateDate(day(call, 0), partOf(call)), DATE);
  },
  LAST_DAY: lastDayOf,
  FORMAT_DATE: formatted(day),
  PARSE_DATE: parsedBy((parsed, value) => parsed.date(value), DATE),
  DATETIME: datetimeOf,
  DATETIME_ADD: datetimeShift('+'),
  DATETIME_SUB: datetimeShift('-'),
  DATETIME_DIFF: (call) => sql(dateDifference(civilOf(call, 0), civilOf(call, 1), partOf(call)), INT64),
  DATETIME_TRUNC: datetimeTrunc,
  FORMAT_DATETIME: formatted(civilOf),
  PARSE_DATETIME: parsedBy((parsed, value) => parsed.civil(value), DATETIME),
  UNIX_DATE: (call) => sql(`date_diff('day', DATE '1970-01-01', ${day(call, 0)})`, INT64),
  DATE_FROM_UNIX_DATE: (call) =>
    sql(inCalendar(`(DATE '1970-01-01' + CAST(${whole(call, 0)} AS INTEGER))`, 'DATE'), DATE),
  TIMESTAMP: timestampOf,
  TIMESTAMP_ADD: timestampShift('+'),
  TIMESTAMP_SUB: timestampShift('-'),
  TIMESTAMP_DIFF: timestampDiff,
  TIMESTAMP_TRUNC: timestampTrunc,
  FORMAT_TIMESTAMP: formatted((call, index) =>
    call.args.length > 2 ? civil(call, instant(call, index), 2) : `(${instant(call, index)} AT TIME ZONE 'UTC')`,
  ),
  PARSE_TIMESTAMP: parsedBy((parsed, value) => parsed.civil(value), TIMESTAMP),
  UNIX_SECONDS: (call) => sql(floorDivided(`epoch_us(${instant(call, 0)})`, 1_000_000), INT64),
  UNIX_MILLIS: (call) => sql(floorDivided(`epoch_us(${instant(call, 0)})`, 1_000), INT64),
  UNIX_MICROS: (call) => sql(`epoch_us(${instant(call, 0)})`, INT64),
  TIMESTAMP_SECONDS: instantOf(1_000_000),
  TIMESTAMP_MILLIS: instantOf(1_000),
  TIMESTAMP_MICROS: instantOf(1),
} satisfies Functions;
