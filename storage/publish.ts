/** Staged tables of one run -> the layer's next version, or a clean refusal. */
import { PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore, PublishRequest } from '../core/ports.ts';
import type { DataFile, Publication, PublicationRef, PublishedLayer, StagedTable } from '../core/types.ts';
import { changedTables, findConflict, holds, mergeTables } from './merge-tables.ts';
import { diffPublications } from './publication-diff.ts';
import type { PublicationLog } from './publication-log.ts';
import { verifyObjects } from './verify-objects.ts';

export interface PublishDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly pipeline: string;
  readonly clock: Clock;
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
 * @throws PipelineError `object_not_found`, `data_unreadable`: a staged object is gone or changed
 */
export async function publish(deps: PublishDeps, request: PublishRequest): Promise<PublicationRef> {
  assertOneLayer(request);
  let basedOn: number | undefined;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const head = await deps.log.head(request.layer);
    basedOn ??= request.basedOn === undefined ? (head?.sequence ?? 0) : (request.basedOn ?? 0);
    if (changedTables(request, head).length > 0) {
      const lookBackTo = request.basedOn === undefined ? Math.max(0, basedOn - REMEMBERED_VERSIONS) : basedOn;
      const versions = await versionsFrom(deps.log, request.layer, lookBackTo, head);
      const earlier = findEarlier(request, versions, head);
      if (earlier) return earlier;
      const stale = findStale(request, versions, basedOn, head);
      if (stale !== null) throw conflict(request, stale);
    }
    const tables = mergeTables(head, request);
    if (tables === null) return unmoved(request, head);
    if (round === 0) await verifyObjects(deps.store, filesOf(changedTables(request, head)));
    const next = nextPublication(deps, request, head, tables);
    if (await deps.log.append(next, head)) return refOf(next, head);
  }
  throw conflict(request, 'the layer itself: other runs publish it faster than this one can follow');
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
    version = version.sequence > 1 ? await log.find(layer, version.sequence - 1) : null;
  }
  return versions;
}

/** What this request published before; null for a first time. */
function findEarlier(
  request: PublishRequest,
  versions: readonly Publication[],
  head: Publication | null,
): PublicationRef | null {
  const index = versions.findLastIndex((version) => holds(version, request, head));
  const own = versions[index];
  return own === undefined ? null : refOf(own, versions[index - 1] ?? null);
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
