/** The BigQuery adapter under the contract of all warehouses, against bqemulator, which can do little of it. */
import { strict as assert } from 'node:assert';
import { after, beforeEach, describe, test } from 'node:test';
import { type WarehouseAdapter, warehouseContract } from '../contract/warehouse-contract.ts';
import { withBigQueryPlace } from './bigquery-place.ts';
import { startEmulatedAccount } from './bigquery-servers.ts';
import { failureText, type KnownGap } from './known-gap.ts';

const account = await startEmulatedAccount();

/** Where a test of the contract may end here. `bqemulator.test.ts` has a probe of each, which fails once it is closed. */
const GAPS: readonly KnownGap[] = [
  {
    reason: 'forgets precision and scale, so that the adapter takes a decimal column for another',
    shows: /BigQuery has numeric, the spec says decimal\(18,2\)/,
  },
  { reason: 'refuses partition decorators as table names', shows: /Invalid table id/ },
  { reason: 'ignores the destination of a query in silence', shows: /Not found: Table .*build__/ },
];

/** What holds on it all the same. */
const HOLDS: readonly string[] = ['a table that was never loaded is absent, an empty one is not'];

if ('skip' in account) describe(`bigquery on ${account.title}`, { skip: account.skip }, () => {});
else {
  after(() => account.close());
  const held = new Set<string>();
  let running: { readonly name: string; skip(message: string): void } | null = null;
  let number = 0;
  // Tests of the contract run one after another.
  beforeEach((context) => {
    running = 'skip' in context ? context : null;
  });

  const adapter: WarehouseAdapter = {
    name: `bigquery on ${account.title}`,
    startOver: /drop the table/,
    with: async (work) => {
      number += 1;
      const name = `c${number}`;
      try {
        await withBigQueryPlace(account, { name, prefix: `${name}/` }, work);
        if (running !== null) held.add(running.name);
      } catch (thrown) {
        const gap = GAPS.find(({ shows }) => shows.test(failureText(thrown)));
        if (gap === undefined || running === null) throw thrown;
        running.skip(`${account.bigQueryTitle} ${gap.reason}`);
      }
    },
  };
  warehouseContract(adapter);

  describe(`bigquery on ${account.title}: of the contract`, () => {
    test('there holds what is known to hold, and nothing more', () => assert.deepEqual([...held], HOLDS));
  });
}
