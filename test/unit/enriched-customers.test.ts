/** Figures per customer as of the run date, on orders and returns written by hand. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runBuiltin, type TestRow, type TextRow } from '../fixtures-support/enriched-tables.ts';

const RUN_DATE = '2025-10-31';

let nextId = 0;
const order = (customer_id: string, order_date: string, net_total = '10.00'): TestRow => {
  nextId += 1;
  return { order_id: `o${nextId}`, customer_id, order_date, net_total };
};
const refund = (customer_id: string, return_date: string, refunded_amount: string | null): TestRow => {
  nextId += 1;
  return { return_id: `r${nextId}`, customer_id, return_date, refunded_amount };
};

describe('int_customer_retention_signals', () => {
  const signals = async (customers: readonly TestRow[], orders: readonly TestRow[]): Promise<readonly TextRow[]> =>
    runBuiltin(
      'int_customer_retention_signals',
      { customers, orders: orders.map(({ net_total: _, ...rest }) => rest) },
      { runDate: RUN_DATE },
    );

  test('days are counted from calendar day to run date, whatever the hour; orders after it do not exist yet', async () => {
    const [row] = await signals(
      [{ customer_id: 'c1' }],
      [
        order('c1', '2025-10-01 23:59:59'),
        order('c1', '2025-10-30 00:00:00'),
        order('c1', '2025-10-31 23:59:59.999999'),
        order('c1', '2025-11-01 00:00:00'),
      ],
    );
    assert.equal(row?.first_purchase_date, '2025-10-01 23:59:59+00');
    assert.equal(row?.last_purchase_date, '2025-10-31 23:59:59.999999+00');
    assert.deepEqual([row?.total_orders, row?.days_since_first_buy, row?.days_since_last_buy], ['3', '30', '0']);
  });

  test('the danger zone is one single order, 30 to 90 days ago with both ends', async () => {
    const customers = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'].map((customer_id) => ({ customer_id }));
    const rows = await signals(customers, [
      order('c1', '2025-10-02 12:00:00'), // 29 days
      order('c2', '2025-10-01 12:00:00'), // 30
      order('c3', '2025-08-02 12:00:00'), // 90
      order('c4', '2025-08-01 12:00:00'), // 91
      order('c5', '2025-10-01 12:00:00'),
      order('c5', '2025-10-01 13:00:00'),
    ]);
    assert.deepEqual(
      rows.map((row) => row.is_in_danger_zone),
      ['false', 'true', 'true', 'false', 'false', 'false'],
    );
    assert.deepEqual(
      [rows[5]?.total_orders, rows[5]?.days_since_first_buy, rows[5]?.first_purchase_date],
      ['0', null, null],
    );
  });

  test('the nudge is for the tier bronze as base silver writes it, after more than 14 days', async () => {
    const rows = await signals(
      [
        { customer_id: 'c1', loyalty_tier: 'bronze' },
        { customer_id: 'c2', loyalty_tier: 'bronze' },
        { customer_id: 'c3', loyalty_tier: 'Bronze' },
        { customer_id: 'c4', loyalty_tier: 'silver' },
        { customer_id: 'c5', loyalty_tier: 'bronze' },
        { customer_id: 'c6', loyalty_tier: null },
      ],
      [
        order('c1', '2025-10-16 12:00:00'), // 15 days
        order('c2', '2025-10-17 12:00:00'), // 14
        order('c3', '2025-10-01 12:00:00'),
        order('c4', '2025-10-01 12:00:00'),
        order('c6', '2025-10-01 12:00:00'),
      ],
    );
    assert.deepEqual(
      rows.map((row) => row.needs_bronze_nudge),
      ['true', 'false', 'true', 'false', 'false', 'false'],
    );
  });
});

describe('int_customer_lifetime_value', () => {
  const values = (
    customers: readonly TestRow[],
    orders: readonly TestRow[],
    returns?: readonly TestRow[],
  ): Promise<readonly TextRow[]> =>
    runBuiltin(
      'int_customer_lifetime_value',
      { customers, orders, ...(returns ? { returns } : {}) },
      { runDate: RUN_DATE },
    );

  test('money is summed to the cent, refunds are taken off, the mean has six digits', async () => {
    const [row] = await values(
      [{ customer_id: 'c1', clv_bucket: 'low' }],
      [
        order('c1', '2025-10-01 10:00:00', '0.10'),
        order('c1', '2025-10-02 10:00:00', '0.20'),
        order('c1', '2025-10-03 10:00:00', '0.35'),
      ],
      [
        refund('c1', '2025-10-20 00:00:00', '0.05'),
        refund('c1', '2025-10-21 00:00:00', null),
        refund('c1', '2025-11-01 00:00:00', '0.60'),
      ],
    );
    assert.deepEqual(
      [row?.total_spent, row?.total_refunded, row?.net_clv, row?.order_count, row?.return_count, row?.avg_order_value],
      // 0.65 / 3 = 0.21666…
      ['0.65', '0.05', '0.60', '3', '2', '0.216667'],
    );
    assert.equal(row?.predicted_clv_bucket, 'low');
    assert.equal(row?.last_order_date, '2025-10-03 10:00:00+00');
  });

  test('segments are tested in order: churned, one-timer, whale, regular', async () => {
    const customers = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7'].map((customer_id) => ({ customer_id }));
    const rows = await values(customers, [
      // c1: no order
      order('c2', '2025-08-02 10:00:00', '900.00'), // 90 days: churned, though rich
      order('c2', '2025-08-01 10:00:00', '900.00'),
      order('c3', '2025-08-03 10:00:00', '900.00'), // 89 days, one order
      ...[1, 2].map(() => order('c4', '2025-10-01 10:00:00', '250.00')), // exactly 500
      ...[1, 2].map(() => order('c5', '2025-10-01 10:00:00', '249.99')), // 499.98
      ...[1, 2, 3, 4, 5].map(() => order('c6', '2025-10-01 10:00:00', '1.00')), // five orders
      ...[1, 2, 3, 4].map(() => order('c7', '2025-10-01 10:00:00', '1.00')), // four
    ]);
    assert.deepEqual(
      rows.map((row) => [row.customer_segment, row.actual_clv_bucket]),
      [
        ['one-timer', 'low_value'],
        ['churned', 'high_value'],
        ['one-timer', 'high_value'],
        ['whale', 'high_value'],
        ['regular', 'medium_value'],
        ['whale', 'low_value'],
        ['regular', 'low_value'],
      ],
    );
  });

  test('a customer without orders has zeros, and no dates', async () => {
    const [row] = await values([{ customer_id: 'c1' }], [], [refund('c1', '2025-10-20 00:00:00', '5.00')]);
    assert.deepEqual(
      [row?.total_spent, row?.total_refunded, row?.net_clv, row?.avg_order_value, row?.order_count],
      ['0.00', '5.00', '-5.00', '0.000000', '0'],
    );
    assert.deepEqual([row?.first_order_date, row?.days_since_last_order], [null, null]);
  });

  test('a pipeline without returns has none', async () => {
    const [row] = await values([{ customer_id: 'c1' }], [order('c1', '2025-10-01 10:00:00', '1.00')]);
    assert.deepEqual([row?.return_count, row?.net_clv], ['0', '1.00']);
  });
});
