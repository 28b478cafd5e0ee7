/** A folder -> buckets of objects, each changed at once or not at all. */
import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/ports.ts';
import { ApiError, noSuchBucket } from './api-error.ts';
import { openGenerations } from './generations.ts';
import { compareNames, indexAtOrAfter } from './name-order.ts';
import type { BucketRecord, ObjectRecord, ObjectSettings } from './object-record.ts';
import { checkPreconditions, type Preconditions } from './preconditions.ts';

/** Bytes that are to become an object's. */
export interface NewBody extends Pick<ObjectRecord, 'sizeBytes' | 'crc32c' | 'md5Hash' | 'componentCount'> {
  /** Moved away where `isShared` is false. */
  readonly path: string;
  /** True for another object's body, which stays where it is. */
  readonly isShared: boolean;
}

interface Bucket {
  readonly record: BucketRecord;
  readonly objects: Map<string, ObjectRecord>;
  /** In the order of listings. */
  readonly names: string[];
}

/**
 * On disk:
 * ```
 * buckets/<bucket>/bucket.json
 * buckets/<bucket>/<SHA-256 of the name>.json   the object's record, renamed into place when its body is
 * bodies/<generation>                           immutable
 * incoming/                                     bodies and records on their way; emptied by `open`
 * generation                                    see generations.ts
 * ```
 * Every change checks its conditions and commits in one turn of the event loop, so that nothing comes in between: with one
 * process on the folder, objects are linearizable. A kill at any point leaves the object as it was or as it was to become,
 * and at most a body that nothing refers to, which the next `open` removes. Nothing is synced to disk: after a power cut
 * the newest writes may be gone.
 */
export class BucketStore {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #nextGeneration: () => number;
  readonly #buckets = new Map<string, Bucket>();
  /** Bodies of which the path was given away; they outlive their objects until the next `open`. */
  readonly #lentBodies = new Set<number>();

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
    rmSync(join(folder, 'incoming'), { recursive: true, force: true });
    for (const part of ['incoming', 'buckets', 'bodies']) mkdirSync(join(folder, part), { recursive: true });
    this.#nextGeneration = openGenerations(join(folder, 'generation'), () => clock.now());
    for (const name of readdirSync(join(folder, 'buckets')))
      this.#buckets.set(name, readBucket(this.#bucketFolder(name)));
    this.#removeUnreferencedBodies();
  }

  /** A path for a body on its way, on the file system of the bodies. */
  incomingPath(): string {
    return join(this.#folder, 'incoming', randomUUID());
  }

  bodyPath(object: ObjectRecord): string {
    return join(this.#folder, 'bodies', String(object.generation));
  }

  /** Opens the bytes of exactly this generation; they can be read to their end, whatever becomes of the object. */
  openBody(object: ObjectRecord): number {
    return openSync(this.bodyPath(object), 'r');
  }

  /** Like `bodyPath`, of a file that stays where it is while the sandbox runs. */
  lendBody(object: ObjectRecord): string {
    this.#lentBodies.add(object.generation);
    return this.bodyPath(object);
  }

  buckets(): readonly BucketRecord[] {
    return [...this.#buckets.values()].map((bucket) => bucket.record).sort((a, b) => compareNames(a.name, b.name));
  }

  bucket(name: string): BucketRecord | undefined {
    return this.#buckets.get(name)?.record;
  }

  /** @throws ApiError 409 where there is one */
  createBucket(record: BucketRecord): void {
    if (this.#buckets.has(record.name))
      throw new ApiError(
        409,
        'conflict',
        `Your previous request to create the named bucket '${record.name}' succeeded and you already own it.`,
      );
    const draft = this.incomingPath();
    mkdirSync(draft);
    writeFileSync(join(draft, 'bucket.json'), JSON.stringify(record));
    renameSync(draft, this.#bucketFolder(record.name));
    this.#buckets.set(record.name, { record, objects: new Map(), names: [] });
  }

  /** @throws ApiError 404, or 409 where it holds objects */
  deleteBucket(name: string): void {
    const bucket = this.#find(name);
    if (bucket.names.length > 0) throw new ApiError(409, 'conflict', 'The bucket you tried to delete is not empty.');
    const gone = this.incomingPath();
    renameSync(this.#bucketFolder(name), gone);
    this.#buckets.delete(name);
    rmSync(gone, { recursive: true });
  }

  /** In the order of listings. Changes with the bucket: not to be kept. */
  names(bucket: string): readonly string[] {
    return this.#find(bucket).names;
  }

  /** The live object, if there is one. @throws ApiError 404 where there is no such bucket */
  object(bucket: string, name: string): ObjectRecord | undefined {
    return this.#find(bucket).objects.get(name);
  }

  /** Makes the bytes the object's new generation. @throws ApiError 404, 412, 304 */
  write(
    bucketName: string,
    name: string,
    body: NewBody,
    settings: ObjectSettings,
    conditions: Preconditions,
  ): ObjectRecord {
    const bucket = this.#find(bucketName);
    const before = bucket.objects.get(name);
    checkPreconditions(before, conditions);
    const now = this.#clock.now();
    const { sizeBytes, crc32c, md5Hash, componentCount } = body;
    const object: ObjectRecord = {
      bucket: bucketName,
      name,
      generation: this.#nextGeneration(),
      metageneration: 1,
      sizeBytes,
      crc32c,
      md5Hash,
      componentCount,
      createdAtMs: now,
      updatedAtMs: now,
      settings,
    };
    placeBody(body, this.bodyPath(object));
    this.#commit(bucket, object);
    if (before) this.#dropBody(before);
    else bucket.names.splice(indexAtOrAfter(bucket.names, name), 0, name);
    return object;
  }

  /** Keeps bytes and generation. `change` sees the object as it is, and may refuse. */
  changeSettings(object: ObjectRecord, settings: ObjectSettings): ObjectRecord {
    const bucket = this.#find(object.bucket);
    const changed = { ...object, settings, metageneration: object.metageneration + 1, updatedAtMs: this.#clock.now() };
    this.#commit(bucket, changed);
    return changed;
  }

  remove(object: ObjectRecord): void {
    const bucket = this.#find(object.bucket);
    rmSync(this.#recordPath(object));
    bucket.objects.delete(object.name);
    bucket.names.splice(indexAtOrAfter(bucket.names, object.name), 1);
    this.#dropBody(object);
  }

  #find(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw noSuchBucket();
    return bucket;
  }

  #commit(bucket: Bucket, object: ObjectRecord): void {
    const draft = this.incomingPath();
    writeFileSync(draft, JSON.stringify(object));
    renameSync(draft, this.#recordPath(object));
    bucket.objects.set(object.name, object);
  }

  #dropBody(object: ObjectRecord): void {
    if (!this.#lentBodies.has(object.generation)) rmSync(this.bodyPath(object), { force: true });
  }

  #bucketFolder(name: string): string {
    return join(this.#folder, 'buckets', name);
  }

  /** By the name's hash, because names hold any character, and one may be the folder of another. */
  #recordPath(object: ObjectRecord): string {
    const hash = createHash('sha256').update(object.name).digest('hex');
    return join(this.#bucketFolder(object.bucket), `${hash}.json`);
  }

  #removeUnreferencedBodies(): void {
    const referenced = new Set<string>();
    for (const bucket of this.#buckets.values())
      for (const object of bucket.objects.values()) referenced.add(String(object.generation));
    const folder = join(this.#folder, 'bodies');
    for (const file of readdirSync(folder)) if (!referenced.has(file)) rmSync(join(folder, file));
  }
}

function readBucket(folder: string): Bucket {
  const objects = new Map<string, ObjectRecord>();
  for (const file of readdirSync(folder)) {
    if (file === 'bucket.json') continue;
    const object = JSON.parse(readFileSync(join(folder, file), 'utf8')) as ObjectRecord;
    objects.set(object.name, object);
  }
  const record = JSON.parse(readFileSync(join(folder, 'bucket.json'), 'utf8')) as BucketRecord;
  return { record, objects, names: [...objects.keys()].sort(compareNames) };
}

/** A generation is used once, so a file in the way is what a failed commit left. */
function placeBody(body: NewBody, path: string): void {
  if (!body.isShared) {
    renameSync(body.path, path);
    return;
  }
  try {
    linkSync(body.path, path);
  } catch (thrown) {
    if (!existsSync(body.path)) throw thrown;
    copyFileSync(body.path, path);
  }
}
