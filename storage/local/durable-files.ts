/** File operations that are on the disk, not only in its cache, when they return. */
import { mkdir, open, rmdir } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { errnoOf } from '../storage-error.ts';

/** Creates the folder with its parents; a crash afterwards does not lose them. */
async function ensureFolder(folder: string): Promise<void> {
  const firstMade = await mkdir(folder, { recursive: true });
  if (firstMade === undefined) return;
  for (let made = folder; made.length >= firstMade.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Each time somebody must have removed the folder within microseconds. */
const MAX_FOLDER_TRIES = 100;

/**
 * Does work that leaves a file in the folder, which is made where it is not there. Whoever deletes the last file of a folder
 * takes the folder away too, maybe just now: then it is made again, and the work done again.
 */
export async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      await ensureFolder(folder);
      return await work();
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT' || tries === MAX_FOLDER_TRIES) throw thrown;
    }
  }
}

/**
 * Removes the folder and those above it that hold nothing, up to `root`, which stays. The system refuses to remove one with
 * anything in it, be it a file that is being written, and one that is a symbolic link.
 *
 * Not on Windows: the name of a folder that a program still looks into is kept there, and refuses writers meanwhile.
 */
export async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  if (process.platform === 'win32') return;
  for (let empty = folder; empty.startsWith(root + sep); empty = dirname(empty)) {
    try {
      await rmdir(empty);
    } catch {
      // It holds something, or may not be removed. What was asked for is done either way.
      return;
    }
  }
}

/** Writes a new file; fails with EEXIST where there is one. */
export async function writeNewFile(path: string, body: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await handle.writeFile(body);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a created, renamed or removed name durable. Some file systems refuse to sync a folder; then there is nothing to do. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== 'EISDIR' && errno !== 'EPERM' && errno !== 'EINVAL' && errno !== 'EACCES') throw thrown;
  }
}
