/** Which enriched tables and marts a failing table reaches, and how its orphans are spread over partitions. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { downstreamOf } from '../../validation/downstream.ts';
import { partitionSpread } from '../../validation/partition-spread.ts';
import { dimSpec, martSpec, ordersSpec, pipelineSpec, transformSpec } from './validation-lake.ts';

describe('what is made of a table', () => {
  const spec = pipelineSpec({
    tables: ['orders', 'returns', 'customers', 'unread'].map((name) => ordersSpec({ name })),
    dims: [dimSpec('customers')],
    transforms: [
      // Stands before what it reads.
      transformSpec('int_summary', { dependsOn: ['int_refunds'] }),
      transformSpec('int_refunds', { dependsOn: ['returns', 'orders'] }),
      transformSpec('int_people', { dependsOn: ['customers'] }),
    ],
    marts: [
      martSpec('fct_b', { inputs: [{ layer: 'enriched', table: 'int_summary' }] }),
      martSpec('fct_a', { inputs: [{ layer: 'dims', table: 'customers' }] }),
      martSpec('fct_c', { inputs: [{ layer: 'silver', table: 'customers' }] }),
    ],
  });

  test('is found over any number of steps, in spec order', () => {
    const refunds = ['enriched.int_summary', 'enriched.int_refunds', 'gold.fct_b'];
    assert.deepEqual(
      downstreamOf(spec, 'silver', ['returns']).map(({ asset }) => asset),
      refunds,
    );
    assert.deepEqual(
      downstreamOf(spec, 'bronze', ['orders']).map(({ asset }) => asset),
      refunds,
    );
    assert.deepEqual(downstreamOf(spec, 'enriched', ['int_refunds']), [
      { asset: 'enriched.int_summary', of: ['int_refunds'] },
      { asset: 'gold.fct_b', of: ['int_refunds'] },
    ]);
    assert.deepEqual(downstreamOf(spec, 'silver', ['unread', '*']), []);
    assert.deepEqual(downstreamOf(spec, 'gold', ['fct_a']), []);
  });

  test('goes through the dim of that name, and from a dim not back to silver', () => {
    assert.deepEqual(
      downstreamOf(spec, 'silver', ['customers']).map(({ asset }) => asset),
      ['enriched.int_people', 'gold.fct_a', 'gold.fct_c'],
    );
    assert.deepEqual(
      downstreamOf(spec, 'dims', ['customers']).map(({ asset }) => asset),
      ['enriched.int_people', 'gold.fct_a'],
    );
  });

  test('says of each which of the failing tables it is made of', () => {
    assert.deepEqual(downstreamOf(spec, 'silver', ['customers', 'orders', 'returns']), [
      { asset: 'enriched.int_summary', of: ['orders', 'returns'] },
      { asset: 'enriched.int_refunds', of: ['orders', 'returns'] },
      { asset: 'enriched.int_people', of: ['customers'] },
      { asset: 'gold.fct_b', of: ['orders', 'returns'] },
      { asset: 'gold.fct_a', of: ['customers'] },
      { asset: 'gold.fct_c', of: ['customers'] },
    ]);
  });
});

describe('a spread over partitions', () => {
  const head = { key: 'ingest_dt', of: 'rows' };

  test('has every day from first to last, also those without a row', () => {
    const counts = [
      { value: '2025-10-04', failed: 0, rows: 3 },
      { value: '2025-10-01', failed: 2, rows: 2 },
    ];
    assert.deepEqual(partitionSpread(head, counts), [
      {
        ...head,
        partitions: [
          { value: '2025-10-01', failed: 2, rows: 2 },
          { value: '2025-10-02', failed: 0, rows: 0 },
          { value: '2025-10-03', failed: 0, rows: 0 },
          { value: '2025-10-04', failed: 0, rows: 3 },
        ],
        others: null,
      },
    ]);
  });

  test('is of the fourteen worst partitions where there are more, in the order of their values', () => {
    const counts = Array.from({ length: 20 }, (_, index) => ({
      value: `2025-10-${String(index + 1).padStart(2, '0')}`,
      failed: index < 6 ? 1 : index,
      rows: 100,
    }));
    const [spread] = partitionSpread(head, counts);
    assert.deepEqual(
      spread?.partitions.map(({ value }) => value),
      counts.slice(6).map(({ value }) => value),
    );
    assert.deepEqual(spread?.others, { partitions: 6, failed: 6, rows: 600 });
  });

  test('of values that are no days has no gaps to fill', () => {
    const counts = ['Toys', 'Books'].map((value) => ({ value, failed: 1, rows: 2 }));
    assert.deepEqual(
      partitionSpread(head, counts)[0]?.partitions.map(({ value }) => value),
      ['Books', 'Toys'],
    );
  });

  test('is nothing where no row offends, or where all rows are in one partition', () => {
    const sound = ['a', 'b'].map((value) => ({ value, failed: 0, rows: 9 }));
    assert.deepEqual(partitionSpread(head, sound), []);
    assert.deepEqual(partitionSpread(head, [{ value: 'a', failed: 4, rows: 9 }]), []);
  });
});
