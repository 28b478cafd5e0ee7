/** Attempts -> warm child processes of this machine, so that a native crash or a runaway query takes no scheduler along. */
import { asPipelineError } from '../../core/errors.ts';
import { isoInstant } from '../../core/partition.ts';
import type { Clock, Logger } from '../../core/ports.ts';
import type { TaskError } from '../../core/types.ts';
import type { LogLine } from '../control.ts';
import { AttemptLog } from './attempt-log.ts';
import { AttemptTimer } from './attempt-timer.ts';
import type { ChildMessage } from './child-protocol.ts';
import type { AttemptOutcome, AttemptRequest, Executor } from './executor.ts';
import { taskErrorOf } from './run-handler.ts';
import { type ChildOptions, TaskChild } from './task-child.ts';
import { removeTempFolder, removeTempLeftovers, tempFolderOf } from './temp-folders.ts';
import { WorkerRegistry } from './worker-registry.ts';

export interface LocalExecutorOptions extends ChildOptions {
  /** Children, and so attempts, at once. */
  readonly slots: number;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Between asking an attempt to end and killing its process; default 2 s. */
  readonly cancelGraceMs?: number;
  /** The same for one that is held by then: it has jobs on another machine to cancel; default 10 s. */
  readonly heldGraceMs?: number;
  /** For a child to load its engines. */
  readonly bootTimeoutMs?: number;
}

interface Worker {
  readonly child: TaskChild;
  attempt: Attempt | null;
  /** Of the last attempt: output that lags behind its end still belongs to it. */
  log: AttemptLog | null;
  readonly bootTimer: NodeJS.Timeout;
  /** Why its process was killed before it could do anything. */
  fault: TaskError | null;
}

interface Attempt {
  readonly request: AttemptRequest;
  readonly tempDir: string;
  readonly resolve: (outcome: AttemptOutcome) => void;
  /** Its timeout; null until it has been sent. */
  timer: AttemptTimer | null;
  /** Set once it is to end: what it will have failed with. */
  ending: TaskError | null;
  /** Kills the process of an attempt that is to end. */
  killTimer: NodeJS.Timeout | null;
}

/**
 * Children are forked when first needed, one ahead of need, and kept. One whose child dies fails as `task_died` with the
 * child's last words. An attempt that is cancelled or too slow is asked to end by its signal and then killed with its child:
 * after `cancelGraceMs`, or, where its handler holds the timeout (before the signal or upon it), after `heldGraceMs`, in
 * which it may cancel what it has running elsewhere. `close` waits for nothing: what runs elsewhere is found again by its id.
 */
export class LocalExecutor implements Executor {
  readonly slots: number;
  readonly #options: LocalExecutorOptions;
  readonly #workers = new Set<Worker>();
  readonly #registry: WorkerRegistry;
  /** Logs being closed and folders being removed. */
  readonly #background = new Set<Promise<void>>();
  #isClosed = false;
  #onEmpty: (() => void) | null = null;

  constructor(options: LocalExecutorOptions) {
    this.#options = options;
    this.slots = options.slots;
    this.#registry = new WorkerRegistry(options.stateDir);
  }

  async prepare(): Promise<void> {
    await this.#registry.reap();
    await removeTempLeftovers(this.#options.stateDir);
  }

  warm(): void {
    while (!this.#isClosed && this.#workers.size < this.slots) this.#fork();
    for (const { child } of this.#workers) child.send({ type: 'warm' });
  }

  start(request: AttemptRequest): Promise<AttemptOutcome> {
    return new Promise((resolve) => {
      if (this.#isClosed) {
        resolve({ kind: 'failed', error: cancelled(request, 'the scheduler stops'), stack: null, pid: null });
        return;
      }
      const worker = this.#takeWorker();
      const tempDir = tempFolderOf(this.#options.stateDir, request.attemptId);
      worker.attempt = { request, tempDir, resolve, timer: null, ending: null, killTimer: null };
      this.#closeLog(worker);
      worker.log = new AttemptLog(request.logPath);
      if (worker.child.isReady) this.#send(worker, worker.attempt);
      if (this.#free().length === 0 && this.#workers.size < this.slots) this.#fork();
    });
  }

  cancel(attemptId: string, reason: string): void {
    for (const worker of this.#workers) {
      const { attempt } = worker;
      if (attempt?.request.attemptId === attemptId) this.#end(worker, attempt, cancelled(attempt.request, reason));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const worker of this.#workers) {
      if (worker.attempt) worker.attempt.ending ??= cancelled(worker.attempt.request, 'the scheduler stops');
      worker.child.kill();
    }
    if (this.#workers.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    await Promise.all(this.#background);
    await removeTempLeftovers(this.#options.stateDir);
  }

  #free(): readonly Worker[] {
    return [...this.#workers].filter(({ attempt, fault }) => attempt === null && fault === null);
  }

  #takeWorker(): Worker {
    const free = this.#free();
    return free.find((worker) => worker.child.isReady) ?? free[0] ?? this.#fork();
  }

  #fork(): Worker {
    const child = new TaskChild(this.#options, {
      onMessage: (message) => this.#onMessage(worker, message),
      onOutput: (stream, line) => this.#onOutput(worker, stream, line),
      onExit: (how, lastWords) => this.#onExit(worker, how, lastWords),
    });
    const bootTimer = setTimeout(() => child.kill(), this.#options.bootTimeoutMs ?? 60_000);
    const worker: Worker = { child, attempt: null, log: null, bootTimer, fault: null };
    this.#workers.add(worker);
    this.#register(worker);
    return worker;
  }

  /** A child that no later scheduler could find must not run: its disk may be full. */
  #register(worker: Worker): void {
    try {
      if (worker.child.pid !== null) this.#registry.add(worker.child.pid);
    } catch (thrown) {
      worker.fault = taskErrorOf(asPipelineError(thrown));
      worker.child.kill();
    }
  }

  #send(worker: Worker, attempt: Attempt): void {
    const { request, tempDir } = attempt;
    const { attemptId, run, task, tryNumber, outputs, spec } = request;
    const specFingerprint = spec.fingerprint;
    if (!worker.child.hasSpec(specFingerprint)) {
      worker.child.send({ type: 'spec', fingerprint: specFingerprint, spec });
    }
    worker.child.send({ type: 'run', attemptId, run, task, tryNumber, outputs, tempDir, specFingerprint });
    attempt.timer = new AttemptTimer(this.#options.clock, request.timeoutMs, () =>
      this.#end(worker, attempt, timedOut(request)),
    );
  }

  #onMessage(worker: Worker, message: ChildMessage): void {
    if (message.type === 'ready') {
      clearTimeout(worker.bootTimer);
      if (worker.attempt && !worker.attempt.ending) this.#send(worker, worker.attempt);
      return;
    }
    const { attempt } = worker;
    if (attempt?.request.attemptId !== message.attemptId) return;
    if (message.type === 'log') {
      this.#log(worker, message.line);
      return;
    }
    if (message.type === 'hold') {
      attempt.timer?.hold(message.isHeld);
      return;
    }
    // Asked to end, it did: but what it left running in native code ends only with its process.
    if (attempt.ending) {
      worker.child.kill();
      return;
    }
    const { pid } = worker.child;
    if (message.type === 'done') {
      this.#settle(worker, attempt, { kind: 'done', output: message.output, pid });
      return;
    }
    const { error, stack } = message;
    this.#settle(worker, attempt, { kind: 'failed', error, stack, pid });
  }

  #onOutput(worker: Worker, stream: 'stdout' | 'stderr', line: string): void {
    const timestamp = isoInstant(this.#options.clock.now());
    this.#log(worker, { timestamp, level: stream === 'stderr' ? 'warn' : 'info', event: line, stream });
  }

  #onExit(worker: Worker, how: string, lastWords: string): void {
    clearTimeout(worker.bootTimer);
    this.#workers.delete(worker);
    if (worker.child.pid !== null && worker.fault === null) this.#registry.remove(worker.child.pid);
    const { attempt } = worker;
    if (attempt) {
      this.#inBackground(removeTempFolder(attempt.tempDir));
      const error = attempt.ending ?? worker.fault ?? died(attempt.request, how, lastWords);
      this.#settle(worker, attempt, { kind: 'failed', error, stack: null, pid: worker.child.pid });
    } else if (!this.#isClosed) {
      this.#options.log.warn(`a waiting task process ${how}`, { lastWords, fault: worker.fault?.message });
    }
    this.#closeLog(worker);
    if (this.#workers.size === 0) this.#onEmpty?.();
  }

  #end(worker: Worker, attempt: Attempt, error: TaskError): void {
    if (worker.attempt !== attempt || attempt.ending) return;
    attempt.ending = error;
    worker.child.send({ type: 'cancel', attemptId: attempt.request.attemptId });
    attempt.timer?.stop();
    const { cancelGraceMs = 2000, heldGraceMs = 10_000 } = this.#options;
    const graceMs = worker.child.isReady ? cancelGraceMs : 0;
    attempt.killTimer = setTimeout(() => {
      if (!attempt.timer?.isHeld) worker.child.kill();
      else attempt.killTimer = setTimeout(() => worker.child.kill(), heldGraceMs - graceMs);
    }, graceMs);
  }

  #settle(worker: Worker, attempt: Attempt, outcome: AttemptOutcome): void {
    attempt.timer?.stop();
    if (attempt.killTimer) clearTimeout(attempt.killTimer);
    if (outcome.kind === 'failed') {
      const timestamp = isoInstant(this.#options.clock.now());
      const { code, message } = outcome.error;
      const stack = outcome.stack === null ? {} : { stack: outcome.stack };
      this.#log(worker, { timestamp, level: 'error', event: message, code, ...stack });
    }
    worker.attempt = null;
    attempt.resolve(outcome);
  }

  #log(worker: Worker, line: LogLine): void {
    worker.log?.write(line);
    worker.attempt?.request.onLog(line);
  }

  #closeLog(worker: Worker): void {
    if (worker.log) this.#inBackground(worker.log.close());
    worker.log = null;
  }

  #inBackground(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#background.delete(tracked));
    this.#background.add(tracked);
  }
}

function cancelled({ task }: AttemptRequest, reason: string): TaskError {
  return { code: 'task_cancelled', message: `Task ${task.id} was ended: ${reason}.`, retryable: false };
}

function timedOut({ task, timeoutMs }: AttemptRequest): TaskError {
  const message = `Task ${task.id} ran longer than its limit of ${timeoutMs / 1000} s and was ended. Find out what held it up, or raise its timeout.`;
  return { code: 'task_timeout', message, retryable: true };
}

function died({ task }: AttemptRequest, how: string, lastWords: string): TaskError {
  const words = lastWords === '' ? 'It wrote nothing to standard error.' : `Its last words: ${lastWords}`;
  return { code: 'task_died', message: `The process of task ${task.id} ${how}. ${words}`, retryable: true };
}
