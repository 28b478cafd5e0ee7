/** Least and greatest value -> the check that a column stays within them, both ends allowed; null passes, NaN does not. */
import type { CheckSpec } from '../../core/spec.ts';
import { identifier } from '../../engine/sql-text.ts';
import type { Limits } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

interface RangeRequest {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly column: string;
  readonly range: NonNullable<CheckSpec['range']>;
}

export function rangeCheck(subject: Subject, { id, description, limits, column, range }: RangeRequest): ScanCheck {
  const value = `t.${identifier(column)}`;
  // DuckDB sorts NaN above every number, so that it breaks a greatest value by itself, but not a least one.
  const tests = [
    ...(range.min === null ? [] : [`${value} < ${range.min}`]),
    ...(range.max === null ? [] : [`${value} > ${range.max}`]),
    ...(isFloat(subject, column) ? [`isnan(${value})`] : []),
  ];
  return rowCheck(subject, {
    id,
    description: description || `\`${column}\` lies ${words(range)}.`,
    offends: tests.length === 0 ? 'false' : `(${tests.join(' OR ')})`,
    limits,
    columns: [column],
  });
}

function isFloat(subject: Subject, column: string): boolean {
  return subject.columns.some((known) => known.name === column && known.type === 'float64');
}

function words({ min, max }: RangeRequest['range']): string {
  if (min !== null && max !== null) return `between ${min} and ${max}`;
  if (min !== null) return `at or above ${min}`;
  return max === null ? 'anywhere' : `at or below ${max}`;
}
