/** Files that a version would reference -> proof that each lies in the store with its size. */
import { PipelineError } from '../core/errors.ts';
import { parseStagedKey } from '../core/object-keys.ts';
import type { ObjectStore } from '../core/ports.ts';
import type { DataFile } from '../core/types.ts';

/**
 * One listing for each attempt's table folder, however many files it holds.
 *
 * @throws PipelineError `object_not_found`, `data_unreadable` (another size), naming the first key in order
 */
export async function verifyObjects(store: ObjectStore, files: Iterable<DataFile>): Promise<void> {
  const byPrefix = new Map<string, DataFile[]>();
  for (const file of files) {
    const prefix = tablePrefixOf(file.key);
    const list = byPrefix.get(prefix);
    if (list) list.push(file);
    else byPrefix.set(prefix, [file]);
  }
  for (const [prefix, expected] of [...byPrefix].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of store.list(prefix)) sizes.set(key, sizeBytes);
    for (const file of expected) assertPresent(store, file, sizes.get(file.key));
  }
}

function assertPresent(store: ObjectStore, file: DataFile, sizeBytes: number | undefined): void {
  const context = { key: file.key };
  if (sizeBytes === undefined) {
    throw new PipelineError(
      'object_not_found',
      `${store.displayName}${file.key} is gone, so nothing was published. ` +
        'It was deleted after it was staged; clear the task that built it, to stage it again.',
      { context },
    );
  }
  if (sizeBytes === file.sizeBytes) return;
  throw new PipelineError(
    'data_unreadable',
    `${store.displayName}${file.key} has ${sizeBytes} bytes, but ${file.sizeBytes} were written, so nothing was published. ` +
      'Something changed it afterwards; clear the task that built it, to stage it again.',
    { context },
  );
}

function tablePrefixOf(key: string): string {
  const staged = parseStagedKey(key);
  return staged ? key.slice(0, key.length - staged.path.length) : key.slice(0, key.lastIndexOf('/') + 1);
}
