/** Finished local files of one attempt -> immutable objects under its staging prefix, with checksums. */
import { type FileHandle, open } from 'node:fs/promises';
import { PipelineError } from '../core/errors.ts';
import { mapParallel } from '../core/map-parallel.ts';
import { stagedKey } from '../core/object-keys.ts';
import type { ObjectStore, Staging } from '../core/ports.ts';
import type { DataFile } from '../core/types.ts';
import type { FileDigest } from './crc32c.ts';
import { chunksOf, digestChunks } from './digest-chunks.ts';
import { storageError } from './storage-error.ts';

/** Enough to hide the wait for the disk or the network; each file is read a megabyte at a time. */
const PARALLEL_FILES = 8;

export interface Attempt {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly tryNumber: number;
}

/**
 * Each file is read once: by a store that keeps checksums while it sends the bytes, else here after it took the file over,
 * which on one file system moves it and no bytes at all.
 *
 * Repeatable: an object that an earlier, interrupted call of the same attempt left is adopted where its content is the same.
 *
 * @throws PipelineError `precondition_failed` where the attempt staged other content under that key before
 */
export function createStaging(store: ObjectStore, attempt: Attempt): Staging {
  const { dagId, runId, taskId, tryNumber } = attempt;
  return {
    stageFiles: (area, table, files) =>
      mapParallel(files, PARALLEL_FILES, async ({ path, localPath, rows }): Promise<DataFile> => {
        const key = stagedKey(area, dagId, runId, taskId, tryNumber, table, path);
        const digest = await stageFile(store, key, localPath);
        return { key, rows, sizeBytes: digest.sizeBytes, crc32c: digest.crc32c };
      }),
  };
}

async function stageFile(store: ObjectStore, key: string, localPath: string): Promise<FileDigest> {
  // The open file stays the same one when the store moves it away.
  const handle = await openFile(localPath);
  try {
    const { sizeBytes, crc32c } = await store.writeFile(key, localPath, 'absent');
    return crc32c === null ? await digestChunks(chunksOf(handle)) : { sizeBytes, crc32c };
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
    const digest = await digestChunks(chunksOf(handle));
    await assertAdoptable(store, key, digest, thrown);
    return digest;
  } finally {
    await handle.close();
  }
}

async function openFile(localPath: string): Promise<FileHandle> {
  try {
    return await open(localPath, 'r');
  } catch (thrown) {
    throw storageError(thrown, 'read a file to be staged', localPath);
  }
}

async function assertAdoptable(
  store: ObjectStore,
  key: string,
  digest: FileDigest,
  cause: PipelineError,
): Promise<void> {
  const found = await digestObject(store, key);
  if (found.crc32c === digest.crc32c && found.sizeBytes === digest.sizeBytes) return;
  throw new PipelineError(
    'precondition_failed',
    `${key} was staged before with other content (${found.sizeBytes} bytes, crc32c ${found.crc32c}; ` +
      `now ${digest.sizeBytes} bytes, ${digest.crc32c}). Staged objects never change: clear the task, a new try has a new prefix.`,
    { context: { key }, cause },
  );
}

async function digestObject(store: ObjectStore, key: string): Promise<FileDigest> {
  const info = await store.stat(key);
  if (info !== null && info.crc32c !== null) return { sizeBytes: info.sizeBytes, crc32c: info.crc32c };
  return digestChunks(store.stream(key));
}
