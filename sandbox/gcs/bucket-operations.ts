/** Requests about buckets -> answers: insert, get, list, delete. */
import type { Clock } from '../../core/ports.ts';
import { type Answer, empty, json } from './answer.ts';
import { ApiError, invalid, noSuchBucket, notImplemented, required } from './api-error.ts';
import { type ApiRequest, readJson } from './api-request.ts';
import type { BucketStore } from './bucket-store.ts';
import { bucketResource } from './object-record.ts';
import { recordOf } from './object-settings.ts';
import { parsePreconditions } from './preconditions.ts';

const FIELDS = new Set(['name', 'location', 'storageClass', 'labels', 'kind', 'id', 'projectNumber']);
/** @source Cloud Storage, "About buckets: naming" (read 2026-11-21); names with dots need a verified domain */
const BUCKET_NAME = /^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$/;

export async function insertBucket(store: BucketStore, clock: Clock, request: ApiRequest): Promise<Answer> {
  const fields = recordOf(await readJson(request), 'The request body');
  for (const field of Object.keys(fields))
    if (!FIELDS.has(field)) throw notImplemented(`the field ${field} of a bucket`);
  const { name, location = 'US', storageClass = 'STANDARD', labels = {} } = fields;
  if (name === undefined) throw required('name');
  if (typeof name !== 'string' || !BUCKET_NAME.test(name)) throw invalid(`Invalid bucket name: '${String(name)}'`);
  if (storageClass !== 'STANDARD') throw notImplemented(`storage class ${String(storageClass)}`);
  if (typeof location !== 'string') throw invalid('Invalid value for location.', 'location');
  const record = {
    name,
    location: location.toUpperCase(),
    createdAtMs: clock.now(),
    labels: recordOf(labels, 'labels') as { readonly [key: string]: string },
  };
  store.createBucket(record);
  return json(bucketResource(record, request.origin));
}

export function getBucket(store: BucketStore, bucket: string, request: ApiRequest): Answer {
  const record = store.bucket(bucket);
  if (!record) throw noSuchBucket();
  checkMetageneration(request);
  return json(bucketResource(record, request.origin));
}

/** All of them in one page: a sandbox has few. */
export function listBuckets(store: BucketStore, request: ApiRequest): Answer {
  const prefix = request.query.get('prefix') ?? '';
  const found = store.buckets().filter((bucket) => bucket.name.startsWith(prefix));
  const items = found.map((bucket) => bucketResource(bucket, request.origin));
  return json({ kind: 'storage#buckets', ...(items.length > 0 && { items }) });
}

export function deleteBucket(store: BucketStore, bucket: string, request: ApiRequest): Answer {
  if (!store.bucket(bucket)) throw noSuchBucket();
  checkMetageneration(request);
  store.deleteBucket(bucket);
  return empty(204);
}

/** A bucket is never changed here, so its metageneration is 1. */
function checkMetageneration(request: ApiRequest): void {
  const { metagenerationMatch, metagenerationNotMatch } = parsePreconditions(request.query);
  if (metagenerationMatch !== null && metagenerationMatch !== 1)
    throw new ApiError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');
  if (metagenerationNotMatch === 1) throw new ApiError(304, 'notModified', 'Not Modified');
}
