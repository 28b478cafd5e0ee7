/** What one scheduling step decided -> one transaction; the only place where a run's or a task's state is written. */

import { PipelineError } from '../../core/errors.ts';
import type { DagRun, RunState, TaskError, TaskInstance, TaskState } from '../../core/types.ts';
import { mayMove, mayMoveRun } from '../task-state.ts';
import type { Kysely } from './kysely.ts';
import { instanceColumns, instanceRow, type ParentLink, runRow } from './store-rows.ts';
import type { StoreSchema } from './store-schema.ts';

/** Absent means nothing of the kind. Written in the order of the fields: what is cleared may start again, and what starts may end, in the same step. */
export interface StoreChanges {
  readonly createdRuns?: readonly CreatedRun[];
  readonly requeuedRuns?: readonly { readonly before: DagRun; readonly after: DagRun }[];
  readonly runMoves?: readonly RunMove[];
  readonly clearedTasks?: readonly ClearedTask[];
  readonly taskMoves?: readonly TaskMove[];
  readonly openedAttempts?: readonly OpenedAttempt[];
  readonly closedAttempts?: readonly ClosedAttempt[];
  readonly cursors?: readonly { readonly dagId: string; readonly cursorMs: number }[];
  readonly events?: readonly StoreEvent[];
}

export interface CreatedRun {
  readonly run: DagRun;
  readonly parent: ParentLink | null;
  readonly instances: readonly TaskInstance[];
}

export interface RunMove {
  readonly before: DagRun;
  /** States after the first, in order; the last is `after.state`. */
  readonly path: readonly RunState[];
  readonly after: DagRun;
}

export interface TaskMove {
  readonly before: TaskInstance;
  /** States after the first, in order; the last is `after.state`. */
  readonly path: readonly TaskState[];
  readonly after: TaskInstance;
}

/** `before` is null for a task that the run's new DAG version added. `after.state` is `none`, or `removed` where it lacks the task. */
export interface ClearedTask {
  readonly before: TaskInstance | null;
  readonly after: TaskInstance;
}

interface AttemptKey {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
}

export interface OpenedAttempt extends AttemptKey {
  readonly fence: number;
  readonly startedAtMs: number;
  readonly logPath: string;
}

export interface ClosedAttempt extends AttemptKey {
  readonly state: 'success' | 'failed' | 'lost';
  readonly endedAtMs: number;
  readonly error: TaskError | null;
  readonly pid: number | null;
}

export interface StoreEvent {
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly dagId: string;
  readonly runId: string | null;
  readonly taskId: string | null;
  readonly detail: string;
}

/** Rows of one INSERT: few texts to prepare, and far from SQLite's limit on bound values. */
const ROWS_PER_INSERT = 50;

/** Must run inside a transaction. @throws as `RunStore.apply` */
export async function applyChanges(tx: Kysely<StoreSchema>, changes: StoreChanges): Promise<void> {
  for (const created of changes.createdRuns ?? []) await createRun(tx, created);
  for (const requeued of changes.requeuedRuns ?? []) await requeueRun(tx, requeued.before, requeued.after);
  for (const move of changes.runMoves ?? []) await moveRun(tx, move);
  for (const cleared of changes.clearedTasks ?? []) await clearTask(tx, cleared);
  for (const move of changes.taskMoves ?? []) await moveTask(tx, move);
  for (const attempt of changes.openedAttempts ?? []) await openAttempt(tx, attempt);
  for (const attempt of changes.closedAttempts ?? []) await closeAttempt(tx, attempt);
  for (const { dagId, cursorMs } of changes.cursors ?? []) {
    await tx.updateTable('dag').set({ schedule_cursor_ms: cursorMs }).where('dag_id', '=', dagId).execute();
  }
  for (const event of changes.events ?? []) await logEvent(tx, event);
}

async function createRun(tx: Kysely<StoreSchema>, { run, parent, instances }: CreatedRun): Promise<void> {
  try {
    await tx.insertInto('dag_run').values(runRow(run, parent)).execute();
  } catch (thrown) {
    if (!/UNIQUE constraint/i.test(thrown instanceof Error ? thrown.message : '')) throw thrown;
    throw new PipelineError(
      'run_exists',
      `DAG ${run.dagId} already has run ${run.runId}, or one for its logical date.`,
      {
        cause: thrown,
      },
    );
  }
  for (let at = 0; at < instances.length; at += ROWS_PER_INSERT) {
    const rows = instances.slice(at, at + ROWS_PER_INSERT).map(instanceRow);
    await tx.insertInto('task_instance').values(rows).execute();
  }
}

async function moveRun(tx: Kysely<StoreSchema>, { before, path, after }: RunMove): Promise<void> {
  if (!mayMoveRun(before.state, path) || path.at(-1) !== after.state) {
    throw new Error(`run ${before.dagId}/${before.runId} must not go ${[before.state, ...path].join(' -> ')}`);
  }
  await writeRun(tx, before, after);
}

async function requeueRun(tx: Kysely<StoreSchema>, before: DagRun, after: DagRun): Promise<void> {
  if (after.state === before.state && after.dagFingerprint === before.dagFingerprint) return;
  if (after.state !== 'queued' && after.state !== before.state) {
    throw new Error(`clearing run ${before.dagId}/${before.runId} must not make it ${after.state}`);
  }
  await writeRun(tx, before, after);
}

async function writeRun(tx: Kysely<StoreSchema>, before: DagRun, after: DagRun): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('dag_run')
    .set({
      state: after.state,
      queued_at_ms: after.queuedAtMs,
      started_at_ms: after.startedAtMs,
      ended_at_ms: after.endedAtMs,
      dag_fingerprint: after.dagFingerprint,
    })
    .where('dag_id', '=', before.dagId)
    .where('run_id', '=', before.runId)
    .where('state', '=', before.state)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw stale(`run ${before.dagId}/${before.runId}`, before.state);
}

/** A move counts only from the state and the fence that it was decided on. */
async function moveTask(tx: Kysely<StoreSchema>, { before, path, after }: TaskMove): Promise<void> {
  if (!mayMove(before.state, path) || path.at(-1) !== after.state || after.fence < before.fence) {
    throw new Error(`task ${nameOf(before)} must not go ${[before.state, ...path].join(' -> ')}`);
  }
  await writeInstance(tx, before, after);
  if (after.output === null) return;
  const output = { ...keyOf(after), output_json: JSON.stringify(after.output) };
  await tx
    .insertInto('task_output')
    .values(output)
    .onConflict((conflict) =>
      conflict.columns(['dag_id', 'run_id', 'task_id', 'map_index']).doUpdateSet({ output_json: output.output_json }),
    )
    .execute();
}

async function clearTask(tx: Kysely<StoreSchema>, { before, after }: ClearedTask): Promise<void> {
  if (after.state !== 'none' && after.state !== 'removed') {
    throw new Error(`clearing task ${nameOf(after)} must not make it ${after.state}`);
  }
  if (before === null) {
    await tx.insertInto('task_instance').values(instanceRow(after)).execute();
    return;
  }
  if (after.fence <= before.fence) throw new Error(`clearing task ${nameOf(after)} must raise its fence`);
  await writeInstance(tx, before, after);
  const key = keyOf(after);
  await tx
    .deleteFrom('task_output')
    .where('dag_id', '=', key.dag_id)
    .where('run_id', '=', key.run_id)
    .where('task_id', '=', key.task_id)
    .where('map_index', '=', key.map_index)
    .execute();
}

async function writeInstance(tx: Kysely<StoreSchema>, before: TaskInstance, after: TaskInstance): Promise<void> {
  const key = keyOf(before);
  const { numUpdatedRows } = await tx
    .updateTable('task_instance')
    .set(instanceColumns(after))
    .where('dag_id', '=', key.dag_id)
    .where('run_id', '=', key.run_id)
    .where('task_id', '=', key.task_id)
    .where('map_index', '=', key.map_index)
    .where('state', '=', before.state)
    .where('fence', '=', before.fence)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw stale(`task ${nameOf(before)}`, `${before.state} at fence ${before.fence}`);
}

async function openAttempt(tx: Kysely<StoreSchema>, attempt: OpenedAttempt): Promise<void> {
  await tx
    .insertInto('attempt')
    .values({
      ...keyOf(attempt),
      try_number: attempt.tryNumber,
      fence: attempt.fence,
      state: 'running',
      started_at_ms: attempt.startedAtMs,
      ended_at_ms: null,
      error_json: null,
      log_path: attempt.logPath,
      pid: null,
    })
    .execute();
}

async function closeAttempt(tx: Kysely<StoreSchema>, attempt: ClosedAttempt): Promise<void> {
  const key = keyOf(attempt);
  const { numUpdatedRows } = await tx
    .updateTable('attempt')
    .set({
      state: attempt.state,
      ended_at_ms: attempt.endedAtMs,
      error_json: attempt.error === null ? null : JSON.stringify(attempt.error),
      pid: attempt.pid,
    })
    .where('dag_id', '=', key.dag_id)
    .where('run_id', '=', key.run_id)
    .where('task_id', '=', key.task_id)
    .where('map_index', '=', key.map_index)
    .where('try_number', '=', attempt.tryNumber)
    .where('state', '=', 'running')
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw stale(`try ${attempt.tryNumber} of task ${nameOf(attempt)}`, 'running');
}

export async function logEvent(tx: Kysely<StoreSchema>, event: StoreEvent): Promise<void> {
  await tx
    .insertInto('event_log')
    .values({
      at_ms: event.atMs,
      actor: event.actor,
      action: event.action,
      dag_id: event.dagId,
      run_id: event.runId,
      task_id: event.taskId,
      detail: event.detail,
    })
    .execute();
}

function keyOf(of: Omit<AttemptKey, 'tryNumber'>) {
  return { dag_id: of.dagId, run_id: of.runId, task_id: of.taskId, map_index: of.mapIndex };
}

const nameOf = (of: Omit<AttemptKey, 'tryNumber'>): string => `${of.dagId}/${of.runId}/${of.taskId}`;

function stale(what: string, expected: string): PipelineError {
  return new PipelineError(
    'stale_attempt',
    `The ${what} is no longer ${expected}: someone moved it meanwhile, so this change is refused.`,
  );
}
