/**
 * The messages between the scheduler and a task child, JSON over the channel of `child_process.fork`.
 *
 * parent: init, [child: ready], then per attempt: spec (once per fingerprint and child), run, [child: (log | hold)*, done | failed].
 * `warm`, at any time, has the child load its engines ahead of the tasks that need them.
 * One attempt at a time. After `cancel` the parent waits a short grace, a longer one for an attempt that is held, and kills.
 */
import type { RunFacts } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { JsonObject, Task, TaskError, TaskOutput } from '../../core/types.ts';
import type { LogLine } from '../control.ts';

export type ParentMessage =
  | { readonly type: 'init'; readonly settings: JsonObject }
  | { readonly type: 'warm' }
  | { readonly type: 'spec'; readonly fingerprint: string; readonly spec: Spec }
  | RunMessage
  | { readonly type: 'cancel'; readonly attemptId: string };

export interface RunMessage {
  readonly type: 'run';
  readonly attemptId: string;
  readonly run: RunFacts;
  readonly task: Task;
  readonly tryNumber: number;
  readonly outputs: { readonly [taskId: string]: TaskOutput };
  /** The child makes it before the handler runs and removes it after; the parent does so for a child that died. */
  readonly tempDir: string;
  /** Of a spec sent before. */
  readonly specFingerprint: string;
}

export type ChildMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'log'; readonly attemptId: string; readonly line: LogLine }
  /** True: it waits for another machine's turn, or for one to take back what it has asked for. */
  | { readonly type: 'hold'; readonly attemptId: string; readonly isHeld: boolean }
  | { readonly type: 'done'; readonly attemptId: string; readonly output: TaskOutput }
  | {
      readonly type: 'failed';
      readonly attemptId: string;
      readonly error: TaskError;
      readonly stack: string | null;
    };
