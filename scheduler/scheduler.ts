/** Store, executor, clock and DAGs -> a running scheduler, and the control over it. */
import { asPipelineError, PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { Clock, Logger } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { DagRun, TaskDefaults, TaskInstance } from '../core/types.ts';
import { selectTasks } from './advance-run.ts';
import type {
  ClearRequest,
  DagSummary,
  LogLine,
  RunFilter,
  SchedulerControl,
  SchedulerEvent,
  TriggerRequest,
} from './control.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Executor } from './executors/executor.ts';
import { Loop, type SetTimer, systemTimer } from './loop.ts';
import type { Pools } from './plan-dispatch.ts';
import { lastCompleteWindow, runIdFor, windowOfLogicalDate } from './plan-runs.ts';
import { ProjectDags } from './project-dags.ts';
import { loadRun, newRun, type OpenRun } from './run-book.ts';
import { cancelRun, restartTasks } from './run-dag.ts';
import { inDagOrder, RunReader } from './run-reader.ts';
import type { DagVersion, RunStore } from './store/run-store.ts';
import { isFinalRun } from './task-state.ts';

export interface SchedulerOptions {
  /** Open for writing; the caller closes it after `stop`. */
  readonly store: RunStore;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly dags: readonly DagVersion[];
  readonly taskDefaults: TaskDefaults;
  readonly log: Logger;
  /** Logs lie below it: `<stateDir>/logs/<dag>/<run>/<task>/<try>.jsonl`. */
  readonly stateDir: string;
  /** Slots by pool; default `{default: executor.slots, warehouse: 1}`. */
  readonly pools?: Pools;
  readonly setTimer?: SetTimer;
}

export interface Scheduler extends SchedulerControl {
  /** Takes up every run that is not over. With `schedules: false` no cron schedule plans anything. Once. */
  start(options: { readonly schedules: boolean }): Promise<void>;
  /**
   * Starts nothing more, lets attempts under way end for `graceMs` (default 10 s), then kills them. Runs stay resumable: the
   * next start goes on where this one stopped. Ends the executor; the store stays open.
   */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
  /**
   * Resolves when the run is over.
   *
   * @throws PipelineError `run_not_found`; `state_conflict` where the scheduler stops before; what `failed` gives
   */
  waitForRun(dagId: string, runId: string): Promise<DagRun>;
  /** Makes these the project's DAGs; runs under way keep the version that they started with. */
  replaceDags(dags: readonly DagVersion[]): Promise<void>;
  /**
   * Resolves with what keeps the scheduler from going on, `storage_full`; stays open otherwise. Commands are refused with
   * it from then on, and all that is left to do is `stop`.
   */
  readonly failed: Promise<PipelineError>;
}

const DEFAULT_GRACE_MS = 10_000;
const AFTER_ERROR_MS = 1000;
/** A query's spill files may fill a disk for a moment; after so many failed steps in a row it is no moment any more. */
const FULL_DISK_STEPS = 3;
/** Leaves room in a folder's name (255 bytes) for the ids of runs that this one triggers. */
const MAX_RUN_ID = 150;

/** Control works before `start` too: what is triggered then is queued in the store. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new ProjectScheduler(options);
}

class ProjectScheduler implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #dags = new ProjectDags();
  readonly #pools: Pools;
  readonly #reader: RunReader;
  readonly #dispatcher: Dispatcher;
  readonly #loop: Loop;
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  readonly #waiting = new Set<(error: PipelineError | null) => void>();
  readonly failed: Promise<PipelineError>;
  #tellFailure: (error: PipelineError) => void = () => {};
  #failure: PipelineError | null = null;
  #opened: Promise<void> | null = null;
  #stopped: Promise<void> | null = null;
  #hasStarted = false;

  constructor(options: SchedulerOptions) {
    const { store, executor, clock, taskDefaults, log, stateDir } = options;
    this.#options = options;
    this.#pools = options.pools ?? { default: executor.slots, warehouse: 1 };
    this.#reader = new RunReader({ store, clock, stateDir });
    this.#dispatcher = new Dispatcher({
      ...{ store, executor, clock, taskDefaults, log, stateDir },
      dags: this.#dags,
      pools: this.#pools,
      emit: (event) => this.#emit(event),
      wake: () => this.#loop.wake(),
    });
    this.#loop = new Loop({
      step: (nowMs) => this.#dispatcher.step(nowMs),
      clock,
      setTimer: options.setTimer ?? systemTimer,
      onError: (thrown, inARow) => this.#onStepError(thrown, inARow),
    });
    this.failed = new Promise((resolve) => {
      this.#tellFailure = resolve;
    });
  }

  // ---------------------------------------------------------------- life

  async start({ schedules }: { readonly schedules: boolean }): Promise<void> {
    if (this.#hasStarted) throw new Error('the scheduler has been started before');
    this.#hasStarted = true;
    await this.#open();
    await this.#options.executor.prepare();
    await this.#loop.exclusive(() => {
      const nowMs = this.#options.clock.now();
      return this.#dispatcher.recover(nowMs, schedules ? nowMs : null);
    });
    this.#loop.start();
    // One that stays: its first run shall not wait for engines to load.
    if (schedules) this.#options.executor.warm();
  }

  stop({ graceMs = DEFAULT_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    try {
      await this.#loop.exclusive(async () => this.#dispatcher.drain());
      // What an attempt still does could not be written down.
      const waitMs = this.#failure === null ? graceMs : 0;
      await within(waitMs, Promise.all(this.#dispatcher.attemptsInFlight));
      const killed = this.#dispatcher.attemptsInFlight;
      await this.#options.executor.close();
      await Promise.all(killed);
      await this.#loop.stop();
      if (this.#hasStarted) await this.#lastStep();
    } finally {
      for (const giveUp of [...this.#waiting]) giveUp(null);
    }
  }

  /** Writes down how the attempts ended. Where the disk has no room for it, the next start closes them as lost. */
  async #lastStep(): Promise<void> {
    try {
      await this.#loop.exclusive(() => this.#dispatcher.step(this.#options.clock.now()));
    } catch (thrown) {
      const error = asPipelineError(thrown);
      if (error.code !== 'storage_full') throw thrown;
      this.#fail(error);
    }
  }

  #onStepError(thrown: unknown, inARow: number): number | null {
    const error = asPipelineError(thrown);
    if (error.code !== 'storage_full') {
      const facts = { code: error.code, error: error.message, inARow };
      this.#options.log.error('a scheduling step failed; it is tried again', facts);
      return AFTER_ERROR_MS;
    }
    if (inARow < FULL_DISK_STEPS) {
      this.#options.log.info('a scheduling step found the disk full; it is tried again', { inARow });
      return AFTER_ERROR_MS;
    }
    this.#fail(error);
    return null;
  }

  #fail(error: PipelineError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#tellFailure(error);
    for (const giveUp of [...this.#waiting]) giveUp(error);
  }

  waitForRun(dagId: string, runId: string): Promise<DagRun> {
    return new Promise<DagRun>((resolve, reject) => {
      const end = (act: () => void): void => {
        unsubscribe();
        this.#waiting.delete(giveUp);
        act();
      };
      const giveUp = (error: PipelineError | null): void => {
        const message = `The scheduler stopped before run ${runId} of DAG ${dagId} was over. The next start goes on with it.`;
        end(() => reject(error ?? new PipelineError('state_conflict', message)));
      };
      const look = (run: DagRun): void => {
        if (run.dagId === dagId && run.runId === runId && isFinalRun(run.state)) end(() => resolve(run));
      };
      const unsubscribe = this.subscribe((event) => {
        if (event.kind === 'run') look(event.run);
      });
      this.#waiting.add(giveUp);
      if (this.#failure !== null) giveUp(this.#failure);
      this.getRun(dagId, runId).then(look, (thrown) => end(() => reject(thrown)));
    });
  }

  async replaceDags(dags: readonly DagVersion[]): Promise<void> {
    await this.#open();
    await this.#loop.exclusive(() => this.#register(dags));
    this.#loop.wake();
  }

  // ---------------------------------------------------------------- reading

  async listDags(): Promise<readonly DagSummary[]> {
    await this.#open();
    return this.#reader.listDags();
  }

  async getDag(dagId: string): Promise<DagSummary> {
    await this.#open();
    return this.#reader.getDag(dagId);
  }

  async getSpec(dagId: string): Promise<Spec> {
    await this.#open();
    return this.#dags.get(dagId).version.spec;
  }

  async listRuns(filter: RunFilter): Promise<{ readonly runs: readonly DagRun[]; readonly total: number }> {
    await this.#open();
    return this.#reader.listRuns(filter);
  }

  async getRun(dagId: string, runId: string): Promise<DagRun> {
    await this.#open();
    return this.#reader.getRun(dagId, runId);
  }

  async listTaskInstances(dagId: string, runId: string): Promise<readonly TaskInstance[]> {
    await this.#open();
    return this.#reader.listTaskInstances(dagId, runId);
  }

  async getTaskInstance(dagId: string, runId: string, taskId: string): Promise<TaskInstance> {
    await this.#open();
    return this.#reader.getTaskInstance(dagId, runId, taskId);
  }

  async logs(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<readonly LogLine[]> {
    await this.#open();
    return this.#reader.logs(dagId, runId, taskId, tryNumber);
  }

  subscribe(listener: (event: SchedulerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async health(): Promise<{ readonly store: 'healthy' | 'unhealthy'; readonly schedulerHeartbeatMs: number | null }> {
    const isHealthy = await this.#options.store.isHealthy();
    return { store: isHealthy ? 'healthy' : 'unhealthy', schedulerHeartbeatMs: this.#loop.lastStepMs };
  }

  // ---------------------------------------------------------------- acting

  async setPaused(dagId: string, isPaused: boolean): Promise<DagSummary> {
    await this.#command(async (atMs) => {
      this.#dags.get(dagId);
      const action = isPaused ? 'pause' : 'unpause';
      const event = { atMs, actor: 'user', action, dagId, runId: null, taskId: null, detail: '' };
      await this.#options.store.setPaused(dagId, isPaused, event);
      this.#dags.setPaused(dagId, isPaused, atMs);
    });
    return this.#reader.getDag(dagId);
  }

  trigger(request: TriggerRequest): Promise<DagRun> {
    return this.#command(async (nowMs) => {
      const { version } = this.#dags.get(request.dagId);
      const run = await this.#requestedRun(request, version, nowMs);
      const step = this.#dispatcher.newStep(nowMs);
      step.draft.createRun(newRun(run, null, version, this.#options.taskDefaults));
      const { dagId, runId, triggeredBy } = run;
      step.draft.logEvent({ actor: triggeredBy, action: 'trigger', dagId, runId, taskId: null, detail: '' });
      await this.#dispatcher.commit(step);
      return run;
    });
  }

  clear(request: ClearRequest): Promise<readonly TaskInstance[]> {
    return this.#command(async (nowMs) => {
      const { dagId, runId } = request;
      const open = await this.#openRun(dagId, runId);
      const version = request.onLatestVersion ? this.#dags.get(dagId).version : { dag: open.dag, spec: open.spec };
      const chosen = chooseInstances(request, version, open);
      if (request.dryRun || chosen.length === 0) return chosen;
      const step = this.#dispatcher.newStep(nowMs);
      restartTasks(step, open, new Set(chosen.map((instance) => instance.taskId)), version);
      const detail = chosen.map((instance) => instance.taskId).join(' ');
      step.draft.logEvent({ actor: 'user', action: 'clear', dagId, runId, taskId: null, detail });
      await this.#dispatcher.commit(step);
      this.#dispatcher.killStale(open, 'the task was cleared');
      return chosen.map((instance) => open.instances.get(instance.taskId) ?? instance);
    });
  }

  async cancel(dagId: string, runId: string): Promise<DagRun> {
    const { run, dying } = await this.#command(async (nowMs) => {
      const open = await this.#openRun(dagId, runId);
      if (isFinalRun(open.run.state)) {
        const message = `Run ${runId} of DAG ${dagId} is over already (${open.run.state}), so there is nothing to cancel.`;
        throw new PipelineError('state_conflict', message);
      }
      const step = this.#dispatcher.newStep(nowMs);
      cancelRun(step, open);
      step.draft.logEvent({ actor: 'user', action: 'cancel', dagId, runId, taskId: null, detail: '' });
      await this.#dispatcher.commit(step);
      const ended = step.draft.endedRuns();
      return {
        run: open.run,
        dying: ended.flatMap((each) => this.#dispatcher.killStale(each, 'the run was cancelled')),
      };
    });
    // Once this returns, no attempt of the run writes anything any more.
    await Promise.all(dying);
    return run;
  }

  // ---------------------------------------------------------------- inside

  /** Registers the DAGs and reads the runs that are not over; once, before anything else. */
  #open(): Promise<void> {
    this.#opened ??= this.#loop.exclusive(async () => {
      await this.#register(this.#options.dags);
      await this.#dispatcher.book.load(this.#options.store);
    });
    return this.#opened;
  }

  /** Runs a command between two steps, and a step after it. */
  async #command<T>(act: (nowMs: number) => Promise<T>): Promise<T> {
    await this.#open();
    if (this.#failure !== null) throw this.#failure;
    const result = await this.#loop.exclusive(() => act(this.#options.clock.now()));
    this.#loop.wake();
    return result;
  }

  async #register(dags: readonly DagVersion[]): Promise<void> {
    for (const { dag } of dags) {
      for (const task of dag.tasks) {
        if (Object.hasOwn(this.#pools, task.pool)) continue;
        const known = Object.keys(this.#pools).join(', ');
        const message = `Task ${task.id} of DAG ${dag.id} wants a slot of pool "${task.pool}". Known pools: ${known}.`;
        throw new PipelineError('spec_invalid', message);
      }
    }
    await this.#dags.register(this.#options.store, dags, this.#options.clock);
  }

  /** @throws PipelineError `dag_not_found`, `run_not_found` */
  async #openRun(dagId: string, runId: string): Promise<OpenRun> {
    const open = this.#dispatcher.book.get({ dagId, runId });
    if (open) return open;
    const { store } = this.#options;
    const stored = await store.findRun(dagId, runId);
    if (stored) return loadRun(store, stored);
    // Says which of the two is not there.
    await this.#reader.getRun(dagId, runId);
    throw new Error(`run ${dagId}/${runId} vanished`);
  }

  async #requestedRun(request: TriggerRequest, version: DagVersion, nowMs: number): Promise<DagRun> {
    const { dag } = version;
    const logicalDateMs = request.logicalDateMs ?? null;
    const interval =
      request.interval ??
      (logicalDateMs === null ? lastCompleteWindow(dag, nowMs) : windowOfLogicalDate(dag, logicalDateMs));
    requireInterval(interval);
    const runType = request.runType ?? 'manual';
    if (request.runId !== undefined) requireRunId(request.runId);
    const runId =
      request.runId ?? (await this.#freeRunId(dag.id, runIdFor(runType, logicalDateMs ?? nowMs), logicalDateMs));
    const rival = await this.#options.store.findRival(dag.id, runId, logicalDateMs);
    if (rival) throw runExists(rival, runId);
    return {
      ...{ dagId: dag.id, runId, runType, logicalDateMs, interval },
      state: 'queued',
      triggeredBy: request.triggeredBy,
      runAfterMs: nowMs,
      queuedAtMs: nowMs,
      startedAtMs: null,
      endedAtMs: null,
      conf: request.conf ?? {},
      note: request.note ?? null,
      dagFingerprint: dag.fingerprint,
    };
  }

  /** Two triggers without a date in one millisecond are two runs; two with the same date are a conflict. */
  async #freeRunId(dagId: string, wanted: string, logicalDateMs: number | null): Promise<string> {
    if (logicalDateMs !== null) return wanted;
    let runId = wanted;
    for (let n = 2; (await this.#options.store.findRival(dagId, runId, null)) !== null; n += 1)
      runId = `${wanted}_${n}`;
    return runId;
  }

  #emit(event: SchedulerEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.#options.log.error('a listener of scheduler events failed', { error });
      }
    }
  }
}

/** In the DAG's order. `onlyFailed` takes what failed, what that held up, and what a cancel ended. */
function chooseInstances(request: ClearRequest, { dag }: DagVersion, open: OpenRun): readonly TaskInstance[] {
  const { taskIds, onlyFailed, downstream, upstream } = request;
  const ids = taskIds ?? dag.tasks.map((task) => task.id);
  for (const id of ids) {
    if (dag.tasks.some((task) => task.id === id || task.group === id)) continue;
    throw new PipelineError('task_not_found', `DAG ${dag.id} has no task or group "${id}".`);
  }
  const selected = selectTasks(dag, ids, { downstream, upstream });
  const chosen = [...open.instances.values()].filter(({ taskId, state, error }) => {
    if (!selected.has(taskId)) return false;
    return !onlyFailed || state === 'failed' || state === 'upstream_failed' || error?.code === 'task_cancelled';
  });
  return inDagOrder(dag, chosen);
}

function requireRunId(runId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.~:+-]*$/.test(runId) && runId.length <= MAX_RUN_ID) return;
  throw new PipelineError(
    'usage',
    `"${runId}" is no run id: up to ${MAX_RUN_ID} letters, digits and _ . ~ : + -, the first a letter or a digit.`,
  );
}

function requireInterval({ startMs, endMs }: DagRun['interval']): void {
  if (Number.isSafeInteger(startMs) && Number.isSafeInteger(endMs) && startMs < endMs) return;
  throw new PipelineError('usage', 'A data interval ends after it starts.');
}

function runExists(rival: DagRun, runId: string): PipelineError {
  const why =
    rival.runId === runId
      ? `run ${runId}`
      : rival.logicalDateMs === null
        ? `run ${rival.runId}, whose folders ${runId} would share`
        : `run ${rival.runId} for ${isoInstant(rival.logicalDateMs)}`;
  const message = `DAG ${rival.dagId} already has ${why} (${rival.state}). Clear that run to run it again, or choose another id.`;
  return new PipelineError('run_exists', message, { context: { runId: rival.runId, state: rival.state } });
}

/** Resolves when the work ends or the time is over, whichever comes first. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
