/** Which order a cart became, and what follows from it: both attribution tables on carts and orders written by hand. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runBuiltin, type TestRow, type TextRow } from '../fixtures-support/enriched-tables.ts';

const order = (order_id: string, order_date: string, rest: TestRow = {}): TestRow => ({
  order_id,
  customer_id: 'c1',
  order_date,
  ...rest,
});
const cart = (cart_id: string, created_at: string, rest: TestRow = {}): TestRow => ({
  cart_id,
  customer_id: 'c1',
  created_at,
  ...rest,
});

async function purchases(
  orders: readonly TestRow[],
  carts: readonly TestRow[],
  params = {},
): Promise<readonly TextRow[]> {
  return runBuiltin('int_attributed_purchases', { orders, shopping_carts: carts }, { runDate: '2025-10-31', params });
}

const pairs = (rows: readonly TextRow[]): readonly string[] => rows.map((row) => `${row.order_id}:${row.cart_id}`);

describe('matching carts and orders', () => {
  test('an order takes its customer’s newest cart at or before it', async () => {
    const rows = await purchases(
      [order('o1', '2025-10-05 12:00:00'), order('o2', '2025-10-09 12:00:00', { customer_id: 'c2' })],
      [
        cart('k1', '2025-10-05 10:00:00'),
        cart('k2', '2025-10-05 11:00:00'),
        cart('k3', '2025-10-05 12:00:00.000001'),
        cart('k4', '2025-10-09 11:00:00'),
      ],
    );
    assert.deepEqual(pairs(rows), ['o1:k2', 'o2:null']);
  });

  test('exactly 48 hours still match, a microsecond more does not', async () => {
    const carts = [cart('k1', '2025-10-03 12:00:00'), cart('k2', '2025-10-03 12:00:00', { customer_id: 'c2' })];
    const rows = await purchases(
      [order('o1', '2025-10-05 12:00:00'), order('o2', '2025-10-05 12:00:00.000001', { customer_id: 'c2' })],
      carts,
    );
    assert.deepEqual(pairs(rows), ['o1:k1', 'o2:null']);
  });

  test('of several orders with one candidate the earliest keeps it, and the others take no older cart', async () => {
    const rows = await purchases(
      [order('o3', '2025-10-05 12:00:00'), order('o1', '2025-10-05 13:00:00'), order('o2', '2025-10-05 12:00:00')],
      [cart('k1', '2025-10-05 09:00:00'), cart('k2', '2025-10-05 10:00:00')],
    );
    assert.deepEqual(pairs(rows), ['o1:null', 'o2:k2', 'o3:null']);
  });

  test('of carts made at one instant the greatest id is the newest', async () => {
    const rows = await purchases(
      [order('o1', '2025-10-05 12:00:00')],
      [cart('k9', '2025-10-05 10:00:00'), cart('k10', '2025-10-05 10:00:00')],
    );
    assert.deepEqual(pairs(rows), ['o1:k9']);
  });

  test('the tolerance is a parameter, and fractions of an hour count', async () => {
    const rows = await purchases(
      [order('o1', '2025-10-05 12:00:00'), order('o2', '2025-10-05 12:00:00', { customer_id: 'c2' })],
      [cart('k1', '2025-10-05 10:30:00'), cart('k2', '2025-10-05 10:29:59', { customer_id: 'c2' })],
      { attribution_tolerance_hours: 1.5 },
    );
    assert.deepEqual(pairs(rows), ['o1:k1', 'o2:null']);
  });
});

describe('int_attributed_purchases', () => {
  test('a purchase is recovered where the cart was abandoned, or an hour or more had passed', async () => {
    const rows = await purchases(
      [
        order('o1', '2025-10-05 12:00:00'),
        order('o2', '2025-10-05 12:00:00', { customer_id: 'c2' }),
        order('o3', '2025-10-05 12:00:00', { customer_id: 'c3' }),
        order('o4', '2025-10-05 12:00:00', { customer_id: 'c4' }),
        order('o5', '2025-10-05 12:00:00', { customer_id: 'c5' }),
      ],
      [
        cart('k1', '2025-10-05 12:00:00', { status: 'Abandoned' }),
        cart('k2', '2025-10-05 11:00:00', { customer_id: 'c2', status: 'converted' }),
        cart('k3', '2025-10-05 11:00:00.000001', { customer_id: 'c3', status: 'converted' }),
        cart('k4', '2025-10-05 11:59:00', { customer_id: 'c4', status: null }),
      ],
    );
    assert.deepEqual(
      rows.map((row) => `${row.order_id}:${row.is_recovered}`),
      ['o1:true', 'o2:true', 'o3:false', 'o4:false', 'o5:false'],
    );
  });

  test('it carries the order’s columns, those of the cart under cart_, and the order’s day', async () => {
    const [row] = await purchases(
      [order('o1', '2025-10-05 00:10:00', { order_channel: 'web', net_total: '12.30', gross_total: '15.00' })],
      [
        cart('k1', '2025-10-04 23:50:00', {
          updated_at: '2025-10-04 23:55:00',
          cart_total: '15.00',
          status: 'converted',
        }),
      ],
    );
    assert.equal(row?.order_channel, 'web');
    assert.equal(row?.net_total, '12.30');
    assert.equal(row?.agent_id, null);
    assert.equal(row?.cart_created_at, '2025-10-04 23:50:00+00');
    assert.equal(row?.cart_updated_at, '2025-10-04 23:55:00+00');
    assert.equal(row?.cart_total, '15.00');
    assert.equal(row?.cart_status, 'converted');
    assert.equal(row?.order_dt, '2025-10-05');
  });
});

describe('int_cart_attribution', () => {
  const attribution = (tables: {
    readonly shopping_carts: readonly TestRow[];
    readonly orders: readonly TestRow[];
    readonly cart_items?: readonly TestRow[];
    readonly customers?: readonly TestRow[];
  }): Promise<readonly TextRow[]> => runBuiltin('int_cart_attribution', tables);

  test('a cart is converted, abandoned or empty, and only an abandoned one has an abandoned value', async () => {
    const rows = await attribution({
      shopping_carts: [
        cart('k1', '2025-10-05 10:00:00', { cart_total: '20.00' }),
        cart('k2', '2025-10-06 10:00:00', { customer_id: 'c2', cart_total: '30.50' }),
        cart('k3', '2025-10-06 10:00:00', { customer_id: 'c2', cart_total: '0.00' }),
      ],
      orders: [order('o1', '2025-10-05 13:59:59', { order_channel: 'web' })],
    });
    assert.deepEqual(
      rows.map((row) => [
        row.cart_status,
        row.order_id,
        row.time_to_purchase_hours,
        row.cart_value,
        row.abandoned_value,
      ]),
      [
        ['converted', 'o1', '3', '20.00', null],
        ['abandoned', null, null, '30.50', '30.50'],
        ['empty', null, null, '0.00', null],
      ],
    );
    assert.deepEqual(
      rows.map((row) => [row.item_count, row.category_count, row.cart_dt]),
      [
        ['0', '0', '2025-10-05'],
        ['0', '0', '2025-10-06'],
        ['0', '0', '2025-10-06'],
      ],
    );
  });

  test('items count whenever they were added, and stand in for a missing total', async () => {
    const rows = await attribution({
      shopping_carts: [
        cart('k1', '2025-10-05 10:00:00', { cart_total: null }),
        cart('k2', '2025-10-06 10:00:00', { cart_total: '7.00' }),
        cart('k3', '2025-10-07 10:00:00', { cart_total: null }),
      ],
      orders: [],
      cart_items: [
        { cart_id: 'k1', quantity: 2, unit_price: '1.10', category: 'books', added_at: '2025-10-05 10:01:00' },
        { cart_id: 'k1', quantity: 1, unit_price: '3.00', category: 'toys', added_at: '2025-10-20 10:01:00' },
        { cart_id: 'k1', quantity: 1, unit_price: '0.01', category: null, added_at: null },
        { cart_id: 'k2', quantity: 9, unit_price: '9.99', category: 'books', added_at: '2025-10-06 10:01:00' },
      ],
    });
    assert.deepEqual(
      rows.map((row) => [row.cart_id, row.cart_value, row.item_count, row.category_count, row.cart_status]),
      [
        ['k1', '5.21', '3', '2', 'abandoned'],
        ['k2', '7.00', '1', '1', 'abandoned'],
        ['k3', '0.00', '0', '0', 'empty'],
      ],
    );
  });

  test('a cart counts for its order’s channel, else the customer’s last order before it, else the sign-up, else unknown', async () => {
    const rows = await attribution({
      shopping_carts: [
        cart('k1', '2025-10-05 10:00:00'),
        cart('k2', '2025-10-20 10:00:00'),
        cart('k3', '2025-10-20 10:00:00', { customer_id: 'c2' }),
        cart('k4', '2025-10-20 10:00:00', { customer_id: 'c3' }),
        cart('k5', '2025-10-01 10:00:00'),
        cart('k6', '2025-10-25 10:00:00', { customer_id: 'c4' }),
      ],
      orders: [
        order('o1', '2025-10-05 11:00:00', { order_channel: 'ebay' }),
        order('o2', '2025-10-10 11:00:00', { order_channel: 'phone' }),
        // At the cart's own instant: it takes the cart, and is no earlier order for anyone.
        order('o3', '2025-10-20 10:00:00', { customer_id: 'c2', order_channel: null }),
        order('o4', '2025-10-22 11:00:00', { customer_id: 'c4', order_channel: null }),
      ],
      customers: [
        { customer_id: 'c1', signup_channel: 'newegg' },
        { customer_id: 'c2', signup_channel: 'web' },
      ],
    });
    assert.deepEqual(
      rows.map((row) => [row.cart_id, row.order_channel, row.cart_channel]),
      [
        ['k1', 'ebay', 'ebay'],
        ['k2', null, 'phone'],
        ['k3', null, 'web'],
        ['k4', null, 'unknown'],
        ['k5', null, 'newegg'],
        ['k6', null, 'unknown'],
      ],
    );
  });

  test('both tables pair the same carts and orders', async () => {
    const orders = [order('o1', '2025-10-05 12:00:00'), order('o2', '2025-10-05 12:30:00')];
    const carts = [
      cart('k1', '2025-10-05 11:00:00'),
      cart('k2', '2025-10-05 12:15:00'),
      cart('k3', '2025-10-05 12:20:00'),
    ];
    const byOrder = pairs(await purchases(orders, carts));
    const byCart = pairs((await attribution({ shopping_carts: carts, orders })).filter((row) => row.order_id !== null));
    assert.deepEqual(byOrder, ['o1:k1', 'o2:k3']);
    assert.deepEqual([...byCart].sort(), byOrder);
  });
});
