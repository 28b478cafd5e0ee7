/** The objects below one bronze table -> its partitions with their data files, and what lies where no partition is. */
import { isDay, parseHivePartition } from '../../core/partition.ts';
import type { ObjectInfo } from '../../core/ports.ts';
import type { SourceSpec } from '../../core/spec.ts';
import type { BronzeFile, Day } from '../../core/types.ts';
import { MANIFEST_NAME } from './bronze-manifest.ts';

export interface BronzeFolder {
  /** `ingest_dt=2025-10-15`; `''` for an unpartitioned table. */
  readonly partition: string;
  readonly files: readonly BronzeFile[];
  readonly manifestKey: string | null;
}

export interface BronzeListing {
  /** Sorted by partition; one without a data file is among them. */
  readonly folders: readonly BronzeFolder[];
  /** Keys that are neither data of a partition nor markers or temporary files, sorted. */
  readonly strays: readonly string[];
}

/** The days whose partitions are wanted, both included; null wants every partition. */
export interface WantedDays {
  readonly first: Day;
  readonly last: Day;
}

/** What one object is: something of a partition, something that lies astray, or nothing of ours to read. */
type Place =
  | { readonly kind: 'data' | 'manifest' | 'marker'; readonly partition: string }
  | { readonly kind: 'stray' }
  | { readonly kind: 'ignored' };

/**
 * Data is `*.parquet` directly in a partition's folder. Names that begin with `_` or `.`, and `.crc` files, are never data, at no depth.
 * With `days` only real calendar days inside them are partitions, and whatever lies in another day's folder is left alone.
 */
export function sortBronzeObjects(
  source: Pick<SourceSpec, 'table' | 'partitionKey'>,
  objects: Iterable<Pick<ObjectInfo, 'key' | 'sizeBytes' | 'generation'>>,
  days: WantedDays | null,
): BronzeListing {
  const folders = new Map<string, { files: BronzeFile[]; manifestKey: string | null }>();
  const strays: string[] = [];
  for (const { key, sizeBytes } of objects) {
    const place = placeOf(key.slice(source.table.length + 1), source.partitionKey, days);
    if (place.kind === 'stray') strays.push(key);
    if (!('partition' in place)) continue;
    const folder = folders.get(place.partition) ?? { files: [], manifestKey: null };
    folders.set(place.partition, folder);
    if (place.kind === 'data') folder.files.push({ key, sizeBytes });
    if (place.kind === 'manifest') folder.manifestKey = key;
  }
  return {
    folders: [...folders.entries()]
      .map(([partition, folder]) => ({ partition, ...folder, files: folder.files.sort(byKey) }))
      .sort((a, b) => (a.partition < b.partition ? -1 : 1)),
    strays: strays.sort(),
  };
}

function placeOf(path: string, partitionKey: string | null, days: WantedDays | null): Place {
  const astray: Place = { kind: isHidden(path) ? 'ignored' : 'stray' };
  const cut = partitionKey === null ? -1 : path.indexOf('/');
  const partition = partitionKey === null ? '' : path.slice(0, Math.max(cut, 0));
  if (partitionKey !== null) {
    const hive = parseHivePartition(partition);
    if (hive?.key !== partitionKey) return astray;
    if (days !== null && !isDay(hive.value)) return astray;
    if (days !== null && (hive.value < days.first || hive.value > days.last)) return { kind: 'ignored' };
  }
  const name = path.slice(cut + 1);
  if (name === MANIFEST_NAME) return { kind: 'manifest', partition };
  if (isHidden(name)) return { kind: 'marker', partition };
  return !name.includes('/') && /\.parquet$/i.test(name) ? { kind: 'data', partition } : astray;
}

function isHidden(path: string): boolean {
  return /(^|\/)[_.]/.test(path) || /\.crc$/i.test(path);
}

function byKey(a: BronzeFile, b: BronzeFile): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
