/** A statement of the corpus -> DuckDB text, by the dialect; or the place at which the dialect refuses it. */
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import type { Parameters } from '../../engine/dialect/expression.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import { identifier } from '../../engine/sql-text.ts';
import type { CorpusTable } from './google-sql-corpus.ts';

export const CORPUS_LAYER = 'shop';

/** What `@window_start`, `@window_end` and the spec's own parameters are in the corpus. */
export const CORPUS_PARAMETERS: Parameters = { window_start: '2025-01-01', window_end: '2025-01-05', least: 2 };

export function translateCase(sql: string, tables: Readonly<Record<string, CorpusTable>>): string {
  return toDuckDbQuery(sql, {
    parameters: CORPUS_PARAMETERS,
    table: (layer, name) => (layer === CORPUS_LAYER && Object.hasOwn(tables, name) ? identifier(name) : null),
    columns: (_layer, name) => tables[name]?.columns ?? null,
    knownTables: Object.keys(tables).map((name) => `${CORPUS_LAYER}.${name}`),
  });
}

/** `line:column message`; null where the dialect takes the statement. */
export function refusalOf(sql: string, tables: Readonly<Record<string, CorpusTable>>): string | null {
  try {
    translateCase(sql, tables);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof SqlFaultError)) throw thrown;
    const { line, column, message, hint } = thrown.fault;
    return `${line}:${column} ${message}${hint === null ? '' : ` ${hint}`}`;
  }
}
