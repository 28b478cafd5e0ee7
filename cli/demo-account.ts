/** The demo's plan and what its two runs reported -> planted against found, fault by fault. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { daysOfInterval } from '../core/partition.ts';
import type { Report } from '../core/types.ts';
import { type DemoPlan, type Expected, plantedFor } from '../demo/demo-plan.ts';
import type { RunOutcome } from './follow-run.ts';
import type { Project } from './project.ts';
import { allReportsOfRuns } from './reports-of-runs.ts';

export interface DirtLine {
  readonly table: string;
  /** A reason code, or the id of the check that counts it. */
  readonly fault: string;
  readonly planted: number;
  readonly found: number;
}

/** Every fault that was planted or found, by table; equal where all is accounted for. */
export async function accountOfDirt(
  project: Project,
  plan: DemoPlan,
  outcomes: readonly RunOutcome[],
): Promise<readonly DirtLine[]> {
  const lines = new Map<string, { table: string; fault: string; planted: number; found: number }>();
  const add = (table: string, fault: string, side: 'planted' | 'found', rows: number): void => {
    if (rows === 0) return;
    const key = `${table} ${fault}`;
    const line = lines.get(key) ?? { table, fault, planted: 0, found: 0 };
    line[side] += rows;
    lines.set(key, line);
  };
  for (const { run } of outcomes) {
    const days = daysOfInterval(run.interval, 'UTC');
    for (const table of Object.keys(plan.tables) as (keyof DemoPlan['tables'])[]) {
      const expected = plantedFor(plan, table, days.first, days.last);
      for (const [fault, rows] of Object.entries(faultsOf(expected))) add(table, fault, 'planted', rows);
    }
  }
  for (const path of await allReportsOfRuns(project, outcomes)) {
    const report = JSON.parse(await readFile(join(project.root, path), 'utf8')) as Report;
    if (report.layer === 'silver') countFound(report, add);
  }
  return [...lines.values()].sort((a, b) => (a.table + a.fault < b.table + b.fault ? -1 : 1));
}

function faultsOf(expected: Expected): { readonly [fault: string]: number } {
  return {
    ...expected.byReason,
    ...(expected.replaced > 0 ? { 'replaced by a newer row': expected.replaced } : {}),
    ...expected.orphans,
    ...expected.badCasts,
  };
}

function countFound(report: Report, add: (table: string, fault: string, side: 'found', rows: number) => void): void {
  for (const { table, account } of report.tables) {
    for (const [reason, rows] of Object.entries(account.byReason)) add(table, reason, 'found', rows);
    add(table, 'replaced by a newer row', 'found', account.replaced);
  }
  for (const result of report.results) {
    if (/^(fk_|cast_)/.test(result.checkId)) add(result.table, result.checkId, 'found', result.failedRows ?? 0);
  }
}
