/** A table's spec, its columns and its bronze files -> the SQL that reads, cleans, casts and judges every row. Pure. */
import { PipelineError } from '../../core/errors.ts';
import { isDay, parseHivePartition } from '../../core/partition.ts';
import type { ColumnSpec, SourceLocation, TableSpec } from '../../core/spec.ts';
import { toDuckDbExpression } from '../../engine/dialect.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, identifiers, literal } from '../../engine/sql-text.ts';
import type { FileGroup } from './bronze-files.ts';
import type { BaseSettings } from './logic-fingerprint.ts';
import { originOf, plainColumns, planRows } from './plan-rows.ts';
import { type SilverColumns, sameName } from './silver-columns.ts';

/** Stands between the reasons of one row. */
export const REASON_SEPARATOR = ' | ';
/** Partition value of rows whose partition column was null when they were written. */
const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__';

/** All bronze partitions that are read now, in order; their place in the list is what SQL knows them by. */
export interface BronzePlace {
  readonly partition: string;
  /** Value of the Hive folder; null for an unpartitioned table and for Hive's null. */
  readonly value: string | null;
  /** The value where it says when the rows came in. */
  readonly ingestDay: string | null;
}

export interface BasePlan {
  /**
   * Makes the temporary table `scored`: one row per bronze row with the output columns, and
   * `__file`, `__row` (place), `__key` (hash of the primary key), `__reasons` (null for a valid row), `__duplicate`,
   * `__cast_<n>` for the n-th counted column, and `__disagrees`.
   */
  readonly statements: readonly string[];
  /** Optional columns whose bad casts become null, in the order of `__cast_<n>`. */
  readonly castColumns: readonly string[];
  /** Rows that lack a declared optional column, by column and bronze partition. */
  readonly missing: readonly { readonly column: string; readonly partition: string; readonly rows: number }[];
}

/**
 * Text is trimmed and nulled, then cast; a cast that fails is `invalid`, a null where none may be is `missing`; then come the
 * `expr` columns, the row rules, and the partition column. Reasons stand in the order of columns, then rules.
 *
 * @throws PipelineError `bronze_schema` where a required column is in no file, naming table, file and column
 */
export function planBase(
  table: TableSpec,
  columns: SilverColumns,
  groups: readonly FileGroup[],
  places: readonly BronzePlace[],
  settings: BaseSettings,
): BasePlan {
  const plain = plainColumns(columns);
  const castColumns = plain.filter((column) => column.invalidReason === null && column.type !== 'string');
  const typed = planRows(table, columns, groups, settings);
  return {
    statements: [
      filesTable(groups, places),
      `CREATE TEMP TABLE scored AS\n${judged(table, columns, plain, castColumns, typed)}`,
    ],
    castColumns: castColumns.map((column) => column.name),
    missing: missingColumns(table, plain, groups),
  };
}

function filesTable(groups: readonly FileGroup[], places: readonly BronzePlace[]): string {
  const place = new Map(places.map((candidate, index) => [candidate.partition, { ...candidate, index }]));
  const values = groups.flatMap((group) =>
    group.files.map((file) => {
      const at = place.get(file.partition);
      if (!at) throw new Error(`no place for bronze partition ${file.partition}`);
      return `(${file.index}, ${at.index}, ${literal(at.partition)}, ${text(at.value)}, ${text(at.ingestDay)}, ${literal(file.key)})`;
    }),
  );
  const columns = '(__file INTEGER, __place INTEGER, partition VARCHAR, value VARCHAR, ingest_day DATE, key VARCHAR)';
  const insert = values.length > 0 ? `; INSERT INTO bronze_files VALUES ${values.join(', ')}` : '';
  return `CREATE TEMP TABLE bronze_files ${columns}${insert}`;
}

function judged(
  table: TableSpec,
  columns: SilverColumns,
  plain: readonly ColumnSpec[],
  castColumns: readonly ColumnSpec[],
  typed: string,
): string {
  const isBad = (column: ColumnSpec) => `(__given_${plain.indexOf(column)} AND ${identifier(column.name)} IS NULL)`;
  const key = table.primaryKey.length > 0 ? `hash(${identifiers(table.primaryKey)})` : 'NULL::UBIGINT';
  return `
SELECT ${identifiers(columns.output.map((column) => column.name))}, __file, __row, ${key} AS __key, __disagrees,
  ${list([
    ...castColumns.map((column, n) => `${isBad(column)} AS __cast_${n}`),
    `${reasons(table, columns, plain, isBad)} AS __reasons`,
    'false AS __duplicate',
  ])}
FROM (${withExpressions(table, columns, `(${typed})`)})`;
}

/** `expr` columns see the typed ones, and the `expr` columns above them. */
function withExpressions(table: TableSpec, columns: SilverColumns, from: string): string {
  const computed = columns.columns.filter((column) => column.expr !== null);
  if (computed.length === 0) return `SELECT * FROM ${from}`;
  const list = computed.map(
    (column) =>
      `TRY_CAST((${expression(table, `column “${column.name}”`, table.location, column.expr ?? '', columns)}) AS ${duckDbType(column.type)}) AS ${identifier(column.name)}`,
  );
  return `SELECT *, ${list.join(', ')} FROM ${from}`;
}

/** @throws PipelineError `sql_invalid`, `sql_not_portable`, with the place in the spec */
function expression(
  table: TableSpec,
  what: string,
  { file, line }: SourceLocation,
  googleSql: string,
  columns: SilverColumns,
): string {
  try {
    return toDuckDbExpression(googleSql, {}, columns.output);
  } catch (thrown) {
    if (!(thrown instanceof PipelineError)) throw thrown;
    throw new PipelineError(thrown.code, `silver.${table.name}, ${what} (${file}:${line}): ${thrown.message}`, {
      context: { ...thrown.context, table: table.name },
      cause: thrown,
    });
  }
}

/** SQL for all reasons of a row in their fixed order; null for a valid row. Valid rows cost the conditions only. */
function reasons(
  table: TableSpec,
  columns: SilverColumns,
  plain: readonly ColumnSpec[],
  isBad: (column: ColumnSpec) => string,
): string {
  const conditions = new Map<string, string>();
  const add = (reason: string, condition: string) => {
    const known = conditions.get(reason);
    conditions.set(reason, known === undefined ? `(${condition})` : `${known} OR (${condition})`);
  };
  for (const column of columns.columns) {
    const name = identifier(column.name);
    const missing = column.missingReason ?? (column.required ? `missing_${column.name}` : null);
    const canBeBad = column.expr === null && column.type !== 'string';
    const invalid = canBeBad ? (column.invalidReason ?? missing) : null;
    if (missing !== null) add(missing, canBeBad ? `${name} IS NULL AND NOT ${isBad(column)}` : `${name} IS NULL`);
    if (invalid !== null) add(invalid, isBad(column));
  }
  for (const { reason, when, location } of table.rules) {
    add(reason, `(${expression(table, `rule “${reason}”`, location, when, columns)}) IS TRUE`);
  }

  const fromFile = plain.filter((column) => !sameName(column.sourceName, table.source.partitionKey ?? ''));
  const allNull = fromFile.map((column) => `NOT __given_${plain.indexOf(column)}`).join(' AND ');
  const joined = [...conditions].map(([reason, condition]) => `CASE WHEN ${condition} THEN ${literal(reason)} END`);
  const branches = [
    ...(joined.length > 0
      ? [
          `WHEN ${[...conditions.values()].join(' OR ')} THEN concat_ws(${literal(REASON_SEPARATOR)}, ${joined.join(', ')})`,
        ]
      : []),
    ...(allNull !== '' ? [`WHEN ${allNull} THEN 'all_fields_null'`] : []),
    `WHEN ${identifier(table.partitionKey)} IS NULL THEN ${literal(`missing_${table.partitionKey}`)}`,
  ];
  return `CASE ${branches.join(' ')} END`;
}

function missingColumns(
  table: TableSpec,
  plain: readonly ColumnSpec[],
  groups: readonly FileGroup[],
): BasePlan['missing'] {
  return groups.flatMap((group) =>
    plain
      .filter((column) => originOf(table, column, group).kind === 'absent')
      .flatMap((column) => {
        if (column.required || column.missingReason !== null) throw missingRequired(table, column, group);
        return group.files.map((file) => ({ column: column.name, partition: file.partition, rows: file.rows }));
      }),
  );
}

function missingRequired(table: TableSpec, column: ColumnSpec, group: FileGroup): PipelineError {
  const file = group.files[0]?.key ?? '';
  return new PipelineError(
    'bronze_schema',
    `bronze ${file} has no column “${column.sourceName}”, which silver.${table.name} requires` +
      `${column.sourceName === column.name ? '' : ` as “${column.name}”`}. It has: ${group.columns.map(({ name }) => name).join(', ')}. ` +
      `Deliver the file with the column, or correct its name in ${table.location.file}.`,
    { context: { table: table.name, column: column.sourceName, file } },
  );
}

/** A partition's folder name as the plan needs it: `ingest_dt`, or whatever key selects the run's days, says when its rows came in. */
export function bronzePlace(table: TableSpec, partition: string): BronzePlace {
  const written = parseHivePartition(partition)?.value ?? null;
  const value = written === HIVE_NULL ? null : written;
  const saysWhen = table.source.partitionKey === 'ingest_dt' || table.source.select === 'interval';
  return { partition, value, ingestDay: saysWhen && value !== null && isDay(value) ? value : null };
}

const text = (value: string | null): string => (value === null ? 'NULL' : literal(value));

const list = (parts: readonly string[]): string => parts.join(',\n  ');
