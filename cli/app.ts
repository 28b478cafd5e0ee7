/** The composition root: the only place where adapters are built and the parts are joined. Engines load in children, not here. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DestinationStream, pino } from 'pino';
import { assertComplete } from '../config/lake-location.ts';
import { stateFolder, taskDefaults } from '../config/project-paths.ts';
import { environmentVariables, type Settings } from '../config/settings.ts';
import type { Clock, Logger } from '../core/ports.ts';
import type { JsonObject } from '../core/types.ts';
import { LocalExecutor } from '../scheduler/executors/local.ts';
import { acquireProjectLock, type ProjectLock } from '../scheduler/project-lock.ts';
import { RunReader } from '../scheduler/run-reader.ts';
import { createScheduler, type Scheduler } from '../scheduler/scheduler.ts';
import { RunStore } from '../scheduler/store/run-store.ts';
import type { Project } from './project.ts';
import { connected } from './sandbox-connection.ts';

export const systemClock: Clock = { now: () => Date.now() };

/** JSON lines on stderr; `silent` for commands whose progress is their own. */
export function createLogger(level: 'silent' | 'info' | 'warn', destination?: DestinationStream): Logger {
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination ?? pino.destination(2));
  return {
    debug: (message, fields) => log.debug(fields ?? {}, message),
    info: (message, fields) => log.info(fields ?? {}, message),
    warn: (message, fields) => log.warn(fields ?? {}, message),
    error: (message, fields) => log.error(fields ?? {}, message),
  };
}

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
    const store = await RunStore.open(storePath(settings), { clock: systemClock });
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

/** The run store as another process may read it while a scheduler writes; null before the first run. */
export async function openReader(
  settings: Settings,
): Promise<(AsyncDisposable & { readonly reader: RunReader }) | null> {
  if (!existsSync(storePath(settings))) return null;
  const store = await RunStore.open(storePath(settings), { clock: systemClock, readOnly: true });
  const reader = new RunReader({ store, clock: systemClock, stateDir: stateFolder(settings) });
  return { reader, [Symbol.asyncDispose]: () => store.close() };
}

const storePath = (settings: Settings): string => `${stateFolder(settings)}/runs.db`;
