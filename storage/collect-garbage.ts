/** A lake and its retention -> the same lake without old versions and without staged objects that nothing references. */
import { PipelineError } from '../core/errors.ts';
import { mapParallel } from '../core/map-parallel.ts';
import { historyKey } from '../core/object-keys.ts';
import type { Clock, ObjectCount, ObjectInfo, ObjectStore } from '../core/ports.ts';
import type { Publication, PublishedLayer } from '../core/types.ts';
import {
  acquit,
  attemptsOf,
  type Claim,
  type Condemned,
  condemn,
  liveClaims,
  readCondemned,
} from './collection-fence.ts';
import { isKept, type RetentionPolicy } from './plan-retention.ts';
import type { PublicationLog } from './publication-log.ts';

export type RetentionPolicies = { readonly [layer in PublishedLayer]: RetentionPolicy };

export interface CollectDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly clock: Clock;
  /** Nothing younger is collected. */
  readonly graceMs: number;
}

export interface CollectOptions {
  readonly policies: RetentionPolicies;
  /** Layers to collect; all others keep every version. Left out: all. */
  readonly layers?: readonly PublishedLayer[];
  readonly isDryRun?: boolean;
}

export interface CollectedLayer {
  readonly layer: PublishedLayer;
  /** What readers see; 0: nothing. */
  readonly visible: number;
  /** The oldest version that stays; 0: there is none. */
  readonly keptFrom: number;
  readonly keptVersions: number;
  /** Versions that were removed, or would be. */
  readonly collectedVersions: number;
}

export interface GarbageReport {
  readonly isDryRun: boolean;
  readonly layers: readonly CollectedLayer[];
  /** Staged objects that a kept version references. */
  readonly referenced: ObjectCount;
  /** Unreferenced, but younger than the grace time or claimed by a publisher. */
  readonly spared: ObjectCount;
  /** Removed, or would be. */
  readonly collected: ObjectCount;
  /** Of interrupted writes, also removed, or would be. */
  readonly leftovers: ObjectCount;
}

const LAYERS_TO_READ: readonly PublishedLayer[] = ['silver', 'dims', 'enriched', 'gold'];
const PARALLEL_DELETES = 8;
/** After so many deletions it is looked whether another collection has taken over. */
const BATCH = 256;

interface KeptLayer {
  readonly layer: PublishedLayer;
  readonly visible: number;
  readonly keptFrom: number;
  readonly sequences: readonly number[];
}

/** Keys that versions name; each manifest is read once, because none ever changes. */
interface References {
  readonly keys: Set<string>;
  readonly manifests: Set<string>;
}

/**
 * Order: pointers and manifests are read, then objects are listed, then what goes is written down (`collection-fence.ts`),
 * claims and newly decided versions are read, versions go oldest first, their objects last. A crash on any line leaves
 * no version whose objects are missing and no hole between the oldest kept version and the newest; running it again goes on.
 *
 * A publisher or a rollback may be at work all the while. What cannot be read ends the collection: unknown is not unused.
 *
 * @throws PipelineError `data_unreadable`, `storage_unavailable` (retryable), `state_conflict` where two collections meet
 */
export async function collectGarbage(deps: CollectDeps, options: CollectOptions): Promise<GarbageReport> {
  const collected = await collectObjects(deps, options);
  const beforeMs = deps.clock.now() - deps.graceMs;
  const leftovers = await deps.store.sweep?.(beforeMs, options.isDryRun ?? false);
  return { ...collected, leftovers: leftovers ?? { objects: 0, bytes: 0 } };
}

type Collected = Omit<GarbageReport, 'leftovers'>;

async function collectObjects(deps: CollectDeps, options: CollectOptions): Promise<Collected> {
  const layers = options.layers ?? LAYERS_TO_READ;
  const nowMs = deps.clock.now();
  const references: References = { keys: new Set(), manifests: new Set() };
  const planned: KeptLayer[] = [];
  for (const layer of LAYERS_TO_READ) {
    planned.push(
      await readLayer(deps, layer, layers.includes(layer) ? options.policies[layer] : null, nowMs, references),
    );
  }
  const staged = await listStaged(deps.store, layers);
  const isOld = (info: ObjectInfo): boolean => nowMs - info.writtenAtMs > deps.graceMs;
  const unused = staged.filter(({ key }) => !references.keys.has(key));
  const candidates = unused.filter(isOld);
  const isDryRun = options.isDryRun ?? false;
  if (isDryRun || !(hasWork(planned, candidates) || (await hasUnfinished(deps.store)))) {
    return report(planned, staged, references, isDryRun, candidates);
  }

  const generation = await condemn(deps.store, condemnedBy(planned, candidates));
  const claims = await liveClaims(deps.store, nowMs - deps.graceMs);
  const kept = await readAgain(deps, planned, claims, references);
  const doomed = candidates.filter(({ key }) => !references.keys.has(key) && !isClaimed(key, claims));
  const stillOurs = (): Promise<void> => assertOurs(deps.store, generation);
  for (const layer of kept) await deleteVersions(deps.store, layer, stillOurs);
  const gone = await deleteObjects(deps.store, doomed, stillOurs);
  await acquit(deps.store, generation);
  return report(kept, staged, references, false, gone);
}

const hasWork = (layers: readonly KeptLayer[], candidates: readonly ObjectInfo[]): boolean =>
  candidates.length > 0 || layers.some(({ sequences, keptFrom }) => (sequences[0] ?? keptFrom) < keptFrom);

/** An earlier collection died, or is at work: this one takes over. */
const hasUnfinished = async (store: ObjectStore): Promise<boolean> => (await readCondemned(store)).generation !== null;

/** @param policy null: every version stays */
async function readLayer(
  deps: CollectDeps,
  layer: PublishedLayer,
  policy: RetentionPolicy | null,
  nowMs: number,
  references: References,
): Promise<KeptLayer> {
  const visible = (await deps.log.current(layer))?.sequence ?? 0;
  const sequences = await deps.log.kept(layer);
  const moment = { nowMs, graceMs: deps.graceMs, visible };
  let keptFrom = sequences[0] ?? 0;
  let next: Publication | null = null;
  for (const sequence of sequences.toReversed()) {
    const version = await deps.log.at(layer, sequence);
    const isStaying =
      policy === null || isKept(dated(version), visible - sequence, next && dated(next), policy, moment);
    if (!isStaying) {
      keptFrom = sequence + 1;
      break;
    }
    addReferences(references, version);
    next = version;
  }
  return { layer, visible, keptFrom, sequences };
}

const dated = ({ sequence, publishedAt }: Publication) => ({ sequence, publishedAtMs: Date.parse(publishedAt) });

/** What was decided since, and what a rollback has claimed since: both are kept. */
async function readAgain(
  deps: CollectDeps,
  planned: readonly KeptLayer[],
  claims: readonly Claim[],
  references: References,
): Promise<readonly KeptLayer[]> {
  const kept: KeptLayer[] = [];
  for (const before of planned) {
    const claimed = claims.flatMap(({ layer, sequence }) =>
      layer === before.layer && sequence !== null ? [sequence] : [],
    );
    const keptFrom = Math.min(before.keptFrom, ...claimed);
    const sequences = await deps.log.kept(before.layer);
    for (const sequence of sequences) {
      if (sequence < keptFrom || references.manifests.has(historyKey(before.layer, sequence))) continue;
      addReferences(references, await deps.log.at(before.layer, sequence));
    }
    kept.push({ ...before, keptFrom, sequences });
  }
  return kept;
}

function addReferences({ keys, manifests }: References, version: Publication): void {
  manifests.add(historyKey(version.layer, version.sequence));
  for (const table of Object.values(version.tables)) {
    for (const { files } of Object.values(table.partitions)) for (const { key } of files) keys.add(key);
    for (const files of Object.values(table.quarantine)) for (const { key } of files) keys.add(key);
  }
}

/** Everything that runs stage, and what a warehouse exported on the way there; never the copies of `publish.mirror`. */
async function listStaged(store: ObjectStore, layers: readonly PublishedLayer[]): Promise<readonly ObjectInfo[]> {
  const prefixes = layers.map((layer) => `${layer}/_staging/`);
  if (layers.includes('silver')) prefixes.push('quarantine/_staging/');
  if (layers.includes('gold')) prefixes.push('_export/');
  const found: ObjectInfo[] = [];
  for (const prefix of prefixes) for await (const info of store.list(prefix)) found.push(info);
  return found;
}

function condemnedBy(layers: readonly KeptLayer[], objects: readonly ObjectInfo[]): Condemned {
  const below = Object.fromEntries(
    layers.flatMap(({ layer, keptFrom, sequences }) =>
      (sequences[0] ?? keptFrom) < keptFrom ? [[layer, keptFrom]] : [],
    ),
  );
  return { below, attempts: attemptsOf(objects.map(({ key }) => key)) };
}

const isClaimed = (key: string, claims: readonly Claim[]): boolean =>
  claims.some(({ attempts }) => attempts.some((prefix) => key.startsWith(prefix)));

/** One after the other, oldest first: what is left has no hole whenever this ends. */
async function deleteVersions(
  store: ObjectStore,
  { layer, keptFrom, sequences }: KeptLayer,
  stillOurs: () => Promise<void>,
): Promise<void> {
  const old = sequences.filter((sequence) => sequence < keptFrom);
  for (const [index, sequence] of old.entries()) {
    if (index % BATCH === 0) await stillOurs();
    await store.delete(historyKey(layer, sequence));
  }
}

async function deleteObjects(
  store: ObjectStore,
  objects: readonly ObjectInfo[],
  stillOurs: () => Promise<void>,
): Promise<readonly ObjectInfo[]> {
  const gone: ObjectInfo[] = [];
  for (let at = 0; at < objects.length; at += BATCH) {
    await stillOurs();
    await mapParallel(objects.slice(at, at + BATCH), PARALLEL_DELETES, async (info) => {
      if (await deleteAsListed(store, info)) gone.push(info);
    });
  }
  return gone;
}

/** An object that was written anew since it was listed is young again. */
async function deleteAsListed(store: ObjectStore, { key, generation }: ObjectInfo): Promise<boolean> {
  try {
    return await store.delete(key, { generation });
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'precondition_failed') return false;
    throw thrown;
  }
}

async function assertOurs(store: ObjectStore, generation: string): Promise<void> {
  if ((await readCondemned(store)).generation === generation) return;
  throw new PipelineError(
    'state_conflict',
    'Another garbage collection of this lake has taken over, so this one stops; nothing that is referenced was removed. ' +
      'Let the other one end.',
  );
}

function report(
  layers: readonly KeptLayer[],
  staged: readonly ObjectInfo[],
  references: References,
  isDryRun: boolean,
  collected: readonly ObjectInfo[],
): Collected {
  const gone = new Set(collected.map(({ key }) => key));
  const isReferenced = ({ key }: ObjectInfo): boolean => references.keys.has(key);
  return {
    isDryRun,
    layers: layers.map(({ layer, visible, keptFrom, sequences }) => {
      const keptVersions = sequences.filter((sequence) => sequence >= keptFrom).length;
      return { layer, visible, keptFrom, keptVersions, collectedVersions: sequences.length - keptVersions };
    }),
    referenced: countOf(staged.filter(isReferenced)),
    spared: countOf(staged.filter((info) => !isReferenced(info) && !gone.has(info.key))),
    collected: countOf(collected),
  };
}

const countOf = (objects: readonly ObjectInfo[]): ObjectCount => ({
  objects: objects.length,
  bytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
});
