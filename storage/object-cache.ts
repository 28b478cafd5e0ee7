/** Objects of a bucket -> files on this machine that engines can read. */

export interface CacheOptions {
  /** Absolute path; several processes and buckets may share it. */
  readonly folder: string;
  readonly maxBytes: number;
}
