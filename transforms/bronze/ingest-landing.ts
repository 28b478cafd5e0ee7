/** A landed CSV or TSV file -> one more Parquet file of bronze, all columns as text, with lineage and manifest; once per content. */

import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../core/counted.ts';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { isoInstant } from '../../core/partition.ts';
import type { ObjectStore, TaskContext } from '../../core/ports.ts';
import type { ColumnSpec, LandingSpec, TableSpec } from '../../core/spec.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { MANIFEST_NAME, type ManifestFile, renderManifest } from './bronze-manifest.ts';
import { batchOf, isLanded, type LandingFiles, landedFolder, readManifests, sha256OfFile } from './landed-files.ts';

/** Beyond this a header is no header. */
const HEADER_BYTES = 65_536;
const LINEAGE = ['batch_id', 'ingestion_ts', 'event_id', 'source_file', 'row_number'];

/**
 * Writes `<table>/<key>=<run date>/part-NNNN.parquet`, then its manifest; a file whose content was delivered last changes nothing.
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
  const batchId = await batchOf(localPath);
  const manifests = await readManifests(bronze, table);
  const folder = landedFolder(table, context.run.runDate);
  if (isLanded(batchId, manifests, folder)) {
    context.log.info(`${spec.path} is in bronze already`, { table: table.name, batchId });
    return;
  }

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
    partition: folder.slice(table.source.table.length + 1),
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
    `line ${line}: ${(why ?? 'the row cannot be read').replace(/\.+$/, '')}. ` +
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
  const lacking = table.columns.find((column) => isLacking(column, table, names));
  if (lacking) throw unreadable(spec, `line 1: ${lackingWords(lacking, table, first, spec)}`);
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

/** A file without a column that silver requires must not reach bronze, where it would stand in the way of the corrected one. */
function isLacking(
  { expr, required, missingReason, sourceName }: ColumnSpec,
  table: TableSpec,
  names: readonly string[],
): boolean {
  if (expr !== null || (!required && missingReason === null)) return false;
  return ![...names, ...LINEAGE, table.source.partitionKey].some(
    (name) => name?.toLowerCase() === sourceName.toLowerCase(),
  );
}

function lackingWords(lacking: ColumnSpec, table: TableSpec, first: readonly string[], spec: LandingSpec): string {
  const has = spec.header
    ? `the header has no column “${lacking.sourceName}”, which silver.${table.name} requires. It has: ${first.join(', ')}.`
    : `${counted(first.length, 'value')} and no header, but silver.${table.name} requires a column “${lacking.sourceName}” behind them.`;
  const [only, ...others] = first;
  const other = others.length > 0 ? undefined : [',', ';', '\t', '|'].find((each) => only?.includes(each));
  if (other === undefined) return has;
  const written = other === '\t' ? '\\t' : other;
  return `${has} If “${written}” stands between values, set source.landing.delimiter: "${written}" in ${table.location.file}.`;
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
