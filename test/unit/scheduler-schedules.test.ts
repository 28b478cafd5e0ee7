import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { TaskHandler } from '../../core/ports.ts';
import type { Schedule } from '../../core/types.ts';
import type { SetTimer } from '../../scheduler/loop.ts';
import { type Bench, type BenchOptions, chainOf, dagOf, daily, openBench } from './scheduler-fixtures.ts';

const nothing: TaskHandler = async () => ({ kind: 'nothing' });
const dailyDag = (catchup: Schedule['catchup'] = 'none') => dagOf('d', chainOf(1), { schedule: daily({ catchup }) });

/** A clock that stands still until it is moved, and then fires the timers that are due. */
function virtualTime(iso: string) {
  let nowMs = Date.parse(iso);
  const timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();
  const setTimer: SetTimer = (delayMs, fire) => {
    const timer = { atMs: nowMs + delayMs, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  return {
    clock: { now: () => nowMs },
    setTimer,
    /** How far the next timer is away, in milliseconds. */
    nextTimerMs: () => Math.min(...[...timers].map(({ atMs }) => atMs)) - nowMs,
    moveTo(next: string) {
      nowMs = Date.parse(next);
      for (const timer of [...timers]) {
        if (timer.atMs > nowMs) continue;
        timers.delete(timer);
        timer.fire();
      }
    },
  };
}

/** So many rounds of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(() => resolve()));
}

let bench: Bench | null = null;

async function open(time: ReturnType<typeof virtualTime>, rest: Partial<BenchOptions> = {}): Promise<Bench> {
  const { clock, setTimer } = time;
  bench = await openBench({
    dags: [dailyDag()],
    handlers: { build: nothing },
    schedules: true,
    clock,
    setTimer,
    ...rest,
  });
  return bench;
}

afterEach(async () => {
  await bench?.close();
  bench = null;
});

/** However many rounds the files take that an attempt writes: a disk may keep them waiting. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turns(1);
}

/** Lets everything that is under way come to rest, in the real time of the event loop. */
async function settle(of: Bench, runs: number): Promise<readonly string[]> {
  for (;;) {
    const { runs: found } = await of.scheduler.listRuns({ dagId: 'd', orderBy: ['run_after'] });
    if (found.length === runs && found.every((run) => run.state === 'success')) return found.map((run) => run.runId);
    const isLost = found.length > runs || found.some((run) => run.state === 'failed');
    assert.ok(!isLost, `not ${runs} runs: ${found.map((run) => `${run.runId} ${run.state}`).join(', ')}`);
    await turns(1);
  }
}

describe('a schedule', () => {
  test('starts its run exactly when the tick is due, and each tick once', async () => {
    const time = virtualTime('2025-10-16T05:59:50Z');
    const of = await open(time);
    await settle(of, 0);
    await turns(50);
    assert.equal(time.nextTimerMs(), 10_000);
    time.moveTo('2025-10-16T06:00:00Z');
    assert.deepEqual(await settle(of, 1), ['scheduled__2025-10-15T00:00:00Z']);
    time.moveTo('2025-10-16T06:00:30Z');
    assert.deepEqual(await settle(of, 1), ['scheduled__2025-10-15T00:00:00Z']);
    const run = await of.scheduler.getRun('d', 'scheduled__2025-10-15T00:00:00Z');
    assert.deepEqual(
      [run.runType, run.triggeredBy, run.logicalDateMs, run.runAfterMs],
      ['scheduled', 'timetable', Date.parse('2025-10-15T00:00:00Z'), Date.parse('2025-10-16T06:00:00Z')],
    );
    const { next } = await of.scheduler.getDag('d');
    assert.equal(next?.runAfterMs, Date.parse('2025-10-17T06:00:00Z'));
    assert.equal(next?.interval.startMs, Date.parse('2025-10-16T00:00:00Z'));
  });

  test('plans nothing where the scheduler was started without schedules', async () => {
    const time = virtualTime('2025-10-16T05:59:50Z');
    const of = await open(time, { schedules: false });
    time.moveTo('2025-10-16T07:00:00Z');
    await turns(50);
    assert.deepEqual(await settle(of, 0), []);
  });

  for (const [catchup, expected] of [
    ['none', []],
    ['last', ['scheduled__2025-10-18T00:00:00Z']],
    [
      'all',
      [
        'scheduled__2025-10-15T00:00:00Z',
        'scheduled__2025-10-16T00:00:00Z',
        'scheduled__2025-10-17T00:00:00Z',
        'scheduled__2025-10-18T00:00:00Z',
      ],
    ],
  ] as const) {
    test(`after four days of absence catches up ${catchup}`, async () => {
      const time = virtualTime('2025-10-15T12:00:00Z');
      const first = await open(time, { dags: [dailyDag(catchup)] });
      await settle(first, 0);
      await first.scheduler.stop();
      time.moveTo('2025-10-19T12:00:00Z');
      bench = await first.restart();
      await turns(50);
      assert.deepEqual(await settle(bench, expected.length), expected);
    });
  }

  test('skips a date that somebody has run by hand', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    const of = await open(time);
    const logicalDateMs = Date.parse('2025-10-15T00:00:00Z');
    await of.scheduler.trigger({ dagId: 'd', logicalDateMs, triggeredBy: 'test' });
    await settle(of, 1);
    time.moveTo('2025-10-16T06:00:00Z');
    time.moveTo('2025-10-16T06:00:30Z');
    await turns(50);
    assert.deepEqual(await settle(of, 1), ['manual__2025-10-15T00:00:00Z']);
    time.moveTo('2025-10-17T06:00:00Z');
    assert.deepEqual(await settle(of, 2), ['manual__2025-10-15T00:00:00Z', 'scheduled__2025-10-16T00:00:00Z']);
  });

  test('rests during a pause, and does not make up for it afterwards', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    const of = await open(time);
    await of.scheduler.setPaused('d', true);
    time.moveTo('2025-10-16T06:00:10Z');
    await turns(50);
    await of.scheduler.setPaused('d', false);
    await turns(50);
    assert.deepEqual(await settle(of, 0), []);
    time.moveTo('2025-10-17T06:00:00Z');
    assert.deepEqual(await settle(of, 1), ['scheduled__2025-10-16T00:00:00Z']);
  });

  test('wakes for a retry exactly when its delay is over', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    const delay = { retries: 1, delayMs: 7000, exponentialBackoff: false, maxDelayMs: 60_000 };
    let calls = 0;
    const of = await open(time, {
      taskDefaults: { retry: delay, timeoutMs: 60_000 },
      handlers: {
        build: async () => {
          calls += 1;
          if (calls === 1) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
          return { kind: 'nothing' };
        },
      },
    });
    await of.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    await until(() => time.nextTimerMs() === 7000);
    assert.equal((await of.scheduler.getTaskInstance('d', 'r', 't1')).state, 'up_for_retry');
    time.moveTo('2025-10-16T05:00:06.999Z');
    await turns(50);
    assert.equal(calls, 1);
    time.moveTo('2025-10-16T05:00:07Z');
    await settle(of, 1);
    assert.equal(calls, 2);
  });
});

describe('an error that says when to try again', () => {
  test('is heeded beyond the delay of the policy and its cap', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    let calls = 0;
    const of = await open(time, {
      taskDefaults: {
        retry: { retries: 1, delayMs: 1000, exponentialBackoff: true, maxDelayMs: 2000 },
        timeoutMs: 60_000,
      },
      handlers: {
        build: async () => {
          calls += 1;
          if (calls === 1) throw new PipelineError('warehouse_quota', 'no load jobs left', { retryAfterMs: 9000 });
          return { kind: 'nothing' };
        },
      },
    });
    await of.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
    await until(() => time.nextTimerMs() === 9000);
    const { state, error } = await of.scheduler.getTaskInstance('d', 'r', 't1');
    assert.deepEqual([state, error?.retryAfterMs], ['up_for_retry', 9000]);
    time.moveTo('2025-10-16T05:00:08.999Z');
    await turns(50);
    assert.equal(calls, 1);
    time.moveTo('2025-10-16T05:00:09Z');
    assert.deepEqual(await settle(of, 1), ['r']);
    assert.equal(calls, 2);
  });
});

describe('a store that fails', () => {
  test('holds up the step and nothing else: it is tried again and the run goes on', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    const of = await open(time, { dags: [dagOf('d', chainOf(2))] });
    const { store } = of;
    const apply = store.apply.bind(store);
    let failures = 0;
    const logged = console.error;
    console.error = () => {};
    try {
      store.apply = async (changes) => {
        if (failures < 2 && (changes.taskMoves?.length ?? 0) > 0) {
          failures += 1;
          throw new Error('database or disk is full');
        }
        return apply(changes);
      };
      await of.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
      for (const second of ['01', '02', '03']) {
        await turns(50);
        time.moveTo(`2025-10-16T05:00:${second}Z`);
      }
      assert.deepEqual(await settle(of, 1), ['r']);
      assert.equal(failures, 2);
    } finally {
      console.error = logged;
    }
  });

  test('that somebody else has written to is read again, and no task is left without an owner', async () => {
    const time = virtualTime('2025-10-16T05:00:00Z');
    let letGo = (): void => {};
    const of = await open(time, {
      handlers: {
        build: async ({ tryNumber }) => {
          if (tryNumber === 1) await new Promise<void>((resolve) => (letGo = resolve));
          return { kind: 'nothing' };
        },
      },
    });
    const logged = console.error;
    console.error = () => {};
    try {
      await of.scheduler.trigger({ dagId: 'd', runId: 'r', triggeredBy: 'test' });
      await turns(50);
      const [before] = await of.store.listInstances('d', 'r');
      assert.ok(before?.state === 'running');
      const path = ['scheduled', 'queued', 'running'] as const;
      await of.store.apply({ taskMoves: [{ before, path, after: { ...before, fence: before.fence + 5 } }] });
      letGo();
      for (const second of ['01', '02', '03']) {
        await turns(50);
        time.moveTo(`2025-10-16T05:00:${second}Z`);
      }
      await settle(of, 1);
      const t1 = await of.scheduler.getTaskInstance('d', 'r', 't1');
      assert.deepEqual([t1.state, t1.tryNumber], ['success', 2]);
    } finally {
      console.error = logged;
    }
  });
});
