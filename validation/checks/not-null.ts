/** A column -> the check that no row lacks it. */
import { identifier } from '../../engine/sql-text.ts';
import { type Limits, NONE_FAILS } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

interface NotNullRequest {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly column: string;
}

export function notNullCheck(subject: Subject, { id, description, limits, column }: NotNullRequest): ScanCheck {
  return rowCheck(subject, {
    id,
    description: description || `Every row has a \`${column}\`.`,
    offends: `t.${identifier(column)} IS NULL`,
    limits,
  });
}

/** `not_null_<column>` for each of the columns that the table has; none may be null. */
export function notNullChecks(subject: Subject, columns: readonly string[]): readonly ScanCheck[] {
  return [...new Set(columns)]
    .filter((column) => subject.columns.some((known) => known.name === column))
    .map((column) => notNullCheck(subject, { id: `not_null_${column}`, description: '', limits: NONE_FAILS, column }));
}
