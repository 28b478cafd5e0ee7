/** What every ObjectStore must do, whatever is behind it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

/** Opens an empty store that the callback may fill; closes and removes it afterwards. */
export type WithStore = (work: (store: ObjectStore) => Promise<void>) => Promise<void>;

const text = (body: string): Uint8Array => Buffer.from(body);

async function readText(store: ObjectStore, key: string): Promise<string | null> {
  const object = await store.read(key);
  return object === null ? null : Buffer.from(object.body).toString();
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

const withCode = (code: string) => (thrown: unknown) => thrown instanceof PipelineError && thrown.code === code;

export function objectStoreContract(name: string, withStore: WithStore): void {
  describe(`object store ${name}`, () => {
    test('gives back what was written, and null for what was not', () =>
      withStore(async (store) => {
        const info = await store.write('silver/a.json', text('one'));
        assert.equal(info.key, 'silver/a.json');
        assert.equal(info.sizeBytes, 3);
        const read = await store.read('silver/a.json');
        assert.equal(Buffer.from(read?.body ?? []).toString(), 'one');
        assert.equal(read?.generation, info.generation);
        assert.equal(await store.read('silver/b.json'), null);
        assert.equal(await store.read('silver'), null);
      }));

    test('holds empty objects and keys with blanks, signs and letters beyond ASCII', () =>
      withStore(async (store) => {
        const keys = ['a/_SUCCESS', 'a/category=Home %26 Garden/part 0.parquet', 'a/größe=ü/x+y@z.json'];
        for (const key of keys) await store.write(key, text(''), 'absent');
        assert.deepEqual(await keysOf(store, 'a/'), [...keys].sort());
        for (const key of keys) assert.equal(await readText(store, key), '');
      }));

    test('creates a key that must be absent once only', () =>
      withStore(async (store) => {
        await store.write('k', text('first'), 'absent');
        await assert.rejects(store.write('k', text('second'), 'absent'), withCode('precondition_failed'));
        assert.equal(await readText(store, 'k'), 'first');
      }));

    test('lets exactly one of many create an absent key', () =>
      withStore(async (store) => {
        const tries = Array.from({ length: 12 }, (_, index) => store.write('k', text(`writer ${index}`), 'absent'));
        const outcomes = await Promise.allSettled(tries);
        const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
        assert.equal(winners.length, 1);
        assert.equal(await readText(store, 'k'), `writer ${winners[0]}`);
      }));

    test('replaces a generation only while it is the current one', () =>
      withStore(async (store) => {
        const first = await store.write('k', text('1'));
        const second = await store.write('k', text('2'), { generation: first.generation });
        await assert.rejects(
          store.write('k', text('3'), { generation: first.generation }),
          withCode('precondition_failed'),
        );
        assert.equal(await readText(store, 'k'), '2');
        assert.equal((await store.read('k'))?.generation, second.generation);
      }));

    test('refuses to replace a generation of a key that is gone or never was', () =>
      withStore(async (store) => {
        const { generation } = await store.write('k', text('1'));
        await store.delete('k');
        await assert.rejects(store.write('k', text('2'), { generation }), withCode('precondition_failed'));
        await assert.rejects(store.write('other/k', text('2'), { generation }), withCode('precondition_failed'));
        assert.equal(await store.read('k'), null);
      }));

    test('changes the generation with every write, also of bodies of one length written at once', () =>
      withStore(async (store) => {
        const seen = new Set<string>();
        for (let index = 10; index < 40; index += 1) seen.add((await store.write('k', text(`${index}`))).generation);
        assert.equal(seen.size, 30);
      }));

    test('loses no update of writers that compare and set', () =>
      withStore(async (store) => {
        await store.write('count', text('0'));
        const add = async (): Promise<void> => {
          for (;;) {
            const object = await store.read('count');
            assert.ok(object);
            const next = text(String(Number(Buffer.from(object.body).toString()) + 1));
            try {
              await store.write('count', next, { generation: object.generation });
              return;
            } catch (thrown) {
              if (!withCode('precondition_failed')(thrown)) throw thrown;
            }
          }
        };
        await Promise.all(Array.from({ length: 10 }, add));
        assert.equal(await readText(store, 'count'), '10');
      }));

    test('takes a local file over, under the same preconditions', () =>
      withStore((store) =>
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
      ));

    test('gives engines a local path, and says which object is missing', () =>
      withStore(async (store) => {
        await store.write('t/part.parquet', text('rows'));
        assert.equal(await readFile(await store.localPath('t/part.parquet'), 'utf8'), 'rows');
        await assert.rejects(store.localPath('t/none.parquet'), (thrown) => {
          assert.ok(withCode('object_not_found')(thrown));
          assert.match((thrown as Error).message, /t\/none\.parquet/);
          return true;
        });
      }));

    test('lists in key order, past a thousand keys, with sizes and generations', () =>
      withStore(async (store) => {
        // A dot sorts before a slash and a digit after it: the order of folders is not that of their names.
        const keys = ['a.json', 'a/1', 'a/b/2', 'a0', ...Array.from({ length: 1_050 }, (_, i) => `many/${i}`)].sort();
        await Promise.all(keys.map((key) => store.write(key, text(key), 'absent')));
        const listed: string[] = [];
        for await (const info of store.list('')) {
          listed.push(info.key);
          assert.equal(info.sizeBytes, info.key.length);
        }
        assert.deepEqual(listed, keys);
        for await (const info of store.list('a0')) assert.equal(info.generation, (await store.read('a0'))?.generation);
      }));

    test('lists by a prefix that ends inside a name, and nothing where nothing is', () =>
      withStore(async (store) => {
        for (const key of ['h/0001.json', 'h/0002.json', 'h/0010.json', 'ha/1', 'i']) await store.write(key, text(''));
        assert.deepEqual(await keysOf(store, 'h/000'), ['h/0001.json', 'h/0002.json']);
        assert.deepEqual(await keysOf(store, 'h'), ['h/0001.json', 'h/0002.json', 'h/0010.json', 'ha/1']);
        assert.deepEqual(await keysOf(store, 'none/'), []);
        assert.deepEqual(await keysOf(store, 'i/'), []);
      }));

    test('deletes once, and only the generation that was meant', () =>
      withStore(async (store) => {
        const old = await store.write('k', text('1'));
        await store.write('k', text('2'));
        await assert.rejects(store.delete('k', { generation: old.generation }), withCode('precondition_failed'));
        assert.equal(await store.delete('k'), true);
        assert.equal(await store.delete('k'), false);
        assert.deepEqual(await keysOf(store, ''), []);
      }));
  });
}
