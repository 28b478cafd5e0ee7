/** A foreign key -> the check that rows have their parent in the silver table of that name, as it will be seen after publishing. */
import type { ForeignKeySpec } from '../../core/spec.ts';
import type { ColumnSchema, StagedTable } from '../../core/types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { count, limitPercent, percent } from '../figures.ts';
import { NONE_FAILS } from '../limits.ts';
import type { Measurement } from '../measured-result.ts';
import type { ScanCheck } from '../run-checks.ts';
import { placesOf } from './reason-places.ts';
import { rowCheck, type Subject } from './row-check.ts';

export interface ForeignKeyParent {
  /** FROM text over the parent's visible rows. */
  readonly relation: string;
  readonly columns: readonly ColumnSchema[];
  readonly hasRows: boolean;
}

/**
 * Rows without a value, and exempt ones, need no parent. Orphans that the build already took out (strict keys) count as they
 * came in, so that the observed share is the same whether orphans were quarantined or kept.
 */
export function foreignKeyCheck(
  subject: Subject,
  key: ForeignKeySpec,
  staged: StagedTable,
  parent: ForeignKeyParent,
): ScanCheck {
  const removed = staged.account.byReason[key.reason] ?? 0;
  const { table, column } = key.references;
  const value = `t.${identifier(key.column)}`;
  const parentColumn = parent.columns.find((known) => known.name === column);
  const own = subject.columns.find((known) => known.name === key.column);
  const asText = own?.type !== parentColumn?.type;
  const found = identifier(`assay parent ${key.id}`);
  const match = identifier(`assay key ${key.id}`);
  const parentValue = asText ? `CAST(t.${identifier(column)} AS VARCHAR)` : `t.${identifier(column)}`;
  const needsParent = [
    `${value} IS NOT NULL`,
    ...(key.exempt === null ? [] : [`CAST(${value} AS VARCHAR) NOT LIKE ${literal(key.exempt)}`]),
  ].join(' AND ');
  const join = `LEFT JOIN (SELECT DISTINCT ${parentValue} AS ${match} FROM ${parent.relation}) AS ${found} ON ${asText ? `CAST(${value} AS VARCHAR)` : value} = ${match}`;
  return rowCheck(subject, {
    id: foreignKeyId(key),
    description: `Every \`${subject.table}.${key.column}\` is found as \`${table}.${column}\`${
      key.exempt === null ? '' : `; \`${key.exempt}\` needs no parent`
    }.`,
    offends: `(${needsParent} AND ${match} IS NULL)`,
    concerns: `(${needsParent})`,
    joins: [join],
    limits: NONE_FAILS,
    expected: `≥ ${limitPercent(key.minIntegrity)}`,
    columns: [key.column],
    judge: (orphans, total) => judge(key, orphans, total, removed, parent.hasRows, staged),
  });
}

/** `fk_order`; ids that do not say so themselves get the prefix. */
export function foreignKeyId(key: ForeignKeySpec): string {
  return key.id.startsWith('fk_') ? key.id : `fk_${key.id}`;
}

function judge(
  key: ForeignKeySpec,
  kept: number,
  keptTotal: number,
  removed: number,
  parentHasRows: boolean,
  staged: StagedTable,
): Measurement {
  const orphans = kept + removed;
  const total = keptTotal + removed;
  if (total === 0) return { state: 'NOT EVALUATED', observed: '', note: 'There is no row that needs a parent.' };
  const integrity = (total - orphans) / total;
  const notes = [
    ...(parentHasRows ? [] : [`silver.${key.references.table} holds no row.`]),
    ...(removed > 0 ? [`${count(removed)} quarantined as ${key.reason}${placesOf(key.reason, staged)}.`] : []),
  ];
  return {
    state: integrity < key.minIntegrity ? 'FAIL' : 'PASS',
    observed: percent(integrity),
    failedRows: orphans,
    totalRows: total,
    note: notes.join(' '),
  };
}
