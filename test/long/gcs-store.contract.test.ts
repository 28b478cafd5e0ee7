/** The store for Cloud Storage under the contract of all stores, against the sandbox, also while requests fail. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { objectStoreContract } from '../contract/object-store-contract.ts';
import { withSandboxStore } from '../contract/sandbox-store.ts';

objectStoreContract('gcs on the sandbox', (work) => withSandboxStore({}, ({ store }) => work(store)), {
  uriOf: (key, store) => `${store.displayName}${key}`,
});

/** What may happen to any request; a 412 or 404 of these would be a lie of the server, not a fault. */
const STORMS: { readonly [name: string]: readonly string[] } = {
  'one in ten answers 503 and one in twelve replies is lost': ['storage:503:0.1', 'storage:lost-reply:0.08'],
  'all that can happen does': [
    'storage:500:0.02',
    'storage:reset:0.04',
    'storage:lost-reply:0.03',
    'storage:cut-upload@1000000:0.3',
    'storage:wrong-checksum:0.2',
  ],
};

for (const [storm, faults] of Object.entries(STORMS)) {
  let total = 0;
  objectStoreContract(
    `gcs while ${storm}`,
    (work) =>
      withSandboxStore({ faults }, async ({ store, struck }) => {
        await work(store);
        total += struck.length;
      }),
    { manyKeys: 1_101 },
  );
  test(`the contract met faults while ${storm}`, () => assert.ok(total > 20, `only ${total} faults struck`));
}

const text = (body: string): Uint8Array => Buffer.from(body);

const withCode = (code: string) => (thrown: unknown) => thrown instanceof PipelineError && thrown.code === code;

async function readText(store: Parameters<Parameters<typeof withSandboxStore>[1]>[0]['store'], key: string) {
  return Buffer.from((await store.read(key))?.body ?? []).toString();
}

describe('a pointer in Cloud Storage', () => {
  test('stays where the answer to its write names a wrong checksum', () =>
    withSandboxStore({ faults: ['storage:wrong-checksum:1'] }, async ({ store, struck }) => {
      const first = await store.write('_latest.json', text('{"sequence":1}'), 'absent');
      const second = await store.write('_latest.json', text('{"sequence":2}'), { generation: first.generation });
      assert.equal(struck.length, 2);
      assert.equal(await readText(store, '_latest.json'), '{"sequence":2}');
      assert.equal((await store.stat('_latest.json'))?.generation, second.generation);
      assert.equal(second.crc32c, crc32cOf(text('{"sequence":2}')));
    }));

  test('is written once where the reply is lost, and its writer knows that it won', () =>
    withSandboxStore({ faults: ['storage/objects.insert:lost-reply:#1'] }, async ({ store, struck }) => {
      const info = await store.write('_latest.json', text('mine'), 'absent');
      assert.deepEqual(struck, ['objects.insert lost_reply']);
      assert.equal((await store.read('_latest.json'))?.generation, info.generation);
      await assert.rejects(store.write('_latest.json', text('mine'), 'absent'), withCode('precondition_failed'));
    }));

  test("is told from another writer's of equal body where a reply is lost", () =>
    withSandboxStore({ faults: ['storage/objects.insert:lost-reply:0.5'], seed: 3 }, async ({ store, struck }) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, () => store.write('_latest.json', text('equal'), 'absent')),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      assert.ok(struck.length > 0);
    }));

  test('is compared and set by racing writers, one winner a round, while replies are lost', () =>
    withSandboxStore({ faults: ['storage:lost-reply:0.15', 'storage:503:0.1'] }, async ({ store, struck }) => {
      let { generation } = await store.write('_latest.json', text('0'), 'absent');
      for (let round = 1; round <= 10; round += 1) {
        const outcomes = await Promise.allSettled(
          ['a', 'b', 'c'].map((writer) => store.write('_latest.json', text(`${writer}${round}`), { generation })),
        );
        const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? ['abc'[index]] : []));
        assert.equal(winners.length, 1);
        assert.equal(await readText(store, '_latest.json'), `${winners[0]}${round}`);
        generation = (await store.stat('_latest.json'))?.generation ?? '';
      }
      assert.ok(struck.length > 5);
    }));

  test('is deleted once where the reply is lost, and only then', () =>
    withSandboxStore({ faults: ['storage/objects.delete:lost-reply:#1'] }, async ({ store, struck }) => {
      const { generation } = await store.write('k', text('1'));
      assert.equal(await store.delete('k', { generation }), true);
      assert.equal(await store.delete('k'), false);
      assert.deepEqual(struck, ['objects.delete lost_reply']);
    }));
});

describe('a large file on its way to Cloud Storage', () => {
  const CUTS: { readonly [name: string]: readonly string[] } = {
    'a chunk is cut off': ['storage/objects.insert.chunk:cut-upload@5000000:#2'],
    'a chunk is refused with 503': ['storage/objects.insert.chunk:503:#2'],
    'the reply to a chunk is lost': ['storage/objects.insert.chunk:lost-reply:#1'],
    'the reply to the last chunk is lost': ['storage/objects.insert.chunk:lost-reply:#3'],
    'its beginning is lost': ['storage/objects.insert.start:lost-reply:#1'],
    'the question how far it came fails too': [
      'storage/objects.insert.chunk:reset:#2',
      'storage/objects.insert.status:503:#1',
    ],
  };
  for (const [what, faults] of Object.entries(CUTS)) {
    test(`arrives whole where ${what}`, () =>
      withSandboxStore({ faults }, async ({ store, struck, folder }) => {
        const body = Buffer.alloc(20_000_000, 'a line of text, again and again\n');
        const local = join(folder, 'big');
        await writeFile(local, body);
        const info = await store.writeFile('t/big', local, 'absent');
        assert.equal(info.sizeBytes, body.byteLength);
        assert.equal((await store.stat('t/big'))?.crc32c, crc32cOf(body));
        assert.equal(struck.length, faults.length);
      }));
  }

  test('stays away whole where the server does not come back', () =>
    withSandboxStore({ faults: ['storage/objects.insert.chunk:503:1'], patienceMs: 300 }, async ({ store, folder }) => {
      const local = join(folder, 'big');
      await writeFile(local, Buffer.alloc(9_000_000, 'x'));
      await assert.rejects(store.writeFile('t/big', local, 'absent'), withCode('storage_unavailable'));
      assert.equal(await store.stat('t/big'), null);
    }));
});

describe('a copy in Cloud Storage', () => {
  test('is finished over several calls, also where replies are lost', () =>
    withSandboxStore(
      { maxBytesRewrittenPerCall: 1024 * 1024, faults: ['storage/objects.rewrite:lost-reply:0.3'] },
      async ({ store, folder, struck }) => {
        const body = Buffer.alloc(9_000_000, 'rows and rows\n');
        await writeFile(join(folder, 'big'), body);
        await store.writeFile('a', join(folder, 'big'));
        const copied = await store.copy('a', 'b', 'absent');
        assert.equal(copied.crc32c, crc32cOf(body));
        assert.equal(copied.sizeBytes, body.byteLength);
        assert.ok(struck.length > 0);
      },
    ));

  test('is not made again where the reply to its last call is lost', () =>
    withSandboxStore(
      {
        maxBytesRewrittenPerCall: 1024 * 1024,
        faults: ['storage/objects.rewrite:lost-reply:#9', 'storage/objects.rewrite:503:#10'],
      },
      async ({ store, folder, struck }) => {
        await writeFile(join(folder, 'big'), Buffer.alloc(9_000_000, 'rows and rows\n'));
        await store.writeFile('a', join(folder, 'big'));
        const copied = await store.copy('a', 'b');
        assert.equal((await store.stat('b'))?.generation, copied.generation);
        assert.deepEqual(struck, ['objects.rewrite lost_reply'], 'nine calls are the whole copy');
      },
    ));
});

describe('Cloud Storage in trouble', () => {
  test('ends a request after a bounded time, as something that may work later', () =>
    withSandboxStore({ faults: ['storage:503:1'], patienceMs: 300 }, async ({ store }) => {
      for (const request of [
        () => store.read('k'),
        () => store.stat('k'),
        () => store.write('k', text('1')),
        () => store.write('k', text('1'), 'absent'),
        () => store.delete('k'),
        () => store.localPath('k'),
        () => store.list('')[Symbol.asyncIterator]().next(),
        () => store.stream('k')[Symbol.asyncIterator]().next(),
      ]) {
        await assert.rejects(request, (thrown) => {
          assert.ok(thrown instanceof PipelineError);
          assert.equal(thrown.code, 'storage_unavailable');
          assert.ok(thrown.retryable);
          return true;
        });
      }
    }));

  test('is final where it is a matter of permission, which the message names', () =>
    withSandboxStore({ faults: ['storage:403:1'] }, async ({ store }) => {
      const expected: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
        [() => store.read('k'), /storage\.objects\.get/],
        [() => store.write('k', text('1'), 'absent'), /storage\.objects\.create/],
        [() => store.list('')[Symbol.asyncIterator]().next(), /storage\.objects\.list/],
      ];
      for (const [request, permission] of expected) {
        await assert.rejects(request, (thrown) => {
          assert.ok(withCode('storage_denied')(thrown), String(thrown));
          assert.match((thrown as Error).message, permission);
          return true;
        });
      }
    }));

  test('is not an empty bucket where the bucket does not exist', () =>
    withSandboxStore({}, async ({ url, folder }) => {
      const cache = { folder: join(folder, 'cache'), maxBytes: 1e6 };
      const absent = { bucket: 'no-such-bucket', prefix: '', cache, projectId: null, keyFile: null, endpoint: url };
      const store = openGcsStore(absent);
      for (const request of [
        () => store.read('k'),
        () => store.stat('k'),
        () => store.write('k', text('1'), 'absent'),
        () => store.delete('k'),
        () => store.list('')[Symbol.asyncIterator]().next(),
      ]) {
        await assert.rejects(request, (thrown) => {
          assert.ok(withCode('storage_denied')(thrown), String(thrown));
          assert.match((thrown as Error).message, /no bucket gs:\/\/no-such-bucket/);
          return true;
        });
      }
    }));
});
