/** Stores under the contract of all stores; the local one also under what only processes and disks can do to it. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { withFileLock } from '../../storage/local/file-lock.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications } from '../../storage/publications.ts';
import { storageError } from '../../storage/storage-error.ts';
import { openMemoryStore } from '../fixtures-support/memory-store.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { objectStoreContract } from './object-store-contract.ts';

objectStoreContract('local', (work) =>
  withTempFolder((folder) => work(openLocalStore({ root: join(folder, 'lake') }))),
);

objectStoreContract('memory', (work) => withTempFolder((folder) => work(openMemoryStore(folder))), {
  streamsWhole: true,
});

const script = fileURLToPath(new URL('./counting-process.js', import.meta.url));

async function dieInLock(root: string, lock: string): Promise<void> {
  const [, signal] = (await once(fork(script, [root, 'die-in-lock', lock]), 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
}

/** Lets the processes begin together; gives how often each lost a race. */
async function countTogether(root: string, processes: number, times: number): Promise<readonly number[]> {
  const children = Array.from({ length: processes }, () => fork(script, [root, 'count', String(times)]));
  await Promise.all(children.map((child) => once(child, 'message')));
  const results = children.map((child) => once(child, 'message') as Promise<[{ lost: number }]>);
  for (const child of children) child.send('go');
  const lost = await Promise.all(results);
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
  return lost.map(([message]) => message.lost);
}

/** Many at once, of whom no two may ever be inside. */
async function enterOneByOne(lock: string, many: number): Promise<void> {
  let inside = 0;
  const enter = (): Promise<void> =>
    withFileLock(lock, async () => {
      inside += 1;
      assert.equal(inside, 1);
      await new Promise(setImmediate);
      inside -= 1;
    });
  await Promise.all(Array.from({ length: many }, enter));
}

describe('the local store between processes', () => {
  test('three processes that compare and set lose no update', () =>
    withTempFolder(async (root) => {
      const lost = await countTogether(root, 3, 25);
      assert.equal(await readFile(join(root, 'count'), 'utf8'), '75');
      assert.ok(Math.max(...lost) > 0, 'the processes never met, so nothing was shown');
    }));

  test('a process killed inside a lock blocks nobody, and its lock is cleared away', () =>
    withTempFolder(async (root) => {
      const lock = join(root, '.lock-count');
      await dieInLock(root, lock);
      assert.deepEqual(await readdir(root), ['.lock-count']);
      await enterOneByOne(lock, 8);
      assert.deepEqual(await readdir(root), []);
    }));

  test('a killed process that was clearing away a dead lock blocks nobody either', () =>
    withTempFolder(async (root) => {
      const lock = join(root, '.lock-count');
      await dieInLock(root, lock);
      const { token } = JSON.parse(await readFile(lock, 'utf8')) as { token: string };
      await dieInLock(root, `${lock}.${token}`);
      await withFileLock(lock, async () => {});
      assert.deepEqual(await readdir(root), []);
    }));
});

describe('a lock that outlived its machine', () => {
  const holderOf = async (lock: string): Promise<Record<string, unknown>> =>
    withFileLock(lock, async () => JSON.parse(await readFile(lock, 'utf8')) as Record<string, unknown>);
  const leave = async (lock: string, text: string, at: Date): Promise<void> => {
    await writeFile(lock, text);
    await utimes(lock, at, at);
  };
  const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);

  const cases: readonly (readonly [name: string, text: (holder: object) => string, at: Date])[] = [
    ['of an earlier boot', (holder) => JSON.stringify({ ...holder, bootId: 'before' }), minutesAgo(0)],
    ['of another host', (holder) => JSON.stringify({ ...holder, bootId: 'b', host: 'h' }), minutesAgo(6)],
    // As on systems that tell no start times, where another process has the pid now.
    ['older than the machine runs', (holder) => JSON.stringify({ ...holder, startedAt: '' }), new Date(0)],
    ['of zero bytes', () => '', minutesAgo(6)],
    ['cut short', (holder) => JSON.stringify(holder).slice(0, 20), minutesAgo(6)],
    ['of other JSON', () => 'null', minutesAgo(6)],
  ];
  for (const [name, text, at] of cases) {
    test(`${name} is taken over by one of many, and cleared away`, () =>
      withTempFolder(async (root) => {
        const lock = join(root, '.lock-k');
        await leave(lock, text(await holderOf(lock)), at);
        await enterOneByOne(lock, 4);
        assert.deepEqual(await readdir(root), []);
      }));
  }

  test('is not taken while the process that its pid names is alive and the machine has run all the time', () =>
    withTempFolder(async (root) => {
      const lock = join(root, '.lock-k');
      const holder = await holderOf(lock);
      await leave(lock, JSON.stringify({ ...holder, startedAt: '' }), minutesAgo(0));
      let isTaken = false;
      const waiting = withFileLock(lock, async () => {
        isTaken = true;
      });
      for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
      assert.equal(isTaken, false);
      await rm(lock);
      await waiting;
      assert.equal(isTaken, true);
    }));
});

describe('the folders of a local store', () => {
  test('go with the last object in them, but not the root, what a link leads to, or what holds anything else', () =>
    withTempFolder(async (folder) => {
      const root = join(folder, 'lake');
      const store = openLocalStore({ root });
      await mkdir(join(folder, 'big-disk'));
      await store.write('silver/_staging/run/1/a', Buffer.from('1'));
      await store.write('silver/_staging/run/2/b', Buffer.from('2'));
      await store.write('foreign/k', Buffer.from('3'));
      await writeFile(join(root, 'foreign/.part.crc'), '');
      await symlink(join(folder, 'big-disk'), join(root, 'gold'));
      await store.write('gold/day/k', Buffer.from('4'));

      assert.equal(await store.delete('silver/_staging/run/1/a'), true);
      assert.deepEqual(await readdir(join(root, 'silver/_staging/run')), ['2']);
      assert.equal(await store.delete('silver/_staging/run/2/b'), true);
      assert.equal(await store.delete('foreign/k'), true);
      assert.equal(await store.delete('gold/day/k'), true);
      assert.deepEqual((await readdir(root)).sort(), ['foreign', 'gold']);
      assert.deepEqual(await readdir(join(folder, 'big-disk')), []);
      await rm(join(root, 'foreign'), { recursive: true });
      await unlink(join(root, 'gold'));
      await store.write('k', Buffer.from('5'));
      assert.equal(await store.delete('k'), true);
      assert.equal(await store.delete('k'), false);
      assert.deepEqual(await readdir(root), []);
    }));

  test('are made again under a writer from whom they were just taken: no write, copy, delete or listing fails', () =>
    withTempFolder(async (root) => {
      const folder = join(root, 'lake');
      const store = openLocalStore({ root: folder });
      await store.write('source', Buffer.from('source'));
      const writings: readonly ((key: string) => Promise<unknown>)[] = [
        (key) => store.write(key, Buffer.from(key)),
        (key) => store.write(key, Buffer.from(key), 'absent'),
        (key) => store.copy('source', key),
        async (key) => {
          const local = join(root, key.replaceAll('/', '-'));
          await writeFile(local, key);
          return store.writeFile(key, local);
        },
      ];
      const writers = writings.map(async (write, writer) => {
        for (let round = 0; round < 40; round += 1) {
          const key = `a/b/${writer}-${round}`;
          await write(key);
          assert.equal(Buffer.from((await store.read(key))?.body ?? []).toString(), writer === 2 ? 'source' : key);
          // Two at once: one of them is told that it was there, and neither fails.
          const deleted = await Promise.all([store.delete(key), store.delete(key)]);
          assert.deepEqual(deleted.sort(), [false, true]);
        }
      });
      let areWriting = true;
      const reader = (async () => {
        while (areWriting) for await (const { key } of store.list('')) assert.match(key, /^(source|a\/b\/\d-\d+)$/);
      })();
      await Promise.all(writers).finally(() => {
        areWriting = false;
      });
      await reader;
      assert.deepEqual(await readdir(folder), ['source']);
    }));
});

describe('what killed writers left in a local store', () => {
  const DAY_MS = 86_400_000;
  const FEW = { versions: 2, days: 0 };
  const KEEP_FEW = { silver: FEW, dims: FEW, enriched: FEW, gold: FEW };
  const aged = async (path: string): Promise<void> => {
    await utimes(path, new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - 2 * DAY_MS));
  };

  /** The name under which a write lies while it is under way. */
  async function temporaryName(root: string): Promise<string> {
    const store = openLocalStore({ root });
    const folder = join(root, 'w');
    for (;;) {
      await mkdir(folder, { recursive: true });
      let isWritten = false;
      const writing = store.write('w/big', Buffer.alloc(8 * 1024 * 1024)).then(() => {
        isWritten = true;
      });
      let seen: string | undefined;
      while (seen === undefined && !isWritten)
        seen = (await readdir(folder)).find((name) => /^\.tmp-(?!lock)/.test(name));
      await writing;
      await store.delete('w/big');
      if (seen !== undefined) return seen;
    }
  }

  test('is counted and removed once it is old, with the folders that then are empty, and nothing else is', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      const temporary = await temporaryName(root);
      await store.write('kept/k', Buffer.from('object'));
      await mkdir(join(root, 'silver/_staging/run/1'), { recursive: true });
      const left = [
        `silver/_staging/run/1/${temporary}`,
        `kept/${temporary}`,
        `kept/${temporary.replace('tmp', 'tmp-lock')}`,
      ];
      for (const path of left) {
        await writeFile(join(root, path), 'half');
        await aged(join(root, path));
      }
      const young = `${temporary.slice(0, -1)}${temporary.endsWith('0') ? '1' : '0'}`;
      await writeFile(join(root, 'kept', young), 'half');
      for (const name of ['.tmp-of-an-editor', '.part.crc', 'k']) {
        if (name !== 'k') await writeFile(join(root, 'kept', name), '');
        await aged(join(root, 'kept', name));
      }
      const before = Date.now() - DAY_MS;
      assert.deepEqual(await store.sweep?.(before, true), { objects: 3, bytes: 12 });
      assert.deepEqual(await store.sweep?.(before, false), { objects: 3, bytes: 12 });
      assert.deepEqual(await readdir(root), ['kept']);
      assert.deepEqual(
        (await readdir(join(root, 'kept'))).sort(),
        ['.part.crc', '.tmp-of-an-editor', young, 'k'].sort(),
      );
      assert.deepEqual(await store.sweep?.(before, false), { objects: 0, bytes: 0 });
    }));

  test('goes where it is a lock of the dead, not of the living', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      const lock = join(root, 'a', '.lock-k');
      await mkdir(join(root, 'a'));
      await dieInLock(join(root, 'a'), lock);
      await aged(lock);
      const before = Date.now() - DAY_MS;
      await withFileLock(join(root, '.lock-held'), async () => {
        await aged(join(root, '.lock-held'));
        assert.equal((await store.sweep?.(before, true))?.objects, 1);
        assert.equal((await store.sweep?.(before, false))?.objects, 1);
        assert.deepEqual(await readdir(root), ['.lock-held']);
      });
    }));

  test('goes with a garbage collection after the grace time', () =>
    withTempFolder(async (root) => {
      const path = join(root, await temporaryName(root));
      await writeFile(path, 'half');
      await aged(path);
      const collect = (graceMs: number, isDryRun: boolean) =>
        openPublications({
          store: openLocalStore({ root }),
          pipeline: 'shop',
          clock: { now: () => Date.now() },
          graceMs,
        }).collect({ policies: KEEP_FEW, isDryRun });
      assert.equal((await collect(3 * DAY_MS, false)).leftovers.objects, 0);
      assert.deepEqual((await collect(DAY_MS, true)).leftovers, { objects: 1, bytes: 4 });
      assert.deepEqual((await collect(DAY_MS, false)).leftovers, { objects: 1, bytes: 4 });
      assert.deepEqual(await readdir(root), []);
    }));
});

describe('the local store on disk', () => {
  test('leaves no temporary file behind, also after a refused write', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      const { generation } = await store.write('a/k', Buffer.from('1'), 'absent');
      await store.write('a/k', Buffer.from('2'), { generation });
      await assert.rejects(store.write('a/k', Buffer.from('3'), 'absent'));
      await assert.rejects(store.write('a/k', Buffer.from('3'), { generation }));
      assert.deepEqual(await readdir(join(root, 'a')), ['k']);
    }));

  test('never lists files whose names begin with a dot, at any depth', () =>
    withTempFolder(async (root) => {
      await mkdir(join(root, 't/.hidden'), { recursive: true });
      for (const path of ['.lock-x', 't/.part.crc', 't/.hidden/y', 't/part']) await writeFile(join(root, path), '');
      const keys: string[] = [];
      for await (const { key } of openLocalStore({ root }).list('')) keys.push(key);
      assert.deepEqual(keys, ['t/part']);
    }));

  test('refuses keys that would lead out of the root', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', 'a/', '', '.', 'a/.b', 'a\\b', 'a\nb', 'a\0b']) {
        await assert.rejects(async () => store.read(key), /malformed object key/, JSON.stringify(key));
      }
      assert.throws(() => store.list('../'), /malformed object key/);
    }));

  test('follows a folder laid elsewhere by a symbolic link, but no link that leads back up', () =>
    withTempFolder(async (folder) => {
      const root = join(folder, 'lake');
      await mkdir(join(root, 'silver'), { recursive: true });
      await mkdir(join(folder, 'big-disk'));
      await symlink(join(folder, 'big-disk'), join(root, 'gold'));
      await symlink(root, join(root, 'silver', 'loop'));
      const store = openLocalStore({ root });
      await store.write('gold/k', Buffer.from('1'));
      await store.write('silver/k', Buffer.from('1'));
      const keys: string[] = [];
      for await (const { key } of store.list('silver/')) keys.push(key);
      assert.equal(await readFile(join(folder, 'big-disk', 'k'), 'utf8'), '1');
      assert.ok(keys.includes('silver/k'));
      assert.ok(keys.length < 10);
    }));

  test('a file changed by hand has another generation', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      const { generation } = await store.write('k', Buffer.from('12345'));
      await truncate(join(root, 'k'), 2);
      assert.notEqual((await store.read('k'))?.generation, generation);
    }));

  test('tells a full disk from one that cannot be reached, and names the path', () => {
    const full = storageError(
      Object.assign(new Error('write'), { code: 'ENOSPC' }),
      'write silver/k',
      '/lake/silver/k',
    );
    assert.equal(full.code, 'storage_full');
    assert.match(full.message, /\/lake\/silver\/k/);
    const denied = storageError(Object.assign(new Error('EACCES: denied'), { code: 'EACCES' }), 'read k', '/lake/k');
    assert.equal(denied.code, 'storage_unavailable');
    assert.match(denied.message, /\/lake\/k/);
    const own = new PipelineError('object_not_found', 'gone');
    assert.equal(storageError(own, 'read k', '/lake/k'), own);
  });

  test('a folder that cannot be read is an error, never an empty listing', () =>
    withTempFolder(async (root) => {
      const tooLong = 'x'.repeat(300);
      await assert.rejects(
        async () => {
          for await (const _ of openLocalStore({ root }).list(`${tooLong}/`));
        },
        (thrown) => thrown instanceof PipelineError && thrown.code === 'storage_unavailable',
      );
    }));
});
