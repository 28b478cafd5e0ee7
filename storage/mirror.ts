/** The visible version of a layer -> a copy in plain folders, `<layer>/<table>/<key>=<value>/`, for readers that know only those. */
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { mapParallel } from '../core/map-parallel.ts';
import { mirrorStateKey } from '../core/object-keys.ts';
import { hivePartition, isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore } from '../core/ports.ts';
import { type DataFile, LAYERS, type Publication, type PublishedLayer } from '../core/types.ts';
import { diffPublications, type TouchedPartitions } from './publication-diff.ts';
import { parseJson } from './publication-format.ts';
import type { PublicationLog } from './publication-log.ts';

const PARALLEL_COPIES = 8;

interface MirrorDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly clock: Clock;
}

const mirrorFile = z.object({
  format_version: z.literal(1),
  layer: z.enum(LAYERS).exclude(['bronze']),
  /** The version that the folders were last equal to. */
  sequence: z.int().positive(),
  mirrored_at: z.iso.datetime(),
});

interface MirrorState {
  readonly sequence: number;
  /** Null: nothing was mirrored yet. */
  readonly generation: string | null;
}

/**
 * Copies the partitions that differ from what was mirrored last and removes stale files of them, then notes the version in
 * `<layer>/_mirror.json`. The copy is not atomic: a reader of the folders may see some partitions of one version and some
 * of the next. A crash half-way leaves the note at the older version, so that the next publish or a repeat completes it.
 * Of two that mirror at once each repeats what it touched until its note was not crossed by the other's.
 */
export async function mirrorLayer(deps: MirrorDeps, layer: PublishedLayer): Promise<void> {
  const mine = new Map<string, Set<string>>();
  for (;;) {
    const state = await readState(deps.store, layer);
    const current = await deps.log.current(layer);
    if (current === null || (current.sequence <= state.sequence && mine.size === 0)) return;
    const base = state.sequence === 0 ? null : await deps.log.find(layer, state.sequence);
    for (const prefix of foldersToClear(layer, base, current)) await clearStrangers(deps.store, current, prefix);
    for (const [table, values] of Object.entries(diffPublications(base, current))) add(mine, table, values);
    for (const [table, values] of mine) {
      for (const value of values) await copyPartition(deps.store, layer, table, value, current, base);
    }
    if (await note(deps, layer, current.sequence, state)) mine.clear();
  }
}

function add(to: Map<string, Set<string>>, table: string, values: TouchedPartitions[string]): void {
  const known = to.get(table) ?? new Set();
  for (const value of values) known.add(value);
  to.set(table, known);
}

async function readState(store: ObjectStore, layer: PublishedLayer): Promise<MirrorState> {
  const key = mirrorStateKey(layer);
  const object = await store.read(key);
  if (object === null) return { sequence: 0, generation: null };
  const advice = 'Delete it, and the next publish copies the whole layer again.';
  const { sequence } = parseJson(key, object.body, mirrorFile, 'note of a mirror', advice);
  return { sequence, generation: object.generation };
}

/** False where another mirror's note came first. */
async function note(deps: MirrorDeps, layer: PublishedLayer, sequence: number, before: MirrorState): Promise<boolean> {
  const text = { format_version: 1, layer, sequence, mirrored_at: isoInstant(deps.clock.now()) };
  const body = Buffer.from(`${JSON.stringify(text, null, 2)}\n`);
  try {
    const condition = before.generation === null ? 'absent' : { generation: before.generation };
    await deps.store.write(mirrorStateKey(layer), body, condition);
    return true;
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'precondition_failed') return false;
    throw thrown;
  }
}

async function copyPartition(
  store: ObjectStore,
  layer: PublishedLayer,
  table: string,
  value: string,
  current: Publication,
  base: Publication | null,
): Promise<void> {
  const published = current.tables[table];
  const files = published?.partitions[value]?.files ?? [];
  const folder = folderOf(layer, table, (published ?? base?.tables[table])?.partitionKey ?? null, value);
  const wanted = new Map(targetsOf(folder, files).map((target, index) => [target, files[index]?.key ?? '']));
  await mapParallel([...wanted], PARALLEL_COPIES, ([target, key]) => store.copy(key, target));
  for await (const { key } of store.list(folder)) {
    // Below a table without partitions no folder is its own.
    const isDirectly = !key.slice(folder.length).includes('/');
    if (isDirectly && !wanted.has(key)) await store.delete(key);
  }
}

function folderOf(layer: PublishedLayer, table: string, key: string | null, value: string): string {
  return key === null ? `${layer}/${table}/` : `${layer}/${table}/${hivePartition(key, value)}/`;
}

/** The file's own name; with a number before it where two attempts gave theirs the same. */
function targetsOf(folder: string, files: readonly DataFile[]): readonly string[] {
  const names = files.map(({ key }) => key.slice(key.lastIndexOf('/') + 1));
  const isDistinct = new Set(names).size === names.length;
  return names.map((name, index) => `${folder}${isDistinct ? name : `${String(index).padStart(5, '0')}-${name}`}`);
}

/** Where there is nothing to compare with: the whole layer, or a table that was partitioned otherwise or is gone. */
function foldersToClear(layer: PublishedLayer, base: Publication | null, current: Publication): readonly string[] {
  if (base === null) return [`${layer}/`];
  return Object.entries(base.tables).flatMap(([name, { partitionKey }]) =>
    current.tables[name]?.partitionKey === partitionKey ? [] : [`${layer}/${name}/`],
  );
}

/** Whatever lies in the folders below the prefix and is not of the current version goes. */
async function clearStrangers(store: ObjectStore, current: Publication, prefix: string): Promise<void> {
  const { layer, tables } = current;
  const wanted = new Set(
    Object.entries(tables).flatMap(([name, { partitionKey, partitions }]) =>
      Object.values(partitions).flatMap(({ value, files }) =>
        targetsOf(folderOf(layer, name, partitionKey, value), files),
      ),
    ),
  );
  const strangers: string[] = [];
  for await (const { key } of store.list(prefix)) {
    if (!key.startsWith(`${layer}/_`) && !wanted.has(key)) strangers.push(key);
  }
  await mapParallel(strangers, PARALLEL_COPIES, (key) => store.delete(key));
}
