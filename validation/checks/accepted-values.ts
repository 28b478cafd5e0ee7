/** A list of values -> the check that a column holds no other; null is no value and passes. */
import { identifier, literal } from '../../engine/sql-text.ts';
import type { Limits } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

interface AcceptedValues {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly column: string;
  readonly values: readonly string[];
}

export function acceptedValuesCheck(
  subject: Subject,
  { id, description, limits, column, values }: AcceptedValues,
): ScanCheck {
  const text = `CAST(t.${identifier(column)} AS VARCHAR)`;
  const offends = values.length === 0 ? `${text} IS NOT NULL` : `${text} NOT IN (${values.map(literal).join(', ')})`;
  return rowCheck(subject, {
    id,
    description: description || `Every \`${column}\` is one of ${values.join(', ')}.`,
    offends,
    limits,
    columns: [column],
  });
}
