/** A bucket of Cloud Storage -> an ObjectStore. */
import { Storage } from '@google-cloud/storage';
import type { ObjectStore } from '../../core/ports.ts';
import type { CacheOptions } from '../cloud/object-cache.ts';
import type { HttpProxy } from '../cloud/proxy.ts';
import { openCloudStore } from '../cloud/store.ts';
import { openGcsApi } from './api.ts';

const ANSWER_MS = 60_000;

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
  /** For objects; tokens are fetched by Google's library, which looks at `HTTPS_PROXY` and `NO_PROXY` by itself. */
  readonly proxy?: HttpProxy | null;
  /** How long a request is repeated before it ends as `storage_unavailable`. */
  readonly patienceMs?: number;
  /** How long a request may take beside its bytes, and without a byte on its way, before it is repeated. Default a minute. */
  readonly answerMs?: number;
}

/**
 * Generations are Cloud Storage's own. Keys come in the order of their UTF-8 bytes, which is that of JavaScript's
 * strings but for letters beyond the basic plane.
 *
 * Another server than Google's is sent no credentials, and none are looked for.
 */
export function openGcsStore(options: GcsStoreOptions): ObjectStore {
  const { bucket, keyFile, projectId, endpoint, proxy, answerMs, ...rest } = options;
  // Always said: the client would take the address of STORAGE_EMULATOR_HOST instead, whatever the settings are.
  const apiEndpoint = endpoint ?? 'https://storage.googleapis.com';
  const storage = new Storage({
    ...(projectId === null ? {} : { projectId }),
    ...(keyFile === null ? {} : { keyFilename: keyFile }),
    apiEndpoint,
    useAuthWithCustomEndpoint: isGoogles(apiEndpoint),
  });
  return openCloudStore(openGcsApi(storage, bucket, { proxy: proxy ?? null, answerMs: answerMs ?? ANSWER_MS }), rest);
}

/** Regional and private addresses of Google's own service. */
function isGoogles(endpoint: string): boolean {
  return /^https:\/\/([a-z0-9-]+\.)*googleapis\.com\/?$/i.test(endpoint);
}
