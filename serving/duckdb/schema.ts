/** A table's definition and what stands in the file -> the table made, or columns added; never dropped, never narrowed. */
import { PipelineError } from '../../core/errors.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import type { ColumnSchema } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { columnTypeOf, duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import { forgetLoads, partitionKeyOf, rememberTable } from './ledger.ts';
import { columnDefinitions, tableName } from './tables.ts';

const START_OVER =
  'Give the column another name, or move the warehouse file away: the next run builds it anew from the published tables.';

/** Columns of a table as they stand; null where there is no such table. */
export async function existingColumns(
  session: DuckDbSession,
  name: Pick<WarehouseTableDef, 'dataset' | 'table'>,
): Promise<readonly ColumnSchema[] | null> {
  const rows = await session.rows(
    `SELECT column_name, data_type FROM duckdb_columns()
     WHERE database_name = current_database() AND schema_name = ${literal(name.dataset)} AND table_name = ${literal(name.table)}
     ORDER BY column_index`,
  );
  if (rows.length === 0) return null;
  return rows.map((row) => ({ name: String(row.column_name), type: columnTypeOf(String(row.data_type)) ?? 'string' }));
}

/**
 * To be called inside of a transaction.
 *
 * @throws PipelineError `warehouse_schema` where the change would lose data
 */
export async function createOrWiden(session: DuckDbSession, def: WarehouseTableDef): Promise<void> {
  const existing = await existingColumns(session, def);
  if (existing === null) {
    await session.run(`CREATE SCHEMA IF NOT EXISTS ${identifier(def.dataset)}`);
    await session.run(`CREATE TABLE ${tableName(def)} (${columnDefinitions(columnSchemas(def))})`);
    await forgetLoads(session, def, 'all');
    await rememberTable(session, def, def.partitionKey);
    return;
  }
  assertSamePartitioning(def, await partitionKeyOf(session, def));
  for (const { name, type } of columnSchemas(def)) {
    const before = existing.find((column) => column.name.toLowerCase() === name.toLowerCase());
    if (!before) await session.run(`ALTER TABLE ${tableName(def)} ADD COLUMN ${identifier(name)} ${duckDbType(type)}`);
    else if (before.type !== type) throw changedType(def, name, before.type, type);
  }
}

function assertSamePartitioning(def: WarehouseTableDef, before: string | null | undefined): void {
  if (before === undefined || before === def.partitionKey) return;
  const words = (key: string | null): string => (key === null ? 'is not partitioned' : `is partitioned by ${key}`);
  throw new PipelineError(
    'warehouse_schema',
    `${displayName(def)} ${words(before)} in the warehouse, but by the spec it ${words(def.partitionKey)}. ${START_OVER}`,
    { context: { table: displayName(def) } },
  );
}

function changedType(def: WarehouseTableDef, column: string, before: string, after: string): PipelineError {
  return new PipelineError(
    'warehouse_schema',
    `${displayName(def)}, column ${column}: the warehouse has ${before}, the spec says ${after}. Changing it could lose data. ${START_OVER}`,
    { context: { table: displayName(def), column, expected: after, found: before } },
  );
}
