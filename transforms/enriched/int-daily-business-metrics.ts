/** Orders, carts and returns -> one row per calendar day that has any: counts, money, rates, rolling means, and days out of line. */
import pl, { type LazyDataFrame } from 'nodejs-polars';
import { overLastDays } from './calendar-window.ts';
import { cappedRate, RATE_CAPS } from './capped-rate.ts';
import { defineTransform } from './define-transform.ts';
import { decimal, int, money, ratio, rowCount, total } from './exact-numbers.ts';

const SHORT_WINDOW_DAYS = 7;
const LONG_WINDOW_DAYS = 30;
/** Distance from the mean, in standard deviations, beyond which a day is flagged. */
const ANOMALY_DEVIATIONS = 2;

const COUNTS = ['orders_count', 'carts_created', 'returns_count'] as const;
const AMOUNTS = ['gross_revenue', 'net_revenue', 'refund_total'] as const;

/** Rolling figures are over net revenue of the days that have a row; the deviation is a sample's, so one day alone is NORMAL. */
export default defineTransform({
  name: 'int_daily_business_metrics',
  inputs: {
    orders: {
      columns: {
        order_id: 'string',
        order_date: 'timestamp',
        gross_total: 'decimal(18,2)',
        net_total: 'decimal(18,2)',
      },
      date: { as: 'date', from: ['order_date'] },
    },
    shopping_carts: {
      columns: { cart_id: 'string', created_at: 'timestamp' },
      date: { as: 'date', from: ['created_at'] },
      optional: true,
    },
    returns: {
      columns: { return_id: 'string', return_date: 'timestamp' },
      optionalColumns: { refunded_amount: 'decimal(18,2)' },
      date: { as: 'date', from: ['return_date'] },
      optional: true,
    },
  },
  params: RATE_CAPS,
  window: { before: LONG_WINDOW_DAYS - 1, after: 0 },
  partitionKey: 'date',
  primaryKey: ['date'],
  columns: [
    { name: 'date', type: 'date' },
    { name: 'orders_count', type: 'int64' },
    { name: 'gross_revenue', type: 'decimal(18,2)' },
    { name: 'net_revenue', type: 'decimal(18,2)' },
    { name: 'avg_order_value', type: 'decimal(18,6)' },
    { name: 'carts_created', type: 'int64' },
    { name: 'cart_conversion_rate', type: 'decimal(18,6)' },
    { name: 'returns_count', type: 'int64' },
    { name: 'return_rate', type: 'decimal(18,6)' },
    { name: 'refund_total', type: 'decimal(18,2)' },
    { name: 'orders_7d_avg', type: 'decimal(18,6)' },
    { name: 'revenue_7d_avg', type: 'decimal(18,6)' },
    { name: 'revenue_30d_avg', type: 'decimal(18,6)' },
    { name: 'revenue_30d_std', type: 'decimal(18,6)' },
    { name: 'revenue_anomaly_flag', type: 'string' },
  ],
  run({ orders, shopping_carts: carts, returns }, { params }) {
    const days = pl
      .concat([
        dailyFigures(orders, {
          orders_count: rowCount(),
          gross_revenue: total('gross_total'),
          net_revenue: total('net_total'),
        }),
        dailyFigures(carts, { carts_created: rowCount() }),
        dailyFigures(returns, { returns_count: rowCount(), refund_total: total('refunded_amount') }),
      ])
      .groupBy(['date'])
      .agg(...[...COUNTS, ...AMOUNTS].map((name) => total(name).alias(name)));
    const short = overLastDays(days, { day: 'date', by: [], days: SHORT_WINDOW_DAYS }, [
      total('orders_count').alias('orders_7d'),
      total('net_revenue').alias('revenue_7d'),
      rowCount().alias('days_7d'),
    ]);
    const cents = pl.col('net_revenue').mul(int(100)).cast(pl.Float64);
    const long = overLastDays(days, { day: 'date', by: [], days: LONG_WINDOW_DAYS }, [
      total('net_revenue').alias('revenue_30d'),
      rowCount().alias('days_30d'),
      // Whole cents are exact in a Float64, so equal days have a deviation of exactly zero.
      cents.mean().alias('mean_cents'),
      cents.std().alias('deviation_cents'),
    ]);
    const distance = cents.sub(pl.col('mean_cents'));
    const limit = pl.col('deviation_cents').mul(pl.lit(ANOMALY_DEVIATIONS));
    return days
      .join(short, { on: 'date', how: 'left' })
      .join(long, { on: 'date', how: 'left' })
      .withColumns(
        ratio(pl.col('net_revenue'), pl.col('orders_count')).fillNull(decimal(0)).alias('avg_order_value'),
        cappedRate(ratio(pl.col('orders_count'), pl.col('carts_created')).fillNull(decimal(0)), params).alias(
          'cart_conversion_rate',
        ),
        cappedRate(ratio(pl.col('returns_count'), pl.col('orders_count')).fillNull(decimal(0)), params).alias(
          'return_rate',
        ),
        ratio(pl.col('orders_7d'), pl.col('days_7d')).alias('orders_7d_avg'),
        ratio(pl.col('revenue_7d'), pl.col('days_7d')).alias('revenue_7d_avg'),
        ratio(pl.col('revenue_30d'), pl.col('days_30d')).alias('revenue_30d_avg'),
        pl.col('deviation_cents').div(pl.lit(100)).alias('revenue_30d_std'),
        pl
          .when(distance.gt(limit))
          .then(pl.lit('HIGH'))
          .when(distance.lt(limit.mul(pl.lit(-1))))
          .then(pl.lit('LOW'))
          .otherwise(pl.lit('NORMAL'))
          .alias('revenue_anomaly_flag'),
      );
  },
});

/** One row per day of one source; what the source does not know is zero. */
function dailyFigures(rows: LazyDataFrame, known: { readonly [name: string]: pl.Expr }): LazyDataFrame {
  return rows
    .groupBy(['date'])
    .agg(...Object.entries(known).map(([name, figure]) => figure.alias(name)))
    .select(
      pl.col('date'),
      ...COUNTS.map((name) => (name in known ? pl.col(name) : int(0)).alias(name)),
      ...AMOUNTS.map((name) => (name in known ? pl.col(name) : money(0)).alias(name)),
    );
}
