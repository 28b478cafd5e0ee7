/** A failed attempt -> does the task try again, and when? Pure. */
import { ERROR_CODES, type ErrorCode } from '../core/errors.ts';
import { sha256 } from '../core/fingerprint.ts';
import type { RetryPolicy, Task, TaskDefaults, TaskError } from '../core/types.ts';

/** The environment's policy with what the task's own spec says laid over it, field by field. */
export function retryPolicyOf(task: Pick<Task, 'retry'>, defaults: TaskDefaults): RetryPolicy {
  return { ...defaults.retry, ...task.retry };
}

export function timeoutOf(task: Pick<Task, 'timeoutMs'>, defaults: TaskDefaults): number {
  return task.timeoutMs ?? defaults.timeoutMs;
}

/** The error table alone decides; a code that it does not know is final. */
export function isRetryable(code: string): boolean {
  return Object.hasOwn(ERROR_CODES, code) && ERROR_CODES[code as ErrorCode].retryable;
}

/**
 * Milliseconds from the end of try `tryNumber` (from 1) to the next one, never above `maxDelayMs`.
 *
 * With backoff the delay doubles with every try and is spread by up to a quarter either way, so that tasks that failed
 * together do not return together; the spread depends on `seed` alone, so that the same try always waits as long.
 */
export function retryDelayMs(policy: RetryPolicy, tryNumber: number, seed: string): number {
  if (!policy.exponentialBackoff) return Math.min(policy.delayMs, policy.maxDelayMs);
  const doubled = policy.delayMs * 2 ** Math.max(0, tryNumber - 1);
  const fraction = Number.parseInt(sha256(`${seed}#${tryNumber}`).slice(0, 8), 16) / 0xffff_ffff;
  return Math.round(Math.min(doubled * (0.75 + fraction / 2), policy.maxDelayMs));
}

/** The policy's delay, or what the error itself asks for where that is longer: a quota is refilled when it is refilled. */
export function delayAfter(error: TaskError, policy: RetryPolicy, tryNumber: number, seed: string): number {
  const delayMs = retryDelayMs(policy, tryNumber, seed);
  const { retryAfterMs = 0 } = error;
  return Number.isFinite(retryAfterMs) ? Math.max(delayMs, retryAfterMs) : delayMs;
}

/**
 * Lost tries use up no retry; so many in a row, and the task itself is the likely cause. Not fewer: a machine that is restarted
 * again and again while the same task runs must not fail it.
 */
export const MOST_LOST_IN_A_ROW = 8;

/** Tries at the end that were lost with a scheduler which nobody had stopped; `attempts` by try number. */
export function lostInARow(attempts: readonly LostAttempt[]): number {
  const kept = attempts.findLastIndex(({ state, error }) => state !== 'lost' || error?.code !== 'task_died');
  return attempts.length - 1 - kept;
}

interface LostAttempt {
  readonly state: string;
  readonly error: { readonly code: string } | null;
}
