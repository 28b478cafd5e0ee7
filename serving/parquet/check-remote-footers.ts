/** Parquet objects far away and a table's definition -> nothing, or the first that must not be loaded; only footers are fetched. */
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { LakeObjects, WarehouseTableDef } from '../../core/ports.ts';
import type { DataFile, DataPartition } from '../../core/types.ts';
import { DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { checkColumns, checkRows, type FooterFile, fault } from './check-footers.ts';

export interface TailsOptions {
  readonly lake: LakeObjects;
  /** For files of the objects' sizes that hold their footers alone, gone afterwards. */
  readonly tempDir: string;
  readonly signal: AbortSignal;
}

/** Most footers are smaller; a larger one takes a second read. */
const FIRST_READ_BYTES = 64 * 1024;
const READS_AT_ONCE = 8;
const MAGIC = 'PAR1';
const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';

interface TailFile extends FooterFile {
  readonly file: DataFile;
  readonly shown: string;
}

/**
 * Columns, types, row counts, and the partition column's least and greatest value. Where a footer does not tell these, that
 * column is read from the object itself.
 *
 * @throws PipelineError `warehouse_schema` naming object, column, what was found and what is expected; `data_unreadable` for no Parquet
 */
export async function checkTails(
  def: WarehouseTableDef,
  partitions: readonly DataPartition[],
  options: TailsOptions,
): Promise<void> {
  await mkdir(options.tempDir, { recursive: true });
  const folder = await mkdtemp(join(options.tempDir, 'footers-'));
  try {
    const sorted = [...partitions].sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
    const files = await fetchTails(sorted, options.lake, folder);
    await using session = await DuckDbSession.open({ threads: 1, signal: options.signal });
    await checkColumns(session, def, files);
    const undecided = await checkStatistics(session, def, sorted, files);
    await checkByReading(session, def, undecided, options.lake);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchTails(
  partitions: readonly DataPartition[],
  lake: LakeObjects,
  folder: string,
): Promise<readonly TailFile[]> {
  const files = partitions.flatMap(({ value, files: stored }) => stored.map((file) => ({ value, file })));
  const tails: TailFile[] = files.map(({ value, file }, index) => ({
    value,
    file,
    path: join(folder, `${index}.parquet`),
    shown: lake.uri(file),
  }));
  const left = [...tails];
  const work = async (): Promise<void> => {
    for (let tail = left.shift(); tail !== undefined; tail = left.shift()) await fetchTail(tail, lake);
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, tails.length) }, work));
  return tails;
}

/** The object's footer at its place in an otherwise empty file of the object's size, which takes no room on the disk. */
async function fetchTail({ file, path, shown }: TailFile, lake: LakeObjects): Promise<void> {
  let bytes = Buffer.from(await lake.tail(file, FIRST_READ_BYTES));
  const footer = footerLength(bytes, file, shown);
  if (footer > bytes.length) bytes = Buffer.from(await lake.tail(file, footer));
  if (bytes.length < Math.min(footer, file.sizeBytes)) throw unreadable(file, shown, 'it ends before its footer does');
  const handle = await open(path, 'w');
  try {
    await handle.truncate(file.sizeBytes);
    await handle.write(bytes, 0, bytes.length, Math.max(0, file.sizeBytes - bytes.length));
  } finally {
    await handle.close();
  }
}

/** With the eight bytes behind it: its length and the magic word. */
function footerLength(tail: Buffer, file: DataFile, shown: string): number {
  const isParquet = tail.length >= 12 && tail.subarray(-4).toString('latin1') === MAGIC;
  if (!isParquet) throw unreadable(file, shown, 'it does not end as Parquet does');
  const length = tail.readUInt32LE(tail.length - 8) + 8;
  if (length + 4 > file.sizeBytes) throw unreadable(file, shown, 'its footer is longer than the file');
  return length;
}

function unreadable(file: DataFile, shown: string, what: string): PipelineError {
  return new PipelineError(
    'data_unreadable',
    `${shown} is no whole Parquet file: ${what}. Nothing was loaded. Restore the object, or build the table again and publish it.`,
    { context: { key: file.key } },
  );
}

/** What the statistics of one file say. `least` null: they do not tell. */
interface Statistics {
  readonly rows: number;
  readonly nulls: number;
  readonly least: string | null;
  readonly greatest: string | null;
}

/** @returns partitions of which the footers do not tell */
async function checkStatistics(
  session: DuckDbSession,
  def: WarehouseTableDef,
  partitions: readonly DataPartition[],
  files: readonly TailFile[],
): Promise<readonly DataPartition[]> {
  const statistics = await readStatistics(session, def, files);
  const undecided: DataPartition[] = [];
  for (const partition of partitions) {
    const own = files.filter(({ value }) => value === partition.value);
    let isDecided = true;
    for (const file of own) {
      const found = statistics.get(file.path);
      if (found === undefined) throw new Error(`no footer was read of ${file.shown}`);
      if (def.partitionKey === null) continue;
      const verdict = judge(partition.value, found);
      if (verdict === 'unknown') isDecided = false;
      else if (verdict !== 'own')
        throw fault(def, file.shown, def.partitionKey, strayWords(def.partitionKey, partition.value, verdict));
    }
    const rows = own.reduce((sum, file) => sum + (statistics.get(file.path)?.rows ?? 0), 0);
    if (rows !== partition.rows) {
      const what = `its manifest promises ${partition.rows} rows, the files have ${rows}`;
      throw fault(def, own[0]?.shown ?? 'no file', def.partitionKey ?? '', what);
    }
    if (!isDecided) undecided.push(partition);
  }
  return undecided;
}

async function readStatistics(
  session: DuckDbSession,
  def: WarehouseTableDef,
  files: readonly TailFile[],
): Promise<ReadonlyMap<string, Statistics>> {
  if (files.length === 0) return new Map();
  const list = fileList(files.map(({ path }) => path));
  // Long texts are cut in statistics, and not every writer says so.
  const mayBeCut = def.columns.some(({ name, type }) => name === def.partitionKey && type === 'string');
  const rows = await session.rows(
    `SELECT f.file_name, f.num_rows AS rows, count(m.row_group_id) AS groups, sum(m.stats_null_count) AS nulls,
       count(m.stats_null_count) AS told_nulls, count(m.stats_min_value) AS told_least, count(m.stats_max_value) AS told_greatest,
       min(m.stats_min_value) AS least, max(m.stats_max_value) AS greatest,
       count(*) FILTER (WHERE m.stats_null_count = m.num_values) AS empty_groups,
       count(*) FILTER (WHERE NOT m.min_is_exact OR NOT m.max_is_exact) AS cut,
       count(*) FILTER (WHERE m.min_is_exact AND m.max_is_exact) AS exact
     FROM parquet_file_metadata(${list}) AS f
     LEFT JOIN (FROM parquet_metadata(${list}) WHERE path_in_schema = ${literal(def.partitionKey ?? '')}) AS m USING (file_name)
     GROUP BY ALL`,
  );
  return new Map(
    rows.map((row) => {
      const groups = Number(row.groups);
      const withValues = groups - Number(row.empty_groups);
      const isTold =
        Number(row.told_nulls) === groups &&
        Number(row.cut) === 0 &&
        (!mayBeCut || Number(row.exact) >= withValues) &&
        Number(row.told_least) >= withValues &&
        Number(row.told_greatest) >= withValues;
      return [
        String(row.file_name),
        {
          rows: Number(row.rows),
          nulls: isTold ? Number(row.nulls ?? 0) : -1,
          least: isTold && row.least !== null && row.least !== undefined ? String(row.least) : null,
          greatest: isTold && row.greatest !== null && row.greatest !== undefined ? String(row.greatest) : null,
        },
      ] as const;
    }),
  );
}

/** `own`: every row is of the partition. Otherwise a value that is not. */
function judge(
  value: string,
  { rows, nulls, least, greatest }: Statistics,
): 'own' | 'unknown' | { readonly found: string } {
  if (rows === 0) return 'own';
  if (nulls < 0) return 'unknown';
  if (value === NULL_PARTITION) return nulls === rows ? 'own' : { found: least ?? 'a value' };
  if (nulls > 0) return { found: NULL_PARTITION };
  if (least === null || greatest === null) return 'unknown';
  if (least === value && greatest === value) return 'own';
  return { found: least === value ? greatest : least };
}

const strayWords = (key: string, value: string, { found }: { readonly found: string }): string =>
  `it has rows with ${key} = ${found}, but the file is of ${key} = ${value}`;

async function checkByReading(
  session: DuckDbSession,
  def: WarehouseTableDef,
  partitions: readonly DataPartition[],
  lake: LakeObjects,
): Promise<void> {
  const shown = new Map<string, string>();
  const local: { value: string; rows: number; localPaths: readonly string[] }[] = [];
  for (const { value, rows, files } of partitions) {
    const localPaths = await lake.localPaths(files);
    for (const [index, file] of files.entries()) shown.set(localPaths[index] ?? '', lake.uri(file));
    local.push({ value, rows, localPaths });
  }
  await checkRows(session, def, local, (path) => shown.get(path) ?? path);
}
