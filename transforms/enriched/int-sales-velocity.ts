/** Order lines -> one row per product and day with sales: its quantity against the mean of the last days. */
import pl from 'nodejs-polars';
import { overLastDays } from './calendar-window.ts';
import { defineTransform } from './define-transform.ts';
import { decimal, ratio, rowCount, total } from './exact-numbers.ts';

/** The mean is over the product's days with sales within the window, its own day included; a single day is STABLE. */
export default defineTransform({
  name: 'int_sales_velocity',
  inputs: {
    order_items: {
      columns: { order_id: 'string', product_id: 'int64', quantity: 'int64' },
      optionalColumns: { ingestion_dt: 'date' },
      date: { as: 'order_dt', from: [{ input: 'orders', key: 'order_id', column: 'order_date' }, 'ingestion_dt'] },
    },
    orders: { columns: { order_id: 'string', order_date: 'timestamp' }, date: null, datesOnly: true },
  },
  params: { sales_velocity_window_days: 7, trend_up_factor: 1.2, trend_down_factor: 0.8 },
  window: (params) => ({ before: params.sales_velocity_window_days - 1, after: 0 }),
  partitionKey: 'order_dt',
  primaryKey: ['product_id', 'order_dt'],
  columns: [
    { name: 'product_id', type: 'int64' },
    { name: 'order_dt', type: 'date' },
    { name: 'daily_quantity', type: 'int64' },
    { name: 'velocity_avg', type: 'decimal(18,6)' },
    { name: 'trend_signal', type: 'string' },
  ],
  run({ order_items: items }, { params }) {
    const daily = items.groupBy(['product_id', 'order_dt']).agg(total('quantity').alias('daily_quantity'));
    const recent = overLastDays(
      daily,
      { day: 'order_dt', by: ['product_id'], days: params.sales_velocity_window_days },
      [total('daily_quantity').alias('recent_quantity'), rowCount().alias('recent_days')],
    );
    // quantity > factor × sum ÷ days, without the division.
    const scaled = pl.col('daily_quantity').mul(pl.col('recent_days')).cast(pl.Decimal(38, 6));
    const threshold = (factor: number) =>
      pl
        .col('recent_quantity')
        .cast(pl.Decimal(38, 6))
        .mul(decimal(factor).cast(pl.Decimal(38, 6)));
    return daily.join(recent, { on: ['product_id', 'order_dt'], how: 'left' }).withColumns(
      ratio(pl.col('recent_quantity'), pl.col('recent_days')).alias('velocity_avg'),
      pl
        .when(scaled.gt(threshold(params.trend_up_factor)))
        .then(pl.lit('UP'))
        .when(scaled.lt(threshold(params.trend_down_factor)))
        .then(pl.lit('DOWN'))
        .otherwise(pl.lit('STABLE'))
        .alias('trend_signal'),
    );
  },
});
