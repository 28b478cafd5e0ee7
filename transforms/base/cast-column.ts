/** A bronze column's DuckDB type and a spec column -> SQL that gives the typed value, or null where the value is none of that type. Pure. */
import type { ColumnSpec } from '../../core/spec.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { literal } from '../../engine/sql-text.ts';

/** How a bronze value is read: by its own type, or as text where that type says nothing about the wanted one. */
export type Reading = 'text' | 'integer' | 'float' | 'decimal' | 'bool' | 'date' | 'civil' | 'instant';

const NUMBERS: readonly Reading[] = ['integer', 'float', 'decimal'];
const TIMES: readonly Reading[] = ['date', 'civil', 'instant'];

/** Instants outside can be no fact of a business, and would overflow engines that count nanoseconds. */
const FIRST_DAY = '1900-01-01';
const FIRST_DAY_BEYOND = '2262-01-01';

const CIVIL = String.raw`\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?)?`;
const ZONED = String.raw`\d{4}[-/]\d{1,2}[-/]\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}([.]\d+)?)?(Z| ?UTC| ?[+-]\d{2}(:?\d{2})?)`;
const DAY = String.raw`\d{4}[-/]\d{1,2}[-/]\d{1,2}`;
const INTEGER = '[+-]?[0-9]+';
const NUMBER = '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?';
const TRUE_WORDS = ['true', 't', 'yes', 'y', '1'];
const FALSE_WORDS = ['false', 'f', 'no', 'n', '0'];

/** A number that lies where a date is wanted has no known unit: it is read as text, which is no date either. */
export function readingOf(bronzeType: string, type: ColumnSpec['type']): Reading {
  const own = ownReading(bronzeType);
  if (type === 'string') return 'text';
  if (type === 'bool') return own === 'bool' || NUMBERS.includes(own) ? own : 'text';
  if (type === 'date' || type === 'timestamp') return TIMES.includes(own) ? own : 'text';
  return NUMBERS.includes(own) ? own : 'text';
}

function ownReading(bronzeType: string): Reading {
  const name = bronzeType.toUpperCase();
  if (/^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/.test(name)) return 'integer';
  if (/^(FLOAT|DOUBLE)$/.test(name)) return 'float';
  if (name.startsWith('DECIMAL')) return 'decimal';
  if (name === 'BOOLEAN') return 'bool';
  if (name === 'DATE') return 'date';
  if (/^TIMESTAMP(_S|_MS|_NS)?$/.test(name)) return 'civil';
  if (name === 'TIMESTAMP WITH TIME ZONE') return 'instant';
  return 'text';
}

/** Any bronze value as text; a whole number that a program stored as float loses its `.0`, so that ids stay ids. */
export function textOf(value: string, bronzeType: string): string {
  if (ownReading(bronzeType) !== 'float') return `CAST(${value} AS VARCHAR)`;
  return (
    `CASE WHEN ${value} = trunc(${value}) AND abs(${value}) < 1e15 THEN CAST(CAST(${value} AS BIGINT) AS VARCHAR) ` +
    `ELSE CAST(${value} AS VARCHAR) END`
  );
}

/** The typed value of a cleaned one; null where it does not fit: fractions for integers, NaN, overflow, unknown words. */
export function castValue(
  value: string,
  reading: Reading,
  column: Pick<ColumnSpec, 'type' | 'clean' | 'format'>,
  timezone: string,
): string {
  switch (column.type) {
    case 'string':
      return column.clean === 'lower' || column.clean === 'upper' ? `${column.clean}(${value})` : value;
    case 'int64':
      return castInteger(value, reading);
    case 'float64':
      return castFloat(value, reading);
    case 'bool':
      return castBool(value, reading);
    case 'date':
      return castDate(value, reading, column.format, timezone);
    case 'timestamp':
      return castTimestamp(value, reading, column.format, timezone);
    default:
      return castDecimal(value, reading, column.type);
  }
}

/** The value where it lies in the years that every engine can hold, else null. */
export function withinYears(value: string, type: ColumnSpec['type']): string {
  if (type !== 'date' && type !== 'timestamp') return value;
  const bound = (day: string) => `${type === 'date' ? 'DATE' : 'TIMESTAMPTZ'} ${literal(day)}`;
  return `CASE WHEN ${value} >= ${bound(FIRST_DAY)} AND ${value} < ${bound(FIRST_DAY_BEYOND)} THEN ${value} END`;
}

function castInteger(value: string, reading: Reading): string {
  const cast = `TRY_CAST(${value} AS BIGINT)`;
  if (reading === 'integer') return cast;
  if (reading === 'float') return `CASE WHEN isfinite(${value}) AND ${value} = trunc(${value}) THEN ${cast} END`;
  if (reading === 'decimal') return `CASE WHEN ${value} = trunc(${value}) THEN ${cast} END`;
  return `CASE WHEN ${matches(value, INTEGER)} THEN ${cast} END`;
}

function castFloat(value: string, reading: Reading): string {
  const cast = `TRY_CAST(${value} AS DOUBLE)`;
  const finite = `CASE WHEN isfinite(${cast}) THEN ${cast} END`;
  return reading === 'text' ? `CASE WHEN ${matches(value, NUMBER)} THEN ${finite} END` : finite;
}

function castDecimal(value: string, reading: Reading, type: ColumnSpec['type']): string {
  const target = duckDbType(type);
  if (reading === 'float') {
    const scale = /,\s*(\d+)/.exec(type)?.[1] ?? '0';
    const wide = `CAST(${value} AS DOUBLE)`;
    return `CASE WHEN isfinite(${wide}) THEN TRY_CAST(round(${wide}, ${scale}) AS ${target}) END`;
  }
  const cast = `TRY_CAST(${value} AS ${target})`;
  return reading === 'text' ? `CASE WHEN ${matches(value, NUMBER)} THEN ${cast} END` : cast;
}

function castBool(value: string, reading: Reading): string {
  if (reading === 'bool') return value;
  if (reading !== 'text') return `CASE WHEN ${value} = 1 THEN true WHEN ${value} = 0 THEN false END`;
  const oneOf = (words: readonly string[]) => `lower(${value}) IN (${words.map(literal).join(', ')})`;
  return `CASE WHEN ${oneOf(TRUE_WORDS)} THEN true WHEN ${oneOf(FALSE_WORDS)} THEN false END`;
}

function castDate(value: string, reading: Reading, format: string | null, timezone: string): string {
  switch (reading) {
    case 'date':
      return value;
    case 'civil':
      return `CAST(${value} AS DATE)`;
    case 'instant':
      return dayOfInstant(value, timezone);
    default:
      if (format !== null) return `CAST(try_strptime(${value}, ${literal(format)}) AS DATE)`;
      return (
        `CASE WHEN ${matches(value, DAY)} THEN TRY_CAST(${value} AS DATE) ` +
        `WHEN ${matches(value, CIVIL)} THEN CAST(TRY_CAST(${value} AS TIMESTAMP) AS DATE) ` +
        `WHEN ${matches(value, ZONED)} THEN ${dayOfInstant(castZoned(value), timezone)} END`
      );
  }
}

function castTimestamp(value: string, reading: Reading, format: string | null, timezone: string): string {
  switch (reading) {
    case 'instant':
      return `CAST(${value} AS TIMESTAMPTZ)`;
    case 'date':
    case 'civil':
      return instantOfCivil(`CAST(${value} AS TIMESTAMP)`, timezone);
    default:
      if (format !== null) return instantOfCivil(`try_strptime(${value}, ${literal(format)})`, timezone);
      return (
        `CASE WHEN ${matches(value, CIVIL)} THEN ${instantOfCivil(`TRY_CAST(${value} AS TIMESTAMP)`, timezone)} ` +
        `WHEN ${matches(value, ZONED)} THEN ${castZoned(value)} END`
      );
  }
}

/** Through TIMESTAMPTZ, because TIMESTAMP drops the offset without a word; DuckDB wants the sign next to the time. */
function castZoned(value: string): string {
  return `TRY_CAST(regexp_replace(${value}, ' ([+-])', '\\1') AS TIMESTAMPTZ)`;
}

/** The session's zone is UTC, so a plain cast is right there, and cheaper than the zone tables. */
function instantOfCivil(civil: string, timezone: string): string {
  return timezone === 'UTC' ? `CAST(${civil} AS TIMESTAMPTZ)` : `timezone(${literal(timezone)}, ${civil})`;
}

/** The calendar day of an instant in a zone, as SQL. */
export function dayOfInstant(instant: string, timezone: string): string {
  return timezone === 'UTC' ? `CAST(${instant} AS DATE)` : `CAST(timezone(${literal(timezone)}, ${instant}) AS DATE)`;
}

function matches(value: string, pattern: string): string {
  return `regexp_full_match(${value}, ${literal(pattern)})`;
}
