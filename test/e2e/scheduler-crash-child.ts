/** A task child for the crash tests: each attempt leaves a line when it starts, and one when it ends, which a file can put off. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isoInstant } from '../../core/partition.ts';
import { serveAttempts } from '../../scheduler/executors/serve-attempts.ts';
import { systemClock } from '../unit/scheduler-fixtures.ts';
import { heldFile } from './held-file.ts';

serveAttempts({
  clock: systemClock,
  createHandlers: async (settings) => {
    const effects = join(String(settings.folder), 'effects.txt');
    return {
      build: async ({ task, run, tryNumber }) => {
        const beside = othersAlive(effects, `${run.dagId}/${task.id}`);
        const mark = (word: string): void =>
          appendFileSync(effects, `${word} ${run.dagId}/${task.id} ${tryNumber} ${process.pid} ${beside.join(',')}\n`);
        mark('start');
        if (task.params.kills === true) process.kill(process.ppid, 'SIGKILL');
        // A busy child does not hear that its scheduler is gone.
        if (task.params.spin === true && tryNumber === 1) while (true) Math.random();
        await sleep(Number(task.params.ms ?? 20));
        while (existsSync(heldFile(String(settings.folder), `${run.dagId}/${task.id}`))) await sleep(5);
        mark('end');
        return { kind: 'branch', follow: [], because: isoInstant(run.interval.startMs) };
      },
    };
  },
});

/** Processes that began the same task earlier, have not ended it, and are still there. */
function othersAlive(effects: string, task: string): readonly number[] {
  let lines: readonly string[] = [];
  try {
    lines = readFileSync(effects, 'utf8').split('\n');
  } catch {
    return [];
  }
  const of = (word: string): readonly number[] =>
    lines.filter((line) => line.startsWith(`${word} ${task} `)).map((line) => Number(line.split(' ')[3]));
  const ended = of('end');
  return of('start').filter((pid) => {
    if (ended.includes(pid) || pid === process.pid) return false;
    try {
      process.kill(pid, 0);
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  });
}
