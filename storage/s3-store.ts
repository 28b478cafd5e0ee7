/** A bucket -> an ObjectStore. */
import type { ObjectStore } from '../core/ports.ts';
import type { CacheOptions } from './object-cache.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Empty, or ends with a slash; part of no key. */
  readonly prefix: string;
  readonly cache: CacheOptions;
  /** Null: Amazon's. Credentials come from the environment, as Amazon's clients find them. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly forcePathStyle: boolean;
}

export function openS3Store(options: S3StoreOptions): ObjectStore {
  throw new Error(`not written: ${options.bucket}`);
}
