/** A warehouse table's definition -> its columns with their types, and its name for messages. */
import type { WarehouseTableDef } from '../core/ports.ts';
import type { ColumnSchema, ColumnType } from '../core/types.ts';

/** For messages: `gold.fct_shipping_analysis`. */
export function displayName(def: Pick<WarehouseTableDef, 'dataset' | 'table'>): string {
  return `${def.dataset}.${def.table}`;
}

export function columnSchemas(def: WarehouseTableDef): readonly ColumnSchema[] {
  return def.columns.map(({ name, type }) => ({ name, type: columnType(type, name) }));
}

function columnType(text: string, column: string): ColumnType {
  if (/^(string|int64|float64|bool|date|timestamp|decimal\(\d+,\d+\))$/.test(text)) return text as ColumnType;
  throw new Error(`column ${column} has the type ${text}, which no spec can give it`);
}
