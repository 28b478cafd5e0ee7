/** The object store -> the buckets as BigQuery's jobs see them. */
import { createReadStream, rmSync } from 'node:fs';
import { PipelineError } from '../../core/errors.ts';
import type { BucketObject, Buckets } from '../ports.ts';
import { ApiError } from './api-error.ts';
import type { BucketStore } from './bucket-store.ts';
import { indexAtOrAfter } from './name-order.ts';
import { UNCONDITIONAL } from './preconditions.ts';
import { receiveBody } from './receive-body.ts';

export function storedBuckets(store: BucketStore): Buckets {
  return {
    match: async (bucket, pattern) => {
      if (!store.bucket(bucket)) return [];
      return matching(store.names(bucket), pattern).flatMap((name): readonly BucketObject[] => {
        const object = store.object(bucket, name);
        return object ? [{ name, localPath: store.lendBody(object), sizeBytes: object.sizeBytes }] : [];
      });
    },
    put: async (bucket, name, localPath) => {
      const path = store.incomingPath();
      try {
        const body = await receiveBody(createReadStream(localPath), path);
        const whole = { ...body, componentCount: null, isShared: false };
        store.write(bucket, name, whole, { contentType: 'application/octet-stream' }, UNCONDITIONAL);
        rmSync(localPath);
      } catch (thrown) {
        if (!(thrown instanceof ApiError)) throw thrown;
        throw new PipelineError('object_not_found', `gs://${bucket}/${name}: ${thrown.message}`, { cause: thrown });
      } finally {
        rmSync(path, { force: true });
      }
    },
  };
}

/** By exact name, or with one `*` for any run of characters, slashes too. */
function matching(sorted: readonly string[], pattern: string): readonly string[] {
  const star = pattern.indexOf('*');
  if (star < 0) return sorted[indexAtOrAfter(sorted, pattern)] === pattern ? [pattern] : [];
  const head = pattern.slice(0, star);
  const tail = pattern.slice(star + 1);
  const found: string[] = [];
  for (let at = indexAtOrAfter(sorted, head); sorted[at]?.startsWith(head); at += 1) {
    const name = sorted[at] ?? '';
    if (name.length >= head.length + tail.length && name.endsWith(tail)) found.push(name);
  }
  return found;
}
