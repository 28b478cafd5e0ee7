/** Published snapshots and the run's date -> which way the freshness gate goes. */
import { snapshotDays } from '../../core/dim-snapshot.ts';
import { addDays } from '../../core/partition.ts';
import type { PublicationReader, TaskHandler } from '../../core/ports.ts';
import type { DimSpec } from '../../core/spec.ts';
import type { Day, Publication } from '../../core/types.ts';

/** For `kind: branch, if: dims_fresh`: follows `then` where every dim is fresh, else `else`. */
export function createDimsFreshHandler(deps: { readonly publications: PublicationReader }): TaskHandler {
  return async (context) => {
    const stale = staleDims(await deps.publications.current('dims'), context.spec.dims, context.run.runDate);
    const next = stale.length === 0 ? context.task.params.then : context.task.params.else;
    if (typeof next !== 'string') throw new Error(`branch ${context.task.id} names no task to follow`);
    const because = stale.length === 0 ? `every dim is fresh for ${context.run.runDate}` : stale.join('; ');
    context.log.info(because);
    return { kind: 'branch', follow: [next], because };
  };
}

/** Why each stale dim is stale; empty where all have a snapshot with a day in `(run date − freshness_hours, run date]`. Pure. */
export function staleDims(publication: Publication | null, dims: readonly DimSpec[], runDate: Day): readonly string[] {
  return dims.flatMap((dim) => {
    const newest = snapshotDays(publication, dim.name).findLast((day) => day <= runDate);
    if (newest === undefined) return [`${dim.name} has no snapshot on or before ${runDate}`];
    const isFresh = hoursBetween(newest, runDate) < dim.freshnessHours;
    return isFresh
      ? []
      : [`${dim.name} has its newest snapshot on ${newest}, more than ${dim.freshnessHours} h old on ${runDate}`];
  });
}

/** Days count as 24 hours each: a snapshot is of a calendar day, whatever the clocks did. */
function hoursBetween(from: Day, to: Day): number {
  let hours = 0;
  for (let day = from; day < to; day = addDays(day, 1)) hours += 24;
  return hours;
}
