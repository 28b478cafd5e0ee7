/** Orders and carts -> which order a cart became: one definition for both attribution tables. */
import pl, { type LazyDataFrame } from 'nodejs-polars';

/** Calendar days that a span of hours can reach back or forth from a day. */
export const daysOfHours = (hours: number): number => Math.ceil(hours / 24);

/**
 * An order's candidate is its customer's newest cart at or before the order, at most `toleranceHours` (inclusive) older;
 * of carts made at one instant, the one with the greatest id. Of several orders with the same candidate the earliest
 * by (order_date, order_id) keeps it, the others have no cart: nobody moves on to an older one, so no match depends on a chain of others.
 *
 * Input: orders (order_id, customer_id, order_date), carts (cart_id, customer_id, created_at), ids unique; rows without customer match nothing.
 * Output: order_id, cart_id, each at most once.
 */
export function matchCarts(orders: LazyDataFrame, carts: LazyDataFrame, toleranceHours: number): LazyDataFrame {
  const newest = carts.select('cart_id', 'customer_id', 'created_at').sort(['created_at', 'cart_id']);
  return orders
    .select('order_id', 'customer_id', 'order_date')
    .sort(['order_date', 'order_id'])
    .joinAsof(newest, {
      leftOn: 'order_date',
      rightOn: 'created_at',
      by: 'customer_id',
      strategy: 'backward',
      tolerance: `${Math.round(toleranceHours * 3_600_000)}ms`,
      // Both sides are sorted above; with `by` Polars cannot check it and would warn on stderr.
      checkSortedness: false,
    })
    .filter(pl.col('cart_id').isNotNull())
    .sort(['order_date', 'order_id'])
    .unique({ subset: ['cart_id'], keep: 'first', maintainOrder: true })
    .select('order_id', 'cart_id');
}
