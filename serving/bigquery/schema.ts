/** A table's definition and the table as it stands -> the resource to create, or the smallest change that only adds. Pure. */
import { PipelineError } from '../../core/errors.ts';
import { isDay } from '../../core/partition.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import type { Labels } from './labels.ts';
import type { BigQueryTable, TableField } from './resources.ts';

/** @source BigQuery, "Quotas and limits": descriptions (read 2026-11-21) */
const MAX_COLUMN_DESCRIPTION = 1_024;
const MAX_TABLE_DESCRIPTION = 16_384;
const MAX_CLUSTER_COLUMNS = 4;
const DAY_MS = 86_400_000;

const START_OVER =
  'Give the column another name, or drop the table: the next load makes it anew from what is published.';

/** Partitions of a table in BigQuery: one a day, or none; then rows of a partition are replaced by their value. */
export function isPartitionedByDay(def: WarehouseTableDef): boolean {
  return def.columns.some(({ name, type }) => name === def.partitionKey && type === 'date');
}

const FIRST_PARTITION = '1960-01-01';
const LAST_PARTITION = '2159-12-31';

/**
 * Whether the partition has a decorator, so that a job can replace it by itself. Days that BigQuery has no partition for lie
 * together in `__UNPARTITIONED__`.
 *
 * @source BigQuery, "Introduction to partitioned tables" (read 2026-11-21)
 */
export function hasDecorator(def: WarehouseTableDef, value: string): boolean {
  return isPartitionedByDay(def) && isDay(value) && value >= FIRST_PARTITION && value <= LAST_PARTITION;
}

/** The types of the REST reference, as `tables.get` writes them. */
export function fieldOf(column: WarehouseTableDef['columns'][number], type: string): TableField {
  const { name, description, policyTags } = column;
  return {
    name,
    mode: 'NULLABLE',
    ...typeOf(type),
    ...(description === undefined || description === ''
      ? {}
      : { description: cut(description, MAX_COLUMN_DESCRIPTION) }),
    ...(policyTags === undefined ? {} : { policyTags: { names: policyTags } }),
  };
}

type FieldType = Pick<TableField, 'type' | 'precision' | 'scale'>;

function typeOf(type: string): FieldType {
  switch (type) {
    case 'string':
      return { type: 'STRING' };
    case 'int64':
      return { type: 'INTEGER' };
    case 'float64':
      return { type: 'FLOAT' };
    case 'bool':
      return { type: 'BOOLEAN' };
    case 'date':
      return { type: 'DATE' };
    case 'timestamp':
      return { type: 'TIMESTAMP' };
    default: {
      const [precision = 0, scale = 0] = (type.match(/\d+/g) ?? []).map(Number);
      return { type: decimalType(precision, scale), precision: String(precision), scale: String(scale) };
    }
  }
}

/**
 * NUMERIC holds 29 digits before the point and 9 behind, BIGNUMERIC 38 and 38.
 *
 * @source GoogleSQL, "Parameterized decimal type" (read 2026-11-21)
 */
function decimalType(precision: number, scale: number): 'NUMERIC' | 'BIGNUMERIC' {
  return scale <= 9 && precision - scale <= 29 ? 'NUMERIC' : 'BIGNUMERIC';
}

/** The type in GoogleSQL, for CAST: `NUMERIC(18, 2)`. */
export function googleSqlType(type: string): string {
  const field = typeOf(type);
  const digits = field.precision === undefined ? '' : `(${field.precision}, ${field.scale})`;
  return `${GOOGLE_SQL[field.type] ?? field.type}${digits}`;
}

const GOOGLE_SQL: { readonly [rest: string]: string } = { INTEGER: 'INT64', FLOAT: 'FLOAT64', BOOLEAN: 'BOOL' };
const REST: { readonly [googleSql: string]: string } = { INT64: 'INTEGER', FLOAT64: 'FLOAT', BOOL: 'BOOLEAN' };

/** As the definitions name it: `int64`, `decimal(18,2)`; lower-case BigQuery name for a type that no definition has. */
export function columnTypeOfField(field: Pick<TableField, 'type' | 'mode' | 'precision' | 'scale'>): string {
  const type = REST[field.type] ?? field.type;
  if (field.mode === 'REPEATED') return `array of ${type.toLowerCase()}`;
  if (type === 'NUMERIC' || type === 'BIGNUMERIC') {
    return field.precision === undefined
      ? type.toLowerCase()
      : `decimal(${Number(field.precision)},${Number(field.scale ?? 0)})`;
  }
  const names: { readonly [type: string]: string } = { INTEGER: 'int64', FLOAT: 'float64', BOOLEAN: 'bool' };
  return names[type] ?? type.toLowerCase();
}

/**
 * The table's fields in its own order, then the new ones. What the definition does not say (descriptions, policy tags, columns of
 * others) stays as it is.
 *
 * @throws PipelineError `warehouse_schema` where a type would change
 */
export function mergedFields(def: WarehouseTableDef, live: readonly TableField[]): readonly TableField[] {
  const types = new Map(columnSchemas(def).map(({ name, type }) => [name, type]));
  const wanted = def.columns.map((column) => fieldOf(column, types.get(column.name) ?? column.type));
  const kept = live.map((field) => {
    const want = wanted.find(({ name }) => name.toLowerCase() === field.name.toLowerCase());
    if (!want) return field;
    assertSameType(def, field, want);
    return {
      ...field,
      ...(want.description === undefined ? {} : { description: want.description }),
      ...(want.policyTags === undefined ? {} : { policyTags: want.policyTags }),
    };
  });
  const known = new Set(live.map(({ name }) => name.toLowerCase()));
  return [...kept, ...wanted.filter(({ name }) => !known.has(name.toLowerCase()))];
}

function assertSameType(def: WarehouseTableDef, live: TableField, want: TableField): void {
  const before = columnTypeOfField(live);
  const after = columnTypeOfField(want);
  if (before === after) return;
  throw new PipelineError(
    'warehouse_schema',
    `${displayName(def)}, column ${live.name}: BigQuery has ${before}, the spec says ${after}. Changing it could lose data. ${START_OVER}`,
    { context: { table: displayName(def), column: live.name, expected: after, found: before } },
  );
}

/** @throws PipelineError `warehouse_schema` for columns that cannot be clustered by */
export function tableResource(def: WarehouseTableDef, labels: Labels): object {
  const { options } = def;
  const clusterBy = clusteringOf(def);
  const byDay = isPartitionedByDay(def);
  return {
    schema: { fields: mergedFields(def, []) },
    labels: { ...labels, ...options?.labels },
    ...(def.description === '' ? {} : { description: cut(def.description, MAX_TABLE_DESCRIPTION) }),
    ...(byDay ? { timePartitioning: timePartitioningOf(def) } : {}),
    ...(byDay && options ? { requirePartitionFilter: options.requirePartitionFilter } : {}),
    ...(clusterBy.length === 0 ? {} : { clustering: { fields: clusterBy } }),
  };
}

function timePartitioningOf(def: WarehouseTableDef): object {
  const days = def.options?.partitionExpirationDays ?? null;
  return {
    type: 'DAY',
    field: def.partitionKey,
    ...(days === null ? {} : { expirationMs: String(days * DAY_MS) }),
  };
}

/** A key that is no date leads the clustering: its rows are replaced by value. */
export function clusteringOf(def: WarehouseTableDef): readonly string[] {
  const key = def.partitionKey !== null && !isPartitionedByDay(def) ? [def.partitionKey] : [];
  const columns = [...new Set([...key, ...def.clusterBy])];
  const refuse = (column: string, what: string): PipelineError =>
    new PipelineError(
      'warehouse_schema',
      `${displayName(def)}, cluster_by ${column}: ${what}. Take it out of cluster_by.`,
      { context: { table: displayName(def), column } },
    );
  for (const name of columns) {
    const column = def.columns.find((each) => each.name === name);
    if (!column) throw refuse(name, 'the table has no such column');
    if (column.type === 'float64') throw refuse(name, 'BigQuery does not cluster by FLOAT64');
  }
  const surplus = columns[MAX_CLUSTER_COLUMNS];
  if (surplus !== undefined) throw refuse(surplus, `BigQuery clusters by ${MAX_CLUSTER_COLUMNS} columns at most`);
  return columns;
}

/**
 * What `tables.patch` has to be told; null where nothing. Only labels that the definition or its place in the lake decide are
 * kept up: the run that made the table stays named in it.
 *
 * @throws PipelineError `warehouse_schema` where the change would lose data
 */
export function tableChanges(def: WarehouseTableDef, live: BigQueryTable, steadyLabels: Labels): object | null {
  assertPlainTable(def, live);
  assertSamePartitioning(def, live);
  const before = live.schema?.fields ?? [];
  const fields = mergedFields(def, before);
  const clusterBy = clusteringOf(def);
  const labels = { ...steadyLabels, ...def.options?.labels };
  const description = cut(def.description, MAX_TABLE_DESCRIPTION);
  const { options } = def;
  const expirationMs =
    options?.partitionExpirationDays == null ? undefined : String(options.partitionExpirationDays * DAY_MS);
  const changes = {
    ...(isSame(fields, before) ? {} : { schema: { fields } }),
    ...(description === '' || description === live.description ? {} : { description }),
    ...(Object.entries(labels).every(([key, value]) => live.labels?.[key] === value)
      ? {}
      : { labels: { ...live.labels, ...labels } }),
    ...(clusterBy.length === 0 || isSame(clusterBy, live.clustering?.fields ?? [])
      ? {}
      : { clustering: { fields: clusterBy } }),
    ...(isPartitionedByDay(def) && options && options.requirePartitionFilter !== (live.requirePartitionFilter ?? false)
      ? { requirePartitionFilter: options.requirePartitionFilter }
      : {}),
    ...(isPartitionedByDay(def) && options && expirationMs !== live.timePartitioning?.expirationMs
      ? { timePartitioning: { type: 'DAY', field: def.partitionKey, expirationMs: expirationMs ?? null } }
      : {}),
  };
  return Object.keys(changes).length === 0 ? null : changes;
}

function assertPlainTable(def: WarehouseTableDef, { type = 'TABLE' }: BigQueryTable): void {
  if (type === 'TABLE') return;
  throw new PipelineError(
    'warehouse_schema',
    `${displayName(def)} is no table in BigQuery: something else of that name stands there (${type}). Rename or drop it, or name another dataset in bigquery.dataset; the next load then makes the table.`,
    { context: { table: displayName(def), found: type } },
  );
}

function assertSamePartitioning(def: WarehouseTableDef, live: BigQueryTable): void {
  const { timePartitioning: before, rangePartitioning: range } = live;
  const field = range?.field ?? before?.field ?? (before === undefined ? null : '_PARTITIONTIME');
  const after = isPartitionedByDay(def) ? def.partitionKey : null;
  if (field === after && range === undefined && (before === undefined || before.type === 'DAY')) return;
  const words = (key: string | null, type: string): string =>
    key === null ? 'is not partitioned' : `is partitioned by ${key} (${type})`;
  throw new PipelineError(
    'warehouse_schema',
    `${displayName(def)} ${words(field, range === undefined ? (before?.type ?? 'DAY') : 'range')} in BigQuery, but by the spec it ${words(after, 'DAY')}. ${START_OVER}`,
    { context: { table: displayName(def) } },
  );
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
