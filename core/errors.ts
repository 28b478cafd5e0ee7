/** The one table of error codes, and the errors that carry them to retry policy, API and command line. */
import type { SourceLocation } from './spec.ts';
import type { JsonObject, ReportRef } from './types.ts';

interface ErrorCodeRow {
  /** May the same attempt succeed later without anyone changing anything? */
  readonly retryable: boolean;
  readonly httpStatus: 400 | 403 | 404 | 409 | 413 | 422 | 500 | 501 | 503 | 504 | 507;
  /** 1 internal, 2 usage, 3 spec invalid, 4 gate breached, 5 run failed, 7 conflict, 8 backend unreachable. */
  readonly exitCode: 1 | 2 | 3 | 4 | 5 | 7 | 8;
}

const row = (
  retryable: boolean,
  httpStatus: ErrorCodeRow['httpStatus'],
  exitCode: ErrorCodeRow['exitCode'],
): ErrorCodeRow => ({ retryable, httpStatus, exitCode });

export const ERROR_CODES = {
  // what the user wrote
  usage: row(false, 400, 2),
  setting_invalid: row(false, 400, 2),
  project_not_found: row(false, 404, 2),
  spec_invalid: row(false, 422, 3),
  sql_not_portable: row(false, 422, 3),
  sql_invalid: row(false, 422, 3),
  transform_invalid: row(false, 422, 3),
  query_too_large: row(false, 413, 2),
  // what was asked for is not there, or there already
  dag_not_found: row(false, 404, 2),
  run_not_found: row(false, 404, 2),
  task_not_found: row(false, 404, 2),
  report_not_found: row(false, 404, 2),
  publication_not_found: row(false, 404, 2),
  not_implemented: row(false, 501, 2),
  run_exists: row(false, 409, 7),
  state_conflict: row(false, 409, 7),
  project_locked: row(false, 409, 7),
  store_too_new: row(false, 409, 7),
  // the data
  bronze_missing: row(false, 422, 5),
  bronze_unreadable: row(false, 422, 5),
  bronze_schema: row(false, 422, 5),
  landing_unreadable: row(false, 422, 5),
  row_account_broken: row(false, 500, 1),
  data_unreadable: row(false, 500, 5),
  gate_failed: row(false, 422, 4),
  gate_undecided: row(false, 422, 4),
  transform_failed: row(false, 500, 5),
  // storage and warehouse
  storage_unavailable: row(true, 503, 8),
  storage_full: row(true, 507, 8),
  storage_denied: row(false, 403, 8),
  object_not_found: row(false, 404, 5),
  precondition_failed: row(false, 409, 7),
  publish_conflict: row(false, 409, 7),
  publish_held: row(false, 409, 7),
  warehouse_unavailable: row(true, 503, 8),
  warehouse_quota: row(true, 503, 8),
  warehouse_denied: row(false, 403, 8),
  warehouse_schema: row(false, 422, 5),
  warehouse_rejected: row(false, 422, 5),
  server_unreachable: row(true, 503, 8),
  // the attempt itself
  task_timeout: row(true, 504, 5),
  task_died: row(true, 500, 5),
  task_cancelled: row(false, 409, 5),
  child_run_failed: row(false, 500, 5),
  run_failed: row(false, 500, 5),
  stale_attempt: row(false, 409, 7),
  out_of_memory: row(true, 500, 5),
  internal: row(false, 500, 1),
} as const satisfies Record<string, ErrorCodeRow>;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * A broken promise, told to the reader: what, where, expected, what to do next; never a secret.
 * A bug is a bare `Error` and ends as `internal`.
 */
export class PipelineError extends Error {
  readonly code: ErrorCode;
  readonly context: JsonObject;
  /** Not to be tried again before so long; null: as the retry policy says. */
  readonly retryAfterMs: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    options: { context?: JsonObject; cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.context = options.context ?? {};
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** One fault in a spec; `hint` says what to write instead. */
export interface SpecIssue {
  readonly severity: 'error' | 'warning' | 'info';
  /** `unknown_key`, `unknown_table`, `bad_type`, … listed in docs/reference/spec-issues.md. */
  readonly code: string;
  readonly message: string;
  readonly expected: string;
  readonly hint: string | null;
  readonly location: SourceLocation;
  /** The line itself, for the caret. */
  readonly lineText: string;
}

/** Carries all faults of all files at once. */
export class SpecError extends PipelineError {
  readonly issues: readonly SpecIssue[];

  constructor(issues: readonly SpecIssue[]) {
    const errors = issues.filter((issue) => issue.severity === 'error');
    const first = errors[0];
    const where = first ? `${first.location.file}:${first.location.line}:${first.location.column}` : 'spec';
    super(
      'spec_invalid',
      `${errors.length} fault${errors.length === 1 ? '' : 's'} in the spec; the first at ${where}: ${first?.message ?? ''}`,
    );
    this.issues = issues;
  }
}

export class CycleError extends PipelineError {
  /** First and last are the same. */
  readonly path: readonly string[];

  constructor(what: string, path: readonly string[]) {
    super('spec_invalid', `${what} form a cycle: ${path.join(' → ')}. Remove one of these edges.`);
    this.path = path;
  }
}

/** Thrown by the validate handler alone; the report is written before. */
export class GateFailedError extends PipelineError {
  readonly report: ReportRef;

  constructor(message: string, report: ReportRef) {
    super('gate_failed', message, { context: { report: report.markdownPath } });
    this.report = report;
  }
}

/** Any thrown thing as a PipelineError: a full disk and a missing right are named; a bug keeps its stack as cause and gets the code `internal`. */
export function asPipelineError(thrown: unknown): PipelineError {
  if (thrown instanceof PipelineError) return thrown;
  const errno = (thrown as NodeJS.ErrnoException | null)?.code;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (errno === 'ENOSPC' || /no space left on device|database or disk is full/i.test(message)) {
    return new PipelineError(
      'storage_full',
      `The disk is full: ${message}. Free some space, then run the same command again, or clear the failed task.`,
      { cause: thrown },
    );
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(errno ?? '')) {
    return new PipelineError(
      'storage_denied',
      `This user may not do that: ${message}. Give it the right to, or run the command as the user who owns the project.`,
      { cause: thrown },
    );
  }
  return new PipelineError('internal', message, { cause: thrown });
}
