/**
 * What Airflow 3's stable REST API says and takes, as far as Assay serves it; OpenAPI and checks come from here.
 *
 * @source apache/airflow, v2-rest-api-generated.yaml at 3.2.1 (read 2026-11-21): required keys and enums are its own
 */
import { z } from '@hono/zod-openapi';
import { RUN_STATES } from '../../core/types.ts';
import { instant } from './parameters.ts';

const text = z.string().nullable();
const number = z.number().nullable();
const time = z.string().openapi({ format: 'date-time' });
const maybeTime = z.string().nullable().openapi({ format: 'date-time' });
const object = z.record(z.string(), z.unknown());
const count = z.number().int();

const runState = z.enum(RUN_STATES);

/** Airflow's words; a task that nobody has looked at yet is null. */
const AIRFLOW_TASK_STATES = [
  'removed',
  'scheduled',
  'queued',
  'running',
  'success',
  'restarting',
  'failed',
  'up_for_retry',
  'up_for_reschedule',
  'upstream_failed',
  'skipped',
  'deferred',
] as const;
const taskState = z.enum(AIRFLOW_TASK_STATES).nullable();

// ------------------------------------------------------------------ dags

const tag = z.object({ name: z.string(), dag_id: z.string(), dag_display_name: z.string() });

const dagFields = {
  dag_id: z.string(),
  dag_display_name: z.string(),
  is_paused: z.boolean(),
  is_stale: z.boolean(),
  fileloc: z.string(),
  relative_fileloc: text,
  file_token: z.string(),
  owners: z.array(z.string()),
  tags: z.array(tag),
  description: text,
  bundle_name: text,
  bundle_version: text,
  has_import_errors: z.boolean(),
  has_task_concurrency_limits: z.boolean(),
  max_active_tasks: count,
  max_active_runs: count.nullable(),
  max_consecutive_failed_dag_runs: count,
  timetable_partitioned: z.boolean(),
  // Since 3.3; its client refuses a DAG without them.
  timetable_periodic: z.boolean(),
  is_backfillable: z.boolean(),
  timetable_summary: text,
  timetable_description: text,
  last_parsed_time: maybeTime,
  last_parse_duration: number,
  last_expired: maybeTime,
  next_dagrun_logical_date: maybeTime,
  next_dagrun_data_interval_start: maybeTime,
  next_dagrun_data_interval_end: maybeTime,
  next_dagrun_run_after: maybeTime,
  allowed_run_types: z.array(z.enum(['backfill', 'scheduled', 'manual'])).nullable(),
};

export const dag = z.object(dagFields).openapi('DAGResponse');

export const dagDetails = z
  .object({
    ...dagFields,
    catchup: z.boolean(),
    concurrency: count,
    render_template_as_native_obj: z.boolean(),
    params: object.nullable(),
    default_args: object.nullable(),
    doc_md: text,
    timezone: text,
    start_date: maybeTime,
    end_date: maybeTime,
    is_paused_upon_creation: z.boolean().nullable(),
    last_parsed: maybeTime,
    template_search_path: z.array(z.string()).nullable(),
    dag_run_timeout: text,
    owner_links: z.record(z.string(), z.string()).nullable(),
    asset_expression: object.nullable(),
    latest_dag_version: object.nullable(),
    is_favorite: z.boolean(),
    active_runs_count: count,
  })
  .openapi('DAGDetailsResponse');

export const dagCollection = z.object({ dags: z.array(dag), total_entries: count }).openapi('DAGCollectionResponse');

export const dagPatch = z.strictObject({ is_paused: z.boolean() }).openapi('DAGPatchBody');

export const dagSource = z
  .object({ content: text, dag_id: z.string(), dag_display_name: z.string(), version_number: count.nullable() })
  .openapi('DAGSourceResponse');

export const dagTags = z
  .object({ tags: z.array(z.string()), total_entries: count })
  .openapi('DAGTagCollectionResponse');

export const dagStats = z
  .object({
    dags: z.array(
      z.object({
        dag_id: z.string(),
        dag_display_name: z.string(),
        stats: z.array(z.object({ state: runState, count })),
      }),
    ),
    total_entries: count,
  })
  .openapi('DagStatsCollectionResponse');

const timeDelta = z.object({
  __type: z.literal('TimeDelta'),
  days: count,
  seconds: count,
  microseconds: count,
});

export const task = z
  .object({
    task_id: text,
    task_display_name: text,
    owner: text,
    start_date: maybeTime,
    end_date: maybeTime,
    trigger_rule: text,
    depends_on_past: z.boolean(),
    wait_for_downstream: z.boolean(),
    retries: number,
    queue: text,
    pool: text,
    pool_slots: number,
    execution_timeout: timeDelta.nullable(),
    retry_delay: timeDelta.nullable(),
    retry_exponential_backoff: z.number(),
    priority_weight: number,
    weight_rule: text,
    ui_color: text,
    ui_fgcolor: text,
    template_fields: z.array(z.string()).nullable(),
    downstream_task_ids: z.array(z.string()).nullable(),
    doc_md: text,
    operator_name: text,
    params: object.nullable(),
    class_ref: object.nullable(),
    is_mapped: z.boolean().nullable(),
    extra_links: z.array(z.string()),
  })
  .openapi('TaskResponse');

export const taskCollection = z
  .object({ tasks: z.array(task), total_entries: count })
  .openapi('TaskCollectionResponse');

// ------------------------------------------------------------------ runs

export const dagRun = z
  .object({
    dag_run_id: z.string(),
    dag_id: z.string(),
    dag_display_name: z.string(),
    logical_date: maybeTime,
    queued_at: maybeTime,
    start_date: maybeTime,
    end_date: maybeTime,
    duration: number,
    data_interval_start: maybeTime,
    data_interval_end: maybeTime,
    run_after: time,
    last_scheduling_decision: maybeTime,
    run_type: z.enum(['backfill', 'scheduled', 'manual', 'asset_triggered', 'asset_materialization']),
    state: runState,
    triggered_by: z.enum(['cli', 'operator', 'rest_api', 'ui', 'test', 'timetable', 'asset', 'backfill']).nullable(),
    triggering_user_name: text,
    conf: object.nullable(),
    note: text,
    dag_versions: z.array(object),
    bundle_version: text,
    partition_key: text,
  })
  .openapi('DAGRunResponse');

export const dagRunCollection = z
  .object({ dag_runs: z.array(dagRun), total_entries: count })
  .openapi('DAGRunCollectionResponse');

/** Letters, digits and `_ . ~ : + -`, not beginning with a mark: it becomes part of object keys and addresses. */
const newRunId = z
  .string()
  .max(250)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.~:+-]*$/, {
    error: 'Expected letters, digits and _ . ~ : + - only, beginning with a letter, a digit or _',
  });

export const triggerBody = z
  .strictObject({
    dag_run_id: newRunId.nullish(),
    logical_date: instant.nullish(),
    data_interval_start: instant.nullish(),
    data_interval_end: instant.nullish(),
    run_after: instant.nullish(),
    conf: object.nullish(),
    note: z.string().max(1000).nullish(),
    partition_key: z.string().nullish(),
  })
  .superRefine((body, context) => {
    const from = body.data_interval_start ?? null;
    const to = body.data_interval_end ?? null;
    if ((from === null) !== (to === null)) {
      context.addIssue({
        code: 'custom',
        path: [from === null ? 'data_interval_start' : 'data_interval_end'],
        message: 'data_interval_start and data_interval_end are given together or not at all',
      });
    } else if (from !== null && to !== null && from >= to) {
      context.addIssue({
        code: 'custom',
        path: ['data_interval_end'],
        message: 'data_interval_end must be after data_interval_start; the interval is half-open',
      });
    }
  })
  .openapi('TriggerDAGRunPostBody');

export const runPatch = z
  .strictObject({
    state: z.enum(['queued', 'success', 'failed']).nullish(),
    note: z.string().max(1000).nullish(),
  })
  .openapi('DAGRunPatchBody');

const maybeWords = z.array(z.string()).nullish();
const maybeInstant = instant.nullish();
const batchPage = {
  order_by: z.string().nullish(),
  page_limit: count.min(0).default(100),
  page_offset: count.min(0).default(0),
};
const batchRanges = {
  run_after_gte: maybeInstant,
  run_after_gt: maybeInstant,
  run_after_lte: maybeInstant,
  run_after_lt: maybeInstant,
  logical_date_gte: maybeInstant,
  logical_date_gt: maybeInstant,
  logical_date_lte: maybeInstant,
  logical_date_lt: maybeInstant,
  start_date_gte: maybeInstant,
  start_date_gt: maybeInstant,
  start_date_lte: maybeInstant,
  start_date_lt: maybeInstant,
  end_date_gte: maybeInstant,
  end_date_gt: maybeInstant,
  end_date_lte: maybeInstant,
  end_date_lt: maybeInstant,
};

export const runsBatch = z
  .strictObject({ dag_ids: maybeWords, states: z.array(runState.nullable()).nullish(), ...batchRanges, ...batchPage })
  .openapi('DAGRunsBatchBody');

export const runClear = z
  .strictObject({
    dry_run: z.boolean().default(true),
    only_failed: z.boolean().default(false),
    // Client 3.3 always sends it; nothing here adds tasks to a run that is there.
    only_new: z.literal(false).default(false),
    run_on_latest_version: z.boolean().default(false),
  })
  .openapi('DAGRunClearBody');

// ------------------------------------------------------------------ task instances

const attemptFields = {
  task_id: z.string(),
  dag_id: z.string(),
  dag_run_id: z.string(),
  map_index: count,
  task_display_name: z.string(),
  dag_display_name: z.string(),
  start_date: maybeTime,
  end_date: maybeTime,
  duration: number,
  state: taskState,
  try_number: count,
  max_tries: count,
  hostname: text,
  unixname: text,
  pool: z.string(),
  pool_slots: count,
  queue: text,
  priority_weight: count.nullable(),
  operator: text,
  operator_name: text,
  queued_when: maybeTime,
  scheduled_when: maybeTime,
  pid: count.nullable(),
  executor: text,
  executor_config: z.string(),
  dag_version: object.nullable(),
};

export const taskInstance = z
  .object({
    id: z.uuid(),
    ...attemptFields,
    logical_date: maybeTime,
    run_after: time,
    note: text,
    rendered_map_index: text,
    rendered_fields: object,
    trigger: object.nullable(),
    triggerer_job: object.nullable(),
  })
  .openapi('TaskInstanceResponse');

export const taskInstanceCollection = z
  .object({ task_instances: z.array(taskInstance), total_entries: count })
  .openapi('TaskInstanceCollectionResponse');

export const attempt = z.object(attemptFields).openapi('TaskInstanceHistoryResponse');

export const attemptCollection = z
  .object({ task_instances: z.array(attempt), total_entries: count })
  .openapi('TaskInstanceHistoryCollectionResponse');

export const instancesBatch = z
  .strictObject({
    dag_ids: maybeWords,
    dag_run_ids: maybeWords,
    task_ids: maybeWords,
    state: z.array(taskState).nullish(),
    pool: maybeWords,
    ...batchRanges,
    ...batchPage,
  })
  .openapi('TaskInstancesBatchBody');

export const clearBody = z
  .strictObject({
    dry_run: z.boolean().default(true),
    task_ids: z.array(z.union([z.string(), z.tuple([z.string(), count])])).nullish(),
    dag_run_id: z.string().nullish(),
    start_date: maybeInstant,
    end_date: maybeInstant,
    only_failed: z.boolean().default(true),
    only_running: z.boolean().default(false),
    reset_dag_runs: z.boolean().default(true),
    include_upstream: z.boolean().default(false),
    include_downstream: z.boolean().default(false),
    include_future: z.boolean().default(false),
    include_past: z.boolean().default(false),
    run_on_latest_version: z.boolean().default(false),
    prevent_running_task: z.boolean().default(false),
  })
  .openapi('ClearTaskInstancesBody');

export const logs = z
  .object({
    content: z.array(z.looseObject({ event: z.string(), timestamp: time.optional() })),
    continuation_token: text,
  })
  .openapi('TaskInstancesLogResponse');

// ------------------------------------------------------------------ the rest

export const version = z.object({ version: z.string(), git_version: text }).openapi('VersionInfo');

export const health = z
  .object({
    metadatabase: z.object({ status: text }),
    scheduler: z.object({ status: text, latest_scheduler_heartbeat: maybeTime }),
    triggerer: z.object({ status: text, latest_triggerer_heartbeat: maybeTime }),
    dag_processor: z.object({ status: text, latest_dag_processor_heartbeat: maybeTime }),
  })
  .openapi('HealthInfoResponse');

export const importError = z
  .object({
    import_error_id: count,
    timestamp: time,
    filename: z.string(),
    bundle_name: text,
    stack_trace: z.string(),
  })
  .openapi('ImportErrorResponse');

export const importErrorCollection = z
  .object({ import_errors: z.array(importError), total_entries: count })
  .openapi('ImportErrorCollectionResponse');

export const dagWarnings = z
  .object({ dag_warnings: z.array(object), total_entries: count })
  .openapi('DAGWarningCollectionResponse');

export const providers = z
  .object({ providers: z.array(object), total_entries: count })
  .openapi('ProviderCollectionResponse');

export const jobs = z
  .object({
    jobs: z.array(
      z.object({
        id: count,
        dag_id: text,
        dag_display_name: text,
        job_type: text,
        state: text,
        start_date: maybeTime,
        end_date: maybeTime,
        latest_heartbeat: maybeTime,
        executor_class: text,
        hostname: text,
        unixname: text,
      }),
    ),
    total_entries: count,
  })
  .openapi('JobCollectionResponse');

export const pool = z
  .object({
    name: z.string(),
    slots: count,
    description: text,
    include_deferred: z.boolean(),
    team_name: text,
    occupied_slots: count,
    running_slots: count,
    queued_slots: count,
    scheduled_slots: count,
    open_slots: count,
    deferred_slots: count,
  })
  .openapi('PoolResponse');

export const poolCollection = z
  .object({ pools: z.array(pool), total_entries: count })
  .openapi('PoolCollectionResponse');

export const eventLog = z
  .object({
    event_log_id: count,
    when: time,
    dag_id: text,
    dag_display_name: text,
    task_id: text,
    task_display_name: text,
    run_id: text,
    map_index: count.nullable(),
    try_number: count.nullable(),
    event: z.string(),
    logical_date: maybeTime,
    owner: text,
    extra: text,
  })
  .openapi('EventLogResponse');

export const eventLogCollection = z
  .object({ event_logs: z.array(eventLog), total_entries: count })
  .openapi('EventLogCollectionResponse');

export const waited = z.object({ state: runState }).openapi('DAGRunWaitResponse');

export const detail = z
  .object({ detail: z.union([z.string(), object]), code: z.string().optional() })
  .openapi('HTTPExceptionResponse');

export const invalid = z
  .object({
    detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string(), type: z.string() })),
    code: z.string().optional(),
  })
  .openapi('HTTPValidationError');
