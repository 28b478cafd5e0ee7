/** A resolved spec and its tree -> every fault that the shape alone does not show: what refers to what, and what is missing. */
import { didYouMean } from '../core/did-you-mean.ts';
import type { DimSpec, MartSpec } from '../core/spec.ts';
import { checkChecks } from './check-checks.ts';
import { type CheckContext, keyAt, reportMissing } from './check-context.ts';
import { checkDags } from './check-dags.ts';
import { checkExpression, checkQuery } from './check-expressions.ts';
import { checkMetrics } from './check-metrics.ts';
import { checkName, checkNames, columnsOfTable, reportUnknownTable } from './check-names.ts';
import { checkTables } from './check-tables.ts';
import { checkTransforms } from './check-transforms.ts';
import { checkClusterTypes, checkWarehouse } from './check-warehouse.ts';
import { meant } from './issue-log.ts';
import { namesOf } from './layer-tables.ts';
import { isTimezone, reportTimezone } from './timezones.ts';
import type { TreePath } from './yaml-tree.ts';

export function checkSpec(context: CheckContext): void {
  const { spec } = context;
  if (!isTimezone(spec.timezone)) reportTimezone(context, ['defaults', 'timezone'], spec.timezone);
  checkTables(context);
  for (const [index, dim] of spec.dims.entries()) checkDim(context, dim, ['dims', index]);
  checkTransforms(context);
  for (const [index, mart] of spec.marts.entries()) checkMart(context, mart, ['gold', 'marts', index]);
  checkDags(context);
}

function checkDim(context: CheckContext, dim: DimSpec, path: TreePath): void {
  const what = `table ${dim.name}`;
  if (!context.spec.tables.some((table) => table.name === dim.name)) {
    reportUnknownTable(context, [...path, 'name'], dim.name, namesOf(context.spec, 'silver'), 'base_silver');
    return;
  }
  const columns = columnsOfTable(context, dim.name);
  checkNames(context, [...path, 'primary_key'], dim.primaryKey, columns, what);
  checkExpression(context, [...path, 'where'], { columns, of: what, params: context.spec.params, hasWindow: true });
  const ownColumns = columns && [...columns, dim.snapshotPartitionKey];
  checkChecks(context, dim.checks, path, ownColumns, what, context.spec.params);
}

function checkMart(context: CheckContext, mart: MartSpec, path: TreePath): void {
  const raw = context.raw.gold?.marts?.[Number(path.at(-1))];
  if (!raw) return;
  const what = `mart ${mart.name}`;
  if (mart.sql === '') reportMissing(context, path, what, 'query', 'SELECT … below the header');
  if (mart.columns.length === 0) reportMissing(context, path, what, 'columns', '[{name: …, type: …}]');
  if (raw.grain === undefined) reportMissing(context, path, what, 'grain', '[<column>]');
  for (const [position, column] of (raw.columns ?? []).entries()) {
    if (column.type === undefined) {
      reportMissing(context, [...path, 'columns', position], `column ${column.name} of ${mart.name}`, 'type', 'string');
    }
  }
  const columns = mart.columns.length === 0 ? null : mart.columns.map((column) => column.name);
  checkNames(context, [...path, 'grain'], mart.grain, columns, what);
  checkNames(context, [...path, 'cluster_by'], raw.cluster_by ?? [], columns, what);
  if (mart.partitionKey !== null) checkName(context, [...path, 'partition_key'], mart.partitionKey, columns, what);
  if (mart.sql !== '') checkQuery(context, [...path, 'sql']);
  const inputs = mart.inputs.map(({ layer, table }) => `${layer}.${table}`);
  for (const key of Object.keys(raw.reads ?? {})) {
    if (inputs.includes(key) || inputs.some((input) => input.endsWith(`.${key}`))) continue;
    context.log.error({
      code: 'unknown_table',
      at: keyAt(context, [...path, 'reads', key]),
      message: `${mart.name} does not read ${key}`,
      expected: `one of ${inputs.join(', ')}`,
      hint: meant(didYouMean(key, inputs)),
    });
  }
  checkChecks(context, mart.checks, path, columns, what, context.spec.params);
  checkWarehouse(context, path, {
    what,
    raw: raw.warehouse,
    columns: mart.columns.length === 0 ? null : mart.columns,
    partitionKey: mart.partitionKey,
    hasOwnClusterBy: raw.cluster_by !== undefined,
  });
  checkClusterTypes(context, [...path, 'cluster_by'], raw.cluster_by, mart.columns);
  checkMetrics(context, mart, raw.metrics, path);
}
