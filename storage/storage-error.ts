/** A failed file operation -> the PipelineError that tells retry policy and reader what to do. */
import { PipelineError } from '../core/errors.ts';

const DISK_FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** True for the errno of a path that does not lead to a file. */
export function isMissing(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

export function errnoOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException | null)?.code;
}

/**
 * `storage_full` where the disk has no room, else `storage_unavailable`; a PipelineError stays what it is.
 *
 * @param doing what was tried, e.g. `write silver/_latest.json`
 */
export function storageError(thrown: unknown, doing: string, path: string): PipelineError {
  if (thrown instanceof PipelineError) return thrown;
  const errno = errnoOf(thrown) ?? 'unknown error';
  const context = { path, errno };
  if (DISK_FULL.has(errno)) {
    return new PipelineError(
      'storage_full',
      `Cannot ${doing}: the disk that holds ${path} is full. Free some space, then clear the failed task.`,
      { context, cause: thrown },
    );
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new PipelineError('storage_unavailable', `Cannot ${doing}: ${message}. ${adviceFor(errno, path)}`, {
    context,
    cause: thrown,
  });
}

function adviceFor(errno: string, path: string): string {
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
      return `Give the user that runs the pipeline read and write access to ${path}; the file system must allow hard links.`;
    case 'EROFS':
      return `${path} lies on a read-only file system; mount it writable or set another base path.`;
    case 'ENAMETOOLONG':
      return 'A partition value or table name is longer than the file system allows.';
    case 'EMFILE':
    case 'ENFILE':
      return 'Too many files are open; raise the limit (ulimit -n).';
    default:
      return `Check the disk that holds ${path}.`;
  }
}
