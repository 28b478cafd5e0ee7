/** Readable bronze files -> counts of their rows by column, and of repeated keys. */
import { isDay, parseHivePartition } from '../core/partition.ts';
import type { TableSpec } from '../core/spec.ts';
import { type DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { identifier, literal } from '../engine/sql-text.ts';
import { type BronzeTableFacts, type FileColumn, type FileCounts, sameName } from './bronze-facts.ts';

/** A file whose footer reads. */
export interface ReadableFile {
  readonly localPath: string;
  readonly partition: string;
  readonly columns: readonly FileColumn[];
}

/** Event time this many days before its partition is late; more than one day after it is from the future. */
export const LATE_DAYS = 31;

export interface Reading {
  readonly spec: TableSpec;
  /** Compared trimmed, in lower case. */
  readonly nullValues: readonly string[];
}

/** Files that one scan can read. */
export function groupsOfEqualColumns<T extends ReadableFile>(files: readonly T[]): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const file of files) {
    const schema = JSON.stringify(file.columns);
    groups.set(schema, [...(groups.get(schema) ?? []), file]);
  }
  return [...groups.values()];
}

interface Counter {
  readonly kind: 'nonNull' | 'blank' | 'notFinite' | 'farFromPartition' | 'disagree';
  readonly column: string;
  readonly sql: string;
}

/**
 * One scan that decodes every column of every file, so that damage anywhere in one is found.
 * Files of equal columns, because then no type has to be unified before it was looked at.
 */
export async function countRows(
  session: DuckDbSession,
  reading: Reading,
  files: readonly ReadableFile[],
): Promise<ReadonlyMap<ReadableFile, FileCounts>> {
  const columns = files[0]?.columns ?? [];
  const counters = columns.flatMap((column) => countersOf(reading, column));
  const lies = files.map((file) => {
    const value = parseHivePartition(file.partition)?.value ?? '';
    return `(${literal(file.localPath)}, ${literal(value)}, ${isDay(value) ? `DATE ${literal(value)}` : 'NULL::DATE'})`;
  });
  const rows = await session.rows(
    `SELECT t.assay_file AS file${counters.map((counter, index) => `, ${counter.sql} AS c${index}`).join('')}
     FROM read_parquet(${fileList(files.map((file) => file.localPath))}, filename = 'assay_file', hive_partitioning = false) AS t
     JOIN (VALUES ${lies.join(', ')}) AS lies(path, value, day) ON t.assay_file = lies.path
     GROUP BY 1`,
  );
  const byPath = new Map(rows.map((row) => [String(row.file), row]));
  const counts = new Map<ReadableFile, FileCounts>();
  for (const file of files) {
    const row = byPath.get(file.localPath);
    const of = (kind: Counter['kind']) =>
      new Map(
        counters.flatMap((counter, index) =>
          counter.kind === kind ? [[counter.column, Number(row?.[`c${index}`] ?? 0)] as const] : [],
        ),
      );
    const disagree = [...of('disagree').values()];
    counts.set(file, {
      nonNull: of('nonNull'),
      blank: of('blank'),
      notFinite: of('notFinite'),
      farFromPartition: of('farFromPartition'),
      disagree: disagree[0] ?? null,
    });
  }
  return counts;
}

function countersOf({ spec, nullValues }: Reading, column: FileColumn): Counter[] {
  const value = `t.${identifier(column.name)}`;
  const declared = spec.columns.find((known) => sameName(known.sourceName, column.name));
  const counters: Counter[] = [{ kind: 'nonNull', column: column.name, sql: `count(${value})` }];
  if (declared?.required && column.type === 'VARCHAR') {
    // Blank is what cleaning will turn into null, so that the gate sees a column of `n/a` as empty.
    const nulls = [...new Set(['', ...nullValues])].map(literal).join(', ');
    counters.push({
      kind: 'blank',
      column: column.name,
      sql: `count_if(${value} IS NULL OR lower(trim(${value})) IN (${nulls}))`,
    });
  }
  if (column.type === 'DOUBLE' || column.type === 'FLOAT') {
    counters.push({ kind: 'notFinite', column: column.name, sql: `count_if(isnan(${value}) OR isinf(${value}))` });
  }
  const { partitionKey } = spec.source;
  if (partitionKey !== null && sameName(column.name, partitionKey) && column.type !== 'NESTED') {
    // As the build compares them: padding and case do not count, a day may carry a time, and a null takes the folder's value.
    const text = `lower(trim(CAST(${value} AS VARCHAR)))`;
    counters.push({
      kind: 'disagree',
      column: column.name,
      sql: `count_if(CASE WHEN lies.day IS NULL THEN ${text} <> lower(lies.value) ELSE NOT starts_with(${text}, lies.value) END)`,
    });
  }
  if (isEventTime(spec, column)) {
    const day = `CAST(TRY_CAST(CAST(${value} AS VARCHAR) AS TIMESTAMPTZ) AS DATE)`;
    counters.push({
      kind: 'farFromPartition',
      column: column.name,
      sql: `count_if(${day} > lies.day + 1 OR ${day} < lies.day - ${LATE_DAYS})`,
    });
  }
  return counters;
}

/** A required time column of a table whose partitions are the days it is delivered for. */
function isEventTime(spec: TableSpec, column: FileColumn): boolean {
  if (spec.source.select !== 'interval' || spec.source.partitionKey === null || column.type === 'NESTED') return false;
  return spec.columns.some(
    (known) =>
      sameName(known.sourceName, column.name) &&
      known.expr === null &&
      known.required &&
      (known.type === 'timestamp' || known.type === 'date'),
  );
}

/** One scan of the key columns of all files, as text; null where a file lacks one of them. */
export async function countDuplicateKeys(
  session: DuckDbSession,
  spec: TableSpec,
  files: readonly ReadableFile[],
): Promise<BronzeTableFacts['duplicateKeys']> {
  const key = spec.primaryKey.map((name) => spec.columns.find((column) => column.name === name)?.sourceName ?? name);
  const hasKey = (file: ReadableFile) =>
    key.every((name) => file.columns.some((column) => sameName(column.name, name)));
  if (key.length === 0 || files.length === 0 || !files.every(hasKey)) return null;
  const text = (name: string) => `trim(CAST(${identifier(name)} AS VARCHAR))`;
  const select = `SELECT ${key.map((name, index) => `${text(name)} AS k${index}`).join(', ')}`;
  const all = groupsOfEqualColumns(files)
    .map((group) => group.map((file) => file.localPath))
    .map((paths) => `${select} FROM read_parquet(${fileList(paths)}, hive_partitioning = false)`)
    .join(' UNION ALL ');
  const names = key.map((_, index) => `k${index}`);
  const complete = names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const value = names.length === 1 ? 'k0' : `CASE WHEN ${complete} THEN row(${names.join(', ')}) END`;
  const counts = await session.one(
    `SELECT count_if(${complete}) - count(DISTINCT ${value}) AS duplicates, count(*) AS total FROM (${all})`,
  );
  return { rows: Number(counts.duplicates), total: Number(counts.total) };
}
