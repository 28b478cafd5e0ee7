/** A bucket of Cloud Storage -> an ObjectStore. */
import { Storage } from '@google-cloud/storage';
import type { ObjectStore } from '../../core/ports.ts';
import type { CacheOptions } from '../cloud/object-cache.ts';
import { openCloudStore } from '../cloud/store.ts';
import { openGcsApi } from './api.ts';

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
  /** How long a request is repeated before it ends as `storage_unavailable`. */
  readonly patienceMs?: number;
}

/**
 * Generations are Cloud Storage's own. Keys come in the order of their UTF-8 bytes, which is that of JavaScript's
 * strings but for letters beyond the basic plane.
 *
 * Another server than Google's is sent no credentials, and none are looked for.
 */
export function openGcsStore(options: GcsStoreOptions): ObjectStore {
  const { bucket, keyFile, projectId, endpoint, ...rest } = options;
  const storage = new Storage({
    ...(projectId === null ? {} : { projectId }),
    ...(keyFile === null ? {} : { keyFilename: keyFile }),
    ...(endpoint === null ? {} : { apiEndpoint: endpoint, useAuthWithCustomEndpoint: isGoogles(endpoint) }),
  });
  return openCloudStore(openGcsApi(storage, bucket), rest);
}

/** Regional and private addresses of Google's own service. */
function isGoogles(endpoint: string): boolean {
  return /^https:\/\/([a-z0-9-]+\.)*googleapis\.com\/?$/i.test(endpoint);
}
