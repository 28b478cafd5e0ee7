/** What Amazon's client throws -> a CloudFault. */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { CloudFault, type CloudFaultKind, connectionFault, kindOfStatus, parseRetryAfter } from '../cloud/fault.ts';

/** Codes that say more than their status. @source https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const KINDS: { readonly [code: string]: CloudFaultKind } = {
  NoSuchBucket: 'missing_bucket',
  BadDigest: 'corrupt',
  InvalidDigest: 'corrupt',
  XAmzContentChecksumMismatch: 'corrupt',
  XAmzContentSHA256Mismatch: 'corrupt',
  RequestTimeout: 'transient',
  SlowDown: 'transient',
  Throttling: 'transient',
  ThrottlingException: 'transient',
  RequestThrottled: 'transient',
  ExpiredToken: 'denied',
  InvalidToken: 'denied',
};

/** True for an object that is not there; a missing bucket is another matter. */
export function isNotFound(thrown: unknown): boolean {
  const fault = s3Fault(thrown);
  return fault instanceof CloudFault && fault.kind === 'missing';
}

/** Anything that is no failed request stays what it is, and is a bug. */
export function s3Fault(thrown: unknown): unknown {
  if (thrown instanceof S3ServiceException) {
    const status = thrown.$metadata.httpStatusCode ?? 0;
    const headers: { readonly [name: string]: string } = thrown.$response?.headers ?? {};
    // An answer to HEAD has no body, so its code is only the status in words.
    const text = [status, thrown.name, thrown.message].filter((part, at, all) => all.indexOf(part) === at).join(' ');
    return new CloudFault(KINDS[thrown.name] ?? (status === 0 ? 'transient' : kindOfStatus(status)), text, {
      retryAfterMs: parseRetryAfter(headers['retry-after'], headers.date),
      cause: thrown,
    });
  }
  if (thrown instanceof Error && /^Checksum mismatch/.test(thrown.message)) {
    return new CloudFault('corrupt', thrown.message, { cause: thrown });
  }
  if (thrown instanceof Error && /Credentials?(Provider)?Error|TokenProviderError/.test(thrown.name)) {
    return new CloudFault('denied', `no credentials can be used (${thrown.message})`, { cause: thrown });
  }
  const status = statusOf(thrown);
  if (status === null) return connectionFault(thrown);
  const text = `${status}, an answer that is not S3's (${String(thrown).split('\n')[0]})`;
  return new CloudFault(status < 400 ? 'transient' : kindOfStatus(status), text, { cause: thrown });
}

/** Of an answer that Amazon's client could not read: a page of a proxy, half an XML document, or nothing. */
function statusOf(thrown: unknown): number | null {
  const { $response, $metadata } = (thrown ?? {}) as {
    readonly $response?: { readonly statusCode?: number };
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return $response?.statusCode ?? $metadata?.httpStatusCode ?? null;
}

export async function faulty<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (thrown) {
    throw s3Fault(thrown);
  }
}
