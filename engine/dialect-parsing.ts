/** A format of PARSE_DATE or PARSE_TIMESTAMP -> DuckDB text that reads a text by it, or gives NULL. */
import { literal } from './sql-text.ts';

/** Both give NULL for a text that is not of the format, or is no day or instant. */
export interface ParsedFormat {
  date(text: string): string;
  /** In UTC. */
  timestamp(text: string): string;
}

/** Most digits that a code reads. */
const WIDTHS: { readonly [code: string]: number } = { Y: 4, m: 2, d: 2, H: 2, M: 2, S: 2 };
const SHORTHANDS: { readonly [code: string]: string } = { F: '%Y-%m-%d', T: '%H:%M:%S' };

/**
 * The code that is not covered, where there is one. A number reads as many digits as it may, and fewer only where no digit follows.
 *
 * @source GoogleSQL, "Format elements": supported elements when parsing
 */
export function parseFormat(format: string, hasTime: boolean): ParsedFormat | { readonly unknown: string } {
  const codes: string[] = [];
  const plain = format.replace(/%([FT])/g, (_, code: string) => SHORTHANDS[code] ?? '');
  const pieces = plain.match(/%[\s\S]?|\s+|[^%\s]+/g) ?? [];
  const patterns: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    const code = piece.startsWith('%') ? piece.slice(1) : null;
    if (code === null)
      patterns.push(/^\s/.test(piece) ? '\\s*' : piece.replace(/[^A-Za-z0-9]/gu, (sign) => escaped(sign)));
    else if (code === '%') patterns.push('%');
    else {
      const width = WIDTHS[code];
      const isTime = ['H', 'M', 'S'].includes(code);
      if (width === undefined || codes.includes(code) || (isTime && !hasTime)) return { unknown: piece };
      codes.push(code);
      const isFollowed = /^%[A-Za-z]|^\d/.test(pieces[index + 1] ?? '');
      patterns.push(isFollowed ? `(\\d{${width}})` : `(\\d{1,${width}})`);
    }
  }
  const pattern = literal(`\\s*${patterns.join('')}\\s*`);
  const part = (text: string, code: string, missing: string): string => {
    const group = codes.indexOf(code) + 1;
    return group === 0
      ? literal(missing)
      : `lpad(regexp_extract(${text}, ${pattern}, ${group}), ${WIDTHS[code] ?? 2}, '0')`;
  };
  const day = (text: string) =>
    `${part(text, 'Y', '1970')} || '-' || ${part(text, 'm', '01')} || '-' || ${part(text, 'd', '01')}`;
  const clock = (text: string) => `${part(text, 'H', '00')} || ':' || ${part(text, 'M', '00')}`;
  const when = (text: string, value: string) => `CASE WHEN regexp_full_match(${text}, ${pattern}) THEN ${value} END`;
  return {
    date: (text) => when(text, `TRY_CAST(${day(text)} AS DATE)`),
    // DuckDB takes 24:00:00, and no leap second, which GoogleSQL takes as the first of the next minute.
    timestamp: (text) => {
      const seconds = part(text, 'S', '00');
      const minute = `TRY_CAST(${day(text)} || ' ' || ${clock(text)} || ':00+00' AS TIMESTAMPTZ)`;
      const isTime = `${part(text, 'H', '00')} < '24' AND ${seconds} <= '60'`;
      return when(text, `CASE WHEN ${isTime} THEN ${minute} + CAST(${seconds} AS BIGINT) * INTERVAL 1 SECOND END`);
    },
  };
}

function escaped(sign: string): string {
  return /[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]/.test(sign) ? `\\${sign}` : sign;
}
