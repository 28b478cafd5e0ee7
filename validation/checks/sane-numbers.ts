/** Columns that cannot be negative, and rates that lie in 0..1, known by name -> checks. */
import { identifier } from '../../engine/sql-text.ts';
import { NONE_FAILS } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rangeCheck } from './range.ts';
import { rowCheck, type Subject } from './row-check.ts';

const NON_NEGATIVE: readonly string[] = [
  'units_sold',
  'units_returned',
  'units_in_carts',
  'gross_revenue',
  'cart_value',
  'abandoned_value',
  'orders_count',
  'carts_created',
  'returns_count',
  'refund_total',
  'shipping_cost',
  'actual_shipping_cost',
];

const RATES: readonly string[] = ['return_rate', 'cart_conversion_rate', 'cart_to_order_rate'];

export function saneNumberChecks(subject: Subject): readonly ScanCheck[] {
  const floats = subject.columns.filter((column) => column.type === 'float64');
  return [
    ...present(subject, NON_NEGATIVE).map((column) =>
      rangeCheck(subject, {
        id: `non_negative_${column}`,
        description: `\`${column}\` is never negative.`,
        limits: NONE_FAILS,
        column,
        range: { min: 0, max: null },
      }),
    ),
    ...present(subject, RATES).map((column) =>
      rangeCheck(subject, {
        id: `rate_${column}`,
        description: `\`${column}\` lies between 0 and 1.`,
        limits: NONE_FAILS,
        column,
        range: { min: 0, max: 1 },
      }),
    ),
    ...floats.map(({ name }) =>
      rowCheck(subject, {
        id: `finite_${name}`,
        description: `\`${name}\` is neither NaN nor infinite.`,
        offends: `(isnan(t.${identifier(name)}) OR isinf(t.${identifier(name)}))`,
        limits: NONE_FAILS,
        columns: [name],
      }),
    ),
  ];
}

function present(subject: Subject, names: readonly string[]): readonly string[] {
  const numbers = subject.columns.filter(({ type }) => !['string', 'bool', 'date', 'timestamp'].includes(type));
  return names.filter((name) => numbers.some((column) => column.name === name));
}
