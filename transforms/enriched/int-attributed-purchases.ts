/** Orders and carts -> one row per order, with the cart that it came from. */
import pl from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { HOUR_MICROSECONDS, int, microseconds } from './exact-numbers.ts';
import { daysOfHours, matchCarts } from './match-carts.ts';
import { columnList, ORDER_COLUMNS, pick, without } from './silver-columns.ts';

const REQUIRED = ['order_id', 'customer_id', 'order_date'];

/** Recovered: the cart had been given up, by its status or because so much time had passed. False without a cart. */
export default defineTransform({
  name: 'int_attributed_purchases',
  inputs: {
    orders: {
      columns: pick(ORDER_COLUMNS, REQUIRED),
      optionalColumns: without(ORDER_COLUMNS, REQUIRED),
      date: { as: 'order_dt', from: ['order_date'] },
    },
    shopping_carts: {
      columns: { cart_id: 'string', customer_id: 'string', created_at: 'timestamp' },
      optionalColumns: { updated_at: 'timestamp', cart_total: 'decimal(18,2)', status: 'string' },
      date: { as: 'cart_dt', from: ['created_at'] },
    },
  },
  params: { attribution_tolerance_hours: 48, recovered_after_hours: 1 },
  window: (params) => ({ before: daysOfHours(params.attribution_tolerance_hours), after: 0 }),
  partitionKey: 'order_dt',
  primaryKey: ['order_id'],
  columns: [
    ...columnList(ORDER_COLUMNS),
    { name: 'cart_id', type: 'string' },
    { name: 'cart_created_at', type: 'timestamp' },
    { name: 'cart_updated_at', type: 'timestamp' },
    { name: 'cart_total', type: 'decimal(18,2)' },
    { name: 'cart_status', type: 'string' },
    { name: 'is_recovered', type: 'bool' },
    { name: 'order_dt', type: 'date' },
  ],
  run({ orders, shopping_carts: carts }, { params }) {
    const cartColumns = carts.select(
      pl.col('cart_id'),
      pl.col('created_at').alias('cart_created_at'),
      pl.col('updated_at').alias('cart_updated_at'),
      pl.col('cart_total'),
      pl.col('status').alias('cart_status'),
    );
    const waited = microseconds('order_date').sub(microseconds('cart_created_at'));
    const isRecovered = pl
      .col('cart_status')
      .str.toLowerCase()
      .eq(pl.lit('abandoned'))
      .fillNull(pl.lit(false))
      .or(waited.gtEq(int(params.recovered_after_hours * HOUR_MICROSECONDS)));
    return orders
      .join(matchCarts(orders, carts, params.attribution_tolerance_hours), { on: 'order_id', how: 'left' })
      .join(cartColumns, { on: 'cart_id', how: 'left' })
      .withColumns(
        pl.when(pl.col('cart_id').isNotNull()).then(isRecovered).otherwise(pl.lit(false)).alias('is_recovered'),
      );
  },
});
