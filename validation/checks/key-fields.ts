/** Key fields that are no primary key -> their share of nulls, which warns only where nothing but nulls is left. */
import { identifier } from '../../engine/sql-text.ts';
import { percent } from '../figures.ts';
import { NONE_WARNS } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

/** An order without a cart has no `cart_id`: some nulls are normal, only nulls mean that a join found nothing. */
export function keyFieldChecks(subject: Subject, keyFields: readonly string[]): readonly ScanCheck[] {
  return keyFields
    .filter((field) => !subject.primaryKey.includes(field) && subject.columns.some((column) => column.name === field))
    .map((field) => ({
      ...rowCheck(subject, {
        id: `key_field_${field}`,
        description: `\`${field}\` is not null in every row.`,
        offends: `t.${identifier(field)} IS NULL`,
        limits: NONE_WARNS,
        expected: 'not only nulls',
        judge: (nulls, total) => {
          if (total === 0) return { state: 'NOT EVALUATED', observed: '', note: 'There is no row to check.' };
          return {
            state: nulls === total ? 'WARN' : 'PASS',
            observed: `${percent(nulls / total)} null`,
            totalRows: total,
          };
        },
      }),
      offenders: null,
      byPartition: null,
    }));
}
