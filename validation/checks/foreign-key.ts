/** A foreign key -> the check that rows have their parent in the silver table of that name, as it will be seen after publishing. */
import { parseHivePartition } from '../../core/partition.ts';
import type { ForeignKeySpec } from '../../core/spec.ts';
import type { ColumnSchema, PartitionSpread, StagedTable } from '../../core/types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { count, limitPercent, percent } from '../figures.ts';
import { NONE_FAILS } from '../limits.ts';
import type { Measurement } from '../measured-result.ts';
import { partitionSpread } from '../partition-spread.ts';
import type { ScanCheck, SpreadQuery } from '../run-checks.ts';
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
  const offends = `(${needsParent} AND ${match} IS NULL)`;
  const check = rowCheck(subject, {
    id: foreignKeyId(key),
    description: `Every \`${subject.table}.${key.column}\` is found as \`${table}.${column}\`${
      key.exempt === null ? '' : `; \`${key.exempt}\` needs no parent`
    }.`,
    offends,
    concerns: `(${needsParent})`,
    joins: [join],
    limits: NONE_FAILS,
    expected: `≥ ${limitPercent(key.minIntegrity)}`,
    columns: [key.column],
    judge: (orphans, total) => judge(key, orphans, total, removed, parent.hasRows, staged),
  });
  const spread = spreadOfKept(subject, [subject.touched, join].join(' '), offends, needsParent);
  return spread === null ? check : { ...check, spread };
}

/** Orphans that were kept lie in the table itself; null for a table in one piece. */
function spreadOfKept(subject: Subject, from: string, offends: string, needsParent: string): SpreadQuery | null {
  const { partitionKey } = subject;
  if (partitionKey === null || !subject.columns.some(({ name }) => name === partitionKey)) return null;
  const value = `coalesce(CAST(t.${identifier(partitionKey)} AS VARCHAR), '∅')`;
  return {
    key: partitionKey,
    of: 'rows that need a parent',
    sql: `SELECT ${value} AS "partition", count_if(${offends}) AS failed, count_if(${needsParent}) AS "rows" FROM ${from} GROUP BY 1 ORDER BY 1`,
  };
}

/** Orphans that the build took out are known by the bronze partition that they came in; beside them, all rows that it judged. */
function spreadOfRemoved(reason: string, { inputs }: StagedTable): readonly PartitionSpread[] {
  const counts = Object.entries(inputs).flatMap(([input, { account }]) => {
    const partition = parseHivePartition(input);
    const rows = account.output + account.quarantined;
    return partition === null ? [] : [{ ...partition, failed: account.byReason[reason] ?? 0, rows }];
  });
  const key = counts[0]?.key ?? '';
  return partitionSpread(
    { key, of: 'rows that came in' },
    counts.map(({ value, failed, rows }) => ({ value, failed, rows })),
  );
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
  const isBroken = integrity < key.minIntegrity;
  return {
    state: isBroken ? 'FAIL' : 'PASS',
    observed: percent(integrity),
    failedRows: orphans,
    totalRows: total,
    note: notes.join(' '),
    spread: isBroken && removed > 0 ? spreadOfRemoved(key.reason, staged) : [],
  };
}
