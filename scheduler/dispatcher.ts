/** What happened since the last step (attempts ended, delays over, ticks due) -> one transaction, then attempts handed to the executor. */
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { daysOfInterval } from '../core/partition.ts';
import type { Clock, Logger, RunFacts } from '../core/ports.ts';
import type { DagRun, Task, TaskDefaults, TaskInstance, TaskOutput } from '../core/types.ts';
import { selectTasks } from './advance-run.ts';
import { attemptIdOf, attemptLogPath } from './attempt-path.ts';
import type { SchedulerEvent } from './control.ts';
import type { AttemptOutcome, Executor } from './executors/executor.ts';
import { type Pools, planDispatch } from './plan-dispatch.ts';
import type { DueRuns, ProjectDags } from './project-dags.ts';
import { lostInARow, timeoutOf } from './retry.ts';
import { loadRun, newRun, type OpenRun, RunBook } from './run-book.ts';
import {
  advanceRuns,
  finishTask,
  interruptTask,
  isOwnWork,
  loseTask,
  resumeDeferred,
  retryTask,
  type Step,
  startTask,
} from './run-dag.ts';
import { StepDraft } from './step-draft.ts';
import type { RunStore } from './store/run-store.ts';

export interface DispatcherOptions {
  readonly store: RunStore;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly dags: ProjectDags;
  readonly taskDefaults: TaskDefaults;
  readonly log: Logger;
  readonly stateDir: string;
  readonly pools: Pools;
  readonly emit: (event: SchedulerEvent) => void;
  /** An attempt has ended: a step should follow. */
  readonly wake: () => void;
}

interface InFlight {
  readonly attemptId: string;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly fence: number;
  readonly pool: string;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
}

interface Launch {
  readonly open: OpenRun;
  readonly task: Task;
  readonly instance: TaskInstance;
}

/** Not to be entered twice at once: its owner lets one step, or one command, follow the other. */
export class Dispatcher {
  readonly book = new RunBook();
  readonly #options: DispatcherOptions;
  readonly #inFlight = new Map<string, InFlight>();
  /** Attempts that have ended and that no step has dealt with yet. */
  #outcomes: { readonly attempt: InFlight; readonly outcome: AttemptOutcome }[] = [];
  /** Runs to look at in the next step though no attempt of theirs ended. */
  #pending = new Set<OpenRun>();
  /** When a retry, or the deadline of a wait, is due; by instance. */
  readonly #timers = new Map<string, { readonly open: OpenRun; readonly taskId: string; readonly atMs: number }>();
  #awakeSinceMs: number | null = null;
  #isDraining = false;
  #wasReloaded = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get attemptsInFlight(): readonly Promise<void>[] {
    return [...this.#inFlight.values()].map((attempt) => attempt.ended);
  }

  /**
   * Takes up the runs of a scheduler that is gone: what it left running is closed as lost and starts over.
   * `awakeSinceMs`: cron ticks count from here on; null: no schedule plans anything.
   */
  async recover(nowMs: number, awakeSinceMs: number | null): Promise<void> {
    this.#awakeSinceMs = awakeSinceMs;
    const step = this.newStep(nowMs);
    await this.#loseOrphans(step);
    for (const open of this.book.list()) await resumeDeferred(step, open);
    await this.commit(step);
    this.#lookAtAll();
  }

  /** From now on attempts end and none begins. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Does all that is due and returns the instant of the next thing, or null. */
  async step(nowMs: number): Promise<number | null> {
    const step = this.newStep(nowMs);
    const outcomes = [...this.#outcomes];
    const pending = [...this.#pending];
    if (this.#wasReloaded) await this.#loseOrphans(step);
    for (const { attempt, outcome } of outcomes) this.#settle(step, attempt, outcome);
    for (const open of pending) step.draft.touch(open);
    let launches: readonly Launch[] = [];
    let due: readonly DueRuns[] = [];
    if (!this.#isDraining) {
      this.#fireTimers(step);
      due = this.#awakeSinceMs === null ? [] : this.#options.dags.due(nowMs, this.#awakeSinceMs);
      for (const runs of due) await this.#createDueRuns(step, runs);
      await advanceRuns(step);
      launches = this.#planLaunches(step);
      // What a start changes opens nothing below it.
      step.draft.takeTouched();
    }
    await this.commit(step);
    this.#wasReloaded = false;
    this.#outcomes = this.#outcomes.slice(outcomes.length);
    for (const open of pending) this.#pending.delete(open);
    for (const open of step.draft.postponed) this.#lookAt(open);
    for (const { version, cursorMs } of due) this.#options.dags.moveCursor(version.dag.id, cursorMs);
    for (const launch of launches) this.#launch(launch);
    return this.#nextDueMs(nowMs);
  }

  newStep(nowMs: number): Step {
    const { store, dags, taskDefaults } = this.#options;
    return {
      draft: new StepDraft(this.book, nowMs),
      defaults: taskDefaults,
      currentVersion: (dagId) => dags.find(dagId)?.version ?? null,
      isPaused: (dagId) => dags.find(dagId)?.isPaused ?? false,
      loadRun: async (dagId, runId) => {
        const stored = await store.findRun(dagId, runId);
        return stored ? loadRun(store, stored) : null;
      },
    };
  }

  /** Stores the draft, makes it true in memory and tells the listeners. Where it cannot be stored, nothing has happened. */
  async commit({ draft }: Step): Promise<void> {
    try {
      await this.#options.store.apply(draft.changes());
    } catch (thrown) {
      // Memory and store disagree: the store is right.
      if (thrown instanceof PipelineError && thrown.code === 'stale_attempt') await this.#reload();
      throw thrown;
    }
    const events = draft.commit();
    // A command leaves what follows from it to the next step.
    for (const open of draft.takeTouched()) this.#lookAt(open);
    for (const event of events) {
      if (event.kind === 'task') this.#setTimer(event.instance);
      this.#options.emit(event);
    }
  }

  /** Kills attempts of a run whose instance has moved on without them. */
  killStale(open: OpenRun, reason: string): readonly Promise<void>[] {
    const { dagId, runId } = open.run;
    const stale = [...this.#inFlight.values()].filter(
      (attempt) =>
        attempt.dagId === dagId &&
        attempt.runId === runId &&
        open.instances.get(attempt.taskId)?.fence !== attempt.fence,
    );
    for (const { attemptId } of stale) this.#options.executor.cancel(attemptId, reason);
    return stale.map((attempt) => attempt.ended);
  }

  // ---------------------------------------------------------------- deciding

  /** Tasks that count as running though no attempt of theirs is: their scheduler is gone. */
  async #loseOrphans(step: Step): Promise<void> {
    const owned = [...this.#inFlight.values(), ...this.#outcomes.map(({ attempt }) => attempt)];
    for (const open of this.book.list()) {
      for (const { dagId, runId, taskId, state, fence, tryNumber } of open.instances.values()) {
        if (state !== 'running' && state !== 'queued') continue;
        const isOwned = owned.some(
          (attempt) =>
            attempt.dagId === dagId && attempt.runId === runId && attempt.taskId === taskId && attempt.fence === fence,
        );
        if (isOwned) continue;
        const attempts = await this.#options.store.listAttempts(dagId, runId, taskId);
        loseTask(step, open, taskId, lostInARow(attempts.filter(({ tryNumber: earlier }) => earlier < tryNumber)));
      }
    }
  }

  #settle(step: Step, attempt: InFlight, outcome: AttemptOutcome): void {
    const open = this.book.get(attempt);
    const instance = open?.instances.get(attempt.taskId);
    // A slot is free again, whatever became of the attempt.
    if (open) step.draft.touch(open);
    if (!open || instance?.fence !== attempt.fence || instance.state !== 'running') return;
    if (outcome.kind === 'done') {
      finishTask(step, open, attempt.taskId, { output: outcome.output }, outcome.pid);
    } else if (this.#isDraining && outcome.error.code === 'task_cancelled') {
      interruptTask(step, open, attempt.taskId);
    } else {
      finishTask(step, open, attempt.taskId, { error: outcome.error }, outcome.pid);
    }
  }

  #fireTimers(step: Step): void {
    for (const { open, taskId, atMs } of this.#timers.values()) {
      if (atMs > step.draft.nowMs) continue;
      const { state } = step.draft.task(open, taskId);
      if (state === 'up_for_retry') retryTask(step, open, taskId);
      if (state !== 'deferred') continue;
      const message = `Task ${taskId} waited longer than its timeout for the run that it triggered.`;
      finishTask(step, open, taskId, { error: { code: 'task_timeout', message, retryable: true } }, null);
    }
  }

  async #createDueRuns(step: Step, { version, runs, cursorMs }: DueRuns): Promise<void> {
    const { store, taskDefaults } = this.#options;
    const dagId = version.dag.id;
    for (const { runId, logicalDateMs, interval, runAfterMs } of runs) {
      // That very date has been triggered by hand, or by an earlier tick: it is not run twice.
      if ((await store.findRival(dagId, runId, logicalDateMs)) !== null) continue;
      const run: DagRun = {
        ...{ dagId, runId, logicalDateMs, interval, runAfterMs },
        state: 'queued',
        runType: 'scheduled',
        triggeredBy: 'timetable',
        queuedAtMs: step.draft.nowMs,
        startedAtMs: null,
        endedAtMs: null,
        conf: {},
        note: null,
        dagFingerprint: version.dag.fingerprint,
      };
      step.draft.createRun(newRun(run, null, version, taskDefaults));
    }
    step.draft.moveCursor(dagId, cursorMs);
  }

  #planLaunches(step: Step): readonly Launch[] {
    const { executor, pools } = this.#options;
    const running = [...this.#inFlight.values()];
    const free = executor.slots - running.length;
    if (free <= 0) return [];
    const busy = new Map<string, number>();
    for (const { pool } of running) busy.set(pool, (busy.get(pool) ?? 0) + 1);
    const dying = new Set(running.map(({ dagId, runId, taskId }) => `${dagId}\n${runId}\n${taskId}`));
    const candidates = readyTasks(step, pools).filter(
      // An earlier attempt of the task that still dies must not run beside the next one.
      ({ open, task }) => !dying.has(`${open.run.dagId}\n${open.run.runId}\n${task.id}`),
    );
    return planDispatch(candidates, pools, busy, free).map(({ open, task }) => ({
      open,
      task,
      instance: startTask(step, open, task.id),
    }));
  }

  #nextDueMs(nowMs: number): number | null {
    if (this.#isDraining) return null;
    if (this.#pending.size > 0) return nowMs;
    const due = [...this.#timers.values()].map(({ atMs }) => atMs);
    const tick = this.#awakeSinceMs === null ? null : this.#options.dags.nextDueMs();
    if (tick !== null) due.push(tick);
    return due.length === 0 ? null : Math.min(...due);
  }

  // ---------------------------------------------------------------- acting

  #launch({ open, task, instance }: Launch): void {
    const { executor, taskDefaults, stateDir, wake, pools } = this.#options;
    const attemptId = attemptIdOf(instance);
    const { dagId, runId, taskId, fence, tryNumber } = instance;
    const outcome = executor.start({
      attemptId,
      run: factsOf(open),
      task,
      tryNumber,
      outputs: outputsFor(task, open),
      spec: open.spec,
      timeoutMs: timeoutOf(task, taskDefaults),
      logPath: join(stateDir, attemptLogPath(instance)),
      onLog: (line) => this.#options.emit({ kind: 'progress', dagId, runId, taskId, line }),
    });
    const ended = outcome.then((result) => {
      this.#outcomes.push({ attempt, outcome: result });
      this.#inFlight.delete(attemptId);
      wake();
    });
    const attempt: InFlight = { attemptId, dagId, runId, taskId, fence, pool: poolOf(task, pools), ended };
    this.#inFlight.set(attemptId, attempt);
  }

  #setTimer(instance: TaskInstance): void {
    const key = `${instance.dagId}\n${instance.runId}\n${instance.taskId}`;
    const open = this.book.get(instance);
    const atMs = open ? timerOf(open, instance) : null;
    if (!open || atMs === null) this.#timers.delete(key);
    else this.#timers.set(key, { open, taskId: instance.taskId, atMs });
  }

  #lookAt(open: OpenRun): void {
    if (this.book.get(open.run) === open) this.#pending.add(open);
  }

  #lookAtAll(): void {
    this.#timers.clear();
    this.#pending = new Set(this.book.list());
    for (const open of this.book.list()) for (const instance of open.instances.values()) this.#setTimer(instance);
  }

  async #reload(): Promise<void> {
    this.#options.log.error('the run store was changed by someone else; it is read again');
    await this.book.load(this.#options.store);
    this.#wasReloaded = true;
    this.#lookAtAll();
  }
}

interface ReadyTask {
  readonly open: OpenRun;
  readonly task: Task;
  readonly pool: string;
  readonly priority: number;
}

function readyTasks({ draft }: Step, pools: Pools): readonly ReadyTask[] {
  const ready: ReadyTask[] = [];
  for (const open of draft.openRuns()) {
    if (draft.run(open).state !== 'running') continue;
    const instanceOf = draft.tasksOf(open);
    for (const task of draft.version(open).dag.tasks) {
      if (instanceOf(task.id).state !== 'scheduled' || isOwnWork(task)) continue;
      ready.push({ open, task, pool: poolOf(task, pools), priority: task.priority });
    }
  }
  return ready;
}

/** A run that is pinned to an old version may name a pool that is gone since. */
function poolOf(task: Task, pools: Pools): string {
  return Object.hasOwn(pools, task.pool) ? task.pool : 'default';
}

/** A retry's instant; the deadline of a wait, which only a timeout of the task's own sets: the runs waited for have theirs. */
function timerOf(open: OpenRun, { taskId, state, nextRetryAtMs, startedAtMs }: TaskInstance): number | null {
  if (state === 'up_for_retry') return nextRetryAtMs;
  if (state !== 'deferred' || startedAtMs === null) return null;
  const timeoutMs = open.dag.tasks.find((task) => task.id === taskId)?.timeoutMs ?? null;
  return timeoutMs === null ? null : startedAtMs + timeoutMs;
}

function factsOf({ run, dag }: OpenRun): RunFacts {
  const { dagId, runId, interval, conf } = run;
  const { first, last } = daysOfInterval(interval, dag.timezone);
  return { dagId, runId, interval, firstDay: first, runDate: last, conf };
}

/** Of the tasks above it alone: what ran beside it by chance must not change what it sees. */
function outputsFor(task: Task, { dag, instances }: OpenRun): { readonly [taskId: string]: TaskOutput } {
  const outputs: { [taskId: string]: TaskOutput } = {};
  for (const taskId of selectTasks(dag, task.upstream, { upstream: true, downstream: false })) {
    const instance = instances.get(taskId);
    if (instance?.state === 'success' && instance.output !== null) outputs[taskId] = instance.output;
  }
  return outputs;
}
