/** The run store's tables, as Kysely sees them. Instants are epoch ms, flags 0 or 1, `*_json` holds JSON text. */

import type { DagRun, RunState, RunType, TaskState } from '../../core/types.ts';
import type { Generated } from './kysely.ts';

export interface StoreSchema {
  schema_version: SchemaVersionTable;
  dag: DagTable;
  dag_version: DagVersionTable;
  dag_run: DagRunTable;
  task_instance: TaskInstanceTable;
  task_output: TaskOutputTable;
  attempt: AttemptTable;
  event_log: EventLogTable;
}

export interface SchemaVersionTable {
  version: number;
  name: string;
  applied_at_ms: number;
}

export interface DagTable {
  dag_id: string;
  /** Current version. */
  fingerprint: string;
  is_paused: number;
  /** 1 where the project's specs no longer declare it. */
  is_stale: number;
  schedule_json: string;
  schedule_cursor_ms: number;
  unpaused_at_ms: number;
  parsed_at_ms: number;
}

/** Never changed once written: runs are pinned to it. */
export interface DagVersionTable {
  dag_id: string;
  fingerprint: string;
  dag_json: string;
  spec_json: string;
  created_at_ms: number;
}

/** Unique: (dag_id, run_id), (dag_id, run_key), and (dag_id, logical_date_ms) where there is a logical date. */
export interface DagRunTable {
  dag_id: string;
  run_id: string;
  /** The run id as keys and folders spell it: two ids that would share them are one. */
  run_key: string;
  state: RunState;
  run_type: RunType;
  triggered_by: DagRun['triggeredBy'];
  logical_date_ms: number | null;
  interval_start_ms: number;
  interval_end_ms: number;
  run_after_ms: number;
  queued_at_ms: number;
  started_at_ms: number | null;
  ended_at_ms: number | null;
  conf_json: string;
  note: string | null;
  dag_fingerprint: string;
  /** The task that triggered this run, where one did. */
  parent_dag_id: string | null;
  parent_run_id: string | null;
  parent_task_id: string | null;
}

export interface TaskInstanceTable {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  state: TaskState;
  try_number: number;
  max_tries: number;
  fence: number;
  scheduled_at_ms: number | null;
  queued_at_ms: number | null;
  started_at_ms: number | null;
  ended_at_ms: number | null;
  next_retry_at_ms: number | null;
  error_json: string | null;
}

export interface TaskOutputTable {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  output_json: string;
}

export interface AttemptTable {
  dag_id: string;
  run_id: string;
  task_id: string;
  map_index: number;
  try_number: number;
  fence: number;
  state: 'running' | 'success' | 'failed' | 'lost';
  started_at_ms: number;
  ended_at_ms: number | null;
  error_json: string | null;
  /** Relative to the state folder. */
  log_path: string;
  pid: number | null;
}

export interface EventLogTable {
  event_id: Generated<number>;
  at_ms: number;
  actor: string;
  action: string;
  dag_id: string;
  run_id: string | null;
  task_id: string | null;
  detail: string;
}
