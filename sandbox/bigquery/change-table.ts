/** DELETE, TRUNCATE TABLE and DROP TABLE -> the table without those rows, or gone. */
import { BigQueryError } from './bigquery-error.ts';
import { physicalName, tableText } from './catalog.ts';
import { checkLocation } from './job-context.ts';
import type { Statement } from './sql-statements.ts';
import { referenceOf, type StatementOutcome, type StatementRun } from './statement-run.ts';
import { ROW_COLUMN, translateQuery } from './translate-query.ts';

export async function runDelete(
  run: StatementRun,
  statement: Extract<Statement, { kind: 'delete' }>,
): Promise<StatementOutcome> {
  const table = await run.target(statement.table);
  const composed = run.composed([
    `SELECT \`${ROW_COLUMN}\` FROM `,
    statement.table.withAlias,
    ' WHERE ',
    statement.where,
  ]);
  const { sql, bytes, tables } = await translateQuery(run.sql, composed, run.context, table);
  run.spend(bytes, tables.length);
  const { rows } = await run.sql.one(`SELECT count(*) AS rows FROM (${sql})`);
  await run.sql.run(`DELETE FROM ${physicalName(table)} WHERE rowid IN (${sql})`);
  await run.changed(table);
  return { type: 'DELETE', bytes, tablesRead: tables.length, result: null, dmlRows: Number(rows) };
}

export async function runTruncate(
  run: StatementRun,
  statement: Extract<Statement, { kind: 'truncate' }>,
): Promise<StatementOutcome> {
  const table = await run.target(statement.table);
  const { rows } = await run.sql.one(`SELECT count(*) AS rows FROM ${run.context.catalog.relation(table)}`);
  await run.sql.run(`DELETE FROM ${physicalName(table)}`);
  await run.changed(table);
  return { type: 'TRUNCATE_TABLE', bytes: 0, tablesRead: 0, result: null, dmlRows: Number(rows) };
}

export async function runDrop(
  run: StatementRun,
  statement: Extract<Statement, { kind: 'drop' }>,
): Promise<StatementOutcome> {
  run.refuseInTransaction(statement.table);
  const name = run.nameOf(statement.table);
  const done = { type: 'DROP_TABLE', bytes: 0, tablesRead: 0, result: null, dmlRows: null };
  const ddl = { ddlTargetTable: referenceOf(name) };
  await checkLocation(run.context.catalog, run.context.location, name);
  if (!(await run.context.catalog.findTable(name))) {
    if (!statement.ifExists) throw new BigQueryError('notFound', `Not found: Table ${tableText(name)}`);
    return { ...done, statistics: { ...ddl, ddlOperationPerformed: 'SKIP' } };
  }
  await run.context.catalog.dropTable(name);
  return { ...done, statistics: { ...ddl, ddlOperationPerformed: 'DROP' } };
}
