/** Names and what each depends on -> an order, a cycle, everything before a name. */
import { CycleError } from '../core/errors.ts';

/** By name: what it depends on. Names that are no node themselves are ignored. */
export type Upstream = ReadonlyMap<string, readonly string[]>;

/**
 * Every name after all that it depends on; names that may stand where they are declared do.
 *
 * @throws CycleError with the path
 */
export function topologicalOrder(upstream: Upstream, what: string): readonly string[] {
  const walked = walk(upstream);
  if ('cycle' in walked) throw new CycleError(what, walked.cycle);
  return walked.order;
}

/** A path whose first and last name are the same; null where there is none. */
export function findCycle(upstream: Upstream): readonly string[] | null {
  const walked = walk(upstream);
  return 'cycle' in walked ? walked.cycle : null;
}

/** Everything that a name depends on, directly or not; itself only in a cycle. */
export function ancestors(name: string, upstream: Upstream): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...(upstream.get(name) ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(upstream.get(next) ?? []));
  }
  return found;
}

/** Depth first without recursion: a chain of tasks may be longer than the call stack. */
function walk(upstream: Upstream): { readonly order: readonly string[] } | { readonly cycle: readonly string[] } {
  const order: string[] = [];
  const done = new Set<string>();
  for (const root of upstream.keys()) {
    const path: { readonly name: string; next: number }[] = [{ name: root, next: 0 }];
    const onPath = new Set([root]);
    while (path.length > 0) {
      const top = path.at(-1);
      if (!top) break;
      const needed = done.has(top.name) ? undefined : upstream.get(top.name)?.[top.next];
      if (needed === undefined) {
        if (!done.has(top.name)) order.push(top.name);
        done.add(top.name);
        onPath.delete(top.name);
        path.pop();
        continue;
      }
      top.next++;
      if (done.has(needed) || !upstream.has(needed)) continue;
      if (onPath.has(needed)) {
        const names = path.map((step) => step.name);
        return { cycle: [...names.slice(names.indexOf(needed)), needed] };
      }
      path.push({ name: needed, next: 0 });
      onPath.add(needed);
    }
  }
  return { order };
}
