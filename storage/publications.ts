/** An object store -> the published versions of one pipeline's layers: read, stage, publish, roll back. */
import { PipelineError } from '../core/errors.ts';
import type { Clock, ObjectStore, PublicationStore } from '../core/ports.ts';
import type { DataFile, Publication, PublishedLayer } from '../core/types.ts';
import { openPublicationLog } from './publication-log.ts';
import { publish } from './publish.ts';
import { type RollbackFacts, rollback } from './rollback.ts';
import { createStaging } from './stage.ts';

export interface PublicationsOptions {
  readonly store: ObjectStore;
  readonly pipeline: string;
  readonly clock: Clock;
}

export interface Publications extends PublicationStore {
  /** Visible versions, newest first, as far back as they are kept. */
  history(layer: PublishedLayer): AsyncIterable<Publication>;
  /** Publishes an older version's tables again, as the next version. */
  rollback(layer: PublishedLayer, toSequence: number, facts: RollbackFacts): Promise<Publication>;
  /**
   * The files of a table that readers see now, by partition.
   *
   * @throws PipelineError `publication_not_found` where the layer or the table is not published
   */
  files(layer: PublishedLayer, table: string): Promise<readonly DataFile[]>;
}

export function openPublications(options: PublicationsOptions): Publications {
  const log = openPublicationLog(options.store, options.pipeline);
  const deps = { ...options, log };
  return {
    current: (layer) => log.current(layer),
    at: (layer, sequence) => log.at(layer, sequence),
    history: (layer) => log.history(layer),
    staging: (dagId, runId, taskId, tryNumber) => createStaging(options.store, { dagId, runId, taskId, tryNumber }),
    publish: (request) => publish(deps, request),
    rollback: (layer, toSequence, facts) => rollback(deps, layer, toSequence, facts),
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
