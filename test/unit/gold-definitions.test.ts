/** What a warehouse is told of a table: columns as published, and what the spec says of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PublishedTable } from '../../core/types.ts';
import { martDefinition } from '../../transforms/gold/build-gold.ts';
import { tableDefinition } from '../../transforms/gold/published-tables.ts';
import { martOf } from '../fixtures-support/gold-lake.ts';
import { SHOP, specOf } from '../fixtures-support/spec-folder.ts';

const TAG = 'projects/p/locations/eu/taxonomies/1/policyTags/2';

const published: PublishedTable = {
  columns: [
    { name: 'order_id', type: 'string' },
    { name: 'total', type: 'decimal(18,2)' },
    { name: 'bronze_partition', type: 'string' },
  ],
  primaryKey: ['order_id'],
  partitionKey: 'day',
  partitions: {},
  inputs: {},
  quarantine: {},
  logicFingerprint: '',
  state: {},
};

const spec = specOf({
  'shop.yml': SHOP.replace(
    '    - name: orders\n',
    '    - name: orders\n      description: All orders.\n      warehouse: {cluster_by: [customer_id], labels: {team: shop}}\n',
  ).replace('{name: total,', `{name: total, description: with tax, policy_tags: ["${TAG}"],`),
  'enriched.yml': `enriched_silver:
  transforms:
    - name: mine
      file: ./mine.ts
      description: Our own.
      depends_on: [orders]
      partition_key: day
      primary_key: [order_id]
      columns: [{name: TOTAL, description: summed}, {name: not_made, description: nobody sees it}]
`,
  'mine.ts': '',
});

describe('the definition of a table', () => {
  test('of silver has the descriptions and policy tags of its columns, clustering and options', async () => {
    const def = tableDefinition(await spec, { layer: 'silver', name: 'orders', published, sequence: 1 });
    assert.deepEqual(def, {
      dataset: 'silver',
      table: 'orders',
      columns: [
        { name: 'order_id', type: 'string' },
        { name: 'total', type: 'decimal(18,2)', description: 'with tax', policyTags: [TAG] },
        { name: 'bronze_partition', type: 'string' },
      ],
      partitionKey: 'day',
      clusterBy: ['customer_id'],
      description: 'All orders.',
      options: { labels: { team: 'shop' }, requirePartitionFilter: false, partitionExpirationDays: null },
    });
  });

  test('of an enriched table has what the spec notes of columns that the code makes', async () => {
    const def = tableDefinition(await spec, { layer: 'enriched', name: 'mine', published, sequence: 1 });
    assert.equal(def.description, 'Our own.');
    assert.deepEqual(
      def.columns.map(({ name, description }) => [name, description]),
      [
        ['order_id', undefined],
        ['total', 'summed'],
        ['bronze_partition', undefined],
      ],
    );
    assert.equal('options' in def, false);
  });

  test('of a dim has what its silver table says, and of a table that the spec has no more nothing', async () => {
    const dim = tableDefinition(await spec, { layer: 'dims', name: 'orders', published, sequence: 1 });
    assert.deepEqual([dim.description, dim.columns[1]?.policyTags, dim.clusterBy], ['All orders.', [TAG], []]);
    const gone = tableDefinition(await spec, { layer: 'enriched', name: 'gone', published, sequence: 1 });
    assert.deepEqual([gone.description, gone.columns, gone.clusterBy], ['', published.columns, []]);
  });

  test('of a mart has its options, and none where it says none', () => {
    const mart = martOf({ name: 'm', grain: [], partitionKey: 'day', columns: [], sql: '', inputs: [] });
    assert.equal('options' in martDefinition(mart), false);
    const options = { labels: { domain: 'sales' }, requirePartitionFilter: true, partitionExpirationDays: 400 };
    assert.deepEqual(martDefinition({ ...mart, warehouse: options, clusterBy: ['a'] }), {
      dataset: 'gold',
      table: 'm',
      columns: [],
      partitionKey: 'day',
      clusterBy: ['a'],
      description: '',
      options,
    });
  });
});
