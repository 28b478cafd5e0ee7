import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../core/errors.ts';
import type { TaskHandler, TaskHandlers } from '../../core/ports.ts';
import type { SchedulerEvent } from '../../scheduler/control.ts';
import {
  type Bench,
  type BenchOptions,
  chainOf,
  dagOf,
  gate,
  NO_RETRY,
  openBench,
  taskOf,
} from './scheduler-fixtures.ts';

const nothing: TaskHandler = async () => ({ kind: 'nothing' });
const clearAll = { taskIds: null, onlyFailed: false, downstream: false, upstream: false, dryRun: false };
let bench: Bench | null = null;

async function open(options: Omit<BenchOptions, 'handlers'> & { handlers?: TaskHandlers }): Promise<Bench> {
  bench = await openBench({ handlers: { build: nothing }, ...options });
  return bench;
}

afterEach(async () => {
  await bench?.close();
  bench = null;
});

/** A handler that fails the named tasks as long as they are in the set. */
function failing(broken: Set<string>, code: 'bronze_missing' | 'storage_unavailable' = 'bronze_missing'): TaskHandler {
  return async ({ task }) => {
    if (broken.has(task.id)) throw new PipelineError(code, `${task.id} is broken`);
    return { kind: 'nothing' };
  };
}

describe('a run', () => {
  test('does its tasks in order and ends', async () => {
    const seen: string[] = [];
    const { run, states } = await open({
      dags: [dagOf('chain', chainOf(4))],
      handlers: {
        build: async ({ task }) => {
          seen.push(task.id);
          return { kind: 'nothing' };
        },
      },
    });
    const ended = await run('chain');
    assert.equal(ended.state, 'success');
    assert.deepEqual(seen, ['t1', 't2', 't3', 't4']);
    assert.deepEqual(await states(ended), { t1: 'success', t2: 'success', t3: 'success', t4: 'success' });
  });

  test('gives a handler the run’s facts, the spec and the outputs above it, and stores what it returns', async () => {
    const { run, scheduler } = await open({
      dags: [dagOf('facts', [...chainOf(2), taskOf('beside')], { timezone: 'Europe/Paris' })],
      handlers: {
        build: async ({ task, run: facts, outputs, spec, tryNumber }) => ({
          kind: 'branch',
          follow: [facts.firstDay, facts.runDate, String(facts.conf.size), ...Object.keys(outputs)],
          because: `${task.id} ${spec.pipeline} ${tryNumber}`,
        }),
      },
    });
    // Two days in Paris, where 15 October begins at 22:00Z.
    const interval = { startMs: Date.parse('2025-10-14T22:00:00Z'), endMs: Date.parse('2025-10-16T22:00:00Z') };
    const { dagId, runId } = await run('facts', { interval, conf: { size: 'small' } });
    const t2 = await scheduler.getTaskInstance(dagId, runId, 't2');
    assert.deepEqual(t2.error, null);
    assert.deepEqual(t2.output, {
      kind: 'branch',
      follow: ['2025-10-15', '2025-10-16', 'small', 't1'],
      because: 't2 shop 1',
    });
  });

  test('chooses the handler of the layer before that of the kind', async () => {
    const { run, scheduler } = await open({
      dags: [
        dagOf('layers', [
          taskOf('a', [], { layer: 'silver' }),
          taskOf('b', [], { layer: 'gold' }),
          taskOf('c', [], { kind: 'load' }),
        ]),
      ],
      handlers: {
        build: nothing,
        'build.silver': async () => ({ kind: 'short_circuit', proceed: true, because: 'silver' }),
      },
    });
    const { dagId, runId, state } = await run('layers');
    assert.equal(state, 'failed');
    assert.equal((await scheduler.getTaskInstance(dagId, runId, 'a')).output?.kind, 'short_circuit');
    assert.equal((await scheduler.getTaskInstance(dagId, runId, 'b')).output?.kind, 'nothing');
    const c = await scheduler.getTaskInstance(dagId, runId, 'c');
    assert.deepEqual([c.state, c.error?.code], ['failed', 'internal']);
  });

  test('fails what hangs on a failed task and logs why', async () => {
    const { run, states, scheduler } = await open({
      dags: [dagOf('chain', chainOf(3))],
      handlers: { build: failing(new Set(['t2'])) },
    });
    const ended = await run('chain');
    assert.equal(ended.state, 'failed');
    assert.deepEqual(await states(ended), { t1: 'success', t2: 'failed', t3: 'upstream_failed' });
    const lines = await scheduler.logs('chain', ended.runId, 't2', 1);
    assert.deepEqual(
      lines.map(({ level, event, code }) => ({ level, event, code })),
      [{ level: 'error', event: 't2 is broken', code: 'bronze_missing' }],
    );
    assert.deepEqual(await scheduler.logs('chain', ended.runId, 't1', 1), []);
  });

  test('takes a branch, skips the other side, and joins', async () => {
    const { run, states } = await open({
      dags: [
        dagOf('branching', [
          taskOf('gate', [], { kind: 'branch' }),
          taskOf('refresh', ['gate']),
          taskOf('skip', ['gate'], { kind: 'empty' }),
          taskOf('join', ['refresh', 'skip'], { triggerRule: 'none_failed_min_one_success' }),
        ]),
      ],
      handlers: { build: nothing, branch: async () => ({ kind: 'branch', follow: ['skip'], because: 'fresh' }) },
    });
    const ended = await run('branching');
    assert.equal(ended.state, 'success');
    assert.deepEqual(await states(ended), { gate: 'success', refresh: 'skipped', skip: 'success', join: 'success' });
  });

  test('fails a branch that follows what is not there, instead of skipping everything', async () => {
    const { run, scheduler } = await open({
      dags: [dagOf('branching', [taskOf('gate', [], { kind: 'branch' }), taskOf('a', ['gate'])])],
      handlers: { build: nothing, branch: async () => ({ kind: 'branch', follow: ['b'], because: 'typo' }) },
    });
    const ended = await run('branching');
    assert.equal(ended.state, 'failed');
    assert.match((await scheduler.getTaskInstance('branching', ended.runId, 'gate')).error?.message ?? '', /follows b/);
  });

  test('succeeds with the rest skipped where a short circuit is off', async () => {
    const { run, states } = await open({
      dags: [
        dagOf('switch', [
          taskOf('may', [], { kind: 'short_circuit' }),
          taskOf('load', ['may']),
          taskOf('gold', ['load']),
        ]),
      ],
      handlers: {
        build: nothing,
        short_circuit: async () => ({ kind: 'short_circuit', proceed: false, because: 'off' }),
      },
    });
    const ended = await run('switch');
    assert.equal(ended.state, 'success');
    assert.deepEqual(await states(ended), { may: 'success', load: 'skipped', gold: 'skipped' });
  });

  test('of empty tasks alone needs no worker', async () => {
    const tasks = [taskOf('a', [], { kind: 'empty' }), taskOf('b', ['a'], { kind: 'empty' })];
    const { run } = await open({ dags: [dagOf('empties', tasks), dagOf('none', [])], handlers: {} });
    assert.equal((await run('empties')).state, 'success');
    assert.equal((await run('none')).state, 'success');
  });

  test('tells its story in order', async () => {
    const { run, scheduler } = await open({ dags: [dagOf('chain', chainOf(2))] });
    const story: string[] = [];
    scheduler.subscribe((event: SchedulerEvent) => {
      if (event.kind === 'run') story.push(`run ${event.run.state}`);
      if (event.kind === 'task') story.push(`${event.instance.taskId} ${event.previous} ${event.instance.state}`);
    });
    await run('chain');
    assert.deepEqual(story, [
      'run queued',
      'run running',
      't1 none running',
      't1 running success',
      't2 none running',
      't2 running success',
      'run success',
    ]);
  });
});

describe('a retry', () => {
  const retries = { ...NO_RETRY, retry: { retries: 2, delayMs: 5, exponentialBackoff: true, maxDelayMs: 20 } };

  test('follows an error that may pass, as often as the policy says', async () => {
    let calls = 0;
    const { run, scheduler, store } = await open({
      dags: [dagOf('flaky', chainOf(1))],
      taskDefaults: retries,
      handlers: {
        build: async () => {
          calls += 1;
          if (calls < 3) throw new PipelineError('storage_unavailable', `down ${calls}`);
          return { kind: 'nothing' };
        },
      },
    });
    const ended = await run('flaky');
    assert.equal(ended.state, 'success');
    const t1 = await scheduler.getTaskInstance('flaky', ended.runId, 't1');
    assert.deepEqual([t1.tryNumber, t1.maxTries, t1.error], [3, 3, null]);
    const attempts = await store.listAttempts('flaky', ended.runId, 't1');
    assert.deepEqual(
      attempts.map(({ tryNumber, state, error }) => [tryNumber, state, error?.message ?? null]),
      [
        [1, 'failed', 'down 1'],
        [2, 'failed', 'down 2'],
        [3, 'success', null],
      ],
    );
  });

  test('ends with the last try', async () => {
    const { run, scheduler } = await open({
      dags: [dagOf('down', chainOf(2))],
      taskDefaults: retries,
      handlers: { build: failing(new Set(['t1']), 'storage_unavailable') },
    });
    const ended = await run('down');
    assert.equal(ended.state, 'failed');
    assert.equal((await scheduler.getTaskInstance('down', ended.runId, 't1')).tryNumber, 3);
  });

  test('does not follow an error that somebody must put right', async () => {
    const { run, scheduler } = await open({
      dags: [dagOf('wrong', chainOf(1))],
      taskDefaults: retries,
      handlers: { build: failing(new Set(['t1'])) },
    });
    const ended = await run('wrong');
    assert.equal((await scheduler.getTaskInstance('wrong', ended.runId, 't1')).tryNumber, 1);
  });

  test('follows a timeout', async () => {
    const { run, scheduler } = await open({
      dags: [dagOf('slow', [taskOf('t1', [], { timeoutMs: 20, retry: { retries: 1 } })])],
      taskDefaults: retries,
      handlers: { build: async ({ signal }) => sleep(60_000, { kind: 'nothing' } as const, { signal }) },
    });
    const ended = await run('slow');
    const t1 = await scheduler.getTaskInstance('slow', ended.runId, 't1');
    assert.deepEqual([t1.state, t1.tryNumber, t1.error?.code], ['failed', 2, 'task_timeout']);
  });
});

describe('limits', () => {
  /** Counts how many handlers run at once. */
  function counting() {
    const seen = { now: 0, most: 0, order: [] as string[] };
    const handler: TaskHandler = async ({ task, run }) => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      seen.order.push(`${run.runId}/${task.id}`);
      await sleep(5);
      seen.now -= 1;
      return { kind: 'nothing' };
    };
    return { seen, handler };
  }

  test('a pool of one slot runs one task at a time, across runs', async () => {
    const { seen, handler } = counting();
    const tasks = ['a', 'b', 'c'].map((id) => taskOf(id, [], { pool: 'warehouse' }));
    const { run } = await open({ dags: [dagOf('w', tasks, { maxActiveRuns: 5 })], handlers: { build: handler } });
    await Promise.all([run('w', { runId: 'one' }), run('w', { runId: 'two' })]);
    assert.equal(seen.most, 1);
    assert.equal(seen.order.length, 6);
  });

  test('the executor’s slots bound what runs at once, and priority goes before the declared order', async () => {
    const { seen, handler } = counting();
    const tasks = [
      taskOf('a'),
      taskOf('b'),
      taskOf('c', [], { priority: 3 }),
      taskOf('d'),
      taskOf('e', [], { priority: 9 }),
    ];
    const { run } = await open({ dags: [dagOf('p', tasks)], handlers: { build: handler }, slots: 1 });
    await run('p', { runId: 'r' });
    assert.equal(seen.most, 1);
    assert.deepEqual(seen.order, ['r/e', 'r/c', 'r/a', 'r/b', 'r/d']);
  });

  test('max_active_runs holds back later runs until earlier ones end', async () => {
    const { seen, handler } = counting();
    const { run } = await open({
      dags: [dagOf('one', chainOf(2), { maxActiveRuns: 1 })],
      handlers: { build: handler },
    });
    await Promise.all(['r1', 'r2', 'r3'].map((runId) => run('one', { runId })));
    assert.deepEqual(seen.order, ['r1/t1', 'r1/t2', 'r2/t1', 'r2/t2', 'r3/t1', 'r3/t2']);
  });

  test('a task of an unknown pool is refused when the DAG is registered', async () => {
    const dags = [dagOf('w', [taskOf('a', [], { pool: 'gpu' })])];
    await assert.rejects(open({ dags }), { code: 'spec_invalid' });
  });
});

describe('triggering a run and waiting for it', () => {
  const parent = dagOf('parent', [
    taskOf('before'),
    taskOf('call', ['before'], { kind: 'trigger_dag', params: { dag: 'child', wait: true } }),
    taskOf('after', ['call']),
  ]);
  const child = dagOf('child', [taskOf('work'), taskOf('more', ['work'])]);

  test('gives the child the caller’s interval and conf, and goes on when it has ended', async () => {
    const { run, states, scheduler } = await open({ dags: [parent, child], slots: 1 });
    const interval = { startMs: Date.parse('2025-10-15T00:00:00Z'), endMs: Date.parse('2025-10-16T00:00:00Z') };
    const ended = await run('parent', { interval, conf: { full: true }, runId: 'p1' });
    assert.equal(ended.state, 'success');
    assert.deepEqual(await states(ended), { before: 'success', call: 'success', after: 'success' });
    const { runs } = await scheduler.listRuns({ dagId: 'child' });
    assert.equal(runs.length, 1);
    const made = runs[0] ?? assert.fail();
    assert.deepEqual([made.interval, made.conf, made.triggeredBy], [interval, { full: true }, 'operator']);
    assert.ok(made.runId.startsWith('triggered__p1__'));
    const { output } = await scheduler.getTaskInstance('parent', 'p1', 'call');
    assert.deepEqual(output, { kind: 'triggered', dagId: 'child', runId: made.runId });
  });

  test('holds no worker while it waits, and shows as deferred', async () => {
    const { opened, open: letGo } = gate();
    const handler: TaskHandler = async ({ task }) => {
      if (task.id === 'work') await opened;
      return { kind: 'nothing' };
    };
    const { scheduler } = await open({ dags: [parent, child], slots: 1, handlers: { build: handler } });
    const deferred = new Promise<void>((resolve) => {
      scheduler.subscribe((event) => {
        if (event.kind === 'task' && event.instance.state === 'deferred') resolve();
      });
    });
    await scheduler.trigger({ dagId: 'parent', runId: 'p1', triggeredBy: 'test' });
    await deferred;
    letGo();
    assert.equal((await scheduler.waitForRun('parent', 'p1')).state, 'success');
  });

  test('fails with the child, and clearing it runs the child again', async () => {
    const broken = new Set(['work']);
    const { run, states, scheduler } = await open({ dags: [parent, child], handlers: { build: failing(broken) } });
    const ended = await run('parent', { runId: 'p1' });
    assert.deepEqual(await states(ended), { before: 'success', call: 'failed', after: 'upstream_failed' });
    assert.equal((await scheduler.getTaskInstance('parent', 'p1', 'call')).error?.code, 'child_run_failed');
    broken.clear();
    await scheduler.clear({ ...clearAll, dagId: 'parent', runId: 'p1', onlyFailed: true });
    assert.equal((await scheduler.waitForRun('parent', 'p1')).state, 'success');
    const { runs } = await scheduler.listRuns({ dagId: 'child' });
    assert.deepEqual(
      runs.map((each) => each.state),
      ['success'],
    );
    const work = await scheduler.getTaskInstance('child', runs[0]?.runId ?? '', 'work');
    assert.equal(work.tryNumber, 2);
  });

  test('fails when the child is cancelled, and cancelling the parent cancels the child', async () => {
    const handler: TaskHandler = async ({ task, signal }) =>
      task.id === 'work' ? sleep(60_000, { kind: 'nothing' } as const, { signal }) : { kind: 'nothing' };
    const { scheduler, states } = await open({ dags: [parent, child], handlers: { build: handler } });
    const childStarted = async (): Promise<string> =>
      new Promise((resolve) => {
        const stop = scheduler.subscribe((event) => {
          if (event.kind !== 'task' || event.instance.taskId !== 'work' || event.instance.state !== 'running') return;
          stop();
          resolve(event.instance.runId);
        });
      });
    let started = childStarted();
    await scheduler.trigger({ dagId: 'parent', runId: 'p1', triggeredBy: 'test' });
    assert.equal((await scheduler.cancel('child', await started)).state, 'failed');
    const first = await scheduler.waitForRun('parent', 'p1');
    assert.deepEqual(await states(first), { before: 'success', call: 'failed', after: 'upstream_failed' });

    started = childStarted();
    await scheduler.trigger({ dagId: 'parent', runId: 'p2', triggeredBy: 'test' });
    const childId = await started;
    await scheduler.cancel('parent', 'p2');
    assert.equal((await scheduler.getRun('child', childId)).state, 'failed');
    assert.deepEqual(await states({ dagId: 'child', runId: childId }), { work: 'failed', more: 'skipped' });
  });

  test('runs the child again where the child ends in the very moment in which the task is cleared', async () => {
    const started = gate();
    const letGo = gate();
    const tries: number[] = [];
    const { scheduler } = await open({
      dags: [
        dagOf('parent', [taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'child' } })]),
        dagOf('child', chainOf(1)),
      ],
      handlers: {
        build: async ({ tryNumber }) => {
          tries.push(tryNumber);
          started.open();
          await letGo.opened;
          return { kind: 'nothing' };
        },
      },
    });
    await scheduler.trigger({ dagId: 'parent', runId: 'p', triggeredBy: 'test' });
    await started.opened;
    scheduler.subscribe((event) => {
      // Told within the clearing itself, so that the next step meets both.
      if (event.kind === 'task' && event.instance.taskId === 'call' && event.instance.state === 'none') letGo.open();
    });
    await scheduler.clear({ ...clearAll, dagId: 'parent', runId: 'p' });
    assert.equal((await scheduler.waitForRun('parent', 'p')).state, 'success');
    assert.deepEqual(tries, [1, 2]);
    assert.equal((await scheduler.listRuns({ dagId: 'child' })).total, 1);
  });

  test('ends its wait at a timeout of its own, and leaves the child alone', async () => {
    const letGo = gate();
    const call = taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'child' }, timeoutMs: 30 });
    const { run, scheduler } = await open({
      dags: [dagOf('parent', [call]), dagOf('child', chainOf(1))],
      handlers: {
        build: async () => {
          await letGo.opened;
          return { kind: 'nothing' };
        },
      },
    });
    assert.equal((await run('parent', { runId: 'p' })).state, 'failed');
    assert.equal((await scheduler.getTaskInstance('parent', 'p', 'call')).error?.code, 'task_timeout');
    const { runs } = await scheduler.listRuns({ dagId: 'child' });
    letGo.open();
    assert.equal((await scheduler.waitForRun('child', runs[0]?.runId ?? '')).state, 'success');
  });

  test('does not wait when told not to', async () => {
    const caller = dagOf('caller', [
      taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'child', wait: false } }),
    ]);
    const { run, scheduler } = await open({ dags: [caller, child], handlers: { build: failing(new Set(['work'])) } });
    assert.equal((await run('caller')).state, 'success');
    const { runs } = await scheduler.listRuns({ dagId: 'child' });
    assert.equal((await scheduler.waitForRun('child', runs[0]?.runId ?? '')).state, 'failed');
  });

  test('fails where the DAG is unknown, or where both would wait for each other', async () => {
    const ghost = dagOf('ghost', [taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'nobody' } })]);
    const ping = dagOf('ping', [taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'pong' } })]);
    const pong = dagOf('pong', [taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'ping' } })]);
    const { run, scheduler } = await open({ dags: [ghost, ping, pong] });
    const codeOf = async (dagId: string, runId: string) =>
      (await scheduler.getTaskInstance(dagId, runId, 'call')).error?.code;
    assert.equal(await codeOf('ghost', (await run('ghost')).runId), 'dag_not_found');
    assert.equal(await codeOf('ping', (await run('ping')).runId), 'child_run_failed');
    const { runs } = await scheduler.listRuns({ dagId: 'pong' });
    assert.equal(await codeOf('pong', runs[0]?.runId ?? ''), 'spec_invalid');
  });
});

describe('clearing', () => {
  test('runs the chosen tasks again with new tries, and leaves the others alone', async () => {
    const tries: string[] = [];
    const { run, scheduler } = await open({
      dags: [dagOf('chain', chainOf(3))],
      handlers: {
        build: async ({ task, tryNumber }) => {
          tries.push(`${task.id}#${tryNumber}`);
          return { kind: 'nothing' };
        },
      },
    });
    await run('chain', { runId: 'r' });
    const request = { ...clearAll, dagId: 'chain', runId: 'r', taskIds: ['t2'], downstream: true };
    const dry = await scheduler.clear({ ...request, dryRun: true });
    assert.deepEqual(
      dry.map(({ taskId, state }) => [taskId, state]),
      [
        ['t2', 'success'],
        ['t3', 'success'],
      ],
    );
    assert.equal((await scheduler.getRun('chain', 'r')).state, 'success', 'a dry run changes nothing');
    const cleared = await scheduler.clear(request);
    assert.deepEqual(
      cleared.map(({ taskId, state }) => [taskId, state]),
      [
        ['t2', 'none'],
        ['t3', 'none'],
      ],
    );
    assert.equal((await scheduler.waitForRun('chain', 'r')).state, 'success');
    assert.deepEqual(tries, ['t1#1', 't2#1', 't3#1', 't2#2', 't3#2']);
  });

  test('a running task first ends its attempt; never do two run at once, and the old one’s result counts for nothing', async () => {
    const seen = { now: 0, most: 0 };
    const started = gate();
    const handler: TaskHandler = async ({ tryNumber, signal }) => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      if (tryNumber === 1) {
        started.open();
        // Slow to let go, and then it claims success.
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        await sleep(30);
      }
      seen.now -= 1;
      return { kind: 'branch', follow: [], because: `try ${tryNumber}` };
    };
    const { scheduler, store } = await open({ dags: [dagOf('one', chainOf(1))], handlers: { build: handler } });
    await scheduler.trigger({ dagId: 'one', runId: 'r', triggeredBy: 'test' });
    await started.opened;
    await scheduler.clear({ ...clearAll, dagId: 'one', runId: 'r' });
    assert.equal((await scheduler.waitForRun('one', 'r')).state, 'success');
    assert.equal(seen.most, 1);
    const t1 = await scheduler.getTaskInstance('one', 'r', 't1');
    assert.deepEqual(t1.output, { kind: 'branch', follow: [], because: 'try 2' });
    const attempts = await store.listAttempts('one', 'r', 't1');
    assert.deepEqual(
      attempts.map(({ state }) => state),
      ['failed', 'success'],
    );
  });

  test('keeps the version that the run started with, unless the latest is asked for', async () => {
    const seen: string[] = [];
    const handlers: TaskHandlers = {
      build: async ({ task }) => {
        seen.push(task.id);
        return { kind: 'nothing' };
      },
    };
    const { run, scheduler, states } = await open({ dags: [dagOf('d', [taskOf('a'), taskOf('b', ['a'])])], handlers });
    await run('d', { runId: 'r' });
    await scheduler.replaceDags([dagOf('d', [taskOf('a'), taskOf('c', ['a'])])]);
    await scheduler.clear({ ...clearAll, dagId: 'd', runId: 'r' });
    await scheduler.waitForRun('d', 'r');
    assert.deepEqual(seen, ['a', 'b', 'a', 'b']);
    await scheduler.clear({ ...clearAll, dagId: 'd', runId: 'r', onLatestVersion: true });
    assert.equal((await scheduler.waitForRun('d', 'r')).state, 'success');
    assert.deepEqual(seen, ['a', 'b', 'a', 'b', 'a', 'c']);
    assert.deepEqual(await states({ dagId: 'd', runId: 'r' }), { a: 'success', c: 'success', b: 'removed' });
  });

  test('refuses a run or a task that does not exist', async () => {
    const { run, scheduler } = await open({ dags: [dagOf('chain', chainOf(1))] });
    await run('chain', { runId: 'r' });
    const request = { ...clearAll, dagId: 'chain', runId: 'r' };
    await assert.rejects(scheduler.clear({ ...request, runId: 'x' }), { code: 'run_not_found' });
    await assert.rejects(scheduler.clear({ ...request, dagId: 'x' }), { code: 'dag_not_found' });
    await assert.rejects(scheduler.clear({ ...request, taskIds: ['x'] }), { code: 'task_not_found' });
  });
});

describe('cancelling', () => {
  test('ends what runs, skips what waits, fails the run; and clearing what failed finishes it', async () => {
    let mayPass = false;
    const started = gate();
    const ended: string[] = [];
    const handler: TaskHandler = async ({ task, signal }) => {
      if (task.id === 't2' && !mayPass) {
        started.open();
        await sleep(60_000, null, { signal }).catch(() => ended.push('t2'));
      }
      return { kind: 'nothing' };
    };
    const { scheduler, states } = await open({ dags: [dagOf('chain', chainOf(4))], handlers: { build: handler } });
    await scheduler.trigger({ dagId: 'chain', runId: 'r', triggeredBy: 'test' });
    await started.opened;
    const run = await scheduler.cancel('chain', 'r');
    assert.equal(run.state, 'failed');
    assert.deepEqual(ended, ['t2'], 'the attempt is over when cancel returns');
    assert.deepEqual(await states(run), { t1: 'success', t2: 'failed', t3: 'skipped', t4: 'skipped' });
    assert.equal((await scheduler.getTaskInstance('chain', 'r', 't2')).error?.code, 'task_cancelled');
    await assert.rejects(scheduler.cancel('chain', 'r'), { code: 'state_conflict' });

    mayPass = true;
    await scheduler.clear({ ...clearAll, dagId: 'chain', runId: 'r', onlyFailed: true });
    const again = await scheduler.waitForRun('chain', 'r');
    assert.equal(again.state, 'success');
    assert.deepEqual(await states(again), { t1: 'success', t2: 'success', t3: 'success', t4: 'success' });
  });
});

describe('triggering', () => {
  test('an id, or a logical date, that is taken is a conflict; two triggers without either are two runs', async () => {
    const clock = { now: () => Date.parse('2025-10-16T09:00:00Z') };
    const { scheduler } = await open({ dags: [dagOf('d', chainOf(1))], start: false, clock });
    const trigger = (rest: object) => scheduler.trigger({ dagId: 'd', triggeredBy: 'test', ...rest });
    const logicalDateMs = Date.parse('2025-10-15T00:00:00Z');
    const dated = await trigger({ logicalDateMs });
    assert.equal(dated.runId, 'manual__2025-10-15T00:00:00Z');
    assert.deepEqual(dated.interval, { startMs: logicalDateMs, endMs: logicalDateMs + 86_400_000 });
    await assert.rejects(trigger({ logicalDateMs }), { code: 'run_exists' });
    await assert.rejects(trigger({ logicalDateMs, runId: 'other' }), { code: 'run_exists' });
    await assert.rejects(trigger({ runId: dated.runId }), { code: 'run_exists' });
    const one = await trigger({});
    const two = await trigger({});
    assert.deepEqual([one.runId, two.runId], ['manual__2025-10-16T09:00:00Z', 'manual__2025-10-16T09:00:00Z_2']);
    assert.deepEqual(
      [one.logicalDateMs, one.interval],
      [null, dated.interval],
      'without a date: the last complete day',
    );
  });

  test('refuses ids that no folder could have, and intervals that are none', async () => {
    const { scheduler } = await open({ dags: [dagOf('d', chainOf(1))], start: false });
    const trigger = (rest: object) => scheduler.trigger({ dagId: 'd', triggeredBy: 'test', ...rest });
    for (const runId of ['', '..', 'a/b', 'a b', '-x', 'x'.repeat(151)])
      await assert.rejects(trigger({ runId }), { code: 'usage' });
    await assert.rejects(trigger({ interval: { startMs: 5, endMs: 5 } }), { code: 'usage' });
    await assert.rejects(scheduler.trigger({ dagId: 'x', triggeredBy: 'test' }), { code: 'dag_not_found' });
  });

  test('of a paused DAG stays queued until the pause ends', async () => {
    const { scheduler } = await open({ dags: [dagOf('d', chainOf(1))] });
    assert.equal((await scheduler.setPaused('d', true)).isPaused, true);
    await scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    await sleep(30);
    assert.equal((await scheduler.getRun('d', 'r')).state, 'queued');
    await scheduler.setPaused('d', false);
    assert.equal((await scheduler.waitForRun('d', 'r')).state, 'success');
  });
});

describe('a restart', () => {
  test('takes up what was left: the lost task runs again and keeps its retries, what is done stays done', async () => {
    const seen: string[] = [];
    const started = gate();
    const stuck: TaskHandler = async ({ task, signal }) => {
      seen.push(task.id);
      if (task.id !== 't2') return { kind: 'nothing' };
      started.open();
      return sleep(60_000, { kind: 'nothing' } as const, { signal });
    };
    const first = await open({ dags: [dagOf('chain', chainOf(3))], handlers: { build: stuck } });
    await first.scheduler.trigger({ dagId: 'chain', runId: 'r', triggeredBy: 'test' });
    await started.opened;
    bench = await first.restart({
      handlers: {
        build: async ({ task }) => {
          seen.push(task.id);
          return { kind: 'nothing' };
        },
      },
    });
    assert.equal((await bench.scheduler.waitForRun('chain', 'r')).state, 'success');
    assert.deepEqual(seen, ['t1', 't2', 't2', 't3']);
    const t2 = await bench.scheduler.getTaskInstance('chain', 'r', 't2');
    assert.deepEqual([t2.tryNumber, t2.maxTries], [2, 2]);
    const attempts = await bench.store.listAttempts('chain', 'r', 't2');
    assert.deepEqual(
      attempts.map(({ state }) => state),
      ['lost', 'success'],
    );
    assert.match(attempts[0]?.error?.message ?? '', /scheduler stopped while it ran/);
  });

  test('lets attempts end within the grace, and goes on after them', async () => {
    const started = gate();
    const letGo = gate();
    const handler: TaskHandler = async ({ task }) => {
      if (task.id === 't1') {
        started.open();
        await letGo.opened;
      }
      return { kind: 'nothing' };
    };
    const first = await open({ dags: [dagOf('chain', chainOf(2))], handlers: { build: handler } });
    await first.scheduler.trigger({ dagId: 'chain', runId: 'r', triggeredBy: 'test' });
    const waiting = assert.rejects(first.scheduler.waitForRun('chain', 'r'), { code: 'state_conflict' });
    await started.opened;
    const stopping = first.scheduler.stop({ graceMs: 5000 });
    letGo.open();
    await stopping;
    await waiting;
    const { taskId, state, tryNumber } = await first.scheduler.getTaskInstance('chain', 'r', 't1');
    assert.deepEqual([taskId, state, tryNumber], ['t1', 'success', 1]);
    bench = await first.restart();
    assert.equal((await bench.scheduler.waitForRun('chain', 'r')).state, 'success');
  });

  test('keeps a run at the version that it started with', async () => {
    const started = gate();
    const stuck: TaskHandler = async ({ signal }) => {
      started.open();
      return sleep(60_000, { kind: 'nothing' } as const, { signal });
    };
    const first = await open({ dags: [dagOf('d', [taskOf('a'), taskOf('b', ['a'])])], handlers: { build: stuck } });
    await first.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    await started.opened;
    bench = await first.restart({ dags: [dagOf('d', [taskOf('z')])], handlers: { build: nothing } });
    assert.equal((await bench.scheduler.waitForRun('d', 'r')).state, 'success');
    assert.deepEqual(await bench.states({ dagId: 'd', runId: 'r' }), { a: 'success', b: 'success' });
    const fresh = await bench.run('d', { runId: 's' });
    assert.deepEqual(await bench.states(fresh), { z: 'success' });
  });

  test('adopts the run that a waiting task has triggered', async () => {
    const started = gate();
    const stuck: TaskHandler = async ({ signal }) => {
      started.open();
      return sleep(60_000, { kind: 'nothing' } as const, { signal });
    };
    const dags = [
      dagOf('parent', [taskOf('call', [], { kind: 'trigger_dag', params: { dag: 'child', wait: true } })]),
      dagOf('child', chainOf(1)),
    ];
    const first = await open({ dags, handlers: { build: stuck } });
    await first.scheduler.trigger({ dagId: 'parent', runId: 'p', triggeredBy: 'test' });
    await started.opened;
    bench = await first.restart({ handlers: { build: nothing } });
    assert.equal((await bench.scheduler.waitForRun('parent', 'p')).state, 'success');
    assert.equal((await bench.scheduler.listRuns({ dagId: 'child' })).total, 1);
    assert.equal((await bench.scheduler.getTaskInstance('parent', 'p', 'call')).tryNumber, 1);
  });
});
