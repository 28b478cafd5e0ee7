/** Objects across restarts and kills, and one process to a folder. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { createFaults } from '../../sandbox/faults.ts';
import { BucketStore } from '../../sandbox/gcs/bucket-store.ts';
import { storedBuckets } from '../../sandbox/gcs/stored-buckets.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { objectPath, type Resource, silent, startUpload, uploadPath, withSandbox } from './gcs-server.ts';

const faults = createFaults([], 1);
const clock = { now: () => Date.UTC(2026, 0, 1) };
const open = async (folder: string, host = '127.0.0.1') =>
  startSandbox({ folder, host, port: 0, faults, clock, log: silent });

describe('a restart', () => {
  test('finds the same objects, and generations go on', async () => {
    await withSandbox(async (box) => {
      await box.put('keep', 'kept');
      await box.call('PATCH', objectPath('keep'), { body: '{"metadata":{"a":"1"}}' });
      const last = (await box.put('gone', 'x')).json().generation;
      await box.call('DELETE', objectPath('gone'));
      const before = (
        await box.call('GET', `/storage/v1/b/lake/o?fields=items(name,generation,metageneration,metadata,crc32c)`)
      ).json();
      box.nowMs -= 3_600_000;
      await box.restart();
      const after = (
        await box.call('GET', `/storage/v1/b/lake/o?fields=items(name,generation,metageneration,metadata,crc32c)`)
      ).json();
      assert.deepEqual(after, before);
      assert.equal((await box.call('GET', `${objectPath('keep')}?alt=media`)).bytes.toString(), 'kept');
      // Also past the one that was deleted, which no record tells of.
      assert.ok(Number((await box.put('next', 'x')).json().generation) > Number(last));
    });
  });

  test('removes what was on its way, and bodies that nothing refers to', async () => {
    await withSandbox(async (box) => {
      await box.put('keep', 'kept');
      await startUpload(box, 'unfinished');
      writeFileSync(join(box.folder, 'storage', 'incoming', 'half'), 'half');
      writeFileSync(join(box.folder, 'storage', 'bodies', '17'), 'nobody’s');
      await box.restart();
      assert.deepEqual(readdirSync(join(box.folder, 'storage', 'incoming')), []);
      assert.equal(readdirSync(join(box.folder, 'storage', 'bodies')).length, 1);
      assert.equal((await box.call('GET', `${objectPath('keep')}?alt=media`)).bytes.toString(), 'kept');
    });
  });
});

describe('a kill', () => {
  test('in the middle of uploads leaves each object old or new, never half', async () => {
    await withTempFolder(async (folder) => {
      let round = 0;
      const body = (of: number): Buffer => Buffer.alloc(300_000 + of, `${of}`);
      for (let kill = 0; kill < 5; kill += 1) {
        const { child, url } = await startChild(folder);
        await fetch(`${url}/storage/v1/b`, { method: 'POST', body: '{"name":"lake"}' });
        let answered = round;
        const writer = async (): Promise<void> => {
          for (;;) {
            round += 1;
            const mine = round;
            const reply = await fetch(`${url}${uploadPath('x')}`, { method: 'POST', body: body(mine) });
            await reply.arrayBuffer();
            answered = mine;
            if (mine % 7 === kill) child.kill('SIGKILL');
          }
        };
        const exited = once(child, 'exit');
        await assert.rejects(writer());
        await exited;
        const again = await startChild(folder);
        const [bytes, told] = await Promise.all([
          fetch(`${again.url}${objectPath('x')}?alt=media`).then(async (reply) =>
            Buffer.from(await reply.arrayBuffer()),
          ),
          fetch(`${again.url}${objectPath('x')}`).then(async (reply) => (await reply.json()) as Resource),
        ]);
        assert.equal(told.size, String(bytes.length));
        // What was answered is there; of the one after it nobody knows.
        assert.ok(
          [answered, answered + 1].includes(bytes.length - 300_000),
          `${bytes.length - 300_000} of ${answered}`,
        );
        assert.ok(bytes.equals(body(bytes.length - 300_000)));
        await stop(again.child);
      }
    });
  });

  test('frees the folder', async () => {
    await withTempFolder(async (folder) => {
      const { child } = await startChild(folder);
      const refused = await startChild(folder).then(
        () => '',
        (thrown: Error) => thrown.message,
      );
      assert.match(refused, new RegExp(`in use by a sandbox that already runs \\(process ${child.pid}\\)`));
      await stop(child);
      const next = await startChild(folder);
      await stop(next.child);
    });
  });
});

async function startChild(folder: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(fileURLToPath(new URL('./gcs-child.js', import.meta.url)), [folder]);
  const [message] = (await once(child, 'message')) as [{ url?: string; error?: string }];
  if (message.url !== undefined) return { child, url: message.url };
  if (child.exitCode === null) await once(child, 'exit');
  throw new Error(message.error);
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describe('the server', () => {
  test('has a folder for itself until it is closed', async () => {
    await withTempFolder(async (folder) => {
      const first = await open(folder);
      await assert.rejects(
        open(folder),
        (thrown) => thrown instanceof PipelineError && thrown.code === 'project_locked',
      );
      await first.close();
      await (await open(folder)).close();
    });
  });

  test('of four processes that start at once on the folder of a dead one, one has it', async () => {
    await withTempFolder(async (folder) => {
      const { child } = await startChild(folder);
      await stop(child);
      const started = await Promise.allSettled(Array.from({ length: 4 }, async () => startChild(folder)));
      const running = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value.child] : []));
      assert.equal(running.length, 1);
      for (const each of running) await stop(each);
      assert.deepEqual(
        readdirSync(folder).filter((file) => file.startsWith('lock')),
        ['lock'],
      );
    });
  });

  test('listens on this machine only, and says so where its port is taken', async () => {
    await withTempFolder(async (folder) => {
      for (const host of ['0.0.0.0', '192.0.2.1'])
        await assert.rejects(
          open(folder, host),
          (thrown) => thrown instanceof PipelineError && thrown.code === 'usage',
        );
      const first = await open(join(folder, 'one'));
      const second = startSandbox({
        folder: join(folder, 'two'),
        host: '127.0.0.1',
        port: first.port,
        faults,
        clock,
        log: silent,
      });
      await assert.rejects(second, /Port \d+ of 127\.0\.0\.1 is taken/);
      await first.close();
      // A start that failed keeps nothing.
      await (await open(join(folder, 'two'))).close();
    });
  });
});

describe('the buckets as BigQuery sees them', () => {
  const filled = (folder: string, names: readonly string[]): BucketStore => {
    const store = new BucketStore(folder, clock);
    store.createBucket({ name: 'lake', location: 'EU', createdAtMs: 0, labels: {} });
    for (const name of names) write(store, name, name);
    return store;
  };
  const write = (store: BucketStore, name: string, text: string): void => {
    const path = store.incomingPath();
    writeFileSync(path, text);
    const body = {
      path,
      sizeBytes: Buffer.byteLength(text),
      crc32c: '',
      md5Hash: null,
      componentCount: null,
      isShared: false,
    };
    const none = {
      generationMatch: null,
      generationNotMatch: null,
      metagenerationMatch: null,
      metagenerationNotMatch: null,
    };
    store.write('lake', name, body, {}, none);
  };

  test('are found by name and by one star, which also stands for slashes', async () => {
    await withTempFolder(async (folder) => {
      const buckets = storedBuckets(filled(folder, ['a/1.parquet', 'a/2.parquet', 'a/b/3.parquet', 'a/4.csv', 'aa']));
      const names = async (pattern: string): Promise<readonly string[]> =>
        (await buckets.match('lake', pattern)).map(({ name }) => name);
      assert.deepEqual(await names('a/1.parquet'), ['a/1.parquet']);
      assert.deepEqual(await names('a/*.parquet'), ['a/1.parquet', 'a/2.parquet', 'a/b/3.parquet']);
      assert.deepEqual(await names('aa*a'), []);
      assert.deepEqual(await names('*'), ['a/1.parquet', 'a/2.parquet', 'a/4.csv', 'a/b/3.parquet', 'aa']);
      assert.deepEqual(await names('a/5.parquet'), []);
      assert.deepEqual(await buckets.match('nowhere', '*'), []);
    });
  });

  test('keep a file that was given away, though its object is replaced', async () => {
    await withTempFolder(async (folder) => {
      const store = filled(folder, ['x']);
      const buckets = storedBuckets(store);
      const [old] = await buckets.match('lake', 'x');
      write(store, 'x', 'second');
      assert.equal(await readFile(old?.localPath ?? '', 'utf8'), 'x');
      const [now] = await buckets.match('lake', 'x');
      assert.deepEqual([await readFile(now?.localPath ?? '', 'utf8'), now?.sizeBytes], ['second', 6]);
    });
  });

  test('take a finished file over as an object with checksums', async () => {
    await withTempFolder(async (folder) => {
      const store = filled(join(folder, 'store'), []);
      const local = join(folder, 'out.csv');
      writeFileSync(local, '123456789');
      await storedBuckets(store).put('lake', 'out/0.csv', local);
      assert.equal(store.object('lake', 'out/0.csv')?.crc32c, Buffer.from('e3069283', 'hex').toString('base64'));
      mkdirSync(join(folder, 'more'));
      writeFileSync(join(folder, 'more', 'x'), 'x');
      await assert.rejects(
        storedBuckets(store).put('nowhere', 'x', join(folder, 'more', 'x')),
        /bucket does not exist/,
      );
    });
  });
});
