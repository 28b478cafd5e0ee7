/** A condition that no row may meet -> a ScanCheck with its samples and places. */
import type { ColumnSchema, DataPartition } from '../../core/types.ts';
import { fileList } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { percent } from '../figures.ts';
import { type Limits, promiseOf, rowsAndShare, severityOf, stateWithin } from '../limits.ts';
import type { Measurement } from '../measured-result.ts';
import type { ScanCheck } from '../run-checks.ts';

/** A staged table as checks see it. */
export interface Subject {
  readonly table: string;
  readonly owner: string;
  readonly columns: readonly ColumnSchema[];
  readonly primaryKey: readonly string[];
  readonly partitionKey: string | null;
  /** Partitions that this run touched. */
  readonly partitions: readonly DataPartition[];
  /** FROM text over the touched partitions. */
  readonly touched: string;
  /** FROM text over all that readers would see after publishing. */
  readonly visible: string;
  /** Pii tag by column. */
  readonly pii: ReadonlyMap<string, string>;
}

export interface RowCheckRequest {
  readonly id: string;
  readonly description: string;
  /** True for an offending row; columns may be written bare or as `t.column`. */
  readonly offends: string;
  readonly limits: Limits;
  /** Shown beside key and partition. */
  readonly columns?: readonly string[];
  readonly joins?: readonly string[];
  /** Rows that the check is about; default all. */
  readonly concerns?: string;
  readonly judge?: (failed: number, total: number) => Measurement;
  readonly expected?: string;
  readonly note?: string;
}

export function rowCheck(subject: Subject, request: RowCheckRequest): ScanCheck {
  const { limits } = request;
  const joins = request.joins ?? [];
  const from = [subject.touched, ...joins].join(' ');
  return {
    checkId: request.id,
    table: subject.table,
    owner: subject.owner,
    severity: severityOf(limits),
    description: request.description,
    expected: request.expected ?? promiseOf(limits),
    relation: subject.touched,
    joins,
    failed: `count_if(${request.offends})`,
    total: request.concerns === undefined ? 'count(*)' : `count_if(${request.concerns})`,
    judge: request.judge ?? ((failed, total) => judgeRows(failed, total, limits, request.note ?? '')),
    offenders: offendersOf(subject, from, request.offends, request.columns ?? []),
    byPartition: placesOf(subject, from, request.offends),
    pii: subject.pii,
  };
}

/** The judgement of a count of offending rows; without rows there is none. */
export function judgeRows(failed: number, total: number, limits: Limits, note = ''): Measurement {
  if (total === 0) return { state: 'NOT EVALUATED', observed: '', note: 'There is no row to check.' };
  return {
    state: stateWithin(failed, total, limits),
    observed: isShare(limits) ? percent(failed / total) : rowsAndShare(failed, total),
    failedRows: failed,
    totalRows: total,
    note,
  };
}

function isShare(limits: Limits): boolean {
  return (limits.failIf ?? limits.warnIf)?.unit === 'percent';
}

function offendersOf(subject: Subject, from: string, offends: string, columns: readonly string[]): string | null {
  const known = new Set(subject.columns.map((column) => column.name));
  const shown = [
    ...new Set([...subject.primaryKey, ...columns, ...(subject.partitionKey === null ? [] : [subject.partitionKey])]),
  ].filter((column) => known.has(column));
  if (shown.length === 0) return null;
  const order = shown.map((_, index) => String(index + 1)).join(', ');
  return `SELECT ${shown.map(textColumn).join(', ')} FROM ${from} WHERE ${offends} ORDER BY ${order}`;
}

function textColumn(column: string): string {
  return `CAST(t.${identifier(column)} AS VARCHAR) AS ${identifier(column)}`;
}

function placesOf(subject: Subject, from: string, offends: string): string | null {
  const key = subject.partitionKey;
  if (key === null || !subject.columns.some((column) => column.name === key)) return null;
  const place = `${literal(`${key}=`)} || coalesce(CAST(t.${identifier(key)} AS VARCHAR), '∅')`;
  return `SELECT ${place} AS "partition", count(*) AS "rows" FROM ${from} WHERE ${offends} GROUP BY 1 ORDER BY 2 DESC, 1`;
}

/** FROM text over Parquet files, with the path of each row's file as `assay_file`; typed and empty where there are none. */
export function relationOf(paths: readonly string[], columns: readonly ColumnSchema[]): string {
  if (paths.length > 0) {
    return `read_parquet(${fileList(paths)}, filename = 'assay_file', hive_partitioning = false, union_by_name = true) AS t`;
  }
  const empty = columns.map((column) => `NULL::${duckDbType(column.type)} AS ${identifier(column.name)}`);
  return `(SELECT ${[...empty, 'NULL::VARCHAR AS assay_file'].join(', ')} WHERE false) AS t`;
}
