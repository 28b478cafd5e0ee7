/** Airflow's questions about the server itself: version, health, faults, jobs, pools, events. */
import { createRoute, z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';
import { isoInstant } from '../../core/partition.ts';
import type { TaskInstance } from '../../core/types.ts';
import type { SchedulerControl } from '../../scheduler/control.ts';
import { everyRun } from '../airflow/find-runs.ts';
import { orderBy, page, pageOf, pattern } from '../airflow/parameters.ts';
import * as schemas from '../airflow/schemas.ts';
import { matchesLike } from '../airflow/sql-like.ts';
import type { ApiDeps, AuditEvent, PipelineIssue } from '../ports.ts';
import { type Api, airflowErrors, json } from './api.ts';

/** The Airflow release whose API this is; clients look at it to see what they may ask. */
const AIRFLOW_VERSION = '3.2.1';

/** A scheduler that has been silent for longer is not healthy: Airflow's default threshold. */
const HEARTBEAT_LIMIT_MS = 30_000;

const tags = ['Monitor'];

const getVersion = createRoute({
  method: 'get',
  path: '/api/v2/version',
  tags,
  summary: 'Which Airflow API this is, and in git_version which Assay',
  responses: { 200: json(schemas.version, 'Both versions') },
});

const getHealth = createRoute({
  method: 'get',
  path: '/api/v2/monitor/health',
  tags,
  summary: 'Health of store and scheduler; always 200, the words tell',
  responses: { 200: json(schemas.health, 'healthy, unhealthy, or null for what Assay does not have') },
});

const listImportErrors = createRoute({
  method: 'get',
  path: '/api/v2/importErrors',
  tags,
  summary: 'Faults of specs that do not compile',
  request: { query: z.object({ ...page, filename_pattern: pattern }) },
  responses: { 200: json(schemas.importErrorCollection, 'A page of faults'), ...airflowErrors },
});

const getImportError = createRoute({
  method: 'get',
  path: '/api/v2/importErrors/{import_error_id}',
  tags,
  summary: 'One fault of a spec',
  request: { params: z.object({ import_error_id: z.coerce.number().int().openapi({ type: 'integer' }) }) },
  responses: { 200: json(schemas.importError, 'The fault'), ...airflowErrors },
});

const listWarnings = createRoute({
  method: 'get',
  path: '/api/v2/dagWarnings',
  tags,
  summary: 'Always empty: what Airflow warns of here cannot happen to a compiled spec',
  responses: { 200: json(schemas.dagWarnings, 'No warnings') },
});

const listProviders = createRoute({
  method: 'get',
  path: '/api/v2/providers',
  tags,
  summary: 'Always empty: Assay has no provider packages',
  responses: { 200: json(schemas.providers, 'No providers') },
});

const listJobs = createRoute({
  method: 'get',
  path: '/api/v2/jobs',
  tags,
  summary: 'The scheduler of this project, once it has given a sign of life',
  responses: { 200: json(schemas.jobs, 'At most one job') },
});

const listPools = createRoute({
  method: 'get',
  path: '/api/v2/pools',
  tags,
  summary: 'The executor’s pools and how full they are',
  request: { query: z.object({ ...page, pool_name_pattern: pattern }) },
  responses: { 200: json(schemas.poolCollection, 'A page of pools'), ...airflowErrors },
});

const getPool = createRoute({
  method: 'get',
  path: '/api/v2/pools/{pool_name}',
  tags,
  summary: 'One pool',
  request: { params: z.object({ pool_name: z.string() }) },
  responses: { 200: json(schemas.pool, 'The pool'), ...airflowErrors },
});

const listEvents = createRoute({
  method: 'get',
  path: '/api/v2/eventLogs',
  tags,
  summary: 'Who did what when, oldest first',
  request: {
    query: z.object({
      ...page,
      dag_id: z.string().optional(),
      run_id: z.string().optional(),
      task_id: z.string().optional(),
      event: z.string().optional(),
    }),
  },
  responses: { 200: json(schemas.eventLogCollection, 'A page of events'), ...airflowErrors },
});

export function registerMonitorRoutes(api: Api, deps: ApiDeps): void {
  const { control, clock } = deps;

  api.openapi(getVersion, (context) =>
    context.json({ version: AIRFLOW_VERSION, git_version: `assay ${deps.version}` }, 200),
  );

  api.openapi(getHealth, async (context) => {
    const { store, schedulerHeartbeatMs: heartbeatMs } = await healthOf(control);
    const isAlive = heartbeatMs !== null && clock.now() - heartbeatMs <= HEARTBEAT_LIMIT_MS;
    return context.json(
      {
        metadatabase: { status: store },
        scheduler: {
          status: isAlive ? 'healthy' : 'unhealthy',
          latest_scheduler_heartbeat: heartbeatMs === null ? null : isoInstant(heartbeatMs),
        },
        triggerer: { status: null, latest_triggerer_heartbeat: null },
        dag_processor: { status: null, latest_dag_processor_heartbeat: null },
      },
      200,
    );
  });

  api.openapi(listImportErrors, async (context) => {
    const query = context.req.valid('query');
    const like = query.filename_pattern;
    const errors = importErrors(await deps.specs.issues()).filter(
      (error) => like === undefined || matchesLike(error.filename, like),
    );
    const ordered = orderBy(errors, query.order_by, {
      id: (error) => error.import_error_id,
      import_error_id: (error) => error.import_error_id,
      filename: (error) => error.filename,
      timestamp: (error) => error.timestamp,
    });
    return context.json({ import_errors: pageOf(ordered, query), total_entries: errors.length }, 200);
  });

  api.openapi(getImportError, async (context) => {
    const { import_error_id: id } = context.req.valid('param');
    const error = importErrors(await deps.specs.issues()).find((candidate) => candidate.import_error_id === id);
    if (!error) {
      throw new PipelineError('object_not_found', `No fault has the number ${id}; numbers change when specs do.`);
    }
    return context.json(error, 200);
  });

  api.openapi(listWarnings, (context) => context.json({ dag_warnings: [], total_entries: 0 }, 200));

  api.openapi(listProviders, (context) => context.json({ providers: [], total_entries: 0 }, 200));

  api.openapi(listJobs, async (context) => {
    const { schedulerHeartbeatMs: heartbeatMs } = await healthOf(control);
    if (heartbeatMs === null) return context.json({ jobs: [], total_entries: 0 }, 200);
    const job = {
      id: 1,
      dag_id: null,
      dag_display_name: null,
      job_type: 'SchedulerJob',
      state: clock.now() - heartbeatMs <= HEARTBEAT_LIMIT_MS ? 'running' : 'failed',
      start_date: null,
      end_date: null,
      latest_heartbeat: isoInstant(heartbeatMs),
      executor_class: null,
      hostname: null,
      unixname: null,
    };
    return context.json({ jobs: [job], total_entries: 1 }, 200);
  });

  api.openapi(listPools, async (context) => {
    const query = context.req.valid('query');
    const like = query.pool_name_pattern;
    const pools = (await poolsOf(deps)).filter((pool) => like === undefined || matchesLike(pool.name, like));
    const ordered = orderBy(pools, query.order_by, {
      id: (pool) => pool.name,
      name: (pool) => pool.name,
      slots: (pool) => pool.slots,
    });
    return context.json({ pools: pageOf(ordered, query), total_entries: pools.length }, 200);
  });

  api.openapi(getPool, async (context) => {
    const { pool_name: name } = context.req.valid('param');
    const pools = await poolsOf(deps);
    const pool = pools.find((candidate) => candidate.name === name);
    if (!pool) {
      const known = pools.map((candidate) => candidate.name).join(', ');
      throw new PipelineError('object_not_found', `There is no pool ${name}. Pools: ${known}.`);
    }
    return context.json(pool, 200);
  });

  api.openapi(listEvents, async (context) => {
    const query = context.req.valid('query');
    const events = eventShapes(await deps.history.events()).filter(
      (event) =>
        (query.dag_id === undefined || query.dag_id === event.dag_id) &&
        (query.run_id === undefined || query.run_id === event.run_id) &&
        (query.task_id === undefined || query.task_id === event.task_id) &&
        (query.event === undefined || query.event === event.event),
    );
    const ordered = orderBy(events, query.order_by, {
      id: (event) => event.event_log_id,
      event_log_id: (event) => event.event_log_id,
      when: (event) => event.when,
      dag_id: (event) => event.dag_id,
      run_id: (event) => event.run_id,
      event: (event) => event.event,
    });
    return context.json({ event_logs: pageOf(ordered, query), total_entries: events.length }, 200);
  });
}

/** A store that cannot even be asked is unhealthy; the question itself is still answered. */
async function healthOf(control: SchedulerControl): ReturnType<SchedulerControl['health']> {
  try {
    return await control.health();
  } catch {
    return { store: 'unhealthy', schedulerHeartbeatMs: null };
  }
}

function importErrors(issues: readonly PipelineIssue[]): readonly z.infer<typeof schemas.importError>[] {
  return issues
    .filter(({ issue }) => issue.severity === 'error')
    .map(({ pipeline, issue, foundAtMs }, index) => ({
      import_error_id: index + 1,
      timestamp: isoInstant(foundAtMs),
      filename: issue.location.file,
      bundle_name: pipeline,
      stack_trace: [
        `${issue.location.file}:${issue.location.line}:${issue.location.column}: ${issue.code}: ${issue.message}`,
        `    ${issue.lineText}`,
        `expected: ${issue.expected}`,
        ...(issue.hint === null ? [] : [`hint: ${issue.hint}`]),
      ].join('\n'),
    }));
}

async function poolsOf(deps: ApiDeps): Promise<readonly z.infer<typeof schemas.pool>[]> {
  const poolOfTask = new Map(
    (await deps.control.listDags()).flatMap(({ dag }) => dag.tasks.map((task) => [`${dag.id}/${task.id}`, task.pool])),
  );
  const active = await everyRun(deps.control, { states: ['queued', 'running'] });
  const instances = (
    await Promise.all(active.map((run) => deps.control.listTaskInstances(run.dagId, run.runId)))
  ).flat();
  return deps.pools.map(({ name, slots }) => {
    const inPool = instances.filter((instance) => poolOfTask.get(`${instance.dagId}/${instance.taskId}`) === name);
    const count = (state: TaskInstance['state']): number => inPool.filter((found) => found.state === state).length;
    const occupied = count('running') + count('queued');
    return {
      name,
      slots,
      description: null,
      include_deferred: false,
      team_name: null,
      occupied_slots: occupied,
      running_slots: count('running'),
      queued_slots: count('queued'),
      scheduled_slots: count('scheduled'),
      deferred_slots: count('deferred'),
      // -1 is Airflow's infinity, here as in `slots`.
      open_slots: slots < 0 ? -1 : Math.max(0, slots - occupied),
    };
  });
}

/** Numbered from 1 in the order in which they happened, which never changes. */
function eventShapes(events: readonly AuditEvent[]): readonly z.infer<typeof schemas.eventLog>[] {
  return events.map((event, index) => ({
    event_log_id: index + 1,
    when: isoInstant(event.atMs),
    dag_id: event.dagId,
    dag_display_name: event.dagId,
    task_id: event.taskId,
    task_display_name: event.taskId,
    run_id: event.runId,
    map_index: null,
    try_number: null,
    event: event.action,
    logical_date: null,
    owner: event.actor,
    extra: event.detail === '' ? null : event.detail,
  }));
}
