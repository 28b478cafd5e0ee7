/** Some Parquet files -> a DuckDB session that can read these as views and nothing else. */
import type { ColumnSchema } from '../core/types.ts';
import { type DuckDbOptions, DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { duckDbType } from '../engine/duckdb-types.ts';
import { identifier, literalList } from '../engine/sql-text.ts';

export interface ReadableFiles {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly ColumnSchema[];
  readonly localPaths: readonly string[];
}

/** Any other file, the network, extensions and settings are shut off for every statement that follows, whoever wrote it. */
export async function openLockedSession(
  options: Omit<DuckDbOptions, 'path' | 'lockedDown'>,
  tables: readonly ReadableFiles[],
): Promise<DuckDbSession> {
  const session = await DuckDbSession.open(options);
  try {
    for (const table of tables) {
      const schema = identifier(table.schema);
      await session.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await session.run(`CREATE OR REPLACE VIEW ${schema}.${identifier(table.name)} AS ${viewOf(table)}`);
    }
    const paths = [...new Set(tables.flatMap((table) => table.localPaths))];
    await session.run(`SET allowed_paths = ${literalList(paths)}`);
    await session.run('SET enable_external_access = false; SET lock_configuration = true');
    return session;
  } catch (thrown) {
    await session.close();
    throw thrown;
  }
}

/** Declared columns alone, in their order; NULL where an older file does not have one. */
function viewOf({ columns, localPaths }: ReadableFiles): string {
  const typed = columns.map(({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${identifier(name)}`).join(', ');
  const shape = `SELECT ${typed} WHERE FALSE`;
  if (localPaths.length === 0) return shape;
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  const files = `read_parquet(${fileList(localPaths)}, union_by_name = true, hive_partitioning = false)`;
  return `SELECT ${names} FROM (${shape} UNION ALL BY NAME SELECT * FROM ${files})`;
}
