/** Collecting garbage in a folder, and a reader in another process while a thousand versions are published. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openLocalStore } from '../../storage/local/store.ts';
import { collectionLaws } from '../contract/collection-laws.ts';
import { openLake, stampedRequest } from '../contract/published-lake.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const withLocalStore = (work: (store: ReturnType<typeof openLocalStore>) => Promise<void>): Promise<void> =>
  withTempFolder((root) => work(openLocalStore({ root })));

collectionLaws('a folder', withLocalStore, { orders: 5, isSlow: true });

describe('a reader in another process', () => {
  test('sees whole versions only during 1,000 publishes', () =>
    withTempFolder(async (root) => {
      const publishes = 1_000;
      const script = fileURLToPath(new URL('../contract/reader-process.js', import.meta.url));
      const reader = fork(script, [root, String(publishes)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      const told: unknown[] = [];
      reader.on('message', (message) => told.push(message));
      const exited = once(reader, 'exit');
      await once(reader, 'message');
      const store = openLocalStore({ root });
      for (let index = 0; index < publishes; index += 1) {
        await openLake(store).publish(await stampedRequest(store, index));
      }
      assert.deepEqual(await exited, [0, null]);
      const seen = told[1] as number[];
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        seen,
      );
      assert.ok(new Set(seen).size > 50, 'the reader hardly met the publisher');
    }));
});
