/** A table's spec, its columns and its bronze files -> the SQL that reads, cleans, casts and judges every row. Pure. */
import { PipelineError } from '../../core/errors.ts';
import { isDay, parseHivePartition } from '../../core/partition.ts';
import type { ColumnSpec, SourceLocation, TableSpec } from '../../core/spec.ts';
import { toDuckDbExpression } from '../../engine/dialect.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, identifiers, literal } from '../../engine/sql-text.ts';
import { type BronzeColumn, type FileGroup, scanGroup } from './bronze-files.ts';
import { castValue, dayOfInstant, type Reading, readingOf, textOf, withinYears } from './cast-column.ts';
import type { BaseSettings } from './logic-fingerprint.ts';
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
   * `__cast_<n>` for the n-th counted column, and `__disagrees` where asked for.
   */
  readonly statements: readonly string[];
  /** Optional columns whose bad casts become null, in the order of `__cast_<n>`. */
  readonly castColumns: readonly string[];
  /** Does a file state its partition's value too? */
  readonly comparesPartition: boolean;
  /** Rows that lack a declared optional column, by column and bronze partition. */
  readonly missing: readonly { readonly column: string; readonly partition: string; readonly rows: number }[];
}

/** Where a column's values come from in one group of files. */
type Origin =
  | { readonly kind: 'file'; readonly column: BronzeColumn }
  | { readonly kind: 'folder' }
  | { readonly kind: 'absent' };

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
  const plain = columns.columns.filter((column) => column.expr === null);
  const castColumns = plain.filter((column) => column.invalidReason === null && column.type !== 'string');
  const comparesPartition = groups.some((group) => find(group, table.source.partitionKey ?? '') !== undefined);
  const rows = groups.map((group) => planGroup(table, plain, columns, group, settings));
  const typed = rows.length > 0 ? rows.join('\nUNION ALL\n') : emptyRows(plain, columns);
  return {
    statements: [
      filesTable(groups, places),
      `CREATE TEMP TABLE scored AS\n${judged(table, columns, plain, castColumns, typed)}`,
    ],
    castColumns: castColumns.map((column) => column.name),
    comparesPartition,
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

/** One group of files -> typed columns; `__given_<n>` says whether the n-th column held a value at all. */
function planGroup(
  table: TableSpec,
  plain: readonly ColumnSpec[],
  columns: SilverColumns,
  group: FileGroup,
  settings: BaseSettings,
): string {
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

function originOf(table: TableSpec, column: ColumnSpec, group: FileGroup): Origin {
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
  return `CASE WHEN lower(${bare}) IN (${settings.nullValues.map(literal).join(', ')}) THEN NULL ELSE ${value} END`;
}

/** Folder and file may write a day differently (with a time), anything else only in case and padding. */
function disagrees(inFile: string): string {
  const value = `lower(trim(CAST(${inFile} AS VARCHAR)))`;
  return `coalesce(CASE WHEN TRY_CAST(f.value AS DATE) IS NOT NULL
            THEN NOT starts_with(${value}, f.value) ELSE ${value} <> lower(f.value) END, false)`;
}

/** Rows of a table that no file has, so that the later steps need no case for it. */
function emptyRows(plain: readonly ColumnSpec[], columns: SilverColumns): string {
  return `SELECT 0 AS __file, 0::BIGINT AS __row, false AS __disagrees, ${list([
    ...plain.map((column) => `NULL::${duckDbType(column.type)} AS ${identifier(column.name)}`),
    ...plain.map((_column, n) => `false AS __given_${n}`),
    ...columns.builtIn.map(({ name, type }) => `NULL::${duckDbType(type)} AS ${identifier(name)}`),
  ])} WHERE false`;
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
