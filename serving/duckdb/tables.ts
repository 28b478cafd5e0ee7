/** A warehouse table's definition -> DuckDB text: names, columns, the rows of some partitions. */
import type { WarehouseTableDef } from '../../core/ports.ts';
import type { ColumnSchema } from '../../core/types.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';

/** What Hive writes where the partition column is null. */
const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';

export function tableName(def: Pick<WarehouseTableDef, 'dataset' | 'table'>): string {
  return `${identifier(def.dataset)}.${identifier(def.table)}`;
}

/** Beside the target: the rows that a build has made and no reader sees. */
export function buildTableName(def: Pick<WarehouseTableDef, 'dataset' | 'table'>): string {
  return `${identifier(def.dataset)}.${identifier(`_build_${def.table}`)}`;
}

/** `"a" BIGINT, "b" DATE` */
export function columnDefinitions(columns: readonly ColumnSchema[]): string {
  return columns.map(({ name, type }) => `${identifier(name)} ${duckDbType(type)}`).join(', ');
}

/** A condition for the rows of these partitions; of a whole-table asset for all rows. */
export function inPartitions(def: WarehouseTableDef, values: readonly string[]): string {
  if (def.partitionKey === null) return values.length > 0 ? 'TRUE' : 'FALSE';
  const key = identifier(def.partitionKey);
  const isDate = def.columns.some(({ name, type }) => name === def.partitionKey && type === 'date');
  const present = values.filter((value) => value !== NULL_PARTITION);
  const list = present.map((value) => (isDate ? `DATE ${literal(value)}` : literal(value))).join(', ');
  const isIn = present.length === 0 ? 'FALSE' : isDate ? `${key} IN (${list})` : `CAST(${key} AS VARCHAR) IN (${list})`;
  return present.length < values.length ? `(${isIn} OR ${key} IS NULL)` : isIn;
}

/** The value by which a row names its partition, as text. */
export function partitionValueOf(key: string): string {
  return `coalesce(CAST(${key} AS VARCHAR), ${literal(NULL_PARTITION)})`;
}
