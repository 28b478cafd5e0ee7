/** The store for Cloud Storage under the contract of all stores, in a user's own bucket. */
import { join } from 'node:path';
import { describe } from 'node:test';
import { lakeStore, removeObjects } from '../cloud/bigquery-place.ts';
import { objectStoreContract } from '../contract/object-store-contract.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { realAccount } from './account.ts';

const account = realAccount(process.env);

if ('skip' in account) describe('object store gcs, for real', { skip: account.skip }, () => {});
else {
  let number = 0;
  objectStoreContract(
    `gcs on gs://${account.bucket}`,
    (work) =>
      withTempFolder(async (folder) => {
        number += 1;
        const store = lakeStore(account, `${account.prefix}store-${number}/`, join(folder, 'cache'));
        try {
          await work(store);
        } finally {
          await removeObjects(store);
        }
      }),
    { manyKeys: 1_001, uriOf: (key, store) => `${store.displayName}${key}` },
  );
}
