/** Time that an attempt may take -> one call when it is used up; the clock stands still while it is held. */
import type { Clock } from '../../core/ports.ts';

/** What setTimeout can hold: beyond it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs from the moment it is made. */
export class AttemptTimer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #leftMs: number;
  #sinceMs = 0;
  /** Null while held, and once stopped. */
  #timer: NodeJS.Timeout | null = null;
  #isHeld = false;
  #isStopped = false;

  constructor(clock: Clock, limitMs: number, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
    this.#leftMs = limitMs;
    this.#run();
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Said twice it means the same as once. */
  hold(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    if (this.#isStopped) return;
    if (isHeld) this.#pause();
    else this.#run();
  }

  /** It never fires after this. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #run(): void {
    this.#sinceMs = this.#clock.now();
    const sliceMs = Math.min(this.#leftMs, LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#leftMs -= sliceMs;
      if (this.#leftMs > 0) {
        this.#run();
        return;
      }
      this.stop();
      this.#fire();
    }, sliceMs);
  }

  #pause(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    // A wall clock that was set back must not give more time than there was.
    const usedMs = Math.max(0, this.#clock.now() - this.#sinceMs);
    this.#leftMs = Math.max(0, this.#leftMs - usedMs);
  }
}
