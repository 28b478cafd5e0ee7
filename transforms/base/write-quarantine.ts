/** Rows that did not go out -> one Parquet file with their raw bronze values as text, and why. */
import type { TableSpec } from '../../core/spec.ts';
import type { ColumnSchema } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { type WrittenFile, writePartitions } from '../../engine/write-partitions.ts';
import type { FileGroup } from './bronze-files.ts';
import { placedRows } from './plan-rows.ts';
import { bronzeNames, sameName } from './silver-columns.ts';

/** What the build says about a quarantined row. */
const VERDICT: readonly ColumnSchema[] = [
  { name: '_reasons', type: 'string' },
  { name: '_kind', type: 'string' },
  { name: '_bronze_partition', type: 'string' },
  { name: '_source_file', type: 'string' },
  { name: '_row_number', type: 'int64' },
];

/**
 * Columns: every bronze column as text, `_reasons` (joined), `_kind` (`quarantined` or `duplicate`), `_bronze_partition`,
 * `_source_file` (bronze key), `_row_number` (from 1 in that file); in the order of the last three. Null where every row went out.
 */
export async function writeQuarantine(
  session: DuckDbSession,
  table: TableSpec,
  groups: readonly FileGroup[],
  folder: string,
): Promise<WrittenFile | null> {
  const isHeldBack = '__reasons IS NOT NULL OR __duplicate';
  const concerned = await session.rows(`SELECT DISTINCT __file FROM scored WHERE ${isHeldBack}`);
  if (concerned.length === 0) return null;
  const indexes = new Set(concerned.map((row) => row.__file));
  const names = bronzeNames(groups);
  const queries = groups.flatMap((group) => {
    const files = group.files.filter((file) => indexes.has(file.index));
    if (files.length === 0) return [];
    const raw = names.map((name) => {
      const column = group.columns.find((candidate) => sameName(candidate.name, name));
      return `${column ? `CAST(b.${identifier(column.name)} AS VARCHAR)` : 'NULL::VARCHAR'} AS ${identifier(name)}`;
    });
    return [
      `SELECT ${raw.join(', ')}, coalesce(s.__reasons, ${literal(table.duplicateReason)}) AS _reasons,
         CASE WHEN s.__reasons IS NULL THEN 'duplicate' ELSE 'quarantined' END AS _kind,
         f.partition AS _bronze_partition, f.key AS _source_file, __row + 1 AS _row_number
       FROM ${placedRows({ ...group, files })} b
       JOIN bronze_files f USING (__file)
       JOIN (SELECT __file, __row, __reasons FROM scored WHERE ${isHeldBack}) s USING (__file, __row)`,
    ];
  });
  const [file] = await writePartitions(session, {
    query: queries.join(' UNION ALL '),
    columns: [...names.map((name): ColumnSchema => ({ name, type: 'string' })), ...VERDICT],
    partitionKey: null,
    orderBy: ['_bronze_partition', '_source_file', '_row_number'],
    folder,
  });
  return file ?? null;
}
