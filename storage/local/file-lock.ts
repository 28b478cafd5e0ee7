/** A path -> mutual exclusion between processes of this machine, freed when its holder dies. */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, readFile, stat, unlink } from 'node:fs/promises';
import { hostname, uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../core/errors.ts';
import { errnoOf, isMissing } from '../storage-error.ts';
import { writeNewFile } from './durable-files.ts';

interface ProcessIdentity {
  readonly host: string;
  /** `''` where the system does not say. */
  readonly bootId: string;
  /** Containers number their processes apart from each other. */
  readonly pidSpace: string;
  readonly pid: number;
  /** Clock ticks since boot, which tell a process from a later one with the same pid; `''` where the system does not say. */
  readonly startedAt: string;
}

/** Who holds a lock. `token` names this one acquisition, so that a lock taken later is never mistaken for it. */
interface Holder extends ProcessIdentity {
  readonly token: string;
}

const WAIT_MS = 10;
const MAX_WAITS = 1_500;
/** A holder in another container, or of a lock that cannot be read, cannot be looked up; what it does takes milliseconds. */
const FOREIGN_STALE_MS = 5 * 60_000;

/**
 * Runs the work while no other process, and nobody else in this one, runs work under the same path.
 *
 * The lock is a hard link to a file that is on the disk, so it appears whole or not at all, also where the power fails. A lock
 * whose holder died, be it with the machine, is removed by whoever comes next; that removal is itself done under a lock named
 * for the dead acquisition, so that two who come at once cannot remove each other's.
 *
 * @throws PipelineError `storage_unavailable` where the holder does not let go for 15 s
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const own = await acquire(path);
  try {
    return await work();
  } finally {
    await release(path, own);
  }
}

/** True where the holder of the lock died; false where nobody holds it. */
export async function isLeftBehind(path: string): Promise<boolean> {
  const held = await readHolder(path);
  return held !== null && (await isDead(path, held));
}

/** Does what whoever wanted this lock next would do. */
export async function removeLeftBehind(path: string): Promise<void> {
  const held = await readHolder(path);
  if (held !== null && (await isDead(path, held))) await removeStale(path, held);
}

async function acquire(path: string): Promise<Holder> {
  const own: Holder = { ...thisProcess(), token: randomUUID() };
  for (let waits = 0; waits < MAX_WAITS; waits += 1) {
    const held = await readHolder(path);
    if (held === null) {
      if (await tryTake(path, own)) return own;
    } else if (await isDead(path, held)) await removeStale(path, held);
    else await sleep(WAIT_MS);
  }
  const holder = await readHolder(path);
  throw new PipelineError(
    'storage_unavailable',
    `${path} is locked by process ${holder?.pid ?? '?'} on ${holder?.host ?? '?'} and was not freed in time. ` +
      'If that process is gone, delete the lock file; else stop it and try again.',
    { context: { path } },
  );
}

async function tryTake(path: string, own: Holder): Promise<boolean> {
  const temporary = join(dirname(path), `.tmp-lock-${own.token}`);
  await writeNewFile(temporary, Buffer.from(JSON.stringify(own)));
  try {
    await link(temporary, path);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'EEXIST') return false;
    throw thrown;
  } finally {
    await unlink(temporary);
  }
}

async function removeStale(path: string, dead: Holder): Promise<void> {
  await withFileLock(`${path}.${dead.token}`, async () => {
    const now = await readHolder(path);
    if (now?.token === dead.token) await unlink(path);
  });
}

async function release(path: string, own: Holder): Promise<void> {
  const held = await readHolder(path);
  if (held?.token === own.token) await unlink(path);
}

/** Null where the lock has gone meanwhile. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    return parseHolder(await readFile(path, 'utf8')) ?? (await nobody(path));
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
}

function parseHolder(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.token === 'string' && typeof holder.pid === 'number' ? (holder as Holder) : null;
  } catch {
    return null;
  }
}

/** Of a lock file that no process of ours wrote like this: an empty one that a copy or a repaired disk has left. */
async function nobody(path: string): Promise<Holder> {
  const { ino, mtimeMs } = await stat(path);
  return {
    host: '',
    bootId: '',
    pidSpace: '',
    pid: 0,
    startedAt: '',
    token: `unreadable-${ino}-${Math.trunc(mtimeMs)}`,
  };
}

async function isDead(path: string, held: Holder): Promise<boolean> {
  const me = thisProcess();
  if (held.host === me.host && held.bootId !== me.bootId) return true;
  const isOfThisBoot = held.bootId === me.bootId && (me.bootId !== '' || held.host === me.host);
  if (!isOfThisBoot || held.pidSpace !== me.pidSpace) return (await ageMs(path)) > FOREIGN_STALE_MS;
  if (!isRunning(held)) return true;
  // Nothing tells the process from a later one with its pid; but one that began since the machine did holds no older lock.
  return held.startedAt === '' && (await ageMs(path)) > uptime() * 1000;
}

/** By the file system's own clock, which also stamped the lock. */
async function ageMs(path: string): Promise<number> {
  const probe = join(dirname(path), `.tmp-lock-${randomUUID()}`);
  await writeNewFile(probe, new Uint8Array());
  try {
    const [now, then] = await Promise.all([stat(probe), stat(path)]);
    return now.mtimeMs - then.mtimeMs;
  } catch (thrown) {
    if (isMissing(thrown)) return 0;
    throw thrown;
  } finally {
    await unlink(probe);
  }
}

function isRunning(process: ProcessIdentity): boolean {
  if (!hasPid(process.pid)) return false;
  const now = processState(process.pid);
  if (now === null || process.startedAt === '') return true;
  return now.startedAt === process.startedAt && now.state !== 'Z';
}

function hasPid(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === 'EPERM';
  }
}

let identity: ProcessIdentity | null = null;

function thisProcess(): ProcessIdentity {
  identity ??= {
    host: hostname(),
    bootId: orNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? '',
    pidSpace: orNull(() => readlinkSync('/proc/self/ns/pid')) ?? '',
    pid: process.pid,
    startedAt: processState(process.pid)?.startedAt ?? '',
  };
  return identity;
}

/** Fields 3 and 22 of Linux's /proc/<pid>/stat; its second field may hold blanks and ends at the last `)`. Null elsewhere. */
function processState(pid: number): { readonly state: string; readonly startedAt: string } | null {
  return orNull(() => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startedAt: fields[19] ?? '' };
  });
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
