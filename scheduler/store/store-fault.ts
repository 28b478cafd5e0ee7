/** What SQLite throws -> `storage_full` or `storage_denied` where the disk or a missing right is the reason, else the same again. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { PipelineError } from '../../core/errors.ts';

/** A commit of the run store is smaller; below it an I/O error is no riddle. */
const ROOM_BYTES = 256 * 1024;

/**
 * A full disk shows as SQLITE_FULL where a page does not fit, and as SQLITE_IOERR_* or SQLITE_CANTOPEN where the files beside
 * the database (`-wal`, `-shm`) do not.
 *
 * @source SQLite, "Result and Error Codes" (read 2026-11-21)
 */
export function storeFault(thrown: unknown, path: string): unknown {
  const code = (thrown as { readonly code?: unknown } | null)?.code;
  if (typeof code !== 'string') return thrown;
  const isFull = code === 'SQLITE_FULL' || (/^SQLITE_(IOERR|CANTOPEN)/.test(code) && isWithoutRoom(path));
  if (isFull) return storeFull(path, thrown);
  return isDenied(code, thrown) ? storeDenied(path, thrown) : thrown;
}

/** The client does not know the names of all extended codes, e.g. of SQLITE_READONLY_CANTINIT; its words do. */
function isDenied(code: string, thrown: unknown): boolean {
  if (/^SQLITE_(READONLY|PERM|CANTOPEN)/.test(code)) return true;
  return /readonly database|unable to open database file/i.test(thrown instanceof Error ? thrown.message : '');
}

/** Readers too have to write beside the database: SQLite keeps there who reads what. */
function storeDenied(path: string, cause: unknown): PipelineError {
  return new PipelineError(
    'storage_denied',
    `This user may not write ${path}, which everybody who runs a project, or looks at its runs, has to. ` +
      'Give it the right to write in that folder, or run the command as the user who owns the project.',
    { context: { path }, cause },
  );
}

/** For every file that the scheduler itself must write, beside the attempts' own. */
export function storeFull(path: string, cause: unknown): PipelineError {
  return new PipelineError(
    'storage_full',
    `The disk that holds ${path} is full, so the scheduler cannot write down what happens and stops here. ` +
      'Nothing published is lost. Free some space there, then run the same command again: it goes on where it stopped.',
    { context: { path }, cause },
  );
}

function isWithoutRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < ROOM_BYTES;
  } catch {
    return false;
  }
}
