/** Catalog, sales and returns -> one row per product: how hard its stock is worked, and how much money lies in it, as of the run date. */
import pl from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { clamp, decimal, int, money, ratio, total } from './exact-numbers.ts';

/** Sales and returns of all history up to the run date; products nobody bought are there too. */
export default defineTransform({
  name: 'int_inventory_risk',
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
      columns: { order_id: 'string', product_id: 'int64', quantity: 'int64' },
      optionalColumns: { ingestion_dt: 'date' },
      date: { as: 'order_dt', from: [{ input: 'orders', key: 'order_id', column: 'order_date' }, 'ingestion_dt'] },
    },
    return_items: {
      columns: { return_id: 'string', product_id: 'int64', quantity_returned: 'int64' },
      optionalColumns: { ingestion_dt: 'date' },
      date: { as: 'return_dt', from: [{ input: 'returns', key: 'return_id', column: 'return_date' }, 'ingestion_dt'] },
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
  params: { inventory_high_score: 0.8, inventory_moderate_score: 0.5 },
  window: 'as_of',
  partitionKey: 'ingest_dt',
  primaryKey: ['product_id', 'ingest_dt'],
  columns: [
    { name: 'product_id', type: 'int64' },
    { name: 'product_name', type: 'string' },
    { name: 'category', type: 'string' },
    { name: 'unit_price', type: 'decimal(18,2)' },
    { name: 'cost_price', type: 'decimal(18,2)' },
    { name: 'inventory_quantity', type: 'int64' },
    { name: 'sales_volume', type: 'int64' },
    { name: 'return_volume', type: 'int64' },
    { name: 'utilization_ratio', type: 'decimal(18,6)' },
    { name: 'return_signal', type: 'decimal(18,6)' },
    { name: 'locked_capital', type: 'decimal(18,2)' },
    { name: 'attention_score', type: 'decimal(18,6)' },
    { name: 'risk_tier', type: 'string' },
  ],
  run({ product_catalog: catalog, order_items: items, return_items: returned }, { params }) {
    const sales = items.groupBy(['product_id']).agg(total('quantity').alias('sales_volume'));
    const returns = returned.groupBy(['product_id']).agg(total('quantity_returned').alias('return_volume'));
    const zeroed = ['sales_volume', 'return_volume', 'inventory_quantity'];
    const perStock = pl
      .when(pl.col('inventory_quantity').gt(int(0)))
      .then(pl.col('inventory_quantity'))
      .otherwise(int(0));
    const perSale = pl
      .when(pl.col('sales_volume').gt(int(0)))
      .then(pl.col('sales_volume'))
      .otherwise(int(0));
    return catalog
      .join(sales, { on: 'product_id', how: 'left' })
      .join(returns, { on: 'product_id', how: 'left' })
      .withColumns(...zeroed.map((name) => pl.col(name).fillNull(int(0))), pl.col('cost_price').fillNull(money(0)))
      .withColumns(
        ratio(pl.col('sales_volume'), perStock).fillNull(decimal(0)).alias('utilization_ratio'),
        ratio(pl.col('return_volume'), perSale).fillNull(decimal(0)).alias('return_signal'),
        pl.col('cost_price').mul(pl.col('inventory_quantity')).alias('locked_capital'),
      )
      .withColumns(clamp(pl.col('utilization_ratio').add(pl.col('return_signal')), 0, 1).alias('attention_score'))
      .withColumns(
        pl
          .when(pl.col('attention_score').gtEq(decimal(params.inventory_high_score)))
          .then(pl.lit('HIGH'))
          .when(pl.col('attention_score').gtEq(decimal(params.inventory_moderate_score)))
          .then(pl.lit('MODERATE'))
          .otherwise(pl.lit('HEALTHY'))
          .alias('risk_tier'),
      );
  },
});
