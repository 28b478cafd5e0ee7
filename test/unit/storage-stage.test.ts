/** Local files on their way into the lake, and lake objects on their way to engines. */
import assert from 'node:assert/strict';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { crc32cOf, digestFile } from '../../storage/crc32c.ts';
import { createBronzeFiles, createLakeFiles } from '../../storage/lake-files.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { createStaging } from '../../storage/stage.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const attempt = {
  dagId: 'dag',
  runId: 'manual__2025-10-15T00:00:00+00:00',
  taskId: 'base_silver.orders',
  tryNumber: 2,
};
const prefix = 'silver/_staging/dag.manual__2025-10-15T00-00-00-00-00/base_silver.orders/2/orders';

const withFiles = (
  contents: readonly string[],
  work: (store: ObjectStore, files: readonly { path: string; localPath: string; rows: number }[]) => Promise<void>,
): Promise<void> =>
  withTempFolder(async (folder) => {
    const files = contents.map((_, index) => ({
      path: `d=${index}/part-00000.parquet`,
      localPath: join(folder, `out-${index}`),
      rows: index,
    }));
    await Promise.all(files.map((file, index) => writeFile(file.localPath, contents[index] ?? '')));
    await work(openLocalStore({ root: join(folder, 'lake') }), files);
  });

describe('crc32c', () => {
  // RFC 3720 B.4 gives the sums of these bytes; Cloud Storage writes them base64, most significant byte first.
  test('is that of the standard, as four big-endian bytes in base64', () => {
    assert.equal(Buffer.from(crc32cOf(Buffer.from('123456789')), 'base64').toString('hex'), 'e3069283');
    assert.equal(Buffer.from(crc32cOf(Buffer.alloc(32)), 'base64').toString('hex'), '8a9136aa');
    assert.equal(crc32cOf(new Uint8Array()), 'AAAAAA==');
  });

  test('of a file read in pieces is that of the whole', () =>
    withTempFolder(async (folder) => {
      const body = Buffer.alloc(2_500_000, 'medallion ');
      await writeFile(join(folder, 'x'), body);
      assert.deepEqual(await digestFile(join(folder, 'x')), { sizeBytes: body.byteLength, crc32c: crc32cOf(body) });
    }));
});

describe('staging', () => {
  test('moves files under the prefix of the attempt, in the order given', () =>
    withFiles(
      Array.from({ length: 30 }, (_, index) => `file ${index}`),
      async (store, files) => {
        const staged = await createStaging(store, attempt).stageFiles('silver', 'orders', files);
        assert.deepEqual(
          staged.map(({ key, rows }) => [key, rows]),
          files.map(({ path, rows }) => [`${prefix}/${path}`, rows]),
        );
        const object = await store.read(staged[7]?.key ?? '');
        assert.equal(Buffer.from(object?.body ?? []).toString(), 'file 7');
        assert.deepEqual([staged[7]?.sizeBytes, staged[7]?.crc32c], [6, crc32cOf(Buffer.from('file 7'))]);
      },
    ));

  test('adopts what an interrupted call of the same attempt left, if it is the same', () =>
    withFiles(['one', 'two'], async (store, files) => {
      const staging = createStaging(store, attempt);
      await store.write(`${prefix}/d=0/part-00000.parquet`, Buffer.from('one'), 'absent');
      const staged = await staging.stageFiles('silver', 'orders', files);
      assert.deepEqual(
        staged.map(({ sizeBytes }) => sizeBytes),
        [3, 3],
      );
    }));

  test('refuses to stage other content under a key that is taken', () =>
    withFiles(['one'], async (store, files) => {
      const key = `${prefix}/d=0/part-00000.parquet`;
      await store.write(key, Buffer.from('two'), 'absent');
      await assert.rejects(createStaging(store, attempt).stageFiles('silver', 'orders', files), (thrown) => {
        assert.ok(thrown instanceof PipelineError);
        assert.equal(thrown.code, 'precondition_failed');
        assert.ok(thrown.message.includes(key), thrown.message);
        return true;
      });
      assert.equal(Buffer.from((await store.read(key))?.body ?? []).toString(), 'two');
    }));
});

describe('lake files', () => {
  test('resolve to paths with the published content', () =>
    withFiles(['one', 'two'], async (store, files) => {
      const staged = await createStaging(store, attempt).stageFiles('silver', 'orders', files);
      const paths = await createLakeFiles(store).localPaths([...staged].reverse());
      assert.deepEqual(await Promise.all(paths.map((path) => readFile(path, 'utf8'))), ['two', 'one']);
      assert.equal(await createBronzeFiles(store).localPath(staged[0]?.key ?? ''), paths[1]);
    }));

  test('a file that was cut or removed after it was published is named before an engine opens it', () =>
    withFiles(['one'], async (store, files) => {
      const staged = await createStaging(store, attempt).stageFiles('silver', 'orders', files);
      const lake = createLakeFiles(store);
      const [path = ''] = await lake.localPaths(staged);
      await truncate(path, 2);
      await assert.rejects(
        lake.localPaths(staged),
        /orders\/d=0\/part-00000\.parquet has 2 bytes, but 3 were published/,
      );
      const key = staged[0]?.key ?? '';
      await store.delete(key);
      await assert.rejects(lake.localPaths(staged), (thrown) => (thrown as PipelineError).code === 'object_not_found');
      assert.deepEqual(await readdir(path.slice(0, -key.length)), []);
    }));
});
