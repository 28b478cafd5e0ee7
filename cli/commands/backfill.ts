/** `assay backfill`: one run a day of a span, oldest first. */

import { stateFolder } from '../../config/project-paths.ts';
import { counted } from '../../core/counted.ts';
import type { DagRun } from '../../core/types.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { startScheduler } from '../app.ts';
import { createLogger } from '../create-logger.ts';
import { followRemote } from '../follow-remote.ts';
import {
  describeInterval,
  exitCodeOf,
  outcomeLines,
  type RunOutcome,
  runAndFollow,
  type WantedRun,
  wantedRuns,
  watch,
} from '../follow-run.ts';
import { onInterrupt } from '../interrupt.ts';
import { openReader } from '../open-reader.ts';
import { type GlobalFlags, openProject, requireDag } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';

interface BackfillOptions {
  readonly from: string;
  readonly to: string;
  readonly reprocess: 'none' | 'failed' | 'all';
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function backfill(flags: GlobalFlags, dagId: string, options: BackfillOptions): Promise<void> {
  const project = await openProject(flags);
  const { dag } = requireDag(project, dagId);
  const all = wantedRuns(dag, { from: options.from, to: options.to });
  const before = await existingRuns(project, dagId, all);
  const wanted = all.filter((one) => isWanted(before.get(one.logicalDateMs ?? -1), options.reprocess));
  const day = (one: WantedRun): string => (one.interval ? describeInterval(one.interval, dag.timezone) : '');
  if (options.dryRun) {
    if (options.json) printJson(wanted.map(day));
    else
      printLines([
        `${wanted.length} of ${counted(all.length, 'day')} would run:`,
        ...wanted.map((one) => `  ${day(one)}`),
      ]);
    return;
  }
  if (wanted.length === 0) {
    printLines([
      all.length === 1
        ? 'That day is done. Run it again with --reprocess all.'
        : `All ${counted(all.length, 'day')} are done. Run them again with --reprocess all.`,
    ]);
    return;
  }
  const holder = readProjectLock(stateFolder(project.settings));
  if (holder?.address) {
    process.exitCode = await followRemote(holder.address, project, dag, wanted, {
      rerun: true,
      json: options.json ?? false,
    });
    return;
  }
  await using running = await startScheduler(project, { schedules: false, log: createLogger('warn') });
  using _interrupt = onInterrupt(running.scheduler, 'Run the same command again to go on with the days that are left.');
  const outcomes: RunOutcome[] = [];
  {
    using _watching = await watch(running.scheduler, project);
    for (const one of wanted) outcomes.push(await runAndFollow(running.scheduler, dagId, one));
  }
  if (options.json) printJson(outcomes);
  else printLines(outcomes.flatMap((outcome) => outcomeLines(dag, outcome)));
  process.exitCode = exitCodeOf(outcomes);
}

function isWanted(run: DagRun | undefined, reprocess: BackfillOptions['reprocess']): boolean {
  if (!run) return true;
  if (reprocess === 'all') return true;
  return reprocess === 'failed' && run.state !== 'success';
}

async function existingRuns(
  project: Awaited<ReturnType<typeof openProject>>,
  dagId: string,
  all: readonly WantedRun[],
): Promise<ReadonlyMap<number, DagRun>> {
  const first = all[0]?.logicalDateMs;
  const last = all.at(-1)?.logicalDateMs;
  await using opened = await openReader(project.settings);
  if (opened === null || first === undefined || first === null || last === undefined || last === null) return new Map();
  const known = (await opened.reader.listDags()).some(({ dag }) => dag.id === dagId);
  if (!known) return new Map();
  const { runs } = await opened.reader.listRuns({
    dagId,
    logicalDateFromMs: first,
    logicalDateToMs: last,
    limit: all.length,
  });
  return new Map(runs.flatMap((run) => (run.logicalDateMs === null ? [] : [[run.logicalDateMs, run] as const])));
}
