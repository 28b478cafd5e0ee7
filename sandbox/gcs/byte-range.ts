/** `Range` and `Content-Range` headers -> byte positions. */
import { ApiError, invalid } from './api-error.ts';

/** `start` to `end`, both of them included. */
export interface ReadRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of so many bytes that a `Range` header asks for; null for all of them. A header that is not of the form
 * `bytes=…`, or that names several ranges, counts as none.
 *
 * @throws ApiError 416 where the range begins past the end
 * @source RFC 9110, 14.1.2 and 14.2
 */
export function parseRange(header: string | undefined, sizeBytes: number): ReadRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), sizeBytes);
    if (length === 0) throw notSatisfiable();
    return { start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  if (match[2] !== '' && Number(match[2]) < start) return null;
  if (start >= sizeBytes) throw notSatisfiable();
  return { start, end };
}

const notSatisfiable = (): ApiError =>
  new ApiError(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable', 'Range');

/** What a request to an upload session brings. `total`: null where the client does not know it yet. */
export type UploadRange =
  | { readonly kind: 'status'; readonly total: number | null }
  /** `end` is past the last byte; null: as far as the request's body goes. */
  | { readonly kind: 'bytes'; readonly start: number; readonly end: number | null; readonly total: number | null };

/** @source Cloud Storage, "Perform resumable uploads" (read 2026-11-21) */
export function parseUploadRange(header: string | undefined): UploadRange {
  if (header === undefined) return { kind: 'bytes', start: 0, end: null, total: null };
  const status = /^bytes \*\/(\d+|\*)$/.exec(header);
  if (status) return { kind: 'status', total: numberOrNull(status[1]) };
  // An empty object of Google's Node client is `0--1/0`.
  const bytes = /^bytes (\d+)-(-1|\d+|\*)\/(\d+|\*)$/.exec(header);
  if (!bytes) throw invalid(`Failed to parse Content-Range header: ${header}`, 'Content-Range');
  const last = numberOrNull(bytes[2]);
  const start = Number(bytes[1]);
  const total = numberOrNull(bytes[3]);
  const end = last === null ? null : last + 1;
  if ((end !== null && end < start) || (total !== null && (end ?? start) > total))
    throw invalid(`Failed to parse Content-Range header: ${header}`, 'Content-Range');
  return { kind: 'bytes', start, end, total };
}

const numberOrNull = (text: string | undefined): number | null =>
  text === undefined || text === '*' ? null : Number(text);
