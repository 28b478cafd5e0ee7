/** Rows of the store <-> the nouns of core. */
import { derivedUuid } from '../../core/fingerprint.ts';
import { keySafe } from '../../core/object-keys.ts';
import type { DagRun, JsonObject, TaskError, TaskInstance, TaskOutput } from '../../core/types.ts';
import type { DagRunTable, TaskInstanceTable } from './store-schema.ts';

/** The task whose trigger a run answers. */
export interface ParentLink {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
}

export function runRow(run: DagRun, parent: ParentLink | null): DagRunTable {
  return {
    dag_id: run.dagId,
    run_id: run.runId,
    run_key: keySafe(run.runId),
    state: run.state,
    run_type: run.runType,
    triggered_by: run.triggeredBy,
    logical_date_ms: run.logicalDateMs,
    interval_start_ms: run.interval.startMs,
    interval_end_ms: run.interval.endMs,
    run_after_ms: run.runAfterMs,
    queued_at_ms: run.queuedAtMs,
    started_at_ms: run.startedAtMs,
    ended_at_ms: run.endedAtMs,
    conf_json: JSON.stringify(run.conf),
    note: run.note,
    dag_fingerprint: run.dagFingerprint,
    parent_dag_id: parent?.dagId ?? null,
    parent_run_id: parent?.runId ?? null,
    parent_task_id: parent?.taskId ?? null,
  };
}

export function runOf(row: DagRunTable): DagRun {
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    state: row.state,
    runType: row.run_type,
    triggeredBy: row.triggered_by,
    logicalDateMs: row.logical_date_ms,
    interval: { startMs: row.interval_start_ms, endMs: row.interval_end_ms },
    runAfterMs: row.run_after_ms,
    queuedAtMs: row.queued_at_ms,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms,
    conf: JSON.parse(row.conf_json) as JsonObject,
    note: row.note,
    dagFingerprint: row.dag_fingerprint,
  };
}

export function parentOf(row: DagRunTable): ParentLink | null {
  if (row.parent_dag_id === null || row.parent_run_id === null || row.parent_task_id === null) return null;
  return { dagId: row.parent_dag_id, runId: row.parent_run_id, taskId: row.parent_task_id };
}

export function instanceRow(instance: TaskInstance): TaskInstanceTable {
  return {
    dag_id: instance.dagId,
    run_id: instance.runId,
    task_id: instance.taskId,
    map_index: instance.mapIndex,
    ...instanceColumns(instance),
  };
}

/** The columns that a move may change. */
export function instanceColumns(
  instance: TaskInstance,
): Omit<TaskInstanceTable, 'dag_id' | 'run_id' | 'task_id' | 'map_index'> {
  return {
    state: instance.state,
    try_number: instance.tryNumber,
    max_tries: instance.maxTries,
    fence: instance.fence,
    scheduled_at_ms: instance.scheduledAtMs,
    queued_at_ms: instance.queuedAtMs,
    started_at_ms: instance.startedAtMs,
    ended_at_ms: instance.endedAtMs,
    next_retry_at_ms: instance.nextRetryAtMs,
    error_json: instance.error === null ? null : JSON.stringify(instance.error),
  };
}

export function instanceOf(row: TaskInstanceTable & { readonly output_json: string | null }): TaskInstance {
  return {
    dagId: row.dag_id,
    runId: row.run_id,
    taskId: row.task_id,
    mapIndex: row.map_index,
    uuid: instanceUuid(row.dag_id, row.run_id, row.task_id, row.map_index),
    state: row.state,
    tryNumber: row.try_number,
    maxTries: row.max_tries,
    fence: row.fence,
    scheduledAtMs: row.scheduled_at_ms,
    queuedAtMs: row.queued_at_ms,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms,
    nextRetryAtMs: row.next_retry_at_ms,
    error: row.error_json === null ? null : (JSON.parse(row.error_json) as TaskError),
    output: row.output_json === null ? null : (JSON.parse(row.output_json) as TaskOutput),
  };
}

export function instanceUuid(dagId: string, runId: string, taskId: string, mapIndex: number): string {
  return derivedUuid(`${dagId}\n${runId}\n${taskId}\n${mapIndex}`);
}
