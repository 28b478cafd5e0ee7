/** A local store's folder -> what killed writers left between its objects: temporary files, second names, locks of the dead. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ObjectCount } from '../../core/ports.ts';
import { errnoOf, isMissing, storageError } from '../storage-error.ts';
import { removeEmptyFolders } from './durable-files.ts';
import { isLeftBehind, removeLeftBehind } from './file-lock.ts';

/** As the store and its locks name them; dot files of other programs are not ours. */
const TEMPORARY = /^\.tmp-(lock-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LOCK = /^\.lock-./;

/**
 * Removes, or only counts, what was last written before an instant. A writer that is at it after so long finds its temporary
 * file gone and writes it again; a lock whose holder lives stays.
 *
 * @param beforeMs epoch ms, by the file system's clock
 */
export async function sweepLeftovers(root: string, beforeMs: number, isDryRun: boolean): Promise<ObjectCount> {
  const count = { objects: 0, bytes: 0 };
  for await (const path of dotFiles(root, [])) {
    const isLock = LOCK.test(basename(path));
    const sizeBytes = isLock || TEMPORARY.test(basename(path)) ? await sizeIfOlder(path, beforeMs) : null;
    if (sizeBytes === null || (isLock && !(await isLeftBehind(path)))) continue;
    count.objects += 1;
    count.bytes += sizeBytes;
    if (isDryRun) continue;
    await (isLock ? removeLeftBehind(path) : removeFile(path));
    await removeEmptyFolders(dirname(path), root);
  }
  return count;
}

/** Folders laid elsewhere by a symbolic link are followed, once. */
async function* dotFiles(folder: string, above: readonly string[]): AsyncGenerator<string> {
  const real = await ifThere(folder, () => realpath(folder));
  if (real === null || above.includes(real)) return;
  for (const entry of (await ifThere(folder, () => readdir(folder, { withFileTypes: true }))) ?? []) {
    const path = join(folder, entry.name);
    if (await isFolder(entry, path)) yield* dotFiles(path, [...above, real]);
    else if (entry.name.startsWith('.')) yield path;
  }
}

async function isFolder(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return (await ifThere(path, () => stat(path)))?.isDirectory() ?? false;
}

/** Null where it is younger, or gone. */
async function sizeIfOlder(path: string, beforeMs: number): Promise<number | null> {
  const stats = await ifThere(path, () => stat(path));
  return stats?.isFile() && stats.mtimeMs < beforeMs ? stats.size : null;
}

const removeFile = (path: string): Promise<unknown> => ifThere(path, () => unlink(path));

/** Null where somebody has removed it meanwhile, and where this user may not look: that is none of ours. */
async function ifThere<T>(path: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    if (isMissing(thrown) || errnoOf(thrown) === 'EACCES') return null;
    throw storageError(thrown, 'look for what killed writers left in', path);
  }
}
