/** What every ObjectStore must do, whatever is behind it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ByteRange, ObjectInfo, ObjectStore } from '../../core/ports.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

/** Opens an empty store that the callback may fill; closes and removes it afterwards. */
export type WithStore = (work: (store: ObjectStore) => Promise<void>) => Promise<void>;

export interface ContractOptions {
  /**
   * What the server behind the store is known not to do: name of the test -> server, version and reason. Such a test is
   * reported as skipped and yet run: once it holds, the suite fails until the entry is removed.
   */
  readonly skip?: { readonly [testName: string]: string };
  /** For a slow server; more than a page of 1,000. */
  readonly manyKeys?: number;
  /** Not in bounded memory: the store is one itself. */
  readonly streamsWhole?: boolean;
  /** Where the store lies, as other programs write it: `gs://bucket/prefix/`. */
  readonly uriOf?: (key: string, store: ObjectStore) => string;
}

const text = (body: string): Uint8Array => Buffer.from(body);

async function readText(store: ObjectStore, key: string): Promise<string | null> {
  const object = await store.read(key);
  return object === null ? null : Buffer.from(object.body).toString();
}

async function streamText(store: ObjectStore, key: string, range?: ByteRange): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.stream(key, range)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function listed(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(prefix)) infos.push(info);
  return infos;
}

const keysOf = async (store: ObjectStore, prefix: string): Promise<string[]> =>
  (await listed(store, prefix)).map(({ key }) => key);

const withCode = (code: string) => (thrown: unknown) => thrown instanceof PipelineError && thrown.code === code;

async function eachAtOnce<T>(items: readonly T[], limit: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const pending = items.values();
  const worker = async (): Promise<void> => {
    for (const item of pending) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Numbers of those that were fulfilled; the others must have lost a race. */
function winnersOf(outcomes: readonly PromiseSettledResult<unknown>[]): number[] {
  return outcomes.flatMap((outcome, index) => {
    if (outcome.status === 'fulfilled') return [index];
    assert.ok(withCode('precondition_failed')(outcome.reason), String(outcome.reason));
    return [];
  });
}

/** Bytes that no checksum of a part could mistake for another part. */
function bytesOf(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0, word = 1; at + 4 <= size; at += 4) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(word, at);
  }
  return bytes;
}

export function objectStoreContract(name: string, withStore: WithStore, options: ContractOptions = {}): void {
  const skip = options.skip ?? {};
  const known = new Set<string>();

  /** A test of the contract, or the proof that a known gap is still there. */
  const law = (lawName: string, work: (store: ObjectStore) => Promise<void>): void => {
    known.add(lawName);
    const reason = skip[lawName];
    test(lawName, async (context) => {
      if (reason === undefined) return withStore(work);
      const holds = await withStore(work).then(
        () => true,
        (thrown: unknown) => {
          if (thrown instanceof assert.AssertionError) return false;
          throw thrown;
        },
      );
      assert.ok(!holds, `this gap is closed, remove its entry: ${reason}`);
      context.skip(reason);
    });
  };

  describe(`object store ${name}`, () => {
    law('gives back what was written, and null for what was not', async (store) => {
      const info = await store.write('silver/a.json', text('one'));
      assert.equal(info.key, 'silver/a.json');
      assert.equal(info.sizeBytes, 3);
      const read = await store.read('silver/a.json');
      assert.equal(Buffer.from(read?.body ?? []).toString(), 'one');
      assert.equal(read?.generation, info.generation);
      assert.equal(await store.read('silver/b.json'), null);
      assert.equal(await store.read('silver'), null);
    });

    law('holds empty objects and keys with blanks, signs and letters beyond ASCII', async (store) => {
      const keys = [
        'a/_SUCCESS',
        'a/category=Home %26 Garden/part 0.parquet',
        'a/größe=ü/x+y@z.json',
        "a/o'k(1)!*,;~#?&",
      ];
      for (const key of keys) await store.write(key, text(''), 'absent');
      assert.deepEqual(await keysOf(store, 'a/'), [...keys].sort());
      for (const key of keys) {
        assert.equal(await readText(store, key), '');
        assert.equal(await streamText(store, key), '');
        assert.equal((await store.stat(key))?.sizeBytes, 0);
        assert.equal(await store.delete(key), true);
      }
      assert.deepEqual(await keysOf(store, ''), []);
    });

    law('says of one key what a listing says of it, and null of a missing one', async (store) => {
      const before = await store.write('t/before', text('1'));
      const written = await store.write('t/k', text('rows'));
      const stat = await store.stat('t/k');
      const [listing] = await listed(store, 't/k');
      assert.ok(stat && listing);
      assert.deepEqual({ ...listing, crc32c: null }, { ...stat, crc32c: null });
      assert.equal(stat.generation, written.generation);
      assert.equal(stat.sizeBytes, 4);
      for (const info of [written, stat, listing]) {
        assert.ok(info.crc32c === null || info.crc32c === crc32cOf(text('rows')), `wrong crc32c ${info.crc32c}`);
        assert.ok(Number.isFinite(info.writtenAtMs));
        assert.ok(info.writtenAtMs >= before.writtenAtMs);
      }
      assert.equal(await store.stat('t/none'), null);
      assert.equal(await store.stat('t'), null);
    });

    law('creates a key that must be absent once only', async (store) => {
      await store.write('k', text('first'), 'absent');
      await assert.rejects(store.write('k', text('second'), 'absent'), withCode('precondition_failed'));
      assert.equal(await readText(store, 'k'), 'first');
    });

    law('lets exactly one of many create an absent key', async (store) => {
      const tries = Array.from({ length: 12 }, (_, index) => store.write('k', text(`writer ${index}`), 'absent'));
      const winners = winnersOf(await Promise.allSettled(tries));
      assert.equal(winners.length, 1);
      assert.equal(await readText(store, 'k'), `writer ${winners[0]}`);
    });

    law('lets exactly one of many replace a generation, round after round', async (store) => {
      let { generation } = await store.write('k', text('begin'), 'absent');
      for (let round = 0; round < 20; round += 1) {
        const tries = Array.from({ length: 4 }, (_, index) =>
          store.write('k', text(`round ${round} writer ${index}`), { generation }),
        );
        const outcomes = await Promise.allSettled(tries);
        const winners = winnersOf(outcomes);
        assert.equal(winners.length, 1, `round ${round} had ${winners.length} winners`);
        const object = await store.read('k');
        assert.equal(Buffer.from(object?.body ?? []).toString(), `round ${round} writer ${winners[0]}`);
        assert.notEqual(object?.generation, generation);
        generation = object?.generation ?? '';
      }
    });

    law('replaces a generation only while it is the current one', async (store) => {
      const first = await store.write('k', text('1'));
      const second = await store.write('k', text('2'), { generation: first.generation });
      await assert.rejects(
        store.write('k', text('3'), { generation: first.generation }),
        withCode('precondition_failed'),
      );
      assert.equal(await readText(store, 'k'), '2');
      assert.equal((await store.read('k'))?.generation, second.generation);
    });

    law('refuses to replace a generation of a key that is gone or never was', async (store) => {
      const { generation } = await store.write('k', text('1'));
      await store.delete('k');
      await assert.rejects(store.write('k', text('2'), { generation }), withCode('precondition_failed'));
      await assert.rejects(store.write('other/k', text('2'), { generation }), withCode('precondition_failed'));
      assert.equal(await store.read('k'), null);
    });

    law('changes the generation with every write, also of bodies of one length written at once', async (store) => {
      const seen = new Set<string>();
      for (let index = 10; index < 40; index += 1) seen.add((await store.write('k', text(`${index}`))).generation);
      assert.equal(seen.size, 30);
    });

    law('loses no update of writers that compare and set, and read back before they try again', async (store) => {
      await store.write('members', text(''));
      const join = async (member: string): Promise<void> => {
        for (;;) {
          const object = await store.read('members');
          assert.ok(object);
          const members = Buffer.from(object.body).toString().split(' ');
          if (members.includes(member)) return;
          try {
            await store.write('members', text([...members, member].join(' ')), { generation: object.generation });
            return;
          } catch (thrown) {
            if (!withCode('precondition_failed')(thrown)) throw thrown;
          }
        }
      };
      const names = Array.from({ length: 10 }, (_, index) => `member-${index}`);
      await Promise.all(names.map(join));
      const joined = (await readText(store, 'members'))?.trim().split(' ') ?? [];
      assert.deepEqual(joined.sort(), names);
    });

    law('takes a local file over, under the same preconditions', (store) =>
      withTempFolder(async (folder) => {
        const local = join(folder, 'part.parquet');
        await writeFile(local, 'rows');
        const info = await store.writeFile('t/part.parquet', local, 'absent');
        assert.equal(info.sizeBytes, 4);
        assert.equal(await readText(store, 't/part.parquet'), 'rows');
        await writeFile(local, 'other');
        await assert.rejects(store.writeFile('t/part.parquet', local, 'absent'), withCode('precondition_failed'));
        assert.equal(await readText(store, 't/part.parquet'), 'rows');
        await store.writeFile('t/part.parquet', local, { generation: info.generation });
        assert.equal(await readText(store, 't/part.parquet'), 'other');
      }),
    );

    law('takes a file of 24 MB over and gives it back, whole and in parts', (store) =>
      withTempFolder(async (folder) => {
        const body = bytesOf(24_000_004);
        const local = join(folder, 'big.parquet');
        await writeFile(local, body);
        const info = await store.writeFile('t/big.parquet', local, 'absent');
        assert.equal(info.sizeBytes, body.byteLength);
        assert.ok(info.crc32c === null || info.crc32c === crc32cOf(body));
        const hash = createHash('sha256');
        let largest = 0;
        for await (const chunk of store.stream('t/big.parquet')) {
          hash.update(chunk);
          largest = Math.max(largest, chunk.byteLength);
        }
        assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
        if (options.streamsWhole !== true) assert.ok(largest <= 8 * 1024 * 1024, `a chunk of ${largest} bytes`);
        const start = 8 * 1024 * 1024 - 3;
        const parts: Uint8Array[] = [];
        for await (const chunk of store.stream('t/big.parquet', { start, end: start + 7 })) parts.push(chunk);
        assert.deepEqual(Buffer.concat(parts), body.subarray(start, start + 7));
      }),
    );

    const largeFile = async (folder: string, first: string): Promise<string> => {
      const path = join(folder, `${first}.parquet`);
      const body = bytesOf(9_000_000);
      body.write(first);
      await writeFile(path, body);
      return path;
    };

    law('creates a key by a file of many chunks once only', (store) =>
      withTempFolder(async (folder) => {
        await store.writeFile('t/big', await largeFile(folder, 'one'), 'absent');
        const late = store.writeFile('t/big', await largeFile(folder, 'two'), 'absent');
        await assert.rejects(late, withCode('precondition_failed'));
        assert.equal(await streamText(store, 't/big', { start: 0, end: 3 }), 'one');
      }),
    );

    law('replaces a generation by a file of many chunks only while it is the current one', (store) =>
      withTempFolder(async (folder) => {
        const { generation } = await store.write('t/big', text('small'));
        await store.writeFile('t/big', await largeFile(folder, 'three'), { generation });
        const late = store.writeFile('t/big', await largeFile(folder, 'four'), { generation });
        await assert.rejects(late, withCode('precondition_failed'));
        assert.equal(await streamText(store, 't/big', { start: 0, end: 5 }), 'three');
      }),
    );

    law('streams ranges as arrays are sliced', async (store) => {
      await store.write('k', text('0123456789'));
      assert.equal(await streamText(store, 'k'), '0123456789');
      assert.equal(await streamText(store, 'k', { start: 0 }), '0123456789');
      assert.equal(await streamText(store, 'k', { start: 3 }), '3456789');
      assert.equal(await streamText(store, 'k', { start: 3, end: 5 }), '34');
      assert.equal(await streamText(store, 'k', { start: 8, end: 100 }), '89');
      assert.equal(await streamText(store, 'k', { start: -3 }), '789');
      assert.equal(await streamText(store, 'k', { start: -100 }), '0123456789');
      assert.equal(await streamText(store, 'k', { start: -3, end: 8 }), '7');
      assert.equal(await streamText(store, 'k', { start: 10 }), '');
      assert.equal(await streamText(store, 'k', { start: 99, end: 120 }), '');
      assert.equal(await streamText(store, 'k', { start: 5, end: 5 }), '');
      await assert.rejects(streamText(store, 'none'), withCode('object_not_found'));
    });

    law('lets a reader leave a stream early, and goes on working', (store) =>
      withTempFolder(async (folder) => {
        const local = join(folder, 'big');
        await writeFile(local, bytesOf(9_000_000));
        await store.writeFile('big', local);
        for await (const chunk of store.stream('big')) {
          assert.ok(chunk.byteLength > 0);
          break;
        }
        await store.write('k', text('after'), 'absent');
        assert.equal(await readText(store, 'k'), 'after');
      }),
    );

    law('copies an object, and leaves the first one alone', async (store) => {
      const source = await store.write('from/a b.json', text('rows'));
      const copied = await store.copy('from/a b.json', 'to/ü.json');
      assert.equal(copied.key, 'to/ü.json');
      assert.equal(copied.sizeBytes, 4);
      assert.equal(await readText(store, 'to/ü.json'), 'rows');
      assert.equal((await store.read('to/ü.json'))?.generation, copied.generation);
      assert.equal((await store.stat('from/a b.json'))?.generation, source.generation);
      await assert.rejects(store.copy('from/none', 'to/x'), (thrown) => {
        assert.ok(withCode('object_not_found')(thrown), String(thrown));
        assert.match((thrown as Error).message, /from\/none/);
        return true;
      });
      assert.equal(await store.stat('to/x'), null);
    });

    law('copies to a key that must be absent once only', async (store) => {
      await store.write('a', text('1'));
      await store.write('b', text('2'));
      await store.copy('a', 'to', 'absent');
      await assert.rejects(store.copy('b', 'to', 'absent'), withCode('precondition_failed'));
      assert.equal(await readText(store, 'to'), '1');
    });

    law('copies over a generation only while it is the current one', async (store) => {
      await store.write('a', text('1'));
      await store.write('b', text('2'));
      const first = await store.write('to', text('0'));
      await store.copy('a', 'to', { generation: first.generation });
      await assert.rejects(store.copy('b', 'to', { generation: first.generation }), withCode('precondition_failed'));
      assert.equal(await readText(store, 'to'), '1');
    });

    law(
      'reads an object of known content like any other, whole, in part and as a path, and says which is missing',
      async (store) => {
        const body = bytesOf(5 * 1024 * 1024 + 3);
        const content = { sizeBytes: body.byteLength, crc32c: crc32cOf(body) };
        await store.write('t/part.parquet', body);
        await store.write('t/empty', Buffer.alloc(0));
        for (const range of [undefined, { start: -7 }, { start: 3, end: 9 }, { start: body.byteLength - 2 }]) {
          const chunks: Uint8Array[] = [];
          for await (const chunk of store.stream('t/part.parquet', range, content)) chunks.push(chunk);
          assert.ok(body.subarray(range?.start ?? 0, range?.end).equals(Buffer.concat(chunks)), JSON.stringify(range));
        }
        const path = await store.localPath('t/part.parquet', content);
        assert.ok(body.equals(await readFile(path)));
        const nothing = { sizeBytes: 0, crc32c: crc32cOf(Buffer.alloc(0)) };
        assert.equal((await readFile(await store.localPath('t/empty', nothing))).byteLength, 0);
        await assert.rejects(store.localPath('t/none.parquet', content), withCode('object_not_found'));
        await assert.rejects(async () => {
          for await (const _ of store.stream('t/none.parquet', undefined, content));
        }, withCode('object_not_found'));
      },
    );

    law('gives engines a local path, and says which object is missing', async (store) => {
      await store.write('t/part.parquet', text('rows'));
      assert.equal(await readFile(await store.localPath('t/part.parquet'), 'utf8'), 'rows');
      await store.write('t/part.parquet', text('other rows'));
      assert.equal(await readFile(await store.localPath('t/part.parquet'), 'utf8'), 'other rows');
      await assert.rejects(store.localPath('t/none.parquet'), (thrown) => {
        assert.ok(withCode('object_not_found')(thrown));
        assert.match((thrown as Error).message, /t\/none\.parquet/);
        return true;
      });
    });

    law('lists in key order, over several pages, with sizes and generations', async (store) => {
      const many = options.manyKeys ?? 2_341;
      // A dot sorts before a slash and a digit after it: the order of folders is not that of their names.
      const keys = ['a.json', 'a/1', 'a/b/2', 'a0', ...Array.from({ length: many }, (_, i) => `many/${i}`)].sort();
      await eachAtOnce(keys, 32, (key) => store.write(key, text(key), 'absent'));
      const infos = await listed(store, '');
      assert.equal(infos.length, many + 4);
      assert.deepEqual(
        infos.map(({ key }) => key),
        keys,
      );
      for (const info of infos) assert.equal(info.sizeBytes, info.key.length);
      for (const info of await listed(store, 'a0')) assert.equal(info.generation, (await store.read('a0'))?.generation);
      const first = await store.list('many/')[Symbol.asyncIterator]().next();
      assert.equal(first.value?.key, 'many/0');
    });

    law('lists by a prefix that ends inside a name, and nothing where nothing is', async (store) => {
      for (const key of ['h/0001.json', 'h/0002.json', 'h/0010.json', 'ha/1', 'i']) await store.write(key, text(''));
      assert.deepEqual(await keysOf(store, 'h/000'), ['h/0001.json', 'h/0002.json']);
      assert.deepEqual(await keysOf(store, 'h'), ['h/0001.json', 'h/0002.json', 'h/0010.json', 'ha/1']);
      assert.deepEqual(await keysOf(store, 'none/'), []);
      assert.deepEqual(await keysOf(store, 'i/'), []);
    });

    law('deletes once, and only the generation that was meant', async (store) => {
      const old = await store.write('k', text('1'));
      const current = await store.write('k', text('2'));
      await assert.rejects(store.delete('k', { generation: old.generation }), withCode('precondition_failed'));
      assert.equal(await readText(store, 'k'), '2');
      assert.equal(await store.delete('k', { generation: current.generation }), true);
      assert.equal(await store.delete('k'), false);
      await store.write('k', text('3'));
      assert.equal(await store.delete('k'), true);
      assert.deepEqual(await keysOf(store, ''), []);
    });

    law('gives other programs an address of each object', async (store) => {
      const address = store.uri('t/dt=2025-10-15/part-0.parquet');
      assert.match(address, /^[a-z0-9]+:\/\/.*t\/dt=2025-10-15\/part-0\.parquet$/);
      if (options.uriOf) assert.equal(address, options.uriOf('t/dt=2025-10-15/part-0.parquet', store));
      assert.ok(store.displayName.endsWith('/'));
    });

    test('names in its skips only tests that there are', () => {
      assert.deepEqual(
        Object.keys(skip).filter((lawName) => !known.has(lawName)),
        [],
      );
    });
  });
}
