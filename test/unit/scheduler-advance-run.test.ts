import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Task, TaskOutput, TaskState } from '../../core/types.ts';
import { advanceRun, selectTasks } from '../../scheduler/advance-run.ts';
import { planDispatch } from '../../scheduler/plan-dispatch.ts';
import { chainOf, taskOf } from './scheduler-fixtures.ts';

type Known = { readonly [taskId: string]: TaskState | TaskOutput };

/** Tasks that are not named are at `none`; an output means success with it. */
function advance(tasks: readonly Task[], known: Known) {
  const { moves, end } = advanceRun({ tasks }, (taskId) => {
    const fact = known[taskId] ?? 'none';
    return typeof fact === 'string' ? { state: fact, output: null } : { state: 'success', output: fact };
  });
  return { ...Object.fromEntries(moves.map(({ taskId, to }) => [taskId, to])), ...(end === null ? {} : { end }) };
}

const follow = (...names: string[]): TaskOutput => ({ kind: 'branch', follow: names, because: 'test' });
const proceed = (value: boolean): TaskOutput => ({ kind: 'short_circuit', proceed: value, because: 'test' });

describe('advancing a run', () => {
  test('starts the roots, then whatever has all it waits for', () => {
    assert.deepEqual(advance(chainOf(3), {}), { t1: 'scheduled' });
    assert.deepEqual(advance(chainOf(3), { t1: 'running' }), {});
    assert.deepEqual(advance(chainOf(3), { t1: 'success' }), { t2: 'scheduled' });
  });

  test('carries a failure to the end of the chain in one pass, and ends the run as failed', () => {
    assert.deepEqual(advance(chainOf(3), { t1: 'failed' }), {
      t2: 'upstream_failed',
      t3: 'upstream_failed',
      end: 'failed',
    });
  });

  test('ends the run as success where all leaves are success or skipped, whatever lies above them', () => {
    const cleanUp = [taskOf('work'), taskOf('clean', ['work'], { triggerRule: 'all_done' })];
    assert.deepEqual(advance(cleanUp, { work: 'failed' }), { clean: 'scheduled' });
    assert.deepEqual(advance(cleanUp, { work: 'failed', clean: 'success' }), { end: 'success' });
    assert.deepEqual(advance(cleanUp, { work: 'success', clean: 'failed' }), { end: 'failed' });
    assert.deepEqual(advance([taskOf('a'), taskOf('b')], { a: 'success', b: 'skipped' }), { end: 'success' });
    assert.deepEqual(advance([], {}), { end: 'success' });
  });

  test('does not end the run while anything is open', () => {
    const states: TaskState[] = ['running', 'queued', 'scheduled', 'up_for_retry', 'deferred'];
    for (const state of states) assert.deepEqual(advance([taskOf('a'), taskOf('b')], { a: 'failed', b: state }), {});
  });
});

describe('a branch', () => {
  const tasks = [
    taskOf('gate', [], { kind: 'branch' }),
    taskOf('refresh', ['gate']),
    taskOf('skip', ['gate']),
    taskOf('join', ['refresh', 'skip'], { triggerRule: 'none_failed_min_one_success' }),
    taskOf('after', ['join']),
  ];

  test('skips what it does not follow, and the join below runs after the other', () => {
    assert.deepEqual(advance(tasks, { gate: follow('skip') }), { refresh: 'skipped', skip: 'scheduled' });
    assert.deepEqual(advance(tasks, { gate: follow('skip'), refresh: 'skipped', skip: 'success' }), {
      join: 'scheduled',
    });
  });

  test('skips everything where it follows nothing', () => {
    const skipped = { refresh: 'skipped', skip: 'skipped', join: 'skipped', after: 'skipped', end: 'success' };
    assert.deepEqual(advance(tasks, { gate: follow() }), skipped);
  });

  test('skips a child at once, though other tasks above it still run and whatever its trigger rule is', () => {
    const always = [
      taskOf('gate', [], { kind: 'branch' }),
      taskOf('slow'),
      taskOf('x', ['gate', 'slow'], { triggerRule: 'all_done' }),
    ];
    assert.deepEqual(advance(always, { gate: follow(), slow: 'running' }), { x: 'skipped' });
  });

  test('does not skip a child that what it follows leads to', () => {
    const shortcut = [
      taskOf('gate', [], { kind: 'branch' }),
      taskOf('work', ['gate']),
      taskOf('join', ['gate', 'work'], { triggerRule: 'none_failed' }),
    ];
    assert.deepEqual(advance(shortcut, { gate: follow('work') }), { work: 'scheduled' });
    assert.deepEqual(advance(shortcut, { gate: follow('join') }), { work: 'skipped', join: 'scheduled' });
  });

  test('follows a group by its name', () => {
    const grouped = [
      taskOf('gate', [], { kind: 'branch' }),
      taskOf('load.a', ['gate'], { group: 'load' }),
      taskOf('load.b', ['gate'], { group: 'load' }),
      taskOf('other', ['gate']),
    ];
    assert.deepEqual(advance(grouped, { gate: follow('load') }), {
      'load.a': 'scheduled',
      'load.b': 'scheduled',
      other: 'skipped',
    });
  });
});

describe('a short circuit', () => {
  const tasks = [
    taskOf('may_load', [], { kind: 'short_circuit' }),
    taskOf('load', ['may_load']),
    taskOf('gold', ['load']),
    taskOf('notify', ['load'], { triggerRule: 'all_done' }),
  ];

  test('that is off skips what is below it, as far as trigger rules agree, and the run succeeds', () => {
    assert.deepEqual(advance(tasks, { may_load: proceed(false) }), {
      load: 'skipped',
      gold: 'skipped',
      notify: 'scheduled',
    });
    const rest: Known = { may_load: proceed(false), load: 'skipped', gold: 'skipped', notify: 'success' };
    assert.deepEqual(advance(tasks, rest), { end: 'success' });
  });

  test('that is on changes nothing', () => {
    assert.deepEqual(advance(tasks, { may_load: proceed(true) }), { load: 'scheduled' });
  });
});

describe('choosing tasks', () => {
  const tasks = [
    taskOf('a'),
    taskOf('g.x', ['a'], { group: 'g' }),
    taskOf('g.y', ['a'], { group: 'g' }),
    taskOf('b', ['g.x', 'g.y']),
    taskOf('c', ['b']),
  ];
  const choose = (ids: readonly string[], downstream: boolean, upstream: boolean) =>
    [...selectTasks({ tasks }, ids, { downstream, upstream })].sort();

  test('takes those named, the members of groups, and what lies below or above as asked', () => {
    assert.deepEqual(choose(['b'], false, false), ['b']);
    assert.deepEqual(choose(['g'], false, false), ['g.x', 'g.y']);
    assert.deepEqual(choose(['g.x'], true, false), ['b', 'c', 'g.x']);
    assert.deepEqual(choose(['b'], false, true), ['a', 'b', 'g.x', 'g.y']);
    // Both ways start from the chosen tasks: what is beside them stays out.
    assert.deepEqual(choose(['g.x'], true, true), ['a', 'b', 'c', 'g.x']);
  });
});

describe('dispatch', () => {
  const task = (id: string, priority = 0, pool = 'default') => ({ id, priority, pool });
  const plan = (tasks: readonly ReturnType<typeof task>[], slots: number, busy: readonly [string, number][] = []) =>
    planDispatch(tasks, { default: 4, warehouse: 1 }, new Map(busy), slots).map(({ id }) => id);

  test('takes higher priority first, then the order given, up to the free slots', () => {
    assert.deepEqual(plan([task('a'), task('b', 5), task('c'), task('d', 5)], 3), ['b', 'd', 'a']);
    assert.deepEqual(plan([task('a')], 0), []);
  });

  test('lets others pass a task whose pool is full', () => {
    const tasks = [task('w1', 9, 'warehouse'), task('w2', 9, 'warehouse'), task('a')];
    assert.deepEqual(plan(tasks, 4), ['w1', 'a']);
    assert.deepEqual(plan(tasks, 4, [['warehouse', 1]]), ['a']);
    assert.deepEqual(plan([task('a')], 1, [['default', 4]]), []);
  });
});
