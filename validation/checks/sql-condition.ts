/** A GoogleSQL condition that offending rows meet -> a ScanCheck. NULL is not true. */
import { toDuckDbExpression } from '../../engine/dialect.ts';
import type { Limits } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

/** Values of `@window_start` and `@window_end`, days; the pipeline's own parameters are in the text already. */
export type SqlParameters = { readonly [name: string]: string };

interface SqlCheckRequest {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly sql: string;
  readonly parameters: SqlParameters;
}

/** @throws PipelineError `sql_not_portable`, `sql_invalid` */
export function sqlCheck(subject: Subject, { id, description, limits, sql, parameters }: SqlCheckRequest): ScanCheck {
  return rowCheck(subject, {
    id,
    description: description || `No row meets \`${sql}\`.`,
    offends: `(${toDuckDbExpression(sql, parameters, subject.columns)})`,
    limits,
    columns: subject.columns.map((column) => column.name).filter((name) => mentions(sql, name)),
  });
}

function mentions(sql: string, column: string): boolean {
  return new RegExp(`(?<![\\w@])${column.replace(/\W/g, '\\$&')}(?!\\w)`, 'i').test(sql);
}
