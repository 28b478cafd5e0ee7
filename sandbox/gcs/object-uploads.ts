/** Uploads in one request -> objects: media and multipart. */
import { rmSync } from 'node:fs';
import { type Answer, json } from './answer.ts';
import { invalid, noSuchBucket, notImplemented, required } from './api-error.ts';
import { type ApiRequest, headerOf, parseJson } from './api-request.ts';
import type { BucketStore } from './bucket-store.ts';
import { readMultipart } from './multipart.ts';
import { type ObjectSettings, objectResource } from './object-record.ts';
import {
  type ClaimedChecksums,
  changeSettings,
  checkClaim,
  checkObjectName,
  parseHashHeader,
  parseObjectRequest,
} from './object-settings.ts';
import { checkPreconditions, type Preconditions, parsePreconditions } from './preconditions.ts';
import { receiveBody } from './receive-body.ts';

/** All about a new object but its bytes. */
export interface UploadPlan {
  readonly bucket: string;
  readonly name: string;
  readonly settings: ObjectSettings;
  readonly claimed: ClaimedChecksums;
  readonly conditions: Preconditions;
}

/** Conditions are looked at before the bytes are read, to spare them, and again when the object is made. */
export async function insertObject(store: BucketStore, bucket: string, request: ApiRequest): Promise<Answer> {
  const { plan, media } = await readUpload(store, bucket, request);
  const path = store.incomingPath();
  try {
    const body = await receiveBody(media, path);
    checkClaim(plan.claimed, body);
    const whole = { ...body, componentCount: null, isShared: false };
    const object = store.write(bucket, plan.name, whole, plan.settings, plan.conditions);
    return json(objectResource(object, request.origin));
  } finally {
    rmSync(path, { force: true });
  }
}

async function readUpload(
  store: BucketStore,
  bucket: string,
  request: ApiRequest,
): Promise<{ readonly plan: UploadPlan; readonly media: AsyncIterable<Uint8Array> }> {
  const contentType = headerOf(request, 'content-type') ?? null;
  if (request.query.get('uploadType') === 'media')
    return { plan: planUpload(store, bucket, request, {}, contentType), media: request.body };
  const parts = await readMultipart(contentType ?? '', request.body);
  return { plan: planUpload(store, bucket, request, parseJson(parts.metadata), parts.contentType), media: parts.media };
}

/**
 * @param metadata the object's resource as the client sends it
 * @param mediaType what the request says of the bytes; the metadata's own `contentType` comes first
 */
export function planUpload(
  store: BucketStore,
  bucket: string,
  request: ApiRequest,
  metadata: unknown,
  mediaType: string | null,
): UploadPlan {
  if (!store.bucket(bucket)) throw noSuchBucket();
  if (request.headers['x-goog-encryption-key'] !== undefined) throw notImplemented('customer-supplied encryption keys');
  const asked = parseObjectRequest(metadata);
  const name = request.query.get('name') ?? asked.name;
  if (name === null || name === '') throw required('name');
  if (asked.name !== null && asked.name !== name)
    throw invalid('The name in the metadata is not the one in the URL.', 'name');
  checkObjectName(name);
  const encoding = request.query.get('contentEncoding');
  const conditions = parsePreconditions(request.query);
  checkPreconditions(store.object(bucket, name), conditions);
  return {
    bucket,
    name,
    settings: changeSettings(
      {
        ...(mediaType !== null && { contentType: mediaType }),
        ...(encoding !== null && { contentEncoding: encoding }),
      },
      asked.settings,
    ),
    claimed: claimOf(request, asked.claimed),
    conditions,
  };
}

/** The metadata's checksums, else those of the header `x-goog-hash`. */
export function claimOf(request: ApiRequest, claimed: ClaimedChecksums): ClaimedChecksums {
  const header = parseHashHeader(headerOf(request, 'x-goog-hash'));
  return { crc32c: claimed.crc32c ?? header.crc32c, md5Hash: claimed.md5Hash ?? header.md5Hash };
}
