/** Daily rows -> sums over the last n calendar days, of the rows that are there (SQL's RANGE, not ROWS). */
import type { Expr, LazyDataFrame } from 'nodejs-polars';
import { PipelineError } from '../../core/errors.ts';

/**
 * One output row per input row: its keys, its day, and the aggregates over `(day − n, day]` within its keys.
 * At most one row per keys and day; days without a row count for nothing.
 *
 * @throws PipelineError `transform_invalid` for a length that is no whole number of days
 */
export function overLastDays(
  rows: LazyDataFrame,
  window: { readonly day: string; readonly by: readonly string[]; readonly days: number },
  aggregates: readonly Expr[],
): LazyDataFrame {
  const { day, by, days } = window;
  if (!Number.isInteger(days) || days < 1) {
    throw new PipelineError('transform_invalid', `A rolling window is a whole number of days from 1 on, not ${days}.`);
  }
  const sorted = rows.sort([...by, day]);
  const options = { indexColumn: day, period: `${days}d` };
  return (by.length > 0 ? sorted.groupByRolling({ ...options, by: [...by] }) : sorted.groupByRolling(options)).agg(
    ...aggregates,
  );
}
