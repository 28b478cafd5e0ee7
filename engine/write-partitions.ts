/** A query -> one Parquet file a partition, rows in key order, the same bytes for the same rows. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hivePartition, parseHivePartition } from '../core/partition.ts';
import type { ColumnSchema } from '../core/types.ts';
import type { DuckDbSession } from './duckdb-session.ts';
import { duckDbType } from './duckdb-types.ts';
import { identifier, identifiers, literal } from './sql-text.ts';

export interface WriteRequest {
  /** SELECT text that yields at least `columns`; the partition column among them. */
  readonly query: string;
  readonly columns: readonly ColumnSchema[];
  /** Null: one whole-table file. The column stays in the files, because warehouses load them without their folder. */
  readonly partitionKey: string | null;
  /** A total order, else the bytes are not reproducible. */
  readonly orderBy: readonly string[];
  /** An empty or absent folder. */
  readonly folder: string;
}

export interface WrittenFile {
  /** The partition's value; `''` for a whole-table file. */
  readonly value: string;
  /** Below the table: `order_dt=2025-10-15/part-00000.parquet`. */
  readonly path: string;
  readonly localPath: string;
  readonly rows: number;
}

/** Rows in one row group; also the unit in which DuckDB reads a file in parallel. */
const ROW_GROUP_ROWS = 122_880;

/**
 * Writes every row of the query; a partition key that is null goes to the value `__HIVE_DEFAULT_PARTITION__`.
 * A whole-table write of no rows yields one file with no rows; a partitioned one yields no file.
 * Cost: one sort of the rows (spills), one pass to encode. Files are written by one thread so that their bytes do not depend on timing.
 */
export async function writePartitions(session: DuckDbSession, request: WriteRequest): Promise<readonly WrittenFile[]> {
  await mkdir(request.folder, { recursive: true });
  const select = request.columns
    .map((c) => `${identifier(c.name)}::${duckDbType(c.type)} AS ${identifier(c.name)}`)
    .join(', ');
  const order = request.orderBy.length > 0 ? `ORDER BY ${identifiers(request.orderBy)}` : '';
  const format = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`;
  if (request.partitionKey === null) {
    const localPath = join(request.folder, 'part-00000.parquet');
    await session.run(`COPY (SELECT ${select} FROM (${request.query}) ${order}) TO ${literal(localPath)} (${format})`);
    const { rows } = await session.one(`SELECT count(*) AS rows FROM read_parquet(${literal(localPath)})`);
    return [{ value: '', path: 'part-00000.parquet', localPath, rows: Number(rows) }];
  }
  const key = identifier(request.partitionKey);
  const threads = await session.one("SELECT current_setting('threads') AS threads");
  await session.run(
    'SET threads = 1; SET partitioned_write_flush_threshold = 1000000000; SET partitioned_write_max_open_files = 1000000',
  );
  try {
    await session.run(
      `COPY (SELECT ${select} FROM (${request.query}) ${order}) TO ${literal(request.folder)}
       (${format}, PARTITION_BY (${key}), WRITE_PARTITION_COLUMNS true, OVERWRITE_OR_IGNORE true, FILENAME_PATTERN 'part-0000{i}')`,
    );
  } finally {
    await session.run(`SET threads = ${Number(threads.threads)}`);
  }
  return listWritten(session, request.folder, request.partitionKey);
}

async function listWritten(
  session: DuckDbSession,
  folder: string,
  partitionKey: string,
): Promise<readonly WrittenFile[]> {
  const folders = (await readdir(folder)).filter((name) => parseHivePartition(name)?.key === partitionKey).sort();
  if (folders.length === 0) return [];
  const counts = await session.rows(
    `SELECT file_name, num_rows FROM parquet_file_metadata(${literal(`${folder}/*/*.parquet`)}) ORDER BY file_name`,
  );
  return counts.map((row) => {
    const localPath = String(row.file_name);
    const [segment = '', file = ''] = localPath.split('/').slice(-2);
    const value = parseHivePartition(segment)?.value ?? '';
    return { value, path: `${hivePartition(partitionKey, value)}/${file}`, localPath, rows: Number(row.num_rows) };
  });
}
