/** Base silver: keys, columns, foreign keys, rules and checks of every table. */
import type { ForeignKeySpec, TableSpec } from '../core/spec.ts';
import type { ColumnType } from '../core/types.ts';
import { checkChecks } from './check-checks.ts';
import { type CheckContext, IMPLICIT_COLUMNS, RESERVED_COLUMN, reportMissing, valueAt } from './check-context.ts';
import { checkExpression } from './check-expressions.ts';
import { checkName, checkNames, columnsOfTable, reportCycle, reportUnknownTable } from './check-names.ts';
import { checkWarehouse } from './check-warehouse.ts';
import { findCycle } from './graph.ts';
import { namesOf } from './layer-tables.ts';
import type { TreePath } from './yaml-tree.ts';

export function checkTables(context: CheckContext): void {
  for (const [index, table] of context.spec.tables.entries()) {
    checkTable(context, table, ['base_silver', 'tables', index]);
  }
  checkForeignKeyCycles(context);
}

function checkTable(context: CheckContext, table: TableSpec, path: TreePath): void {
  const what = `table ${table.name}`;
  const raw = context.raw.base_silver?.tables?.[Number(path.at(-1))];
  if (table.primaryKey.length === 0) reportMissing(context, path, what, 'primary_key', '[<column>]');
  if (raw?.source?.landing && raw.source.landing.path === undefined) {
    reportMissing(context, [...path, 'source', 'landing'], `the landing of ${table.name}`, 'path', 'orders.csv');
  }
  if (table.columns.length === 0) {
    context.log.info({
      code: 'columns_from_bronze',
      at: valueAt(context, path),
      message: `the columns of ${table.name} are taken from bronze, as they lie there`,
      expected: 'columns: […], to cast, clean and check them',
    });
  }
  const columns = columnsOfTable(context, table.name);
  checkNames(context, [...path, 'primary_key'], table.primaryKey, columns, what);
  checkNames(context, [...path, 'identity'], table.identity, columns, what);
  checkNames(context, [...path, 'order_by'], raw?.order_by ?? [], columns, what);
  if (raw?.partition_key !== undefined) {
    checkName(context, [...path, 'partition_key'], table.partitionKey, columns, what);
  }
  checkColumns(context, table, path);
  for (const [index, foreignKey] of table.foreignKeys.entries()) {
    checkForeignKey(context, table, foreignKey, [...path, 'foreign_keys', index]);
  }
  const scope = { columns, of: what, params: context.spec.params, hasWindow: false };
  for (const [index, rule] of table.rules.entries()) {
    if (rule.when === '') reportMissing(context, [...path, 'rules', index], `rule ${rule.reason}`, 'when', 'total < 0');
    checkExpression(context, [...path, 'rules', index, 'when'], scope);
  }
  checkChecks(context, table.checks, path, columns, what, context.spec.params);
  checkWarehouse(context, path, {
    what,
    raw: raw?.warehouse,
    columns: columns === null ? null : columns.map((name) => ({ name, type: typeOf(table, name) })),
    partitionKey: table.partitionKey,
    hasOwnClusterBy: false,
  });
}

function checkColumns(context: CheckContext, table: TableSpec, path: TreePath): void {
  const readable = [...IMPLICIT_COLUMNS, ...table.columns.filter(({ expr }) => expr === null).map(({ name }) => name)];
  for (const [index, column] of table.columns.entries()) {
    if (column.name.toLowerCase() === RESERVED_COLUMN) {
      context.log.error({
        code: 'reserved_name',
        at: valueAt(context, [...path, 'columns', index, 'name']),
        message: `every silver table has a column ${RESERVED_COLUMN} of its own`,
        expected: 'another name',
        hint: `{name: my_partition, source: ${column.sourceName}} reads a column of that name`,
      });
    }
    if (column.expr === null) continue;
    const of = `what ${table.name}.${column.name} is computed from`;
    checkExpression(context, [...path, 'columns', index, 'expr'], {
      columns: [...readable],
      of,
      params: context.spec.params,
      hasWindow: false,
    });
    // A computed column sees those computed above it.
    readable.push(column.name);
  }
}

function checkForeignKey(context: CheckContext, table: TableSpec, foreignKey: ForeignKeySpec, path: TreePath): void {
  const what = `foreign key ${foreignKey.column}`;
  checkName(
    context,
    [...path, 'column'],
    foreignKey.column,
    columnsOfTable(context, table.name),
    `table ${table.name}`,
  );
  const { references } = foreignKey;
  if (references.table === '') {
    reportMissing(context, path, what, 'references', '<table>.<column>');
    return;
  }
  const parent = context.spec.tables.find((candidate) => candidate.name === references.table);
  if (!parent) {
    reportUnknownTable(
      context,
      [...path, 'references'],
      references.table,
      namesOf(context.spec, 'silver'),
      'base_silver',
    );
    return;
  }
  const parentColumns = columnsOfTable(context, parent.name);
  if (!checkName(context, [...path, 'references'], references.column, parentColumns, `table ${parent.name}`)) return;
  if (parent.primaryKey.join() !== references.column) {
    context.log.warning({
      code: 'not_a_key',
      at: valueAt(context, [...path, 'references']),
      message: `${references.column} is not the primary key of ${parent.name}`,
      expected: `${parent.name}.${parent.primaryKey.join(', ')}`,
    });
  }
  const [ownType, parentType] = [typeOf(table, foreignKey.column), typeOf(parent, references.column)];
  if (ownType && parentType && ownType !== parentType) {
    context.log.error({
      code: 'type_mismatch',
      at: valueAt(context, [...path, 'references']),
      message: `${table.name}.${foreignKey.column} is ${ownType}, but ${parent.name}.${references.column} is ${parentType}`,
      expected: 'one type on both sides',
    });
  }
}

function checkForeignKeyCycles(context: CheckContext): void {
  const { tables } = context.spec;
  const parents = (table: TableSpec) =>
    table.foreignKeys.map((foreignKey) => foreignKey.references.table).filter((parent) => parent !== table.name);
  const cycle = findCycle(new Map(tables.map((table) => [table.name, parents(table)])));
  if (!cycle) return;
  const index = tables.findIndex((table) => table.name === cycle[0]);
  const edge = tables[index]?.foreignKeys.findIndex((foreignKey) => foreignKey.references.table === cycle[1]) ?? 0;
  reportCycle(context, ['base_silver', 'tables', index, 'foreign_keys', edge, 'references'], 'the foreign keys', cycle);
}

function typeOf(table: TableSpec, name: string): ColumnType | undefined {
  return table.columns.find((column) => column.name.toLowerCase() === name.toLowerCase())?.type;
}
