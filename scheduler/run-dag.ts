/**
 * The act side of one step, on a draft: what `advanceRun` decides is applied, tasks that need no worker are done here, runs
 * start and end, and a triggered run and the task that waits for it move together.
 */
import type { ErrorCode } from '../core/errors.ts';
import { ERROR_CODES } from '../core/errors.ts';
import { sha256 } from '../core/fingerprint.ts';
import type { DagRun, Task, TaskDefaults, TaskError, TaskInstance, TaskOutput } from '../core/types.ts';
import { advanceRun } from './advance-run.ts';
import { attemptLogPath } from './attempt-path.ts';
import { delayAfter, isRetryable, MOST_LOST_IN_A_ROW, retryPolicyOf } from './retry.ts';
import { newInstance, newRun, type OpenRun } from './run-book.ts';
import type { StepDraft } from './step-draft.ts';
import type { DagVersion } from './store/run-store.ts';
import { isFinal, isFinalRun } from './task-state.ts';

export interface Step {
  readonly draft: StepDraft;
  readonly defaults: TaskDefaults;
  /** The project's present version of a DAG; null where it has none. */
  readonly currentVersion: (dagId: string) => DagVersion | null;
  readonly isPaused: (dagId: string) => boolean;
  /** A run that is over, from the store; null where there is none of that id. */
  readonly loadRun: (dagId: string, runId: string) => Promise<OpenRun | null>;
}

export type TaskResult = { readonly output: TaskOutput } | { readonly error: TaskError };

/** Starts what may start and ends what is over, until nothing more follows. Tasks that need a worker are left `scheduled`. */
export async function advanceRuns(step: Step): Promise<void> {
  do {
    startQueuedRuns(step);
    for (const open of step.draft.takeTouched()) await advanceOpenRun(step, open);
  } while (step.draft.hasTouched);
}

/** Queued runs in order, as far as each DAG's `max_active_runs` allows and it is not paused. */
function startQueuedRuns(step: Step): void {
  const { draft } = step;
  const active = new Map<string, number>();
  const queued: OpenRun[] = [];
  for (const open of draft.openRuns()) {
    const { dagId, state } = draft.run(open);
    if (state === 'running') active.set(dagId, (active.get(dagId) ?? 0) + 1);
    if (state === 'queued') queued.push(open);
  }
  for (const open of queued) {
    const { dagId } = open.run;
    const dag = step.currentVersion(dagId)?.dag ?? draft.version(open).dag;
    const running = active.get(dagId) ?? 0;
    if (step.isPaused(dagId) || running >= dag.maxActiveRuns) continue;
    active.set(dagId, running + 1);
    draft.moveRun(open, 'running', { startedAtMs: draft.nowMs });
  }
}

async function advanceOpenRun(step: Step, open: OpenRun): Promise<void> {
  const { draft } = step;
  const { dag } = draft.version(open);
  while (draft.run(open).state === 'running') {
    const { moves, end } = advanceRun(dag, draft.tasksOf(open));
    for (const { taskId, to } of moves) {
      const at = to === 'scheduled' ? { scheduledAtMs: draft.nowMs } : { endedAtMs: draft.nowMs };
      draft.moveTask(open, taskId, [to], at);
    }
    if (end !== null) {
      endRun(step, open, end);
      return;
    }
    const own = dag.tasks.filter((task) => isOwnWork(task) && draft.task(open, task.id).state === 'scheduled');
    const ready = own.filter((task) => mayDoNow(step, open, task));
    if (ready.length === 0) return;
    for (const task of ready) await doOwnWork(step, open, task);
  }
}

/** Kinds that the scheduler does itself, without a worker. */
export function isOwnWork(task: Task): boolean {
  return task.kind === 'empty' || task.kind === 'trigger_dag';
}

/** A run that this very step has ended can be started over by the next one only. */
function mayDoNow(step: Step, open: OpenRun, task: Task): boolean {
  if (task.kind !== 'trigger_dag') return true;
  const child = step.draft.findRun(childOf(step, open, task.id));
  if (!child || !step.draft.hasMovedRun(child) || !isFinalRun(step.draft.run(child).state)) return true;
  step.draft.postpone(open);
  return false;
}

async function doOwnWork(step: Step, open: OpenRun, task: Task): Promise<void> {
  startTask(step, open, task.id);
  if (task.kind === 'empty') finishTask(step, open, task.id, { output: { kind: 'nothing' } }, null);
  else await triggerRun(step, open, task);
}

// ------------------------------------------------------------------ tasks

/** `scheduled` -> `running`, as a new try with a new fence. */
export function startTask(step: Step, open: OpenRun, taskId: string): TaskInstance {
  const { draft } = step;
  const before = draft.task(open, taskId);
  const started = draft.moveTask(open, taskId, ['queued', 'running'], {
    tryNumber: before.tryNumber + 1,
    fence: before.fence + 1,
    queuedAtMs: draft.nowMs,
    startedAtMs: draft.nowMs,
    endedAtMs: null,
    nextRetryAtMs: null,
    error: null,
  });
  draft.openAttempt({
    dagId: started.dagId,
    runId: started.runId,
    taskId,
    mapIndex: started.mapIndex,
    tryNumber: started.tryNumber,
    fence: started.fence,
    startedAtMs: draft.nowMs,
    logPath: attemptLogPath(started),
  });
  return started;
}

/** Ends the present try of a running or deferred task: as success, for a retry later, or as failed. */
export function finishTask(step: Step, open: OpenRun, taskId: string, result: TaskResult, pid: number | null): void {
  const { draft } = step;
  const task = taskOf(step, open, taskId);
  const fault = 'output' in result ? outputFault(draft.version(open).dag.tasks, task, result.output) : null;
  const error = fault ?? ('error' in result ? result.error : null);
  const endedAtMs = draft.nowMs;
  closeAttempt(step, open, taskId, error === null ? 'success' : 'failed', error, pid);
  if (error === null) {
    draft.moveTask(open, taskId, ['success'], { endedAtMs, error, ...result });
    return;
  }
  const instance = draft.task(open, taskId);
  if (!isRetryable(error.code) || instance.tryNumber >= instance.maxTries) {
    draft.moveTask(open, taskId, ['failed'], { endedAtMs, error });
    return;
  }
  const policy = retryPolicyOf(task, step.defaults);
  const nextRetryAtMs = draft.nowMs + delayAfter(error, policy, instance.tryNumber, instance.uuid);
  draft.moveTask(open, taskId, ['up_for_retry'], { endedAtMs, error, nextRetryAtMs });
}

/** A try that was ended so that its scheduler could stop: the task starts over and keeps all its retries. */
export function interruptTask(step: Step, open: OpenRun, taskId: string): void {
  startOver(
    step,
    open,
    taskId,
    taskError('task_cancelled', 'The scheduler stopped while it ran. The task runs again.'),
  );
}

/**
 * A try whose scheduler is gone without having been stopped: the task starts over and keeps all its retries, until it has
 * been there too often.
 *
 * @param lostBefore tries in a row, right before this one, that ended the same way
 */
export function loseTask(step: Step, open: OpenRun, taskId: string, lostBefore: number): void {
  const lost = lostBefore + 1;
  if (lost < MOST_LOST_IN_A_ROW) {
    startOver(step, open, taskId, taskError('task_died', 'The scheduler died while it ran. The task runs again.'));
    return;
  }
  const message =
    `Task ${taskId} was running each of the last ${lost} times that the scheduler died, so it may be what takes it down: ` +
    'by using up the memory of the machine, for one. Look at its log and at the system’s, then clear it to run it again.';
  const error = taskError('task_died', message);
  closeAttempt(step, open, taskId, 'failed', error, null);
  step.draft.moveTask(open, taskId, ['failed'], { endedAtMs: step.draft.nowMs, error });
}

function startOver(step: Step, open: OpenRun, taskId: string, error: TaskError): void {
  closeAttempt(step, open, taskId, 'lost', error, null);
  const { fence, maxTries } = step.draft.task(open, taskId);
  step.draft.moveTask(open, taskId, ['scheduled'], {
    fence: fence + 1,
    maxTries: maxTries + 1,
    scheduledAtMs: step.draft.nowMs,
    startedAtMs: null,
  });
}

/** Tasks whose delay is over may start again. */
export function retryTask(step: Step, open: OpenRun, taskId: string): void {
  step.draft.moveTask(open, taskId, ['scheduled'], { scheduledAtMs: step.draft.nowMs, nextRetryAtMs: null });
}

function closeAttempt(
  step: Step,
  open: OpenRun,
  taskId: string,
  state: 'success' | 'failed' | 'lost',
  error: TaskError | null,
  pid: number | null,
): void {
  const { dagId, runId, mapIndex, tryNumber } = step.draft.task(open, taskId);
  step.draft.closeAttempt({
    ...{ dagId, runId, taskId, mapIndex, tryNumber },
    ...{ state, endedAtMs: step.draft.nowMs, error, pid },
  });
}

/** An output that a decision hangs on must be one: else everything below would be skipped without a word. */
function outputFault(tasks: readonly Task[], task: Task, output: TaskOutput): TaskError | null {
  if (task.kind !== 'branch' && task.kind !== 'short_circuit') return null;
  if (output.kind !== task.kind) {
    return taskError('internal', `Task ${task.id} is a ${task.kind} and returned ${output.kind}.`);
  }
  if (output.kind !== 'branch') return null;
  const below = tasks.filter((each) => each.upstream.includes(task.id));
  const unknown = output.follow.filter((name) => !below.some(({ id, group }) => id === name || group === name));
  if (unknown.length === 0) return null;
  return taskError(
    'internal',
    `Branch ${task.id} follows ${unknown.join(', ')}, which no task right below it is called.`,
  );
}

function taskOf(step: Step, open: OpenRun, taskId: string): Task {
  const task = step.draft.version(open).dag.tasks.find((each) => each.id === taskId);
  if (!task) throw new Error(`DAG ${open.run.dagId} has no task ${taskId}`);
  return task;
}

function taskError(code: ErrorCode, message: string): TaskError {
  return { code, message, retryable: ERROR_CODES[code].retryable };
}

// ------------------------------------------------------------------ runs

function endRun(step: Step, open: OpenRun, state: 'success' | 'failed'): void {
  const { draft } = step;
  draft.moveRun(open, state, { endedAtMs: draft.nowMs });
  const { dagId, runId } = open.run;
  draft.logEvent({ actor: 'scheduler', action: `run_${state}`, dagId, runId, taskId: null, detail: '' });
  if (open.parent === null) return;
  const parent = draft.findRun(open.parent);
  const { taskId } = open.parent;
  if (!parent || !draft.hasTask(parent, taskId)) return;
  if (draft.run(parent).state === 'running' && draft.task(parent, taskId).state === 'deferred') {
    finishTask(step, parent, taskId, triggerResult(open.run, state), null);
  }
}

/**
 * Ends a run as failed: what runs fails as cancelled, what waits is skipped, and runs that it waits for are cancelled too.
 * Attempts under way are the caller's to kill.
 */
export function cancelRun(step: Step, open: OpenRun): void {
  const { draft } = step;
  const error = taskError('task_cancelled', 'The run was cancelled.');
  const endedAtMs = draft.nowMs;
  for (const { id, kind } of draft.version(open).dag.tasks) {
    const { state, fence } = draft.task(open, id);
    if (isFinal(state)) continue;
    const wasRunning = state === 'running' || state === 'deferred';
    if (wasRunning) closeAttempt(step, open, id, 'failed', error, null);
    // The higher fence turns away what the dying attempt may still report.
    const patch = { error, endedAtMs, nextRetryAtMs: null, fence: fence + 1 };
    draft.moveTask(open, id, [wasRunning ? 'failed' : 'skipped'], patch);
    if (state !== 'deferred' || kind !== 'trigger_dag') continue;
    const child = draft.findRun(childOf(step, open, id));
    if (child && !isFinalRun(draft.run(child).state)) cancelRun(step, child);
  }
  endRun(step, open, 'failed');
}

/**
 * Starts the chosen tasks over: new fence, no output, tries counted on. A run that was over is queued again.
 * With another version of the DAG, tasks that it added join the run, and those that it lacks are removed.
 */
export function restartTasks(step: Step, open: OpenRun, chosen: ReadonlySet<string>, version: DagVersion): void {
  const { draft, defaults } = step;
  const run = draft.run(open);
  const pinned = { ...run, dagFingerprint: version.dag.fingerprint };
  const fresh = { state: 'queued', queuedAtMs: draft.nowMs, startedAtMs: null, endedAtMs: null } as const;
  draft.requeueRun(open, isFinalRun(run.state) ? { ...pinned, ...fresh } : pinned, version);
  const left = new Map(open.instances);
  for (const task of version.dag.tasks) {
    const before = left.get(task.id);
    left.delete(task.id);
    if (!before) {
      draft.clearTask(open, newInstance(run, task, defaults));
    } else if (chosen.has(task.id) || before.state === 'removed') {
      closeIfRunning(step, open, before);
      const maxTries = before.tryNumber + 1 + retryPolicyOf(task, defaults).retries;
      draft.clearTask(open, restarted(before, 'none', maxTries));
    }
  }
  for (const before of left.values()) {
    if (before.state === 'removed') continue;
    closeIfRunning(step, open, before);
    draft.clearTask(open, restarted(before, 'removed', before.maxTries));
  }
}

function closeIfRunning(step: Step, open: OpenRun, { taskId, state }: TaskInstance): void {
  if (state !== 'running' && state !== 'deferred') return;
  const error = taskError('task_cancelled', 'The task was cleared while it ran.');
  closeAttempt(step, open, taskId, 'failed', error, null);
}

function restarted(before: TaskInstance, state: 'none' | 'removed', maxTries: number): TaskInstance {
  return {
    ...before,
    state,
    maxTries,
    fence: before.fence + 1,
    scheduledAtMs: null,
    queuedAtMs: null,
    startedAtMs: null,
    endedAtMs: null,
    nextRetryAtMs: null,
    error: null,
    output: null,
  };
}

// ------------------------------------------------------------------ a task that triggers a run

/**
 * Each try of the task gives one run of the other DAG, always of the same id: made where there is none, adopted where it is
 * under way, started over where it is over. So a restart of the scheduler makes no second one.
 */
async function triggerRun(step: Step, open: OpenRun, task: Task): Promise<void> {
  const { draft } = step;
  const { dagId, runId } = childOf(step, open, task.id);
  const fail = (code: ErrorCode, message: string): void =>
    finishTask(step, open, task.id, { error: taskError(code, message) }, null);
  const version = step.currentVersion(dagId);
  if (!version) {
    fail('dag_not_found', `Task ${task.id} triggers DAG "${dagId}", which this project does not have.`);
    return;
  }
  const waits = task.params.wait !== false;
  if (waits && ancestorDags(step, open).includes(dagId)) {
    fail(
      'spec_invalid',
      `Task ${task.id} waits for a run of DAG ${dagId}, which waits for this task: neither would end.`,
    );
    return;
  }
  const known = draft.findRun({ dagId, runId }) ?? (await step.loadRun(dagId, runId));
  const parent = { dagId: open.run.dagId, runId: open.run.runId, taskId: task.id };
  if (!known) draft.createRun(newRun(childRun(step, open, dagId, runId, version), parent, version, step.defaults));
  else if (isFinalRun(draft.run(known).state)) restartTasks(step, known, new Set(known.instances.keys()), version);
  if (waits) draft.moveTask(open, task.id, ['deferred'], {});
  else finishTask(step, open, task.id, triggerResult({ dagId, runId }, 'success'), null);
}

/** For a scheduler that starts: ends the tasks that wait for a run which ended while nobody looked. */
export async function resumeDeferred(step: Step, open: OpenRun): Promise<void> {
  const { draft } = step;
  for (const { taskId, state } of open.instances.values()) {
    if (state !== 'deferred') continue;
    const child = childOf(step, open, taskId);
    const known = draft.findRun(child) ?? (await step.loadRun(child.dagId, child.runId));
    const childState = known ? draft.run(known).state : 'failed';
    if (childState === 'success' || childState === 'failed') {
      finishTask(step, open, taskId, triggerResult(child, childState), null);
    }
  }
}

function childOf(step: Step, open: OpenRun, taskId: string): { readonly dagId: string; readonly runId: string } {
  const { dagId, runId } = open.run;
  const suffix = sha256(`${dagId}\n${runId}\n${taskId}`).slice(0, 8);
  return { dagId: String(taskOf(step, open, taskId).params.dag), runId: `triggered__${runId}__${suffix}` };
}

function childRun(step: Step, open: OpenRun, dagId: string, runId: string, { dag }: DagVersion): DagRun {
  return {
    dagId,
    runId,
    state: 'queued',
    runType: 'manual',
    triggeredBy: 'operator',
    logicalDateMs: null,
    interval: open.run.interval,
    runAfterMs: step.draft.nowMs,
    queuedAtMs: step.draft.nowMs,
    startedAtMs: null,
    endedAtMs: null,
    conf: open.run.conf,
    note: null,
    dagFingerprint: dag.fingerprint,
  };
}

function triggerResult(
  child: { readonly dagId: string; readonly runId: string },
  state: 'success' | 'failed',
): TaskResult {
  const { dagId, runId } = child;
  if (state === 'success') return { output: { kind: 'triggered', dagId, runId } };
  const message = `Run ${runId} of DAG ${dagId} failed. Put it right, then clear this task: it runs that DAG again.`;
  return { error: taskError('child_run_failed', message) };
}

/** The run's own DAG and those of the runs that wait for it. */
function ancestorDags(step: Step, open: OpenRun): readonly string[] {
  const dags: string[] = [];
  for (let at: OpenRun | undefined = open; at; at = at.parent ? step.draft.findRun(at.parent) : undefined) {
    dags.push(at.run.dagId);
  }
  return dags;
}
