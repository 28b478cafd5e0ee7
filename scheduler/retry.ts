/** A failed attempt -> does the task try again, and when? Pure. */
import { ERROR_CODES, type ErrorCode } from '../core/errors.ts';
import { sha256 } from '../core/fingerprint.ts';
import type { RetryPolicy, Task, TaskDefaults } from '../core/types.ts';

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
