/** One task and the table of handlers -> its output, or the failure as a value. */
import { asPipelineError, type PipelineError } from '../../core/errors.ts';
import { isoInstant } from '../../core/partition.ts';
import type { Clock, Logger, TaskContext, TaskHandler, TaskHandlers } from '../../core/ports.ts';
import type { Task, TaskError, TaskOutput } from '../../core/types.ts';
import type { LogLine } from '../control.ts';
import { makeTempFolder } from './temp-folders.ts';

export type HandlerResult =
  | { readonly kind: 'done'; readonly output: TaskOutput }
  | { readonly kind: 'failed'; readonly error: TaskError; readonly stack: string | null };

/** Makes the attempt's folder and runs the handler of the task's kind; whatever is thrown comes back as a failed result. */
export async function runHandler(handlers: TaskHandlers, context: TaskContext): Promise<HandlerResult> {
  try {
    makeTempFolder(context.tempDir);
    return { kind: 'done', output: await handlerOf(handlers, context.task)(context) };
  } catch (thrown) {
    const error = asPipelineError(thrown);
    const cause = thrown instanceof Error ? thrown : error;
    return { kind: 'failed', error: taskErrorOf(error), stack: cause.stack ?? null };
  }
}

export function taskErrorOf({ code, message, retryable, retryAfterMs }: PipelineError): TaskError {
  return { code, message, retryable, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}

/** A logger whose lines go to `write`, stamped by the clock. */
export function lineLogger(clock: Clock, write: (line: LogLine) => void): Logger {
  const at =
    (level: LogLine['level']) =>
    (message: string, fields?: Record<string, unknown>): void =>
      write({ ...plain(fields), timestamp: isoInstant(clock.now()), level, event: message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Fields as JSON holds them: a count from an engine may be a bigint, a caught thing an Error. */
function plain(fields: Record<string, unknown> | undefined): Record<string, unknown> {
  if (fields === undefined) return {};
  try {
    const text = JSON.stringify(fields, (_key, value: unknown) => {
      if (typeof value === 'bigint') return value.toString();
      return value instanceof Error ? (value.stack ?? value.message) : value;
    });
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { fields: String(fields) };
  }
}

function handlerOf(handlers: TaskHandlers, task: Task): TaskHandler {
  const names = task.layer === null ? [task.kind] : [`${task.kind}.${task.layer}`, task.kind];
  for (const name of names) {
    if (Object.hasOwn(handlers, name) && handlers[name]) return handlers[name];
  }
  throw new Error(`no handler for ${names.join(' or ')}, which task ${task.id} needs`);
}
