/** `assay run`: one or several runs here, or on the server that has the project, followed to their end. */
import { stateFolder } from '../../config/project-paths.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { createLogger, startScheduler } from '../app.ts';
import { followRemote } from '../follow-remote.ts';
import {
  type DateOptions,
  exitCodeOf,
  outcomeLines,
  type RunOutcome,
  runAndFollow,
  wantedRuns,
  watch,
} from '../follow-run.ts';
import { onInterrupt } from '../interrupt.ts';
import { type GlobalFlags, openProject, requireDag } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';
import { unchangedSince } from '../unchanged-since.ts';

interface RunOptions extends DateOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function run(flags: GlobalFlags, dagId: string, options: RunOptions): Promise<void> {
  const project = await openProject(flags);
  const version = requireDag(project, dagId);
  const wanted = wantedRuns(version.dag, options);
  const holder = readProjectLock(stateFolder(project.settings));
  if (holder?.address) {
    process.exitCode = await followRemote(holder.address, project, version.dag, wanted, {
      rerun: true,
      json: options.json ?? false,
    });
    return;
  }
  await using running = await startScheduler(project, { schedules: false, log: createLogger('warn') });
  using _interrupt = onInterrupt(running.scheduler, `Run the same command again to go on where it stopped.`);
  const outcomes: RunOutcome[] = [];
  {
    using _watching = await watch(running.scheduler, project);
    for (const one of wanted) {
      const outcome = await runAndFollow(
        running.scheduler,
        dagId,
        one,
        options.force ? {} : { isUnchanged: (before) => unchangedSince(project, version, before, running.scheduler) },
      );
      outcomes.push(outcome);
      if (outcome.run.state !== 'success') break;
    }
  }
  if (options.json) printJson(outcomes);
  else {
    printLines(outcomes.flatMap((outcome) => outcomeLines(version.dag, outcome)));
    const left = wanted.length - outcomes.length;
    if (left > 0) printLines([`${left} later runs were not started, because this one failed.`]);
  }
  process.exitCode = exitCodeOf(outcomes);
}
