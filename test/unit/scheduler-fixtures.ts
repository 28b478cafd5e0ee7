/** Small DAGs, a spec, clocks and a scheduler over a temporary state folder, for the scheduler's tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprint } from '../../core/fingerprint.ts';
import type { Clock, Logger, TaskHandlers } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { Dag, DagRun, Schedule, Task, TaskDefaults, TaskState } from '../../core/types.ts';
import type { TriggerRequest } from '../../scheduler/control.ts';
import type { SetTimer } from '../../scheduler/loop.ts';
import { createScheduler, type Scheduler } from '../../scheduler/scheduler.ts';
import { type DagVersion, RunStore } from '../../scheduler/store/run-store.ts';
import { InProcessExecutor } from '../fixtures-support/in-process-executor.ts';

export const systemClock: Clock = { now: () => Date.now() };
export const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };
/** Prints what a test would otherwise hide. */
export const loudLog: Logger = { ...silentLog, error: (message, fields) => console.error(message, fields) };

export const NO_RETRY: TaskDefaults = {
  retry: { retries: 0, delayMs: 0, exponentialBackoff: false, maxDelayMs: 0 },
  timeoutMs: 60_000,
};

export function specOf(pipeline = 'shop'): Spec {
  const spec = {
    pipeline,
    owner: 'team@example.com',
    params: {},
    timezone: 'UTC',
    nullValues: [],
    maxQuarantinePct: 5,
    maxRowLossPct: 1,
    reportDir: 'reports',
    tables: [],
    dims: [],
    transforms: [],
    marts: [],
    dags: [],
    folder: 'specs/shop',
  };
  return { ...spec, fingerprint: fingerprint(spec) };
}

export function taskOf(id: string, upstream: readonly string[] = [], rest: Partial<Task> = {}): Task {
  return {
    id,
    kind: 'build',
    layer: null,
    tables: [],
    group: null,
    upstream,
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    pool: 'default',
    priority: 0,
    params: {},
    ...rest,
  };
}

export function dagOf(id: string, tasks: readonly Task[], rest: Partial<Omit<Dag, 'id' | 'tasks'>> = {}): DagVersion {
  const spec = specOf();
  const dag = {
    id,
    pipeline: spec.pipeline,
    description: '',
    owner: spec.owner,
    tags: [],
    timezone: 'UTC',
    schedule: null,
    maxActiveRuns: 1,
    sourceFile: 'specs/shop/pipeline.yml',
    ...rest,
    tasks,
  };
  return { dag: { ...dag, fingerprint: fingerprint(dag) }, spec };
}

/** `t1 -> t2 -> … -> tn` */
export function chainOf(length: number): readonly Task[] {
  return Array.from({ length }, (_, index) => taskOf(`t${index + 1}`, index === 0 ? [] : [`t${index}`]));
}

export function daily(rest: Partial<Schedule> = {}): Schedule {
  return { cron: '0 6 * * *', timezone: 'UTC', window: 'previous_day', catchup: 'none', ...rest };
}

export interface Bench {
  readonly stateDir: string;
  readonly store: RunStore;
  readonly scheduler: Scheduler;
  /** Triggers and waits for the end. */
  run(dagId: string, request?: Partial<TriggerRequest>): Promise<DagRun>;
  /** `{task: state}` in the DAG's order. */
  states(run: { readonly dagId: string; readonly runId: string }): Promise<{ readonly [taskId: string]: TaskState }>;
  /** Stops this scheduler and opens another one on the same folder. */
  restart(changes?: Partial<BenchOptions>): Promise<Bench>;
  close(): Promise<void>;
}

export interface BenchOptions {
  readonly dags: readonly DagVersion[];
  readonly handlers: TaskHandlers;
  readonly slots?: number;
  readonly taskDefaults?: TaskDefaults;
  readonly pools?: { readonly [pool: string]: number };
  readonly clock?: Clock;
  readonly setTimer?: SetTimer;
  readonly schedules?: boolean;
  readonly stateDir?: string;
  /** Pages of 4 KiB beyond which the run store is full. */
  readonly maxPages?: number;
  /** False leaves the scheduler unstarted. */
  readonly start?: boolean;
}

/** A scheduler with handlers in this process; the folder goes with `close`. */
export async function openBench(options: BenchOptions): Promise<Bench> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'assay-scheduler-'));
  const clock = options.clock ?? systemClock;
  const { maxPages } = options;
  const store = await RunStore.open(join(stateDir, 'runs.db'), { clock, ...(maxPages ? { maxPages } : {}) });
  const executor = new InProcessExecutor({ handlers: options.handlers, slots: options.slots ?? 4, stateDir, clock });
  const scheduler = createScheduler({
    ...{ store, executor, clock, stateDir },
    dags: options.dags,
    taskDefaults: options.taskDefaults ?? NO_RETRY,
    log: loudLog,
    ...(options.pools ? { pools: options.pools } : {}),
    ...(options.setTimer ? { setTimer: options.setTimer } : {}),
  });
  try {
    if (options.start !== false) await scheduler.start({ schedules: options.schedules ?? false });
  } catch (thrown) {
    await store.close();
    rmSync(stateDir, { recursive: true, force: true });
    throw thrown;
  }
  return {
    ...{ stateDir, store, scheduler },
    run: async (dagId, request = {}) => {
      const run = await scheduler.trigger({ dagId, triggeredBy: 'test', ...request });
      return scheduler.waitForRun(dagId, run.runId);
    },
    states: async ({ dagId, runId }) => {
      const instances = await scheduler.listTaskInstances(dagId, runId);
      return Object.fromEntries(instances.map(({ taskId, state }) => [taskId, state]));
    },
    restart: async (changes = {}) => {
      await scheduler.stop({ graceMs: 0 });
      await store.close();
      return openBench({ ...options, ...changes, stateDir });
    },
    close: async () => {
      await scheduler.stop({ graceMs: 0 });
      await store.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** A promise with its ends outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
