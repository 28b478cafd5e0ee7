/** Attempts -> handlers called in this very process: no isolation, no start-up cost. */
import { isoInstant } from '../../core/partition.ts';
import type { Clock, TaskHandlers } from '../../core/ports.ts';
import type { TaskError } from '../../core/types.ts';
import type { LogLine } from '../../scheduler/control.ts';
import { AttemptLog } from '../../scheduler/executors/attempt-log.ts';
import { AttemptTimer } from '../../scheduler/executors/attempt-timer.ts';
import type { AttemptOutcome, AttemptRequest, Executor } from '../../scheduler/executors/executor.ts';
import { lineLogger, runHandler } from '../../scheduler/executors/run-handler.ts';
import { removeTempFolder, removeTempLeftovers, tempFolderOf } from '../../scheduler/executors/temp-folders.ts';

interface InProcessExecutorOptions {
  readonly handlers: TaskHandlers;
  readonly slots: number;
  readonly stateDir: string;
  readonly clock: Clock;
}

/** A handler has to heed its signal: nothing else can end it, and `start` resolves only when it has ended. */
export class InProcessExecutor implements Executor {
  readonly slots: number;
  readonly #options: InProcessExecutorOptions;
  readonly #running = new Map<string, { readonly end: (error: TaskError) => void; readonly over: Promise<unknown> }>();

  constructor(options: InProcessExecutorOptions) {
    this.#options = options;
    this.slots = options.slots;
  }

  async prepare(): Promise<void> {
    await removeTempLeftovers(this.#options.stateDir);
  }

  warm(): void {}

  start(request: AttemptRequest): Promise<AttemptOutcome> {
    const abort = new AbortController();
    const why: { error: TaskError | null } = { error: null };
    const end = (error: TaskError): void => {
      why.error ??= error;
      abort.abort();
    };
    const { task, timeoutMs } = request;
    const message = `Task ${task.id} was ended: it ran longer than its limit of ${timeoutMs / 1000} s.`;
    const timer = new AttemptTimer(this.#options.clock, timeoutMs, () =>
      end({ code: 'task_timeout', message, retryable: true }),
    );
    const over = this.#run(request, abort.signal, (isHeld) => timer.hold(isHeld)).then((outcome): AttemptOutcome => {
      timer.stop();
      this.#running.delete(request.attemptId);
      return why.error === null ? outcome : { kind: 'failed', error: why.error, stack: null, pid: null };
    });
    this.#running.set(request.attemptId, { end, over });
    return over;
  }

  cancel(attemptId: string, reason: string): void {
    this.#running.get(attemptId)?.end({ code: 'task_cancelled', message: reason, retryable: false });
  }

  async close(): Promise<void> {
    for (const { end } of this.#running.values()) {
      end({ code: 'task_cancelled', message: 'The scheduler stops.', retryable: false });
    }
    await Promise.all([...this.#running.values()].map(({ over }) => over));
  }

  async #run(
    request: AttemptRequest,
    signal: AbortSignal,
    holdTimeout: (isHeld: boolean) => void,
  ): Promise<AttemptOutcome> {
    const { run, task, tryNumber, outputs, spec } = request;
    const { clock, handlers, stateDir } = this.#options;
    const file = new AttemptLog(request.logPath);
    const write = (line: LogLine): void => {
      file.write(line);
      request.onLog(line);
    };
    const log = lineLogger(clock, write);
    const tempDir = tempFolderOf(stateDir, request.attemptId);
    const facts = { spec, task, run, tryNumber, outputs, log, signal, tempDir, holdTimeout };
    const result = await runHandler(handlers, facts);
    if (result.kind === 'failed') {
      const { code, message } = result.error;
      write({ timestamp: isoInstant(clock.now()), level: 'error', event: message, code, stack: result.stack });
    }
    await file.close();
    await removeTempFolder(tempDir);
    return { ...result, pid: null };
  }
}
