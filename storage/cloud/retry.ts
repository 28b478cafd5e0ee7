/** Work that may fail for a moment -> its result, tried again with growing pauses for a bounded time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFault } from './fault.ts';

export type Retry = <T>(work: () => Promise<T>) => Promise<T>;

/** From the first failure of one piece of work on; a task is tried again as a whole after that. */
export const DEFAULT_PATIENCE_MS = 90_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 10_000;
/** An address where nobody listens is more often wrong than asleep. */
const UNREACHABLE_PATIENCE_MS = 10_000;
/** Bytes that arrive wrong three times are wrong where they lie. */
const CORRUPT_TRIES = 3;

/** Only for work that a repeat does not harm: reads, and writes under a condition. */
export function createRetry(patienceMs: number): Retry {
  return async (work) => {
    let firstFailedAtMs: number | null = null;
    let corrupt = 0;
    for (let failures = 1; ; failures += 1) {
      try {
        return await work();
      } catch (thrown) {
        if (!(thrown instanceof CloudFault) || !thrown.mayRepeat) throw thrown;
        if (thrown.kind === 'corrupt') corrupt += 1;
        if (corrupt >= CORRUPT_TRIES) throw thrown.givenUp(failures);
        const limitMs = thrown.kind === 'unreachable' ? Math.min(patienceMs, UNREACHABLE_PATIENCE_MS) : patienceMs;
        firstFailedAtMs ??= performance.now();
        const waitMs = pauseMs(failures, thrown.retryAfterMs, Math.random());
        if (performance.now() - firstFailedAtMs + waitMs > limitMs) throw thrown.givenUp(failures);
        await sleep(waitMs);
      }
    }
  };
}

/** Doubles with each failure, less up to a half so that many clients do not come back at once; never sooner than asked. */
export function pauseMs(failures: number, retryAfterMs: number | null, random: number): number {
  const fullMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  return Math.max(fullMs * (1 - random / 2), retryAfterMs ?? 0);
}
