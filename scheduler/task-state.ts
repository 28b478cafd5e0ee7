/** The one table of moves for task states and the one for run states. */
import type { RunState, TaskState } from '../core/types.ts';

/**
 * From each state to those that may follow it.
 *
 * `scheduled`: what it waits for is there; `queued`: it has a slot; `running`: an attempt is under way;
 * `deferred`: it waits for a run that it triggered, without a slot. Back to `scheduled` from `queued` or `running`
 * goes only an attempt that was lost with its scheduler. Clearing is no move: it starts the instance over at `none`.
 */
export const TASK_MOVES: Readonly<Record<TaskState, readonly TaskState[]>> = {
  none: ['scheduled', 'skipped', 'upstream_failed', 'removed'],
  scheduled: ['queued', 'skipped', 'upstream_failed', 'removed'],
  queued: ['running', 'scheduled', 'skipped', 'failed'],
  running: ['success', 'failed', 'skipped', 'up_for_retry', 'deferred', 'scheduled'],
  deferred: ['success', 'failed', 'up_for_retry', 'skipped'],
  up_for_retry: ['scheduled', 'skipped', 'failed', 'removed'],
  success: [],
  failed: [],
  upstream_failed: [],
  skipped: [],
  removed: [],
};

/** `queued` waits for `max_active_runs` or the end of a pause. Clearing puts a run back to `queued`. */
export const RUN_MOVES: Readonly<Record<RunState, readonly RunState[]>> = {
  queued: ['running', 'failed'],
  running: ['success', 'failed'],
  success: [],
  failed: [],
};

export function isFinal(state: TaskState): boolean {
  return TASK_MOVES[state].length === 0;
}

export function isFinalRun(state: RunState): boolean {
  return RUN_MOVES[state].length === 0;
}

/** True where every step of the path is a move of the table; an empty path is none. */
export function mayMove(from: TaskState, path: readonly TaskState[]): boolean {
  let at = from;
  for (const to of path) {
    if (!TASK_MOVES[at].includes(to)) return false;
    at = to;
  }
  return path.length > 0;
}

export function mayMoveRun(from: RunState, path: readonly RunState[]): boolean {
  let at = from;
  for (const to of path) {
    if (!RUN_MOVES[at].includes(to)) return false;
    at = to;
  }
  return path.length > 0;
}
