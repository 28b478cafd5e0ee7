/** What may be asked of a mart by the names of its measures and dimensions, as plain values. */
import type { JsonValue } from './types.ts';

/** Weeks begin on Monday, as in ISO 8601. */
export const GRAINS = ['day', 'week', 'month', 'quarter', 'year'] as const;
export type Grain = (typeof GRAINS)[number];

/** No measure and no dimension may be called so: these name the time in queries and answers. */
export const RESERVED_METRIC_NAMES: readonly string[] = ['time', ...GRAINS];

export const FILTER_OPS = [
  '=',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  'not_in',
  'between',
  'like',
  'is_null',
  'is_not_null',
] as const;
export type FilterOp = (typeof FILTER_OPS)[number];

/** As in SQL, NULL satisfies `is_null` alone, not `!=` and not `not_in`. */
export interface MetricFilter {
  /** A dimension, a measure, or `time`. */
  readonly field: string;
  readonly op: FilterOp;
  /** A list for `in` and `not_in`, two values for `between`, none for `is_null` and `is_not_null`. */
  readonly value?: JsonValue;
}

export interface MetricQuery {
  readonly mart: string;
  /** At least one. */
  readonly measures: readonly string[];
  readonly dimensions: readonly string[];
  /** `from` and `to` are days, both included; without `grain` they only bound. */
  readonly time: { readonly grain?: Grain; readonly from?: string; readonly to?: string } | null;
  readonly filters: readonly MetricFilter[];
  /** Names of selected fields, `-` before one for descending. Empty: by time, then by dimension. */
  readonly orderBy: readonly string[];
  readonly limit: number | null;
}
