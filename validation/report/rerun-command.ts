/** A run's interval -> the command that runs it again. Pure. */
import { daysOfInterval, intervalOfDays } from '../../core/partition.ts';
import type { RunFacts } from '../../core/ports.ts';

/** Null where the interval is not made of whole days of the zone: then only the run's id names it. */
export function rerunCommand(
  { dagId, interval }: Pick<RunFacts, 'dagId' | 'interval'>,
  timezone: string,
): string | null {
  const { first, last } = daysOfInterval(interval, timezone);
  const whole = intervalOfDays(first, last, timezone);
  if (whole.startMs !== interval.startMs || whole.endMs !== interval.endMs) return null;
  return first === last
    ? `assay run ${dagId} --date ${first}`
    : `assay run ${dagId} --from ${first} --to ${last} --as-one-run`;
}
