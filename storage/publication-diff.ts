/** Two versions of a layer -> the partitions in which they differ. */
import type { Publication, PublishedTable } from '../core/types.ts';

export type TouchedPartitions = { readonly [table: string]: readonly string[] };

/** Partitions added, removed or with other content, by table, sorted; tables without any are left out. */
export function diffPublications(previous: Publication | null, next: Publication): TouchedPartitions {
  const touched: Record<string, readonly string[]> = {};
  const tables = new Set([...Object.keys(previous?.tables ?? {}), ...Object.keys(next.tables)]);
  for (const table of [...tables].sort()) {
    const values = diffTables(previous?.tables[table], next.tables[table]);
    if (values.length > 0) touched[table] = values;
  }
  return touched;
}

export function fingerprintsOf(table: PublishedTable | undefined): ReadonlyMap<string, string> {
  return new Map(Object.entries(table?.partitions ?? {}).map(([value, { fingerprint }]) => [value, fingerprint]));
}

function diffTables(previous: PublishedTable | undefined, next: PublishedTable | undefined): readonly string[] {
  const before = fingerprintsOf(previous);
  const after = fingerprintsOf(next);
  const values = new Set([...before.keys(), ...after.keys()]);
  return [...values].filter((value) => before.get(value) !== after.get(value)).sort();
}
