/** Carts, their items and orders -> one row per cart: what was in it, what became of it, and the channel it counts for. */
import pl, { type LazyDataFrame } from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { decimal, HOUR_MICROSECONDS, int, microseconds, money, nothing, rowCount, total } from './exact-numbers.ts';
import { daysOfHours, matchCarts } from './match-carts.ts';

/** The channel of a cart of which nothing is known. */
const UNKNOWN_CHANNEL = 'unknown';

/**
 * Converted: an order took the cart (see matchCarts). Else abandoned where it held more than `cart_abandoned_min_value`, else empty.
 * A cart without an order counts for the channel of its customer's last order before it, else of the sign-up.
 */
export default defineTransform({
  name: 'int_cart_attribution',
  inputs: {
    shopping_carts: {
      columns: { cart_id: 'string', customer_id: 'string', created_at: 'timestamp' },
      optionalColumns: { updated_at: 'timestamp', cart_total: 'decimal(18,2)' },
      date: { as: 'cart_dt', from: ['created_at'] },
    },
    orders: {
      columns: { order_id: 'string', customer_id: 'string', order_date: 'timestamp' },
      optionalColumns: { order_channel: 'string' },
      date: { as: 'order_dt', from: ['order_date'] },
      reach: 'history',
    },
    cart_items: {
      columns: { cart_id: 'string', quantity: 'int64', unit_price: 'decimal(18,2)' },
      optionalColumns: { category: 'string', added_at: 'timestamp', ingestion_dt: 'date' },
      date: {
        as: 'cart_dt',
        from: [{ input: 'shopping_carts', key: 'cart_id', column: 'created_at' }, 'added_at', 'ingestion_dt'],
      },
      optional: true,
    },
    customers: {
      columns: { customer_id: 'string' },
      optionalColumns: { signup_channel: 'string' },
      date: null,
      optional: true,
    },
  },
  params: { attribution_tolerance_hours: 48, cart_abandoned_min_value: 0 },
  window: (params) => ({ before: 0, after: daysOfHours(params.attribution_tolerance_hours) }),
  partitionKey: 'cart_dt',
  primaryKey: ['cart_id'],
  columns: [
    { name: 'cart_id', type: 'string' },
    { name: 'customer_id', type: 'string' },
    { name: 'created_at', type: 'timestamp' },
    { name: 'updated_at', type: 'timestamp' },
    { name: 'cart_value', type: 'decimal(18,2)' },
    { name: 'item_count', type: 'int64' },
    { name: 'category_count', type: 'int64' },
    { name: 'cart_status', type: 'string' },
    { name: 'time_to_purchase_hours', type: 'int64' },
    { name: 'order_id', type: 'string' },
    { name: 'order_date', type: 'timestamp' },
    { name: 'order_channel', type: 'string' },
    { name: 'cart_channel', type: 'string' },
    { name: 'abandoned_value', type: 'decimal(18,2)' },
    { name: 'cart_dt', type: 'date' },
  ],
  run({ shopping_carts: carts, orders, cart_items: items, customers }, { params }) {
    const matched = matchCarts(orders, carts, params.attribution_tolerance_hours).join(
      orders.select('order_id', 'order_date', 'order_channel'),
      { on: 'order_id', how: 'left' },
    );
    const isConverted = pl.col('order_id').isNotNull();
    const isOverMinimum = pl.col('cart_value').gt(decimal(params.cart_abandoned_min_value));
    const waited = microseconds('order_date').sub(microseconds('created_at'));
    return carts
      .join(itemFigures(items), { on: 'cart_id', how: 'left' })
      .join(matched, { on: 'cart_id', how: 'left' })
      .join(earlierChannels(carts, orders), { on: 'cart_id', how: 'left' })
      .join(customers.select('customer_id', 'signup_channel'), { on: 'customer_id', how: 'left' })
      .withColumns(
        pl.col('cart_total').fillNull(pl.col('item_value')).fillNull(money(0)).alias('cart_value'),
        pl.col('item_count').fillNull(int(0)),
        pl.col('category_count').fillNull(int(0)),
        // Division of Int64 rounds down.
        waited.div(int(HOUR_MICROSECONDS)).alias('time_to_purchase_hours'),
        pl
          .col('order_channel')
          .fillNull(pl.col('earlier_channel'))
          .fillNull(pl.col('signup_channel'))
          .fillNull(pl.lit(UNKNOWN_CHANNEL))
          .alias('cart_channel'),
      )
      .withColumns(
        pl
          .when(isConverted)
          .then(pl.lit('converted'))
          .when(isOverMinimum)
          .then(pl.lit('abandoned'))
          .otherwise(pl.lit('empty'))
          .alias('cart_status'),
        pl
          .when(isConverted.not().and(isOverMinimum))
          .then(pl.col('cart_value'))
          .otherwise(nothing())
          .alias('abandoned_value'),
      );
  },
});

/** One row per cart with items. */
function itemFigures(items: LazyDataFrame): LazyDataFrame {
  return items
    .withColumns(pl.col('unit_price').mul(pl.col('quantity')).alias('item_value'))
    .groupBy(['cart_id'])
    .agg(
      rowCount().alias('item_count'),
      pl.col('category').filter(pl.col('category').isNotNull()).nUnique().cast(pl.Int64).alias('category_count'),
      total('item_value').alias('item_value'),
    );
}

/** The channel of the customer's last order strictly before the cart: cart_id, earlier_channel. */
function earlierChannels(carts: LazyDataFrame, orders: LazyDataFrame): LazyDataFrame {
  // An as-of join takes equal instants too: orders count from the next microsecond on.
  const past = orders
    .select(
      pl.col('customer_id'),
      pl.col('order_id'),
      pl.col('order_channel').alias('earlier_channel'),
      microseconds('order_date').add(int(1)).alias('since'),
    )
    .sort(['since', 'order_id'])
    .select('customer_id', 'earlier_channel', 'since');
  return carts
    .select(pl.col('cart_id'), pl.col('customer_id'), microseconds('created_at').alias('at'))
    .sort(['at'])
    .joinAsof(past, { leftOn: 'at', rightOn: 'since', by: 'customer_id', strategy: 'backward', checkSortedness: false })
    .select('cart_id', 'earlier_channel');
}
