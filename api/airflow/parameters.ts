/** Query and body texts of Airflow's API -> checked values: pages, orders, repeated words, instants. */
import { z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';

/** Airflow's default page, which its command line relies on, and its server's cap. */
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100;

/** `?tags=a&tags=b`; one value alone is a list of one, none an empty list. */
export const repeated = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : typeof value === 'string' ? [value] : value))
  .openapi({ type: 'array', items: { type: 'string' } });

/** 0 means the default, as in Airflow. */
const limit = z.coerce
  .number()
  .int()
  .min(0)
  .default(DEFAULT_LIMIT)
  .transform((value) => (value === 0 ? DEFAULT_LIMIT : Math.min(value, MAX_LIMIT)))
  .openapi({ type: 'integer', default: DEFAULT_LIMIT, maximum: MAX_LIMIT });

const offset = z.coerce.number().int().min(0).default(0).openapi({ type: 'integer', default: 0 });

export const page = { limit, offset, order_by: repeated };

/** RFC 3339 with an offset -> epoch ms. */
export const instant = z.iso
  .datetime({ offset: true, error: 'Expected an instant with an offset, such as 2025-10-15T00:00:00Z' })
  .transform((text) => Date.parse(text))
  .openapi({ type: 'string', format: 'date-time' });

const TRUE = new Set(['true', '1', 'yes', 'on', 't', 'y']);
const FALSE = new Set(['false', '0', 'no', 'off', 'f', 'n']);

export const flag = z
  .string()
  .refine((text) => TRUE.has(text.toLowerCase()) || FALSE.has(text.toLowerCase()), { error: 'Expected true or false' })
  .transform((text) => TRUE.has(text.toLowerCase()))
  .openapi({ type: 'boolean' });

export const pattern = z
  .string()
  .optional()
  .openapi({ description: 'SQL LIKE without regard to case; `|` separates alternatives' });

/** `<name>_gte`, `_gt`, `_lte`, `_lt`. */
export function instantRange<Name extends string>(name: Name) {
  const optional = instant.optional();
  return {
    [`${name}_gte`]: optional,
    [`${name}_gt`]: optional,
    [`${name}_lte`]: optional,
    [`${name}_lt`]: optional,
  } as Record<`${Name}_${'gte' | 'gt' | 'lte' | 'lt'}`, typeof optional>;
}

/** True where the value lies in the range that the filters of one name draw; null lies in none but the unbounded one. */
export function inRange(value: number | null, filters: Readonly<Record<string, unknown>>, name: string): boolean {
  const bound = (suffix: string): number | null => {
    const given = filters[`${name}_${suffix}`];
    return typeof given === 'number' ? given : null;
  };
  const [gte, gt, lte, lt] = [bound('gte'), bound('gt'), bound('lte'), bound('lt')];
  if (gte === null && gt === null && lte === null && lt === null) return true;
  if (value === null) return false;
  return (
    (gte === null || value >= gte) &&
    (gt === null || value > gt) &&
    (lte === null || value <= lte) &&
    (lt === null || value < lt)
  );
}

/** What a thing is sorted by; null sorts after every value. */
export type SortKeys<T> = { readonly [field: string]: (value: T) => string | number | null };

/**
 * A new array in the order that `order_by` asks for; equal ones keep their order.
 *
 * @throws PipelineError `usage` for a field that is not among the keys
 */
export function orderBy<T>(values: readonly T[], fields: readonly string[], keys: SortKeys<T>): readonly T[] {
  const comparisons = fields.map((field) => {
    const descending = field.startsWith('-');
    const key = keys[descending ? field.slice(1) : field];
    if (!key) {
      const known = Object.keys(keys).join(', ');
      throw new PipelineError('usage', `Cannot order by '${field}'. Known fields, with - for descending: ${known}.`);
    }
    return (a: T, b: T): number => (descending ? compare(key(b), key(a)) : compare(key(a), key(b)));
  });
  return [...values].sort((a, b) => {
    for (const comparison of comparisons) {
      const result = comparison(a, b);
      if (result !== 0) return result;
    }
    return 0;
  });
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -1 : 1;
}

export function pageOf<T>(values: readonly T[], request: { readonly limit: number; readonly offset: number }): T[] {
  return values.slice(request.offset, request.offset + request.limit);
}
