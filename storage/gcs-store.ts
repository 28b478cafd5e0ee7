/** A bucket -> an ObjectStore. */
import type { ObjectStore } from '../core/ports.ts';
import type { CacheOptions } from './object-cache.ts';

export interface GcsStoreOptions {
  readonly bucket: string;
  /** Empty, or ends with a slash; part of no key. */
  readonly prefix: string;
  readonly cache: CacheOptions;
  readonly projectId: string | null;
  /** Absolute path of a service account key or workload identity file; null: what Google's clients find by themselves. */
  readonly keyFile: string | null;
  /** Of a server that speaks Cloud Storage's API; null: Google's. */
  readonly endpoint: string | null;
}

export function openGcsStore(options: GcsStoreOptions): ObjectStore {
  throw new Error(`not written: ${options.bucket}`);
}
