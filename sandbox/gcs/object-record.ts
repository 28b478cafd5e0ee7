/** Bucket and object as the sandbox keeps them -> the resources of the JSON API. */
import { isoInstant } from '../../core/partition.ts';

export interface BucketRecord {
  readonly name: string;
  readonly location: string;
  readonly createdAtMs: number;
  readonly labels: { readonly [key: string]: string };
}

/** What a writer may choose about an object, besides its bytes. */
export interface ObjectSettings {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly cacheControl?: string;
  /** RFC 3339. */
  readonly customTime?: string;
  readonly metadata?: { readonly [key: string]: string };
}

export interface ObjectRecord {
  readonly bucket: string;
  readonly name: string;
  /** Looks like microseconds since the epoch; grows with every write of any object. */
  readonly generation: number;
  /** From 1; counts changes of this generation's settings. */
  readonly metageneration: number;
  readonly sizeBytes: number;
  /** Base64 of four big-endian bytes. */
  readonly crc32c: string;
  /** Base64; null for a composite object. */
  readonly md5Hash: string | null;
  /** Of a composite object; null for any other. */
  readonly componentCount: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly settings: ObjectSettings;
}

/** @source Cloud Storage JSON API, "Buckets" (read 2026-11-21) */
export function bucketResource(bucket: BucketRecord, origin: string): object {
  const at = isoInstant(bucket.createdAtMs);
  return {
    kind: 'storage#bucket',
    id: bucket.name,
    selfLink: `${origin}/storage/v1/b/${bucket.name}`,
    name: bucket.name,
    projectNumber: '0',
    metageneration: '1',
    location: bucket.location,
    locationType: 'region',
    storageClass: 'STANDARD',
    etag: 'CAE=',
    timeCreated: at,
    updated: at,
    ...(Object.keys(bucket.labels).length > 0 && { labels: bucket.labels }),
  };
}

/** @source Cloud Storage JSON API, "Objects" (read 2026-11-21); 64-bit numbers are decimal strings there */
export function objectResource(object: ObjectRecord, origin: string): object {
  const path = `b/${object.bucket}/o/${encodeURIComponent(object.name)}`;
  return {
    kind: 'storage#object',
    id: `${object.bucket}/${object.name}/${object.generation}`,
    selfLink: `${origin}/storage/v1/${path}`,
    mediaLink: `${origin}/download/storage/v1/${path}?generation=${object.generation}&alt=media`,
    name: object.name,
    bucket: object.bucket,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    ...object.settings,
    storageClass: 'STANDARD',
    size: String(object.sizeBytes),
    ...(object.md5Hash !== null && { md5Hash: object.md5Hash }),
    crc32c: object.crc32c,
    ...(object.componentCount !== null && { componentCount: object.componentCount }),
    etag: etagOf(object),
    timeCreated: isoInstant(object.createdAtMs),
    updated: isoInstant(object.updatedAtMs),
    timeStorageClassUpdated: isoInstant(object.createdAtMs),
    timeFinalized: isoInstant(object.createdAtMs),
  };
}

/** Changes with either number, and with nothing else. */
export function etagOf(object: ObjectRecord): string {
  return Buffer.from(`${object.generation}/${object.metageneration}`).toString('base64');
}
