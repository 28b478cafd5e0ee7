/** A format of PARSE_DATE or PARSE_TIMESTAMP -> DuckDB text that reads a text by it, or gives NULL. */
import { literal } from '../sql-text.ts';

/** Each gives NULL for a text that is not of the format, or is no day or time. */
export interface ParsedFormat {
  date(text: string): string;
  civil(text: string): string;
}

interface Code {
  /** What it reads, in one group. */
  readonly pattern: string;
  /** The same where a digit follows: all the digits that it may read. */
  readonly full: string;
  readonly isTime: boolean;
}

const MONTHS = 'january february march april may june july august september october november december'.split(' ');
const DAYS = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');
/** A name, or its first three letters. */
const names = (all: readonly string[]): string => `((?i)${[...all, ...all.map((name) => name.slice(0, 3))].join('|')})`;

function digits(most: number, isTime = false, blank = ''): Code {
  return { pattern: `${blank}(\\d{1,${most}})`, full: `${blank}(\\d{${most}})`, isTime };
}

const word = (pattern: string, isTime = false): Code => ({ pattern, full: pattern, isTime });

/** @source GoogleSQL, "Format elements": supported elements when parsing */
const CODES: { readonly [code: string]: Code } = {
  Y: digits(4),
  y: digits(2),
  m: digits(2),
  B: word(names(MONTHS)),
  d: digits(2),
  A: word(names(DAYS)),
  H: digits(2, true),
  I: digits(2, true),
  M: digits(2, true),
  S: digits(2, true),
  'E*S': word('(\\d{1,2}(?:\\.\\d{1,6})?)', true),
  p: word('((?i)am|pm)', true),
};
/** Codes that read the same as another one. */
const ALIASES: { readonly [code: string]: string } = { b: 'B', h: 'B', a: 'A', e: 'd', E4Y: 'Y' };
const SHORTHANDS: { readonly [code: string]: string } = {
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  R: '%H:%M',
  D: '%m/%d/%y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

/**
 * The code that is not covered, where there is one. A number reads as many digits as it may, and fewer only where no digit follows.
 *
 * @source GoogleSQL, "Format elements": supported elements when parsing
 */
export function parseFormat(format: string, hasTime: boolean): ParsedFormat | { readonly unknown: string } {
  const found: string[] = [];
  const plain = format.replace(/%([FTRDxX])/g, (_, code: string) => SHORTHANDS[code] ?? '');
  const pieces = plain.match(/%E(?:\*S|4Y)|%[\s\S]?|\s+|[^%\s]+/g) ?? [];
  const patterns: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    const code = piece.startsWith('%') ? (ALIASES[piece.slice(1)] ?? piece.slice(1)) : null;
    if (code === null)
      patterns.push(/^\s/.test(piece) ? '\\s*' : piece.replace(/[^A-Za-z0-9]/gu, (sign) => escaped(sign)));
    else if (code === '%') patterns.push('%');
    else {
      const row = CODES[code];
      if (row === undefined || found.includes(code) || (row.isTime && !hasTime)) return { unknown: piece };
      found.push(code);
      const isFollowed = /^%[A-Za-z]|^\d/.test(pieces[index + 1] ?? '');
      patterns.push(isFollowed ? row.full : row.pattern);
    }
  }
  const doubled = [
    ['Y', 'y'],
    ['m', 'B'],
    ['H', 'I'],
    ['H', 'p'],
    ['S', 'E*S'],
  ].find((pair) => pair.every((code) => found.includes(code)));
  if (doubled) return { unknown: `%${doubled[1]}` };
  if (found.includes('I') !== found.includes('p')) return { unknown: found.includes('p') ? '%p' : '%I' };
  const pattern = literal(`\\s*${patterns.join('')}\\s*`);
  const has = (code: string): boolean => found.includes(code);
  const part = (text: string, code: string): string =>
    `regexp_extract(${text}, ${pattern}, ${found.indexOf(code) + 1})`;
  const padded = (text: string, code: string, missing: string): string =>
    has(code) ? `lpad(${part(text, code)}, ${missing.length}, '0')` : literal(missing);
  const year = (text: string): string => {
    if (!has('y')) return padded(text, 'Y', '1970');
    const short = `CAST(${part(text, 'y')} AS INTEGER)`;
    return `CAST(${short} + CASE WHEN ${short} < 69 THEN 2000 ELSE 1900 END AS VARCHAR)`;
  };
  const month = (text: string): string => {
    if (!has('B')) return padded(text, 'm', '01');
    const place = `strpos('janfebmaraprmayjunjulaugsepoctnovdec', lower(left(${part(text, 'B')}, 3)))`;
    return `lpad(CAST((${place} + 2) // 3 AS VARCHAR), 2, '0')`;
  };
  const day = (text: string) => `${year(text)} || '-' || ${month(text)} || '-' || ${padded(text, 'd', '01')}`;
  const hour = (text: string): string => {
    if (!has('I')) return padded(text, 'H', '00');
    const twelve = `CAST(${part(text, 'I')} AS INTEGER)`;
    const shifted = `${twelve} % 12 + CASE WHEN lower(${part(text, 'p')}) = 'pm' THEN 12 ELSE 0 END`;
    return `CASE WHEN ${twelve} BETWEEN 1 AND 12 THEN lpad(CAST(${shifted} AS VARCHAR), 2, '0') ELSE '99' END`;
  };
  const when = (text: string, value: string) => `CASE WHEN regexp_full_match(${text}, ${pattern}) THEN ${value} END`;
  return {
    date: (text) => when(text, `TRY_CAST(${day(text)} AS DATE)`),
    // DuckDB takes 24:00:00, and no leap second, which GoogleSQL takes as the first of the next minute.
    civil: (text) => {
      const seconds = has('E*S') ? part(text, 'E*S') : padded(text, 'S', '00');
      const micros = `CAST(CAST(${seconds} AS DECIMAL(8, 6)) * 1000000 AS BIGINT)`;
      const minute = `TRY_CAST(${day(text)} || ' ' || ${hour(text)} || ':' || ${padded(text, 'M', '00')} || ':00' AS TIMESTAMP)`;
      const isTime = `${hour(text)} < '24' AND CAST(${seconds} AS DECIMAL(8, 6)) < 61`;
      return when(text, `CASE WHEN ${isTime} THEN ${minute} + ${micros} * INTERVAL 1 MICROSECOND END`);
    },
  };
}

function escaped(sign: string): string {
  return /[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]/.test(sign) ? `\\${sign}` : sign;
}
