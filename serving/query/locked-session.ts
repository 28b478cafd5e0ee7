/** Some Parquet files -> a DuckDB session that can read these as views, write one file if so told, and nothing else. */
import type { ColumnSchema } from '../../core/types.ts';
import { type DuckDbOptions, DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal, literalList } from '../../engine/sql-text.ts';

export interface ReadableFiles {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly ColumnSchema[];
  readonly localPaths: readonly string[];
}

export interface LockedOptions extends Omit<DuckDbOptions, 'path' | 'lockedDown'> {
  /** A file that `COPY … TO` may write. */
  readonly writablePath?: string;
  /** Most bytes that may spill into `tempDir`; without that folder nothing spills. */
  readonly spillLimitBytes?: number;
}

/** What a query may spill where nobody says: four times the default memory. */
const SPILL_LIMIT_BYTES = 4_000_000_000;

/** Any other file, the network, extensions and settings are shut off for every statement that follows, whoever wrote it. */
export async function openLockedSession(
  options: LockedOptions,
  tables: readonly ReadableFiles[],
): Promise<DuckDbSession> {
  const { writablePath, spillLimitBytes = SPILL_LIMIT_BYTES, ...opening } = options;
  const session = await DuckDbSession.open(opening);
  try {
    for (const table of tables) {
      const schema = identifier(table.schema);
      await session.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await session.run(`CREATE OR REPLACE VIEW ${schema}.${identifier(table.name)} AS ${viewOf(table)}`);
    }
    await session.run(
      options.tempDir === undefined
        ? "SET temp_directory = ''"
        : `SET max_temp_directory_size = ${literal(`${Math.ceil(spillLimitBytes / 1_000_000)}MB`)}`,
    );
    const paths = new Set(tables.flatMap((table) => table.localPaths));
    if (writablePath !== undefined) paths.add(writablePath);
    await session.run(`SET allowed_paths = ${literalList([...paths])}`);
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
