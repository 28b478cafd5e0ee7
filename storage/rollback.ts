/** An older version of a layer -> a new version with the same tables. */
import { isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore } from '../core/ports.ts';
import type { DataFile, Publication, PublishedLayer } from '../core/types.ts';
import type { PublicationLog } from './publication-log.ts';
import { verifyObjects } from './verify-objects.ts';

/** Who rolls back; a repeat under the same run id changes nothing. */
export interface RollbackFacts {
  readonly dagId: string;
  readonly runId: string;
}

/**
 * Publishes version `toSequence` again, as the next number with `revertsTo`. History keeps everything in between, so a
 * rollback can be rolled back. Where the layer shows that version already, nothing happens.
 *
 * @throws PipelineError `publication_not_found`; `object_not_found` where a file of that version is no longer kept
 */
export async function rollback(
  deps: { readonly store: ObjectStore; readonly log: PublicationLog; readonly clock: Clock },
  layer: PublishedLayer,
  toSequence: number,
  facts: RollbackFacts,
): Promise<Publication> {
  for (;;) {
    const head = await deps.log.head(layer);
    const target = await deps.log.at(layer, toSequence);
    if (head === null || head.sequence === toSequence) return target;
    if (head.revertsTo === toSequence && head.runId === facts.runId) return head;
    await verifyObjects(deps.store, filesOf(target));
    const next: Publication = {
      ...target,
      sequence: head.sequence + 1,
      dagId: facts.dagId,
      runId: facts.runId,
      publishedAt: isoInstant(deps.clock.now()),
      revertsTo: toSequence,
    };
    if (await deps.log.append(next, head)) return next;
  }
}

function* filesOf(publication: Publication): Iterable<DataFile> {
  for (const table of Object.values(publication.tables)) {
    for (const partition of Object.values(table.partitions)) yield* partition.files;
  }
}
