/** Our nouns -> the shapes that Airflow's clients parse: every required key, never a null list, only Airflow's enums. */
import type { z } from '@hono/zod-openapi';
import { isoInstant } from '../../core/partition.ts';
import type { Dag, DagRun, RetryPolicy, Task, TaskInstance, TaskState } from '../../core/types.ts';
import type { DagSummary } from '../../scheduler/control.ts';
import type { ApiDeps, AttemptRecord } from '../ports.ts';
import { scheduleInWords } from '../schedule-words.ts';
import type * as schemas from './schemas.ts';

export type AirflowDag = z.infer<typeof schemas.dag>;
export type AirflowDagDetails = z.infer<typeof schemas.dagDetails>;
export type AirflowRun = z.infer<typeof schemas.dagRun>;
export type AirflowTask = z.infer<typeof schemas.task>;
export type AirflowTaskInstance = z.infer<typeof schemas.taskInstance>;
export type AirflowAttempt = z.infer<typeof schemas.attempt>;

/** Name of a task's pool where the run's DAG version had a task that the current one has not. */
const UNKNOWN_POOL = 'default';

const isoOrNull = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : isoInstant(ms);

function secondsBetween(startMs: number | null, endMs: number | null): number | null {
  return startMs === null || endMs === null ? null : (endMs - startMs) / 1000;
}

export interface DagFacts {
  readonly pools: ApiDeps['pools'];
  /** True where the DAG's spec has faults now, so that an older version of it is running. */
  readonly hasImportErrors: boolean;
}

/** `fileloc` is relative to the project: where that lies on this machine is nobody's business. */
export function airflowDag(summary: DagSummary, facts: DagFacts): AirflowDag {
  const { dag, next } = summary;
  return {
    dag_id: dag.id,
    dag_display_name: dag.id,
    is_paused: summary.isPaused,
    is_stale: false,
    fileloc: dag.sourceFile,
    relative_fileloc: dag.sourceFile,
    file_token: dag.fingerprint,
    owners: [dag.owner],
    tags: dag.tags.map((name) => ({ name, dag_id: dag.id, dag_display_name: dag.id })),
    description: dag.description,
    bundle_name: dag.pipeline,
    bundle_version: dag.fingerprint,
    has_import_errors: facts.hasImportErrors,
    has_task_concurrency_limits: false,
    max_active_tasks: slotsOf(dag, facts.pools),
    max_active_runs: dag.maxActiveRuns,
    max_consecutive_failed_dag_runs: 0,
    timetable_partitioned: false,
    timetable_periodic: dag.schedule !== null,
    is_backfillable: true,
    timetable_summary: dag.schedule?.cron ?? null,
    timetable_description: scheduleInWords(dag.schedule),
    last_parsed_time: isoInstant(summary.lastParsedAtMs),
    last_parse_duration: null,
    last_expired: null,
    next_dagrun_logical_date: isoOrNull(next?.interval.startMs),
    next_dagrun_data_interval_start: isoOrNull(next?.interval.startMs),
    next_dagrun_data_interval_end: isoOrNull(next?.interval.endMs),
    next_dagrun_run_after: isoOrNull(next?.runAfterMs),
    allowed_run_types: dag.schedule ? ['backfill', 'scheduled', 'manual'] : ['backfill', 'manual'],
  };
}

/** No limit of its own: as many tasks as the pools of its tasks have slots; without such a limit, all of them. */
function slotsOf(dag: Dag, pools: ApiDeps['pools']): number {
  const used = new Set(dag.tasks.map((task) => task.pool));
  const slots = pools.filter((pool) => used.has(pool.name)).map((pool) => pool.slots);
  const isUnlimited = slots.length < used.size || slots.some((count) => count < 0);
  return isUnlimited ? dag.tasks.length : slots.reduce((sum, count) => sum + count, 0);
}

export function airflowDagDetails(
  summary: DagSummary,
  facts: DagFacts & { readonly params: Record<string, unknown>; readonly activeRuns: number },
): AirflowDagDetails {
  const { dag } = summary;
  const base = airflowDag(summary, facts);
  return {
    ...base,
    catchup: dag.schedule !== null && dag.schedule.catchup !== 'none',
    concurrency: base.max_active_tasks,
    render_template_as_native_obj: false,
    params: facts.params,
    default_args: {},
    doc_md: dag.description,
    timezone: dag.timezone,
    start_date: null,
    end_date: null,
    is_paused_upon_creation: false,
    last_parsed: base.last_parsed_time,
    template_search_path: null,
    dag_run_timeout: null,
    owner_links: {},
    asset_expression: null,
    latest_dag_version: null,
    is_favorite: false,
    active_runs_count: facts.activeRuns,
  };
}

/** Retry and timeout are null where the environment's defaults decide. */
export function airflowTask(task: Task, dag: Dag): AirflowTask {
  const retry: Partial<RetryPolicy> = task.retry ?? {};
  return {
    task_id: task.id,
    task_display_name: task.id,
    owner: dag.owner,
    start_date: null,
    end_date: null,
    trigger_rule: task.triggerRule,
    depends_on_past: false,
    wait_for_downstream: false,
    retries: retry.retries ?? null,
    queue: 'default',
    pool: task.pool,
    pool_slots: 1,
    execution_timeout: timeDelta(task.timeoutMs),
    retry_delay: timeDelta(retry.delayMs ?? null),
    retry_exponential_backoff: retry.exponentialBackoff ? 2 : 0,
    priority_weight: task.priority,
    weight_rule: 'absolute',
    ui_color: null,
    ui_fgcolor: null,
    template_fields: [],
    downstream_task_ids: dag.tasks.filter((other) => other.upstream.includes(task.id)).map((other) => other.id),
    doc_md: null,
    operator_name: task.kind,
    params: { ...task.params },
    class_ref: { class_name: task.kind },
    is_mapped: false,
    extra_links: [],
  };
}

function timeDelta(ms: number | null): AirflowTask['execution_timeout'] {
  if (ms === null) return null;
  const days = Math.floor(ms / 86_400_000);
  const seconds = Math.floor((ms % 86_400_000) / 1000);
  return { __type: 'TimeDelta', days, seconds, microseconds: (ms % 1000) * 1000 };
}

/** `bundle_version` is the fingerprint of the DAG version that the run is pinned to. */
export function airflowRun(run: DagRun): AirflowRun {
  return {
    dag_run_id: run.runId,
    dag_id: run.dagId,
    dag_display_name: run.dagId,
    logical_date: isoOrNull(run.logicalDateMs),
    queued_at: isoInstant(run.queuedAtMs),
    start_date: isoOrNull(run.startedAtMs),
    end_date: isoOrNull(run.endedAtMs),
    duration: secondsBetween(run.startedAtMs, run.endedAtMs),
    data_interval_start: isoInstant(run.interval.startMs),
    data_interval_end: isoInstant(run.interval.endMs),
    run_after: isoInstant(run.runAfterMs),
    last_scheduling_decision: null,
    run_type: run.runType,
    state: run.state,
    triggered_by: run.triggeredBy,
    triggering_user_name: null,
    conf: { ...run.conf },
    note: run.note,
    dag_versions: [],
    bundle_version: run.dagFingerprint,
    partition_key: null,
  };
}

export function airflowTaskState(state: TaskState): AirflowTaskInstance['state'] {
  return state === 'none' ? null : state;
}

export function airflowTaskInstance(instance: TaskInstance, run: DagRun, dag: Dag | null): AirflowTaskInstance {
  return {
    id: instance.uuid,
    ...airflowAttempt(instance, dag),
    logical_date: isoOrNull(run.logicalDateMs),
    run_after: isoInstant(run.runAfterMs),
    note: null,
    rendered_map_index: null,
    rendered_fields: {},
    trigger: null,
    triggerer_job: null,
  };
}

/** The latest try, with its times and state. */
export function airflowAttempt(instance: TaskInstance, dag: Dag | null): AirflowAttempt {
  const task = dag?.tasks.find((candidate) => candidate.id === instance.taskId);
  return {
    task_id: instance.taskId,
    dag_id: instance.dagId,
    dag_run_id: instance.runId,
    map_index: instance.mapIndex,
    task_display_name: instance.taskId,
    dag_display_name: instance.dagId,
    start_date: isoOrNull(instance.startedAtMs),
    end_date: isoOrNull(instance.endedAtMs),
    duration: secondsBetween(instance.startedAtMs, instance.endedAtMs),
    state: airflowTaskState(instance.state),
    try_number: instance.tryNumber,
    // Airflow counts the tries after the first.
    max_tries: Math.max(0, instance.maxTries - 1),
    hostname: null,
    unixname: null,
    pool: task?.pool ?? UNKNOWN_POOL,
    pool_slots: 1,
    queue: 'default',
    priority_weight: task?.priority ?? null,
    operator: task?.kind ?? null,
    operator_name: task?.kind ?? null,
    queued_when: isoOrNull(instance.queuedAtMs),
    scheduled_when: isoOrNull(instance.scheduledAtMs),
    pid: null,
    executor: null,
    executor_config: '{}',
    dag_version: null,
  };
}

/** A try before the latest. One that was lost with its process failed, in Airflow's words. */
export function airflowEarlierAttempt(attempt: AttemptRecord, instance: TaskInstance, dag: Dag | null): AirflowAttempt {
  return {
    ...airflowAttempt(instance, dag),
    try_number: attempt.tryNumber,
    state: attempt.state === 'lost' ? 'failed' : attempt.state,
    start_date: isoInstant(attempt.startedAtMs),
    end_date: isoOrNull(attempt.endedAtMs),
    duration: secondsBetween(attempt.startedAtMs, attempt.endedAtMs),
    queued_when: null,
    scheduled_when: null,
    pid: attempt.pid,
  };
}
