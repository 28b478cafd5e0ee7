/** Objects of a bucket -> files on this machine that engines can read. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { errnoOf, isMissing, storageError } from '../storage-error.ts';

export interface CacheOptions {
  /** Absolute path; several processes and buckets may share it. */
  readonly folder: string;
  readonly maxBytes: number;
}

/** What tells one content of an address from another. */
export interface CachedVersion {
  /** Null: of an object that never changes, which its checksum names. */
  readonly generation: string | null;
  readonly sizeBytes: number;
  readonly crc32c: string | null;
}

export interface ObjectCache {
  /**
   * @param address of the object, with its bucket
   * @param open its bytes, which fail where they do not match its checksum
   * @throws PipelineError `storage_full` where the files in use leave no room
   */
  path(address: string, version: CachedVersion, open: () => AsyncIterable<Uint8Array>): Promise<string>;
}

const PARALLEL_DOWNLOADS = 4;
/** Another process may still read what it was handed so recently. */
const IN_USE_MS = 10 * 60_000;
/** A download that was begun so long ago was left by a process that died. */
const LEFT_BEHIND_MS = 24 * 60 * 60_000;
const ARRIVING = '.arriving';
/** In each entry; its time is when the file was last handed out. No clock is needed to write it. */
const MARKER = '.read';

interface Entry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly readAtMs: number;
}

/**
 * `<folder>/<hash of address, generation and checksum>-<bytes>/<name>`, and beside it a marker that is written
 * whenever the file is handed out. A download arrives beside under a name of its own and is then renamed, so that a file is whole or not there, and
 * whichever process comes first provides it.
 *
 * To make room, what was read longest ago goes first. Spared is what this cache handed out since it was opened (that is:
 * in this task) and what anybody was handed within ten minutes; a file that is gone and open stays readable on its own.
 * Between two looks at the folder each process may add an eighth of the limit that others do not know of.
 */
export function openObjectCache({ folder, maxBytes }: CacheOptions): ObjectCache {
  const handedOut = new Set<string>();
  const arriving = new Map<string, Promise<void>>();
  const inTurn = createTurns(PARALLEL_DOWNLOADS);
  const room = createRoom(folder, maxBytes, handedOut);

  async function path(
    address: string,
    version: CachedVersion,
    source: () => AsyncIterable<Uint8Array>,
  ): Promise<string> {
    const entry = join(folder, entryName(address, version));
    const file = join(entry, basename(address));
    handedOut.add(entry); // From here on this process does not take it away.
    try {
      if (await touch(entry, file, version.sizeBytes)) return file;
      await (arriving.get(entry) ?? download(entry, file, version, source));
      await touch(entry, file, version.sizeBytes);
      return file;
    } catch (thrown) {
      handedOut.delete(entry);
      throw errnoOf(thrown) === undefined ? thrown : storageError(thrown, `keep a copy of ${address}`, folder);
    }
  }

  function download(
    entry: string,
    file: string,
    version: CachedVersion,
    source: () => AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const arrival = inTurn(async () => {
      const place = await room.reserve(version.sizeBytes);
      try {
        await mkdir(place, { recursive: true });
        await writeChunks(join(place, basename(file)), source());
        await writeFile(join(place, MARKER), '.');
        await settle(place, entry);
      } finally {
        await rm(place, { recursive: true, force: true });
        room.release(place);
      }
    }).finally(() => arriving.delete(entry));
    arriving.set(entry, arrival);
    return arrival;
  }

  return { path };
}

interface Room {
  /** Makes room for a download and gives the folder in which it may arrive. */
  reserve(sizeBytes: number): Promise<string>;
  /** It has arrived, or failed. */
  release(place: string): void;
}

function createRoom(folder: string, maxBytes: number, handedOut: ReadonlySet<string>): Room {
  const reserved = new Map<string, number>();
  let seenBytes = Number.POSITIVE_INFINITY; // There was no look yet.
  let addedBytes = 0; // Since the last look began.
  let turn: Promise<unknown> = Promise.resolve();

  async function makeRoom(sizeBytes: number): Promise<void> {
    const ownBytes = [...reserved.values()].reduce((sum, bytes) => sum + bytes, sizeBytes);
    if (seenBytes + addedBytes + ownBytes <= maxBytes && addedBytes <= maxBytes / 8) return;
    const knownBytes = addedBytes;
    const nowMs = await folderTimeMs(folder);
    const entries = await entriesIn(folder);
    const arrivingBytes = await clearArriving(join(folder, ARRIVING), nowMs, reserved);
    let bytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, arrivingBytes);
    for (const entry of entries.sort((a, b) => a.readAtMs - b.readAtMs)) {
      if (bytes + ownBytes <= maxBytes) break;
      if (handedOut.has(entry.path) || entry.readAtMs > nowMs - IN_USE_MS) continue;
      if (await take(entry, join(folder, ARRIVING, randomUUID()))) bytes -= entry.sizeBytes;
    }
    seenBytes = bytes;
    // What has arrived during the look may be missing from it.
    addedBytes -= knownBytes;
    if (bytes + ownBytes > maxBytes) throw noRoom(folder, maxBytes, bytes + ownBytes - sizeBytes, sizeBytes);
  }

  return {
    // One after the other, so that downloads side by side do not share one gap.
    reserve: (sizeBytes) => {
      const made = turn.then(async () => {
        await makeRoom(sizeBytes);
        const place = join(folder, ARRIVING, randomUUID());
        reserved.set(place, sizeBytes);
        return place;
      });
      turn = made.catch(() => {});
      return made;
    },
    release: (place) => {
      addedBytes += reserved.get(place) ?? 0;
      reserved.delete(place);
    },
  };
}

function entryName(address: string, { generation, sizeBytes, crc32c }: CachedVersion): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([address, generation, crc32c]))
    .digest('hex');
  return `${hash.slice(0, 32)}-${sizeBytes}`;
}

/** Marks it as read now. False where it is not there whole. */
async function touch(entry: string, file: string, sizeBytes: number): Promise<boolean> {
  try {
    await writeFile(join(entry, MARKER), '.');
    if ((await stat(file)).size === sizeBytes) return true;
    await rm(entry, { recursive: true, force: true });
    return false;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

async function writeChunks(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}

/** Another process may have been quicker with the same bytes. */
async function settle(place: string, entry: string): Promise<void> {
  try {
    await rename(place, entry);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw thrown;
  }
}

/** Moved away first, then looked at again: where somebody was handed it in between, it is put back. */
async function take(entry: Entry, aside: string): Promise<boolean> {
  try {
    await rename(entry.path, aside);
    if ((await stat(join(aside, MARKER))).mtimeMs === entry.readAtMs) {
      await rm(aside, { recursive: true, force: true });
      return true;
    }
    await settle(aside, entry.path);
    return false;
  } catch (thrown) {
    if (isMissing(thrown)) return false;
    throw thrown;
  }
}

async function entriesIn(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of await readdir(folder)) {
    const sizeBytes = Number(/^[0-9a-f]{32}-(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(sizeBytes)) continue;
    try {
      const path = join(folder, name);
      entries.push({ path, sizeBytes, readAtMs: (await stat(join(path, MARKER))).mtimeMs });
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
    }
  }
  return entries;
}

/** Removes what dead processes left; gives the bytes of what is on its way to others. */
async function clearArriving(folder: string, nowMs: number, own: ReadonlyMap<string, unknown>): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (own.has(path)) continue;
    try {
      if ((await stat(path)).mtimeMs < nowMs - LEFT_BEHIND_MS) await rm(path, { recursive: true, force: true });
      else for (const file of await readdir(path)) bytes += (await stat(join(path, file))).size;
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
    }
  }
  return bytes;
}

/** Now, by the clock of the file system, which also dates the entries. */
async function folderTimeMs(folder: string): Promise<number> {
  const probe = join(folder, ARRIVING, randomUUID());
  await mkdir(probe, { recursive: true });
  try {
    return (await stat(probe)).mtimeMs;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** At most so many at once, in the order they came. */
function createTurns(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

function noRoom(folder: string, maxBytes: number, usedBytes: number, sizeBytes: number): PipelineError {
  return new PipelineError(
    'storage_full',
    `The cache ${folder} may hold ${maxBytes} bytes (cache.max_size); ${usedBytes} are in use by this task or were read ` +
      `within ten minutes, and ${sizeBytes} more are needed. Raise cache.max_size, or let other runs finish first.`,
    { context: { folder, maxBytes, usedBytes, sizeBytes } },
  );
}
