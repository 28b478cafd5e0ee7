/** A layer -> one that is published no further, until it is released. */
import { PipelineError } from '../core/errors.ts';
import { holdKey } from '../core/object-keys.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock, ObjectStore } from '../core/ports.ts';
import type { PublishedLayer } from '../core/types.ts';
import { type Hold, readHold, renderHold } from './hold-file.ts';
import type { PublicationLog } from './publication-log.ts';

interface HoldDeps {
  readonly store: ObjectStore;
  readonly log: PublicationLog;
  readonly clock: Clock;
}

export interface PlacedHold {
  readonly hold: Hold;
  /** False where somebody held the layer before; `hold` is then theirs. */
  readonly isNew: boolean;
  /** What readers see from now on; 0: nothing. Only a rollback changes it. */
  readonly sequence: number;
}

/**
 * Once this returns, no publisher makes a new version visible, also none that looked for a hold just before: the pointer
 * is rewritten after the hold is placed, which fails all moves that are under way. Only a layer that has never been
 * published has no pointer to rewrite; its very first version may appear in that moment. Repeatable.
 */
export async function placeHold(
  deps: HoldDeps,
  layer: PublishedLayer,
  words: { readonly by: string; readonly reason: string | null },
): Promise<PlacedHold> {
  const own: Hold = { layer, ...words, since: isoInstant(deps.clock.now()) };
  for (;;) {
    const isNew = await create(deps.store, own);
    const hold = isNew ? own : await readHold(deps.store, layer);
    if (hold !== null) return { hold, isNew, sequence: await deps.log.fence(layer) };
  }
}

async function create(store: ObjectStore, hold: Hold): Promise<boolean> {
  try {
    await store.write(holdKey(hold.layer), renderHold(hold), 'absent');
    return true;
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'precondition_failed') return false;
    throw thrown;
  }
}

export interface ReleasedHold {
  /** What readers see now; 0: nothing. */
  readonly sequence: number;
  readonly wasHeld: boolean;
}

/** Lets the layer be published again, and shows a version that was decided in the moment of the hold. Repeatable. */
export async function releaseHold(deps: HoldDeps, layer: PublishedLayer): Promise<ReleasedHold> {
  const wasHeld = await deps.store.delete(holdKey(layer));
  const { newest } = await deps.log.head(layer);
  return { wasHeld, sequence: newest?.sequence ?? 0 };
}
