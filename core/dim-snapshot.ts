/** A dims publication and a run date -> the snapshot that a run for that date reads. */
import type { DataPartition, Day, Publication } from './types.ts';

export interface DimSnapshot {
  readonly day: Day;
  readonly partition: DataPartition;
  /** True before the first snapshot: the earliest one stands in, which knows more than the run's date did. */
  readonly isBootstrap: boolean;
}

/** The newest snapshot of a dim on or before the run date, else the earliest; null where none is published. */
export function readDim(publication: Publication | null, dim: string, runDate: Day): DimSnapshot | null {
  const days = snapshotDays(publication, dim);
  const day = days.findLast((candidate) => candidate <= runDate) ?? days[0];
  const partition = day === undefined ? undefined : publication?.tables[dim]?.partitions[day];
  if (day === undefined || partition === undefined) return null;
  return { day, partition, isBootstrap: day > runDate };
}

/** Days of all published snapshots of a dim, oldest first. */
export function snapshotDays(publication: Publication | null, dim: string): readonly Day[] {
  return Object.keys(publication?.tables[dim]?.partitions ?? {}).sort();
}
