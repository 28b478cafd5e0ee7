/** GoogleSQL text -> tokens with their place; text that is no GoogleSQL -> a fault with line and column. */
import { type ErrorCode, PipelineError } from '../errors.ts';

/** What is wrong with a piece of SQL, and where; lines and columns from 1. */
export interface SqlFault {
  readonly message: string;
  readonly hint: string | null;
  readonly line: number;
  readonly column: number;
}

/** Code `sql_invalid`: no engine would take it. `sql_not_portable`: the engines are not known to agree on it. */
export class SqlFaultError extends PipelineError {
  readonly fault: SqlFault;

  constructor(code: Extract<ErrorCode, 'sql_invalid' | 'sql_not_portable'>, fault: SqlFault) {
    const hint = fault.hint === null ? '' : ` ${fault.hint}`;
    super(code, `SQL line ${fault.line}, column ${fault.column}: ${fault.message}${hint}`, {
      context: { line: fault.line, column: fault.column },
    });
    this.fault = fault;
  }
}

export function invalid(text: string, at: number, message: string, hint: string | null = null): SqlFaultError {
  return new SqlFaultError('sql_invalid', { message, hint, ...positionOf(text, at) });
}

export function notPortable(text: string, at: number, message: string, hint: string | null = null): SqlFaultError {
  return new SqlFaultError('sql_not_portable', { message, hint, ...positionOf(text, at) });
}

export function positionOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: at - lineStart + 1 };
}

export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'param' | 'symbol' | 'end';
  /** As written. */
  readonly text: string;
  /** Words in upper case; names, parameters and strings without quotes and escapes. */
  readonly value: string;
  /** Offset in the text. */
  readonly at: number;
}

/** Symbols of other dialects, each with what to write instead. */
const FOREIGN_SYMBOLS: readonly (readonly [symbol: string, hint: string])[] = [
  ['::', 'Write CAST(value AS TYPE).'],
  ['//', 'Write DIV(a, b).'],
  ['**', 'Write POW(a, b).'],
  ['==', 'Write = to compare.'],
  ['!~', 'Write NOT REGEXP_CONTAINS(value, pattern).'],
  ['->', 'Lambdas and JSON arrows exist in one engine only.'],
  ['=>', 'Pass arguments by position.'],
  ['%', 'Write MOD(a, b).'],
  ['~', 'Write REGEXP_CONTAINS(value, pattern).'],
  ['{', 'Structs exist in one engine only; select the fields as columns.'],
  ['$', 'Parameters begin with @, as in @window_start.'],
  ['?', 'Parameters have names, as in @window_start.'],
  ['&', 'Bit operations are not covered.'],
  ['|', 'Bit operations are not covered.'],
  ['^', 'Bit operations are not covered; write POW(a, b) for a power.'],
];
const SYMBOLS = [
  '||',
  '<>',
  '!=',
  '<=',
  '>=',
  '<<',
  '>>',
  '(',
  ')',
  '[',
  ']',
  ',',
  '.',
  '=',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
];

const SPACE = /[\s]/;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const STRING_START = /(?:[rR][bB]|[bB][rR]|[rRbB])?(?:'''|"""|'|")/y;
const QUOTED_NAME = /`([^`\n]*)`/y;

/**
 * All tokens, the last one of kind `end`. Comments (`--`, `#`, block) are dropped.
 *
 * @throws SqlFaultError for unterminated strings, names and comments, and for characters that GoogleSQL does not know
 */
export function tokenize(text: string): readonly Token[] {
  const nul = text.indexOf('\0');
  if (nul >= 0) throw invalid(text, nul, 'A NUL character has no place in SQL.', 'Remove it.');
  const tokens: Token[] = [];
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const token = readToken(text, at);
    tokens.push(token);
    at = skipBlanks(text, at + token.text.length);
  }
  tokens.push({ kind: 'end', text: '', value: '', at: text.trimEnd().length });
  return tokens;
}

function readToken(text: string, at: number): Token {
  const string = match(STRING_START, text, at);
  if (string !== null) return readString(text, at, string);
  const word = match(WORD, text, at);
  if (word !== null) return { kind: 'word', text: word, value: word.toUpperCase(), at };
  const number = match(NUMBER, text, at);
  if (number !== null) return readNumber(text, at, number);
  if (text[at] === '`') return readQuotedName(text, at);
  if (text[at] === '@') return readParameter(text, at);
  for (const [symbol, hint] of FOREIGN_SYMBOLS) {
    if (!text.startsWith(symbol, at) || text.startsWith('||', at)) continue;
    throw notPortable(text, at, `“${symbol}” is not portable GoogleSQL.`, hint);
  }
  const symbol = SYMBOLS.find((candidate) => text.startsWith(candidate, at));
  if (symbol !== undefined) return { kind: 'symbol', text: symbol, value: symbol, at };
  if (text[at] === ';')
    throw invalid(text, at, 'A semicolon has no place here.', 'Write one statement, without an end mark.');
  throw invalid(text, at, `Unexpected character “${String.fromCodePoint(text.codePointAt(at) ?? 0)}”.`);
}

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

function readNumber(text: string, at: number, number: string): Token {
  const next = text[at + number.length] ?? '';
  if (/[A-Za-z0-9_]/.test(next)) {
    throw invalid(text, at, `“${number}${next}” begins like a number but is none.`, 'Put such a name in backticks.');
  }
  return { kind: 'number', text: number, value: number, at };
}

function readQuotedName(text: string, at: number): Token {
  const quoted = match(QUOTED_NAME, text, at);
  if (quoted === null) throw invalid(text, at, 'This backtick is never closed.', 'Close the name on the same line.');
  if (quoted === '``') throw invalid(text, at, 'A name in backticks is empty.');
  return { kind: 'quoted', text: quoted, value: quoted.slice(1, -1), at };
}

function readParameter(text: string, at: number): Token {
  if (text[at + 1] === '@') throw notPortable(text, at, 'System variables are not portable.');
  const name = match(WORD, text, at + 1);
  if (name === null) throw invalid(text, at, 'A parameter needs a name after @.');
  return { kind: 'param', text: `@${name}`, value: name, at };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (SPACE.test(text[at] ?? '')) at++;
    else if (text[at] === '#' || text.startsWith('--', at)) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) throw invalid(text, at, 'This comment is never closed.', 'Close it with */.');
      at = end + 2;
    } else break;
  }
  return at;
}

function readString(text: string, at: number, opening: string): Token {
  const prefix = opening.replace(/['"]+$/, '').toLowerCase();
  if (prefix.includes('b')) throw notPortable(text, at, 'BYTES literals are not covered.', 'Use a STRING.');
  const quote = opening.slice(prefix.length);
  const isRaw = prefix === 'r';
  let end = at + opening.length;
  while (!text.startsWith(quote, end)) {
    if (end >= text.length || (quote.length === 1 && text[end] === '\n')) {
      throw invalid(text, at, 'This string is never closed.', `Close it with ${quote}.`);
    }
    end += text[end] === '\\' ? 2 : 1;
  }
  const body = text.slice(at + opening.length, end);
  const whole = text.slice(at, end + quote.length);
  if (quote.length === 1 && text[end + 1] === quote) {
    throw invalid(text, end, 'A doubled quote does not stand for a quote in GoogleSQL.', `Write \\${quote} instead.`);
  }
  return { kind: 'string', text: whole, value: isRaw ? body : decodeEscapes(text, at + opening.length, body), at };
}

const SIMPLE_ESCAPES: { readonly [letter: string]: string } = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '?': '?',
  '"': '"',
  "'": "'",
  '`': '`',
};

function decodeEscapes(text: string, start: number, body: string): string {
  return body.replace(
    /\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[\s\S]?)/g,
    (_whole, code: string, offset: number) => {
      const simple = SIMPLE_ESCAPES[code];
      if (simple !== undefined) return simple;
      const point = /^[xXuU]./.test(code) ? Number.parseInt(code.slice(1), 16) : Number.parseInt(code, 8);
      if (point > 0 && point <= 0x10ffff) return String.fromCodePoint(point);
      throw invalid(
        text,
        start + offset,
        `“\\${code}” is no escape of GoogleSQL.`,
        'Write \\\\ for a backslash, or a raw string r"…".',
      );
    },
  );
}
