/** The warehouse options of one table -> whether a cloud warehouse can keep the table so. */
import type { ColumnType } from '../core/types.ts';
import { type CheckContext, keyAt, valueAt } from './check-context.ts';
import { checkNames } from './check-names.ts';
import type { RawWarehouse } from './spec-schema.ts';
import type { TreePath } from './yaml-tree.ts';

export interface WarehouseScope {
  readonly what: string;
  readonly raw: RawWarehouse | undefined;
  /** Null where only code knows them. */
  readonly columns: readonly { readonly name: string; readonly type: ColumnType | undefined }[] | null;
  readonly partitionKey: string | null;
  /** Does the table also say `cluster_by` outside of `warehouse`? */
  readonly hasOwnClusterBy: boolean;
}

/** @source BigQuery, "Requirements for labels" and "Introduction to clustered tables", read 2025-11 */
const MAX_LABELS = 64;
const LABEL_KEY = /^[a-z][a-z0-9_-]{0,62}$/;
const LABEL_VALUE = /^[a-z0-9_-]{0,63}$/;

/** `path` leads to the table. */
export function checkWarehouse(context: CheckContext, path: TreePath, scope: WarehouseScope): void {
  const { raw, what, columns } = scope;
  if (raw === undefined) return;
  const at = [...path, 'warehouse'];
  checkNames(context, [...at, 'cluster_by'], raw.cluster_by ?? [], columns?.map(({ name }) => name) ?? null, what);
  checkClusterTypes(context, [...at, 'cluster_by'], raw.cluster_by, columns ?? []);
  if (scope.hasOwnClusterBy && raw.cluster_by !== undefined) {
    context.log.error({
      code: 'duplicate_key',
      at: keyAt(context, [...at, 'cluster_by']),
      message: `${what} says cluster_by twice`,
      expected: 'one of cluster_by and warehouse: {cluster_by: …}',
    });
  }
  checkLabels(context, [...at, 'labels'], raw.labels ?? {});
  if (scope.partitionKey !== null) return;
  for (const key of ['require_partition_filter', 'partition_expiration_days'] as const) {
    if (raw[key] === undefined || raw[key] === false) continue;
    context.log.error({
      code: 'bad_warehouse',
      at: keyAt(context, [...at, key]),
      message: `${what} has no partitions, so ${key} has no meaning`,
      expected: 'a table with partition_key',
    });
  }
}

/** Floating-point columns order no rows, and a column sorts once. */
export function checkClusterTypes(
  context: CheckContext,
  path: TreePath,
  names: readonly string[] | undefined,
  columns: readonly { readonly name: string; readonly type: ColumnType | undefined }[],
): void {
  for (const [index, name] of (names ?? []).entries()) {
    const same = (other: string): boolean => other.toLowerCase() === name.toLowerCase();
    if (columns.find((column) => same(column.name))?.type === 'float64') {
      context.log.error({
        code: 'bad_warehouse',
        at: valueAt(context, [...path, index]),
        message: `${name} is float64, which no table is clustered by`,
        expected: 'a column of another type',
      });
    }
    if ((names ?? []).findIndex(same) < index) {
      context.log.error({
        code: 'bad_warehouse',
        at: valueAt(context, [...path, index]),
        message: `${name} is named twice`,
        expected: 'each column once',
      });
    }
  }
}

function checkLabels(context: CheckContext, path: TreePath, labels: { readonly [key: string]: string }): void {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) {
    context.log.error({
      code: 'bad_warehouse',
      at: keyAt(context, path),
      message: `${entries.length} labels are too many`,
      expected: `at most ${MAX_LABELS}`,
    });
  }
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) {
      context.log.error({
        code: 'bad_warehouse',
        at: keyAt(context, [...path, key]),
        message: `"${key}" is no key of a label`,
        expected: 'a lower-case letter, then at most 62 lower-case letters, digits, "_" and "-"',
        hint: LABEL_KEY.test(key.toLowerCase()) ? `write ${key.toLowerCase()}` : null,
      });
    }
    if (!LABEL_VALUE.test(value)) {
      context.log.error({
        code: 'bad_warehouse',
        at: valueAt(context, [...path, key]),
        message: `"${value}" is no value of a label`,
        expected: 'at most 63 lower-case letters, digits, "_" and "-"',
        hint: LABEL_VALUE.test(value.toLowerCase()) ? `write ${value.toLowerCase()}` : null,
      });
    }
  }
}
