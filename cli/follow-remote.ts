/** Runs asked of a running server -> followed over HTTP until they are over. */
import { PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { Dag, DagRun } from '../core/types.ts';
import type { ClearRequest } from '../scheduler/control.ts';
import { exitCodeOf, outcomeLines, type RunOutcome, type WantedRun } from './follow-run.ts';
import { connectTo, type RemoteControl } from './http-control.ts';
import type { Project } from './project.ts';
import { RunProgress } from './run-progress.ts';
import { systemClock } from './system-clock.ts';
import { hasColour, isLive, printJson, printLines } from './terminal.ts';

/** How often a followed run is looked at. */
const LOOK_MS = 200;

interface FollowOptions {
  /** Clear and rerun a run that exists; else that is an error. */
  readonly rerun: boolean;
  readonly json: boolean;
}

/** The exit code. */
export async function followRemote(
  address: string,
  project: Project,
  dag: Dag,
  wanted: readonly WantedRun[],
  options: FollowOptions,
): Promise<number> {
  const remote = connectTo(address);
  process.stderr.write(`The server at ${address} has this project; following there.\n`);
  const progress = progressOf(project);
  const outcomes: RunOutcome[] = [];
  try {
    for (const one of wanted) {
      const outcome = await followOne(remote, dag.id, await triggerOrClear(remote, dag, one, options), progress);
      outcomes.push(outcome);
      if (outcome.run.state !== 'success') break;
    }
  } finally {
    progress.stop();
  }
  if (options.json) printJson(outcomes);
  else printLines(outcomes.flatMap((outcome) => outcomeLines(dag, outcome)));
  return exitCodeOf(outcomes);
}

async function triggerOrClear(
  remote: RemoteControl,
  dag: Dag,
  one: WantedRun,
  options: FollowOptions,
): Promise<DagRun> {
  try {
    return await remote.trigger({
      dagId: dag.id,
      triggeredBy: 'cli',
      logicalDateMs: one.logicalDateMs,
      ...(one.interval ? { interval: one.interval } : {}),
      ...(one.runId === undefined ? {} : { runId: one.runId }),
    });
  } catch (thrown) {
    const exists = thrown instanceof PipelineError && thrown.code === 'run_exists';
    if (!exists || !options.rerun || one.logicalDateMs === null) throw thrown;
    const existing = await remote.findRun(dag.id, isoInstant(one.logicalDateMs));
    if (existing === null) throw thrown;
    await remote.clear({
      dagId: dag.id,
      runId: existing,
      taskIds: null,
      onlyFailed: false,
      downstream: false,
      upstream: false,
      dryRun: false,
      onLatestVersion: true,
    });
    return (await remote.picture(dag.id, existing)).run;
  }
}

/** Clears tasks of a run that is over and follows it again. The exit code. */
export async function resumeRemote(
  address: string,
  project: Project,
  dag: Dag,
  request: ClearRequest,
  json: boolean,
): Promise<number> {
  const remote = connectTo(address);
  process.stderr.write(`The server at ${address} has this project; following there.\n`);
  const progress = progressOf(project);
  try {
    await remote.clear(request);
    const { run } = await remote.picture(dag.id, request.runId);
    const outcome = await followOne(remote, dag.id, run, progress);
    if (json) printJson([outcome]);
    else printLines(outcomeLines(dag, outcome));
    return exitCodeOf([outcome]);
  } finally {
    progress.stop();
  }
}

function progressOf(project: Project): RunProgress {
  return new RunProgress({
    dags: new Map(project.dags.map((version) => [version.dag.id, version.dag])),
    clock: systemClock,
    out: process.stderr,
    live: isLive(process.stderr),
    colour: hasColour(process.stderr),
  });
}

/** Looks until the run is over. */
async function followOne(
  remote: RemoteControl,
  dagId: string,
  started: DagRun,
  progress: RunProgress,
): Promise<RunOutcome> {
  for (;;) {
    const { run, instances } = await remote.picture(dagId, started.runId);
    progress.onEvent({ kind: 'run', run });
    for (const instance of instances) progress.onEvent({ kind: 'task', instance, previous: instance.state });
    if (run.state === 'success' || run.state === 'failed') return { run, instances, isNoop: false };
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
