/** One run, triggered or taken up again, followed to its end: progress on stderr, the outcome as a value. */

import { counted } from '../core/counted.ts';
import { ERROR_CODES, type ErrorCode, PipelineError } from '../core/errors.ts';
import { dayOf, daysBetween, intervalOfDays, isDay } from '../core/partition.ts';
import type { Dag, DagRun, Interval, JsonObject, TaskInstance } from '../core/types.ts';
import type { ReadControl } from '../scheduler/run-reader.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import { costFact } from './job-costs.ts';
import type { Project } from './project.ts';
import { RunProgress } from './run-progress.ts';
import { systemClock } from './system-clock.ts';
import { firstLine, seconds } from './task-words.ts';
import { hasColour, isLive } from './terminal.ts';

export interface RunOutcome {
  readonly run: DagRun;
  readonly instances: readonly TaskInstance[];
  /** True where an equal run had been done and nothing has changed since. */
  readonly isNoop: boolean;
}

/** A run that a command asks for; null interval: the last complete window. */
export interface WantedRun {
  readonly interval: Interval | null;
  readonly logicalDateMs: number | null;
  readonly runId?: string;
}

export interface DateOptions {
  readonly date?: string;
  readonly from?: string;
  readonly to?: string;
  readonly asOneRun?: boolean;
}

/**
 * `--date D`: one day. `--from A --to B`: one run a day, or one run with `--as-one-run`. None of them: the last complete window.
 *
 * @throws PipelineError `usage`
 */
export function wantedRuns(dag: Dag, options: DateOptions): readonly WantedRun[] {
  const { date, from, to, asOneRun } = options;
  if (date !== undefined && (from !== undefined || to !== undefined)) {
    throw new PipelineError('usage', 'Give either --date, or --from and --to.');
  }
  if ((from === undefined) !== (to === undefined)) throw new PipelineError('usage', '--from and --to belong together.');
  const first = date ?? from;
  const last = date ?? to;
  if (first === undefined || last === undefined) return [{ interval: null, logicalDateMs: null }];
  for (const day of [first, last]) {
    if (!isDay(day)) throw new PipelineError('usage', `"${day}" is no calendar day. Write it as 2025-10-15.`);
  }
  if (last < first) throw new PipelineError('usage', `--to ${last} lies before --from ${first}.`);
  const spans =
    asOneRun || first === last ? [[first, last] as const] : daysBetween(first, last).map((day) => [day, day] as const);
  return spans.map(([a, b]) => {
    const interval = intervalOfDays(a, b, dag.timezone);
    return { interval, logicalDateMs: interval.startMs };
  });
}

/** Triggers the run, or clears and reruns the one that exists; an unfinished one is taken up where it stopped. */
export async function runAndFollow(
  scheduler: Scheduler,
  dagId: string,
  wanted: WantedRun,
  options: { readonly conf?: JsonObject; readonly isUnchanged?: (run: DagRun) => Promise<boolean> } = {},
): Promise<RunOutcome> {
  const existing = wanted.logicalDateMs === null ? null : await findRun(scheduler, dagId, wanted.logicalDateMs);
  let run: DagRun;
  if (existing === null) {
    run = await scheduler.trigger({
      dagId,
      triggeredBy: 'cli',
      logicalDateMs: wanted.logicalDateMs,
      ...(wanted.interval ? { interval: wanted.interval } : {}),
      ...(wanted.runId === undefined ? {} : { runId: wanted.runId }),
      ...(options.conf ? { conf: options.conf } : {}),
    });
  } else {
    if (wanted.interval && existing.interval.endMs !== wanted.interval.endMs) {
      throw new PipelineError(
        'run_exists',
        `Run ${existing.runId} of ${dagId} begins on the same day but covers ${describeInterval(existing.interval)}. ` +
          'Rerun that span, or choose another first day.',
      );
    }
    run = existing;
    if (isOver(existing)) {
      if (options.isUnchanged && existing.state === 'success' && (await options.isUnchanged(existing))) {
        return { run, instances: await scheduler.listTaskInstances(dagId, run.runId), isNoop: true };
      }
      await scheduler.clear({
        dagId,
        runId: run.runId,
        taskIds: null,
        onlyFailed: false,
        downstream: false,
        upstream: false,
        dryRun: false,
        onLatestVersion: true,
      });
    }
  }
  const ended = await scheduler.waitForRun(dagId, run.runId);
  return { run: ended, instances: await scheduler.listTaskInstances(dagId, run.runId), isNoop: false };
}

const isOver = (run: DagRun): boolean => run.state === 'success' || run.state === 'failed';

export async function findRun(
  reader: Pick<ReadControl, 'listRuns'>,
  dagId: string,
  logicalDateMs: number,
): Promise<DagRun | null> {
  const { runs } = await reader.listRuns({
    dagId,
    logicalDateFromMs: logicalDateMs,
    logicalDateToMs: logicalDateMs,
    limit: 1,
  });
  return runs[0] ?? null;
}

/** Watches all runs of a scheduler until disposed, also those that an earlier process left unfinished. */
export async function watch(scheduler: Scheduler, project: Project): Promise<Disposable> {
  const progress = new RunProgress({
    dags: new Map(project.dags.map(({ dag }) => [dag.id, dag])),
    clock: systemClock,
    out: process.stderr,
    live: isLive(process.stderr),
    colour: hasColour(process.stderr),
  });
  const unsubscribe = scheduler.subscribe(progress.onEvent);
  const { runs } = await scheduler.listRuns({ states: ['queued', 'running'] });
  for (const run of runs) progress.takeUp(run);
  for (const { dagId, runId } of runs)
    for (const instance of await scheduler.listTaskInstances(dagId, runId)) progress.know(instance);
  return {
    [Symbol.dispose]: () => {
      unsubscribe();
      progress.stop();
    },
  };
}

/** Days that an interval covers, in words. */
export function describeInterval(interval: Interval, timezone = 'UTC'): string {
  const first = dayOf(interval.startMs, timezone);
  const last = interval.endMs > interval.startMs ? dayOf(interval.endMs - 1, timezone) : first;
  return first === last ? first : `${first}..${last.slice(first.slice(0, 8) === last.slice(0, 8) ? 8 : 0)}`;
}

/** What a reader needs to know of an ended run, worst first. */
export function outcomeLines(dag: Dag, outcome: RunOutcome): string[] {
  const { run, instances } = outcome;
  const took =
    run.startedAtMs !== null && run.endedAtMs !== null ? ` in ${seconds(run.endedAtMs - run.startedAtMs)}` : '';
  const what = `${dag.id} for ${describeInterval(run.interval, dag.timezone)}`;
  if (outcome.isNoop)
    return [`${what}: nothing has changed since run ${run.runId}; nothing was done. Run it all the same with --force.`];
  const lines = [`${what}: ${run.state}${took}`];
  for (const [code, failed] of failuresByCode(instances)) {
    const inFull = failed.length > SHOWN_IN_FULL ? failed.slice(0, 1) : failed;
    for (const { taskId, error } of inFull) {
      lines.push(`  failed: ${taskId} (${code})`);
      for (const line of (error?.message ?? '').split('\n').slice(0, 12)) lines.push(`    ${line}`);
      lines.push(`    log: assay logs ${dag.id} '${run.runId}' ${taskId}`);
    }
    const others = failed.slice(inFull.length).map(({ taskId }) => taskId);
    if (others.length > 0) lines.push(`  failed likewise (${code}): ${others.join(', ')}`);
  }
  const held = instances.filter(({ state }) => state === 'upstream_failed').length;
  if (held > 0)
    lines.push(
      `  ${counted(held, 'task')} did not run because of that. What was published before is still what readers see.`,
    );
  for (const { output } of instances) {
    if (output?.kind === 'report' && output.report.decision.verdict !== 'PASS') {
      lines.push(
        `  ${output.report.decision.verdict}: ${output.report.runMarkdownPath}${firstLine(blocking(output.report.decision.blockedBy))}`,
      );
    }
  }
  for (const { output } of instances) {
    if (output?.kind === 'published' && output.publication.moved) {
      lines.push(`  published ${output.publication.layer} version ${output.publication.sequence}`);
    }
    const held = output?.kind === 'published' ? (output.publication.held ?? []) : [];
    if (output?.kind === 'published' && held.length > 0)
      lines.push(`  held back in ${output.publication.layer}, as readers saw them before: ${held.join(', ')}`);
  }
  const cost = costFact(instances);
  if (cost !== null) lines.push(`  warehouse: ${cost} (by table: assay cost ${dag.id} '${run.runId}')`);
  return lines;
}

const blocking = (ids: readonly string[]): string =>
  ids.length === 0 ? '' : ` (${ids.slice(0, 4).join(', ')}${ids.length > 4 ? ', …' : ''})`;

/** As many failures of one kind are told one by one; of more, the first tells for all. */
const SHOWN_IN_FULL = 2;

function failuresByCode(instances: readonly TaskInstance[]): ReadonlyMap<ErrorCode, readonly TaskInstance[]> {
  const byCode = new Map<ErrorCode, TaskInstance[]>();
  for (const instance of instances.filter(({ state }) => state === 'failed')) {
    const said = instance.error?.code ?? '';
    // A run may have been stored by another version.
    const code = Object.hasOwn(ERROR_CODES, said) ? (said as ErrorCode) : 'internal';
    byCode.set(code, [...(byCode.get(code) ?? []), instance]);
  }
  return byCode;
}

/** 0; that of the error table where all failed tasks have the same, as 4 of a gate or 8 of a backend; else 5. */
export function exitCodeOf(outcomes: readonly RunOutcome[]): number {
  const failed = outcomes.filter(({ run }) => run.state !== 'success');
  if (failed.length === 0) return 0;
  const codes = failed.flatMap(({ instances }) => [...failuresByCode(instances).keys()]);
  const [only, ...others] = new Set(codes.map((code) => ERROR_CODES[code].exitCode));
  return only === undefined || others.length > 0 ? ERROR_CODES.run_failed.exitCode : only;
}
