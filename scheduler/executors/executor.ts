/** What the scheduler asks of whatever runs attempts. */
import type { RunFacts } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { Task, TaskError, TaskOutput } from '../../core/types.ts';
import type { LogLine } from '../control.ts';

export interface AttemptRequest {
  /** Unique among all attempts of the project: `dag/run/task/map index/try`. */
  readonly attemptId: string;
  readonly run: RunFacts;
  readonly task: Task;
  readonly tryNumber: number;
  /** Outputs of the run's tasks that have succeeded, by task id. */
  readonly outputs: { readonly [taskId: string]: TaskOutput };
  readonly spec: Spec;
  /** From the moment the handler starts. */
  readonly timeoutMs: number;
  /** Absolute; JSON lines, created with the first one. */
  readonly logPath: string;
  /** Each line of the attempt as it comes, also those of its output streams. */
  readonly onLog: (line: LogLine) => void;
}

export type AttemptOutcome = {
  /** Process that ran it; null where it ran in this one or in none. */
  readonly pid: number | null;
} & (
  | { readonly kind: 'done'; readonly output: TaskOutput }
  | { readonly kind: 'failed'; readonly error: TaskError; readonly stack: string | null }
);

export interface Executor {
  /** Attempts that may run at once; the scheduler hands over no more. */
  readonly slots: number;
  /** Ends and removes what an earlier scheduler of this project left behind. Once, before the first attempt. */
  prepare(): Promise<void>;
  /** Resolves when nothing of the attempt runs any more; never rejects. */
  start(request: AttemptRequest): Promise<AttemptOutcome>;
  /** Ends an attempt as `task_cancelled`; does nothing for one that is over. */
  cancel(attemptId: string, reason: string): void;
  /** Makes ready for work ahead of it, in the background. */
  warm(): void;
  /** Ends whatever still runs. */
  close(): Promise<void>;
}
