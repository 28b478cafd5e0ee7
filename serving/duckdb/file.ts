/** A database file -> a session on it, waited for while another process holds it, or an error that names the holder. */
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { PipelineError } from '../../core/errors.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';

export interface DuckDbFileOptions {
  readonly path: string;
  readonly memoryLimit?: string | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for another process to let go of the file. Default 5 s: a killed one lets go at once. */
  readonly lockWaitMs?: number;
}

const LOCK_RETRY_MS = 250;

/** DuckDB would open one file twice in a process and let the two differ. */
const openPaths = new Set<string>();

/**
 * Opens the file, made where it is not there. `close` of what comes back lets others in.
 *
 * @throws PipelineError `warehouse_unavailable` (retryable) where another process holds the file, `warehouse_rejected` where it is no database
 */
export async function openDuckDbFile(
  options: DuckDbFileOptions,
): Promise<{ session: DuckDbSession; close(): Promise<void> }> {
  const path = resolve(options.path);
  if (openPaths.has(path)) throw unavailable(path, 'this process has it open already', undefined);
  openPaths.add(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const session = await openWaiting(path, options);
    return {
      session,
      close: async () => {
        await session.close();
        openPaths.delete(path);
      },
    };
  } catch (thrown) {
    openPaths.delete(path);
    throw thrown;
  }
}

async function openWaiting(path: string, options: DuckDbFileOptions): Promise<DuckDbSession> {
  const { memoryLimit, threads, signal } = options;
  for (let left = options.lockWaitMs ?? 5_000; ; left -= LOCK_RETRY_MS) {
    try {
      return await DuckDbSession.open({
        path,
        ...(memoryLimit === undefined ? {} : { memoryLimit }),
        ...(threads === undefined ? {} : { threads }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (thrown) {
      const failure = openFailure(path, thrown);
      if (failure.code !== 'warehouse_unavailable' || left <= 0) throw failure;
      await waitUnlessCancelled(signal);
    }
  }
}

async function waitUnlessCancelled(signal: AbortSignal | undefined): Promise<void> {
  try {
    await wait(LOCK_RETRY_MS, undefined, signal ? { signal } : {});
  } catch (cause) {
    throw new PipelineError('task_cancelled', 'The task was cancelled while it waited for the warehouse.', { cause });
  }
}

function openFailure(path: string, thrown: unknown): PipelineError {
  if (thrown instanceof PipelineError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (/could not set lock|conflicting lock|being used by another process/i.test(message)) {
    const holder = /Conflicting lock is held in (.+?)\.(?:\s|$)/.exec(message)?.[1] ?? 'another process holds it';
    return unavailable(path, holder, thrown);
  }
  if (/not a valid DuckDB database|version number|serialization|corrupt/i.test(message)) {
    const next = 'Move it away: the next load builds it anew from the published tables.';
    return new PipelineError(
      'warehouse_rejected',
      `${path} is no DuckDB database that this version reads: ${message}. ${next}`,
      {
        context: { path },
        cause: thrown,
      },
    );
  }
  return new PipelineError('warehouse_unavailable', `The warehouse ${path} cannot be opened: ${message}.`, {
    context: { path },
    cause: thrown,
  });
}

function unavailable(path: string, holder: string, cause: unknown): PipelineError {
  return new PipelineError(
    'warehouse_unavailable',
    `The warehouse ${path} is in use: ${holder}. It admits one process at a time; close that one, or wait for it, and the task goes on.`,
    { context: { path }, cause },
  );
}
