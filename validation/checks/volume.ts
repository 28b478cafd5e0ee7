/** Rows of the touched partitions -> least rows, the run date's partition, and the change against the day before. Pure. */
import { addDays, isDay } from '../../core/partition.ts';
import type { DataPartition, Day } from '../../core/types.ts';
import { counted, percent } from '../figures.ts';
import { type CheckHead, type MeasuredResult, measured, notEvaluated } from '../measured-result.ts';

export interface VolumeSubject {
  readonly table: string;
  readonly owner: string;
  readonly partitionKey: string | null;
  /** Partitions that this run touched. */
  readonly touched: readonly DataPartition[];
  /** What readers would see after publishing. */
  readonly visible: readonly DataPartition[];
  readonly runDate: Day;
}

/** Too few rows fail, but for a build that had nothing to do: no input, or none that changed. */
export function minRowsCheck(subject: VolumeSubject, minRows: number, hasWork: boolean): MeasuredResult {
  const rows = subject.touched.reduce((sum, partition) => sum + partition.rows, 0);
  const head = headOf(subject, 'min_rows', 'fail', 'Enough rows were built.', `≥ ${counted(minRows, 'row')}`);
  if (rows === 0 && !hasWork) return notEvaluated(head, 'There was nothing to build from.');
  return measured(head, { state: rows >= minRows ? 'PASS' : 'FAIL', observed: counted(rows, 'row'), totalRows: rows });
}

/** A day without business has no partition: that is worth a look, but no failure by itself. */
export function runDatePartitionCheck(subject: VolumeSubject): readonly MeasuredResult[] {
  const { partitionKey, runDate, visible } = subject;
  if (partitionKey === null || !visible.every((partition) => isDay(partition.value))) return [];
  const head = headOf(subject, 'run_date_partition', 'warn', 'The run’s date has its partition.', '≥ 1 row');
  const rows = rowsOn(visible, runDate);
  return [
    rows === null || rows === 0
      ? measured(head, { state: 'WARN', observed: `no row in ${partitionKey}=${runDate}`, totalRows: 0 })
      : measured(head, { state: 'PASS', observed: counted(rows, 'row'), totalRows: rows }),
  ];
}

/** Reported, never gated: what is normal is for people to say until there is history. */
export function volumeChangeCheck(subject: VolumeSubject): readonly MeasuredResult[] {
  const { partitionKey, runDate, visible } = subject;
  if (partitionKey === null || !visible.every((partition) => isDay(partition.value))) return [];
  const head = headOf(subject, 'volume', 'warn', 'Rows of the run’s date against the day before.', 'reported only');
  const before = addDays(runDate, -1);
  const now = rowsOn(visible, runDate);
  const then = rowsOn(visible, before);
  if (now === null || then === null || then === 0)
    return [notEvaluated(head, 'There is no day before to compare with.')];
  const change = (now - then) / then;
  const sign = change < 0 ? '−' : '+';
  return [
    measured(head, {
      state: 'PASS',
      observed: `${sign}${percent(Math.abs(change))} against ${before} (${counted(then, 'row')})`,
      totalRows: now,
    }),
  ];
}

function rowsOn(partitions: readonly DataPartition[], day: Day): number | null {
  return partitions.find((partition) => partition.value === day)?.rows ?? null;
}

function headOf(
  subject: VolumeSubject,
  checkId: string,
  severity: CheckHead['severity'],
  description: string,
  expected: string,
): CheckHead {
  return { checkId, table: subject.table, owner: subject.owner, severity, description, expected };
}
