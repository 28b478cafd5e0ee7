/** How many light tasks a second does the scheduler take through its store: one task, then a thousand, then one, in warm children? */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalExecutor } from '../scheduler/executors/local.ts';
import { createScheduler } from '../scheduler/scheduler.ts';
import { RunStore } from '../scheduler/store/run-store.ts';
import { dagOf, NO_RETRY, silentLog, systemClock, taskOf } from '../test/unit/scheduler-fixtures.ts';
import { printFigures } from './measure.ts';

const WIDTH = 1000;
const RUNS = 7;
const SLOTS = 4;

export async function bench(): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  const middle = Array.from({ length: WIDTH }, (_, at) => `m${at}`);
  const dag = dagOf('fan', [taskOf('first'), ...middle.map((id) => taskOf(id, ['first'])), taskOf('last', middle)]);
  const clock = systemClock;
  const store = await RunStore.open(join(stateDir, 'runs.db'), { clock });
  const executor = new LocalExecutor({
    modulePath: fileURLToPath(new URL('../test/unit/scheduler-child.js', import.meta.url)),
    settings: {},
    env: { PATH: process.env.PATH },
    slots: SLOTS,
    stateDir,
    clock,
    log: silentLog,
  });
  const options = { store, executor, clock, stateDir, taskDefaults: NO_RETRY, log: silentLog };
  const scheduler = createScheduler({ ...options, dags: [dag] });
  try {
    await scheduler.start({ schedules: false });
    const rates: number[] = [];
    for (let at = 0; at <= RUNS; at += 1) {
      const { runId } = await scheduler.trigger({ dagId: 'fan', runId: `r${at}`, triggeredBy: 'test' });
      const { state, startedAtMs, endedAtMs } = await scheduler.waitForRun('fan', runId);
      if (state !== 'success' || startedAtMs === null || endedAtMs === null)
        throw new Error(`run ${runId} is ${state}`);
      // The first run forks the children.
      if (at > 0) rates.push(((WIDTH + 2) * 1000) / (endedAtMs - startedAtMs));
    }
    printFigures([
      { label: `1 → ${WIDTH} → 1, ${SLOTS} children`, values: rates, unit: 'tasks/s', target: '≥ 1,500 tasks/s' },
    ]);
  } finally {
    await scheduler.stop({ graceMs: 0 });
    await store.close();
    await rm(stateDir, { recursive: true, force: true });
  }
}
