/** A project's state folder -> at most one scheduler on it, named for whoever comes second. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock } from '../core/ports.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { holdExclusively } from './store/exclusive-file.ts';
import { storeFull } from './store/store-fault.ts';

export interface LockHolder {
  readonly pid: number;
  /** Where its server listens; null where it serves nothing. */
  readonly address: string | null;
  /** ISO, UTC. */
  readonly startedAt: string;
}

export interface ProjectLock {
  /** Says where the server listens, once it does. */
  announce(address: string): void;
  release(): void;
}

const lockFile = (stateDir: string): string => join(stateDir, 'scheduler.lock');
const mutexFile = (stateDir: string): string => join(stateDir, 'scheduler.mutex');

/**
 * Takes the project for this process. `scheduler.lock` says who has it; what keeps others out is a lock of the operating
 * system on `scheduler.mutex`, which no killed process can leave behind.
 *
 * @throws PipelineError `project_locked` with pid and address of the holder; `storage_full`
 */
export function acquireProjectLock(options: {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly address?: string;
}): ProjectLock {
  const { stateDir, clock } = options;
  mkdirSync(stateDir, { recursive: true });
  const held = holdExclusively(mutexFile(stateDir));
  if (held === null) throw lockedBy(readLockFile(stateDir));
  const startedAt = isoInstant(clock.now());
  const write = (address: string | null): void => {
    const text = JSON.stringify({ pid: process.pid, address, startedAt, process: identify(process.pid) });
    const draft = `${lockFile(stateDir)}.${process.pid}`;
    writeFileSync(draft, `${text}\n`);
    renameSync(draft, lockFile(stateDir));
  };
  const release = (): void => {
    rmSync(lockFile(stateDir), { force: true });
    held.release();
  };
  try {
    write(options.address ?? null);
  } catch (thrown) {
    release();
    throw (thrown as NodeJS.ErrnoException).code === 'ENOSPC' ? storeFull(lockFile(stateDir), thrown) : thrown;
  }
  return { announce: write, release };
}

/** Who has the project now; null where nobody has. Takes no lock itself. */
export function readProjectLock(stateDir: string): LockHolder | null {
  const holder = readLockFile(stateDir);
  return holder && isAlive(holder.process)
    ? { pid: holder.pid, address: holder.address, startedAt: holder.startedAt }
    : null;
}

type LockText = LockHolder & { readonly process: ProcessIdentity };

function readLockFile(stateDir: string): LockText | null {
  try {
    const text = JSON.parse(readFileSync(lockFile(stateDir), 'utf8')) as Partial<LockText>;
    if (typeof text.pid !== 'number' || typeof text.startedAt !== 'string' || !text.process) return null;
    return { pid: text.pid, address: text.address ?? null, startedAt: text.startedAt, process: text.process };
  } catch {
    return null;
  }
}

function lockedBy(holder: LockHolder | null): PipelineError {
  const who = holder ? `process ${holder.pid}, since ${holder.startedAt}` : 'another process';
  const where = holder?.address ? `, listening on ${holder.address}` : '';
  const advice = holder?.address
    ? 'Send your command to it, or stop it first.'
    : 'Give your command again when it has ended, or stop it first.';
  return new PipelineError('project_locked', `Another scheduler runs this project: ${who}${where}. ${advice}`, {
    context: { pid: holder?.pid ?? null, address: holder?.address ?? null },
  });
}
