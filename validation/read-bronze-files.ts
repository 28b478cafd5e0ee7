/** Pinned bronze partitions of a table -> what its files really hold: sizes, footers, columns, and counts of one full decode. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { BronzeFiles } from '../core/ports.ts';
import type { TableSpec } from '../core/spec.ts';
import type { BronzePartition } from '../core/types.ts';
import { type DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { type BronzeFileFacts, type BronzeTableFacts, checksumKind, type FileColumn } from './bronze-facts.ts';
import { countDuplicateKeys, countRows, groupsOfEqualColumns } from './count-bronze-rows.ts';
import { throwUnlessAboutData, withoutFolders } from './run-checks.ts';

/** Facts on their way: each step fills in what it finds. */
type OpenFile = { -readonly [fact in keyof BronzeFileFacts]: BronzeFileFacts[fact] } & { readonly localPath: string };

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
  await eachReadable(session, files, readFooters);
  for (const group of groupsOfEqualColumns(files.filter(isReadable))) {
    await eachReadable(session, group, async (open, some) => {
      const counts = await countRows(open, { spec, nullValues }, some);
      for (const file of some) file.counts = counts.get(file) ?? null;
    });
  }
  await hashWhereNeeded(spec, partitions, files);
  const duplicateKeys = await countDuplicateKeys(session, spec, files.filter(isReadable));
  return { spec, partitions, files, duplicateKeys };
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

async function readFooters(session: DuckDbSession, files: readonly OpenFile[]): Promise<void> {
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
  const readable = files.filter(isReadable);
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
        file.unreadable = faultOf(thrown, file) || 'the file does not read';
      }
    }
  }
}

function isReadable(file: OpenFile): boolean {
  return file.unreadable === null;
}

function faultOf(thrown: unknown, file: OpenFile): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return withoutFolders(message.replaceAll(file.localPath, 'the file'));
}

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

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
