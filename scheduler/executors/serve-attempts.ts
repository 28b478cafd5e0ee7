/** The child's side of the protocol: messages from the scheduler -> handlers run, one at a time, and their results sent back. */
import type { Clock, TaskHandlers } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { JsonObject } from '../../core/types.ts';
import type { ChildMessage, ParentMessage, RunMessage } from './child-protocol.ts';
import { type HandlerResult, lineLogger, runHandler } from './run-handler.ts';
import { removeTempFolder } from './temp-folders.ts';

export interface ServeOptions {
  readonly clock: Clock;
  /** Called once, with the settings that the executor was given; what it throws ends the child. */
  readonly createHandlers: (settings: JsonObject) => Promise<TaskHandlers>;
  /** Loads ahead what handlers load at their first task; called where the scheduler expects work. */
  readonly warm?: () => Promise<void>;
}

/** Serves until the scheduler goes away. For a process started by `child_process.fork`; call it once, at the end of its module. */
export function serveAttempts(options: ServeOptions): void {
  const specs = new Map<string, Spec>();
  const aborts = new Map<string, AbortController>();
  let handlers: TaskHandlers = {};

  process.on('message', (message) => {
    void receive(message as ParentMessage).catch(die);
  });
  // A native query may hold up an ordinary exit until it ends.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // Ctrl-C reaches the whole process group; the scheduler decides what becomes of this attempt.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});

  async function receive(message: ParentMessage): Promise<void> {
    switch (message.type) {
      case 'init':
        handlers = await options.createHandlers(message.settings);
        send({ type: 'ready' });
        return;
      case 'warm':
        await options.warm?.();
        return;
      case 'spec':
        specs.set(message.fingerprint, message.spec);
        return;
      case 'run':
        await serve(message);
        return;
      case 'cancel':
        aborts.get(message.attemptId)?.abort();
        return;
      default:
        message satisfies never;
    }
  }

  async function serve(message: RunMessage): Promise<void> {
    const { attemptId, run, task, tryNumber, outputs, tempDir } = message;
    const spec = specs.get(message.specFingerprint);
    if (!spec) throw new Error(`the scheduler sent no spec ${message.specFingerprint}`);
    const abort = new AbortController();
    aborts.set(attemptId, abort);
    const log = lineLogger(options.clock, (line) => send({ type: 'log', attemptId, line }));
    const { signal } = abort;
    const holdTimeout = (isHeld: boolean): void => send({ type: 'hold', attemptId, isHeld });
    const facts = { spec, task, run, tryNumber, outputs, log, signal, tempDir, holdTimeout };
    const result = await runHandler(handlers, facts);
    aborts.delete(attemptId);
    report(message, result);
    await removeTempFolder(tempDir);
  }

  function report({ attemptId, task }: RunMessage, result: HandlerResult): void {
    if (result.kind === 'failed') {
      send({ type: 'failed', attemptId, error: result.error, stack: result.stack });
      return;
    }
    try {
      send({ type: 'done', attemptId, output: result.output });
    } catch (thrown) {
      const message = `The output of task ${task.id} is no JSON: ${thrown instanceof Error ? thrown.message : thrown}`;
      send({ type: 'failed', attemptId, error: { code: 'internal', message, retryable: false }, stack: null });
    }
  }
}

function send(message: ChildMessage): void {
  // Where the scheduler is gone, `disconnect` ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function die(thrown: unknown): void {
  process.stderr.write(`${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`, () =>
    process.kill(process.pid, 'SIGKILL'),
  );
}
