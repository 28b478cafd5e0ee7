/** Publications of a layer -> a log of numbered manifests and one pointer to the newest that readers may see. */
import { PipelineError } from '../core/errors.ts';
import { historyKey, historyPrefix, pointerKey } from '../core/object-keys.ts';
import type { ObjectStore, PublicationReader } from '../core/ports.ts';
import type { Publication, PublishedLayer } from '../core/types.ts';
import {
  type Pointer,
  parsePointer,
  parsePublication,
  pointerTo,
  renderPointer,
  renderPublication,
} from './publication-format.ts';

/**
 * Version N + 1 is decided by who creates its manifest, which only one can; the pointer follows. An author that dies
 * in between leaves a decided version that no reader sees yet: whoever publishes next moves the pointer to it first, so
 * the log has neither holes nor versions that nobody can see.
 */
export interface PublicationLog extends PublicationReader {
  /** The newest decided version, made visible if it was not; what the next one builds on. */
  head(layer: PublishedLayer): Promise<Publication | null>;
  /** Null where the version is not kept, or was never decided. */
  find(layer: PublishedLayer, sequence: number): Promise<Publication | null>;
  /** False where the number is taken, be it by a write of this very author whose reply was lost: read the head again. */
  append(next: Publication, previous: Publication | null): Promise<boolean>;
  /** Visible versions, newest first, as far back as they are kept. */
  history(layer: PublishedLayer): AsyncIterable<Publication>;
}

interface PointerObject {
  readonly pointer: Pointer;
  readonly generation: string;
}

export function openPublicationLog(store: ObjectStore, pipeline: string): PublicationLog {
  async function readPointer(layer: PublishedLayer): Promise<PointerObject | null> {
    const key = pointerKey(layer);
    const object = await store.read(key);
    if (object === null) return null;
    const pointer = parsePointer(key, object.body);
    if (pointer.pipeline !== pipeline) throw otherPipeline(store, key, pointer.pipeline, pipeline);
    return { pointer, generation: object.generation };
  }

  async function find(layer: PublishedLayer, sequence: number): Promise<Publication | null> {
    const key = historyKey(layer, sequence);
    const object = await store.read(key);
    return object === null ? null : parsePublication(key, object.body);
  }

  async function at(layer: PublishedLayer, sequence: number): Promise<Publication> {
    const publication = await find(layer, sequence);
    if (publication === null) throw notFound(store, layer, sequence);
    return publication;
  }

  async function current(layer: PublishedLayer): Promise<Publication | null> {
    const visible = await readPointer(layer);
    return visible === null ? null : at(layer, visible.pointer.sequence);
  }

  async function head(layer: PublishedLayer): Promise<Publication | null> {
    let newest = await current(layer);
    for (;;) {
      const decided = await find(layer, (newest?.sequence ?? 0) + 1);
      if (decided === null) return newest;
      await advance(decided, newest);
      newest = decided;
    }
  }

  /** Moves the pointer from `previous` to `next`; done too where somebody else moved it there or further. */
  async function advance(next: Publication, previous: Publication | null): Promise<void> {
    for (;;) {
      const visible = await readPointer(next.layer);
      const sequence = visible?.pointer.sequence ?? 0;
      if (sequence >= next.sequence) return;
      if (sequence !== next.sequence - 1) throw pointerSetBack(store, next, sequence);
      const body = renderPointer(pointerTo(next, previous, visible?.pointer ?? null));
      const condition = visible === null ? 'absent' : { generation: visible.generation };
      if (await created(() => store.write(pointerKey(next.layer), body, condition))) return;
    }
  }

  async function append(next: Publication, previous: Publication | null): Promise<boolean> {
    const key = historyKey(next.layer, next.sequence);
    if (!(await created(() => store.write(key, renderPublication(next), 'absent')))) return false;
    await advance(next, previous);
    return true;
  }

  async function* history(layer: PublishedLayer): AsyncIterable<Publication> {
    const visible = await readPointer(layer);
    const newest = visible === null ? '' : historyKey(layer, visible.pointer.sequence);
    const keys: string[] = [];
    for await (const { key } of store.list(historyPrefix(layer))) if (key <= newest) keys.push(key);
    for (const key of keys.reverse()) {
      const object = await store.read(key);
      if (object !== null) yield parsePublication(key, object.body);
    }
  }

  return { current, at, find, head, append, history };
}

/** False where the precondition did not hold. */
async function created(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'precondition_failed') return false;
    throw thrown;
  }
}

function notFound(store: ObjectStore, layer: PublishedLayer, sequence: number): PipelineError {
  return new PipelineError(
    'publication_not_found',
    `${layer} has no version ${sequence}: ${store.displayName}${historyKey(layer, sequence)} does not exist. ` +
      `List what is kept with: assay versions ${layer}`,
    { context: { layer, sequence } },
  );
}

function otherPipeline(store: ObjectStore, key: string, found: string, expected: string): PipelineError {
  return new PipelineError(
    'state_conflict',
    `${store.displayName}${key} belongs to pipeline ${found}, not ${expected}. Give each pipeline a base path of its own.`,
    { context: { key, found, expected } },
  );
}

function pointerSetBack(store: ObjectStore, next: Publication, sequence: number): PipelineError {
  return new PipelineError(
    'publish_conflict',
    `${store.displayName}${pointerKey(next.layer)} was set back to version ${sequence} while version ${next.sequence} ` +
      'was published. Something other than this program writes it; stop that, then clear the failed task.',
    { context: { layer: next.layer, sequence } },
  );
}
