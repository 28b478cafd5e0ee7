/** Files that a version would reference -> proof that each lies in the store with its size and checksum. */
import { PipelineError } from '../core/errors.ts';
import { parseStagedKey } from '../core/object-keys.ts';
import type { ObjectInfo, ObjectStore } from '../core/ports.ts';
import type { DataFile } from '../core/types.ts';

/**
 * One listing for each attempt's table folder, however many files it holds. The checksum counts where the store keeps one.
 *
 * @returns when the oldest of them was written, epoch ms by the store's clock; null where there are none
 * @throws PipelineError `object_not_found`, `data_unreadable` (another size or checksum), naming the first key in order
 */
export async function verifyObjects(store: ObjectStore, files: Iterable<DataFile>): Promise<number | null> {
  let oldestMs: number | null = null;
  const byPrefix = new Map<string, DataFile[]>();
  for (const file of files) {
    const prefix = tablePrefixOf(file.key);
    const list = byPrefix.get(prefix);
    if (list) list.push(file);
    else byPrefix.set(prefix, [file]);
  }
  for (const [prefix, expected] of [...byPrefix].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const objects = new Map<string, ObjectInfo>();
    for await (const info of store.list(prefix)) objects.set(info.key, info);
    for (const file of expected) {
      const { writtenAtMs } = assertPresent(store, file, objects.get(file.key));
      oldestMs = Math.min(oldestMs ?? writtenAtMs, writtenAtMs);
    }
  }
  return oldestMs;
}

function assertPresent(store: ObjectStore, file: DataFile, info: ObjectInfo | undefined): ObjectInfo {
  const context = { key: file.key };
  if (info === undefined) {
    throw new PipelineError(
      'object_not_found',
      `${store.displayName}${file.key} is gone, so nothing was published. ` +
        'It was deleted after it was staged; clear the task that built it, to stage it again.',
      { context },
    );
  }
  const isSame = info.sizeBytes === file.sizeBytes && (info.crc32c === null || info.crc32c === file.crc32c);
  if (isSame) return info;
  const found = info.sizeBytes === file.sizeBytes ? `checksum ${info.crc32c}` : `${info.sizeBytes} bytes`;
  const written = info.sizeBytes === file.sizeBytes ? `${file.crc32c} was` : `${file.sizeBytes} were`;
  throw new PipelineError(
    'data_unreadable',
    `${store.displayName}${file.key} has ${found}, but ${written} written, so nothing was published. ` +
      'Something changed it afterwards; clear the task that built it, to stage it again.',
    { context },
  );
}

function tablePrefixOf(key: string): string {
  const staged = parseStagedKey(key);
  return staged ? key.slice(0, key.length - staged.path.length) : key.slice(0, key.lastIndexOf('/') + 1);
}
