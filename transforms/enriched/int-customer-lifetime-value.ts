/** Customers, orders and returns -> one row per customer: what was spent and refunded, and the segment, as of the run date. */
import pl from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { daysUntil, decimal, int, money, ratio, rowCount, total } from './exact-numbers.ts';

/** Segments are tested in order: churned, one-timer, whale, regular. A customer without orders is a one-timer with zeros. */
export default defineTransform({
  name: 'int_customer_lifetime_value',
  inputs: {
    customers: { columns: { customer_id: 'string' }, optionalColumns: { clv_bucket: 'string' }, date: null },
    orders: {
      columns: { order_id: 'string', customer_id: 'string', order_date: 'timestamp', net_total: 'decimal(18,2)' },
      date: { as: 'order_dt', from: ['order_date'] },
    },
    returns: {
      columns: { return_id: 'string', customer_id: 'string', return_date: 'timestamp' },
      optionalColumns: { refunded_amount: 'decimal(18,2)' },
      date: { as: 'return_dt', from: ['return_date'] },
      optional: true,
    },
  },
  params: { clv_high_value: 500, clv_medium_value: 200, whale_min_orders: 5, churned_after_days: 90 },
  window: 'as_of',
  partitionKey: 'ingest_dt',
  primaryKey: ['customer_id', 'ingest_dt'],
  columns: [
    { name: 'customer_id', type: 'string' },
    { name: 'total_spent', type: 'decimal(18,2)' },
    { name: 'total_refunded', type: 'decimal(18,2)' },
    { name: 'net_clv', type: 'decimal(18,2)' },
    { name: 'order_count', type: 'int64' },
    { name: 'return_count', type: 'int64' },
    { name: 'avg_order_value', type: 'decimal(18,6)' },
    { name: 'first_order_date', type: 'timestamp' },
    { name: 'last_order_date', type: 'timestamp' },
    { name: 'days_since_last_order', type: 'int64' },
    { name: 'customer_segment', type: 'string' },
    { name: 'predicted_clv_bucket', type: 'string' },
    { name: 'actual_clv_bucket', type: 'string' },
  ],
  run({ customers, orders, returns }, { runDate, params }) {
    const spent = orders
      .groupBy(['customer_id'])
      .agg(
        total('net_total').alias('total_spent'),
        rowCount().alias('order_count'),
        pl.col('order_date').min().alias('first_order_date'),
        pl.col('order_date').max().alias('last_order_date'),
      );
    const refunded = returns
      .groupBy(['customer_id'])
      .agg(total('refunded_amount').alias('total_refunded'), rowCount().alias('return_count'));
    const segment = pl
      .when(
        pl
          .col('days_since_last_order')
          .gtEq(int(params.churned_after_days))
          .and(pl.col('order_count').gt(int(0))),
      )
      .then(pl.lit('churned'))
      .when(pl.col('order_count').ltEq(int(1)))
      .then(pl.lit('one-timer'))
      .when(
        pl
          .col('net_clv')
          .gtEq(decimal(params.clv_high_value))
          .or(pl.col('order_count').gtEq(int(params.whale_min_orders))),
      )
      .then(pl.lit('whale'))
      .otherwise(pl.lit('regular'));
    const bucket = pl
      .when(pl.col('net_clv').gtEq(decimal(params.clv_high_value)))
      .then(pl.lit('high_value'))
      .when(pl.col('net_clv').gtEq(decimal(params.clv_medium_value)))
      .then(pl.lit('medium_value'))
      .otherwise(pl.lit('low_value'));
    return customers
      .join(spent, { on: 'customer_id', how: 'left' })
      .join(refunded, { on: 'customer_id', how: 'left' })
      .withColumns(
        pl.col('total_spent').fillNull(money(0)),
        pl.col('total_refunded').fillNull(money(0)),
        pl.col('order_count').fillNull(int(0)),
        pl.col('return_count').fillNull(int(0)),
        daysUntil(runDate, 'last_order_date').alias('days_since_last_order'),
      )
      .withColumns(
        pl.col('total_spent').sub(pl.col('total_refunded')).alias('net_clv'),
        ratio(pl.col('total_spent'), pl.col('order_count')).fillNull(decimal(0)).alias('avg_order_value'),
      )
      .withColumns(
        segment.alias('customer_segment'),
        bucket.alias('actual_clv_bucket'),
        pl.col('clv_bucket').alias('predicted_clv_bucket'),
      );
  },
});
