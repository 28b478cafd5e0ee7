/** Staged tables of one run -> the layer's next version, or a clean refusal. */
import { PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore, PublishRequest } from '../core/ports.ts';
import type { DataFile, Publication, PublicationRef, PublishedLayer, StagedTable } from '../core/types.ts';
import { attemptsOf, withClaim } from './collection-fence.ts';
import { heldError, readHold } from './hold-file.ts';
import { changedTables, findConflict, holds, mergeTables } from './merge-tables.ts';
import { diffPublications } from './publication-diff.ts';
import { schemaFingerprintOf } from './publication-format.ts';
import type { PublicationLog } from './publication-log.ts';
import { verifyObjects } from './verify-objects.ts';

export interface PublishDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly pipeline: string;
  readonly clock: Clock;
  /** No garbage collection of this lake removes what is younger. */
  readonly graceMs: number;
}

/** Others may publish in between; each time one does, it has made progress, so this is never reached in practice. */
const MAX_ROUNDS = 100;
/** How far back a request that does not say what it was built on looks for itself. */
const REMEMBERED_VERSIONS = 50;

/**
 * Makes one staged version visible to readers, or changes nothing.
 *
 * Order: the staged objects are there already, the manifest comes next and the pointer last. Calling again with the same
 * run and staged content returns the same reference, also after a crash on any line. Another run that published
 * meanwhile is built upon, unless it touched the same partitions or tables that the request was built from.
 *
 * @throws PipelineError `publish_conflict` (final): run again on what is published now
 * @throws PipelineError `publish_held` (final): somebody keeps the layer as it is
 * @throws PipelineError `object_not_found`, `data_unreadable`: a staged object is gone or changed
 */
export function publish(deps: PublishDeps, request: PublishRequest): Promise<PublicationRef> {
  assertOneLayer(request);
  return publishStaged(deps, request, { isClaimed: false });
}

/**
 * Objects that a collection might come to while this is under way are claimed first. Half the grace time is left for
 * that: no publish takes so long, and the clocks of store and publisher do not differ by so much.
 */
async function publishStaged(
  deps: PublishDeps,
  request: PublishRequest,
  { isClaimed }: { readonly isClaimed: boolean },
): Promise<PublicationRef> {
  let basedOn: number | undefined;
  let verifiedAtMs = Number.NEGATIVE_INFINITY;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { newest: head, isVisible } = await deps.log.head(request.layer);
    if (!isVisible) await assertNotHeld(deps.store, request.layer);
    basedOn ??= request.basedOn === undefined ? (head?.sequence ?? 0) : (request.basedOn ?? 0);
    const changed = changedTables(request, head);
    if (changed.length > 0) {
      const lookBackTo = request.basedOn === undefined ? Math.max(0, basedOn - REMEMBERED_VERSIONS) : basedOn;
      const versions = await versionsFrom(deps.log, request.layer, lookBackTo, head);
      const earlier = await findEarlier(deps.log, request, versions, head);
      if (earlier) return earlier;
      const stale = findStale(request, versions, basedOn, head);
      if (stale !== null) throw conflict(request, stale);
    }
    const tables = mergeTables(head, request);
    if (tables === null) return unmoved(request, head);
    if (deps.clock.now() - verifiedAtMs > deps.graceMs / 4) {
      verifiedAtMs = deps.clock.now();
      const files = [...filesOf(changed)];
      const oldestMs = await verifyObjects(deps.store, files);
      if (!isClaimed && oldestMs !== null && verifiedAtMs - oldestMs > deps.graceMs / 2) {
        const attempts = attemptsOf(files.map(({ key }) => key));
        const claim = { layer: request.layer, runId: request.runId, sequence: null, attempts };
        return withClaim(deps.store, claim, () => publishStaged(deps, request, { isClaimed: true }));
      }
    }
    const next = nextPublication(deps, request, head, tables);
    await assertNotHeld(deps.store, request.layer);
    const outcome = await deps.log.append(next, head);
    if (outcome === 'visible') return refOf(next, head);
    if (outcome === 'held') await assertNotHeld(deps.store, request.layer, next.sequence);
  }
  throw conflict(request, 'the layer itself: other runs publish it faster than this one can follow');
}

async function assertNotHeld(store: ObjectStore, layer: PublishedLayer, decided?: number): Promise<void> {
  const hold = await readHold(store, layer);
  if (hold !== null) throw heldError(hold, decided);
}

/** Versions `from`..head, oldest first; it begins later where the older ones are not kept. Version 0 is the empty layer. */
async function versionsFrom(
  log: PublicationLog,
  layer: PublishedLayer,
  from: number,
  head: Publication | null,
): Promise<readonly Publication[]> {
  const versions: Publication[] = [];
  for (let version = head; version !== null && version.sequence >= from; ) {
    versions.unshift(version);
    version = version.sequence > Math.max(1, from) ? await log.find(layer, version.sequence - 1) : null;
  }
  return versions;
}

/** What this request published before; null for a first time. */
async function findEarlier(
  log: PublicationLog,
  request: PublishRequest,
  versions: readonly Publication[],
  head: Publication | null,
): Promise<PublicationRef | null> {
  const index = versions.findLastIndex((version) => holds(version, request, head));
  const own = versions[index];
  if (own === undefined) return null;
  const previous = versions[index - 1] ?? (own.sequence > 1 ? await log.find(own.layer, own.sequence - 1) : null);
  return refOf(own, previous);
}

/** What other runs changed since the base that the request cannot be laid over; null where nothing. */
function findStale(
  request: PublishRequest,
  versions: readonly Publication[],
  basedOn: number,
  head: Publication | null,
): string | null {
  if (basedOn > (head?.sequence ?? 0)) return `version ${basedOn}, on which it was built: the layer was set back`;
  let previous: Publication | null = null;
  let expected = basedOn;
  for (const version of versions) {
    if (version.sequence > basedOn) {
      if (version.sequence !== expected + 1) return `version ${basedOn}, on which it was built: it is no longer kept`;
      const isForeign = version.dagId !== request.dagId || version.runId !== request.runId;
      const found = isForeign ? findConflict(request, diffPublications(previous, version)) : null;
      if (found !== null) return `${found}, by run ${version.runId} in version ${version.sequence}`;
      expected = version.sequence;
    }
    previous = version;
  }
  return null;
}

function nextPublication(
  deps: PublishDeps,
  request: PublishRequest,
  head: Publication | null,
  tables: Publication['tables'],
): Publication {
  return {
    formatVersion: 1,
    pipeline: deps.pipeline,
    layer: request.layer,
    sequence: (head?.sequence ?? 0) + 1,
    dagId: request.dagId,
    runId: request.runId,
    publishedAt: isoInstant(deps.clock.now()),
    interval: request.interval,
    revertsTo: null,
    reportDigest: request.reportDigest,
    verdict: request.verdict,
    ...(request.accepted === undefined ? {} : { accepted: request.accepted }),
    schemaFingerprint: schemaFingerprintOf(tables),
    tables,
  };
}

const refOf = (publication: Publication, previous: Publication | null): PublicationRef => ({
  layer: publication.layer,
  sequence: publication.sequence,
  touched: diffPublications(previous, publication),
  moved: true,
});

const unmoved = (request: PublishRequest, head: Publication | null): PublicationRef => ({
  layer: request.layer,
  sequence: head?.sequence ?? 0,
  touched: {},
  moved: false,
});

function* filesOf(tables: readonly StagedTable[]): Iterable<DataFile> {
  for (const staged of tables) {
    for (const partition of staged.partitions) yield* partition.files;
    yield* staged.quarantine;
  }
}

function assertOneLayer(request: PublishRequest): void {
  const stray = request.tables.find((staged) => staged.layer !== request.layer);
  if (stray) throw new Error(`${stray.layer}.${stray.table} cannot be published as part of ${request.layer}`);
  const names = request.tables.map((staged) => staged.table);
  if (new Set(names).size !== names.length) throw new Error(`a table is staged twice: ${names.join(', ')}`);
}

function conflict(request: PublishRequest, what: string): PipelineError {
  return new PipelineError(
    'publish_conflict',
    `${request.layer} was published meanwhile and run ${request.runId} is stale in ${what}. Readers see the other ` +
      'version; nothing of this run was published. Clear this run from its first task to build on what is published now.',
    { context: { layer: request.layer, runId: request.runId } },
  );
}
