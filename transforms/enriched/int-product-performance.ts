/** Sales, returns, carts and the catalog -> one row per product and day: units, money and rates. */
import pl, { type Expr, type LazyDataFrame } from 'nodejs-polars';
import { cappedRate, RATE_CAPS } from './capped-rate.ts';
import { defineTransform } from './define-transform.ts';
import { int, money, nothing, ratio, total } from './exact-numbers.ts';

const UNITS = ['units_sold', 'units_returned', 'units_in_carts'] as const;
const AMOUNTS = ['gross_revenue', 'gross_margin', 'refunded_amount'] as const;

/**
 * A sale counts on its order's day, a return on the day of the order it undoes (else of the return), a cart line on the day it was added.
 * A line without a cost takes the catalog's; where neither has one, the line adds nothing to the margin.
 */
export default defineTransform({
  name: 'int_product_performance',
  inputs: {
    product_catalog: {
      columns: { product_id: 'int64' },
      optionalColumns: {
        product_name: 'string',
        category: 'string',
        unit_price: 'decimal(18,2)',
        cost_price: 'decimal(18,2)',
        inventory_quantity: 'int64',
      },
      date: null,
    },
    order_items: {
      columns: { order_id: 'string', product_id: 'int64', quantity: 'int64', unit_price: 'decimal(18,2)' },
      optionalColumns: { cost_price: 'decimal(18,2)', ingestion_dt: 'date' },
      date: { as: 'product_dt', from: [{ input: 'orders', key: 'order_id', column: 'order_date' }, 'ingestion_dt'] },
    },
    return_items: {
      columns: { return_id: 'string', order_id: 'string', product_id: 'int64', quantity_returned: 'int64' },
      optionalColumns: { refunded_amount: 'decimal(18,2)', ingestion_dt: 'date' },
      date: {
        as: 'product_dt',
        from: [
          { input: 'orders', key: 'order_id', column: 'order_date' },
          { input: 'returns', key: 'return_id', column: 'return_date' },
          'ingestion_dt',
        ],
      },
      optional: true,
    },
    cart_items: {
      columns: { product_id: 'int64', quantity: 'int64' },
      optionalColumns: { added_at: 'timestamp', ingestion_dt: 'date' },
      date: { as: 'product_dt', from: ['added_at', 'ingestion_dt'] },
      optional: true,
    },
    orders: { columns: { order_id: 'string', order_date: 'timestamp' }, date: null, optional: true, datesOnly: true },
    returns: {
      columns: { return_id: 'string', return_date: 'timestamp' },
      date: null,
      optional: true,
      datesOnly: true,
    },
  },
  params: RATE_CAPS,
  window: { before: 0, after: 0 },
  partitionKey: 'product_dt',
  primaryKey: ['product_id', 'product_dt'],
  columns: [
    { name: 'product_id', type: 'int64' },
    { name: 'product_name', type: 'string' },
    { name: 'category', type: 'string' },
    { name: 'product_dt', type: 'date' },
    { name: 'units_sold', type: 'int64' },
    { name: 'units_returned', type: 'int64' },
    { name: 'units_in_carts', type: 'int64' },
    { name: 'gross_revenue', type: 'decimal(18,2)' },
    { name: 'net_revenue', type: 'decimal(18,2)' },
    { name: 'gross_margin', type: 'decimal(18,2)' },
    { name: 'gross_profit', type: 'decimal(18,2)' },
    { name: 'net_margin', type: 'decimal(18,2)' },
    { name: 'refunded_amount', type: 'decimal(18,2)' },
    { name: 'return_rate', type: 'decimal(18,6)' },
    { name: 'cart_to_order_rate', type: 'decimal(18,6)' },
    { name: 'margin_pct', type: 'decimal(18,6)' },
    { name: 'catalog_unit_price', type: 'decimal(18,2)' },
    { name: 'catalog_cost_price', type: 'decimal(18,2)' },
    { name: 'inventory_quantity', type: 'int64' },
  ],
  run({ product_catalog, order_items: items, return_items: returned, cart_items: carted }, { params }) {
    const catalog = product_catalog.select(
      pl.col('product_id'),
      pl.col('product_name'),
      pl.col('category'),
      pl.col('unit_price').alias('catalog_unit_price'),
      pl.col('cost_price').alias('catalog_cost_price'),
      pl.col('inventory_quantity'),
    );
    const cost = pl.col('cost_price').fillNull(pl.col('catalog_cost_price'));
    const sales = items
      .join(catalog.select('product_id', 'catalog_cost_price'), { on: 'product_id', how: 'left' })
      .withColumns(
        pl.col('unit_price').mul(pl.col('quantity')).alias('line_revenue'),
        pl.col('unit_price').sub(cost).mul(pl.col('quantity')).alias('line_margin'),
      );
    const soldOrCarted = pl
      .when(pl.col('units_in_carts').gt(pl.col('units_sold')))
      .then(pl.col('units_in_carts'))
      .otherwise(pl.col('units_sold'));
    const positive = (name: string): Expr =>
      pl
        .when(pl.col(name).gt(int(0)))
        .then(pl.col(name))
        .otherwise(nothing());
    return pl
      .concat([
        productFigures(sales, {
          units_sold: total('quantity'),
          gross_revenue: total('line_revenue'),
          gross_margin: total('line_margin'),
        }),
        productFigures(returned, {
          units_returned: total('quantity_returned'),
          refunded_amount: total('refunded_amount'),
        }),
        productFigures(carted, { units_in_carts: total('quantity') }),
      ])
      .groupBy(['product_id', 'product_dt'])
      .agg(...[...UNITS, ...AMOUNTS].map((name) => total(name).alias(name)))
      .join(catalog, { on: 'product_id', how: 'left' })
      .withColumns(
        pl.col('gross_revenue').sub(pl.col('refunded_amount')).alias('net_revenue'),
        pl.col('gross_margin').alias('gross_profit'),
        pl.col('gross_margin').sub(pl.col('refunded_amount')).alias('net_margin'),
        cappedRate(ratio(pl.col('units_returned'), positive('units_sold')), params).alias('return_rate'),
        cappedRate(ratio(pl.col('units_sold'), soldOrCarted), params).alias('cart_to_order_rate'),
      )
      .withColumns(ratio(pl.col('net_margin'), positive('gross_revenue')).alias('margin_pct'));
  },
});

/** One row per product and day of one source; what the source does not know is zero. */
function productFigures(rows: LazyDataFrame, known: { readonly [name: string]: Expr }): LazyDataFrame {
  return rows
    .groupBy(['product_id', 'product_dt'])
    .agg(...Object.entries(known).map(([name, figure]) => figure.alias(name)))
    .select(
      pl.col('product_id'),
      pl.col('product_dt'),
      ...UNITS.map((name) => (name in known ? pl.col(name) : int(0)).alias(name)),
      // Products of a price and a quantity come with Polars' widest precision; sources are stacked in one type.
      ...AMOUNTS.map((name) => (name in known ? pl.col(name) : money(0)).cast(pl.Decimal(38, 2)).alias(name)),
    );
}
