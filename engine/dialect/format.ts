/** FORMAT with its format written out -> DuckDB text that joins the same pieces. */

import { literal } from '../sql-text.ts';
import { coerced, FLOAT64, type Sql, type SqlType } from './types.ts';

type Refused = { readonly refused: string; readonly hint: string };

const SPECIFIER = /%(?:%|([-+ 0']*)(\d*)(?:\.(\d+))?([A-Za-z]))/g;
const HINT = 'Use %s %d %t %% and %.2f with the flags - + 0 and a width; CONCAT joins anything else.';

/**
 * NULL where a value is NULL, but `%t` writes NULL out, and else what CAST AS STRING gives.
 *
 * @source GoogleSQL, "Format elements" of FORMAT
 */
export function renderFormat(
  format: string,
  values: readonly Sql[],
  textOf: (value: Sql) => Sql | Refused,
): string | Refused {
  const pieces: string[] = [];
  let used = 0;
  let from = 0;
  for (const found of format.matchAll(SPECIFIER)) {
    const plain = format.slice(from, found.index);
    if (plain.includes('%')) return { refused: `“${plain}” is no part of a format.`, hint: HINT };
    if (plain !== '') pieces.push(literal(plain));
    from = found.index + found[0].length;
    if (found[0] === '%%') {
      pieces.push("'%'");
      continue;
    }
    const value = values[used++];
    if (value === undefined) return { refused: `FORMAT has no value for “${found[0]}”.`, hint: HINT };
    const piece = renderPiece(found, value, textOf);
    if (typeof piece !== 'string') return piece;
    pieces.push(piece);
  }
  if (format.slice(from).includes('%'))
    return { refused: `“${format.slice(from)}” is no part of a format.`, hint: HINT };
  if (from < format.length) pieces.push(literal(format.slice(from)));
  if (used < values.length) return { refused: `FORMAT has ${values.length} values for ${used} places.`, hint: HINT };
  return pieces.length === 0 ? "''" : `(${pieces.join(' || ')})`;
}

function renderPiece(found: RegExpMatchArray, value: Sql, textOf: (value: Sql) => Sql | Refused): string | Refused {
  const [whole = '', flags = '', width = '', digits, code = ''] = found;
  const unknown: Refused = { refused: `“${whole}” is not covered for ${value.type.kind}.`, hint: HINT };
  const isNumber = ['d', 'i', 'f', 'F'].includes(code);
  const body = isNumber
    ? renderNumber(code, digits, value.type, value)
    : renderPlain(code, flags, digits, value, textOf);
  if (body === null) return unknown;
  if (typeof body !== 'string') return body;
  const grouped = flags.includes("'") ? withCommas(body) : body;
  const signed = flags.includes('+')
    ? `CASE WHEN left(${grouped}, 1) = '-' THEN ${grouped} ELSE '+' || ${grouped} END`
    : flags.includes(' ')
      ? `CASE WHEN left(${grouped}, 1) = '-' THEN ${grouped} ELSE ' ' || ${grouped} END`
      : grouped;
  if (width === '') return `(${signed})`;
  const length = `greatest(${Number(width)}, length(${signed}))`;
  if (flags.includes('-')) return `rpad(${signed}, CAST(${length} AS INTEGER), ' ')`;
  if (!isNumber || !flags.includes('0')) return `lpad(${signed}, CAST(${length} AS INTEGER), ' ')`;
  const sign = `regexp_extract(${signed}, '^[-+ ]')`;
  return `(${sign} || lpad(substr(${signed}, length(${sign}) + 1), CAST(${length} - length(${sign}) AS INTEGER), '0'))`;
}

/** Null: no such code for this type. */
function renderNumber(code: string, digits: string | undefined, type: SqlType, value: Sql): string | null {
  if (code === 'd' || code === 'i')
    return type.kind === 'INT64' && digits === undefined ? `CAST(${value.text} AS VARCHAR)` : null;
  const places = digits === undefined ? 6 : Number(digits);
  if (type.kind === 'FLOAT64' || type.kind === 'INT64') {
    // Zero has no sign; what rounds to zero keeps its own.
    const text = `printf('%.${places}f', ${coerced(value, FLOAT64)} + 0)`;
    return type.kind === 'INT64'
      ? null
      : `CASE WHEN isnan(${value.text}) OR abs(${value.text}) >= 1e17 THEN error('FORMAT takes a FLOAT64 below 1e17, of which engines write the same digits: cast it to NUMERIC') ELSE ${text} END`;
  }
  if (type.kind !== 'NUMERIC' || type.isBig || places > 9) return null;
  // What rounds to zero keeps its sign.
  const size = `CAST(CAST(abs(${coerced(value, type)}) AS DECIMAL(38, ${places})) AS VARCHAR)`;
  return `(CASE WHEN ${value.text} < 0 THEN '-' ELSE '' END || ${size})`;
}

function renderPlain(
  code: string,
  flags: string,
  digits: string | undefined,
  value: Sql,
  textOf: (value: Sql) => Sql | Refused,
): string | Refused | null {
  if (digits !== undefined || /[0+ ']/.test(flags)) return null;
  if (code === 's') return value.type.kind === 'STRING' ? value.text : null;
  if (code !== 't' || !['STRING', 'INT64', 'BOOL', 'DATE', 'TIMESTAMP', 'DATETIME'].includes(value.type.kind))
    return null;
  const text = textOf(value);
  return 'refused' in text ? text : `coalesce(${text.text}, 'NULL')`;
}

/** A comma before every three digits of the whole part. */
function withCommas(text: string): string {
  const whole = `regexp_extract(${text}, '\\d+')`;
  const grouped = `ltrim(reverse(regexp_replace(reverse(${whole}), '(\\d{3})', '\\1,', 'g')), ',')`;
  return `regexp_replace(${text}, '\\d+', ${grouped})`;
}
