import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { TaskHandler } from '../../core/ports.ts';
import { type Bench, chainOf, dagOf, openBench, taskOf } from './scheduler-fixtures.ts';

/** Room for schema, DAG and run, not for an output of a megabyte. */
const MAX_PAGES = 100;
let bench: Bench | null = null;

afterEach(async () => {
  await bench?.close();
  bench = null;
});

/** `t2` gives more than fits; `beside` ends only when it is told to. */
const DAG = dagOf('d', [...chainOf(3), taskOf('beside')]);
const ended: string[] = [];
const build: TaskHandler = async ({ task, signal }) => {
  if (task.id === 'beside') {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    ended.push(task.id);
  }
  return task.id === 't2'
    ? { kind: 'short_circuit', proceed: true, because: 'x'.repeat(1_000_000) }
    : { kind: 'nothing' };
};

async function full(thrown: Promise<unknown>): Promise<PipelineError> {
  const error = await thrown.then(
    () => assert.fail('it went well'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PipelineError);
  assert.equal(error.code, 'storage_full');
  return error;
}

describe('a scheduler whose disk is full', () => {
  test('tries for a moment, then says once where and what to do, ends what runs and takes no more commands', async () => {
    bench = await openBench({ dags: [DAG], handlers: { build }, maxPages: MAX_PAGES });
    const { scheduler, store } = bench;
    ended.length = 0;
    await scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    const error = await full(scheduler.waitForRun('d', 'r'));
    assert.match(error.message, /runs\.db is full/);
    assert.match(error.message, /Free some space there, then run the same command again/);
    assert.equal(await scheduler.failed, error);
    assert.equal(await full(scheduler.waitForRun('d', 'r')), error);
    assert.equal(await full(scheduler.trigger({ dagId: 'd', triggeredBy: 'test' })), error);
    assert.deepEqual(ended, []);
    await scheduler.stop();
    assert.deepEqual(ended, ['beside']);
    const states = new Map((await store.listInstances('d', 'r')).map(({ taskId, state }) => [taskId, state]));
    assert.deepEqual([states.get('t1'), states.get('t2')], ['success', 'running'], 'what fitted is kept');
  });

  test('goes on where it stopped once there is room', async () => {
    bench = await openBench({ dags: [DAG], handlers: { build }, maxPages: MAX_PAGES });
    await bench.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    await full(bench.scheduler.waitForRun('d', 'r'));
    const calls: string[] = [];
    const roomy: TaskHandler = async ({ task }) => {
      calls.push(task.id);
      return { kind: 'nothing' };
    };
    await bench.scheduler.stop();
    await bench.store.close();
    bench = await openBench({ dags: [DAG], handlers: { build: roomy }, stateDir: bench.stateDir });
    assert.equal((await bench.scheduler.waitForRun('d', 'r')).state, 'success');
    assert.deepEqual(calls.sort(), ['beside', 't2', 't3'], 't1 was done');
    const attempts = await bench.store.listAttempts('d', 'r', 't2');
    assert.deepEqual(
      attempts.map(({ state }) => state),
      ['lost', 'success'],
    );
  });

  test('refuses to begin what it cannot write down, and leaves no half of it', async () => {
    bench = await openBench({ dags: [DAG], handlers: { build }, maxPages: MAX_PAGES });
    const { scheduler } = bench;
    const conf = { note: 'x'.repeat(1_000_000) };
    await full(scheduler.trigger({ dagId: 'd', runId: 'big', conf, triggeredBy: 'test' }));
    assert.equal((await scheduler.listRuns({})).total, 0);
  });
});
