/** File operations that are on the disk, not only in its cache, when they return. */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../storage-error.ts';

/** Creates the folder with its parents; a crash afterwards does not lose them. */
export async function ensureFolder(folder: string): Promise<void> {
  const firstMade = await mkdir(folder, { recursive: true });
  if (firstMade === undefined) return;
  for (let made = folder; made.length >= firstMade.length; made = dirname(made)) await syncFolder(dirname(made));
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
