/** A folder of finished files -> objects of a store, under keys that are the files' paths in it. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { mapParallel } from '../core/map-parallel.ts';
import type { ObjectStore } from '../core/ports.ts';

const PARALLEL_FILES = 8;

/**
 * Uploads what the store lacks or has in another size; a repeat uploads nothing. Names that begin with a dot are left out.
 *
 * @returns what was uploaded
 */
export async function uploadFolder(
  store: ObjectStore,
  folder: string,
): Promise<{ readonly objects: number; readonly sizeBytes: number }> {
  const present = new Map<string, number>();
  for await (const { key, sizeBytes } of store.list('')) present.set(key, sizeBytes);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const uploaded = await mapParallel(paths, PARALLEL_FILES, async (path): Promise<number | null> => {
    const key = relative(folder, path).split(sep).join('/');
    const { size } = await stat(path);
    if (present.get(key) === size) return null;
    await store.writeFile(key, path);
    return size;
  });
  const sizes = uploaded.filter((size) => size !== null);
  return { objects: sizes.length, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) };
}
