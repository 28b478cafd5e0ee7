/** A folder -> the part of Cloud Storage's JSON API that Assay's adapters speak. */
import { join } from 'node:path';
import { asPipelineError } from '../../core/errors.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import type { Buckets } from '../ports.ts';
import { type Answer, empty, json } from './answer.ts';
import { ApiError, errorBody } from './api-error.ts';
import type { ApiRequest, RequestHead } from './api-request.ts';
import { deleteBucket, getBucket, insertBucket, listBuckets } from './bucket-operations.ts';
import { BucketStore } from './bucket-store.ts';
import { changeObject, deleteObject } from './object-changes.ts';
import { composeObject, copyObject, rewriteObject } from './object-copies.ts';
import { getObject, listObjects } from './object-reads.ts';
import { insertObject } from './object-uploads.ts';
import { selectFields } from './partial-response.ts';
import { type Operation, type Route, routeOf } from './route.ts';
import { storedBuckets } from './stored-buckets.ts';
import { UploadSessions } from './upload-sessions.ts';

export interface StorageApiOptions {
  /** Of this process alone. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes that one call of a rewrite moves where the request does not say; null: everything. A multiple of 1 MiB. */
  readonly maxBytesRewrittenPerCall: number | null;
}

/** A request that is understood, and what it asks for. */
export interface Call {
  readonly operation: Operation;
  /** Throws only where the connection breaks; whatever else goes wrong is an answer. */
  run(body: AsyncIterable<Uint8Array>): Promise<Answer>;
}

export interface StorageApi {
  /** An answer where the request is none that the sandbox implements. */
  understand(head: RequestHead): Call | Answer;
  readonly buckets: Buckets;
}

export function openStorageApi(options: StorageApiOptions): StorageApi {
  const store = new BucketStore(options.folder, options.clock);
  const sessions = new UploadSessions(store, join(options.folder, 'uploads'), options.clock);
  const act = async (route: Route, request: ApiRequest): Promise<Answer> => {
    switch (route.operation) {
      case 'buckets.insert':
        return insertBucket(store, options.clock, request);
      case 'buckets.list':
        return listBuckets(store, request);
      case 'buckets.get':
        return getBucket(store, route.bucket, request);
      case 'buckets.delete':
        return deleteBucket(store, route.bucket, request);
      case 'objects.insert':
        return insertObject(store, route.bucket, request);
      case 'objects.insert.start':
        return sessions.start(route.bucket, request);
      case 'objects.insert.chunk':
      case 'objects.insert.status':
        return sessions.put(request);
      case 'objects.insert.cancel':
        return sessions.cancel(request);
      case 'objects.list':
        return listObjects(store, route.bucket, request);
      case 'objects.get':
        return getObject(store, route.bucket, route.object, request);
      case 'objects.patch':
        return changeObject(store, route.bucket, route.object, request, 'patch');
      case 'objects.update':
        return changeObject(store, route.bucket, route.object, request, 'update');
      case 'objects.delete':
        return deleteObject(store, route.bucket, route.object, request);
      case 'objects.compose':
        return composeObject(store, route.bucket, route.object, request);
      case 'objects.copy':
        return copyObject(store, route, request);
      case 'objects.rewrite':
        return rewriteObject(store, route, request, options.maxBytesRewrittenPerCall);
    }
  };
  return {
    buckets: storedBuckets(store),
    understand: (head) => {
      try {
        const route = routeOf(head);
        const run = async (body: AsyncIterable<Uint8Array>): Promise<Answer> => {
          try {
            return withFields(await act(route, { ...head, body }), head.query.get('fields'));
          } catch (thrown) {
            return refusal(thrown, options.log, head);
          }
        };
        return { operation: route.operation, run };
      } catch (thrown) {
        return refusal(thrown, options.log, head);
      }
    },
  };
}

function withFields(answer: Answer, fields: string | null): Answer {
  if (fields === null || answer.body.kind !== 'json') return answer;
  return { ...answer, body: { kind: 'json', value: selectFields(answer.body.value, fields) } };
}

/** @throws what was thrown, where the connection broke: there is nobody to answer */
function refusal(thrown: unknown, log: Logger, request: RequestHead): Answer {
  if (thrown instanceof ApiError) {
    if (thrown.status === 304) return empty(304);
    return json(errorBody(thrown), thrown.status);
  }
  if (isBrokenConnection(thrown)) throw thrown;
  log.error('the sandbox failed to answer a storage request', {
    method: request.method,
    path: request.path,
    error: thrown instanceof Error ? thrown.message : String(thrown),
  });
  const isFull = asPipelineError(thrown).code === 'storage_full';
  const why = isFull ? 'The disk under the sandbox is full: free some space.' : 'The sandbox failed; its log says how.';
  const error = new ApiError(500, 'internalError', why);
  return json(errorBody(error), 500);
}

/** How a request's body ends where its client went away. */
export function isBrokenConnection(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
