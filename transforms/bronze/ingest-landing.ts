/** A landed CSV or TSV file -> one more Parquet file of bronze, all columns as text, with lineage and manifest; once per content. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../core/counted.ts';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { hivePartition, isoInstant } from '../../core/partition.ts';
import type { ObjectStore, TaskContext } from '../../core/ports.ts';
import type { LandingSpec, TableSpec } from '../../core/spec.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { MANIFEST_NAME, type ManifestFile, ownFiles, renderManifest } from './bronze-manifest.ts';

/** Where landing files lie on this machine. */
export interface LandingFiles {
  path(relative: string): string;
}

/** Beyond this a header is no header. */
const HEADER_BYTES = 65_536;
const LINEAGE = ['batch_id', 'ingestion_ts', 'event_id', 'source_file', 'row_number'];

/**
 * Writes `<table>/<key>=<run date>/part-NNNN.parquet`, then its manifest; a file whose content is in bronze already changes nothing.
 * `ingestion_ts` is the interval's end, a millisecond later for each further file of the day, so that the newest delivery wins.
 * A crash between file and manifest is healed by the next call, which writes the same part again.
 *
 * @throws PipelineError `landing_unreadable` naming file and line, `setting_invalid` without a landing folder
 */
export async function ingestLanding(
  bronze: ObjectStore,
  landing: LandingFiles | undefined,
  table: TableSpec,
  context: Pick<TaskContext, 'run' | 'tempDir' | 'signal' | 'log'>,
): Promise<void> {
  const spec = table.source.landing;
  if (!spec) return;
  if (!landing) {
    throw new PipelineError(
      'setting_invalid',
      `${table.name} lands from ${spec.path}, but no landing folder is set. Set lake.landing.base_path.`,
    );
  }
  const localPath = landing.path(spec.path);
  const names = await readHeader(localPath, spec, table);
  const batchId = `batch_${(await sha256OfFile(localPath)).slice(0, 32)}`;
  const manifests = await readManifests(bronze, table);
  if ([...manifests.values()].some((files) => files.some((file) => file.batchId === batchId))) {
    context.log.info(`${spec.path} is in bronze already`, { table: table.name, batchId });
    return;
  }

  const partition =
    table.source.partitionKey === null ? '' : hivePartition(table.source.partitionKey, context.run.runDate);
  const folder = partition === '' ? table.source.table : `${table.source.table}/${partition}`;
  const earlier = manifests.get(`${folder}/${MANIFEST_NAME}`) ?? [];
  const createdAt = isoInstant(context.run.interval.endMs + earlier.length);
  const part = join(context.tempDir, `landing-${table.name}.parquet`);
  const rows = await writePart(localPath, part, names, spec, table, { batchId, createdAt }, context);
  const file: ManifestFile = {
    path: `${folder}/part-${String(earlier.length).padStart(4, '0')}.parquet`,
    rows,
    sizeBytes: (await stat(part)).size,
    checksum: await sha256OfFile(part),
    batchId,
  };
  await bronze.writeFile(file.path, part);
  const manifest = renderManifest({
    table: table.source.table,
    partition,
    batchId,
    createdAt,
    files: [...earlier, file],
    schemaFingerprint: fingerprint([...names, ...LINEAGE]),
    eventDays: null,
  });
  await bronze.write(`${folder}/${MANIFEST_NAME}`, new TextEncoder().encode(manifest));
  context.log.info(`${spec.path}: ${counted(rows, 'row')} into bronze ${file.path}`, {
    table: table.name,
    batchId,
    rows,
  });
}

/** Files of our manifests below the table, by manifest key. */
async function readManifests(bronze: ObjectStore, table: TableSpec): Promise<Map<string, readonly ManifestFile[]>> {
  const manifests = new Map<string, readonly ManifestFile[]>();
  for await (const { key } of bronze.list(`${table.source.table}/`)) {
    if (!key.endsWith(`/${MANIFEST_NAME}`)) continue;
    const object = await bronze.read(key);
    if (object) manifests.set(key, ownFiles(new TextDecoder().decode(object.body)));
  }
  return manifests;
}

async function writePart(
  localPath: string,
  part: string,
  names: readonly string[],
  spec: LandingSpec,
  table: TableSpec,
  lineage: { readonly batchId: string; readonly createdAt: string },
  context: Pick<TaskContext, 'tempDir' | 'signal'>,
): Promise<number> {
  const columns = names.map((name) => `${literal(name)}: 'VARCHAR'`).join(', ');
  const csv =
    `read_csv(${literal(localPath)}, auto_detect = false, header = ${spec.header}, delim = ${literal(spec.delimiter)}, ` +
    `quote = '"', escape = '"', strict_mode = true, null_padding = false, columns = {${columns}})`;
  const query = `
    SELECT ${names.map(identifier).join(', ')},
           ${literal(lineage.batchId)} AS batch_id,
           ${literal(lineage.createdAt)} AS ingestion_ts,
           'evt_' || sha256(concat_ws(chr(31), ${eventKey(table, names, lineage.batchId)})) AS event_id,
           ${literal(spec.path)} AS source_file,
           row_number
    FROM (SELECT *, row_number() OVER () AS row_number FROM ${csv})`;
  // One thread: rows keep the file's order, and the bytes do not depend on timing.
  await using session = await DuckDbSession.open({ threads: 1, tempDir: context.tempDir, signal: context.signal });
  try {
    await session.run(`COPY (${query}) TO ${literal(part)} (FORMAT parquet, COMPRESSION zstd)`);
  } catch (thrown) {
    throw unreadableRow(thrown, spec);
  }
  const { rows } = await session.one(`SELECT count(*) AS rows FROM read_parquet(${literal(part)})`);
  return Number(rows);
}

/** Table and key values as SQL; a table whose key is not in the file takes the row's place instead. */
function eventKey(table: TableSpec, names: readonly string[], batchId: string): string {
  const sources = table.primaryKey.map((key) => table.columns.find((column) => column.name === key)?.sourceName ?? key);
  const values = sources.every((source) => names.includes(source))
    ? sources.map((source) => `coalesce(trim(${identifier(source)}), '')`)
    : [literal(batchId), 'row_number::VARCHAR'];
  return [literal(table.source.table), ...values].join(', ');
}

function unreadableRow(thrown: unknown, spec: LandingSpec): unknown {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  if (line === undefined) return thrown;
  const why = message
    .split('\n')
    .slice(1)
    .find((text) => /^(Expected Number|Invalid unicode|Value with|Maximum line|The CSV|Error)/.test(text));
  return unreadable(
    spec,
    `line ${line}: ${why ?? 'the row cannot be read'}. ` +
      `Expected text in UTF-8, ${spec.delimiter === '\t' ? 'tab' : `“${spec.delimiter}”`} between values and " around those that hold one.`,
    thrown,
  );
}

function unreadable(spec: LandingSpec, what: string, cause?: unknown): PipelineError {
  return new PipelineError('landing_unreadable', `${spec.path}, ${what} Correct the file and run again.`, {
    context: { file: spec.path },
    cause,
  });
}

/** Column names of the file, in order: its header, or the spec's columns where it has none. */
async function readHeader(localPath: string, spec: LandingSpec, table: TableSpec): Promise<readonly string[]> {
  const first = splitLine(await firstLine(localPath, spec), spec.delimiter);
  const declared = table.columns.filter((column) => column.expr === null).map((column) => column.sourceName);
  const names = spec.header
    ? first.map((name) => name.trim())
    : first.map((_value, index) => declared[index] ?? `column_${index + 1}`);
  names.forEach((name, index) => {
    const place = `line 1, column ${index + 1}:`;
    if (name === '') throw unreadable(spec, `${place} the header has no name.`);
    if (LINEAGE.includes(name)) throw unreadable(spec, `${place} “${name}” is the name of a lineage column.`);
    if (names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) < index) {
      throw unreadable(spec, `${place} “${name}” stands there twice.`);
    }
  });
  return names;
}

async function firstLine(localPath: string, spec: LandingSpec): Promise<string> {
  const handle = await open(localPath).catch((thrown: unknown) => {
    throw new PipelineError(
      'landing_unreadable',
      `${spec.path} is not in the landing folder (looked at ${localPath}). Put the file there, or correct source.landing.path.`,
      { context: { file: spec.path }, cause: thrown },
    );
  });
  let bytes: Buffer;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    bytes = buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
  if (bytes.length === 0) throw unreadable(spec, 'the file is empty: not even a header.');
  const end = bytes.indexOf(0x0a);
  try {
    const line = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, end < 0 ? bytes.length : end));
    if (!line.includes('\0')) return line.replace(/\r$/, '');
  } catch (thrown) {
    throw unreadable(spec, 'line 1: not UTF-8.', thrown);
  }
  throw unreadable(spec, 'line 1: binary content, not text.');
}

/** One line of quoted or plain values. */
function splitLine(line: string, delimiter: string): readonly string[] {
  const values: string[] = [];
  let value = '';
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '"' && isQuoted && line[at + 1] === '"') value += line[++at];
    else if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && line.startsWith(delimiter, at)) {
      values.push(value);
      value = '';
      at += delimiter.length - 1;
    } else value += char;
  }
  values.push(value);
  return values;
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
