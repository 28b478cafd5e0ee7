/** Publications of a layer -> a log of numbered manifests and one pointer to the newest that readers may see. */
import { PipelineError } from '../core/errors.ts';
import { historyKey, historyPrefix, parseHistoryKey, pointerKey } from '../core/object-keys.ts';
import type { ObjectStore, PublicationReader } from '../core/ports.ts';
import type { Publication, PublishedLayer } from '../core/types.ts';
import { crc32cOf } from './crc32c.ts';
import { readHold } from './hold-file.ts';
import {
  type Pointer,
  parsePointer,
  parsePublication,
  pointerTo,
  renderPointer,
  renderPublication,
  revised,
} from './publication-format.ts';

/**
 * Version N + 1 is decided by who creates its manifest, which only one can; the pointer follows. An author that dies
 * in between leaves a decided version that no reader sees yet: whoever publishes next moves the pointer to it first, so
 * the log has neither holes nor versions that nobody can see. While a layer is held the pointer moves to rollbacks alone.
 *
 * A pointer that was removed is found missing by the history: version 2 is decided only once 1 is visible. Readers then
 * see the newest version, and the next publisher writes the pointer again; so it does with one that was set back.
 */
export interface PublicationLog extends PublicationReader {
  /** The newest decided version, made visible if it was not and may be; what the next one builds on. */
  head(layer: PublishedLayer): Promise<LogHead>;
  /** Null where the version is not kept, or was never decided. */
  find(layer: PublishedLayer, sequence: number): Promise<Publication | null>;
  /**
   * `taken`: the number is, be it by a write of this very author whose reply was lost: read the head again.
   * `held`: decided, but a hold came before readers could see it.
   */
  append(next: Publication, previous: Publication | null): Promise<'visible' | 'taken' | 'held'>;
  /** Visible versions, newest first, as far back as they are kept. */
  history(layer: PublishedLayer): AsyncIterable<Publication>;
  /** Numbers of all decided versions that are kept, ascending. */
  kept(layer: PublishedLayer): Promise<readonly number[]>;
  /** Makes every move of the pointer fail that is under way, so that it looks for a hold again. Gives the visible version, 0: none. */
  fence(layer: PublishedLayer): Promise<number>;
}

export interface LogHead {
  readonly newest: Publication | null;
  /** False where a hold keeps it from readers. */
  readonly isVisible: boolean;
}

interface PointerObject {
  readonly pointer: Pointer;
  readonly generation: string;
}

interface Manifest {
  readonly publication: Publication;
  readonly crc32c: string;
}

interface VisibleManifest extends Manifest {
  /** False where the pointer was lost. */
  readonly isPointedTo: boolean;
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

  async function readManifest(layer: PublishedLayer, sequence: number): Promise<Manifest | null> {
    const key = historyKey(layer, sequence);
    const object = await store.read(key);
    return object === null ? null : { publication: parsePublication(key, object.body), crc32c: crc32cOf(object.body) };
  }

  const seen = new Map<PublishedLayer, Manifest>();

  /** A manifest never changes: the one that was read last is still what a pointer with its number and checksum names. */
  async function namedManifest(
    layer: PublishedLayer,
    sequence: number,
    pointer: Pointer | undefined,
  ): Promise<Manifest | null> {
    const last = seen.get(layer);
    const isNamed = last?.publication.sequence === sequence && last.crc32c === pointer?.manifest_crc32c;
    if (last !== undefined && isNamed) return last;
    const manifest = await readManifest(layer, sequence);
    if (manifest !== null) seen.set(layer, manifest);
    return manifest;
  }

  async function find(layer: PublishedLayer, sequence: number): Promise<Publication | null> {
    return (await readManifest(layer, sequence))?.publication ?? null;
  }

  async function at(layer: PublishedLayer, sequence: number): Promise<Publication> {
    return (await find(layer, sequence)) ?? absent(layer, sequence);
  }

  async function absent(layer: PublishedLayer, sequence: number): Promise<never> {
    const [oldest] = await kept(layer);
    throw oldest !== undefined && sequence < oldest && sequence > 0
      ? collected(layer, sequence, oldest)
      : notFound(store, layer, sequence);
  }

  async function kept(layer: PublishedLayer): Promise<readonly number[]> {
    const sequences: number[] = [];
    for await (const { key } of store.list(historyPrefix(layer))) {
      const sequence = parseHistoryKey(key);
      if (sequence !== null) sequences.push(sequence);
    }
    return sequences.sort((a, b) => a - b);
  }

  /** The number that readers go by; 0 where nothing is visible. Without a pointer it takes a listing to tell. */
  async function visibleSequence(layer: PublishedLayer, pointer: Pointer | undefined): Promise<number> {
    if (pointer !== undefined) return pointer.sequence;
    const newest = (await kept(layer)).at(-1) ?? 0;
    // Version 1 alone may be one whose author has not come to write the first pointer.
    return newest > 1 ? newest : 0;
  }

  async function visible(layer: PublishedLayer): Promise<VisibleManifest | null> {
    const pointer = (await readPointer(layer))?.pointer;
    const sequence = await visibleSequence(layer, pointer);
    if (sequence === 0) return null;
    const manifest = (await namedManifest(layer, sequence, pointer)) ?? (await absent(layer, sequence));
    if (pointer?.manifest_crc32c !== undefined && pointer.manifest_crc32c !== manifest.crc32c) {
      throw changedManifest(store, layer, sequence);
    }
    return { ...manifest, isPointedTo: pointer !== undefined };
  }

  async function current(layer: PublishedLayer): Promise<Publication | null> {
    return (await visible(layer))?.publication ?? null;
  }

  async function head(layer: PublishedLayer): Promise<LogHead> {
    const seen = await visible(layer);
    let newest: Manifest | null = seen;
    for (;;) {
      const decided = await readManifest(layer, (newest?.publication.sequence ?? 0) + 1);
      if (decided === null) break;
      newest = decided;
    }
    if (newest === null) return { newest, isVisible: true };
    const isPointedTo = newest === seen && seen.isPointedTo;
    return {
      newest: newest.publication,
      isVisible: isPointedTo || (await show(newest, seen?.publication ?? null)),
    };
  }

  /**
   * Moves the pointer up to `next`; done too where somebody else moved it there or further. False under a hold.
   *
   * The hold is looked for between reading the pointer and replacing that generation of it. A hold is placed first and
   * then rewrites the pointer (`fence`), so either this move came before, or it fails here and finds the hold.
   */
  async function show({ publication: next, crc32c }: Manifest, known: Publication | null): Promise<boolean> {
    for (;;) {
      const before = await readPointer(next.layer);
      if ((before?.pointer.sequence ?? 0) >= next.sequence) return true;
      if (next.revertsTo === null && (await readHold(store, next.layer)) !== null) return false;
      const previous = before && (await publicationAt(before.pointer, known));
      const body = renderPointer(pointerTo(next, crc32c, previous, before?.pointer ?? null));
      const condition = before === null ? 'absent' : { generation: before.generation };
      if (await isMet(() => store.write(pointerKey(next.layer), body, condition))) return true;
    }
  }

  const publicationAt = async ({ layer, sequence }: Pointer, known: Publication | null): Promise<Publication | null> =>
    known?.sequence === sequence ? known : find(layer, sequence);

  async function append(next: Publication, previous: Publication | null): Promise<'visible' | 'taken' | 'held'> {
    const body = renderPublication(next);
    const key = historyKey(next.layer, next.sequence);
    if (!(await isMet(() => store.write(key, body, 'absent')))) return 'taken';
    return (await show({ publication: next, crc32c: crc32cOf(body) }, previous)) ? 'visible' : 'held';
  }

  async function fence(layer: PublishedLayer): Promise<number> {
    for (;;) {
      const before = await readPointer(layer);
      if (before === null) return visibleSequence(layer, undefined);
      const body = renderPointer(revised(before.pointer));
      const { generation } = before;
      if (await isMet(() => store.write(pointerKey(layer), body, { generation }))) return before.pointer.sequence;
    }
  }

  async function* history(layer: PublishedLayer): AsyncIterable<Publication> {
    const newest = await visibleSequence(layer, (await readPointer(layer))?.pointer);
    const sequences = (await kept(layer)).filter((sequence) => sequence <= newest);
    for (const sequence of sequences.reverse()) {
      const publication = await find(layer, sequence);
      if (publication !== null) yield publication;
    }
  }

  return { current, at, find, head, append, history, kept, fence };
}

/** False where the precondition did not hold. */
async function isMet(write: () => Promise<unknown>): Promise<boolean> {
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

function collected(layer: PublishedLayer, sequence: number, oldest: number): PipelineError {
  return new PipelineError(
    'publication_not_found',
    `Version ${sequence} of ${layer} is no longer kept: garbage collection removed it by the settings ` +
      `retention.${layer}.versions and retention.${layer}.days. The oldest that is kept is ${oldest}.`,
    { context: { layer, sequence, oldest } },
  );
}

function changedManifest(store: ObjectStore, layer: PublishedLayer, sequence: number): PipelineError {
  const key = historyKey(layer, sequence);
  return new PipelineError(
    'data_unreadable',
    `${store.displayName}${key} is not the manifest that was published: its checksum is another than ${pointerKey(layer)} says. ` +
      'Something changed it; restore the file from a copy. No data file was touched.',
    { context: { key } },
  );
}

function otherPipeline(store: ObjectStore, key: string, found: string, expected: string): PipelineError {
  return new PipelineError(
    'state_conflict',
    `${store.displayName}${key} belongs to pipeline ${found}, not ${expected}. Give each pipeline a base path of its own.`,
    { context: { key, found, expected } },
  );
}
