/** The store for S3 while requests fail, against moto behind a proxy that makes them fail. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { openS3Store, type S3StoreOptions } from '../../storage/s3/store.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { startMoto } from './cloud-servers.ts';
import { type FaultPlan, startFaultProxy } from './fault-proxy.ts';

const MIB = 1024 * 1024;
const text = (body: string): Uint8Array => Buffer.from(body);
const withCode = (code: string) => (thrown: unknown) => thrown instanceof PipelineError && thrown.code === code;

interface Made {
  readonly store: ObjectStore;
  readonly folder: string;
  readonly struck: readonly string[];
  plan(faults: FaultPlan): void;
  /** Uploads that were begun and neither finished nor aborted. */
  unfinished(): Promise<number>;
}

const server = await startMoto();

if ('skip' in server) describe(`object store s3 in trouble on ${server.title}`, { skip: server.skip }, () => {});
else {
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  const client = new S3Client({ region: 'us-east-1', endpoint: server.url, forcePathStyle: true });
  after(async () => {
    client.destroy();
    await server.close();
  });

  const withStore = (options: Partial<S3StoreOptions>, work: (made: Made) => Promise<void>): Promise<void> =>
    withTempFolder(async (folder) => {
      const bucket = `faults-${randomUUID()}`;
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      const proxy = await startFaultProxy(server.url);
      try {
        await work({
          store: openS3Store({
            bucket,
            prefix: 'lake/',
            cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
            endpoint: proxy.url,
            region: 'us-east-1',
            forcePathStyle: true,
            ...options,
          }),
          folder,
          struck: proxy.struck,
          plan: (faults) => {
            proxy.plan = faults;
          },
          unfinished: async () =>
            (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0,
        });
      } finally {
        await proxy.close();
      }
    });

  /** The first write under a condition is preceded by requests that are not what these tests count. */
  const proveConditions = (store: ObjectStore): Promise<unknown> => store.write('first', text(''), 'absent');

  describe(`object store s3 in trouble on ${server.title}`, () => {
    test('a write whose reply is lost is made once, and its writer knows that it won', () =>
      withStore({}, async ({ store, plan, struck }) => {
        await proveConditions(store);
        plan((line, count) => (line.startsWith('PUT') && count === 0 ? 'lost_reply' : null));
        const info = await store.write('_latest.json', text('mine'), 'absent');
        assert.equal(struck.length, 1);
        assert.equal((await store.read('_latest.json'))?.generation, info.generation);
        await assert.rejects(store.write('_latest.json', text('mine'), 'absent'), withCode('precondition_failed'));
      }));

    test('one of many writers of equal bodies wins, though replies are lost', () =>
      withStore({}, async ({ store, plan, struck }) => {
        await proveConditions(store);
        plan((line, count) => (line.startsWith('PUT') && count % 2 === 0 ? 'lost_reply' : null));
        const tries = Array.from({ length: 8 }, () => store.write('k', text('equal'), 'absent'));
        const outcomes = await Promise.allSettled(tries);
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
        assert.ok(struck.length >= 4);
      }));

    test('equal bodies have equal generations, which is why a pointer never repeats its body', () =>
      withStore({}, async ({ store }) => {
        const first = await store.write('k', text('A'));
        await store.write('k', text('B'));
        assert.equal((await store.write('k', text('A'))).generation, first.generation);
      }));

    const BREAKS: { readonly [what: string]: FaultPlan } = {
      'a part is refused': (line, count) =>
        line.includes('partNumber') && count === 1 ? { status: 503, code: 'SlowDown' } : null,
      'a connection breaks': (line, count) => (line.includes('partNumber') && count === 2 ? 'reset' : null),
      'the reply to a part is lost': (line, count) =>
        line.includes('partNumber') && count === 0 ? 'lost_reply' : null,
      'the reply to the last request is lost': (line, count) =>
        line.startsWith('POST') && line.endsWith('?uploadId') && count === 0 ? 'lost_reply' : null,
      'the last request is refused': (line, count) =>
        line.startsWith('POST') && line.endsWith('?uploadId') && count === 0
          ? { status: 500, code: 'InternalError' }
          : null,
    };
    for (const [what, faults] of Object.entries(BREAKS)) {
      test(`a large file arrives whole where ${what}`, () =>
        withStore({}, async ({ store, plan, struck, folder, unfinished }) => {
          const body = Buffer.alloc(20_000_000, 'a line of text, again and again\n');
          await writeFile(join(folder, 'big'), body);
          plan(faults);
          const info = await store.writeFile('t/big', join(folder, 'big'), 'absent');
          assert.equal(info.sizeBytes, body.byteLength);
          assert.equal(info.crc32c, crc32cOf(body));
          assert.equal(struck.length, 1);
          let streamed = 0;
          for await (const chunk of store.stream('t/big')) streamed += chunk.byteLength;
          assert.equal(streamed, body.byteLength);
          assert.equal(await unfinished(), 0);
        }));
    }

    test('a large file that cannot be sent leaves nothing that costs space', () =>
      withStore({ patienceMs: 300 }, async ({ store, plan, folder, unfinished }) => {
        await writeFile(join(folder, 'big'), Buffer.alloc(9_000_000, 'x'));
        plan((line) => (line.includes('partNumber') ? { status: 503, code: 'SlowDown' } : null));
        await assert.rejects(store.writeFile('t/big', join(folder, 'big'), 'absent'), withCode('storage_unavailable'));
        assert.equal(await store.stat('t/big'), null);
        assert.equal(await unfinished(), 0);
      }));

    test('a large object is copied in parts', () =>
      withStore({ sizes: { partBytes: 5 * MIB, copyBytes: 6 * MIB } }, async ({ store, folder, unfinished }) => {
        const body = Buffer.alloc(13 * MIB, 'rows and rows\n');
        await writeFile(join(folder, 'big'), body);
        await store.writeFile('a b', join(folder, 'big'));
        const copied = await store.copy('a b', 'c', 'absent');
        assert.equal(copied.sizeBytes, body.byteLength);
        assert.equal(copied.crc32c, crc32cOf(body));
        const chunks: Uint8Array[] = [];
        for await (const chunk of store.stream('c')) chunks.push(chunk);
        assert.ok(body.equals(Buffer.concat(chunks)));
        assert.equal(await unfinished(), 0);
      }));

    test('a request without permission is final and names what is missing', () =>
      withStore({}, async ({ store, plan }) => {
        plan(() => ({ status: 403, code: 'AccessDenied' }));
        await assert.rejects(store.write('k', text('1'), 'absent'), (thrown) => {
          assert.ok(withCode('storage_denied')(thrown), String(thrown));
          assert.match((thrown as Error).message, /s3:PutObject/);
          return true;
        });
        await assert.rejects(store.read('k'), /s3:GetObject/);
      }));

    test('a missing bucket is no empty one', () =>
      withStore({ bucket: 'no-such-bucket' }, async ({ store }) => {
        for (const request of [
          () => store.read('k'),
          () => store.stat('k'),
          () => store.write('k', text('1'), 'absent'),
          () => store.delete('k'),
          () => store.list('')[Symbol.asyncIterator]().next(),
        ]) {
          await assert.rejects(request, (thrown) => {
            assert.ok(withCode('storage_denied')(thrown), String(thrown));
            assert.match((thrown as Error).message, /no bucket s3:\/\/no-such-bucket/);
            return true;
          });
        }
      }));

    test('trouble without end is storage_unavailable after a bounded time', () =>
      withStore({ patienceMs: 300 }, async ({ store, plan }) => {
        plan((_, count) => (count % 2 === 0 ? 'reset' : { status: 503, code: 'ServiceUnavailable' }));
        await assert.rejects(store.read('k'), withCode('storage_unavailable'));
        await assert.rejects(store.write('k', text('1')), withCode('storage_unavailable'));
        await assert.rejects(store.delete('k'), withCode('storage_unavailable'));
      }));
  });
}
