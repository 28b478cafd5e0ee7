/** Objects of the lake and of bronze -> files that engines can read. */
import { stat } from 'node:fs/promises';
import { PipelineError } from '../core/errors.ts';
import { mapParallel } from '../core/map-parallel.ts';
import type { BronzeFiles, LakeObjects, ObjectStore } from '../core/ports.ts';
import type { DataFile } from '../core/types.ts';
import { isMissing, storageError } from './storage-error.ts';

/** Enough to hide the wait for a bucket's answers; a remote store bounds its downloads by itself. */
const PARALLEL_FILES = 16;

/** @throws PipelineError `object_not_found`; `data_unreadable` where a file has another size than was published */
export function createLakeFiles(store: ObjectStore): LakeObjects {
  return {
    localPaths: (files) => mapParallel(files, PARALLEL_FILES, (file) => verifiedPath(store, file)),
    uri: (file) => store.uri(file.key),
    tail: async (file, bytes) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.stream(file.key, { start: -bytes }, file)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
}

export function createBronzeFiles(store: ObjectStore): BronzeFiles {
  return { localPath: (key) => store.localPath(key), displayName: store.displayName };
}

async function verifiedPath(store: ObjectStore, file: DataFile): Promise<string> {
  const path = await store.localPath(file.key, file);
  const sizeBytes = await sizeOf(path, file.key);
  if (sizeBytes === file.sizeBytes) return path;
  throw new PipelineError(
    'data_unreadable',
    `${store.displayName}${file.key} has ${sizeBytes ?? 'no'} bytes, but ${file.sizeBytes} were published. ` +
      'Something changed it; restore the file, or roll the layer back to a version that does not use it.',
    { context: { key: file.key } },
  );
}

async function sizeOf(path: string, key: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw storageError(thrown, `read ${key}`, path);
  }
}
