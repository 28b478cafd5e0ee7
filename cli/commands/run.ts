/** `assay run`: one or several runs here, or on the server that has the project, followed to their end. */
import { stateFolder } from '../../config/project-paths.ts';
import { counted } from '../../core/counted.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import type { DagVersion } from '../../scheduler/store/run-store.ts';
import { createLogger } from '../create-logger.ts';
import {
  type DateOptions,
  exitCodeOf,
  outcomeLines,
  type RunOutcome,
  runAndFollow,
  type WantedRun,
  wantedRuns,
  watch,
} from '../follow-run.ts';
import { onInterrupt } from '../interrupt.ts';
import { type GlobalFlags, openProject, type Project, requireDag } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';
import { unchangedRuns, unchangedSince } from '../unchanged-since.ts';
import { noteWarehouse } from '../warehouse-stands.ts';

interface RunOptions extends DateOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function run(flags: GlobalFlags, dagId: string, options: RunOptions): Promise<void> {
  const project = await openProject(flags);
  const version = requireDag(project, dagId);
  const wanted = wantedRuns(version.dag, options);
  const holder = readProjectLock(stateFolder(project.settings));
  // Who holds the project without an address is changing it just now.
  const mayBeDone = !options.force && (holder === null || holder.address !== null);
  const done = mayBeDone ? await unchangedRuns(project, version, wanted) : [];
  const left = wanted.slice(done.length);
  if (holder?.address && left.length > 0) {
    const { followRemote } = await import('../follow-remote.ts');
    process.exitCode = await followRemote(holder.address, project, version.dag, wanted, {
      rerun: true,
      json: options.json ?? false,
    });
    return;
  }
  const outcomes = left.length === 0 ? done : [...done, ...(await runHere(project, version, left, options))];
  await noteWarehouse(project, version, outcomes.at(-1));
  if (options.json) printJson(outcomes);
  else {
    printLines(outcomes.flatMap((outcome) => outcomeLines(version.dag, outcome)));
    const unstarted = wanted.length - outcomes.length;
    if (unstarted > 0) printLines([`${counted(unstarted, 'later run')} not started, because this one failed.`]);
  }
  process.exitCode = exitCodeOf(outcomes);
}

/** One after another, up to the first that fails. */
async function runHere(
  project: Project,
  version: DagVersion,
  wanted: readonly WantedRun[],
  options: RunOptions,
): Promise<readonly RunOutcome[]> {
  const { startScheduler } = await import('../app.ts');
  await using running = await startScheduler(project, { schedules: false, log: createLogger('warn') });
  using _interrupt = onInterrupt(running.scheduler, `Run the same command again to go on where it stopped.`);
  using _watching = await watch(running.scheduler, project);
  const outcomes: RunOutcome[] = [];
  for (const one of wanted) {
    const outcome = await runAndFollow(
      running.scheduler,
      version.dag.id,
      one,
      options.force ? {} : { isUnchanged: (before) => unchangedSince(project, version, before, running.scheduler) },
    );
    outcomes.push(outcome);
    if (outcome.run.state !== 'success') break;
  }
  return outcomes;
}
