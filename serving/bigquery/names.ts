/** Names and values -> GoogleSQL text: quoted tables and columns, the rows of some partitions, decorators. Pure. */
import type { WarehouseTableDef } from '../../core/ports.ts';
import type { TableRef } from './resources.ts';
import { isPartitionedByDay } from './schema.ts';

/** What Hive writes where the partition column is null. */
export const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';

export function quoted(name: string): string {
  return `\`${name.replace(/[`\\]/g, (character) => `\\${character}`)}\``;
}

/** Each part by itself: the table's name then is its alias, as in the unqualified text. */
export function quotedTable({ projectId, datasetId, tableId }: TableRef): string {
  return [projectId, datasetId, tableId].map(quoted).join('.');
}

export function text(value: string): string {
  return `'${value.replace(/[\\']/g, (character) => `\\${character}`).replaceAll('\n', '\\n')}'`;
}

/** `sales$20250101` */
export function partitionRef(table: TableRef, day: string): TableRef {
  return { ...table, tableId: `${table.tableId}$${day.replaceAll('-', '')}` };
}

/** The value by which a row names its partition, as text. */
export function partitionValueOf(key: string): string {
  return `IFNULL(CAST(${quoted(key)} AS STRING), ${text(NULL_PARTITION)})`;
}

/** A condition of constants alone, so that it prunes and satisfies a required partition filter. */
export function inPartitions(def: WarehouseTableDef, values: readonly string[]): string {
  const key = def.partitionKey;
  if (key === null) return values.length > 0 ? 'TRUE' : 'FALSE';
  const present = values.filter((value) => value !== NULL_PARTITION);
  const list = present.map((value) => (isPartitionedByDay(def) ? `DATE ${text(value)}` : text(value))).join(', ');
  const column = isPartitionedByDay(def) ? quoted(key) : `CAST(${quoted(key)} AS STRING)`;
  const isIn = present.length === 0 ? 'FALSE' : `${column} IN (${list})`;
  return present.length < values.length ? `(${isIn} OR ${quoted(key)} IS NULL)` : isIn;
}
