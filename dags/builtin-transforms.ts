/** Name of a built-in transform -> what the scheduler must know of it where the YAML leaves it out. */
import type { TransformWindow } from '../core/spec.ts';
import type { JsonObject } from '../core/types.ts';

export interface BuiltinTransform {
  readonly partitionKey: string;
  readonly primaryKey: readonly string[];
  /** Input tables without which there is nothing to compute. */
  readonly required: readonly string[];
  /** Read as empty typed tables where the pipeline lacks them. */
  readonly optional: readonly string[];
  readonly keyFields: readonly string[];
  readonly window: (params: JsonObject) => TransformWindow;
}

const sameDay = (): TransformWindow => ({ kind: 'days', before: 0, after: 0 });
const asOf = (): TransformWindow => ({ kind: 'as_of' });

/** A window of n days that ends on the row's day reads n − 1 days before it. */
const rolling =
  (days: (params: JsonObject) => number) =>
  (params: JsonObject): TransformWindow => ({ kind: 'days', before: days(params) - 1, after: 0 });

function numberParam(params: JsonObject, name: string, fallback: number): number {
  const value = params[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

/** Calendar days that a cart and its order can lie apart: 48 hours touch at most two days more. */
const toleranceDays = (params: JsonObject): number =>
  Math.ceil(numberParam(params, 'attribution_tolerance_hours', 48) / 24);

/**
 * The windows of the two attribution tables follow from the matching rule. An order's only candidate is the newest
 * cart of its customer within the tolerance, and a cart is kept by the earliest order that has it as candidate. Two
 * orders with one candidate both lie between that cart and the tolerance's end, with no other cart between them. So an
 * order's row needs nothing older than the tolerance, a cart's row nothing later, and no chain of matches reaches
 * further: an order that loses its cart takes no other one.
 */
export const BUILTIN_TRANSFORMS: { readonly [name: string]: BuiltinTransform } = {
  int_attributed_purchases: {
    partitionKey: 'order_dt',
    primaryKey: ['order_id'],
    required: ['orders', 'shopping_carts'],
    optional: [],
    keyFields: ['order_id', 'customer_id', 'cart_id'],
    window: (params) => ({ kind: 'days', before: toleranceDays(params), after: 0 }),
  },
  int_cart_attribution: {
    partitionKey: 'cart_dt',
    primaryKey: ['cart_id'],
    required: ['shopping_carts', 'orders'],
    optional: ['cart_items', 'customers'],
    keyFields: ['cart_id', 'customer_id'],
    window: (params) => ({ kind: 'days', before: 0, after: toleranceDays(params) }),
  },
  int_inventory_risk: {
    partitionKey: 'ingest_dt',
    primaryKey: ['product_id', 'ingest_dt'],
    required: ['product_catalog', 'order_items'],
    optional: ['orders', 'return_items', 'returns'],
    keyFields: ['product_id'],
    window: asOf,
  },
  int_customer_retention_signals: {
    partitionKey: 'ingest_dt',
    primaryKey: ['customer_id', 'ingest_dt'],
    required: ['customers', 'orders'],
    optional: [],
    keyFields: ['customer_id'],
    window: asOf,
  },
  int_customer_lifetime_value: {
    partitionKey: 'ingest_dt',
    primaryKey: ['customer_id', 'ingest_dt'],
    required: ['customers', 'orders'],
    optional: ['returns'],
    keyFields: ['customer_id'],
    window: asOf,
  },
  int_daily_business_metrics: {
    partitionKey: 'date',
    primaryKey: ['date'],
    required: ['orders'],
    optional: ['returns', 'shopping_carts'],
    keyFields: ['date'],
    window: rolling(() => 30),
  },
  int_product_performance: {
    partitionKey: 'product_dt',
    primaryKey: ['product_id', 'product_dt'],
    required: ['product_catalog', 'order_items'],
    optional: ['orders', 'returns', 'return_items', 'cart_items'],
    keyFields: ['product_id', 'product_dt'],
    window: sameDay,
  },
  int_sales_velocity: {
    partitionKey: 'order_dt',
    primaryKey: ['product_id', 'order_dt'],
    required: ['orders', 'order_items'],
    optional: [],
    keyFields: ['product_id', 'order_dt'],
    window: rolling((params) => numberParam(params, 'sales_velocity_window_days', 7)),
  },
  int_regional_financials: {
    partitionKey: 'order_dt',
    primaryKey: ['order_id'],
    required: ['orders'],
    optional: ['customers'],
    keyFields: ['order_id', 'customer_id'],
    window: sameDay,
  },
  int_shipping_economics: {
    partitionKey: 'order_dt',
    primaryKey: ['order_id'],
    required: ['orders'],
    optional: [],
    keyFields: ['order_id', 'order_dt'],
    window: sameDay,
  },
};

/** `cart_attribution` and `int_cart_attribution` -> `int_cart_attribution`; null where there is no such transform. */
export function builtinName(name: string): string | null {
  return [name, `int_${name}`].find((candidate) => Object.hasOwn(BUILTIN_TRANSFORMS, candidate)) ?? null;
}
