/** Figures per day and per order on rows written by hand: business metrics, regions, shipping. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runBuiltin, type TestRow, type TextRow } from '../fixtures-support/enriched-tables.ts';

describe('int_daily_business_metrics', () => {
  let nextId = 0;
  const sale = (day: string, net_total: string, gross_total = net_total): TestRow => {
    nextId += 1;
    return { order_id: `o${nextId}`, order_date: `${day} 12:00:00`, gross_total, net_total };
  };

  test('a day has a row where it has orders, carts or returns; what it lacks is zero', async () => {
    const rows = await runBuiltin('int_daily_business_metrics', {
      orders: [sale('2025-10-01', '90.00', '100.00'), sale('2025-10-01', '10.01', '20.00'), sale('2025-10-01', '0.00')],
      shopping_carts: [
        ...Array.from({ length: 7 }, (_, index) => ({ cart_id: `k${index}`, created_at: '2025-10-01 09:00:00' })),
        { cart_id: 'k9', created_at: '2025-10-02 09:00:00' },
      ],
      returns: [
        { return_id: 'r1', return_date: '2025-10-01 00:00:00', refunded_amount: '5.00' },
        { return_id: 'r2', return_date: '2025-10-04 00:00:00', refunded_amount: null },
      ],
    });
    assert.deepEqual(
      rows.map((row) => [row.date, row.orders_count, row.gross_revenue, row.net_revenue, row.avg_order_value]),
      [
        ['2025-10-01', '3', '120.00', '100.01', '33.336667'],
        ['2025-10-02', '0', '0.00', '0.00', '0.000000'],
        ['2025-10-04', '0', '0.00', '0.00', '0.000000'],
      ],
    );
    assert.deepEqual(
      rows.map((row) => [
        row.carts_created,
        row.cart_conversion_rate,
        row.returns_count,
        row.return_rate,
        row.refund_total,
      ]),
      [
        // 3 / 7 and 1 / 3
        ['7', '0.428571', '1', '0.333333', '5.00'],
        ['1', '0.000000', '0', '0.000000', '0.00'],
        ['0', '0.000000', '1', '0.000000', '0.00'],
      ],
    );
  });

  test('rolling means take the rows of the calendar range, whatever gaps it has', async () => {
    const rows = await runBuiltin('int_daily_business_metrics', {
      orders: [
        sale('2025-10-01', '10.00'),
        sale('2025-10-07', '20.00'),
        sale('2025-10-08', '40.00'),
        sale('2025-10-08', '0.01'),
        sale('2025-10-30', '1.00'),
        sale('2025-10-31', '2.00'),
      ],
    });
    assert.deepEqual(
      rows.map((row) => [row.date, row.orders_7d_avg, row.revenue_7d_avg, row.revenue_30d_avg]),
      [
        ['2025-10-01', '1.000000', '10.000000', '10.000000'],
        ['2025-10-07', '1.000000', '15.000000', '15.000000'],
        // Seven days end on 10-08: 10-01 is out. (20 + 40.01) / 2; over thirty days (10 + 20 + 40.01) / 3.
        ['2025-10-08', '1.500000', '30.005000', '23.336667'],
        // Thirty days end on 10-30: 10-01 is still in. 71.01 / 4.
        ['2025-10-30', '1.000000', '1.000000', '17.752500'],
        // And out a day later: 63.01 / 4.
        ['2025-10-31', '1.000000', '1.500000', '15.752500'],
      ],
    );
  });

  test('the deviation is a sample’s: none for one day, that of two days is their distance over the root of two', async () => {
    const rows = await runBuiltin('int_daily_business_metrics', {
      orders: [sale('2025-10-01', '10.00'), sale('2025-10-02', '14.00')],
    });
    assert.deepEqual(
      rows.map((row) => [row.revenue_30d_std, row.revenue_anomaly_flag]),
      [
        [null, 'NORMAL'],
        // 4 / √2 = 2.8284271…
        ['2.828427', 'NORMAL'],
      ],
    );
  });

  test('a day more than two deviations off is flagged; equal days never are', async () => {
    const level = Array.from({ length: 9 }, (_, index) => sale(`2025-10-0${index + 1}`, '100.10'));
    const quiet = await runBuiltin('int_daily_business_metrics', { orders: level });
    assert.deepEqual(new Set(quiet.map((row) => row.revenue_anomaly_flag)), new Set(['NORMAL']));
    assert.equal(quiet[8]?.revenue_30d_std, '0.000000');
    // With nine equal days before it, the tenth lies 2.846 deviations off, whatever its size: 9 / √10.
    const high = await runBuiltin('int_daily_business_metrics', { orders: [...level, sale('2025-10-10', '100.11')] });
    assert.equal(high[9]?.revenue_anomaly_flag, 'HIGH');
    const low = await runBuiltin('int_daily_business_metrics', { orders: [...level, sale('2025-10-10', '5.00')] });
    assert.equal(low[9]?.revenue_anomaly_flag, 'LOW');
  });
});

describe('int_regional_financials', () => {
  const regions = async (
    orders: readonly TestRow[],
    customers?: readonly TestRow[],
    params = {},
  ): Promise<readonly TextRow[]> =>
    runBuiltin(
      'int_regional_financials',
      {
        orders: orders.map((order, index) => ({
          order_id: `o${index}`,
          customer_id: `c${index}`,
          order_date: '2025-10-05 12:00:00',
          gross_total: '10.00',
          ...order,
        })),
        ...(customers ? { customers } : {}),
      },
      { runDate: '2025-10-31', params },
    );

  test('the region is the state before the ZIP code of the shipping, else of the billing address, else UNKNOWN', async () => {
    const rows = await regions([
      { shipping_address: '1117 Zachary Loop, Edwardstad, UT 82949', billing_address: '1 Main St, Boise, ID 83702' },
      { shipping_address: 'PSC 4035, Box 3639, APO AE 41373-1234', billing_address: null },
      { shipping_address: '10 Downing Street, London', billing_address: '1 Main St, Boise, ID 83702' },
      { shipping_address: null, billing_address: null },
      { shipping_address: '1 Main St, Boise, id 83702', billing_address: 'Box AB 123456' },
    ]);
    assert.deepEqual(
      rows.map((row) => row.region),
      ['US-UT', 'US-AE', 'US-ID', 'UNKNOWN', 'UNKNOWN'],
    );
  });

  test('a region column of the customers goes first', async () => {
    const rows = await regions(
      [{ shipping_address: 'Edwardstad, UT 82949' }, { shipping_address: 'Edwardstad, UT 82949' }],
      [
        { customer_id: 'c0', region: 'EU-WEST' },
        { customer_id: 'c1', region: null },
      ],
    );
    assert.deepEqual(
      rows.map((row) => row.region),
      ['EU-WEST', 'US-UT'],
    );
  });

  test('tax is nothing unless a rate is given, and then goes to the cent, half a cent away from zero', async () => {
    const [free] = await regions([{ gross_total: '12.34' }]);
    assert.deepEqual([free?.tax_rate, free?.tax_amount, free?.net_revenue], ['0.000000', '0.00', '12.34']);
    // 0.30 × 0.05 = 0.015; 0.50 × 0.05 = 0.025; 0.29 × 0.05 = 0.0145; −0.30 × 0.05 = −0.015
    const taxed = await regions(
      ['0.30', '0.50', '0.29', '-0.30'].map((gross_total) => ({ gross_total })),
      undefined,
      { tax_rate: 0.05 },
    );
    assert.deepEqual(
      taxed.map((row) => [row.tax_amount, row.net_revenue]),
      [
        ['0.02', '0.28'],
        ['0.03', '0.47'],
        ['0.01', '0.28'],
        ['-0.02', '-0.28'],
      ],
    );
  });
});

describe('int_shipping_economics', () => {
  test('margin, its share of what was charged, and speed', async () => {
    const rows = await runBuiltin('int_shipping_economics', {
      orders: [
        ['5.00', '4.38', 'standard'],
        ['45.00', '47.10', 'two-day'],
        ['0.00', '3.00', 'overnight'],
        [null, '3.00', null],
        ['80.00', null, 'Overnight'],
        ['3.00', '1.00', 'standard'],
      ].map(([shipping_cost = null, actual_shipping_cost = null, shipping_speed = null], index) => ({
        order_id: `o${index}`,
        order_date: '2025-10-05 23:59:59.999999',
        order_channel: 'web',
        shipping_cost,
        actual_shipping_cost,
        shipping_speed,
      })),
    });
    assert.deepEqual(
      rows.map((row) => [row.shipping_margin, row.shipping_margin_pct, row.is_expedited]),
      [
        ['0.62', '0.124000', 'false'],
        // −2.10 / 45 = −0.046666…
        ['-2.10', '-0.046667', 'true'],
        ['-3.00', null, 'true'],
        [null, null, 'false'],
        [null, null, 'true'],
        ['2.00', '0.666667', 'false'],
      ],
    );
    assert.equal(rows[0]?.order_dt, '2025-10-05');
  });

  test('a share that lies exactly between two millionths is rounded away from zero', async () => {
    // ±1.01 / 1600.00 = ±0.00063125, and 0.03 / 1280.00 = 0.0000234375; 0.01 / 20000.00 = 0.0000005 exactly half.
    const rows = await runBuiltin('int_shipping_economics', {
      orders: [
        ['20000.00', '19999.99'],
        ['20000.00', '20000.01'],
        ['20000.00', '19999.97'],
        ['1280.00', '1279.97'],
      ].map(([shipping_cost = null, actual_shipping_cost = null], index) => ({
        order_id: `o${index}`,
        order_date: '2025-10-05 10:00:00',
        shipping_speed: 'standard',
        shipping_cost,
        actual_shipping_cost,
      })),
    });
    assert.deepEqual(
      rows.map((row) => row.shipping_margin_pct),
      ['0.000001', '-0.000001', '0.000002', '0.000023'],
    );
  });
});
