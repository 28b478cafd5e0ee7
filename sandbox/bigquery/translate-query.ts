/** A GoogleSQL query of a job -> DuckDB SQL over the tables of the catalog, what it reads, and whether it may. */

import { parseQuery } from '../../core/google-sql/parser.ts';
import { tableReferences } from '../../core/google-sql.ts';
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import { BigQueryError } from './bigquery-error.ts';
import { type Catalog, physicalName, type Table, tableText } from './catalog.ts';
import type { Sql } from './database.ts';
import { prunedPartitions, unfilteredTable } from './partition-filter.ts';
import { partitionId } from './partitions.ts';
import { readColumns } from './read-columns.ts';
import { type ComposedSql, faultAt, withPlaces } from './scan-sql.ts';
import { storedBytes } from './stored-bytes.ts';
import type { Field } from './table-schema.ts';

export interface QueryContext {
  readonly script: string;
  readonly project: string;
  readonly defaultDataset: { readonly project: string; readonly dataset: string } | null;
  readonly location: string;
  readonly catalog: Catalog;
}

export interface TranslatedQuery {
  readonly sql: string;
  /** Bytes in the referenced columns of the partitions that constant filters leave. */
  readonly bytes: number;
  readonly tables: readonly Table[];
}

/** The number of a row of the table that a statement changes, as a column of it. */
export const ROW_COLUMN = '_assay_row';

/**
 * @param target the table that a DML statement changes: it has {@link ROW_COLUMN} besides its own columns
 * @throws BigQueryError `notFound` for a table, `invalidQuery` with line and column, also where a partition filter is missing
 */
export async function translateQuery(
  sql: Sql,
  composed: ComposedSql,
  context: QueryContext,
  target: Table | null = null,
): Promise<TranslatedQuery> {
  const { script, catalog } = context;
  const query = withPlaces(script, composed, () => parseQuery(composed.text));
  const tables = await findTables(composed, context);
  const named = (layer: string | null, name: string): Table | null => tables.get(`${layer ?? ''}.${name}`) ?? null;
  const text = withPlaces(script, composed, () =>
    toDuckDbQuery(composed.text, {
      table: (layer, name) => {
        const table = named(layer, name);
        if (!table) return null;
        if (target === null || table.physical !== target.physical) return catalog.relation(table);
        return `(SELECT *, rowid AS ${ROW_COLUMN} FROM ${physicalName(table)})`;
      },
      columns: (layer, name) => {
        const table = named(layer, name);
        const columns = table ? columnsOf(table) : null;
        if (columns === null || table?.physical !== target?.physical) return columns;
        return [...columns, { name: ROW_COLUMN, type: 'int64' }];
      },
      parameters: {},
      knownTables: [...tables.keys()],
    }),
  );
  const unfiltered = unfilteredTable(query, named);
  if (unfiltered)
    throw new BigQueryError(
      'invalidQuery',
      `Cannot query over table '${unfiltered.project}.${unfiltered.dataset}.${unfiltered.table}' without a filter over column(s) ` +
        `'${unfiltered.partitioning?.field}' that can be used for partition elimination`,
      'query',
    );
  const distinct = [...new Map([...tables.values()].map((table) => [table.physical, table])).values()];
  let bytes = 0;
  for (const table of distinct) {
    const columns = readColumns(query, table.fields);
    const pruned = prunedPartitions(query, composed.text, table, named);
    bytes += await bytesOf(sql, catalog, table, columns, pruned);
  }
  return { sql: text, bytes, tables: distinct };
}

async function findTables(composed: ComposedSql, context: QueryContext): Promise<ReadonlyMap<string, Table>> {
  const tables = new Map<string, Table>();
  for (const reference of tableReferences(composed.text)) {
    const at = offsetOf(composed, reference.line, reference.column);
    const dataset = reference.layer ?? context.defaultDataset?.dataset;
    const project = reference.layer === null ? (context.defaultDataset?.project ?? context.project) : context.project;
    if (dataset === undefined)
      throw faultAt(
        context.script,
        at,
        `Table "${reference.table}" must be qualified with a dataset (e.g. dataset.table).`,
      );
    if (/^INFORMATION_SCHEMA$/i.test(dataset) || reference.table.includes('$'))
      throw faultAt(context.script, at, `The sandbox cannot query ${dataset}.${reference.table}`);
    const table = await findTable(context, { project, dataset, table: reference.table });
    tables.set(`${reference.layer ?? ''}.${reference.table}`, table);
  }
  return tables;
}

/** @throws BigQueryError `notFound` also for a table in another location than the job */
export async function findTable(
  context: Pick<QueryContext, 'catalog' | 'location'>,
  name: { readonly project: string; readonly dataset: string; readonly table: string },
): Promise<Table> {
  const dataset = await context.catalog.findDataset(name.project, name.dataset);
  if (!dataset || dataset.location.toUpperCase() !== context.location.toUpperCase())
    throw new BigQueryError(
      'notFound',
      `Not found: Dataset ${name.project}:${name.dataset} was not found in location ${context.location}`,
    );
  const table = await context.catalog.findTable(name);
  if (!table)
    throw new BigQueryError(
      'notFound',
      `Not found: Table ${tableText(name)} was not found in location ${context.location}`,
    );
  return table;
}

function offsetOf(composed: ComposedSql, line: number, column: number): number {
  const lines = composed.text.split('\n').slice(0, line - 1);
  return composed.placeOf(lines.reduce((sum, each) => sum + each.length + 1, 0) + column - 1);
}

async function bytesOf(
  sql: Sql,
  catalog: Catalog,
  table: Table,
  columns: readonly Field[],
  pruned: string | null,
): Promise<number> {
  if (columns.length === 0) return 0;
  let condition: string | null = null;
  if (pruned !== null && table.partitioning) {
    const id = partitionId(table.partitioning);
    // Whole partitions are read, also where the filter wants a part of one.
    condition = `coalesce(${id}, '') IN (SELECT DISTINCT coalesce(${id}, '') FROM ${physicalName(table)} WHERE ${pruned})`;
  }
  const { bytes } = await sql.one(`SELECT ${storedBytes(columns)} AS bytes FROM ${catalog.relation(table, condition)}`);
  return Number(bytes);
}

/** As the translator knows types; null where the table has a column of another type, so that all are left open. */
function columnsOf(table: Table): readonly ColumnSchema[] | null {
  const columns = table.fields.map((field) => ({ name: field.name, type: columnTypeOf(field) }));
  return columns.every((column): column is ColumnSchema => column.type !== null) ? columns : null;
}

function columnTypeOf(field: Field): ColumnType | null {
  if (field.mode === 'REPEATED') return null;
  switch (field.type) {
    case 'STRING':
      return 'string';
    case 'INTEGER':
      return 'int64';
    case 'FLOAT':
      return 'float64';
    case 'BOOLEAN':
      return 'bool';
    case 'DATE':
      return 'date';
    case 'TIMESTAMP':
      return 'timestamp';
    case 'NUMERIC':
    case 'BIGNUMERIC':
      return field.precision === undefined ? 'decimal(38,9)' : `decimal(${field.precision},${field.scale ?? 0})`;
    case 'BYTES':
    case 'DATETIME':
    case 'TIME':
    case 'JSON':
    case 'RECORD':
      return null;
  }
}
