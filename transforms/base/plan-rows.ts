/** The bronze files of a table -> SQL for their rows with the table's columns cleaned and cast. Pure. */
import type { ColumnSpec, TableSpec } from '../../core/spec.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { type BronzeColumn, type FileGroup, scanGroup } from './bronze-files.ts';
import { castValue, dayOfInstant, type Reading, readingOf, textOf, withinYears } from './cast-column.ts';
import type { BaseSettings } from './logic-fingerprint.ts';
import { type SilverColumns, sameName } from './silver-columns.ts';

/** Where a column's values come from in one group of files. */
type Origin =
  | { readonly kind: 'file'; readonly column: BronzeColumn }
  | { readonly kind: 'folder' }
  | { readonly kind: 'absent' };

/**
 * SELECT text: `__file`, `__row` (place), `__disagrees` (the file's own partition column says otherwise than the folder), the
 * table's columns that come from bronze, `__given_<n>` (the n-th of them held a value at all), and the built-in columns.
 * Text is trimmed and nulled before it is cast; a value that does not cast is null here.
 */
export function planRows(
  table: TableSpec,
  columns: SilverColumns,
  groups: readonly FileGroup[],
  settings: BaseSettings,
): string {
  if (groups.length === 0) return emptyRows(columns);
  return groups.map((group) => planGroup(table, columns, group, settings)).join('\nUNION ALL\n');
}

/** Columns that are read from bronze, in the order in which SQL numbers them. */
export function plainColumns(columns: SilverColumns): readonly ColumnSpec[] {
  return columns.columns.filter((column) => column.expr === null);
}

/** One group of files -> typed columns; `__given_<n>` says whether the n-th column held a value at all. */
function planGroup(table: TableSpec, columns: SilverColumns, group: FileGroup, settings: BaseSettings): string {
  const plain = plainColumns(columns);
  const read = plain.map((column) => readColumn(table, column, group));
  const lineage = (name: string) => {
    const column = find(group, name);
    return column ? `nullif(trim(CAST(b.${identifier(column.name)} AS VARCHAR)), '')` : 'NULL::VARCHAR';
  };
  const stamp = castValue('"__stamp"', 'text', { type: 'timestamp', clean: 'trim', format: null }, settings.timezone);
  const inFile = find(group, table.source.partitionKey ?? '');
  const builtIn = new Map([
    ['ingestion_dt', `coalesce(__ingest_day, ${dayOfInstant('__instant', settings.timezone)})`],
    ['batch_id', '__batch'],
    ['ingestion_ts', '__instant'],
    ['event_id', '__event'],
    ['source_file', '__source'],
    ['bronze_partition', '__partition'],
  ]);
  return `
SELECT __file, __row, __disagrees,
  ${list([
    ...plain.map((column, n) => `${withinYears(`t${n}`, column.type)} AS ${identifier(column.name)}`),
    ...plain.map((_column, n) => `c${n} IS NOT NULL AS __given_${n}`),
    ...columns.builtIn.map(({ name }) => `${builtIn.get(name)} AS ${identifier(name)}`),
  ])}
FROM (
  SELECT *, ${withinYears('__moment', 'timestamp')} AS __instant
  FROM (
    SELECT ${list([
      '*',
      ...plain.map(
        (column, n) => `${castValue(`c${n}`, read[n]?.reading ?? 'text', column, settings.timezone)} AS t${n}`,
      ),
      `${stamp} AS __moment`,
    ])}
    FROM (
      SELECT ${list(['*', ...plain.map((column, n) => `${nulled(`s${n}`, column, read[n], settings)} AS c${n}`)])}
      FROM (
        SELECT b.__file, b.__row, f.partition AS __partition, f.ingest_day AS __ingest_day,
          ${lineage('batch_id')} AS __batch, ${lineage('ingestion_ts')} AS __stamp, ${lineage('event_id')} AS __event,
          coalesce(${lineage('source_file')}, f.key) AS __source,
          ${list([
            `${inFile ? disagrees(`b.${identifier(inFile.name)}`) : 'false'} AS __disagrees`,
            ...read.map((column, n) => `${column.sql} AS s${n}`),
          ])}
        FROM ${placedRows(group)} b JOIN bronze_files f USING (__file)
      )
    )
  )
)`;
}

/** Raw rows of a group with the index of their file, as `bronze_files` has it, and their place in it, from 0. */
export function placedRows(group: FileGroup): string {
  const indexes = group.files.map((file) => file.index).join(', ');
  return `(SELECT *, [${indexes}][CAST(file_index AS BIGINT) + 1] AS __file, file_row_number AS __row FROM ${scanGroup(group)})`;
}

/** A column's raw SQL in one group and how it is to be read; text comes out trimmed unless the spec says `none`. */
function readColumn(
  table: TableSpec,
  column: ColumnSpec,
  group: FileGroup,
): { readonly sql: string; readonly reading: Reading } {
  const origin = originOf(table, column, group);
  const isKept = column.clean === 'none' && column.type === 'string';
  const asText = (value: string) => ({ sql: isKept ? value : trimmed(value), reading: 'text' as const });
  switch (origin.kind) {
    case 'absent':
      return { sql: 'NULL::VARCHAR', reading: 'text' };
    case 'folder': {
      const inFile = find(group, column.sourceName);
      return asText(inFile ? `coalesce(f.value, CAST(b.${identifier(inFile.name)} AS VARCHAR))` : 'f.value');
    }
    case 'file': {
      const value = `b.${identifier(origin.column.name)}`;
      if (origin.column.isNullTyped) return { sql: 'NULL::VARCHAR', reading: 'text' };
      const reading = readingOf(origin.column.type, column.type);
      return reading === 'text' ? asText(textOf(value, origin.column.type)) : { sql: value, reading };
    }
  }
}

export function originOf(table: TableSpec, column: ColumnSpec, group: FileGroup): Origin {
  if (table.source.partitionKey !== null && sameName(column.sourceName, table.source.partitionKey)) {
    return { kind: 'folder' };
  }
  const inFile = find(group, column.sourceName);
  return inFile ? { kind: 'file', column: inFile } : { kind: 'absent' };
}

function find(group: FileGroup, name: string): BronzeColumn | undefined {
  return group.columns.find((column) => sameName(column.name, name));
}

function trimmed(value: string): string {
  return `trim(${value}, ${literal(' \t\n\r\f\v\u00A0')})`;
}

function nulled(
  value: string,
  column: ColumnSpec,
  read: { readonly reading: Reading } | undefined,
  settings: BaseSettings,
): string {
  if (read?.reading !== 'text' || settings.nullValues.length === 0) return value;
  const bare = column.clean === 'none' ? trimmed(value) : value;
  const longest = Math.max(...settings.nullValues.map((text) => Buffer.byteLength(text)));
  const words = settings.nullValues.map(literal).join(', ');
  // Most values are longer than any word for null: they are told by length alone.
  return `CASE WHEN strlen(${bare}) <= ${longest} AND lower(${bare}) IN (${words}) THEN NULL ELSE ${value} END`;
}

/** Folder and file may write a day differently (with a time), anything else only in case and padding. */
function disagrees(inFile: string): string {
  const value = `lower(trim(CAST(${inFile} AS VARCHAR)))`;
  return `coalesce(CASE WHEN TRY_CAST(f.value AS DATE) IS NOT NULL
            THEN NOT starts_with(${value}, f.value) ELSE ${value} <> lower(f.value) END, false)`;
}

/** Rows of a table that no file has, so that the later steps need no case for it. */
function emptyRows(columns: SilverColumns): string {
  const plain = plainColumns(columns);
  return `SELECT 0 AS __file, 0::BIGINT AS __row, false AS __disagrees, ${list([
    ...plain.map((column) => `NULL::${duckDbType(column.type)} AS ${identifier(column.name)}`),
    ...plain.map((_column, n) => `false AS __given_${n}`),
    ...columns.builtIn.map(({ name, type }) => `NULL::${duckDbType(type)} AS ${identifier(name)}`),
  ])} WHERE false`;
}

const list = (parts: readonly string[]): string => parts.join(',\n  ');
