/** What one statement of a script may ask of the script that it stands in, and what it comes to. */
import type { Table, TableName } from './catalog.ts';
import type { Sql } from './database.ts';
import type { JobResult } from './job-record.ts';
import type { ComposedSql, Stretch } from './scan-sql.ts';
import type { WrittenTable } from './sql-statements.ts';
import type { Field } from './table-schema.ts';
import type { QueryContext } from './translate-query.ts';

/** What one statement has come to. */
export interface StatementOutcome {
  readonly type: string;
  readonly bytes: number;
  readonly tablesRead: number;
  readonly result: JobResult | null;
  /** Rows changed by DML; null for other statements. */
  readonly dmlRows: number | null;
  readonly statistics?: object;
}

export interface StatementRun {
  readonly sql: Sql;
  readonly context: QueryContext;
  /** GoogleSQL made of stretches of the script, parameters and projects replaced. */
  composed(parts: readonly (string | Stretch)[]): ComposedSql;
  nameOf(table: WrittenTable): TableName;
  /** The table that a statement changes. */
  target(table: WrittenTable): Promise<Table>;
  /** Marks it changed, and counts it for the transaction's limit. */
  changed(table: Table): Promise<void>;
  /** All of the table's where none are named. */
  columnsNamed(table: Table, names: readonly string[] | null, at: number): readonly Field[];
  /** @throws BigQueryError `bytesBilledLimitExceeded` where reading so much would cost more than the job may */
  spend(bytes: number, tables: number): void;
  /** @source BigQuery, "Multi-statement transactions", limitations: no DDL on permanent tables */
  refuseInTransaction(table: WrittenTable): void;
}

export function referenceOf(name: TableName): object {
  return { projectId: name.project, datasetId: name.dataset, tableId: name.table };
}
