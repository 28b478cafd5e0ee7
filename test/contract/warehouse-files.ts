/** Rows as SQL -> a partition's Parquet file with the manifest entry that a published one has. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LakeFiles, WarehouseTableDef } from '../../core/ports.ts';
import { dataPartition } from '../../core/stage-partitions.ts';
import type { DataPartition } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { crc32cOf } from '../../storage/crc32c.ts';

export interface WrittenPartition {
  readonly def: WarehouseTableDef;
  readonly partition: DataPartition;
  readonly localPath: string;
}

/** One file from a query; its columns are what the query gives, whatever the definition says. */
export async function writePartition(
  folder: string,
  def: WarehouseTableDef,
  value: string,
  query: string,
): Promise<WrittenPartition> {
  const localPath = join(
    folder,
    `${createHash('sha256')
      .update(def.table + value + query)
      .digest('hex')
      .slice(0, 12)}.parquet`,
  );
  await using session = await DuckDbSession.open({ threads: 1 });
  await session.run(`COPY (${query}) TO ${literal(localPath)} (FORMAT parquet)`);
  const { rows } = await session.one(`SELECT count(*) AS rows FROM read_parquet(${literal(localPath)})`);
  const bytes = await readFile(localPath);
  const file = { key: localPath, rows: Number(rows), sizeBytes: bytes.length, crc32c: crc32cOf(bytes) };
  return { def, partition: dataPartition(value, [file]), localPath };
}

/** A lake in which the key of a file is its path. */
export const PATHS_AS_KEYS: LakeFiles = {
  localPaths: async (files) => files.map(({ key }) => key),
};

/** A row as text, numbers without trailing zeros: engines write a decimal in different lengths. */
export function textOf(row: { readonly [column: string]: unknown }): Record<string, string | null> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellText(value)]));
}

function cellText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const text = String(value);
  return /^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text;
}
