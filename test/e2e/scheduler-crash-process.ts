/** A whole scheduler process for the crash test: `node scheduler-crash-process.js <folder> [<dag>]` runs one run to its end. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { LocalExecutor } from '../../scheduler/executors/local.ts';
import { acquireProjectLock, type ProjectLock } from '../../scheduler/project-lock.ts';
import { createScheduler } from '../../scheduler/scheduler.ts';
import { RunStore } from '../../scheduler/store/run-store.ts';
import { dagOf, loudLog, NO_RETRY, systemClock, taskOf } from '../unit/scheduler-fixtures.ts';

const folder = process.argv[2] ?? '.';
const dagId = process.argv[3] ?? 'parent';
const stateDir = join(folder, '.assay');
const clock = systemClock;
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const parent = dagOf('parent', [
  taskOf('first'),
  taskOf('spin', ['first'], { params: { spin: true } }),
  taskOf('call', ['spin'], { kind: 'trigger_dag', params: { dag: 'child', wait: true } }),
  taskOf('left', ['call']),
  taskOf('right', ['call'], { params: { ms: 60 } }),
  taskOf('last', ['left', 'right']),
]);
/** Where the disk is full, the task itself may be the first to meet it. */
const retry = { retries: 50, delayMs: 20, exponentialBackoff: false, maxDelayMs: 20 };
const child = dagOf('child', [taskOf('work', [], { params: { ms: 60 }, retry }), taskOf('more', ['work'], { retry })]);
const deadly = dagOf('deadly', [taskOf('kills', [], { params: { kills: true } }), taskOf('after', ['kills'])]);

let lock: ProjectLock;
try {
  lock = acquireProjectLock({ stateDir, clock });
} catch (thrown) {
  say(thrown instanceof PipelineError ? `${thrown.code} ${thrown.message}` : String(thrown));
  process.exit(7);
}
const store = await RunStore.open(join(stateDir, 'runs.db'), { clock });
const executor = new LocalExecutor({
  modulePath: fileURLToPath(new URL('./scheduler-crash-child.js', import.meta.url)),
  settings: { folder },
  env: { PATH: process.env.PATH },
  slots: 2,
  stateDir,
  clock,
  log: loudLog,
  cancelGraceMs: 100,
});
const scheduler = createScheduler({
  ...{ store, executor, clock, stateDir },
  dags: [parent, child, deadly],
  taskDefaults: NO_RETRY,
  log: loudLog,
});
scheduler.subscribe((event) => {
  if (event.kind === 'task') say(`${event.instance.dagId}/${event.instance.taskId} ${event.instance.state}`);
  if (event.kind === 'run') say(`${event.run.dagId} ${event.run.state}`);
});
process.once('SIGTERM', () => {
  void scheduler.stop({ graceMs: 100 }).then(() => say('stopped'));
});
await scheduler.start({ schedules: false });
const interval = { startMs: Date.UTC(2025, 9, 15), endMs: Date.UTC(2025, 9, 16) };
await scheduler.trigger({ dagId, runId: 'r', interval, triggeredBy: 'test' }).catch((thrown) => {
  if (!(thrown instanceof PipelineError) || thrown.code !== 'run_exists') throw thrown;
});
try {
  const run = await scheduler.waitForRun(dagId, 'r');
  say(`ended ${run.state}`);
} catch (thrown) {
  say(thrown instanceof PipelineError ? thrown.code : String(thrown));
}
await scheduler.stop();
await store.close();
lock.release();
