/** Orders -> one row per order with the region it was sold to, its tax and what remains. */
import pl, { type Expr } from 'nodejs-polars';
import { defineTransform } from './define-transform.ts';
import { roundToCents } from './exact-numbers.ts';
import { columnList, ORDER_COLUMNS, pick, without } from './silver-columns.ts';

const REQUIRED = ['order_id', 'customer_id', 'order_date', 'gross_total'];
/** Two capitals before a ZIP code of five digits (or ZIP+4). */
const STATE_BEFORE_ZIP = '\\b([A-Z]{2})\\s+\\d{5}\\b';
const UNKNOWN_REGION = 'UNKNOWN';

/**
 * Region: the customer's own where the customers table has such a column, else `US-` and the state of the shipping address,
 * else of the billing address, else UNKNOWN. Tax is gross × `tax_rate`, to the cent.
 */
export default defineTransform({
  name: 'int_regional_financials',
  inputs: {
    orders: {
      columns: pick(ORDER_COLUMNS, REQUIRED),
      optionalColumns: without(ORDER_COLUMNS, REQUIRED),
      date: { as: 'order_dt', from: ['order_date'] },
    },
    customers: {
      columns: { customer_id: 'string' },
      optionalColumns: { region: 'string' },
      date: null,
      optional: true,
    },
  },
  params: { tax_rate: 0 },
  window: { before: 0, after: 0 },
  partitionKey: 'order_dt',
  primaryKey: ['order_id'],
  columns: [
    ...columnList(ORDER_COLUMNS),
    { name: 'region', type: 'string' },
    { name: 'tax_rate', type: 'decimal(18,6)' },
    { name: 'tax_amount', type: 'decimal(18,2)' },
    { name: 'net_revenue', type: 'decimal(18,2)' },
    { name: 'order_dt', type: 'date' },
  ],
  run({ orders, customers }, { params }) {
    return orders
      .join(customers.select('customer_id', 'region'), { on: 'customer_id', how: 'left' })
      .withColumns(
        pl
          .col('region')
          .fillNull(stateOf('shipping_address'))
          .fillNull(stateOf('billing_address'))
          .fillNull(pl.lit(UNKNOWN_REGION)),
        pl.lit(String(params.tax_rate)).cast(pl.Decimal(38, 8)).alias('tax_rate'),
      )
      .withColumns(
        roundToCents(pl.col('gross_total').cast(pl.Decimal(38, 8)).mul(pl.col('tax_rate'))).alias('tax_amount'),
      )
      .withColumns(pl.col('gross_total').sub(pl.col('tax_amount')).alias('net_revenue'));
  },
});

/** `US-IL`; null where the address is missing or says no state. */
function stateOf(address: string): Expr {
  const state = pl.col(address).str.extract(STATE_BEFORE_ZIP, 1);
  // Joining text takes null for an empty string.
  return pl
    .when(state.isNotNull())
    .then(pl.concatString([pl.lit('US-'), state], ''))
    .otherwise(pl.lit(null));
}
