/** `assay cancel`, `clear`, `pause`, `unpause`: on the server that has the project, else on the store alone. */

import { stateFolder } from '../../config/project-paths.ts';
import { counted } from '../../core/counted.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { withIdleScheduler } from '../app.ts';
import { createLogger } from '../create-logger.ts';
import { connectTo } from '../http-control.ts';
import { type GlobalFlags, openProject, type Project, requireDag } from '../project.ts';
import { requireRun, withReader } from '../read-control.ts';
import { printLines } from '../terminal.ts';

interface ClearOptions {
  readonly onlyFailed?: boolean;
  readonly downstream?: boolean;
  readonly dryRun?: boolean;
}

export async function cancel(flags: GlobalFlags, dagId: string, runId: string): Promise<void> {
  const { project, id } = await runOf(flags, dagId, runId);
  const address = serverOf(project);
  if (address) await connectTo(address).cancel(dagId, id);
  else
    await withIdleScheduler(
      project,
      createLogger('warn'),
      async (scheduler) => void (await scheduler.cancel(dagId, id)),
    );
  printLines([`Run ${id} of ${dagId} is cancelled. What was published before is still what readers see.`]);
}

export async function clear(
  flags: GlobalFlags,
  dagId: string,
  runId: string,
  tasks: readonly string[],
  options: ClearOptions,
): Promise<void> {
  const { project, id } = await runOf(flags, dagId, runId);
  const request = {
    dagId,
    runId: id,
    taskIds: tasks.length === 0 ? null : tasks,
    onlyFailed: options.onlyFailed ?? false,
    downstream: options.downstream ?? false,
    upstream: false,
    dryRun: options.dryRun ?? false,
  };
  const address = serverOf(project);
  const cleared = address
    ? await connectTo(address).clear(request)
    : await withIdleScheduler(project, createLogger('warn'), async (scheduler) =>
        (await scheduler.clear(request)).map((instance) => instance.taskId),
      );
  const word = options.dryRun ? 'would run again' : 'cleared';
  printLines([
    `${counted(cleared.length, 'task')} ${word}${cleared.length > 0 ? ':' : '.'}`,
    ...cleared.map((task) => `  ${task}`),
  ]);
  if (!address && !options.dryRun && cleared.length > 0) printLines(['They run when a scheduler starts: assay server']);
}

export async function setPaused(flags: GlobalFlags, dagId: string, isPaused: boolean): Promise<void> {
  const project = await openProject(flags);
  requireDag(project, dagId);
  const address = serverOf(project);
  if (address) await connectTo(address).setPaused(dagId, isPaused);
  else
    await withIdleScheduler(
      project,
      createLogger('warn'),
      async (scheduler) => void (await scheduler.setPaused(dagId, isPaused)),
    );
  printLines([
    isPaused ? `${dagId} is paused: no run of it starts until it is unpaused.` : `${dagId} is no longer paused.`,
  ]);
}

const serverOf = (project: Project): string | null => readProjectLock(stateFolder(project.settings))?.address ?? null;

async function runOf(
  flags: GlobalFlags,
  dagId: string,
  runId: string,
): Promise<{ readonly project: Project; readonly id: string }> {
  const project = await openProject(flags);
  const id = await withReader(flags, async (reader) => (await requireRun(reader, dagId, runId)).runId);
  return { project, id };
}
