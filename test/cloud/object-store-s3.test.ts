/** The store for S3 under the contract of all stores, against moto. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { openS3Store } from '../../storage/s3/store.ts';
import { objectStoreContract } from '../contract/object-store-contract.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { startMoto } from './cloud-servers.ts';

const server = await startMoto();

if ('skip' in server) describe(`object store s3 on ${server.title}`, { skip: server.skip }, () => {});
else {
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  const client = new S3Client({ region: 'us-east-1', endpoint: server.url, forcePathStyle: true });
  after(async () => {
    client.destroy();
    await server.close();
  });
  objectStoreContract(
    `s3 on ${server.title}`,
    (work) =>
      withTempFolder(async (folder) => {
        const bucket = `contract-${randomUUID()}`;
        await client.send(new CreateBucketCommand({ Bucket: bucket }));
        await work(
          openS3Store({
            bucket,
            prefix: 'lake/shop/',
            cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
            endpoint: server.url,
            region: 'us-east-1',
            forcePathStyle: true,
          }),
        );
      }),
    {
      skip: {
        'copies over a generation only while it is the current one': `${server.title} ignores If-Match on CompleteMultipartUpload`,
        'replaces a generation by a file of many chunks only while it is the current one': `${server.title} ignores If-Match on CompleteMultipartUpload`,
      },
      manyKeys: 1_101,
      uriOf: (key, store) => `${store.displayName}${key}`,
    },
  );
}
