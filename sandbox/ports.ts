/** What the two services of the sandbox share: where objects lie, and which requests are made to fail. */

/** The buckets as BigQuery's jobs see them: complete, current objects only. */
export interface Buckets {
  /** Objects of a bucket by exact name, or by a pattern with one `*`; sorted by name, empty where none matches. */
  match(bucket: string, pattern: string): Promise<readonly BucketObject[]>;
  /** Takes a finished local file over as a new generation; for extract jobs. */
  put(bucket: string, name: string, localPath: string): Promise<void>;
}

export interface BucketObject {
  readonly name: string;
  /** A file on this machine; immutable, a new generation is a new file. */
  readonly localPath: string;
  readonly sizeBytes: number;
}

export type Service = 'storage' | 'bigquery';

/**
 * What becomes of a request instead of its answer.
 * `lost_reply`: it is done, but the connection ends before the answer. `reset`: the connection ends before it is done.
 */
export type Fault =
  | { readonly kind: 'status'; readonly status: number }
  /** BigQuery: the reason of its error table, e.g. `rateLimitExceeded`; in the finished job where `inJob`. */
  | { readonly kind: 'reason'; readonly reason: string; readonly inJob: boolean }
  | { readonly kind: 'reset' }
  | { readonly kind: 'lost_reply' }
  /** Cut off after so many bytes of the request's body. */
  | { readonly kind: 'cut_upload'; readonly afterBytes: number }
  /** The answer tells a wrong checksum of what was uploaded. */
  | { readonly kind: 'wrong_checksum' };

/**
 * The server asks once for every request and does what the fault says, so a service's handlers never see those.
 * A job asks for itself as it ends, with the operation `job.load`, `job.query`, `job.copy` or `job.extract`; only that
 * question is answered with a reason that is `inJob`.
 */
export interface Faults {
  /** Null: let it pass. `operation` is `<resource>.<method>`, e.g. `objects.insert`, `jobs.insert`. Deterministic by seed. */
  next(service: Service, operation: string): Fault | null;
}
