/** Which days of a mart must be built: the fingerprint of a day covers everything that the day reads. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MartSpec } from '../../core/spec.ts';
import { expectedContents, type MartInput, partitionsToBuild, readsOf } from '../../transforms/gold/plan-mart.ts';
import { martOf } from '../fixtures-support/gold-lake.ts';
import fc from '../fixtures-support/properties.ts';

const MART = martOf({
  name: 'fct_x',
  grain: ['day'],
  partitionKey: 'day',
  columns: [{ name: 'day', type: 'date', description: '' }],
  inputs: [
    { layer: 'enriched', table: 'int_sales' },
    { layer: 'enriched', table: 'int_stock' },
  ],
  reads: { 'enriched.int_stock': 'next_snapshot' },
  sql: 'SELECT s.order_dt AS day FROM enriched.int_sales AS s JOIN enriched.int_stock USING (x) WHERE s.order_dt >= @window_start AND s.order_dt < @window_end',
});

const input = (table: string, partitionKey: string, partitions: Readonly<Record<string, string>>): MartInput => ({
  layer: 'enriched',
  table,
  partitionKey,
  loaded: new Map(Object.entries(partitions)),
});

const SALES = { '2025-01-01': 'a', '2025-01-02': 'b', '2025-01-05': 'c' };
const STOCK = { '2025-01-02': 'x', '2025-01-04': 'y' };

function contents(mart: MartSpec, sales: Readonly<Record<string, string>>, stock: Readonly<Record<string, string>>) {
  const expected = expectedContents(mart, [
    input('int_sales', 'order_dt', sales),
    input('int_stock', 'ingest_dt', stock),
  ]);
  assert.equal(expected.kind, 'days');
  return expected.kind === 'days' ? expected.contents : {};
}

const changed = (
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly string[] => partitionsToBuild(after, before);

describe('the content of a mart’s days', () => {
  const before = contents(MART, SALES, STOCK);

  test('days are those of the inputs that are read day by day', () => {
    assert.deepEqual(Object.keys(before), ['2025-01-01', '2025-01-02', '2025-01-05']);
  });

  test('a changed partition changes its day alone', () => {
    assert.deepEqual(changed(before, contents(MART, { ...SALES, '2025-01-02': 'B' }, STOCK)), ['2025-01-02']);
  });

  test('a changed snapshot changes every day that reads it: its own and those before, back to the snapshot before', () => {
    assert.deepEqual(changed(before, contents(MART, SALES, { ...STOCK, '2025-01-02': 'X' })), [
      '2025-01-01',
      '2025-01-02',
    ]);
    assert.deepEqual(changed(before, contents(MART, SALES, { ...STOCK, '2025-01-04': 'Y' })), []);
  });

  test('a new snapshot changes the days that now find it first', () => {
    assert.deepEqual(changed(before, contents(MART, SALES, { ...STOCK, '2025-01-01': 'w' })), ['2025-01-01']);
    assert.deepEqual(changed(before, contents(MART, SALES, { ...STOCK, '2025-01-06': 'z' })), ['2025-01-05']);
  });

  test('an edited query, column or reading changes every day', () => {
    const everyDay = Object.keys(before);
    assert.deepEqual(changed(before, contents({ ...MART, sql: `${MART.sql} ` }, SALES, STOCK)), everyDay);
    assert.deepEqual(
      changed(
        before,
        contents({ ...MART, columns: [{ name: 'day', type: 'timestamp', description: '' }] }, SALES, STOCK),
      ),
      everyDay,
    );
    assert.deepEqual(
      changed(before, contents({ ...MART, reads: { 'enriched.int_stock': 'all' } }, SALES, STOCK)),
      everyDay,
    );
    assert.deepEqual(changed(before, contents({ ...MART, description: 'said better' }, SALES, STOCK)), []);
  });

  test('an input that is read whole changes every day', () => {
    const all = { ...MART, reads: { 'enriched.int_stock': 'all' as const } };
    assert.deepEqual(
      changed(contents(all, SALES, STOCK), contents(all, SALES, { ...STOCK, '2025-01-09': 'z' })),
      Object.keys(SALES),
    );
    const latest = { ...MART, reads: { 'enriched.int_stock': 'latest_snapshot' as const } };
    const old = contents(latest, SALES, STOCK);
    assert.deepEqual(changed(old, contents(latest, SALES, { ...STOCK, '2025-01-02': 'X' })), []);
    assert.deepEqual(changed(old, contents(latest, SALES, { ...STOCK, '2025-01-04': 'Y' })), Object.keys(SALES));
  });

  test('the order in which partitions are listed does not matter', () => {
    const value = fc.constantFrom('p', 'q', 'r');
    const day = fc.integer({ min: 1, max: 9 }).map((number) => `2025-01-0${number}`);
    fc.assert(
      fc.property(fc.dictionary(day, value), fc.dictionary(day, value), (sales, stock) => {
        const reversed = (each: Record<string, string>) => Object.fromEntries(Object.entries(each).reverse());
        const one = expectedContents(MART, [
          input('int_sales', 'order_dt', sales),
          input('int_stock', 'ingest_dt', stock),
        ]);
        const other = expectedContents(MART, [
          input('int_sales', 'order_dt', reversed(sales)),
          input('int_stock', 'ingest_dt', reversed(stock)),
        ]);
        assert.deepEqual(one, other);
      }),
    );
  });
});

describe('how a mart reads an input that it says nothing of', () => {
  const silver = { layer: 'silver', table: 'orders', partitionKey: 'ingestion_dt' };

  test('day by day where the query binds the partition column to the window', () => {
    assert.equal(readsOf(MART, { layer: 'enriched', table: 'int_sales', partitionKey: 'order_dt' }), 'same_day');
  });

  test('whole where it binds another column: rows of a day may lie in any partition', () => {
    const mart = martOf({
      ...MART,
      sqlLocation: { file: 'specs/shop/marts/mart.sql', line: 5, column: 1 },
      reads: {},
      sql: 'SELECT order_dt AS day, ingestion_dt FROM silver.orders WHERE order_dt >= @window_start AND order_dt < @window_end',
    });
    assert.equal(readsOf(mart, silver), 'all');
    const expected = expectedContents(mart, [{ ...silver, loaded: new Map([['2025-01-01', 'a']]) }]);
    assert.equal(expected.kind, 'whole');
  });

  test('whole where the mart is not partitioned', () => {
    assert.equal(
      readsOf({ ...MART, partitionKey: null }, { layer: 'enriched', table: 'int_sales', partitionKey: 'order_dt' }),
      'all',
    );
  });
});
