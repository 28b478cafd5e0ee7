/** Pinned bronze partitions -> their files on this machine, grouped by what their footers say. */
import { stat } from 'node:fs/promises';
import { PipelineError } from '../../core/errors.ts';
import type { BronzeFiles } from '../../core/ports.ts';
import type { BronzeFile, BronzePartition } from '../../core/types.ts';
import { type DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';

export interface BronzeDataFile {
  /** Place in the order of partitions and file names: also the order in which full ties are broken. */
  readonly index: number;
  readonly key: string;
  readonly localPath: string;
  readonly partition: string;
  readonly rows: number;
}

/** A column as DuckDB reads it. */
export interface BronzeColumn {
  readonly name: string;
  readonly type: string;
  /** Written without a type, because it held nothing but nulls. */
  readonly isNullTyped: boolean;
}

/** Files with the same footer schema, which one scan can read. */
export interface FileGroup {
  readonly files: readonly BronzeDataFile[];
  readonly columns: readonly BronzeColumn[];
}

/** Names that DuckDB gives to a row's place. */
const ROW_PLACE = ['file_index', 'file_row_number'];

interface LocalFile extends BronzeFile {
  readonly partition: string;
  readonly localPath: string;
}

/**
 * Reads footers only.
 *
 * @throws PipelineError `bronze_missing`, `bronze_unreadable`, `bronze_schema`, each naming the file
 */
export async function readBronzeFooters(
  session: DuckDbSession,
  bronze: BronzeFiles,
  partitions: readonly BronzePartition[],
): Promise<readonly FileGroup[]> {
  const local = await locate(bronze, partitions);
  if (local.length === 0) return [];
  const paths = fileList(local.map((file) => file.localPath));
  const footers = await orNameTheFile(session, local, () =>
    session.rows(`
      SELECT f.file_name, f.num_rows, s.signature, s.null_typed
      FROM parquet_file_metadata(${paths}) f
      JOIN (SELECT file_name,
                   sha256(string_agg(concat_ws('|', name, type, converted_type, logical_type, num_children), chr(10))) AS signature,
                   string_agg(name, chr(10)) FILTER (logical_type ILIKE 'null%' OR logical_type ILIKE 'unknown%') AS null_typed
            FROM parquet_schema(${paths}) GROUP BY file_name) s USING (file_name)`),
  );
  const footerOf = new Map(footers.map((footer) => [String(footer.file_name), footer]));
  const groups = new Map<string, { files: BronzeDataFile[]; nullTyped: readonly string[] }>();
  local.forEach(({ key, partition, localPath }, index) => {
    const footer = footerOf.get(localPath);
    if (!footer) throw new Error(`no footer came back for ${localPath}`);
    const signature = String(footer.signature);
    const group = groups.get(signature) ?? { files: [], nullTyped: String(footer.null_typed ?? '').split('\n') };
    groups.set(signature, group);
    group.files.push({ index, key, localPath, partition, rows: Number(footer.num_rows) });
  });
  return Promise.all([...groups.values()].map((group) => describeGroup(session, group)));
}

/** SQL that scans a group's files; `file_index` counts within the group. */
export function scanGroup(group: FileGroup): string {
  return `read_parquet(${fileList(group.files.map((file) => file.localPath))}, hive_partitioning = false)`;
}

/**
 * Runs work that reads the files; where it fails on unreadable data, finds out which file it was.
 *
 * @throws PipelineError `bronze_unreadable`
 */
export async function orNameTheFile<T>(
  session: DuckDbSession,
  files: readonly { readonly key: string; readonly localPath: string }[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'data_unreadable') throw thrown;
    for (const file of files) {
      const fault = await faultOf(session, file.localPath);
      if (fault !== null) throw unreadable(file.key, fault, thrown);
    }
    throw thrown;
  }
}

/** Files looked up at the same time. */
const LOOK_AHEAD = 16;

async function locate(bronze: BronzeFiles, partitions: readonly BronzePartition[]): Promise<readonly LocalFile[]> {
  const files = partitions.flatMap(({ partition, files }) => files.map((file) => ({ ...file, partition })));
  const located: LocalFile[] = [];
  for (let at = 0; at < files.length; at += LOOK_AHEAD) {
    const batch = files.slice(at, at + LOOK_AHEAD);
    located.push(
      ...(await Promise.all(batch.map(async (file) => ({ ...file, localPath: await locateOne(bronze, file) })))),
    );
  }
  return located;
}

/** The path of a file that is still the one that was pinned. */
async function locateOne(bronze: BronzeFiles, file: BronzeFile): Promise<string> {
  const localPath = await bronze.localPath(file.key).catch((thrown: unknown) => {
    throw thrown instanceof PipelineError && thrown.code !== 'object_not_found'
      ? thrown
      : gone(file.key, bronze, thrown);
  });
  const found = await stat(localPath).catch((thrown: unknown) => {
    throw gone(file.key, bronze, thrown);
  });
  if (found.size === file.sizeBytes) return localPath;
  throw new PipelineError(
    'bronze_missing',
    `bronze ${file.key} has ${found.size} bytes, but had ${file.sizeBytes} when this run pinned it: it was replaced meanwhile. ` +
      'Clear the run from its first task to read the new file.',
    { context: { file: file.key } },
  );
}

function gone(key: string, bronze: BronzeFiles, cause: unknown): PipelineError {
  return new PipelineError(
    'bronze_missing',
    `bronze ${key} was there when this run pinned it, and is gone from ${bronze.displayName}. ` +
      'Deliver the partition again, then clear the run from its first task.',
    { context: { file: key }, cause },
  );
}

async function describeGroup(
  session: DuckDbSession,
  group: { readonly files: readonly BronzeDataFile[]; readonly nullTyped: readonly string[] },
): Promise<FileGroup> {
  const [first] = group.files;
  if (!first) throw new Error('a group of files has none');
  const described = await orNameTheFile(session, group.files, () =>
    session.describe(`SELECT * FROM read_parquet(${literal(first.localPath)}, hive_partitioning = false)`),
  );
  const reserved = described.find(({ name }) => ROW_PLACE.includes(name.toLowerCase()));
  if (reserved) {
    throw new PipelineError(
      'bronze_schema',
      `bronze ${first.key}: the column name “${reserved.name}” is used by the build itself. Rename it where the file is written.`,
      { context: { file: first.key, column: reserved.name } },
    );
  }
  const columns = described.map(({ name, type }) => ({ name, type, isNullTyped: group.nullTyped.includes(name) }));
  return { files: group.files, columns };
}

/** What is wrong with one file, read to its last page; null where nothing is. */
async function faultOf(session: DuckDbSession, localPath: string): Promise<string | null> {
  try {
    await session.rows(
      `SELECT sum(hash(COLUMNS(*))) FROM read_parquet(${literal(localPath)}, hive_partitioning = false)`,
    );
    return null;
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'data_unreadable') throw thrown;
    return (thrown.message.split('\n')[0] ?? '').replaceAll(localPath, 'the file');
  }
}

function unreadable(key: string, fault: string, cause: unknown): PipelineError {
  return new PipelineError(
    'bronze_unreadable',
    `bronze ${key} cannot be read as Parquet: ${fault}. Nothing of its table was built. ` +
      'Deliver the partition again (or take the file away, if another one replaces it), then clear the run from its first task.',
    { context: { file: key }, cause },
  );
}
