/** Pinned bronze partitions of a table -> what its files really hold: sizes, footers, columns, and counts of one full decode. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isDay, parseHivePartition } from '../core/partition.ts';
import type { BronzeFiles } from '../core/ports.ts';
import type { TableSpec } from '../core/spec.ts';
import type { BronzePartition } from '../core/types.ts';
import { type DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { identifier, literal } from '../engine/sql-text.ts';
import { firstLine, throwUnlessAboutData } from './run-checks.ts';

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

interface OpenFile {
  readonly key: string;
  readonly partition: string;
  readonly pinnedBytes: number;
  readonly localPath: string;
  sizeBytes: number | null;
  unreadable: string | null;
  rows: number | null;
  columns: readonly FileColumn[];
  sha256: string | null;
  counts: FileCounts | null;
}

/** Event time this many days before its partition is late; more than one day after it is from the future. */
export const LATE_DAYS = 31;

/**
 * Cost: one query over all footers, one scan that decodes every column of every file, one scan of the key columns, and a hash
 * of files where the manifest's checksum is of bytes or two files of one size may be the same. A file that does not read is
 * found by itself and left out of the scans.
 */
export async function readBronzeFiles(
  session: DuckDbSession,
  bronze: BronzeFiles,
  spec: TableSpec,
  partitions: readonly BronzePartition[],
  nullValues: readonly string[],
): Promise<BronzeTableFacts> {
  const files: OpenFile[] = [];
  for (const partition of partitions) {
    for (const file of partition.files)
      files.push(await openFile(bronze, partition.partition, file.key, file.sizeBytes));
  }
  await readFooters(session, files);
  await decode(session, { spec, nullValues }, files);
  await hashWhereNeeded(spec, partitions, files);
  return { spec, partitions, files, duplicateKeys: await countDuplicateKeys(session, spec, files) };
}

async function openFile(bronze: BronzeFiles, partition: string, key: string, pinnedBytes: number): Promise<OpenFile> {
  const file: OpenFile = {
    key,
    partition,
    pinnedBytes,
    localPath: '',
    sizeBytes: null,
    unreadable: null,
    rows: null,
    columns: [],
    sha256: null,
    counts: null,
  };
  try {
    const localPath = await bronze.localPath(key);
    const { size } = await stat(localPath);
    return { ...file, localPath, sizeBytes: size, unreadable: size === 0 ? 'the file is 0 bytes long' : null };
  } catch (thrown) {
    throwUnlessAboutData(thrown);
    return { ...file, unreadable: 'the file is gone since the run pinned it' };
  }
}

// ------------------------------------------------------------------ footers

async function readFooters(session: DuckDbSession, files: readonly OpenFile[]): Promise<void> {
  await eachReadable(session, files, readFootersOf);
}

async function readFootersOf(session: DuckDbSession, files: readonly OpenFile[]): Promise<void> {
  const list = fileList(files.map((file) => file.localPath));
  const rows = await session.rows(`SELECT file_name, num_rows FROM parquet_file_metadata(${list})`);
  const schemas = await session.rows(
    `SELECT file_name, string_agg(concat_ws(chr(31), name, coalesce(duckdb_type, ''), coalesce(num_children, 0)), chr(30) ORDER BY column_id) AS schema
     FROM parquet_schema(${list}) GROUP BY file_name`,
  );
  const rowsByPath = new Map(rows.map((row) => [String(row.file_name), Number(row.num_rows)]));
  const schemaByPath = new Map(schemas.map((row) => [String(row.file_name), String(row.schema)]));
  const parsed = new Map<string, readonly FileColumn[]>();
  for (const file of files) {
    const schema = schemaByPath.get(file.localPath) ?? '';
    const columns = parsed.get(schema) ?? topColumns(schema);
    parsed.set(schema, columns);
    file.columns = columns;
    file.rows = rowsByPath.get(file.localPath) ?? null;
  }
}

/** The schema tree in depth-first order, as footers hold it -> its top-level columns. */
function topColumns(schema: string): FileColumn[] {
  const nodes = schema.split('\u001e').map((node) => {
    const [name = '', type = '', children = '0'] = node.split('\u001f');
    return { name, type, children: Number(children) };
  });
  const columns: FileColumn[] = [];
  for (let at = 1; at < nodes.length; ) {
    const node = nodes[at];
    if (!node) break;
    columns.push({ name: node.name, type: node.children > 0 ? 'NESTED' : node.type === '"NULL"' ? 'NULL' : node.type });
    for (let open = 1; open > 0 && at < nodes.length; at++) open += (nodes[at]?.children ?? 0) - 1;
  }
  return columns;
}

/** Works on all files at once; where that fails, on each alone, and marks those that fail. */
async function eachReadable(
  session: DuckDbSession,
  files: readonly OpenFile[],
  work: (session: DuckDbSession, files: readonly OpenFile[]) => Promise<void>,
): Promise<void> {
  const readable = files.filter((file) => file.unreadable === null);
  if (readable.length === 0) return;
  try {
    await work(session, readable);
  } catch (together) {
    throwUnlessAboutData(together);
    for (const file of readable) {
      try {
        await work(session, [file]);
      } catch (thrown) {
        throwUnlessAboutData(thrown);
        file.unreadable = firstLine(thrown).replaceAll(file.localPath, file.key) || 'the file does not read';
      }
    }
  }
}

// ------------------------------------------------------------------ contents

interface Reading {
  readonly spec: TableSpec;
  /** Compared trimmed, in lower case. */
  readonly nullValues: readonly string[];
}

async function decode(session: DuckDbSession, reading: Reading, files: readonly OpenFile[]): Promise<void> {
  const bySchema = new Map<string, OpenFile[]>();
  for (const file of files.filter((candidate) => candidate.unreadable === null)) {
    const schema = JSON.stringify(file.columns);
    bySchema.set(schema, [...(bySchema.get(schema) ?? []), file]);
  }
  for (const group of bySchema.values()) {
    await eachReadable(session, group, (open, some) => decodeGroup(open, reading, some));
  }
}

interface Counter {
  readonly kind: 'nonNull' | 'blank' | 'notFinite' | 'farFromPartition' | 'disagree';
  readonly column: string;
  readonly sql: string;
}

/** Files of equal columns, so that no type has to be unified before it was looked at. */
async function decodeGroup(session: DuckDbSession, reading: Reading, files: readonly OpenFile[]): Promise<void> {
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
  for (const file of files) {
    const row = byPath.get(file.localPath);
    const of = (kind: Counter['kind']) =>
      new Map(
        counters.flatMap((counter, index) =>
          counter.kind === kind ? [[counter.column, Number(row?.[`c${index}`] ?? 0)] as const] : [],
        ),
      );
    const disagree = [...of('disagree').values()];
    file.counts = {
      nonNull: of('nonNull'),
      blank: of('blank'),
      notFinite: of('notFinite'),
      farFromPartition: of('farFromPartition'),
      disagree: disagree[0] ?? null,
    };
  }
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

async function countDuplicateKeys(
  session: DuckDbSession,
  spec: TableSpec,
  files: readonly OpenFile[],
): Promise<BronzeTableFacts['duplicateKeys']> {
  const key = spec.primaryKey.map((name) => spec.columns.find((column) => column.name === name)?.sourceName ?? name);
  const readable = files.filter((file) => file.unreadable === null);
  const hasKey = (file: OpenFile) => key.every((name) => file.columns.some((column) => sameName(column.name, name)));
  if (key.length === 0 || readable.length === 0 || !readable.every(hasKey)) return null;
  const text = (name: string) => `trim(CAST(${identifier(name)} AS VARCHAR))`;
  const select = `SELECT ${key.map((name, index) => `${text(name)} AS k${index}`).join(', ')}`;
  const bySchema = new Map<string, string[]>();
  for (const file of readable) {
    const schema = JSON.stringify(file.columns);
    bySchema.set(schema, [...(bySchema.get(schema) ?? []), file.localPath]);
  }
  const all = [...bySchema.values()]
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

// ------------------------------------------------------------------ bytes

async function hashWhereNeeded(
  spec: TableSpec,
  partitions: readonly BronzePartition[],
  files: readonly OpenFile[],
): Promise<void> {
  const bytePartitions = new Set(
    partitions.filter((partition) => checksumKind(spec, partition) === 'bytes').map((partition) => partition.partition),
  );
  const bySize = new Map<number, number>();
  for (const file of files) bySize.set(file.sizeBytes ?? 0, (bySize.get(file.sizeBytes ?? 0) ?? 0) + 1);
  for (const file of files) {
    if (file.sizeBytes === null || file.sizeBytes === 0) continue;
    if (!bytePartitions.has(file.partition) && (bySize.get(file.sizeBytes) ?? 0) < 2) continue;
    file.sha256 = await sha256OfFile(file.localPath);
  }
}

/** What a partition's checksums are taken of: what its manifest says, else what the spec says. */
export function checksumKind(spec: TableSpec, partition: BronzePartition): string {
  const own = partition.manifest.state === 'read' ? partition.manifest.manifest.checksumKind : undefined;
  return own ?? spec.source.checksum;
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** Column names are one name in any case, as the engines take them. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
