/** Requests that read objects -> answers: metadata, media, listings. */
import { type Answer, json } from './answer.ts';
import { noSuchObject } from './api-error.ts';
import { type ApiRequest, headerOf } from './api-request.ts';
import type { BucketStore } from './bucket-store.ts';
import { parseRange } from './byte-range.ts';
import { listPage, parseListQuery } from './list-objects.ts';
import { etagOf, type ObjectRecord, objectResource } from './object-record.ts';
import { checkPreconditions, numberOf, parsePreconditions } from './preconditions.ts';

/** The live object, which must be the generation of the parameter `generation`, if that is given. */
export function findObject(
  store: BucketStore,
  bucket: string,
  name: string,
  query: URLSearchParams,
  parameter = 'generation',
): ObjectRecord {
  const object = store.object(bucket, name);
  const generation = numberOf(query, parameter);
  if (!object || (generation !== null && generation !== object.generation)) throw noSuchObject(bucket, name);
  return object;
}

export function getObject(store: BucketStore, bucket: string, name: string, request: ApiRequest): Answer {
  const object = findObject(store, bucket, name, request.query);
  checkPreconditions(object, parsePreconditions(request.query));
  if (request.query.get('alt') !== 'media' && !request.path.startsWith('/download/'))
    return json(objectResource(object, request.origin));
  return media(store, object, request);
}

export function listObjects(store: BucketStore, bucket: string, request: ApiRequest): Answer {
  const page = listPage(store.names(bucket), parseListQuery(request.query));
  const items = page.names.flatMap((name) => {
    const object = store.object(bucket, name);
    return object ? [objectResource(object, request.origin)] : [];
  });
  return json({
    kind: 'storage#objects',
    ...(page.nextPageToken !== null && { nextPageToken: page.nextPageToken }),
    ...(page.prefixes.length > 0 && { prefixes: page.prefixes }),
    ...(items.length > 0 && { items }),
  });
}

/**
 * The bytes, or a range of them. A gzipped object is unpacked on the way to a client that does not take gzip; then there is
 * no length, no range, and the checksums told are still those of what is stored.
 *
 * @source Cloud Storage, "Transcoding of gzip-compressed files" (read 2026-11-21)
 */
function media(store: BucketStore, object: ObjectRecord, request: ApiRequest): Answer {
  const { contentEncoding, cacheControl = '' } = object.settings;
  const takesGzip = /\bgzip\b|\*/.test(headerOf(request, 'accept-encoding') ?? '');
  const isGunzipped = contentEncoding === 'gzip' && !takesGzip && !/\bno-transform\b/.test(cacheControl);
  const range = isGunzipped ? null : parseRange(headerOf(request, 'range'), object.sizeBytes);
  const start = range?.start ?? 0;
  const length = range ? range.end - range.start + 1 : object.sizeBytes;
  return {
    status: range ? 206 : 200,
    headers: {
      ...mediaHeaders(object),
      ...(contentEncoding !== undefined && !isGunzipped && { 'content-encoding': contentEncoding }),
      ...(isGunzipped ? { warning: '214 UploadServer gunzipped' } : { 'accept-ranges': 'bytes' }),
      ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${object.sizeBytes}` }),
    },
    body: { kind: 'file', fd: store.openBody(object), start, length, isGunzipped },
  };
}

function mediaHeaders(object: ObjectRecord): Record<string, string> {
  const { settings } = object;
  const hashes = [`crc32c=${object.crc32c}`, ...(object.md5Hash === null ? [] : [`md5=${object.md5Hash}`])];
  return {
    'content-type': settings.contentType ?? 'application/octet-stream',
    ...(settings.cacheControl !== undefined && { 'cache-control': settings.cacheControl }),
    ...(settings.contentDisposition !== undefined && { 'content-disposition': settings.contentDisposition }),
    ...(settings.contentLanguage !== undefined && { 'content-language': settings.contentLanguage }),
    etag: etagOf(object),
    'last-modified': new Date(object.updatedAtMs).toUTCString(),
    vary: 'Accept-Encoding',
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-hash': hashes.join(','),
    'x-goog-storage-class': 'STANDARD',
    'x-goog-stored-content-encoding': settings.contentEncoding ?? 'identity',
    'x-goog-stored-content-length': String(object.sizeBytes),
  };
}
