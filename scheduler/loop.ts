/** Wake-ups from anywhere -> one step at a time, at once; and one timer set to exactly when the next thing is due. */
import type { Clock } from '../core/ports.ts';

/** Calls back after so many milliseconds, unless the returned function is called before. */
export type SetTimer = (delayMs: number, fire: () => void) => () => void;

export const systemTimer: SetTimer = (delayMs, fire) => {
  const timer = setTimeout(fire, delayMs);
  return () => clearTimeout(timer);
};

export interface LoopOptions {
  /** Does what is due and returns the instant (epoch ms) of the next thing, or null. */
  readonly step: (nowMs: number) => Promise<number | null>;
  readonly clock: Clock;
  readonly setTimer: SetTimer;
  /** After how many milliseconds a step that failed, for the n-th time in a row, is tried again; null: never, the loop ends. */
  readonly onError: (thrown: unknown, inARow: number) => number | null;
}

/** Should a wake-up be missed, or the clock jump (a laptop that slept), nothing waits longer than this. */
const SAFETY_NET_MS = 15_000;

export class Loop {
  readonly #options: LoopOptions;
  #tail: Promise<unknown> = Promise.resolve();
  #isStarted = false;
  #isWoken = false;
  #cancelTimer: (() => void) | null = null;
  #lastStepMs: number | null = null;
  #failedInARow = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** When the last step ended; null before the first. */
  get lastStepMs(): number | null {
    return this.#lastStepMs;
  }

  start(): void {
    this.#isStarted = true;
    this.wake();
  }

  /** No step begins after this; one under way is waited for. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#cancelTimer?.();
    await this.exclusive(async () => {});
  }

  /** Steps as soon as what has arrived by now has been read, so that attempts which ended together share a transaction. */
  wake(): void {
    if (!this.#isStarted || this.#isWoken) return;
    this.#isWoken = true;
    setImmediate(() => void this.exclusive(() => this.#step()));
  }

  /** Runs something between steps, alone. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => {});
    return done;
  }

  async #step(): Promise<void> {
    this.#isWoken = false;
    if (!this.#isStarted) return;
    this.#cancelTimer?.();
    const { clock, step, setTimer, onError } = this.#options;
    let delayMs = SAFETY_NET_MS;
    try {
      const dueMs = await step(clock.now());
      this.#lastStepMs = clock.now();
      this.#failedInARow = 0;
      if (dueMs !== null) delayMs = Math.min(Math.max(0, dueMs - clock.now()), SAFETY_NET_MS);
    } catch (thrown) {
      this.#failedInARow += 1;
      const retryMs = onError(thrown, this.#failedInARow);
      if (retryMs === null) {
        this.#isStarted = false;
        return;
      }
      delayMs = retryMs;
    }
    this.#cancelTimer = setTimer(delayMs, () => this.wake());
  }
}
