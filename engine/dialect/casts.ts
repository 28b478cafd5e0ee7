/** CAST and SAFE_CAST of GoogleSQL -> DuckDB text with the same result: same rounding, same texts taken, same texts written. */
import type { TypeName } from '../../core/google-sql/ast.ts';
import { literal } from '../sql-text.ts';
import { numericOfFloat } from './numbers.ts';
import {
  BOOL,
  DATE,
  DATETIME,
  FLOAT64,
  INT64,
  NUMERIC_SCALE,
  numeric,
  type Sql,
  type SqlType,
  STRING,
  sql,
  TIMESTAMP,
} from './types.ts';

/** From the year 1 on, and without blanks around it, which are well around a number. */
const DAY = String.raw`(000[1-9]|00[1-9]\d|0[1-9]\d{2}|[1-9]\d{3})-\d{1,2}-\d{1,2}`;

/**
 * Texts that GoogleSQL reads as a value of a type; DuckDB takes more (`'2.5'` as an integer, `'yes'` as true, `2025/01/05`).
 *
 * @source GoogleSQL, "Conversion functions", CAST from STRING
 */
const READABLE: { readonly [type in TypeName['name']]: string | null } = {
  STRING: null,
  INT64: String.raw`\s*[+-]?(0[xX][0-9a-fA-F]+|\d+)\s*`,
  FLOAT64: String.raw`(?i)\s*[+-]?(0x[0-9a-f]+|\d+\.?\d*([e][+-]?\d+)?|\.\d+([e][+-]?\d+)?|inf|infinity|nan)\s*`,
  NUMERIC: String.raw`(?i)\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*`,
  BIGNUMERIC: String.raw`(?i)\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*`,
  BOOL: '(?i)true|false',
  DATE: DAY,
  DATETIME: String.raw`${DAY}([ Tt]([01]?\d|2[0-3]):[0-5]?\d:[0-5]?\d(\.\d{1,6})?)?`,
  TIMESTAMP: String.raw`${DAY}([ Tt]([01]?\d|2[0-3]):[0-5]?\d:([0-5]?\d|60)(\.\d{1,6})?)?(\s*(Z|z|UTC|[+-]\d{1,2}(:\d{2})?|[+-]\d{4}))?`,
};

/** GoogleSQL reads the names of zones in a text; what DuckDB makes of them is not known to be the same. */
const NAMES_A_ZONE = String.raw`\s*\d{4}-\d{1,2}-\d{1,2}.*\s[A-Za-z]+(/[A-Za-z_]+)+\s*`;

/** The conversion as text; a message for those on which the engines differ. */
export function renderCast(
  value: Sql,
  type: TypeName,
  safe: boolean,
): Sql | { readonly refused: string; readonly hint: string } {
  const from = value.type.kind;
  if (type.name === 'BIGNUMERIC' && type.precision === null && !['INT64', 'NUMERIC', 'NULL'].includes(from))
    return {
      refused: 'A BIGNUMERIC has 38 digits after the point, more than DuckDB keeps.',
      hint: 'Write BIGNUMERIC(38, 9), or NUMERIC.',
    };
  const target = targetType(type, value.type);
  if (safe && type.precision !== null)
    return {
      refused: `SAFE_CAST to ${type.name}(p, s) is an error on one engine and NULL on the other where a value is too large.`,
      hint: `Write SAFE_CAST(value AS ${type.name}), and ROUND for its digits.`,
    };
  const isSameNumber = type.name === 'BIGNUMERIC' && type.precision === null && from === 'NUMERIC';
  if (isSameNumber) return sql(value.text, target);
  if (from === 'NULL') return sql(`CAST(NULL AS ${duckDbName(type)})`, target);
  if (type.name === 'STRING') return renderText(value, safe);
  if (from === 'STRING') {
    const isNumber = ['FLOAT64', 'NUMERIC', 'BIGNUMERIC'].includes(type.name);
    return sql(renderFromText((isNumber ? value.numberText : undefined) ?? value.text, type, safe), target);
  }
  const allowed = ALLOWED[type.name];
  if (from !== 'UNKNOWN' && !allowed.includes(from)) {
    return {
      refused: `CAST from ${from} to ${type.name} is not GoogleSQL.`,
      hint: `${type.name} is made of STRING, ${allowed.join(', ')}.`,
    };
  }
  const plain = renderPlain(value, type, safe);
  if (from !== 'UNKNOWN') return sql(plain, target);
  const text = renderFromText(`CAST(${value.text} AS VARCHAR)`, type, safe);
  return sql(`(CASE WHEN typeof(${value.text}) = 'VARCHAR' THEN ${text} ELSE ${plain} END)`, target);
}

const ALLOWED: { readonly [type in TypeName['name']]: readonly SqlType['kind'][] } = {
  STRING: [],
  INT64: ['INT64', 'FLOAT64', 'NUMERIC', 'BOOL'],
  FLOAT64: ['INT64', 'FLOAT64', 'NUMERIC'],
  NUMERIC: ['INT64', 'FLOAT64', 'NUMERIC'],
  BIGNUMERIC: ['INT64', 'FLOAT64', 'NUMERIC'],
  BOOL: ['INT64', 'BOOL'],
  DATE: ['DATE', 'TIMESTAMP', 'DATETIME'],
  TIMESTAMP: ['DATE', 'TIMESTAMP', 'DATETIME'],
  DATETIME: ['DATE', 'TIMESTAMP', 'DATETIME'],
};

function targetType(type: TypeName, from: SqlType): SqlType {
  switch (type.name) {
    case 'STRING':
      return STRING;
    case 'INT64':
      return INT64;
    case 'FLOAT64':
      return FLOAT64;
    case 'NUMERIC':
      return numeric(type.precision === null ? NUMERIC_SCALE : (type.scale ?? 0));
    case 'BIGNUMERIC':
      return numeric(type.precision === null && from.kind === 'NUMERIC' ? from.scale : (type.scale ?? 0), true);
    case 'BOOL':
      return BOOL;
    case 'DATE':
      return DATE;
    case 'TIMESTAMP':
      return TIMESTAMP;
    case 'DATETIME':
      return DATETIME;
  }
}

function duckDbName(type: TypeName): string {
  switch (type.name) {
    case 'STRING':
      return 'VARCHAR';
    case 'INT64':
      return 'BIGINT';
    case 'FLOAT64':
      return 'DOUBLE';
    case 'NUMERIC':
    case 'BIGNUMERIC':
      return type.precision === null
        ? `DECIMAL(38, ${type.name === 'NUMERIC' ? NUMERIC_SCALE : 0})`
        : `DECIMAL(${type.precision}, ${type.scale ?? 0})`;
    case 'BOOL':
      return 'BOOLEAN';
    case 'DATE':
      return 'DATE';
    case 'TIMESTAMP':
      return 'TIMESTAMPTZ';
    case 'DATETIME':
      return 'TIMESTAMP';
  }
}

function renderPlain(value: Sql, type: TypeName, safe: boolean): string {
  const cast = safe ? 'TRY_CAST' : 'CAST';
  if (isExact(type) && value.type.kind === 'FLOAT64')
    return `${cast}(${numericOfFloat(value.text, safe)} AS ${duckDbName(type)})`;
  // DuckDB rounds a half of a DOUBLE to the even neighbour, GoogleSQL away from zero.
  const isHalfEven = type.name === 'INT64' && (value.type.kind === 'FLOAT64' || value.type.kind === 'UNKNOWN');
  const rounded = isHalfEven && value.type.kind === 'FLOAT64' ? `round(${value.text})` : value.text;
  const plain = `${cast}(${rounded} AS ${duckDbName(type)})`;
  if (!isHalfEven || value.type.kind === 'FLOAT64') return plain;
  const halves = `${cast}(round(TRY_CAST(${value.text} AS DOUBLE)) AS BIGINT)`;
  return `CASE WHEN typeof(${value.text}) IN ('DOUBLE', 'FLOAT') THEN ${halves} ELSE ${plain} END`;
}

function renderFromText(text: string, type: TypeName, safe: boolean): string {
  const pattern = READABLE[type.name];
  if (pattern === null) return text;
  const trimmed = `trim(${text}, ' \t\n\r')`;
  // DuckDB reads 0x1F as a whole number, but not with a sign, and not as a DOUBLE.
  const unsigned = `TRY_CAST(regexp_replace(${trimmed}, '^[+-]0[xX]', '0x') AS BIGINT)`;
  const hex = `coalesce(TRY_CAST(${trimmed} AS BIGINT), CASE WHEN ${trimmed} LIKE '-%' THEN -${unsigned} ELSE ${unsigned} END)`;
  const read =
    type.name === 'INT64'
      ? hex
      : type.name === 'FLOAT64'
        ? `coalesce(TRY_CAST(${trimmed} AS DOUBLE), CAST(${hex} AS DOUBLE))`
        : type.name === 'TIMESTAMP'
          ? readInstant(`upper(${trimmed})`)
          : `TRY_CAST(${isExact(type) ? withoutExponent(trimmed) : trimmed} AS ${duckDbName(type)})`;
  const zoned =
    type.name === 'TIMESTAMP'
      ? `WHEN regexp_full_match(${text}, ${literal(NAMES_A_ZONE)}) THEN error('The name of a time zone in a text is not read: write an offset, as in +02:00') `
      : '';
  const value = `CASE ${zoned}WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN ${read} END`;
  if (safe) return `(${value})`;
  const message = `concat('Cannot read ', ${text}, ${literal(` as ${type.name}`)})`;
  return `(CASE WHEN ${text} IS NULL THEN NULL ELSE coalesce(${value}, error(${message})) END)`;
}

function isExact({ name }: TypeName): boolean {
  return name === 'NUMERIC' || name === 'BIGNUMERIC';
}

/** `-1.5e-12` with its point moved: of a text with an exponent DuckDB rounds the last digit of a DECIMAL wrongly. */
function withoutExponent(text: string): string {
  const part = (group: number) => `regexp_extract(t, '^([+-]?)(\\d*)\\.?(\\d*)[eE]([+-]?\\d+)$', ${group})`;
  const exponent = `greatest(-80, least(80, CAST(TRY_CAST(${part(4)} AS BIGINT) AS INTEGER)))`;
  const whole = `lpad(${part(2)}, CAST(greatest(length(${part(2)}), 1 - ${exponent}) AS INTEGER), '0')`;
  const fraction = `rpad(${part(3)}, CAST(greatest(length(${part(3)}), ${exponent}) AS INTEGER), '0')`;
  const moved = `${part(1)} || left(${whole} || ${fraction}, length(${whole}) + ${exponent}) || '.' || substr(${whole} || ${fraction}, length(${whole}) + ${exponent} + 1)`;
  return `(CASE WHEN ${text} LIKE '%e%' OR ${text} LIKE '%E%' THEN list_transform([${text}], lambda t: ${moved})[1] ELSE ${text} END)`;
}

/** DuckDB wants two digits in an offset, and knows no leap second, which GoogleSQL takes as the first of the next minute. */
function readInstant(text: string): string {
  const offset = `regexp_replace(${text}, '([+-])(\\d)(:\\d{2})?$', '\\10\\2\\3')`;
  const written = `(CASE WHEN regexp_matches(${text}, ':.*[+-]\\d(:\\d{2})?$') THEN ${offset} ELSE ${text} END)`;
  const isLeap = `regexp_matches(${text}, ':\\d{1,2}:60')`;
  const before = `TRY_CAST(regexp_replace(${written}, ':60(\\.\\d+)?', ':59') AS TIMESTAMPTZ)`;
  return `CASE WHEN ${isLeap} THEN ${before} + INTERVAL 1 SECOND ELSE TRY_CAST(${written} AS TIMESTAMPTZ) END`;
}

/**
 * Civil time with no fraction, or one of three or six digits.
 *
 * @source GoogleSQL, "Conversion functions", CAST AS STRING
 */
export function civilText(civil: string): string {
  const micros = `(microsecond(${civil}) % 1000000)`;
  const fraction = `CASE WHEN ${micros} = 0 THEN '' WHEN ${micros} % 1000 = 0 THEN strftime(${civil}, '.%g') ELSE strftime(${civil}, '.%f') END`;
  return `(strftime(${civil}, '%Y-%m-%d %H:%M:%S') || ${fraction})`;
}

/** Fifteen digits where they give the number back, else seventeen; never the sign of zero. */
function floatText(value: string): string {
  const short = `printf('%.15g', v)`;
  const shortest = `CASE WHEN CAST(${short} AS DOUBLE) = v THEN ${short} ELSE printf('%.17g', v) END`;
  const text = `CASE WHEN v = 0 THEN '0' WHEN isnan(v) THEN 'NaN' ELSE ${shortest} END`;
  return `list_transform([CAST(${value} AS DOUBLE)], lambda v: ${text})[1]`;
}

/** Numbers without trailing zeros, as GoogleSQL writes them. */
function renderText(value: Sql, safe: boolean): Sql | { readonly refused: string; readonly hint: string } {
  const written = `CAST(${value.text} AS VARCHAR)`;
  const trimmed = `rtrim(rtrim(${written}, '0'), '.')`;
  switch (value.type.kind) {
    case 'STRING':
      return sql(value.text, STRING);
    case 'INT64':
    case 'BOOL':
    case 'DATE':
      return sql(written, STRING);
    case 'NUMERIC':
      return sql(value.type.scale > 0 ? trimmed : written, STRING);
    case 'UNKNOWN': {
      const other = safe ? 'NULL' : `error('Cast this value to NUMERIC or format it before it becomes a STRING')`;
      return sql(
        `(CASE WHEN regexp_matches(typeof(${value.text}), '^DECIMAL.*,[1-9]') THEN ${trimmed} ` +
          `WHEN typeof(${value.text}) IN ('DOUBLE', 'FLOAT') OR typeof(${value.text}) LIKE 'TIMESTAMP%' THEN ${other} ELSE ${written} END)`,
        STRING,
      );
    }
    case 'TIMESTAMP':
      return sql(`(${civilText(`(${value.text} AT TIME ZONE 'UTC')`)} || '+00')`, STRING);
    case 'DATETIME':
      return sql(civilText(value.text), STRING);
    case 'FLOAT64':
      return sql(floatText(value.text), STRING);
    default:
      return {
        refused: `The text of a ${value.type.kind} differs between engines.`,
        hint: 'Round it and cast it to NUMERIC first.',
      };
  }
}
