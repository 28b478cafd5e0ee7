/** What a silver build remembers of each bronze partition beside its row account <-> the state of a published table. */
import { z } from 'zod';
import type { DataFile, JsonObject, PublishedTable } from '../../core/types.ts';

export interface PartitionMemory {
  /** What only the build could count, e.g. `cast_total_items`; ids with nothing to count are left out. */
  readonly counts: { readonly [checkId: string]: number };
  /** Files that hold the partition's quarantined and duplicate rows, among others'. */
  readonly quarantine: readonly DataFile[];
}

export type BuildMemory = { readonly [bronzePartition: string]: PartitionMemory };

const stateShape = z.object({
  partitions: z.record(
    z.string(),
    z.object({
      counts: z.record(z.string(), z.number()),
      quarantine: z.array(z.object({ key: z.string(), rows: z.number(), sizeBytes: z.number(), crc32c: z.string() })),
    }),
  ),
});

/** Nothing where the table is not published, or its state is not of this shape. */
export function parseMemory(published: PublishedTable | undefined): BuildMemory {
  const parsed = stateShape.safeParse(published?.state);
  return parsed.success ? parsed.data.partitions : {};
}

/** Partitions with nothing to remember take no room. */
export function renderMemory(memory: BuildMemory): JsonObject {
  const kept = Object.entries(memory)
    .filter(([, { counts, quarantine }]) => Object.keys(counts).length > 0 || quarantine.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([partition, { counts, quarantine }]) => [
      partition,
      { counts: { ...counts }, quarantine: quarantine.map((file) => ({ ...file })) },
    ]);
  return { partitions: Object.fromEntries(kept) };
}

/** A property of the table's files, not of rows: the same columns stand in every partition. */
const COUNTED_ONCE = 'undeclared_columns';

/** Counts and quarantine of several bronze partitions as one. */
export function recall(memory: BuildMemory, partitions: readonly string[]): PartitionMemory {
  const counts: Record<string, number> = {};
  const quarantine = new Map<string, DataFile>();
  for (const partition of partitions) {
    const known = memory[partition];
    for (const [id, rows] of Object.entries(known?.counts ?? {})) {
      const before = counts[id] ?? 0;
      counts[id] = id === COUNTED_ONCE ? Math.max(before, rows) : before + rows;
    }
    for (const file of known?.quarantine ?? []) quarantine.set(file.key, file);
  }
  return {
    counts: Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))),
    quarantine: [...quarantine.values()],
  };
}
