/** Parquet files and a table's definition -> nothing, or the first file and column that must not be loaded. */
import { PipelineError } from '../../core/errors.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import type { ColumnType } from '../../core/types.ts';
import { type DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { identifier } from '../../engine/sql-text.ts';
import { partitionValueOf } from '../duckdb/tables.ts';
import { columnSchemas, displayName } from '../table-columns.ts';

/** The local files of one partition and what its manifest promises. */
export interface PartitionFiles {
  readonly value: string;
  readonly rows: number;
  readonly localPaths: readonly string[];
}

/**
 * Reads footers and the partition column, no other data.
 *
 * A column that came later is absent in the files of older partitions, and NULL there. It is a fault where no file has it, or
 * where a later partition lacks it again.
 *
 * @throws PipelineError `warehouse_schema` for a missing column, another type, rows of another partition or too few of them
 */
export async function checkFiles(
  session: DuckDbSession,
  def: WarehouseTableDef,
  partitions: readonly PartitionFiles[],
): Promise<void> {
  const files = partitions
    .flatMap(({ value, localPaths }) => localPaths.map((path) => ({ path, value })))
    .sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
  await checkColumns(session, def, files);
  await checkRows(session, def, partitions);
}

/** `shown` is the file's name in messages, where it is not its path. */
export interface FooterFile {
  readonly path: string;
  readonly value: string;
  readonly shown?: string;
}

/**
 * Names and types alone. `files` are in the order of their partitions.
 *
 * @throws PipelineError `warehouse_schema` for a missing column or another type
 */
export async function checkColumns(
  session: DuckDbSession,
  def: WarehouseTableDef,
  files: readonly FooterFile[],
): Promise<void> {
  if (files.length === 0) return;
  const shownOf = (path: string): string => files.find((file) => file.path === path)?.shown ?? path;
  const rows = await session.rows(
    `SELECT file_name, name, duckdb_type FROM parquet_schema(${fileList(files.map(({ path }) => path))})
     WHERE duckdb_type IS NOT NULL ORDER BY file_name`,
  );
  for (const { name, type } of columnSchemas(def)) {
    const found = rows.filter((row) => String(row.name) === name);
    const having = new Set(found.map((row) => String(row.file_name)));
    const since = name === def.partitionKey ? '' : files.find(({ path }) => having.has(path))?.value;
    const lacking = files.find(({ path, value }) => !having.has(path) && (since === undefined || value >= since));
    if (lacking) throw fault(def, shownOf(lacking.path), name, `expected a column of type ${type}, found none`);
    const other = found.find((row) => !holds(String(row.duckdb_type), type));
    if (!other) continue;
    const actual = String(other.duckdb_type);
    throw fault(
      def,
      shownOf(String(other.file_name)),
      name,
      `expected ${type}, found ${actual}${remedy(actual, type)}`,
    );
  }
}

/** How such a column comes about, where it is known. */
function remedy(found: string, declared: ColumnType): string {
  if (found === 'DOUBLE' && declared === 'int64')
    return ' (a SUM of integers is a HUGEINT, which Parquet holds as DOUBLE: cast it to BIGINT)';
  if (found === 'TIMESTAMP' && declared === 'timestamp') return ' (a civil time without zone: cast it to TIMESTAMPTZ)';
  if (found === 'TIMESTAMP' && declared === 'date')
    return ' (date_trunc and date + interval give one: cast it to DATE)';
  if (found === 'TIMESTAMP_NS') return ' (nanoseconds: cast it to TIMESTAMPTZ)';
  if ((found === 'UUID' || found === 'BLOB') && declared === 'string') return ' (cast it to VARCHAR)';
  if (found === 'UBIGINT' || found === 'INTERVAL') return ' (no warehouse type takes it: cast it)';
  return '';
}

/** May a file column of this DuckDB type be loaded as the declared one without loss? */
function holds(found: string, declared: ColumnType): boolean {
  switch (declared) {
    case 'string':
      return found === 'VARCHAR';
    case 'int64':
      return /^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/.test(found);
    case 'float64':
      return found === 'DOUBLE' || found === 'FLOAT';
    case 'bool':
      return found === 'BOOLEAN';
    case 'date':
      return found === 'DATE';
    case 'timestamp':
      return found === 'TIMESTAMP WITH TIME ZONE';
    default:
      return isNarrowerDecimal(found, declared);
  }
}

function isNarrowerDecimal(found: string, declared: string): boolean {
  const [precision = 0, scale = 0] = digitsOf(found);
  const [wantedPrecision = 0, wantedScale = 0] = digitsOf(declared);
  return found.startsWith('DECIMAL') && scale <= wantedScale && precision - scale <= wantedPrecision - wantedScale;
}

const digitsOf = (type: string): readonly number[] => (type.match(/\d+/g) ?? []).map(Number);

/**
 * Reads the partition column, no other data.
 *
 * @throws PipelineError `warehouse_schema` for rows of another partition or too few of them
 */
export async function checkRows(
  session: DuckDbSession,
  def: WarehouseTableDef,
  partitions: readonly PartitionFiles[],
  shownOf: (path: string) => string = (path) => path,
): Promise<void> {
  const counts = await countRows(
    session,
    def,
    partitions.flatMap((partition) => partition.localPaths),
  );
  for (const { value, rows, localPaths } of partitions) {
    const own = counts.filter((count) => localPaths.includes(count.file));
    const stray = own.find((count) => def.partitionKey !== null && count.value !== value);
    if (stray) {
      const key = def.partitionKey ?? '';
      throw fault(
        def,
        shownOf(stray.file),
        key,
        `${stray.rows} rows have ${key} = ${stray.value}, but the file is of ${key} = ${value}`,
      );
    }
    const found = own.reduce((sum, count) => sum + count.rows, 0);
    if (found === rows) continue;
    const [file] = localPaths;
    const where = file === undefined ? 'no file' : shownOf(file);
    throw fault(def, where, def.partitionKey ?? '', `its manifest promises ${rows} rows, the files have ${found}`);
  }
}

async function countRows(
  session: DuckDbSession,
  def: WarehouseTableDef,
  paths: readonly string[],
): Promise<readonly { readonly file: string; readonly value: string; readonly rows: number }[]> {
  if (paths.length === 0) return [];
  const value = def.partitionKey === null ? "''" : partitionValueOf(identifier(def.partitionKey));
  const rows = await session.rows(
    `SELECT filename AS file, ${value} AS value, count(*) AS rows
     FROM read_parquet(${fileList(paths)}, filename = true, union_by_name = true, hive_partitioning = false) GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  return rows.map((row) => ({ file: String(row.file), value: String(row.value), rows: Number(row.rows) }));
}

export function fault(def: WarehouseTableDef, file: string, column: string, what: string): PipelineError {
  const where = column === '' ? file : `${file}, column ${column}`;
  return new PipelineError(
    'warehouse_schema',
    `${displayName(def)} is not loaded: ${where}: ${what}. The warehouse is as it was. Build the table again and publish it, then clear this task.`,
    { context: { table: displayName(def), file, column } },
  );
}
