/** A map -> an ObjectStore, for laws that need thousands of requests; it passes the contract of all stores. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectInfo, ObjectStore, Precondition } from '../../core/ports.ts';

interface Held {
  readonly body: Uint8Array;
  readonly generation: string;
}

/** @param folder where objects are laid for engines that want a path */
export function openMemoryStore(folder: string): ObjectStore {
  const objects = new Map<string, Held>();
  let writes = 0;

  const assertMet = (key: string, precondition: Precondition | undefined): void => {
    const held = objects.get(key);
    const isMet =
      precondition === undefined ||
      (precondition === 'absent' ? held === undefined : held?.generation === precondition.generation);
    if (!isMet) throw new PipelineError('precondition_failed', `${key} is not as expected`);
  };
  const infoOf = (key: string, held: Held): ObjectInfo => ({
    key,
    sizeBytes: held.body.byteLength,
    generation: held.generation,
    writtenAtMs: Number(held.generation),
    crc32c: null,
  });
  const write = async (key: string, body: Uint8Array, precondition?: Precondition): Promise<ObjectInfo> => {
    assertMet(key, precondition);
    writes += 1;
    const held = { body: Uint8Array.from(body), generation: String(writes) };
    objects.set(key, held);
    return infoOf(key, held);
  };

  return {
    displayName: 'memory/',
    read: async (key) => objects.get(key) ?? null,
    write,
    writeFile: async (key, path, precondition) => write(key, await readFile(path), precondition),
    stat: async (key) => {
      const held = objects.get(key);
      return held === undefined ? null : infoOf(key, held);
    },
    stream: async function* (key, range) {
      const held = objects.get(key);
      if (held === undefined) throw new PipelineError('object_not_found', `${key} is not in memory`);
      const bytes = held.body.slice(range?.start, range?.end);
      if (bytes.byteLength > 0) yield bytes;
    },
    copy: async (from, to, precondition) => {
      const held = objects.get(from);
      if (held === undefined) throw new PipelineError('object_not_found', `${from} is not in memory`);
      return write(to, held.body, precondition);
    },
    uri: (key) => `memory:///${key}`,
    list: async function* (prefix) {
      for (const [key, held] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (key.startsWith(prefix)) yield infoOf(key, held);
      }
    },
    delete: async (key, precondition) => {
      assertMet(key, precondition);
      return objects.delete(key);
    },
    localPath: async (key) => {
      const held = objects.get(key);
      if (held === undefined) throw new PipelineError('object_not_found', `${key} is not in memory`);
      await mkdir(dirname(join(folder, key)), { recursive: true });
      await writeFile(join(folder, key), held.body);
      return join(folder, key);
    },
  };
}
