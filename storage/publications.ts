/** An object store -> the published versions of one pipeline's layers: read, stage, publish, hold, roll back, collect. */
import { PipelineError } from '../core/errors.ts';
import type { Clock, ObjectStore, PublicationStore } from '../core/ports.ts';
import type { DataFile, Publication, PublishedLayer } from '../core/types.ts';
import { type CollectOptions, collectGarbage, type GarbageReport } from './collect-garbage.ts';
import { type PlacedHold, placeHold, type ReleasedHold, releaseHold } from './hold.ts';
import { type Hold, readHold } from './hold-file.ts';
import { mirrorLayer } from './mirror.ts';
import { openPublicationLog } from './publication-log.ts';
import { publish } from './publish.ts';
import { type RollbackFacts, rollback } from './rollback.ts';
import { createStaging } from './stage.ts';

export interface PublicationsOptions {
  readonly store: ObjectStore;
  readonly pipeline: string;
  readonly clock: Clock;
  /** `canonical`: what is published is also copied to `<layer>/<table>/<key>=<value>/`, not atomically. Default: none. */
  readonly mirror?: 'none' | 'canonical';
  /** No garbage collection of this lake removes what is younger. Default: 48 hours. */
  readonly graceMs?: number;
}

const DEFAULT_GRACE_MS = 48 * 3_600_000;

export interface Publications extends PublicationStore {
  /** Visible versions, newest first, as far back as they are kept. */
  history(layer: PublishedLayer): AsyncIterable<Publication>;
  /** Publishes an older version's tables again, as the next version. */
  rollback(layer: PublishedLayer, toSequence: number, facts: RollbackFacts): Promise<Publication>;
  /** Null where the layer may be published. */
  held(layer: PublishedLayer): Promise<Hold | null>;
  /** Readers see no new version of the layer until `release`, but for a rollback. */
  hold(layer: PublishedLayer, words: { readonly by: string; readonly reason: string | null }): Promise<PlacedHold>;
  release(layer: PublishedLayer): Promise<ReleasedHold>;
  /** Removes old versions, and staged objects that none of those kept references. */
  collect(options: CollectOptions): Promise<GarbageReport>;
  /**
   * The files of a table that readers see now, by partition.
   *
   * @throws PipelineError `publication_not_found` where the layer or the table is not published
   */
  files(layer: PublishedLayer, table: string): Promise<readonly DataFile[]>;
}

export function openPublications(options: PublicationsOptions): Publications {
  const { store, graceMs = DEFAULT_GRACE_MS } = options;
  const log = openPublicationLog(store, options.pipeline);
  const deps = { ...options, graceMs, log };
  const mirrored = async <T>(layer: PublishedLayer, act: () => Promise<T>): Promise<T> => {
    const done = await act();
    if (options.mirror === 'canonical') await mirrorLayer(deps, layer);
    return done;
  };
  return {
    current: (layer) => log.current(layer),
    at: (layer, sequence) => log.at(layer, sequence),
    history: (layer) => log.history(layer),
    staging: (dagId, runId, taskId, tryNumber) => createStaging(store, { dagId, runId, taskId, tryNumber }),
    publish: (request) => mirrored(request.layer, () => publish(deps, request)),
    rollback: (layer, toSequence, facts) => mirrored(layer, () => rollback(deps, layer, toSequence, facts)),
    held: (layer) => readHold(store, layer),
    hold: (layer, words) => placeHold(deps, layer, words),
    release: (layer) => mirrored(layer, () => releaseHold(deps, layer)),
    collect: (what) => collectGarbage(deps, what),
    files: async (layer, table) => filesOf(await log.current(layer), layer, table),
  };
}

function filesOf(publication: Publication | null, layer: PublishedLayer, table: string): readonly DataFile[] {
  const published = publication?.tables[table];
  if (published === undefined) {
    const known = Object.keys(publication?.tables ?? {});
    const what = known.length > 0 ? `it holds ${known.join(', ')}` : 'nothing of this layer is published yet';
    throw new PipelineError('publication_not_found', `${layer}.${table} is not published: ${what}.`, {
      context: { layer, table },
    });
  }
  return Object.entries(published.partitions)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .flatMap(([, partition]) => partition.files);
}
