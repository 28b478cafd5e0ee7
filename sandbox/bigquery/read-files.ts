/** URIs of a load job -> the files that they mean, checked against the columns wanted, and one DuckDB query over all of them. */
import { identifier, literalList } from '../../engine/sql-text.ts';
import type { Buckets } from '../ports.ts';
import { BigQueryError } from './bigquery-error.ts';
import type { Sql } from './database.ts';
import { type FileColumn, type ReadOptions, readFooter } from './parquet-footer.ts';
import { columnType, type Field, isSameType, sqlName } from './table-schema.ts';

export interface SourceFile {
  readonly uri: string;
  readonly localPath: string;
  readonly sizeBytes: number;
  readonly columns: readonly FileColumn[];
}

/** @source BigQuery, "Quotas and limits", load jobs: source URIs in a job configuration */
export const MOST_URIS = 10_000;

/**
 * The files of all URIs, each once, sorted by URI.
 *
 * @throws BigQueryError `notFound` for a URI without an object, `invalid` for one that is no URI of an object
 */
export async function findFiles(
  buckets: Buckets,
  uris: readonly string[],
): Promise<readonly Omit<SourceFile, 'columns'>[]> {
  const files = new Map<string, Omit<SourceFile, 'columns'>>();
  for (const uri of uris) {
    const { bucket, pattern } = parseUri(uri);
    const objects = await buckets.match(bucket, pattern);
    if (objects.length === 0) throw new BigQueryError('notFound', `Not found: URI ${uri}`, uri);
    for (const { name, localPath, sizeBytes } of objects) {
      const full = `gs://${bucket}/${name}`;
      files.set(full, { uri: full, localPath, sizeBytes });
    }
  }
  return [...files.values()].sort((a, b) => (a.uri < b.uri ? -1 : 1));
}

/**
 * @source BigQuery, "Loading data from Cloud Storage", limitations: no generation number in a URI, one wildcard, not in the bucket's name
 */
export function parseUri(uri: string): { readonly bucket: string; readonly pattern: string } {
  const [, bucket, pattern] = /^gs:\/\/([^/]+)\/(.+)$/s.exec(uri) ?? [];
  if (bucket === undefined || pattern === undefined)
    throw new BigQueryError('invalid', `Source URI must be a Google Cloud Storage location: ${uri}`, uri);
  if (bucket.includes('*') || pattern.split('*').length > 2)
    throw new BigQueryError('invalid', `Source URI may have one wildcard, after the bucket name: ${uri}`, uri);
  if (/#\d+$/.test(pattern))
    throw new BigQueryError('invalid', `Source URI must not carry a generation number: ${uri}`, uri);
  return { bucket, pattern };
}

export async function readFooters(
  sql: Sql,
  files: readonly Omit<SourceFile, 'columns'>[],
  options: ReadOptions,
): Promise<readonly SourceFile[]> {
  const read: SourceFile[] = [];
  for (const file of files) read.push({ ...file, columns: await readFooter(sql, file.localPath, file.uri, options) });
  return read;
}

/**
 * The schema that files alone give: that of the alphabetically last; all must have it, in the same order. A decimal that fits
 * becomes a NUMERIC without precision.
 *
 * @throws BigQueryError `invalid` where they differ
 * @source BigQuery, "Loading Parquet data from Cloud Storage", schema auto-detection
 */
export function inferFields(files: readonly SourceFile[]): readonly Field[] {
  const last = files.at(-1);
  if (!last) return [];
  const text = (file: SourceFile): string => JSON.stringify(file.columns.map((column) => column.field));
  const other = files.find((file) => text(file) !== text(last));
  if (other)
    throw new BigQueryError(
      'invalid',
      `Error while reading data, error message: Schema mismatch: the files ${other.uri} and ${last.uri} have different columns or another order of columns.`,
    );
  return last.columns.map(({ field }) => {
    if (field.type !== 'NUMERIC') return field;
    const { precision: _precision, scale: _scale, ...plain } = field;
    return plain;
  });
}

/**
 * A query for `fields` over all files: columns by name, NULL where a file lacks one that may be NULL.
 *
 * @throws BigQueryError `invalid` naming column, types and file
 */
export function filesQuery(files: readonly SourceFile[], fields: readonly Field[], ignoreUnknown: boolean): string {
  const groups = new Map<string, SourceFile[]>();
  for (const file of files) {
    checkFile(file, fields, ignoreUnknown);
    const shape = JSON.stringify(file.columns.map(({ name, physical, readAs }) => [name, physical, readAs]));
    groups.set(shape, [...(groups.get(shape) ?? []), file]);
  }
  const parts = [...groups.values()].map((group) => {
    const columns = fields.map((field) => columnQuery(field, columnNamed(group[0], field.name)));
    const paths = literalList(group.map((file) => file.localPath));
    return `SELECT ${columns.join(', ')} FROM read_parquet(${paths})`;
  });
  return parts.join(' UNION ALL ');
}

function columnNamed(file: SourceFile | undefined, name: string): FileColumn | undefined {
  return file?.columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
}

function columnQuery(field: Field, column: FileColumn | undefined): string {
  const name = identifier(field.name);
  if (!column) return `CAST(NULL AS ${columnType(field)}) AS ${name}`;
  const value = identifier(column.name);
  const plain =
    column.readAs === 'nanos'
      ? `epoch_ns(${value})`
      : column.readAs === 'uuid'
        ? `unhex(replace(CAST(${value} AS VARCHAR), '-', ''))`
        : value;
  return `CAST(${plain} AS ${columnType(field)}) AS ${name}`;
}

function checkFile(file: SourceFile, fields: readonly Field[], ignoreUnknown: boolean): void {
  const refuse = (what: string): BigQueryError =>
    new BigQueryError('invalid', `Error while reading data, error message: ${what}. File: ${file.uri}`, file.uri);
  for (const field of fields) {
    const column = columnNamed(file, field.name);
    if (!column && field.mode === 'REQUIRED') throw refuse(`Required column '${field.name}' is missing`);
    if (column && !fits(column.field, field))
      throw refuse(
        `Parquet column '${column.name}' has type ${column.physical}, read as ${sqlName(column.field)}, which does not match the target type ${sqlName(field)}`,
      );
  }
  if (ignoreUnknown) return;
  const extra = file.columns.find(
    (column) => !fields.some((field) => field.name.toLowerCase() === column.name.toLowerCase()),
  );
  if (extra) throw refuse(`Parquet column '${extra.name}' has no column in the schema`);
}

/** JSON is text in the file; a decimal fits where the column has as many digits after the point. */
function fits(source: Field, target: Field): boolean {
  const isArray = (field: Field): boolean => field.mode === 'REPEATED';
  if (isArray(source) !== isArray(target)) return false;
  if (target.type === 'JSON') return source.type === 'STRING';
  if (isDecimal(source) && isDecimal(target)) {
    if (target.type === 'NUMERIC' && source.type === 'BIGNUMERIC') return false;
    return (source.scale ?? 0) <= (target.precision === undefined ? 9 : (target.scale ?? 0));
  }
  return isSameType({ ...source, name: target.name }, target);
}

function isDecimal(field: Field): boolean {
  return field.type === 'NUMERIC' || field.type === 'BIGNUMERIC';
}
