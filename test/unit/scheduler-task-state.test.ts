import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RUN_STATES, TASK_STATES, type TaskState } from '../../core/types.ts';
import { isFinal, isFinalRun, mayMove, mayMoveRun, RUN_MOVES, TASK_MOVES } from '../../scheduler/task-state.ts';

describe('the transition tables', () => {
  test('know every state and lead to known states only', () => {
    assert.deepEqual(Object.keys(TASK_MOVES).sort(), [...TASK_STATES].sort());
    assert.deepEqual(Object.keys(RUN_MOVES).sort(), [...RUN_STATES].sort());
    for (const targets of Object.values(TASK_MOVES)) for (const to of targets) assert.ok(TASK_STATES.includes(to));
  });

  test('let nothing leave a final state', () => {
    const final: TaskState[] = ['success', 'failed', 'upstream_failed', 'skipped', 'removed'];
    assert.deepEqual(TASK_STATES.filter(isFinal).sort(), final.sort());
    for (const from of final) for (const to of TASK_STATES) assert.equal(mayMove(from, [to]), false);
    assert.deepEqual(RUN_STATES.filter(isFinalRun), ['success', 'failed']);
    for (const to of RUN_STATES) assert.equal(mayMoveRun('success', [to]), false);
  });

  test('lead from every state to an end, and back to none never', () => {
    for (const from of TASK_STATES) {
      const reached = new Set<TaskState>([from]);
      for (const state of reached) for (const next of TASK_MOVES[state]) reached.add(next);
      assert.ok([...reached].some(isFinal), `${from} has no way to an end`);
      if (from !== 'none') assert.ok(!reached.has('none'));
    }
  });

  test('let a task succeed only after it ran', () => {
    for (const from of TASK_STATES) {
      assert.equal(mayMove(from, ['success']), from === 'running' || from === 'deferred', from);
    }
  });

  test('allow a path where they allow each step of it', () => {
    assert.equal(mayMove('none', ['scheduled', 'queued', 'running', 'success']), true);
    assert.equal(mayMove('none', ['scheduled', 'running']), false);
    assert.equal(mayMove('running', ['up_for_retry', 'scheduled', 'queued', 'running']), true);
    assert.equal(mayMove('running', []), false);
    assert.equal(mayMoveRun('queued', ['running', 'success']), true);
    assert.equal(mayMoveRun('queued', ['success']), false);
  });
});
