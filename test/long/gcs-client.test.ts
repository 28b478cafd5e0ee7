/** The unmodified Google client against the sandbox, told nothing but its address. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Bucket, Storage } from '@google-cloud/storage';
import { type SandboxTest, type SandboxTestOptions, withSandbox } from './gcs-server.ts';

const QUANTUM = 256 * 1024;

async function withClient(
  work: (bucket: Bucket, box: SandboxTest) => Promise<void>,
  options: SandboxTestOptions = {},
): Promise<void> {
  await withSandbox(async (box) => {
    const storage = new Storage({ apiEndpoint: box.url(), projectId: 'p' });
    await work(storage.bucket('lake'), box);
  }, options);
}

/** The start of a resumable upload is refused with a `status`, everything else with a `code`. */
interface ClientError {
  readonly code?: unknown;
  readonly status?: number;
  readonly errors?: readonly { readonly reason?: string }[];
}

/** Code and reason of a client's error. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (thrown) {
    const { code, status, errors } = thrown as ClientError;
    return `${code ?? status} ${errors?.[0]?.reason ?? ''}`.trim();
  }
}

const contentOf = async (bucket: Bucket, name: string): Promise<Buffer> => (await bucket.file(name).download())[0];

describe('the Google client', () => {
  test('writes and reads whole, by each kind of upload, with its checksums on', async () => {
    await withClient(async (bucket, box) => {
      const sizes = [0, QUANTUM, 5 * QUANTUM + 7];
      const kinds = {
        multipart: { resumable: false },
        single: { resumable: true },
        chunks: { resumable: true, chunkSize: 2 * QUANTUM },
      };
      for (const size of sizes) {
        const content = randomBytes(size);
        const local = join(box.folder, 'local');
        writeFileSync(local, content);
        for (const [kind, options] of Object.entries(kinds)) {
          for (const validation of ['md5', 'crc32c', false] as const) {
            await bucket.file(kind).save(content, { ...options, validation });
            assert.ok((await contentOf(bucket, kind)).equals(content), `${kind} ${size} ${validation}`);
          }
          await bucket.upload(local, { ...options, destination: kind });
          assert.ok((await contentOf(bucket, kind)).equals(content), `${kind} ${size} from a file`);
        }
      }
    });
  });

  test('sees each precondition hold or fail', async () => {
    await withClient(async (bucket) => {
      for (const options of [{ resumable: false }, { resumable: true }, { resumable: true, chunkSize: QUANTUM }]) {
        const file = bucket.file('pointer');
        const save = async (body: string, ifGenerationMatch: number | string): Promise<string> =>
          refusalOf(file.save(body, { ...options, preconditionOpts: { ifGenerationMatch } }));
        await file.delete({ ignoreNotFound: true });
        assert.equal(await save('first', 0), 'ok');
        assert.match(await save('second', 0), /^412/);
        const [{ generation }] = await file.getMetadata();
        assert.equal(await save('third', generation as string), 'ok');
        assert.match(await save('fourth', generation as string), /^412/);
        assert.equal((await contentOf(bucket, 'pointer')).toString(), 'third');
      }
      const [{ generation }] = await bucket.file('pointer').getMetadata();
      assert.equal(await refusalOf(bucket.file('pointer').delete({ ifGenerationMatch: 1 })), '412 conditionNotMet');
      const copy = bucket.file('pointer').copy(bucket.file('pointer'), { preconditionOpts: { ifGenerationMatch: 0 } });
      assert.equal(await refusalOf(copy), '412 conditionNotMet');
      const combine = bucket.combine(['pointer', 'pointer'], 'pointer', { ifGenerationMatch: 0 });
      assert.equal(await refusalOf(combine), '412 conditionNotMet');
      assert.equal(await refusalOf(bucket.file('pointer').delete({ ifGenerationMatch: generation as string })), 'ok');
      assert.equal(await refusalOf(bucket.file('pointer').delete()), '404 notFound');
    });
  });

  test('of two that compare and swap one pointer, one wins, a hundred times over', async () => {
    await withClient(async (bucket) => {
      const file = bucket.file('pointer');
      await file.save('start', { resumable: false });
      for (let round = 0; round < 100; round += 1) {
        const [{ generation }] = await file.getMetadata();
        const preconditionOpts = { ifGenerationMatch: generation as string };
        // Two of the client's objects: each has its own state between its requests.
        const writers = ['a', 'b'].map((writer) =>
          refusalOf(bucket.file('pointer').save(`${writer}${round}`, { resumable: round % 2 === 0, preconditionOpts })),
        );
        const ends = await Promise.all(writers);
        assert.deepEqual(ends.map((end) => end.slice(0, 3)).sort(), ['412', 'ok']);
        const winner = ends.indexOf('ok') === 0 ? 'a' : 'b';
        assert.equal((await file.download())[0].toString(), `${winner}${round}`);
      }
    });
  });

  test('copies through the token loop of a big object', async () => {
    await withClient(
      async (bucket) => {
        const content = randomBytes(3 * 1024 * 1024);
        await bucket.file('from').save(content, { resumable: false });
        await bucket.file('from').copy(bucket.file('to'), { preconditionOpts: { ifGenerationMatch: 0 } });
        assert.ok((await contentOf(bucket, 'to')).equals(content));
        // The client leaves its condition out of the later calls; the first call's holds for them.
        const again = bucket.file('from').copy(bucket.file('to'), { preconditionOpts: { ifGenerationMatch: 0 } });
        assert.equal(await refusalOf(again), '412 conditionNotMet');
      },
      { maxBytesRewrittenPerCall: 1024 * 1024 },
    );
  });

  test('lists past a page, reads ranges, changes metadata, composes and unpacks gzip', async () => {
    await withClient(async (bucket) => {
      for (let at = 0; at < 1100; at += 50) {
        const names = Array.from({ length: 50 }, (_, i) => `n/${String(at + i).padStart(4, '0')}`);
        await Promise.all(names.map((name) => bucket.file(name).save('', { resumable: false })));
      }
      const [files] = await bucket.getFiles({ prefix: 'n/' });
      assert.deepEqual([files.length, files.at(-1)?.name], [1100, 'n/1099']);
      const odd = bucket.file('ä b+c%20?#.json');
      await odd.save('0123456789', { resumable: false, metadata: { metadata: { run: 'r1' } } });
      assert.equal((await odd.download({ start: 2, end: 4 }))[0].toString(), '234');
      assert.equal((await odd.download({ start: 7 }))[0].toString(), '789');
      const [changed] = await odd.setMetadata({ metadata: { run: 'r2' } });
      assert.deepEqual([changed.metageneration, changed.metadata], ['2', { run: 'r2' }]);
      const [composed] = await bucket.combine([odd, odd], 'twice');
      const [{ componentCount, md5Hash }] = await composed.getMetadata();
      assert.deepEqual([componentCount, md5Hash], [2, undefined]);
      assert.equal((await contentOf(bucket, 'twice')).toString(), '01234567890123456789');
      await bucket.file('g').save('word '.repeat(100), { gzip: true, resumable: false });
      assert.equal((await contentOf(bucket, 'g')).toString(), 'word '.repeat(100));
      assert.deepEqual(
        [await odd.exists(), await bucket.file('none').exists(), await bucket.exists()],
        [[true], [false], [true]],
      );
    });
  });

  test('is told of an upload that is not what it says, and the old body stays', async () => {
    await withClient(async (bucket) => {
      const file = bucket.file('x');
      await file.save('old', { resumable: false });
      for (const claim of [{ md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' }, { crc32c: 'AAAAAA==' }])
        assert.equal(
          await refusalOf(file.save('new', { resumable: false, validation: false, metadata: claim })),
          '400 invalid',
        );
      assert.equal((await contentOf(bucket, 'x')).toString(), 'old');
    });
  });
});

describe('the Google client under faults', () => {
  const ifAbsent = { preconditionOpts: { ifGenerationMatch: 0 } };
  const save = { resumable: false, ...ifAbsent };

  test('repeats a conditional upload after a 503, a reset and a cut body', async () => {
    for (const fault of ['503', 'reset', 'cut-upload@100']) {
      await withClient(
        async (bucket) => {
          await bucket.file('x').save(Buffer.alloc(5000, 1), save);
          assert.equal((await contentOf(bucket, 'x')).length, 5000);
        },
        { faults: [`storage/objects.insert:${fault}:#1`] },
      );
    }
  });

  test('does not know after a lost reply that it has written: the repeat is a 412', async () => {
    await withClient(
      async (bucket) => {
        assert.match(await refusalOf(bucket.file('x').save('mine', save)), /^412/);
        assert.equal((await contentOf(bucket, 'x')).toString(), 'mine');
      },
      { faults: ['storage/objects.insert:lost-reply:#1'] },
    );
  });

  test('recovers an upload in chunks that broke half-way', async () => {
    for (const fault of [`cut-upload@${QUANTUM + 100}`, '503', 'reset']) {
      await withClient(
        async (bucket) => {
          const content = randomBytes(5 * QUANTUM + 9);
          await bucket.file('big').save(content, { resumable: true, chunkSize: 2 * QUANTUM, ...ifAbsent });
          assert.ok((await contentOf(bucket, 'big')).equals(content), fault);
        },
        { faults: [`storage/objects.insert.chunk:${fault}:#2`] },
      );
    }
  });

  test('deletes what it has just written where the answer tells a wrong checksum, unless it does not look', async () => {
    const faults = ['storage/objects.insert:wrong-checksum:1'];
    await withClient(
      async (bucket) => {
        assert.equal(
          (await refusalOf(bucket.file('x').save('new', { resumable: false }))).split(' ')[0],
          'FILE_NO_UPLOAD',
        );
        assert.deepEqual(await bucket.file('x').exists(), [false]);
        await bucket.file('x').save('new', { resumable: false, validation: false });
        assert.equal((await contentOf(bucket, 'x')).toString(), 'new');
      },
      { faults },
    );
  });
});
