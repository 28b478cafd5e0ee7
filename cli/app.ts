/** The composition root: the only place where adapters are built and the parts are joined. Engines load in children, not here. */
import { fileURLToPath } from 'node:url';
import { assertComplete } from '../config/lake-location.ts';
import { stateFolder, storeFile, taskDefaults } from '../config/project-paths.ts';
import { environmentVariables, type Settings } from '../config/settings.ts';
import type { Logger } from '../core/ports.ts';
import type { JsonObject } from '../core/types.ts';
import { LocalExecutor } from '../scheduler/executors/local.ts';
import { acquireProjectLock, type ProjectLock } from '../scheduler/project-lock.ts';
import { createScheduler, type Scheduler } from '../scheduler/scheduler.ts';
import { RunStore } from '../scheduler/store/run-store.ts';
import type { Project } from './project.ts';
import { connected } from './sandbox-connection.ts';
import { systemClock } from './system-clock.ts';

export interface RunningScheduler extends AsyncDisposable {
  readonly scheduler: Scheduler;
  readonly store: RunStore;
  readonly lock: ProjectLock;
}

interface Parts {
  readonly scheduler: Scheduler;
  readonly store: RunStore;
  readonly lock: ProjectLock;
}

/**
 * Takes the project and starts its scheduler; disposing drains it and gives the project back.
 *
 * @throws PipelineError `project_locked` where another process has it; `setting_invalid` where the environment lacks a setting
 */
export async function startScheduler(
  project: Project,
  options: { readonly schedules: boolean; readonly log: Logger },
): Promise<RunningScheduler> {
  assertComplete(project.settings);
  const settings = await connected(project.settings);
  const { scheduler, store, lock } = await assemble({ ...project, settings }, options.log);
  const release = async (): Promise<void> => {
    await scheduler.stop({ graceMs: 2_000 });
    await store.close();
    lock.release();
  };
  try {
    await scheduler.start({ schedules: options.schedules });
  } catch (thrown) {
    await release();
    throw thrown;
  }
  return { scheduler, store, lock, [Symbol.asyncDispose]: release };
}

/**
 * Takes the project for a change of state that starts nothing: pause, clear, cancel.
 *
 * @throws PipelineError `project_locked` where another process has it
 */
export async function withIdleScheduler<T>(
  project: Project,
  log: Logger,
  act: (scheduler: Scheduler) => Promise<T>,
): Promise<T> {
  const { scheduler, store, lock } = await assemble(project, log);
  try {
    return await act(scheduler);
  } finally {
    await scheduler.stop({ graceMs: 0 });
    await store.close();
    lock.release();
  }
}

/** Slots by pool: an embedded warehouse admits one process at a time, a cloud's as many as there are. */
export function poolsOf({ values }: Settings): { readonly default: number; readonly warehouse: number } {
  const slots = values['executor.slots'];
  return { default: slots, warehouse: values['warehouse.kind'] === 'duckdb' ? 1 : slots };
}

async function assemble(project: Project, log: Logger): Promise<Parts> {
  const { settings } = project;
  const stateDir = stateFolder(settings);
  const lock = acquireProjectLock({ stateDir, clock: systemClock });
  try {
    const store = await RunStore.open(storeFile(settings), { clock: systemClock });
    const executor = new LocalExecutor({
      modulePath: fileURLToPath(new URL('./task-child.js', import.meta.url)),
      settings: settings as unknown as JsonObject,
      env: environmentVariables(),
      slots: settings.values['executor.slots'],
      stateDir,
      clock: systemClock,
      log,
    });
    const dags = project.dags;
    const scheduler = createScheduler({
      store,
      executor,
      clock: systemClock,
      dags,
      taskDefaults: taskDefaults(settings),
      log,
      stateDir,
      pools: poolsOf(settings),
    });
    return { scheduler, store, lock };
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}
