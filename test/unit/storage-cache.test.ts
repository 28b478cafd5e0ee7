/** The cache of a bucket's objects, with real files. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { type CachedVersion, type ObjectCache, openObjectCache } from '../../storage/cloud/object-cache.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

interface Source {
  readonly version: CachedVersion;
  readonly open: () => AsyncIterable<Uint8Array>;
  opened(): number;
}

/** An object of ten bytes a chunk. */
function source(body: string, generation = '1'): Source {
  let opened = 0;
  return {
    version: { generation, sizeBytes: body.length, crc32c: null },
    open: async function* () {
      opened += 1;
      for (let at = 0; at < body.length; at += 10) {
        await new Promise(setImmediate);
        yield Buffer.from(body.slice(at, at + 10));
      }
    },
    opened: () => opened,
  };
}

const fetch = (cache: ObjectCache, name: string, from: Source): Promise<string> =>
  cache.path(`gs://bucket/${name}`, from.version, from.open);

const thousand = (letter: string): Source => source(letter.repeat(1_000));

/** As if it had been handed out so long ago. */
async function readLongAgo(path: string, minutes: number): Promise<void> {
  const atMs = Date.now() - minutes * 60_000;
  await utimes(join(dirname(path), '.read'), atMs / 1000, atMs / 1000);
}

async function cachedFiles(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true });
  return paths
    .filter((path) => /\.parquet$/.test(path))
    .map((path) => path.split('/').at(-1) ?? '')
    .sort();
}

describe('the object cache', () => {
  test('brings an object once, and again only for another generation', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      const old = source('old rows');
      const path = await fetch(cache, 't/part.parquet', old);
      assert.equal(await readFile(path, 'utf8'), 'old rows');
      assert.equal(await fetch(cache, 't/part.parquet', old), path);
      assert.equal(await fetch(openObjectCache({ folder, maxBytes: 1e6 }), 't/part.parquet', old), path);
      assert.equal(old.opened(), 1);
      const newer = await fetch(cache, 't/part.parquet', source('new rows', '2'));
      assert.equal(await readFile(newer, 'utf8'), 'new rows');
      assert.equal(await readFile(path, 'utf8'), 'old rows');
    }));

  test('keeps the ending of the name, by which engines tell formats, and objects of one name apart', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      const a = await fetch(cache, 'a/part.csv.gz', source('a'));
      const b = await fetch(cache, 'b/part.csv.gz', source('b'));
      assert.match(a, /\/part\.csv\.gz$/);
      assert.equal(await readFile(a, 'utf8'), 'a');
      assert.equal(await readFile(b, 'utf8'), 'b');
    }));

  test('lets all who want one object at once share one download', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      const wanted = thousand('x');
      const paths = await Promise.all(Array.from({ length: 20 }, () => fetch(cache, 't/p.parquet', wanted)));
      assert.equal(new Set(paths).size, 1);
      assert.equal(wanted.opened(), 1);
    }));

  test('never has more than four downloads under way', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      let running = 0;
      let most = 0;
      let goOn = (): void => {};
      const fourRun = new Promise<void>((resolve) => (goOn = resolve));
      const slow = (letter: string): Source => {
        const inner = thousand(letter);
        return {
          ...inner,
          open: async function* () {
            running += 1;
            most = Math.max(most, running);
            if (running === 4) goOn();
            await fourRun;
            yield* inner.open();
            running -= 1;
          },
        };
      };
      await Promise.all([...'abcdefghijkl'].map((letter) => fetch(cache, `${letter}.parquet`, slow(letter))));
      assert.equal(most, 4);
    }));

  test('leaves nothing behind of a download that failed, and brings it the next time', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      const good = thousand('x');
      const broken = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from('xxx');
        throw new PipelineError('data_unreadable', 'wrong checksum');
      };
      await assert.rejects(cache.path('gs://bucket/t/p.parquet', good.version, broken), /wrong checksum/);
      assert.deepEqual(await cachedFiles(folder), []);
      assert.equal(await readFile(await fetch(cache, 't/p.parquet', good), 'utf8'), 'x'.repeat(1_000));
    }));

  test('brings a file again that has another size than the object', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 1e6 });
      const wanted = thousand('x');
      await truncate(await fetch(cache, 't/p.parquet', wanted), 10);
      assert.equal(await readFile(await fetch(cache, 't/p.parquet', wanted), 'utf8'), 'x'.repeat(1_000));
      assert.equal(wanted.opened(), 2);
    }));

  test('makes room by taking away what was read longest ago', () =>
    withTempFolder(async (folder) => {
      const earlier = openObjectCache({ folder, maxBytes: 3_500 });
      const ages: readonly (readonly [string, number])[] = [
        ['a', 40],
        ['b', 60],
        ['c', 20],
      ];
      for (const [name, minutes] of ages) {
        await readLongAgo(await fetch(earlier, `${name}.parquet`, thousand(name)), minutes);
      }
      const now = openObjectCache({ folder, maxBytes: 3_500 });
      await fetch(now, 'd.parquet', thousand('d'));
      assert.deepEqual(await cachedFiles(folder), ['a.parquet', 'c.parquet', 'd.parquet']);
      await fetch(now, 'a.parquet', thousand('a')); // Read again, it is the youngest.
      await fetch(now, 'e.parquet', thousand('e'));
      assert.deepEqual(await cachedFiles(folder), ['a.parquet', 'd.parquet', 'e.parquet']);
    }));

  test('takes nothing away that this cache handed out, however long ago', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 2_500 });
      const path = await fetch(cache, 'a.parquet', thousand('a'));
      await readLongAgo(path, 600);
      await fetch(cache, 'b.parquet', thousand('b'));
      await assert.rejects(fetch(cache, 'c.parquet', thousand('c')), (thrown) => {
        assert.ok(thrown instanceof PipelineError);
        assert.equal(thrown.code, 'storage_full');
        assert.match(thrown.message, /cache\.max_size/);
        return true;
      });
      assert.equal(await readFile(path, 'utf8'), 'a'.repeat(1_000));
    }));

  test('takes nothing away that anybody was handed a moment ago', () =>
    withTempFolder(async (folder) => {
      const other = openObjectCache({ folder, maxBytes: 2_500 });
      const path = await fetch(other, 'a.parquet', thousand('a'));
      await fetch(other, 'b.parquet', thousand('b'));
      const cache = openObjectCache({ folder, maxBytes: 2_500 });
      await assert.rejects(fetch(cache, 'c.parquet', thousand('c')), /read within ten minutes/);
      assert.equal(await readFile(path, 'utf8'), 'a'.repeat(1_000));
      await readLongAgo(path, 11);
      assert.equal(await readFile(await fetch(cache, 'c.parquet', thousand('c')), 'utf8'), 'c'.repeat(1_000));
      assert.deepEqual(await cachedFiles(folder), ['b.parquet', 'c.parquet']);
    }));

  test('holds its limit while many come at once', () =>
    withTempFolder(async (folder) => {
      const cache = openObjectCache({ folder, maxBytes: 5_500 });
      const outcomes = await Promise.allSettled(
        [...'abcdefghij'].map((letter) => fetch(cache, `${letter}.parquet`, thousand(letter))),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5);
      assert.equal((await cachedFiles(folder)).length, 5);
    }));

  test('clears away what a process left that died while it downloaded', () =>
    withTempFolder(async (folder) => {
      const left = join(folder, '.arriving', 'left');
      await mkdir(left, { recursive: true });
      await writeFile(join(left, 'half.parquet'), 'half');
      const longAgo = Date.now() / 1000 - 2 * 24 * 3600;
      await utimes(left, longAgo, longAgo);
      await fetch(openObjectCache({ folder, maxBytes: 1e6 }), 'a.parquet', thousand('a'));
      assert.deepEqual(await cachedFiles(folder), ['a.parquet']);
    }));

  test('gives two caches on one folder the same whole file, whoever comes first', () =>
    withTempFolder(async (folder) => {
      const caches = Array.from({ length: 6 }, () => openObjectCache({ folder, maxBytes: 1e6 }));
      const paths = await Promise.all(caches.map((cache) => fetch(cache, 't/p.parquet', thousand('x'))));
      assert.equal(new Set(paths).size, 1);
      assert.equal(await readFile(paths[0] ?? '', 'utf8'), 'x'.repeat(1_000));
      assert.deepEqual(await cachedFiles(folder), ['p.parquet']);
      assert.deepEqual(await readdir(join(folder, '.arriving')), []);
    }));
});
