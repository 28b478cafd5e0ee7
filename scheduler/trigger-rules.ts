/**
 * A trigger rule and the states of the direct upstream tasks -> may the task start, must it wait, or will it never run? Pure.
 *
 * @source Airflow, `ti_deps/deps/trigger_rule_dep.py` of 3.1 (read 2026-11-21)
 */
import type { TaskState, TriggerRule } from '../core/types.ts';
import { isFinal } from './task-state.ts';

export type RuleVerdict = 'run' | 'wait' | 'skip' | 'upstream_failed';

/** A task without upstream tasks runs under every rule. */
export function applyTriggerRule(rule: TriggerRule, upstream: readonly TaskState[]): RuleVerdict {
  if (upstream.length === 0) return 'run';
  const count = (...states: TaskState[]) => upstream.filter((state) => states.includes(state)).length;
  const all = upstream.length;
  const success = count('success');
  const failed = count('failed', 'upstream_failed');
  const skipped = count('skipped', 'removed');
  const isDone = upstream.every(isFinal);
  switch (rule) {
    case 'all_success':
      if (failed > 0) return 'upstream_failed';
      if (skipped > 0) return 'skip';
      return success === all ? 'run' : 'wait';
    case 'all_failed':
      if (success > 0 || skipped > 0) return 'skip';
      return failed === all ? 'run' : 'wait';
    case 'all_done':
      return isDone ? 'run' : 'wait';
    case 'all_done_min_one_success':
      if (skipped > 0) return 'skip';
      if (!isDone) return 'wait';
      return success > 0 ? 'run' : 'upstream_failed';
    case 'all_skipped':
      if (success > 0 || failed > 0) return 'skip';
      return skipped === all ? 'run' : 'wait';
    case 'one_success':
      if (success > 0) return 'run';
      if (!isDone) return 'wait';
      return skipped === all ? 'skip' : 'upstream_failed';
    case 'one_failed':
      if (failed > 0) return 'run';
      return isDone ? 'skip' : 'wait';
    case 'one_done':
      // A task that never ran (skipped, or failed further up) is not done for this rule.
      if (success > 0 || count('failed') > 0) return 'run';
      return isDone ? 'skip' : 'wait';
    case 'none_failed':
      if (failed > 0) return 'upstream_failed';
      return isDone ? 'run' : 'wait';
    case 'none_failed_min_one_success':
      if (failed > 0) return 'upstream_failed';
      if (!isDone) return 'wait';
      return success > 0 ? 'run' : 'skip';
    case 'none_skipped':
      if (skipped > 0) return 'skip';
      return isDone ? 'run' : 'wait';
    case 'always':
      return 'run';
    default:
      return rule satisfies never;
  }
}
