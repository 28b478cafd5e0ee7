/** A bucket of S3, or of a server that speaks its API -> an ObjectStore. */
import { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../core/ports.ts';
import type { CacheOptions } from '../cloud/object-cache.ts';
import { createProxyAgents, type HttpProxy } from '../cloud/proxy.ts';
import { openCloudStore } from '../cloud/store.ts';
import { openS3Api, type S3Sizes } from './api.ts';
import { provingConditions } from './prove-conditions.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Empty, or ends with a slash; part of no key. */
  readonly prefix: string;
  readonly cache: CacheOptions;
  /** Null: Amazon's. Credentials come from the environment, as Amazon's clients find them. */
  readonly endpoint: string | null;
  readonly proxy?: HttpProxy | null;
  readonly region: string;
  readonly forcePathStyle: boolean;
  /** How long a request is repeated before it ends as `storage_unavailable`. */
  readonly patienceMs?: number;
  /** After so long without a byte a connection is given up, and the request repeated. Default two minutes: a copy of gigabytes is silent. */
  readonly silenceMs?: number;
  /** From which size on files and copies go in parts; default: 8 MiB, 5 GiB. */
  readonly sizes?: Partial<S3Sizes>;
}

/**
 * A generation is the ETag, which for a body sent in one request is its MD5: **a key whose bodies may repeat cannot be
 * compared and set**, because a writer that read A would still win after A, B, A. Pointers carry their sequence number,
 * so their bodies never repeat. Writes need a server that knows `If-None-Match` and `If-Match` on PUT and on completing
 * a multipart upload (Amazon since 2024, MinIO, versitygw); one that passes over them on PUT is refused. A delete is
 * checked first and sent with `If-Match`.
 *
 * Keys come in the order of their UTF-8 bytes; Amazon's directory buckets keep none and cannot be used.
 *
 * Uploads that a dying process leaves unfinished cost space until a lifecycle rule of the bucket aborts them.
 */
export function openS3Store(options: S3StoreOptions): ObjectStore {
  const { bucket, endpoint, proxy, region, forcePathStyle, sizes, silenceMs, ...rest } = options;
  const agent = createProxyAgents(proxy ?? null)(endpoint ?? `https://${bucket}.s3.${region}.amazonaws.com`);
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint === null ? {} : { endpoint }),
    // The store repeats by itself, and knows which requests may be repeated; checksums are computed once, here.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 10_000,
      requestTimeout: 300_000,
      // Without this it only writes a warning, and waits on.
      throwOnRequestTimeout: true,
      socketTimeout: silenceMs ?? 120_000,
      httpAgent: agent ?? { maxSockets: 64 },
      httpsAgent: agent ?? { maxSockets: 64 },
    },
  });
  return openCloudStore(provingConditions(openS3Api(client, bucket, sizes), rest.prefix), rest);
}
