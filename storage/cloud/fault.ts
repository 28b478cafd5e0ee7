/** What one request to an object store failed with -> whether to try again, and what to tell the reader. */

export type CloudFaultKind =
  /** A condition of the request does not hold. */
  | 'precondition'
  /** The object, or that generation of it, is not there. */
  | 'missing'
  | 'missing_bucket'
  | 'denied'
  /** Credentials, certificates or a proxy on this side have to be put right first; the message says how. */
  | 'setup'
  /** May work in a moment: overload, a server's fault, a broken connection. */
  | 'transient'
  /** Nobody answers at that address. */
  | 'unreachable'
  /** Bytes and checksum do not belong together. */
  | 'corrupt'
  /** The server does not accept the request as it is. */
  | 'rejected';

const TRANSIENT_ERRNOS = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EPROTO',
  'HPE_INVALID_CONSTANT',
  'TimeoutError',
]);
/** What Node says of certificates, e.g. `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, `CERT_HAS_EXPIRED`. */
const CERTIFICATE_ERRNO =
  /^(ERR_TLS_CERT|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT))/;
const UNREACHABLE_ERRNOS = new Set(['ECONNREFUSED', 'ENOTFOUND']);

export class CloudFault extends Error {
  readonly kind: CloudFaultKind;
  /** As the server asked; null where it did not. */
  readonly retryAfterMs: number | null;
  /** False once it was tried again for as long as it may be. */
  readonly mayRepeat: boolean;

  constructor(
    kind: CloudFaultKind,
    message: string,
    options: { readonly retryAfterMs?: number | null; readonly cause?: unknown; readonly mayRepeat?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.mayRepeat = options.mayRepeat ?? (kind === 'transient' || kind === 'unreachable' || kind === 'corrupt');
  }

  /** Nothing more is tried. */
  givenUp(tries: number): CloudFault {
    return new CloudFault(this.kind, `${this.message} (tried ${tries} times)`, {
      retryAfterMs: this.retryAfterMs,
      cause: this,
      mayRepeat: false,
    });
  }
}

/** A connection that could not be made or broke; anything else stays what it is, and is a bug. */
export function connectionFault(thrown: unknown): unknown {
  if (thrown instanceof CloudFault) return thrown;
  const { code, name, message } = (thrown ?? {}) as { code?: unknown; name?: unknown; message?: unknown };
  const errno = typeof code === 'string' ? code : String(name);
  const text = `${typeof message === 'string' && message !== '' ? message : errno}`;
  if (UNREACHABLE_ERRNOS.has(errno)) return new CloudFault('unreachable', text, { cause: thrown });
  if (CERTIFICATE_ERRNO.test(errno)) {
    return new CloudFault(
      'setup',
      `the certificate is not trusted here (${text}); where a proxy opens connections, name its authority in NODE_EXTRA_CA_CERTS`,
      { cause: thrown },
    );
  }
  if (TRANSIENT_ERRNOS.has(errno) || /socket hang up|premature close|aborted|from proxy|before receiving/i.test(text)) {
    return new CloudFault('transient', text, { cause: thrown });
  }
  return thrown;
}

/** What a status means where the server's own words do not say more. */
export function kindOfStatus(status: number): CloudFaultKind {
  switch (status) {
    case 304:
    case 412:
      return 'precondition';
    case 404:
    case 410:
      return 'missing';
    case 401:
    case 403:
      return 'denied';
    case 408:
    case 409:
    case 429:
      return 'transient';
    // Does not know what is asked of it, and will not in a minute either.
    case 501:
      return 'rejected';
    default:
      return status >= 500 ? 'transient' : 'rejected';
  }
}

/**
 * @param now the answer's own `Date`, against which a date in `Retry-After` is read; this machine's clock has no part in it
 * @source RFC 9110, section 10.2.3
 */
export function parseRetryAfter(value: string | undefined, now: string | undefined): number | null {
  if (value === undefined) return null;
  if (/^\d+$/.test(value.trim())) return Number(value.trim()) * 1000;
  const waitMs = Date.parse(value) - Date.parse(now ?? '');
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs);
}
