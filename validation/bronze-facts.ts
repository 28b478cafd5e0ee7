/** What bronze files hold, as checks ask for it. */
import type { TableSpec } from '../core/spec.ts';
import type { BronzePartition } from '../core/types.ts';

/** A top-level column of a file, by its DuckDB type; nested ones are `STRUCT` or `LIST`, all-null ones `NULL`. */
export interface FileColumn {
  readonly name: string;
  readonly type: string;
}

export interface BronzeFileFacts {
  /** Relative to the bronze base path. */
  readonly key: string;
  readonly partition: string;
  readonly pinnedBytes: number;
  /** Null where the file is gone. */
  readonly sizeBytes: number | null;
  /** Why it does not read, footer or data; null where it does. */
  readonly unreadable: string | null;
  /** From the footer; null where that does not read. */
  readonly rows: number | null;
  readonly columns: readonly FileColumn[];
  /** SHA-256 of the bytes; null where nobody needs it. */
  readonly sha256: string | null;
  readonly counts: FileCounts | null;
}

/** Rows by column name, of one file. */
export interface FileCounts {
  readonly nonNull: ReadonlyMap<string, number>;
  /** Null, or text that the spec reads as null; required columns only. */
  readonly blank: ReadonlyMap<string, number>;
  /** NaN or infinite. */
  readonly notFinite: ReadonlyMap<string, number>;
  /** Days far from the partition's; event time columns only. */
  readonly farFromPartition: ReadonlyMap<string, number>;
  /** Rows whose partition column disagrees with the folder; null where the file has no such column. */
  readonly disagree: number | null;
}

export interface BronzeTableFacts {
  readonly spec: TableSpec;
  readonly partitions: readonly BronzePartition[];
  readonly files: readonly BronzeFileFacts[];
  /** Keys beyond the first of each primary key, over all files; null where the key is not there to count. */
  readonly duplicateKeys: { readonly rows: number; readonly total: number } | null;
}

/** What a partition's checksums are taken of: what its manifest says, else what the spec says. */
export function checksumKind(spec: TableSpec, partition: BronzePartition): string {
  const own = partition.manifest.state === 'read' ? partition.manifest.manifest.checksumKind : undefined;
  return own ?? spec.source.checksum;
}

/** Column names are one name in any case, as the engines take them. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
