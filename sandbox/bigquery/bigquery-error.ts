/** A reason of BigQuery's error table -> the HTTP answer and the job status that carry it. */

/**
 * HTTP status by reason.
 *
 * @source BigQuery, "Error messages", error table
 */
const HTTP_STATUS = {
  accessDenied: 403,
  backendError: 503,
  badGateway: 502,
  billingNotEnabled: 403,
  billingTierLimitExceeded: 400,
  blocked: 403,
  bytesBilledLimitExceeded: 400,
  conditionNotMet: 412,
  duplicate: 409,
  internalError: 500,
  invalid: 400,
  invalidQuery: 400,
  jobBackendError: 400,
  jobInternalError: 400,
  jobRateLimitExceeded: 400,
  notFound: 404,
  notImplemented: 501,
  outOfRange: 400,
  quotaExceeded: 403,
  rateLimitExceeded: 403,
  required: 400,
  resourceInUse: 400,
  resourcesExceeded: 400,
  responseTooLarge: 403,
  stopped: 400,
  tableUnavailable: 400,
  timeout: 400,
} as const;

export type Reason = keyof typeof HTTP_STATUS;
export type HttpStatus = (typeof HTTP_STATUS)[Reason];

/** Names of google.rpc.Code; only the newer part of the API tells them. */
const RPC_STATUS: { readonly [status: number]: string } = {
  400: 'INVALID_ARGUMENT',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  412: 'FAILED_PRECONDITION',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
};

/** As a finished job carries it in `status.errorResult` and `status.errors`. */
export interface ErrorProto {
  readonly reason: string;
  readonly message: string;
  readonly location?: string;
}

/** What a caller did wrong, or what the service is made to say. */
export class BigQueryError extends Error {
  readonly reason: Reason;
  /** What it is about: a field of the request, a table, `query`. */
  readonly location: string | undefined;

  constructor(reason: Reason, message: string, location?: string) {
    super(message);
    this.name = new.target.name;
    this.reason = reason;
    this.location = location;
  }
}

export function isReason(text: string): text is Reason {
  return Object.hasOwn(HTTP_STATUS, text);
}

export function httpStatusOf(reason: string): HttpStatus {
  return isReason(reason) ? HTTP_STATUS[reason] : 400;
}

export function protoOf(error: BigQueryError): ErrorProto {
  const { reason, message, location } = error;
  return location === undefined ? { reason, message } : { reason, location, message };
}

export interface ErrorBody {
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly errors: readonly { readonly domain: 'global'; readonly reason: string; readonly message: string }[];
    readonly status?: string;
  };
}

export function errorBody({ reason, message }: ErrorProto): ErrorBody {
  const code = httpStatusOf(reason);
  const status = RPC_STATUS[code];
  const errors = [{ domain: 'global' as const, reason, message }];
  return { error: { code, message, errors, ...(status === undefined ? {} : { status }) } };
}
