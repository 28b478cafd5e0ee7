/** Counts by partition -> what of them a report shows: in order, without gaps between days, and not too many. Pure. */
import { DAY_MS, daysBetween, isDay } from '../core/partition.ts';
import type { PartitionSpread } from '../core/types.ts';
import { compareText } from './measured-result.ts';

type Counts = PartitionSpread['partitions'][number];

/** Two weeks: as many columns as a page is wide. */
const MOST_PARTITIONS = 14;

/** Nothing where no partition has an offending row, or where there is one partition alone. */
export function partitionSpread(
  { key, of }: Pick<PartitionSpread, 'key' | 'of'>,
  counts: readonly Counts[],
): readonly PartitionSpread[] {
  if (counts.length < 2 || counts.every(({ failed }) => failed === 0)) return [];
  const inOrder = [...counts].sort((a, b) => compareText(a.value, b.value));
  const days = withoutGaps(inOrder);
  if (days !== null) return [{ key, of, partitions: days, others: null }];
  const worst = [...inOrder]
    .sort((a, b) => b.failed - a.failed || compareText(b.value, a.value))
    .slice(0, MOST_PARTITIONS);
  const others = inOrder.filter((one) => !worst.includes(one));
  return [
    {
      key,
      of,
      partitions: inOrder.filter((one) => worst.includes(one)),
      others:
        others.length === 0
          ? null
          : { partitions: others.length, failed: sum(others, 'failed'), rows: sum(others, 'rows') },
    },
  ];
}

/** Every day from first to last, because that one has no row at all is evidence too; null where they are no days, or too many. */
function withoutGaps(sorted: readonly Counts[]): readonly Counts[] | null {
  const [first, last] = [sorted[0]?.value ?? '', sorted.at(-1)?.value ?? ''];
  if (!sorted.every(({ value }) => isDay(value))) return null;
  if (Date.parse(last) - Date.parse(first) >= MOST_PARTITIONS * DAY_MS) return null;
  const byDay = new Map(sorted.map((counts) => [counts.value, counts]));
  return daysBetween(first, last).map((value) => byDay.get(value) ?? { value, failed: 0, rows: 0 });
}

function sum(counts: readonly Counts[], field: 'failed' | 'rows'): number {
  return counts.reduce((total, one) => total + one[field], 0);
}
