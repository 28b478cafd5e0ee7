/** What BigQuery says of a failed request or job -> what to do about it: send again, a new job, adopt, or an error for people. Pure. */
import { type ErrorCode, PipelineError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/types.ts';

/** One failure in BigQuery's words. */
export interface BigQueryFault {
  /**
   * Of its error table (`quotaExceeded`); of an answer without one: `http`, or `answer` where it is none of BigQuery's; for
   * what never reached it: `connection`, `credentials` that are none or are refused, a `certificate` that is not trusted.
   */
  readonly reason: string;
  readonly message: string;
  /** Null inside of a finished job, and where no answer came. */
  readonly httpStatus: number | null;
}

/** `request`: the answer to a call. `job`: the end of a job, whose id is spent. */
export type FaultPlace = 'request' | 'job';

export type FaultDecision =
  /** The same request again, after a pause; on `jobs.insert` with the same id, since it may have been taken. */
  | { readonly kind: 'resend' }
  /** The job under its next id, after a pause. */
  | { readonly kind: 'new_job' }
  /** The job is there already: ours, by its derived id. */
  | { readonly kind: 'adopt' }
  | { readonly kind: 'fail'; readonly code: ErrorCode; readonly retryAfterMs: number | null };

/** Daily quotas refill in the course of the day; a failed try spends quota as well. */
const QUOTA_PAUSE_MS = 30 * 60_000;
const RATE_PAUSE_MS = 60_000;

const fail = (code: ErrorCode, retryAfterMs: number | null = null): FaultDecision => ({
  kind: 'fail',
  code,
  retryAfterMs,
});

/**
 * By reason first, else by HTTP status.
 *
 * @source BigQuery, "Error messages" (read 2026-11-21)
 */
export function decideFault(fault: BigQueryFault, place: FaultPlace): FaultDecision {
  const again: FaultDecision = { kind: place === 'job' ? 'new_job' : 'resend' };
  switch (fault.reason) {
    case 'backendError':
    case 'internalError':
    case 'badGateway':
    case 'rateLimitExceeded':
    case 'userRateLimitExceeded':
    case 'tableUnavailable':
    case 'connection':
    case 'answer':
      return again;
    case 'jobBackendError':
    case 'jobInternalError':
    case 'jobRateLimitExceeded':
      return { kind: 'new_job' };
    case 'quotaExceeded':
      return fail('warehouse_quota', QUOTA_PAUSE_MS);
    case 'duplicate':
      return place === 'request' ? { kind: 'adopt' } : fail('warehouse_rejected');
    case 'accessDenied':
    case 'billingNotEnabled':
    case 'blocked':
    case 'credentials':
    case 'certificate':
      return fail('warehouse_denied');
    case 'conditionNotMet':
      return fail('precondition_failed');
    case 'invalidQuery':
      return isConcurrentUpdate(fault) && place === 'job' ? again : fail('sql_invalid');
    case 'billingTierLimitExceeded':
    case 'bytesBilledLimitExceeded':
    case 'invalid':
    case 'invalidUser':
    case 'notFound':
    case 'notImplemented':
    case 'resourceInUse':
    case 'resourcesExceeded':
    case 'responseTooLarge':
    case 'stopped':
    case 'timeout':
      return fail('warehouse_rejected');
    default:
      return byStatus(fault, again);
  }
}

function byStatus(fault: BigQueryFault, again: FaultDecision): FaultDecision {
  const status = fault.httpStatus;
  if (isConcurrentUpdate(fault)) return again;
  if (status === 408 || status === 429) return again;
  if (status === 501) return fail('warehouse_rejected');
  if (status !== null && status >= 500) return again;
  if (status === 401 || status === 403 || status === 407) return fail('warehouse_denied');
  if (status === 409) return { kind: 'adopt' };
  if (status === 412) return fail('precondition_failed');
  return fail('warehouse_rejected');
}

/**
 * Two transactions, or statements, that change one table: BigQuery ends the later one, and it may be run again.
 *
 * @source BigQuery, "Troubleshoot queries": "Transaction is aborted due to concurrent update against table …", "Could not
 *   serialize access to table … due to concurrent update", both `invalidQuery` (read 2026-11-21)
 */
function isConcurrentUpdate({ message }: BigQueryFault): boolean {
  return /due to concurrent update/i.test(message);
}

/** Thrown by every call to BigQuery that failed for good. `fault` is what it said. */
export class BigQueryFaultError extends PipelineError {
  readonly fault: BigQueryFault;
  /** How often the request was sent; after more than one, a `duplicate` may be our own doing. */
  readonly sends: number;

  constructor(
    fault: BigQueryFault,
    about: { readonly what: string; readonly location: string; readonly link?: string },
    options: { readonly place: FaultPlace; readonly sends?: number; readonly cause?: unknown },
  ) {
    const decision = decideFault(fault, options.place);
    const code = decision.kind === 'fail' ? decision.code : exhaustedCode(fault);
    const retryAfterMs = decision.kind === 'fail' ? decision.retryAfterMs : exhaustedPause(fault);
    const job = about.link === undefined ? '' : ` Job: ${about.link}`;
    super(code, `BigQuery: ${about.what}: ${sentence(fault.message)} ${nextStep(fault, about.location)}${job}`, {
      context: contextOf(fault, about),
      cause: options.cause,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    });
    this.fault = fault;
    this.sends = options.sends ?? 1;
  }
}

const isRateLimit = ({ reason }: BigQueryFault): boolean => /rateLimitExceeded$/i.test(reason);

function exhaustedCode(fault: BigQueryFault): ErrorCode {
  if (fault.reason === 'duplicate' || fault.httpStatus === 409) return 'state_conflict';
  return isRateLimit(fault) ? 'warehouse_quota' : 'warehouse_unavailable';
}

const exhaustedPause = (fault: BigQueryFault): number | null => (isRateLimit(fault) ? RATE_PAUSE_MS : null);

function contextOf(fault: BigQueryFault, about: { readonly what: string; readonly link?: string }): JsonObject {
  return {
    what: about.what,
    reason: fault.reason,
    ...(fault.httpStatus === null ? {} : { httpStatus: fault.httpStatus }),
    ...(about.link === undefined ? {} : { link: about.link }),
  };
}

const sentence = (text: string): string => (/[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`);

const CREDENTIALS_STEP =
  'The credentials are not accepted: see google.key_file, or log in with Application Default Credentials.';

/** What the reader does about it. */
function nextStep(fault: BigQueryFault, location: string): string {
  switch (fault.reason) {
    case 'quotaExceeded':
      return 'A quota of the project is spent. The task is tried again later; quota comes back in the course of the day. See "Quotas" in the cloud console to raise it.';
    case 'accessDenied':
    case 'blocked':
      return `Grant the account of this environment ${permissionOf(fault.message)}, then clear the task.`;
    case 'credentials':
      return CREDENTIALS_STEP;
    case 'certificate':
      return 'The certificate is not trusted here. Where a proxy opens connections, name its authority in NODE_EXTRA_CA_CERTS.';
    case 'billingNotEnabled':
      return 'Turn on billing for the project, then clear the task.';
    case 'notFound':
      return `Was it dropped, or does it lie in another location than ${location}? (bigquery.location; dataset, bucket and job must agree.)`;
    case 'resourcesExceeded':
    case 'responseTooLarge':
    case 'billingTierLimitExceeded':
    case 'timeout':
      return 'Another try would end the same: change the query, or build fewer days at once.';
    case 'bytesBilledLimitExceeded':
      return 'Raise bigquery.maximum_bytes_billed for this environment, or let the query read less.';
    case 'stopped':
      return 'Someone, or a timeout, cancelled the job. Clear the task to run it again.';
    case 'invalidQuery':
      return 'Correct the SQL, then clear the task.';
    default:
      return defaultStep(fault);
  }
}

function defaultStep(fault: BigQueryFault): string {
  if (fault.httpStatus === 401) return CREDENTIALS_STEP;
  if (fault.httpStatus === 407) return 'The proxy wants a user and a password: see network.proxy.';
  if (fault.httpStatus === 403) return `Grant the account of this environment ${permissionOf(fault.message)}.`;
  return decideFault(fault, 'request').kind === 'resend'
    ? 'The service did not get well in time; the task is tried again.'
    : 'Nothing was changed.';
}

/** `bigquery.tables.create` where the message names one. */
function permissionOf(message: string): string {
  const named = /\b(bigquery\.[a-z]+\.[a-zA-Z]+|storage\.[a-z]+\.[a-zA-Z]+)\b/.exec(message)?.[1];
  return named ? `the permission ${named}` : 'the permission that the message names';
}

/** Something else than what was asked for came back with a status of success, e.g. the page of a proxy. */
export class NotAnAnswerError extends Error {}

/** What a client threw -> the fault in BigQuery's words. */
export function faultOf(thrown: unknown): BigQueryFault {
  if (thrown instanceof NotAnAnswerError) return { reason: 'answer', message: thrown.message, httpStatus: null };
  const error = (thrown ?? {}) as {
    readonly code?: unknown;
    readonly errors?: readonly { readonly reason?: unknown; readonly message?: unknown }[];
    readonly message?: unknown;
  };
  const message = typeof error.message === 'string' && error.message !== '' ? error.message : String(thrown);
  if (typeof error.code !== 'number')
    return { reason: CERTIFICATE.test(String(error.code)) ? 'certificate' : 'connection', message, httpStatus: null };
  const first = error.errors?.find(({ reason }) => typeof reason === 'string' && reason !== '');
  return {
    reason: typeof first?.reason === 'string' ? first.reason : 'http',
    message: typeof first?.message === 'string' && first.message !== '' ? first.message : message,
    httpStatus: error.code,
  };
}

/** What Node says of certificates, e.g. `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, `CERT_HAS_EXPIRED`. */
const CERTIFICATE = /^(ERR_TLS_CERT|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT))/;

/**
 * What Google's auth library threw instead of giving a token. It names the request where it sent one, and the status where
 * that was answered.
 */
export function credentialsFaultOf(thrown: unknown): BigQueryFault {
  const { status, config } = (thrown ?? {}) as { readonly status?: unknown; readonly config?: unknown };
  const { reason, message } = faultOf(thrown);
  if (typeof status !== 'number' && config !== undefined) return { reason, message, httpStatus: null };
  if (typeof status === 'number' && (status >= 500 || [407, 408, 429].includes(status)))
    return { reason: 'http', message, httpStatus: status };
  return {
    reason: 'credentials',
    message: message.replace(/(Could not refresh access token: ?)+/, ''),
    httpStatus: null,
  };
}

/** Pause before try `attempt` (from 1): twice the last, at most 32 s, scattered by the key so that many do not come at once. */
export function backoffMs(attempt: number, firstMs: number, scatter: number): number {
  const whole = Math.min(firstMs * 2 ** (attempt - 1), Math.max(firstMs, 32_000));
  return Math.round(whole * (0.5 + 0.5 * scatter));
}
