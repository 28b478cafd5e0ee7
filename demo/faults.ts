/** The dirt that a demo plants: one fault a row, and what a sound pipeline must say about it. A table, nothing else. */
import type { TableName } from './bronze-tables.ts';

/**
 * new: an additional row with a key of its own, made from a sound row of that day.
 * altered: a sound row, changed in place.
 * again: a sound row delivered a second time, later, with the changes.
 */
export type Way = 'new' | 'altered' | 'again';

export interface Fault {
  readonly table: TableName;
  readonly way: Way;
  readonly effect:
    | { readonly kind: 'quarantined'; readonly reasons: readonly string[] }
    | { readonly kind: 'duplicate'; readonly reason: string }
    | { readonly kind: 'orphan'; readonly foreignKey: string }
    | { readonly kind: 'bad_cast'; readonly check: string };
  /** For `again`: how many days later, 0 for a second delivery on the same day; `last` is the day before the last one and the last. */
  readonly later?: 0 | 1 | 2 | 'last';
  /** SQL by column. `n` numbers the planted rows of the table from 1; `variant(list, n)` takes turns. */
  readonly set: { readonly [column: string]: string };
}

/** Keys of new rows; far from those of sound ones. */
const OWN_KEY: { readonly [table in TableName]: { readonly [column: string]: string } } = {
  customers: { customer_id: "'CUST-' || (90000000 + n)" },
  product_catalog: { product_id: '900000 + n' },
  shopping_carts: { cart_id: "'CART-' || (90000000 + n)" },
  cart_items: { cart_item_id: '900000000 + n' },
  orders: { order_id: "'ORD-' || (90000000 + n)" },
  order_items: {},
  returns: { return_id: "'RTN-' || (90000000 + n)" },
  return_items: { return_item_id: '900000000 + n' },
};

const NOTHING = "variant(['', NULL, 'none', 'NULL', 'n/a', 'nan', '   ', 'N/A'], n)";
const NO_DATE = "variant(['not-a-date', '2025-13-45', '', 'yesterday', '31.10.', NULL], n)";
const NOT_POSITIVE = 'variant([0, -3, NULL]::BIGINT[], n)';
const NULL_MONEY = 'NULL::DOUBLE';

const broken = (table: TableName, reason: string, set: Fault['set'], alsoReasons: readonly string[] = []): Fault => ({
  table,
  way: 'new',
  effect: { kind: 'quarantined', reasons: [reason, ...alsoReasons] },
  set: { ...OWN_KEY[table], ...set },
});

/** A later row of a known key that must not stand: the older sound row stays. */
const brokenAgain = (table: TableName, reason: string, set: Fault['set']): Fault => ({
  table,
  way: 'again',
  later: 1,
  effect: { kind: 'quarantined', reasons: [reason] },
  set,
});

const repeated = (table: TableName, reason: string, ...later: NonNullable<Fault['later']>[]): Fault[] =>
  later.map((days) => ({ table, way: 'again', later: days, effect: { kind: 'duplicate', reason }, set: {} }));

const orphan = (table: TableName, foreignKey: string, way: 'new' | 'altered', set: Fault['set']): Fault => ({
  table,
  way,
  effect: { kind: 'orphan', foreignKey },
  set: { ...(way === 'new' ? OWN_KEY[table] : {}), ...set },
});

const badCast = (table: TableName, column: string, value: string): Fault => ({
  table,
  way: 'altered',
  effect: { kind: 'bad_cast', check: `cast_${column}` },
  set: { [column]: value },
});

const ANOTHER_GUEST = "'GUEST-' || (900000 + n)";

export const FAULTS: readonly Fault[] = [
  broken('customers', 'missing_customer_id', { customer_id: NOTHING }),
  broken('customers', 'invalid_email', {
    email: "variant(['not-an-email', 'a@b', '', 'someone.example.com', NULL], n)",
  }),
  broken('customers', 'missing_signup_date', { signup_date: 'NULL::VARCHAR' }),
  ...repeated('customers', 'duplicate_customer_id', 0),
  badCast('customers', 'loyalty_enrollment_date', "'not-a-date'"),

  broken('product_catalog', 'invalid_product_id', { product_id: NOT_POSITIVE }),
  broken('product_catalog', 'missing_product_name', { product_name: NOTHING }),
  broken('product_catalog', 'missing_unit_price', { unit_price: NULL_MONEY }),
  // Without a cost, else the price would lie below it as well.
  broken('product_catalog', 'negative_unit_price', { unit_price: '-9.99', cost_price: NULL_MONEY }),
  broken('product_catalog', 'negative_cost_price', { cost_price: '-1.5' }),
  broken('product_catalog', 'negative_inventory', { inventory_quantity: '-5' }),
  broken('product_catalog', 'unit_price_below_cost', { unit_price: '10.0', cost_price: '12.5' }),
  ...repeated('product_catalog', 'duplicate_product_id', 0),

  broken('shopping_carts', 'missing_cart_id', { cart_id: NOTHING }),
  broken('shopping_carts', 'missing_customer_id', { customer_id: NOTHING }),
  broken('shopping_carts', 'invalid_created_at', { created_at: NO_DATE }),
  broken('shopping_carts', 'negative_cart_total', { cart_total: '-12.5' }),
  broken('shopping_carts', 'updated_before_created', { updated_at: 'iso(__at - 3600000000)' }),
  brokenAgain('shopping_carts', 'negative_cart_total', { cart_total: '-1.0' }),
  brokenAgain('shopping_carts', 'key_collision', { customer_id: ANOTHER_GUEST }),
  ...repeated('shopping_carts', 'duplicate_cart_id', 0, 2, 'last'),
  orphan('shopping_carts', 'fk_customer', 'new', {
    customer_id: "'CUST-' || (80000000 + n)",
    // An empty one, so that it needs no items.
    cart_total: '0.0',
    status: "'emptied'",
  }),
  badCast('shopping_carts', 'updated_at', "variant(['not-a-date', 'soon'], n)"),

  broken('cart_items', 'invalid_cart_item_id', { cart_item_id: NOT_POSITIVE }),
  broken('cart_items', 'missing_cart_id', { cart_id: NOTHING }),
  broken('cart_items', 'invalid_product_id', { product_id: NOT_POSITIVE }),
  broken('cart_items', 'invalid_quantity', { quantity: NOT_POSITIVE }),
  broken('cart_items', 'missing_unit_price', { unit_price: NULL_MONEY }),
  broken('cart_items', 'negative_unit_price', { unit_price: '-3.25' }),
  ...repeated('cart_items', 'duplicate_cart_item_line', 0, 1, 'last'),
  orphan('cart_items', 'fk_cart', 'new', { cart_id: "'CART-' || (80000000 + n)" }),
  orphan('cart_items', 'fk_product', 'altered', { product_id: '800000 + n' }),

  broken('orders', 'missing_order_id', { order_id: NOTHING }),
  broken('orders', 'missing_customer_id', { customer_id: NOTHING }),
  broken('orders', 'invalid_order_date', { order_date: NO_DATE }),
  broken('orders', 'missing_gross_total', { gross_total: NULL_MONEY }),
  broken('orders', 'missing_net_total', { net_total: NULL_MONEY }),
  // A refund booked as an order. With a net total of 0 or more it would exceed the gross total instead.
  broken('orders', 'negative_gross_total', { gross_total: '-49.9', net_total: '-49.9', total_discount_amount: '0.0' }, [
    'negative_net_total',
  ]),
  broken('orders', 'negative_net_total', { net_total: '-0.01' }),
  broken('orders', 'negative_discount', { total_discount_amount: '-5.0' }),
  broken('orders', 'net_exceeds_gross', { net_total: 'gross_total + 10' }),
  brokenAgain('orders', 'missing_gross_total', { gross_total: NULL_MONEY }),
  brokenAgain('orders', 'key_collision', { customer_id: ANOTHER_GUEST }),
  ...repeated('orders', 'duplicate_order_id', 0, 2, 'last'),
  orphan('orders', 'fk_customer', 'new', { customer_id: "'CUST-' || (80000000 + n)" }),

  broken('order_items', 'missing_order_id', { order_id: NOTHING }),
  broken('order_items', 'invalid_product_id', { product_id: NOT_POSITIVE }),
  broken('order_items', 'invalid_quantity', { quantity: NOT_POSITIVE }),
  broken('order_items', 'missing_unit_price', { unit_price: NULL_MONEY }),
  broken('order_items', 'negative_unit_price', { unit_price: '-7.5' }),
  broken('order_items', 'negative_discount', { discount_amount: '-2.0' }),
  broken('order_items', 'negative_cost_price', { cost_price: '-4.0' }),
  ...repeated('order_items', 'duplicate_order_product', 0, 1, 'last'),
  orphan('order_items', 'fk_order', 'new', { order_id: "'ORD-' || (80000000 + n)" }),
  orphan('order_items', 'fk_product', 'altered', { product_id: '800000 + n' }),

  broken('returns', 'missing_return_id', { return_id: NOTHING }),
  broken('returns', 'missing_order_id', { order_id: NOTHING }),
  broken('returns', 'missing_customer_id', { customer_id: NOTHING }),
  broken('returns', 'invalid_return_date', { return_date: NO_DATE }),
  broken('returns', 'negative_refunded_amount', { refunded_amount: '-20.0' }),
  brokenAgain('returns', 'key_collision', { customer_id: ANOTHER_GUEST }),
  ...repeated('returns', 'duplicate_return_id', 0, 1),
  // Nothing was paid back, so they need no items.
  orphan('returns', 'fk_order', 'new', { order_id: "'ORD-' || (80000000 + n)", refunded_amount: '0.0' }),
  orphan('returns', 'fk_customer', 'new', { customer_id: "'CUST-' || (80000000 + n)", refunded_amount: '0.0' }),

  broken('return_items', 'invalid_return_item_id', { return_item_id: NOT_POSITIVE }),
  broken('return_items', 'missing_return_id', { return_id: NOTHING }),
  broken('return_items', 'missing_order_id', { order_id: NOTHING }),
  broken('return_items', 'invalid_product_id', { product_id: NOT_POSITIVE }),
  broken('return_items', 'invalid_quantity_returned', { quantity_returned: NOT_POSITIVE }),
  broken('return_items', 'negative_unit_price', { unit_price: '-1.0' }),
  broken('return_items', 'negative_cost_price', { cost_price: '-1.0' }),
  broken('return_items', 'negative_refunded_amount', { refunded_amount: '-8.0' }),
  ...repeated('return_items', 'duplicate_return_item_line', 0, 1),
  orphan('return_items', 'fk_return', 'new', { return_id: "'RTN-' || (80000000 + n)" }),
  orphan('return_items', 'fk_order', 'altered', { order_id: "'ORD-' || (80000000 + n)" }),
  orphan('return_items', 'fk_product', 'altered', { product_id: '800000 + n' }),
];
