/** The published silver files of a table -> SQL over the rows that readers see now. */
import type { LakeFiles } from '../../core/ports.ts';
import type { ColumnSchema, PublishedTable } from '../../core/types.ts';
import { type DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';

export interface HeldSilver {
  /** Local paths; SQL knows a file by its place in this list. */
  readonly paths: readonly string[];
  /** Partition value of each path. */
  readonly values: readonly string[];
  /** Columns of all files together; files written by an older spec may lack some. */
  readonly columns: readonly string[];
  /** Bronze partitions that are read again: what silver has of them counts for nothing. */
  readonly reread: readonly string[];
}

export async function openHeld(
  session: DuckDbSession,
  lake: LakeFiles,
  published: PublishedTable | undefined,
  reread: readonly string[],
): Promise<HeldSilver> {
  const partitions = Object.values(published?.partitions ?? {}).sort((a, b) => (a.value < b.value ? -1 : 1));
  const files = partitions.flatMap(({ value, files }) => files.map((file) => ({ value, file })));
  const paths = await lake.localPaths(files.map(({ file }) => file));
  const described = paths.length === 0 ? [] : await session.describe(`SELECT * FROM ${scanSilver(paths)}`);
  return { paths, values: files.map(({ value }) => value), columns: described.map(({ name }) => name), reread };
}

/** Silver files as one relation; files of different specs are united by column name. */
export function scanSilver(paths: readonly string[]): string {
  return `read_parquet(${fileList(paths)}, union_by_name = true, hive_partitioning = false)`;
}

/**
 * SELECT text of the held rows with the wanted columns, `__held_file` and `__held_row`; rows of partitions that are read again are left
 * out. `files`, by their places, narrows the scan.
 */
export function heldRows(held: HeldSilver, columns: readonly ColumnSchema[], files?: readonly number[]): string {
  const wanted = files ?? held.paths.map((_path, index) => index);
  if (wanted.length === 0) {
    const nothing = columns.map(({ name, type }) => `NULL::${duckDbType(type)} AS ${identifier(name)}`);
    return `SELECT ${nothing.join(', ')}, 0 AS __held_file, 0::BIGINT AS __held_row WHERE false`;
  }
  const select = columns.map(({ name, type }) => {
    const value = held.columns.includes(name)
      ? `CAST(${identifier(name)} AS ${duckDbType(type)})`
      : `NULL::${duckDbType(type)}`;
    return `${value} AS ${identifier(name)}`;
  });
  const reread = held.reread.map(literal).join(', ');
  return `SELECT ${select.join(', ')}, [${wanted.join(', ')}][CAST(file_index AS BIGINT) + 1] AS __held_file, file_row_number AS __held_row
    FROM ${scanSilver(wanted.map((index) => held.paths[index] ?? ''))}
    ${held.reread.length > 0 ? `WHERE bronze_partition NOT IN (${reread})` : ''}`;
}
