/** A pattern -> the check that every value of a column has a match; null passes. RE2, as BigQuery's REGEXP_CONTAINS. */
import { identifier, literal } from '../../engine/sql-text.ts';
import type { Limits } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

interface RegexRequest {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly column: string;
  readonly regex: string;
}

export function regexCheck(subject: Subject, { id, description, limits, column, regex }: RegexRequest): ScanCheck {
  return rowCheck(subject, {
    id,
    description: description || `Every \`${column}\` matches \`${regex}\`.`,
    offends: `NOT regexp_matches(CAST(t.${identifier(column)} AS VARCHAR), ${literal(regex)})`,
    limits,
    columns: [column],
  });
}
