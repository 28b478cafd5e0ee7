import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TASK_STATES, type TaskState, TRIGGER_RULES, type TriggerRule } from '../../core/types.ts';
import { isFinal } from '../../scheduler/task-state.ts';
import { applyTriggerRule, type RuleVerdict } from '../../scheduler/trigger-rules.ts';

const LETTERS: Readonly<Record<string, TaskState>> = {
  S: 'success',
  F: 'failed',
  U: 'upstream_failed',
  K: 'skipped',
  R: 'running',
  N: 'none',
  D: 'deferred',
  Y: 'up_for_retry',
};

/** Upstream states, one letter each -> what becomes of the task. */
const TABLE: Readonly<Record<TriggerRule, Readonly<Record<string, RuleVerdict>>>> = {
  all_success: {
    SS: 'run',
    SR: 'wait',
    SN: 'wait',
    SY: 'wait',
    SD: 'wait',
    SF: 'upstream_failed',
    FR: 'upstream_failed',
    UN: 'upstream_failed',
    SK: 'skip',
    KR: 'skip',
    FK: 'upstream_failed',
  },
  all_failed: { FF: 'run', FU: 'run', FR: 'wait', RR: 'wait', FS: 'skip', SR: 'skip', FK: 'skip', KN: 'skip' },
  all_done: { SS: 'run', SF: 'run', UK: 'run', KK: 'run', FR: 'wait', SN: 'wait', KD: 'wait' },
  all_done_min_one_success: {
    SS: 'run',
    SF: 'run',
    SU: 'run',
    SR: 'wait',
    FR: 'wait',
    FF: 'upstream_failed',
    FU: 'upstream_failed',
    SK: 'skip',
    KR: 'skip',
  },
  all_skipped: { KK: 'run', KR: 'wait', RR: 'wait', KS: 'skip', KF: 'skip', UR: 'skip' },
  one_success: {
    SR: 'run',
    SF: 'run',
    SK: 'run',
    SN: 'run',
    RR: 'wait',
    FR: 'wait',
    KR: 'wait',
    KK: 'skip',
    FF: 'upstream_failed',
    FK: 'upstream_failed',
    UU: 'upstream_failed',
  },
  one_failed: {
    FR: 'run',
    FS: 'run',
    UN: 'run',
    RR: 'wait',
    SR: 'wait',
    YR: 'wait',
    SS: 'skip',
    SK: 'skip',
    KK: 'skip',
  },
  one_done: {
    SR: 'run',
    FR: 'run',
    SK: 'run',
    FU: 'run',
    RR: 'wait',
    KR: 'wait',
    UR: 'wait',
    KK: 'skip',
    UK: 'skip',
    UU: 'skip',
  },
  none_failed: {
    SS: 'run',
    SK: 'run',
    KK: 'run',
    SR: 'wait',
    KR: 'wait',
    SF: 'upstream_failed',
    UR: 'upstream_failed',
    KF: 'upstream_failed',
  },
  none_failed_min_one_success: {
    SS: 'run',
    SK: 'run',
    KK: 'skip',
    SR: 'wait',
    KR: 'wait',
    FR: 'upstream_failed',
    SU: 'upstream_failed',
    KF: 'upstream_failed',
  },
  none_skipped: { SS: 'run', SF: 'run', FU: 'run', SR: 'wait', FR: 'wait', SK: 'skip', KR: 'skip' },
  always: { SS: 'run', RR: 'run', NN: 'run', FK: 'run' },
};

describe('trigger rules', () => {
  for (const rule of TRIGGER_RULES) {
    test(`${rule} decides as its table says`, () => {
      for (const [letters, verdict] of Object.entries(TABLE[rule])) {
        const upstream = [...letters].map((letter) => LETTERS[letter] ?? assert.fail(letter));
        assert.equal(applyTriggerRule(rule, upstream), verdict, `${rule} of ${upstream.join(', ')}`);
        assert.equal(
          applyTriggerRule(rule, upstream.toReversed()),
          verdict,
          'the order of the upstream tasks is nothing',
        );
      }
    });
  }

  test('a task without upstream tasks runs under every rule', () => {
    for (const rule of TRIGGER_RULES) assert.equal(applyTriggerRule(rule, []), 'run');
  });

  test('no rule waits once all upstream tasks are over', () => {
    const ends = TASK_STATES.filter(isFinal);
    for (const rule of TRIGGER_RULES) {
      for (const a of ends) for (const b of ends) assert.notEqual(applyTriggerRule(rule, [a, b]), 'wait');
    }
  });

  test('a verdict stands whatever the tasks that are still open come to', () => {
    const settled = (states: readonly TaskState[], rule: TriggerRule) => applyTriggerRule(rule, states);
    for (const rule of TRIGGER_RULES) {
      for (const a of TASK_STATES.filter(isFinal)) {
        const early = settled([a, 'running'], rule);
        if (early === 'wait' || early === 'run') continue;
        const later = TASK_STATES.filter(isFinal).map((b) => settled([a, b], rule));
        assert.ok(!later.includes('run'), `${rule} gave up on ${a} too early`);
      }
    }
  });
});
