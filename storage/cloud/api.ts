/** One request each: what an object store in a cloud can be asked. Every call throws CloudFault, and tries nothing twice. */

import type { FileDigest } from '../crc32c.ts';
import type { Retry } from './retry.ts';

/** `name` is the whole name in the bucket, prefix included. */
export interface CloudObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly generation: string;
  readonly writtenAtMs: number;
  readonly crc32c: string | null;
  /** Kept with the object by whoever wrote it; null where another program did, or a listing does not say. */
  readonly writeId: string | null;
}

export interface CloudPiece {
  readonly body: Uint8Array;
  readonly generation: string;
  /** Of the whole object. */
  readonly crc32c: string | null;
}

/** `writeId` is stored with the object, so that after a lost reply its author can tell it from another's. */
export interface WriteOrder {
  readonly condition: 'absent' | { readonly generation: string } | null;
  readonly writeId: string;
}

export interface CloudApi {
  /** `gs://bucket/`, `s3://bucket/`. */
  readonly root: string;
  /** What the caller must be allowed to do, in the provider's words. */
  readonly permissions: { readonly [does in 'read' | 'list' | 'write' | 'delete']: string };
  /** Files up to this size are sent in one request. */
  readonly oneRequestBytes: number;
  head(name: string): Promise<CloudObject | null>;
  /** The whole object, or bytes `[start, end)` of one generation, null: of that which is there; null where it is not. */
  read(
    name: string,
    part: { readonly generation: string | null; readonly start: number; readonly end: number } | null,
  ): Promise<CloudPiece | null>;
  put(name: string, body: Uint8Array, digest: FileDigest, order: WriteOrder): Promise<CloudObject>;
  /** Many requests; each is repeated by itself, so that a fault half-way costs one chunk. One chunk is held in memory. */
  upload(name: string, localPath: string, digest: FileDigest, order: WriteOrder, retry: Retry): Promise<CloudObject>;
  /** Exactly this generation of the source; `transient` where it has been replaced. */
  copy(source: CloudObject, name: string, order: WriteOrder, retry: Retry): Promise<CloudObject>;
  list(
    prefix: string,
    pageToken: string | null,
    limit: number,
  ): Promise<{ readonly objects: readonly CloudObject[]; readonly next: string | null }>;
  /** Also where it is gone already. */
  remove(name: string, generation: string): Promise<void>;
}
