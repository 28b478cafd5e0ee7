/** Ctrl-C and SIGTERM -> a scheduler that stops cleanly, a word on how to go on, and exit code 130. */
import type { Scheduler } from '../scheduler/scheduler.ts';

/** The second signal ends the process at once; its runs are resumed all the same. */
export function onInterrupt(scheduler: Scheduler, advice: string): Disposable {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(130);
    isStopping = true;
    process.stderr.write('\nStopping …\n');
    void scheduler.stop({ graceMs: 2_000 }).then(() => {
      process.stderr.write(`Stopped. ${advice}\n`);
      process.exit(130);
    });
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
