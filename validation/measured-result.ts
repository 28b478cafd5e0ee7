/** A check's head and what was measured -> a CheckResult. */
import type { CheckResult, CheckState, PartitionSpread } from '../core/types.ts';

/** A result that says whether it could be decided at all; one that could not blocks in every mode. */
export interface MeasuredResult extends CheckResult {
  readonly undecided?: true;
}

/** What is known of a check before anything is measured. */
export interface CheckHead {
  readonly checkId: string;
  readonly table: string;
  readonly severity: 'warn' | 'fail';
  readonly description: string;
  readonly expected: string;
  readonly owner: string;
}

export interface Measurement {
  readonly state: CheckState;
  readonly observed: string;
  readonly failedRows?: number | null;
  readonly totalRows?: number | null;
  readonly note?: string;
  readonly samples?: CheckResult['samples'];
  readonly spread?: readonly PartitionSpread[];
  readonly undecided?: boolean;
}

/** The table name of results that are about a whole layer. */
export const ALL_TABLES = '*';

/** Rows shown of one failing check. */
export const MAX_SAMPLES = 5;

export function measured(head: CheckHead, measurement: Measurement): MeasuredResult {
  return {
    checkId: head.checkId,
    table: head.table,
    state: measurement.state,
    severity: head.severity,
    description: head.description,
    expected: head.expected,
    observed: measurement.observed,
    failedRows: measurement.failedRows ?? null,
    totalRows: measurement.totalRows ?? null,
    note: measurement.note ?? '',
    samples: (measurement.samples ?? []).slice(0, MAX_SAMPLES),
    owner: head.owner,
    ...(measurement.spread && measurement.spread.length > 0 ? { spread: measurement.spread } : {}),
    ...(measurement.undecided ? { undecided: true as const } : {}),
  };
}

/** The state that a broken check of this severity comes to. */
export function brokenState(severity: CheckHead['severity']): 'WARN' | 'FAIL' {
  return severity === 'fail' ? 'FAIL' : 'WARN';
}

export function notEvaluated(head: CheckHead, why: string): MeasuredResult {
  return measured(head, { state: 'NOT EVALUATED', observed: '', note: why });
}

/** The check was asked but gave no answer: a FAIL that also `warning-only` does not let pass. */
export function undecided(head: CheckHead, why: string): MeasuredResult {
  return measured(
    { ...head, severity: 'fail' },
    { state: 'FAIL', observed: 'could not be decided', note: why, undecided: true },
  );
}

export function isUndecided(result: CheckResult): boolean {
  return 'undecided' in result && result.undecided === true;
}

const RANK: { readonly [state in CheckState]: number } = { FAIL: 0, WARN: 1, PASS: 2, 'NOT EVALUATED': 3 };

/** The worst of some states; `NOT EVALUATED` only where nothing was evaluated. */
export function worstState(states: readonly CheckState[]): CheckState {
  return [...states].sort((a, b) => RANK[a] - RANK[b])[0] ?? 'NOT EVALUATED';
}

/** Report order: worst first, then by table and check id. */
export function inReportOrder<T extends CheckResult>(results: readonly T[]): readonly T[] {
  return [...results].sort(
    (a, b) => RANK[a.state] - RANK[b.state] || compareText(a.table, b.table) || compareText(a.checkId, b.checkId),
  );
}

/** By code units, so that the order does not depend on a locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
