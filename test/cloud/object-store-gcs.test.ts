/** The store for Cloud Storage under the contract of all stores, against fake-gcs-server. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { objectStoreContract } from '../contract/object-store-contract.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { startFakeGcsServer } from './cloud-servers.ts';

const server = await startFakeGcsServer(null);

if ('skip' in server) describe(`object store gcs on ${server.title}`, { skip: server.skip }, () => {});
else {
  after(() => server.close());
  const ignores = `${server.title} ignores preconditions on rewrite`;
  objectStoreContract(
    `gcs on ${server.title}`,
    (work) =>
      withTempFolder(async (folder) => {
        const bucket = `contract-${randomUUID()}`;
        await createBucket(server.url, bucket);
        await work(
          openGcsStore({
            bucket,
            prefix: 'lake/shop/',
            cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
            projectId: 'test-project',
            keyFile: null,
            endpoint: server.url,
          }),
        );
      }),
    {
      skip: {
        'copies to a key that must be absent once only': ignores,
        'copies over a generation only while it is the current one': ignores,
      },
      uriOf: (key, store) => `${store.displayName}${key}`,
    },
  );
}

async function createBucket(url: string, name: string): Promise<void> {
  const answer = await fetch(`${url}/storage/v1/b?project=test-project`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  if (!answer.ok) throw new Error(`bucket ${name}: ${answer.status} ${await answer.text()}`);
}
