/** Inputs and the files they lie in -> the SQL that reads them: declared columns, declared types, and the day each row counts for. */
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { fileList } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { type DayRange, FIRST_DAY, LAST_DAY, shiftDay } from './day-ranges.ts';
import { type DaySource, dayRule, declaredColumns, type InputDefinition } from './define-transform.ts';

/** Files of one table that are on this machine. */
export interface LocalTable {
  readonly columns: readonly ColumnSchema[];
  readonly paths: readonly string[];
}

/** The inputs of one transform, each with the files of one version of its table; null: the pipeline has no such table. */
export interface LocalInputs {
  readonly definitions: { readonly [input: string]: InputDefinition };
  readonly tables: { readonly [input: string]: LocalTable | null };
}

/** Alias of the day beside the declared columns; no table of ours has a column of that name. */
export const DAY = '__day';

/**
 * Every declared column of the table in its declared type; no rows where there are no files.
 * Files from before the table got a column lack it, maybe all of those asked for: an empty branch of the table's columns makes it null there.
 */
export function relation(input: InputDefinition, table: LocalTable | null): string {
  const columns = Object.entries(declaredColumns(input));
  if (!table || table.paths.length === 0) {
    return `(SELECT ${columns.map(([name, type]) => typedNull(name, type)).join(', ')} WHERE false)`;
  }
  const found = new Map(table.columns.map((column) => [column.name, column.type]));
  const select = columns.map(([name, type]) => {
    const actual = found.get(name);
    return actual === undefined ? typedNull(name, type) : `${castColumn(name, actual, type)} AS ${identifier(name)}`;
  });
  const published = columns.flatMap(([name]) => {
    const actual = found.get(name);
    return actual === undefined ? [] : [typedNull(name, actual)];
  });
  const files = `SELECT * FROM read_parquet(${fileList(table.paths)}, union_by_name = true, hive_partitioning = false)`;
  const empty = published.length > 0 ? ` UNION ALL BY NAME SELECT ${published.join(', ')} WHERE false` : '';
  return `(SELECT ${select.join(', ')} FROM (${files}${empty}))`;
}

/** Rows of an input with their day. A key that a parent has twice takes the earliest day, so no row is ever multiplied. */
export function datedRelation(inputs: LocalInputs, name: string, rows: string): string {
  const sources = dayRule(definitionOf(inputs, name))?.from ?? [];
  const days = sources.map((source, index) =>
    typeof source === 'string' ? `CAST(t.${identifier(source)} AS DATE)` : `p${index}.day`,
  );
  const joins = sources.map((source, index) => parentJoin(inputs, source, `p${index}`));
  return `(SELECT t.*, coalesce(${[...days, 'NULL'].join(', ')}) AS ${DAY} FROM ${rows} t${joins.join('')})`;
}

/** An input as its function gets it: rows whose day lies in the ranges, the computed day among the columns; a lookup whole. */
export function frameQuery(inputs: LocalInputs, name: string, ranges: readonly DayRange[]): string {
  const definition = definitionOf(inputs, name);
  const rule = dayRule(definition);
  const rows = relation(definition, inputs.tables[name] ?? null);
  if (!rule) return `SELECT * FROM ${rows}`;
  const isOwnColumn = rule.as in declaredColumns(definition);
  const columns = isOwnColumn ? `* EXCLUDE (${DAY})` : `* EXCLUDE (${DAY}), ${DAY} AS ${identifier(rule.as)}`;
  return `SELECT ${columns} FROM ${datedRelation(inputs, name, nearRows(definition, rule.from, rows, ranges))} WHERE ${withinDays(DAY, ranges)}`;
}

/** A condition on a date column; null is never within. */
export function withinDays(column: string, ranges: readonly DayRange[]): string {
  const terms = ranges.map(
    ({ from, to }) => `${identifier(column)} BETWEEN DATE ${literal(from)} AND DATE ${literal(to)}`,
  );
  return terms.length === 0 ? 'false' : `(${terms.join(' OR ')})`;
}

function definitionOf(inputs: LocalInputs, name: string): InputDefinition {
  const definition = inputs.definitions[name];
  if (!definition) throw new Error(`no input ${name}`);
  return definition;
}

function parentJoin(inputs: LocalInputs, source: DaySource, alias: string): string {
  if (typeof source === 'string') return '';
  const rows = relation(definitionOf(inputs, source.input), inputs.tables[source.input] ?? null);
  const key = identifier(source.key);
  return ` LEFT JOIN (SELECT ${key} AS key, min(CAST(${identifier(source.column)} AS DATE)) AS day FROM ${rows} GROUP BY 1) ${alias} ON t.${key} = ${alias}.key`;
}

/** A coarse condition on the column that gives the day, by which the reader skips whole files; only where no other source could. */
function nearRows(
  definition: InputDefinition,
  from: readonly DaySource[],
  rows: string,
  ranges: readonly DayRange[],
): string {
  const [source, ...others] = from;
  const [first] = ranges;
  const last = ranges.at(-1);
  if (typeof source !== 'string' || others.length > 0 || !first || !last) return rows;
  const type = declaredColumns(definition)[source];
  const column = identifier(source);
  const bounds = [
    first.from === FIRST_DAY ? [] : [`${column} >= ${startOf(first.from, type)}`],
    last.to === LAST_DAY ? [] : [`${column} < ${startOf(shiftDay(last.to, 1), type)}`],
  ].flat();
  return bounds.length === 0 ? rows : `(SELECT * FROM ${rows} WHERE ${bounds.join(' AND ')})`;
}

const startOf = (day: string, type: ColumnType | undefined): string =>
  type === 'timestamp' ? `TIMESTAMPTZ ${literal(`${day} 00:00:00+00`)}` : `DATE ${literal(day)}`;

const typedNull = (name: string, type: ColumnType): string =>
  `CAST(NULL AS ${duckDbType(type)}) AS ${identifier(name)}`;

/** Silver of a table without declared columns has bronze's types: text that holds an instant, floats that hold money. */
function castColumn(name: string, from: ColumnType, to: ColumnType): string {
  const column = identifier(name);
  if (from === to) return column;
  // By way of an instant: a plain cast to DATE refuses text with a time, and one to TIMESTAMP drops its offset.
  if (from === 'string' && to === 'date') return `CAST(CAST(${column} AS TIMESTAMPTZ) AS DATE)`;
  return `CAST(${column} AS ${duckDbType(to)})`;
}
