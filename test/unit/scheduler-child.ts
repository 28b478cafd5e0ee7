/** A task child for tests of the local executor: what a task does is said by its params. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../core/errors.ts';
import type { TaskHandler } from '../../core/ports.ts';
import { serveAttempts } from '../../scheduler/executors/serve-attempts.ts';
import { systemClock } from './scheduler-fixtures.ts';

let isWarm = false;

const build: TaskHandler = async (context) => {
  const { task, log, signal, tempDir, tryNumber, spec, outputs, run, holdTimeout } = context;
  switch (task.params.do ?? 'nothing') {
    case 'nothing':
      return { kind: 'nothing' };
    case 'log':
      log.info('counted', { rows: 3n });
      console.log('plain line');
      console.error('plain fault');
      return { kind: 'nothing' };
    case 'tell':
      writeFileSync(join(tempDir, 'scratch'), 'x');
      return {
        kind: 'branch',
        follow: [spec.pipeline, run.runDate, String(process.env.UV_THREADPOOL_SIZE), ...Object.keys(outputs)],
        because: `${process.pid} ${tempDir}`,
      };
    case 'say whether warm':
      return { kind: 'branch', follow: [], because: String(isWarm) };
    case 'refuse':
      throw new PipelineError('bronze_missing', 'no manifest for 2025-10-15');
    case 'bug':
      throw new TypeError('undefined is not a function');
    case 'die':
      console.error('about to fall');
      process.kill(process.pid, 'SIGSEGV');
      await sleep(60_000);
      return { kind: 'nothing' };
    case 'exit':
      process.exit(3);
      break;
    case 'die once':
      if (tryNumber === 1) process.exit(9);
      return { kind: 'nothing' };
    case 'spin':
      while (true) Math.random();
    case 'wait':
      await sleep(60_000, null, { signal });
      return { kind: 'nothing' };
    case 'hold':
      holdTimeout(true);
      log.info('held');
      while (!existsSync(String(task.params.file))) await sleep(5);
      holdTimeout(false);
      log.info('going on');
      await sleep(60_000, null, { signal });
      return { kind: 'nothing' };
    case 'take back':
      holdTimeout(task.params.held === true);
      log.info('waiting');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      await sleep(Number(task.params.ms));
      writeFileSync(String(task.params.file), 'taken back');
      throw new Error('ended');
    case 'bigint':
      return { kind: 'nothing', rows: 3n } as never;
    default:
      throw new Error(`unknown ${String(task.params.do)}`);
  }
};

serveAttempts({
  clock: systemClock,
  createHandlers: async (settings) => {
    if (settings.broken === true) throw new Error('the settings are broken');
    return { build };
  },
  warm: async () => {
    isWarm = true;
  },
});
