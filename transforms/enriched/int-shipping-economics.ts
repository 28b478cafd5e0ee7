/** Orders -> one row per order: what shipping brought in, what it cost, and what remained. */
import pl from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { int, nothing, ratio } from './exact-numbers.ts';

const EXPEDITED_SPEEDS = ['two-day', 'overnight'];

/** The margin is null where either amount is, its share also where shipping was free. Expedited follows from the speed, not from the order's own flag. */
export default defineTransform({
  name: 'int_shipping_economics',
  inputs: {
    orders: {
      columns: {
        order_id: 'string',
        order_date: 'timestamp',
        shipping_speed: 'string',
        shipping_cost: 'decimal(18,2)',
        actual_shipping_cost: 'decimal(18,2)',
      },
      optionalColumns: { order_channel: 'string' },
      date: { as: 'order_dt', from: ['order_date'] },
    },
  },
  window: { before: 0, after: 0 },
  partitionKey: 'order_dt',
  primaryKey: ['order_id'],
  columns: [
    { name: 'order_id', type: 'string' },
    { name: 'order_dt', type: 'date' },
    { name: 'shipping_speed', type: 'string' },
    { name: 'shipping_cost', type: 'decimal(18,2)' },
    { name: 'actual_shipping_cost', type: 'decimal(18,2)' },
    { name: 'shipping_margin', type: 'decimal(18,2)' },
    { name: 'shipping_margin_pct', type: 'decimal(18,6)' },
    { name: 'is_expedited', type: 'bool' },
    { name: 'order_channel', type: 'string' },
  ],
  run({ orders }) {
    const charged = pl
      .when(pl.col('shipping_cost').gt(int(0)))
      .then(pl.col('shipping_cost'))
      .otherwise(nothing());
    return orders
      .withColumns(pl.col('shipping_cost').sub(pl.col('actual_shipping_cost')).alias('shipping_margin'))
      .withColumns(
        ratio(pl.col('shipping_margin'), charged).alias('shipping_margin_pct'),
        pl.col('shipping_speed').str.toLowerCase().isIn(EXPEDITED_SPEEDS).fillNull(pl.lit(false)).alias('is_expedited'),
      );
  },
});
