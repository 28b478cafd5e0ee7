/** An older version of a layer -> a new version with the same tables. */
import { canonicalJson } from '../core/fingerprint.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore } from '../core/ports.ts';
import type { DataFile, Publication, PublishedLayer } from '../core/types.ts';
import { withClaim } from './collection-fence.ts';
import { heldError, readHold } from './hold-file.ts';
import { schemaFingerprintOf } from './publication-format.ts';
import type { PublicationLog } from './publication-log.ts';
import { verifyObjects } from './verify-objects.ts';

/** Who rolls back. */
export interface RollbackFacts {
  readonly dagId: string;
  readonly runId: string;
}

interface RollbackDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly clock: Clock;
}

/**
 * Publishes version `toSequence` again, as the next number with `revertsTo`. History keeps everything in between, so a
 * rollback can be rolled back. Where the layer shows that version's tables already nothing happens, so a repeat is free.
 * A hold does not stop it. No garbage collection takes the version away meanwhile.
 *
 * @throws PipelineError `publication_not_found`; `object_not_found` where a file of that version is no longer kept
 */
export function rollback(
  deps: RollbackDeps,
  layer: PublishedLayer,
  toSequence: number,
  facts: RollbackFacts,
): Promise<Publication> {
  const claim = { layer, runId: facts.runId, sequence: toSequence, attempts: [] };
  return withClaim(deps.store, claim, () => publishAgain(deps, layer, toSequence, facts));
}

async function publishAgain(
  deps: RollbackDeps,
  layer: PublishedLayer,
  toSequence: number,
  facts: RollbackFacts,
): Promise<Publication> {
  for (;;) {
    const { newest: head, isVisible } = await deps.log.head(layer);
    const target = await deps.log.at(layer, toSequence);
    if (!isVisible && head?.sequence === toSequence) await assertNotHeld(deps.store, layer, toSequence);
    if (head === null || (isVisible && hasSameTables(head, target))) return head ?? target;
    await verifyObjects(deps.store, filesOf(target));
    const next: Publication = {
      ...target,
      sequence: head.sequence + 1,
      dagId: facts.dagId,
      runId: facts.runId,
      publishedAt: isoInstant(deps.clock.now()),
      revertsTo: toSequence,
      schemaFingerprint: schemaFingerprintOf(target.tables),
    };
    if ((await deps.log.append(next, head)) === 'visible') return next;
  }
}

/** A version that no reader has seen yet is not one to go back to. */
async function assertNotHeld(store: ObjectStore, layer: PublishedLayer, sequence: number): Promise<void> {
  const hold = await readHold(store, layer);
  if (hold !== null) throw heldError(hold, sequence);
}

const hasSameTables = (one: Publication, other: Publication): boolean =>
  one.sequence === other.sequence || canonicalJson(one.tables) === canonicalJson(other.tables);

function* filesOf(publication: Publication): Iterable<DataFile> {
  for (const table of Object.values(publication.tables)) {
    for (const partition of Object.values(table.partitions)) yield* partition.files;
  }
}
