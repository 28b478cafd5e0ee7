/** A folder -> an ObjectStore: one file an object, written whole or not at all, with compare-and-set between processes. */
import { randomUUID } from 'node:crypto';
import type { BigIntStats, Dirent } from 'node:fs';
import { copyFile, link, open, readdir, realpath, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import type { ByteRange, ObjectInfo, ObjectStore, Precondition } from '../../core/ports.ts';
import { assertKeyPrefix, assertObjectKey } from '../object-key.ts';
import { errnoOf, isMissing, storageError } from '../storage-error.ts';
import { inFolder, removeEmptyFolders, syncFile, syncFolder, writeNewFile } from './durable-files.ts';
import { withFileLock } from './file-lock.ts';
import { sweepLeftovers } from './leftovers.ts';

const STREAM_CHUNK_BYTES = 1024 * 1024;

export interface LocalStoreOptions {
  /** Absolute path of the folder; made with the first write. */
  readonly root: string;
  /** For messages; default: the root with a closing slash. */
  readonly displayName?: string;
}

/**
 * Objects in a local folder, safe for any number of processes on it.
 *
 * A write lands beside its target under a name that begins with a dot (never listed), is synced, and then takes the
 * target's name: by `link` where the key must be absent (the kernel lets one of many win), else by `rename` under a
 * lock file of that key, which makes compare and set one step. Folders laid elsewhere by a symbolic link are followed.
 * A folder goes with the last object in it. A generation is inode, modification time and size; a replacement always gets a
 * later time than what it replaces.
 */
export function openLocalStore(options: LocalStoreOptions): ObjectStore {
  const { root } = options;
  const pathOf = (key: string): string => join(root, assertObjectKey(key));

  /** Runs file work for one key; whatever fails is told with key and path. */
  const guarded = async <T>(doing: string, key: string, work: (path: string) => Promise<T>): Promise<T> => {
    const path = pathOf(key);
    try {
      return await work(path);
    } catch (thrown) {
      throw storageError(thrown, `${doing} ${key}`, path);
    }
  };

  return {
    displayName: options.displayName ?? `${root}/`,

    read: (key) => guarded('read', key, readWhole),

    write: (key, body, precondition) =>
      guarded('write', key, (path) =>
        inFolder(dirname(path), async () => {
          const temporary = temporaryBeside(path);
          try {
            await writeNewFile(temporary, body);
            return await place(key, temporary, path, precondition);
          } finally {
            await rm(temporary, { force: true });
          }
        }),
      ),

    writeFile: (key, localPath, precondition) =>
      guarded('write', key, async (path) => {
        await syncFile(localPath);
        return inFolder(dirname(path), () => takeOver(key, localPath, path, precondition));
      }),

    stat: (key) =>
      guarded('look at', key, async (path) => {
        const stats = await statFile(path);
        return stats === null ? null : infoOf(key, stats);
      }),

    stream: (key, range) => streamFile(key, pathOf(key), range ?? { start: 0 }),

    copy: (from, to, precondition) =>
      guarded('copy to', to, async (path) => {
        const source = pathOf(from);
        return inFolder(dirname(path), async () => {
          if ((await statFile(source)) === null) throw objectNotFound(from, source);
          const temporary = temporaryBeside(path);
          try {
            await copyFile(source, temporary);
            await syncFile(temporary);
            return await place(to, temporary, path, precondition);
          } finally {
            await rm(temporary, { force: true });
          }
        });
      }),

    list: (prefix) => listObjects(root, assertKeyPrefix(prefix)),

    delete: (key, precondition) =>
      guarded('delete', key, async (path) => {
        const wasThere = await remove(key, path, precondition);
        await removeEmptyFolders(dirname(path), root);
        return wasThere;
      }),

    localPath: (key) =>
      guarded('read', key, async (path) => {
        if ((await statFile(path)) === null) throw objectNotFound(key, path);
        return path;
      }),

    sweep: (beforeMs, isDryRun) => sweepLeftovers(root, beforeMs, isDryRun),

    uri: (key) => pathToFileURL(pathOf(key)).href,
  };
}

/** One open file throughout, so that a replacement meanwhile does not mix in. */
async function* streamFile(key: string, path: string, range: ByteRange): AsyncIterable<Uint8Array> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const start = range.start < 0 ? Math.max(0, size + range.start) : range.start;
      const end = Math.min(size, range.end ?? size);
      for (let at = start; at < end; ) {
        const { bytesRead, buffer } = await handle.read(
          Buffer.alloc(Math.min(STREAM_CHUNK_BYTES, end - at)),
          0,
          null,
          at,
        );
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (isMissing(thrown)) throw objectNotFound(key, path);
    throw storageError(thrown, `read ${key}`, path);
  }
}

async function readWhole(path: string): Promise<{ body: Uint8Array; generation: string } | null> {
  try {
    const handle = await open(path, 'r');
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) return null;
      return { body: await handle.readFile(), generation: generationOf(stats) };
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

/** Gives a finished, synced file its name. Consumes `source` where it succeeds. */
async function place(
  key: string,
  source: string,
  target: string,
  precondition: Precondition | undefined,
): Promise<ObjectInfo> {
  const info =
    precondition === 'absent'
      ? await linkNew(key, source, target)
      : await withFileLock(lockOf(target), () => replace(key, source, target, precondition));
  await syncPlaced(dirname(target));
  return info;
}

/** Where the folder is gone, the object was written and somebody has deleted it since. */
async function syncPlaced(folder: string): Promise<void> {
  try {
    await syncFolder(folder);
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
  }
}

async function linkNew(key: string, source: string, target: string): Promise<ObjectInfo> {
  const info = infoOf(key, await stat(source, { bigint: true }));
  try {
    await link(source, target);
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') throw preconditionFailed(key, 'it to be absent', 'that it exists');
    throw thrown;
  }
  await unlink(source);
  return info;
}

async function replace(
  key: string,
  source: string,
  target: string,
  precondition: Exclude<Precondition, 'absent'> | undefined,
): Promise<ObjectInfo> {
  const current = await statFile(target);
  assertGeneration(key, current, precondition);
  if (current !== null) await stampAfter(source, current);
  // Before the rename: afterwards another process may already have replaced it.
  const info = infoOf(key, await stat(source, { bigint: true }));
  await rename(source, target);
  return info;
}

function assertGeneration(
  key: string,
  current: BigIntStats | null,
  precondition: Exclude<Precondition, 'absent'> | undefined,
): void {
  if (precondition === undefined) return;
  const found = current === null ? null : generationOf(current);
  if (found === precondition.generation) return;
  throw preconditionFailed(key, `generation ${precondition.generation}`, found ?? 'no such object');
}

/** File clocks tick in milliseconds; without this, two quick writes could share inode, size and time. */
async function stampAfter(path: string, older: BigIntStats): Promise<void> {
  const { mtimeNs, atimeMs } = await stat(path, { bigint: true });
  if (mtimeNs > older.mtimeNs) return;
  await utimes(path, Number(atimeMs) / 1000, (Number(older.mtimeNs / 1_000_000n) + 2) / 1000);
}

/** Moves the file, which is synced, where one file system holds both, else copies it first. */
async function takeOver(
  key: string,
  localPath: string,
  target: string,
  precondition: Precondition | undefined,
): Promise<ObjectInfo> {
  try {
    return await place(key, localPath, target, precondition);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EXDEV') throw thrown;
  }
  const temporary = temporaryBeside(target);
  try {
    await copyFile(localPath, temporary);
    await syncFile(temporary);
    const info = await place(key, temporary, target, precondition);
    await unlink(localPath);
    return info;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function remove(key: string, path: string, precondition: Precondition | undefined): Promise<boolean> {
  if ((await statFile(path)) === null) {
    if (typeof precondition === 'object') assertGeneration(key, null, precondition);
    return false;
  }
  if (precondition === 'absent') throw preconditionFailed(key, 'it to be absent', 'that it exists');
  try {
    return await withFileLock(lockOf(path), async () => {
      const current = await statFile(path);
      assertGeneration(key, current, precondition);
      if (current === null) return false;
      await unlink(path);
      await syncFolder(dirname(path));
      return true;
    });
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
    // Somebody deleted it meanwhile, and the folder in which the lock would lie.
    if (typeof precondition === 'object') assertGeneration(key, null, precondition);
    return false;
  }
}

async function* listObjects(root: string, prefix: string): AsyncIterable<ObjectInfo> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk(join(root, folder), folder, prefix, []);
}

/** Depth first in key order: a folder sorts as its name with a slash, because that is how its keys go on. */
async function* walk(
  path: string,
  folder: string,
  prefix: string,
  above: readonly string[],
): AsyncGenerator<ObjectInfo> {
  for (const { name, isFolder } of await entriesOf(path, folder)) {
    const key = folder + name;
    if (isFolder) {
      if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue;
      const real = await realFolder(join(path, name), above, key);
      if (real !== null) yield* walk(join(path, name), key, prefix, [...above, real]);
    } else if (key.startsWith(prefix)) {
      const stats = await statListed(join(path, name), key);
      if (stats !== null) yield infoOf(key, stats);
    }
  }
}

async function entriesOf(
  path: string,
  folder: string,
): Promise<readonly { readonly name: string; readonly isFolder: boolean }[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw storageError(thrown, `list ${folder}`, path);
  }
  const kept = await Promise.all(
    entries
      .filter((entry) => !entry.name.startsWith('.'))
      .map(async (entry) => {
        const isFolder = entry.isSymbolicLink() ? await leadsToFolder(join(path, entry.name)) : entry.isDirectory();
        return { name: isFolder ? `${entry.name}/` : entry.name, isFolder };
      }),
  );
  return kept.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function leadsToFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw storageError(thrown, 'follow a link', path);
  }
}

/** Null for a symbolic link that leads back to a folder it lies in, and for a folder that has gone meanwhile. */
async function realFolder(path: string, above: readonly string[], key: string): Promise<string | null> {
  try {
    const real = await realpath(path);
    return above.includes(real) ? null : real;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw storageError(thrown, `list ${key}`, path);
  }
}

async function statListed(path: string, key: string): Promise<BigIntStats | null> {
  try {
    return await statFile(path);
  } catch (thrown) {
    throw storageError(thrown, `list ${key}`, path);
  }
}

/** Null where no file has that name. */
async function statFile(path: string): Promise<BigIntStats | null> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stats : null;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

const generationOf = (stats: BigIntStats): string => `${stats.ino}-${stats.mtimeNs}-${stats.size}`;

const infoOf = (key: string, stats: BigIntStats): ObjectInfo => ({
  key,
  sizeBytes: Number(stats.size),
  generation: generationOf(stats),
  writtenAtMs: Number(stats.mtimeMs),
  crc32c: null,
});

const temporaryBeside = (path: string): string => join(dirname(path), `.tmp-${randomUUID()}`);

const lockOf = (path: string): string => join(dirname(path), `.lock-${basename(path)}`);

function objectNotFound(key: string, path: string): PipelineError {
  return new PipelineError(
    'object_not_found',
    `${key} is not in the store (looked for ${path}). It was never written or was removed by hand; ` +
      'clear the task that writes it, or restore the file.',
    { context: { key, path } },
  );
}

function preconditionFailed(key: string, expected: string, found: string): PipelineError {
  return new PipelineError(
    'precondition_failed',
    `${key}: expected ${expected}, found ${found}. Read it again first.`,
    {
      context: { key, expected, found },
    },
  );
}
