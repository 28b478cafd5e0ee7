/** Finished local files of one attempt -> immutable objects under its staging prefix, with checksums. */
import { PipelineError } from '../core/errors.ts';
import { stagedKey } from '../core/object-keys.ts';
import type { ObjectStore, Staging } from '../core/ports.ts';
import type { DataFile } from '../core/types.ts';
import { digestFile, type FileDigest } from './crc32c.ts';

/** Enough to hide the wait for the disk or the network; each file is read a megabyte at a time. */
const PARALLEL_FILES = 8;

export interface Attempt {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly tryNumber: number;
}

/**
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
        const digest = await digestFile(localPath);
        await createOrAdopt(store, key, localPath, digest);
        return { key, rows, sizeBytes: digest.sizeBytes, crc32c: digest.crc32c };
      }),
  };
}

async function createOrAdopt(store: ObjectStore, key: string, localPath: string, digest: FileDigest): Promise<void> {
  try {
    await store.writeFile(key, localPath, 'absent');
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
    const found = await digestFile(await store.localPath(key));
    if (found.crc32c === digest.crc32c && found.sizeBytes === digest.sizeBytes) return;
    throw new PipelineError(
      'precondition_failed',
      `${key} was staged before with other content (${found.sizeBytes} bytes, crc32c ${found.crc32c}; ` +
        `now ${digest.sizeBytes} bytes, ${digest.crc32c}). Staged objects never change: clear the task, a new try has a new prefix.`,
      { context: { key }, cause: thrown },
    );
  }
}

/** Results in the order of the items; the first fault ends it once the calls under way are done. */
async function mapParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const pending = items.entries();
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of pending) {
      if (hasFailed) return;
      try {
        results.set(index, await work(item));
      } catch (thrown) {
        hasFailed = true;
        throw thrown;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result);
}
