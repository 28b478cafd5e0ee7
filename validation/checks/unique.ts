/** Key columns -> the check that no two rows share a key. Rows with a null in the key are the business of not-null checks. */
import { identifier } from '../../engine/sql-text.ts';
import { type Limits, NONE_FAILS, promiseOf, severityOf } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { judgeRows, type Subject } from './row-check.ts';

interface UniqueRequest {
  readonly id: string;
  readonly description: string;
  readonly limits: Limits;
  readonly key: readonly string[];
  /** `visible`: also against rows that were published before and are not rewritten. */
  readonly scope: 'touched' | 'visible';
}

/** Offending rows are those beyond the first of each key. */
export function uniqueCheck(subject: Subject, request: UniqueRequest): ScanCheck {
  const { id, key, limits } = request;
  const relation = request.scope === 'visible' ? subject.visible : subject.touched;
  const columns = key.map((column) => `t.${identifier(column)}`);
  const complete = columns.map((column) => `${column} IS NOT NULL`).join(' AND ');
  const value = columns.length === 1 ? (columns[0] ?? '') : `CASE WHEN ${complete} THEN row(${columns.join(', ')}) END`;
  const shown = key.map((column) => `CAST(t.${identifier(column)} AS VARCHAR) AS ${identifier(column)}`).join(', ');
  const groups = columns.join(', ');
  return {
    checkId: id,
    table: subject.table,
    owner: subject.owner,
    severity: severityOf(limits),
    description: request.description || `No two rows share ${key.map((column) => `\`${column}\``).join(', ')}.`,
    expected: promiseOf(limits),
    relation,
    joins: [],
    failed: `count_if(${complete}) - count(DISTINCT ${value})`,
    total: 'count(*)',
    judge: (failed, total) => judgeRows(failed, total, limits),
    offenders: `SELECT ${shown}, CAST(count(*) AS VARCHAR) AS "rows" FROM ${relation} WHERE ${complete} GROUP BY ${groups} HAVING count(*) > 1 ORDER BY ${groups}`,
    byPartition: null,
    pii: subject.pii,
  };
}

/** `pk_unique` over all that readers would see; nothing for a table without a key or without that key's columns. */
export function primaryKeyCheck(subject: Subject, id = 'pk_unique'): readonly ScanCheck[] {
  const known = new Set(subject.columns.map((column) => column.name));
  if (subject.primaryKey.length === 0 || !subject.primaryKey.every((column) => known.has(column))) return [];
  return [uniqueCheck(subject, { id, description: '', limits: NONE_FAILS, key: subject.primaryKey, scope: 'visible' })];
}
