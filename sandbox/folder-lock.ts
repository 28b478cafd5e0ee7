/** A folder -> at most one sandbox on it; a killed one does not keep it. */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';

interface Holder {
  readonly pid: number;
  /** Tells a process from a later one with the same pid; empty where the system does not say. */
  readonly startedAt: string;
  /** Names this one acquisition. */
  readonly token: string;
}

/**
 * The lock is a hard link, so it appears whole or not at all. Who finds it with a dead holder removes it, after making a file
 * named for that very acquisition: of two who come at once, one may, and neither can remove the other's new lock.
 *
 * @returns what lets go of the folder
 * @throws PipelineError `project_locked` naming the process that has it
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'lock');
  const own: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? '', token: randomUUID() };
  const draft = join(folder, `lock-${own.token}`);
  writeFileSync(draft, JSON.stringify(own));
  try {
    if (!tryLink(draft, path)) takeOver(folder, path, draft);
  } finally {
    unlinkSync(draft);
  }
  return () => {
    if (readHolder(path)?.token === own.token) rmSync(path, { force: true });
  };
}

/** The process that has the folder now; null where none has. Takes no lock itself. */
export function holderOf(folder: string): number | null {
  const held = readHolder(join(folder, 'lock'));
  return held && isAlive(held) ? held.pid : null;
}

function takeOver(folder: string, path: string, draft: string): void {
  const held = readHolder(path);
  if (held) {
    if (isAlive(held)) throw lockedBy(folder, held);
    const right = join(folder, `lock-after-${held.token}`);
    // Whoever made it may have died as well; then the right itself is taken over.
    if (!tryLink(draft, right)) takeOver(folder, right, draft);
    if (readHolder(path)?.token === held.token) unlinkSync(path);
    const isOurs = tryLink(draft, path);
    unlinkSync(right);
    if (isOurs) return;
  } else if (tryLink(draft, path)) return;
  throw lockedBy(folder, readHolder(path));
}

function lockedBy(folder: string, holder: Holder | null): PipelineError {
  const who = holder ? `process ${holder.pid}` : 'another process';
  return new PipelineError(
    'project_locked',
    `${folder} is in use by a sandbox that already runs (${who}). Use that one, stop it first, or give this one another folder.`,
    { context: { folder } },
  );
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const startedAt = startOf(holder.pid);
  return startedAt === null || holder.startedAt === '' || startedAt === holder.startedAt;
}

/** Clock ticks from boot to the start of a process: field 22 of Linux's /proc/<pid>/stat. Null elsewhere. */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
