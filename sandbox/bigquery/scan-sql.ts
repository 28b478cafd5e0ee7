/** A GoogleSQL script -> its tokens and statements; text made of pieces of it -> with the place in the script of each letter. */
import { positionOf, SqlFaultError } from '../../core/google-sql/lexer.ts';
import { BigQueryError } from './bigquery-error.ts';

export interface ScriptToken {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'param' | 'positional' | 'symbol';
  /** As written. */
  readonly text: string;
  /** Words in upper case, names without quotes. */
  readonly value: string;
  readonly at: number;
  readonly end: number;
}

const TOKEN =
  /(?<blank>\s+|--[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>(?:[rRbB]{0,2})(?:'''(?:\\[\s\S]|(?!''')[^\\])*'''|"""(?:\\[\s\S]|(?!""")[^\\])*"""|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"))|(?<quoted>`[^`\n]+`)|(?<param>@[A-Za-z_]\w*)|(?<word>[A-Za-z_]\w*)|(?<number>\d[\w.]*|\.\d[\w.]*)|(?<positional>\?)|(?<symbol>[\s\S])/gy;

/** All tokens; comments and blanks are left out, what is not closed comes as single symbols. */
export function scanSql(text: string): readonly ScriptToken[] {
  const tokens: ScriptToken[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const groups = match.groups ?? {};
    const kind = (['string', 'quoted', 'param', 'word', 'number', 'positional', 'symbol'] as const).find(
      (each) => groups[each] !== undefined,
    );
    if (kind === undefined) continue;
    const written = match[0];
    const value =
      kind === 'word'
        ? written.toUpperCase()
        : kind === 'quoted'
          ? written.slice(1, -1)
          : kind === 'param'
            ? written.slice(1)
            : written;
    tokens.push({ kind, text: written, value, at: match.index, end: match.index + written.length });
  }
  return tokens;
}

/** Statements between semicolons, none of them empty. */
export function splitStatements(tokens: readonly ScriptToken[]): readonly (readonly ScriptToken[])[] {
  const statements: ScriptToken[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'symbol' && token.value === ';') statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements.filter((statement) => statement.length > 0);
}

/** A stretch `[at, end)` of the script, taken over with the script's edits. */
export interface Stretch {
  readonly at: number;
  readonly end: number;
}

export interface Edit extends Stretch {
  readonly text: string;
}

/** Text for the translator, and the way back from its places to those of the script. */
export interface ComposedSql {
  readonly text: string;
  /** Offset in the script of an offset in `text`. */
  placeOf(offset: number): number;
}

/** Own words stand for the place at which the next stretch begins. */
export function compose(script: string, edits: readonly Edit[], parts: readonly (string | Stretch)[]): ComposedSql {
  const pieces: { readonly start: number; readonly place: number; readonly isVerbatim: boolean }[] = [];
  let text = '';
  const add = (piece: string, place: number, isVerbatim: boolean): void => {
    pieces.push({ start: text.length, place, isVerbatim });
    text += piece;
  };
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') {
      const next = parts.slice(index).find((each) => typeof each !== 'string');
      add(part, next ? next.at : 0, false);
      continue;
    }
    let at = part.at;
    for (const edit of edits.filter((each) => each.at >= part.at && each.end <= part.end)) {
      add(script.slice(at, edit.at), at, true);
      add(edit.text, edit.at, false);
      at = edit.end;
    }
    add(script.slice(at, part.end), at, true);
  }
  return {
    text,
    placeOf: (offset) => {
      const piece = pieces.findLast((each) => each.start <= offset);
      return piece ? piece.place + (piece.isVerbatim ? offset - piece.start : 0) : 0;
    },
  };
}

/** `message at [line:column]`, as BigQuery tells the place of a fault. */
export function faultAt(script: string, place: number, message: string): BigQueryError {
  const { line, column } = positionOf(script, place);
  return new BigQueryError('invalidQuery', `${message.replace(/\.$/, '')} at [${line}:${column}]`, 'query');
}

/** Runs `translate`; a fault that it finds is told at its place in the script. */
export function withPlaces<T>(script: string, composed: ComposedSql, translate: () => T): T {
  try {
    return translate();
  } catch (thrown) {
    if (!(thrown instanceof SqlFaultError)) throw thrown;
    const { line, column, message, hint } = thrown.fault;
    const offset = offsetOf(composed.text, line, column);
    throw faultAt(script, composed.placeOf(offset), hint === null ? message : `${message} ${hint}`);
  }
}

function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  return lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
}
