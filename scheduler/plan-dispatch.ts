/** Tasks that may start, free slots and pools -> those that start now. Pure. */

export interface Candidate {
  readonly pool: string;
  readonly priority: number;
}

/** Slots by pool name; `default` is the number of attempts that the executor runs at once. */
export type Pools = { readonly [pool: string]: number };

/**
 * Higher priority first, then the order given (runs as they start, tasks as declared). A task whose pool is full lets
 * others pass.
 *
 * @param busy slots taken by pool
 * @param slots attempts that the executor can still take
 */
export function planDispatch<C extends Candidate>(
  candidates: readonly C[],
  pools: Pools,
  busy: ReadonlyMap<string, number>,
  slots: number,
): readonly C[] {
  const taken = new Map(busy);
  const chosen: C[] = [];
  // The sort is stable, so equal priorities keep their order.
  for (const candidate of [...candidates].sort((a, b) => b.priority - a.priority)) {
    if (chosen.length >= slots) break;
    const used = taken.get(candidate.pool) ?? 0;
    if (used >= (pools[candidate.pool] ?? 0)) continue;
    taken.set(candidate.pool, used + 1);
    chosen.push(candidate);
  }
  return chosen;
}
