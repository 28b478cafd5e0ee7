import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { TaskHandlers } from '../../core/ports.ts';
import { isFinal, isFinalRun } from '../../scheduler/task-state.ts';
import fc from '../fixtures-support/properties.ts';
import { type Bench, dagOf, openBench, taskOf } from '../unit/scheduler-fixtures.ts';

const DAGS = [
  dagOf('caller', [
    taskOf('before'),
    taskOf('gate', ['before'], { kind: 'branch' }),
    taskOf('call', ['gate'], { kind: 'trigger_dag', params: { dag: 'called', wait: true } }),
    taskOf('skip', ['gate'], { kind: 'empty' }),
    taskOf('join', ['call', 'skip'], { triggerRule: 'none_failed_min_one_success' }),
    taskOf('wide.a', ['join'], { group: 'wide' }),
    taskOf('wide.b', ['join'], { group: 'wide', pool: 'warehouse' }),
    taskOf('clean', ['wide.a', 'wide.b'], { triggerRule: 'all_done' }),
  ]),
  dagOf('called', [taskOf('x'), taskOf('y', ['x'], { pool: 'warehouse' })], { maxActiveRuns: 2 }),
];
const RETRIES = { retry: { retries: 1, delayMs: 1, exponentialBackoff: true, maxDelayMs: 3 }, timeoutMs: 60_000 };

const pick = fc.nat({ max: 1000 });
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('trigger' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('clear' as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('rest' as const), pick }) },
);

/** Handlers that dawdle, fail and obey their signal by luck, and watch that no attempt runs beside one of its own task. */
function handlers(
  luck: readonly number[],
  seen: { calls: number; readonly running: Set<string>; isCalm: boolean },
): TaskHandlers {
  const attempt = async (name: string, signal: AbortSignal): Promise<void> => {
    assert.ok(!seen.running.has(name), `two attempts of ${name} at once`);
    seen.running.add(name);
    seen.calls += 1;
    const fate = luck[seen.calls % luck.length] ?? 0;
    for (let turn = 0; turn < fate % 20; turn += 1) await turns(1);
    seen.running.delete(name);
    if (signal.aborted || seen.isCalm) return;
    if (fate % 7 === 0) throw new PipelineError('storage_unavailable', 'down');
    if (fate % 11 === 0) throw new PipelineError('bronze_missing', 'gone');
  };
  return {
    build: async ({ run, task, signal }) => {
      await attempt(`${run.dagId}/${run.runId}/${task.id}`, signal);
      return { kind: 'nothing' };
    },
    branch: async ({ run, task, signal }) => {
      await attempt(`${run.dagId}/${run.runId}/${task.id}`, signal);
      const side = (luck[seen.calls % luck.length] ?? 0) % 3 === 0 ? 'skip' : 'call';
      return { kind: 'branch', follow: [side], because: 'luck' };
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(() => resolve()));
}

/** Errors that are an answer, not a fault: the run is over already, or its id is taken. */
async function answered(work: Promise<unknown>): Promise<void> {
  await work.catch((thrown) => {
    if (!(thrown instanceof PipelineError) || !['state_conflict', 'run_exists'].includes(thrown.code)) throw thrown;
  });
}

async function act(bench: Bench, op: { readonly do: string; readonly pick: number }): Promise<Bench> {
  const { scheduler } = bench;
  const { runs } = await scheduler.listRuns({ orderBy: ['run_after'] });
  const run = runs[op.pick % Math.max(1, runs.length)];
  const dagId = op.pick % 4 === 0 ? 'called' : 'caller';
  switch (op.do) {
    case 'trigger':
      await answered(scheduler.trigger({ dagId, runId: `r${op.pick % 40}`, triggeredBy: 'test' }));
      return bench;
    case 'clear': {
      if (!run) return bench;
      const { tasks } = (await scheduler.getDag(run.dagId)).dag;
      const taskIds = op.pick % 3 === 0 ? null : [tasks[op.pick % tasks.length]?.id ?? ''];
      const request = { dagId: run.dagId, runId: run.runId, taskIds, upstream: false, dryRun: false };
      await scheduler.clear({ ...request, onlyFailed: op.pick % 5 === 0, downstream: op.pick % 2 === 0 });
      return bench;
    }
    case 'cancel':
      if (run) await answered(scheduler.cancel(run.dagId, run.runId));
      return bench;
    case 'pause':
      await scheduler.setPaused(dagId, op.pick % 2 === 0);
      return bench;
    case 'restart':
      return bench.restart();
    default:
      await turns(op.pick % 60);
      return bench;
  }
}

/** By then a run that has not ended never will. */
const GIVE_UP_MS = 60_000;

/** Each run ends, and its tasks and tries tell one story. */
async function assertCalm({ scheduler, store }: Bench): Promise<void> {
  for (const dagId of ['caller', 'called']) await scheduler.setPaused(dagId, false);
  const open = async () => (await scheduler.listRuns({ limit: 1000 })).runs.filter((run) => !isFinalRun(run.state));
  // Their logs are files: how many rounds of the event loop a disk takes for them, nobody knows.
  const givenUpMs = Date.now() + GIVE_UP_MS;
  while ((await open()).length > 0 && Date.now() < givenUpMs) await turns(1);
  for (const run of await open()) {
    const tasks = await scheduler.listTaskInstances(run.dagId, run.runId);
    assert.fail(
      `${run.dagId}/${run.runId} stays ${run.state}: ${tasks.map((t) => `${t.taskId} ${t.state}`).join(', ')}`,
    );
  }
  for (const { dagId, runId, state } of (await scheduler.listRuns({ limit: 1000 })).runs) {
    for (const instance of await scheduler.listTaskInstances(dagId, runId)) {
      const name = `${dagId}/${runId}/${instance.taskId}`;
      assert.ok(isFinal(instance.state), `${name} is ${instance.state} in a run that is ${state}`);
      const attempts = await store.listAttempts(dagId, runId, instance.taskId);
      assert.equal(attempts.length, instance.tryNumber, name);
      assert.deepEqual(
        attempts.map(({ tryNumber }) => tryNumber),
        attempts.map((_, index) => index + 1),
        name,
      );
      assert.ok(
        attempts.every((attempt) => attempt.state !== 'running' && attempt.endedAtMs !== null),
        name,
      );
      assert.ok(
        attempts.every(({ fence }, index) => fence > (attempts[index - 1]?.fence ?? 0)),
        name,
      );
      if (instance.state === 'success') assert.equal(attempts.at(-1)?.state, 'success', name);
    }
  }
}

test('whatever is triggered, cleared, cancelled, paused and restarted in whatever order, every run comes to one end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 5, maxLength: 30 }),
      fc.array(fc.nat({ max: 200 }), { minLength: 50, maxLength: 50 }),
      async (operations, luck) => {
        const seen = { calls: 0, running: new Set<string>(), isCalm: false };
        const options = { dags: DAGS, handlers: handlers(luck, seen), slots: 3, taskDefaults: RETRIES };
        let bench = await openBench(options);
        try {
          for (const each of operations) bench = await act(bench, each);
          seen.isCalm = true;
          await assertCalm(bench);
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: Number(process.env.CHAOS_RUNS ?? 12), endOnFailure: true },
  );
});
