/** A table's spec, bronze's footers and what is published -> the columns of its silver table. Pure. */
import { PipelineError } from '../../core/errors.ts';
import type { ColumnSpec, TableSpec } from '../../core/spec.ts';
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { columnTypeOf } from '../../engine/duckdb-types.ts';
import type { FileGroup } from './bronze-files.ts';

/** Day that a row came in; every silver table has it. */
const INGESTION_DAY: ColumnSchema = { name: 'ingestion_dt', type: 'date' };

/** Where a row came from; `bronze_partition` is what makes a partition replaceable when it is delivered again. */
export const LINEAGE: readonly ColumnSchema[] = [
  { name: 'batch_id', type: 'string' },
  { name: 'ingestion_ts', type: 'timestamp' },
  { name: 'event_id', type: 'string' },
  { name: 'source_file', type: 'string' },
  { name: 'bronze_partition', type: 'string' },
];

/** Bronze columns that are no business data, and so never taken over by themselves. */
const BRONZE_LINEAGE = ['batch_id', 'ingestion_ts', 'event_id', 'source_file', 'row_number'];

export interface SilverColumns {
  /** Declared, or taken from bronze. */
  readonly columns: readonly ColumnSpec[];
  /** Of `ingestion_dt` and lineage, those that the table does not declare itself. */
  readonly builtIn: readonly ColumnSchema[];
  /** All columns of the silver files, in order. */
  readonly output: readonly ColumnSchema[];
}

/**
 * @throws PipelineError `bronze_schema` where a table without declared columns changed a type; `spec_invalid` where a key names no column
 */
export function silverColumns(
  table: TableSpec,
  groups: readonly FileGroup[],
  published: readonly ColumnSchema[],
): SilverColumns {
  const declared = table.columns.filter((column) => column.name !== 'bronze_partition');
  const columns = declared.length > 0 ? declared : columnsOfBronze(table, groups, published);
  const names = new Set(columns.map((column) => column.name));
  const builtIn = [INGESTION_DAY, ...LINEAGE].filter((column) => !names.has(column.name));
  const output = [...columns.map(({ name, type }) => ({ name, type })), ...builtIn];
  for (const key of [table.partitionKey, ...table.primaryKey, ...table.identity]) {
    if (output.some((column) => column.name === key)) continue;
    throw new PipelineError(
      'spec_invalid',
      `silver.${table.name}: “${key}” is used as a key, but is no column ` +
        `(${declared.length > 0 ? 'declared' : 'of bronze'}: ${output.map((column) => column.name).join(', ')}). ` +
        `Correct ${table.location.file}:${table.location.line}.`,
      { context: { table: table.name, column: key } },
    );
  }
  return { columns, builtIn, output };
}

/** Names in a bronze file are matched whatever their case, as DuckDB does. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Columns that bronze has and the table does not read. */
export function undeclaredColumns(
  table: TableSpec,
  columns: readonly ColumnSpec[],
  groups: readonly FileGroup[],
): readonly string[] {
  const read = [...columns.map((column) => column.sourceName), ...BRONZE_LINEAGE, table.source.partitionKey ?? ''];
  return bronzeNames(groups).filter((name) => !read.some((known) => sameName(known, name)));
}

function columnsOfBronze(
  table: TableSpec,
  groups: readonly FileGroup[],
  published: readonly ColumnSchema[],
): readonly ColumnSpec[] {
  const ours = [INGESTION_DAY, ...LINEAGE].map((column) => column.name);
  const skipped = [...ours, ...(table.source.landing ? BRONZE_LINEAGE : [])];
  const key = table.source.partitionKey;
  const folder = key === null || key === 'ingest_dt' ? [] : [key];
  const names: string[] = [];
  for (const name of [...published.map((column) => column.name), ...bronzeNames(groups), ...folder]) {
    if (![...skipped, ...names].some((known) => sameName(known, name))) names.push(name);
  }
  return names.map((name) => {
    const known = published.find((column) => column.name === name)?.type ?? null;
    return takenColumn(table, name, known ?? bronzeType(groups, name), known, groups);
  });
}

/** Every column name of the files, in the order they are met. */
export function bronzeNames(groups: readonly FileGroup[]): string[] {
  const names: string[] = [];
  for (const { columns } of groups) {
    for (const { name } of columns) if (!names.some((known) => sameName(known, name))) names.push(name);
  }
  return names;
}

function takenColumn(
  table: TableSpec,
  name: string,
  type: ColumnType,
  known: ColumnType | null,
  groups: readonly FileGroup[],
): ColumnSpec {
  if (known !== null) assertStillFits(table, name, known, groups);
  const isKey = table.primaryKey.includes(name);
  return {
    name,
    type,
    sourceName: name,
    required: isKey,
    clean: 'trim',
    expr: null,
    pii: null,
    description: '',
    missingReason: isKey ? `missing_${name}` : null,
    invalidReason: isKey ? `invalid_${name}` : null,
    format: null,
  };
}

/** One type for all files: the one they share, a number that holds them all, else text. */
function bronzeType(groups: readonly FileGroup[], name: string): ColumnType {
  const types = new Set(
    groups.flatMap(({ columns }) =>
      columns
        .filter((column) => sameName(column.name, name) && !column.isNullTyped)
        .map((column) => columnTypeOf(column.type) ?? 'string'),
    ),
  );
  const [only] = types;
  if (only !== undefined && types.size === 1) return only;
  return types.size > 0 && [...types].every(isNumber) ? 'float64' : 'string';
}

/** A published column keeps its type: text can hold anything, numbers are cast and counted, the rest is for a person to decide. */
function assertStillFits(table: TableSpec, name: string, known: ColumnType, groups: readonly FileGroup[]): void {
  for (const group of groups) {
    const column = group.columns.find((candidate) => sameName(candidate.name, name));
    if (!column || column.isNullTyped || known === 'string') continue;
    const found = columnTypeOf(column.type) ?? 'string';
    if (found === known || (isNumber(found) && isNumber(known))) continue;
    const file = group.files[0]?.key ?? '';
    throw new PipelineError(
      'bronze_schema',
      `bronze ${file}: column “${name}” is ${found} there, but ${known} in what silver.${table.name} has published. ` +
        `Declare the column with the type it shall have in ${table.location.file}, or deliver the file with its old type.`,
      { context: { table: table.name, column: name, file } },
    );
  }
}

function isNumber(type: ColumnType): boolean {
  return type === 'int64' || type === 'float64' || type.startsWith('decimal');
}
