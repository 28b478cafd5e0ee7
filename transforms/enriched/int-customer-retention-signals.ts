/** Customers and orders -> one row per customer: first and last purchase, and who is about to be lost, as of the run date. */
import pl from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { daysUntil, int, rowCount } from './exact-numbers.ts';
import { CUSTOMER_COLUMNS, columnList, pick, without } from './silver-columns.ts';

/** Danger zone: one single order, and the first purchase lies within the window of days (both ends included). */
export default defineTransform({
  name: 'int_customer_retention_signals',
  inputs: {
    customers: {
      columns: pick(CUSTOMER_COLUMNS, ['customer_id']),
      optionalColumns: without(CUSTOMER_COLUMNS, ['customer_id']),
      date: null,
    },
    orders: {
      columns: { order_id: 'string', customer_id: 'string', order_date: 'timestamp' },
      date: { as: 'order_dt', from: ['order_date'] },
    },
  },
  params: { churn_danger_window_days: [30, 90], bronze_nudge_after_days: 14 },
  window: 'as_of',
  partitionKey: 'ingest_dt',
  primaryKey: ['customer_id', 'ingest_dt'],
  columns: [
    ...columnList(CUSTOMER_COLUMNS),
    { name: 'first_purchase_date', type: 'timestamp' },
    { name: 'last_purchase_date', type: 'timestamp' },
    { name: 'total_orders', type: 'int64' },
    { name: 'days_since_first_buy', type: 'int64' },
    { name: 'days_since_last_buy', type: 'int64' },
    { name: 'is_in_danger_zone', type: 'bool' },
    { name: 'needs_bronze_nudge', type: 'bool' },
  ],
  run({ customers, orders }, { runDate, params }) {
    const [dangerFrom = 30, dangerTo = 90] = params.churn_danger_window_days;
    const purchases = orders
      .groupBy(['customer_id'])
      .agg(
        pl.col('order_date').min().alias('first_purchase_date'),
        pl.col('order_date').max().alias('last_purchase_date'),
        rowCount().alias('total_orders'),
      );
    const isInDangerZone = pl
      .col('days_since_first_buy')
      .gtEq(int(dangerFrom))
      .and(pl.col('days_since_first_buy').ltEq(int(dangerTo)))
      .and(pl.col('total_orders').eq(int(1)));
    const needsNudge = pl
      .col('loyalty_tier')
      .str.toLowerCase()
      .eq(pl.lit('bronze'))
      .and(pl.col('days_since_last_buy').gt(int(params.bronze_nudge_after_days)));
    return customers
      .join(purchases, { on: 'customer_id', how: 'left' })
      .withColumns(
        pl.col('total_orders').fillNull(int(0)),
        daysUntil(runDate, 'first_purchase_date').alias('days_since_first_buy'),
        daysUntil(runDate, 'last_purchase_date').alias('days_since_last_buy'),
      )
      .withColumns(
        isInDangerZone.fillNull(pl.lit(false)).alias('is_in_danger_zone'),
        needsNudge.fillNull(pl.lit(false)).alias('needs_bronze_nudge'),
      );
  },
});
