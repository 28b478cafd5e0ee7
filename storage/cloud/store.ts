/** Single requests to a bucket -> an ObjectStore: repeats what is safe to repeat, and looks again where a reply is lost. */

import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { crc32c as update } from '@node-rs/crc32';
import type { ByteRange, ObjectContent, ObjectInfo, ObjectStore, Precondition } from '../../core/ports.ts';
import { crc32cOf, digestFile, encodeCrc32c, type FileDigest } from '../crc32c.ts';
import { assertKeyPrefix, assertObjectKey } from '../object-key.ts';
import { storageError } from '../storage-error.ts';
import type { CloudApi, CloudObject, WriteOrder } from './api.ts';
import { type CloudAction, cloudError } from './error.ts';
import { CloudFault, type CloudFaultKind } from './fault.ts';
import { type CacheOptions, openObjectCache } from './object-cache.ts';
import { createRetry, DEFAULT_PATIENCE_MS } from './retry.ts';
import { type StreamedObject, streamObject } from './stream.ts';

const PAGE_KEYS = 1_000;

export interface CloudStoreOptions {
  /** Empty, or ends with a slash; part of no key. */
  readonly prefix: string;
  readonly cache: CacheOptions;
  /** How long a request is repeated before it ends as `storage_unavailable`. */
  readonly patienceMs?: number;
}

/**
 * Every write carries an id that is stored with the object. Where a reply is lost, or a repeat meets a condition that no
 * longer holds, the store reads back: an object with this id is this write, whatever another writer's body looks like.
 * A write or delete without a condition is sent as it is once; a repeat of it is sent under the generation found then, so
 * that it cannot undo what somebody else did in between.
 */
export function openCloudStore(api: CloudApi, options: CloudStoreOptions): ObjectStore {
  const { prefix } = options;
  const retry = createRetry(options.patienceMs ?? DEFAULT_PATIENCE_MS);
  const nameOf = (key: string): string => prefix + assertObjectKey(key);
  const infoOf = ({ name, sizeBytes, generation, writtenAtMs, crc32c }: CloudObject): ObjectInfo => ({
    key: name.slice(prefix.length),
    sizeBytes,
    generation,
    writtenAtMs,
    crc32c,
  });
  const uri = (key: string): string => `${api.root}${nameOf(key)}`;

  /** Whatever fails is told with the object's address. */
  async function guarded<T>(does: CloudAction, key: string, work: (name: string) => Promise<T>): Promise<T> {
    const name = nameOf(key);
    try {
      return await work(name);
    } catch (thrown) {
      throw cloudError(thrown, api, does, name);
    }
  }

  let bucketSeen: Promise<unknown> | null = null;

  /** Some servers answer alike for a missing object and a missing bucket; only the first of them is `null`. */
  async function absent(): Promise<null> {
    bucketSeen ??= retry(() => api.list(prefix, null, 1));
    try {
      await bucketSeen;
    } catch (thrown) {
      bucketSeen = null;
      throw thrown instanceof CloudFault && thrown.kind === 'missing'
        ? new CloudFault('missing_bucket', thrown.message, { cause: thrown })
        : thrown;
    }
    return null;
  }

  const head = async (name: string): Promise<CloudObject | null> =>
    (await retry(() => api.head(name))) ?? (await absent());

  /** Writes once, however often it has to be sent. */
  async function writeOnce(
    name: string,
    precondition: Precondition | undefined,
    send: (order: WriteOrder) => Promise<CloudObject>,
  ): Promise<CloudObject> {
    const writeId = randomUUID();
    let isInDoubt = false;
    return retry(async () => {
      let condition: WriteOrder['condition'] = precondition ?? null;
      if (isInDoubt) {
        const found = await api.head(name);
        if (found?.writeId === writeId) return found;
        if (precondition === undefined) condition = found === null ? 'absent' : { generation: found.generation };
      }
      try {
        return await send({ condition, writeId });
      } catch (thrown) {
        if (!(thrown instanceof CloudFault)) throw thrown;
        if (thrown.kind !== 'precondition') {
          isInDoubt ||= thrown.mayRepeat;
          throw thrown;
        }
        const found = await api.head(name);
        if (found?.writeId === writeId) return found;
        if (precondition !== undefined) throw thrown;
        throw new CloudFault('transient', 'another writer came in between', { cause: thrown });
      }
    });
  }

  /** The answer to a write names the checksum of what was stored; where that is not ours, the store is asked again. */
  async function settle(answer: CloudObject, digest: FileDigest): Promise<ObjectInfo> {
    if (isOf(answer, digest)) return infoOf({ ...answer, crc32c: digest.crc32c });
    const stored = await head(answer.name);
    if (stored !== null && isOf(stored, digest)) return infoOf({ ...stored, crc32c: digest.crc32c });
    if (stored === null || stored.generation !== answer.generation) return infoOf({ ...answer, ...digest });
    // Neither answer is ours: the bytes themselves decide. Nothing is deleted; a pointer that is right stays.
    let sum = 0;
    for await (const piece of streamObject(api, retry, { ...stored, crc32c: null }, { start: 0 })) {
      sum = update(piece, sum);
    }
    if (encodeCrc32c(sum) === digest.crc32c) return infoOf({ ...stored, ...digest });
    throw new CloudFault('corrupt', `${encodeCrc32c(sum)} was stored where ${digest.crc32c} was sent`, {
      mayRepeat: false,
    });
  }

  async function put(name: string, body: Uint8Array, precondition: Precondition | undefined): Promise<ObjectInfo> {
    const digest = { sizeBytes: body.byteLength, crc32c: crc32cOf(body) };
    return settle(await writeOnce(name, precondition, (order) => api.put(name, body, digest, order)), digest);
  }

  async function putFile(name: string, path: string, precondition: Precondition | undefined): Promise<ObjectInfo> {
    const local = async <T>(read: Promise<T>): Promise<T> =>
      read.catch((thrown: unknown) => {
        throw storageError(thrown, `send ${name}`, path);
      });
    const { size } = await local(stat(path));
    if (size <= api.oneRequestBytes) return put(name, await local(readFile(path)), precondition);
    const digest = await local(digestFile(path));
    return settle(await writeOnce(name, precondition, (order) => api.upload(name, path, digest, order, retry)), digest);
  }

  async function copy(from: string, to: string, precondition: Precondition | undefined): Promise<ObjectInfo> {
    let source: CloudObject | null = null;
    const copied = await writeOnce(to, precondition, async (order) => {
      source = await head(from);
      if (source === null) throw cloudError(new CloudFault('missing', 'it does not exist'), api, 'read', from);
      return api.copy(source, to, order, retry);
    });
    const { crc32c, sizeBytes } = source ?? copied;
    return crc32c === null ? infoOf(copied) : settle(copied, { crc32c, sizeBytes });
  }

  async function remove(name: string, precondition: Precondition | undefined): Promise<boolean> {
    let isInDoubt = false;
    return retry(async () => {
      const found = (await api.head(name)) ?? (await absent());
      if (found === null && (isInDoubt || typeof precondition !== 'object')) return isInDoubt;
      if (found === null || (precondition !== undefined && !isMet(found, precondition))) {
        throw new CloudFault('precondition', `found ${found === null ? 'no such object' : found.generation}`);
      }
      try {
        await api.remove(name, found.generation);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof CloudFault)) throw thrown;
        isInDoubt ||= thrown.mayRepeat;
        if (thrown.kind !== 'precondition' || precondition !== undefined) throw thrown;
        throw new CloudFault('transient', 'another writer came in between', { cause: thrown });
      }
    });
  }

  /** What is to be read; where its content is known, without a look. */
  async function locate(name: string, content: ObjectContent | undefined): Promise<StreamedObject> {
    // A range of nothing cannot be asked for.
    if (content !== undefined && content.sizeBytes > 0) {
      const { sizeBytes, crc32c } = content;
      return { name, sizeBytes, crc32c, generation: null };
    }
    const object = await head(name);
    if (object === null) throw new CloudFault('missing', 'it does not exist');
    return object;
  }

  /** A read without a look failed: the look tells whether object or bucket is missing, or something else is there. */
  async function explained(thrown: unknown, name: string, content: ObjectContent | undefined): Promise<unknown> {
    const kinds: readonly CloudFaultKind[] = ['missing', 'corrupt', 'rejected'];
    if (content === undefined || !(thrown instanceof CloudFault) || !kinds.includes(thrown.kind)) return thrown;
    const found = await head(name);
    if (found === null || found.sizeBytes === content.sizeBytes) return thrown;
    const what = `it has ${found.sizeBytes} bytes, but ${content.sizeBytes} were written`;
    return new CloudFault('corrupt', what, { mayRepeat: false, cause: thrown });
  }

  async function* stream(
    key: string,
    range: ByteRange,
    content: ObjectContent | undefined,
  ): AsyncGenerator<Uint8Array> {
    const name = nameOf(key);
    try {
      try {
        yield* streamObject(api, retry, await locate(name, content), range);
      } catch (thrown) {
        throw await explained(thrown, name, content);
      }
    } catch (thrown) {
      throw cloudError(thrown, api, 'read', name);
    }
  }

  async function* list(keyPrefix: string): AsyncGenerator<ObjectInfo> {
    let pageToken: string | null = null;
    // Not told by the order of names: directory buckets of S3 have none.
    const given = new Set<string>();
    do {
      const page: Awaited<ReturnType<CloudApi['list']>> = await retry(async () => {
        const found = await api.list(prefix + keyPrefix, pageToken, PAGE_KEYS);
        const marks = marksOf(found);
        if (!marks.some((mark) => given.has(mark))) return found;
        throw new CloudFault('transient', 'the server leads back to a page that it has given');
      }).catch((thrown: unknown) => {
        throw cloudError(thrown, api, 'list', prefix + keyPrefix);
      });
      for (const mark of marksOf(page)) given.add(mark);
      for (const object of page.objects) if (isKey(object.name.slice(prefix.length))) yield infoOf(object);
      pageToken = page.next;
    } while (pageToken !== null);
  }

  const cache = openObjectCache(options.cache);

  return {
    displayName: `${api.root}${prefix}`,
    uri,
    read: (key) =>
      guarded('read', key, async (name) => {
        const found = (await retry(() => readVerified(api, name))) ?? (await absent());
        return found === null ? null : { body: found.body, generation: found.generation };
      }),
    stat: (key) =>
      guarded('read', key, async (name) => {
        const found = await head(name);
        return found === null ? null : infoOf(found);
      }),
    stream: (key, range, content) => stream(key, range ?? { start: 0 }, content),
    write: (key, body, precondition) => guarded('write', key, (name) => put(name, body, precondition)),
    writeFile: (key, path, precondition) => guarded('write', key, (name) => putFile(name, path, precondition)),
    copy: (from, to, precondition) => guarded('write', to, (name) => copy(nameOf(from), name, precondition)),
    list: (keyPrefix) => list(assertKeyPrefix(keyPrefix)),
    delete: (key, precondition) => guarded('delete', key, (name) => remove(name, precondition)),
    localPath: (key, content) =>
      guarded('read', key, async (name) => {
        const bring = async (): Promise<string> => {
          const object = await locate(name, content);
          return cache.path(uri(key), object, () => streamObject(api, retry, object, { start: 0 }));
        };
        try {
          return await bring().catch((thrown: unknown) => {
            // Either the bytes or what was said of them: nobody has them yet, so both are asked for again.
            if (thrown instanceof CloudFault && thrown.kind === 'corrupt') return bring();
            throw thrown;
          });
        } catch (thrown) {
          throw await explained(thrown, name, content);
        }
      }),
  };
}

async function readVerified(api: CloudApi, name: string): ReturnType<CloudApi['read']> {
  const found = await api.read(name, null);
  if (found === null || found.crc32c === null) return found;
  const crc32c = crc32cOf(found.body);
  if (crc32c === found.crc32c) return found;
  throw new CloudFault('corrupt', `its bytes have the crc32c ${crc32c}, the store says ${found.crc32c}`);
}

const isMet = (found: CloudObject, precondition: Precondition): boolean =>
  precondition !== 'absent' && found.generation === precondition.generation;

const isOf = (object: CloudObject, digest: FileDigest): boolean =>
  object.sizeBytes === digest.sizeBytes && (object.crc32c === null || object.crc32c === digest.crc32c);

/** What no later page of the same listing has too: the token of the next one, its first object. */
const marksOf = ({ objects, next }: Awaited<ReturnType<CloudApi['list']>>): readonly string[] => [
  ...(next === null ? [] : [`token ${next}`]),
  ...objects.slice(0, 1).map(({ name }) => `object ${name}`),
];

/** Other programs leave names in buckets that are no keys of ours: `folder/`, `.part.crc`. */
function isKey(name: string): boolean {
  try {
    return assertObjectKey(name) === name;
  } catch {
    return false;
  }
}
