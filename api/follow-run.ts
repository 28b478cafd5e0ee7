/** A run -> its states over time, ending with the one that is final. */
import type { DagRun } from '../core/types.ts';
import type { SchedulerControl } from '../scheduler/control.ts';
import { isFinalRun } from '../scheduler/task-state.ts';

/**
 * Yields the run now, then after every interval or as soon as it ends; returns after a final state or an abort.
 *
 * @throws PipelineError `dag_not_found`, `run_not_found`
 */
export async function* followRun(
  control: SchedulerControl,
  dagId: string,
  runId: string,
  intervalMs: number,
  signal: AbortSignal,
): AsyncGenerator<DagRun, void> {
  // Subscribed before the first look, so that an end between look and sleep is not missed.
  const alarm = new Alarm();
  const unsubscribe = control.subscribe((event) => {
    if (event.kind !== 'run' || event.run.dagId !== dagId || event.run.runId !== runId) return;
    if (isFinalRun(event.run.state)) alarm.ring();
  });
  const onAbort = (): void => alarm.ring();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const run = await control.getRun(dagId, runId);
      yield run;
      if (isFinalRun(run.state)) return;
      await alarm.sleep(intervalMs);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unsubscribe();
  }
}

/** A sleep that a ring ends early, also one that rang before it began. */
export class Alarm {
  #isRinging = false;
  #wake: (() => void) | null = null;

  ring(): void {
    this.#isRinging = true;
    this.#wake?.();
  }

  async sleep(ms: number): Promise<void> {
    if (!this.#isRinging) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#isRinging = false;
  }
}
