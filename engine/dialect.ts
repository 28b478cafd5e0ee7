/** GoogleSQL of specs, marts and analysts -> DuckDB SQL with equal results; what is not known to be portable is refused. */

import { didYouMean } from '../core/did-you-mean.ts';
import { type SqlFault, SqlFaultError } from '../core/google-sql/lexer.ts';
import { parseExpression, parseQuery } from '../core/google-sql/parser.ts';
import { lintExpression, lintQuery } from '../core/google-sql.ts';
import type { ColumnSchema } from '../core/types.ts';
import { type Parameters, refuse, renderExpression, type Scope } from './dialect/expression.ts';
import { renderStatement } from './dialect/query.ts';
import { sql, sqlTypeOf, UNKNOWN } from './dialect/types.ts';
import { identifier } from './sql-text.ts';

export interface QueryOptions {
  /** DuckDB relation text of a table; null where there is none of that name. `layer` and `project` are null where none is written. */
  readonly table: (layer: string | null, name: string, project: string | null) => string | null;
  /** `window_start` and `window_end` are days, `YYYY-MM-DD`. */
  readonly parameters: Parameters;
  /** Columns of a table; with them NUMERIC arithmetic is exact, and a misspelt column is a fault with its place. */
  readonly columns?: (layer: string | null, name: string, project: string | null) => readonly ColumnSchema[] | null;
  /** Tables to name where one is not found: `gold.fct_shipping_analysis`. */
  readonly knownTables?: readonly string[];
  /** Tables may be written with their project, as a statement is that is sent to BigQuery. */
  readonly projects?: boolean;
}

/**
 * An expression over one row: `when`, `where`, `expr`, `sql` of a spec. Columns come out as quoted names without a qualifier.
 * Without `columns` types are open: a quotient of two columns is then computed in floating point.
 *
 * The session's time zone must be UTC.
 *
 * @throws SqlFaultError `sql_invalid`, `sql_not_portable`, with line and column
 */
export function toDuckDbExpression(
  googleSql: string,
  parameters: Parameters = {},
  columns?: readonly ColumnSchema[],
): string {
  const expression = parseExpression(googleSql);
  throwFirst(lintExpression(googleSql, { parameters: Object.keys(parameters) }));
  return renderExpression(expression, rowScope(googleSql, parameters, columns)).text;
}

/**
 * One SELECT. Unnamed columns are called `f0_`, `f1_` … as in BigQuery.
 *
 * The session's time zone must be UTC.
 *
 * @throws SqlFaultError `sql_invalid`, `sql_not_portable`, with line and column
 */
export function toDuckDbQuery(googleSql: string, options: QueryOptions): string {
  const query = parseQuery(googleSql);
  throwFirst(
    lintQuery(googleSql, { parameters: Object.keys(options.parameters), projects: options.projects ?? false }),
  );
  return renderStatement(query, googleSql, options.parameters, {
    table: options.table,
    columns: options.columns ?? (() => null),
    known: options.knownTables ?? [],
  });
}

function throwFirst(faults: readonly SqlFault[]): void {
  const [first] = faults;
  if (first) throw new SqlFaultError('sql_not_portable', first);
}

function rowScope(text: string, parameters: Parameters, columns: readonly ColumnSchema[] | undefined): Scope {
  const scope: Scope = {
    text,
    parameters,
    column: (path, at) => {
      const name = path.at(-1) ?? '';
      const column = columns?.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
      if (columns && !column) {
        const meant = didYouMean(
          name,
          columns.map((each) => each.name),
        );
        throw refuse(scope, at, `There is no column “${name}” here.`, meant ? `Did you mean ${meant}?` : null);
      }
      return sql(identifier(column?.name ?? name), column ? sqlTypeOf(column.type) : UNKNOWN);
    },
    subquery: (query) => {
      throw refuse(scope, query.at, 'A subquery has no place in an expression over one row.');
    },
  };
  return scope;
}
