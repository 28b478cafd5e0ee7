/** Airflow's task instance operations over SchedulerControl: list, show, tries, logs, clear. */
import { createRoute, z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';
import type { Dag, DagRun, TaskInstance } from '../../core/types.ts';
import type { LogLine, SchedulerControl } from '../../scheduler/control.ts';
import { everyRun } from '../airflow/find-runs.ts';
import {
  inRange,
  instantRange,
  orderBy,
  page,
  pageOf,
  pattern,
  repeated,
  type SortKeys,
} from '../airflow/parameters.ts';
import * as schemas from '../airflow/schemas.ts';
import {
  type AirflowAttempt,
  type AirflowTaskInstance,
  airflowAttempt,
  airflowEarlierAttempt,
  airflowTaskInstance,
} from '../airflow/shapes.ts';
import { matchesLike } from '../airflow/sql-like.ts';
import type { ApiDeps } from '../ports.ts';
import { ALL, isInRanges } from './airflow-dag-runs.ts';
import { type Api, airflowErrors, json, jsonBody, oneOf } from './api.ts';

const tags = ['TaskInstance'];
const dagParams = z.object({ dag_id: z.string() });
const runParams = dagParams.extend({ dag_run_id: z.string() });
const taskParams = runParams.extend({ task_id: z.string() });
const mapIndexParam = { map_index: z.coerce.number().int().openapi({ type: 'integer' }) };
const base = '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances';

/** Tasks are never mapped: each has exactly one instance in a run. */
const UNMAPPED = -1;

const INSTANCE_ORDER: SortKeys<AirflowTaskInstance> = {
  id: (instance) => instance.id,
  state: (instance) => instance.state,
  task_id: (instance) => instance.task_id,
  duration: (instance) => instance.duration,
  start_date: (instance) => instance.start_date,
  end_date: (instance) => instance.end_date,
  map_index: (instance) => instance.map_index,
  try_number: (instance) => instance.try_number,
  logical_date: (instance) => instance.logical_date,
  run_after: (instance) => instance.run_after,
  operator: (instance) => instance.operator,
};

const listInstances = createRoute({
  method: 'get',
  path: base,
  tags,
  summary: 'Task instances of a run, in topological order; ~ for all DAGs and all runs',
  request: {
    params: runParams,
    query: z.object({
      ...page,
      task_id: z.string().optional(),
      task_display_name_pattern: pattern,
      task_group_id: z.string().optional(),
      state: repeated,
      pool: repeated,
      ...instantRange('run_after'),
      ...instantRange('logical_date'),
      ...instantRange('start_date'),
      ...instantRange('end_date'),
    }),
  },
  responses: { 200: json(schemas.taskInstanceCollection, 'A page of task instances'), ...airflowErrors },
});

const listBatch = createRoute({
  method: 'post',
  path: '/api/v2/dags/~/dagRuns/~/taskInstances/list',
  tags,
  summary: 'Task instances of several DAGs and runs by filter',
  request: { body: jsonBody(schemas.instancesBatch) },
  responses: { 200: json(schemas.taskInstanceCollection, 'A page of task instances'), ...airflowErrors },
});

const getInstance = createRoute({
  method: 'get',
  path: `${base}/{task_id}`,
  tags,
  summary: 'One task instance',
  request: { params: taskParams },
  responses: { 200: json(schemas.taskInstance, 'The latest try'), ...airflowErrors },
});

const getMapped = createRoute({
  method: 'get',
  path: `${base}/{task_id}/{map_index}`,
  tags,
  summary: 'One task instance by map index, which is always -1',
  request: { params: taskParams.extend(mapIndexParam) },
  responses: { 200: json(schemas.taskInstance, 'The latest try'), ...airflowErrors },
});

const listTries = createRoute({
  method: 'get',
  path: `${base}/{task_id}/tries`,
  tags,
  summary: 'All tries of a task instance',
  request: { params: taskParams },
  responses: { 200: json(schemas.attemptCollection, 'The tries, oldest first'), ...airflowErrors },
});

const getTry = createRoute({
  method: 'get',
  path: `${base}/{task_id}/tries/{task_try_number}`,
  tags,
  summary: 'One try of a task instance',
  request: { params: taskParams.extend({ task_try_number: z.coerce.number().int().openapi({ type: 'integer' }) }) },
  responses: { 200: json(schemas.attempt, 'The try'), ...airflowErrors },
});

const getLogs = createRoute({
  method: 'get',
  path: `${base}/{task_id}/logs/{try_number}`,
  tags,
  summary: 'The log of one try: JSON, or one line a record for Accept: application/x-ndjson',
  request: {
    params: taskParams.extend({ try_number: z.coerce.number().int().min(0).openapi({ type: 'integer' }) }),
    query: z.object({
      map_index: z.coerce.number().int().default(UNMAPPED).openapi({ type: 'integer', default: UNMAPPED }),
    }),
  },
  responses: {
    200: oneOf('Every line, oldest first', { 'application/json': schemas.logs, 'application/x-ndjson': z.string() }),
    ...airflowErrors,
  },
});

const clearInstances = createRoute({
  method: 'post',
  path: '/api/v2/dags/{dag_id}/clearTaskInstances',
  tags,
  summary: 'Run tasks again; a dry run unless dry_run is false',
  description: 'Without dag_run_id, in every run whose logical date lies from start_date to end_date, both included.',
  request: { params: dagParams, body: jsonBody(schemas.clearBody) },
  responses: { 200: json(schemas.taskInstanceCollection, 'What was, or would be, cleared'), ...airflowErrors },
});

export function registerTaskInstanceRoutes(api: Api, deps: ApiDeps): void {
  const { control } = deps;

  api.openapi(listInstances, async (context) => {
    const { dag_id: dagId, dag_run_id: runId } = context.req.valid('param');
    const query = context.req.valid('query');
    const runs = await runsOf(control, dagId, runId);
    const found = await instancesOf(
      control,
      runs.filter((run) => inRange(run.runAfterMs, query, 'run_after')),
    );
    const chosen = found.filter(
      ({ run, instance, shape, group }) =>
        inRange(run.logicalDateMs, query, 'logical_date') &&
        inRange(instance.startedAtMs, query, 'start_date') &&
        inRange(instance.endedAtMs, query, 'end_date') &&
        (query.task_id === undefined || query.task_id === shape.task_id) &&
        (query.task_display_name_pattern === undefined ||
          matchesLike(shape.task_id, query.task_display_name_pattern)) &&
        (query.task_group_id === undefined || query.task_group_id === group) &&
        isAmong(query.state, shape.state ?? 'none') &&
        isAmong(query.pool, shape.pool),
    );
    const shapes = orderBy(
      chosen.map(({ shape }) => shape),
      query.order_by,
      INSTANCE_ORDER,
    );
    return context.json({ task_instances: pageOf(shapes, query), total_entries: shapes.length }, 200);
  });

  api.openapi(listBatch, async (context) => {
    const body = context.req.valid('json');
    const runs = (await everyRun(control, {})).filter(
      (run) => isAmong(body.dag_ids, run.dagId) && isAmong(body.dag_run_ids, run.runId) && isInRanges(run, body),
    );
    const shapes = (await instancesOf(control, runs))
      .map(({ shape }) => shape)
      .filter(
        (shape) =>
          isAmong(body.task_ids, shape.task_id) && isAmong(body.state, shape.state) && isAmong(body.pool, shape.pool),
      );
    const ordered = orderBy(shapes, body.order_by ? [body.order_by] : [], INSTANCE_ORDER);
    const chosen = pageOf(ordered, { limit: body.page_limit, offset: body.page_offset });
    return context.json({ task_instances: chosen, total_entries: ordered.length }, 200);
  });

  api.openapi(getInstance, async (context) => {
    const params = context.req.valid('param');
    return context.json(await oneInstance(control, params.dag_id, params.dag_run_id, params.task_id), 200);
  });

  api.openapi(listTries, async (context) => {
    const params = context.req.valid('param');
    const tries = await triesOf(deps, params.dag_id, params.dag_run_id, params.task_id);
    return context.json({ task_instances: tries, total_entries: tries.length }, 200);
  });

  api.openapi(getTry, async (context) => {
    const params = context.req.valid('param');
    const tries = await triesOf(deps, params.dag_id, params.dag_run_id, params.task_id);
    const wanted = tries.find((attempt) => attempt.try_number === params.task_try_number);
    if (!wanted) {
      throw new PipelineError(
        'task_not_found',
        `The task ${params.task_id} of run ${params.dag_run_id} has no try ${params.task_try_number}; its latest is ${tries.at(-1)?.try_number ?? 0}.`,
      );
    }
    return context.json(wanted, 200);
  });

  api.openapi(getLogs, async (context) => {
    const { dag_id: dagId, dag_run_id: runId, task_id: taskId, try_number: tryNumber } = context.req.valid('param');
    refuseMapped(context.req.valid('query').map_index, taskId);
    const lines = await control.logs(dagId, runId, taskId, tryNumber);
    if (context.req.header('accept')?.includes('application/x-ndjson')) {
      return context.body(ndjson(lines), 200, { 'Content-Type': 'application/x-ndjson' });
    }
    return context.json({ content: [...lines], continuation_token: null }, 200);
  });

  api.openapi(getMapped, async (context) => {
    const params = context.req.valid('param');
    refuseMapped(params.map_index, params.task_id);
    return context.json(await oneInstance(control, params.dag_id, params.dag_run_id, params.task_id), 200);
  });

  api.openapi(clearInstances, async (context) => {
    const { dag_id: dagId } = context.req.valid('param');
    const body = context.req.valid('json');
    refuseUnsupported(body);
    const { dag } = await control.getDag(dagId);
    const runs = body.dag_run_id
      ? [await control.getRun(dagId, body.dag_run_id)]
      : await runsBetween(control, dagId, body);
    if (!body.dry_run && body.prevent_running_task) {
      for (const run of runs) refuseRunning(await clearIn(control, run, body, true));
    }
    const cleared: AirflowTaskInstance[] = [];
    for (const run of runs) {
      const instances = await clearIn(control, run, body, body.dry_run);
      cleared.push(...instances.map((instance) => airflowTaskInstance(instance, run, dag)));
    }
    return context.json({ task_instances: cleared, total_entries: cleared.length }, 200);
  });
}

// ------------------------------------------------------------------ looking things up

interface FoundInstance {
  readonly run: DagRun;
  readonly instance: TaskInstance;
  readonly shape: AirflowTaskInstance;
  readonly group: string | null;
}

async function runsOf(control: SchedulerControl, dagId: string, runId: string): Promise<readonly DagRun[]> {
  if (dagId !== ALL && runId !== ALL) return [await control.getRun(dagId, runId)];
  if (dagId !== ALL) await control.getDag(dagId);
  const runs = await everyRun(control, dagId === ALL ? {} : { dagId });
  return runId === ALL ? runs : runs.filter((run) => run.runId === runId);
}

async function instancesOf(control: SchedulerControl, runs: readonly DagRun[]): Promise<readonly FoundInstance[]> {
  const dags = new Map((await control.listDags()).map(({ dag }) => [dag.id, dag]));
  const found: FoundInstance[] = [];
  for (const run of runs) {
    const dag = dags.get(run.dagId) ?? null;
    for (const instance of inOrder(await control.listTaskInstances(run.dagId, run.runId), dag)) {
      const group = dag?.tasks.find((task) => task.id === instance.taskId)?.group ?? null;
      found.push({ run, instance, shape: airflowTaskInstance(instance, run, dag), group });
    }
  }
  return found;
}

/** As the DAG's tasks stand, so that upstream comes first; tasks that the DAG has no more come last. */
export function inOrder(instances: readonly TaskInstance[], dag: Dag | null): readonly TaskInstance[] {
  const places = new Map(dag?.tasks.map((task, index) => [task.id, index]));
  const placeOf = (instance: TaskInstance): number => places.get(instance.taskId) ?? places.size;
  return [...instances].sort((a, b) => placeOf(a) - placeOf(b));
}

async function oneInstance(
  control: SchedulerControl,
  dagId: string,
  runId: string,
  taskId: string,
): Promise<AirflowTaskInstance> {
  const run = await control.getRun(dagId, runId);
  const instance = await control.getTaskInstance(dagId, runId, taskId);
  return airflowTaskInstance(instance, run, (await control.getDag(dagId)).dag);
}

/** Oldest first; the latest with all that the instance knows of it. */
async function triesOf(deps: ApiDeps, dagId: string, runId: string, taskId: string): Promise<AirflowAttempt[]> {
  const instance = await deps.control.getTaskInstance(dagId, runId, taskId);
  const { dag } = await deps.control.getDag(dagId);
  const earlier = (await deps.history.attempts(dagId, runId, taskId))
    .filter((attempt) => attempt.tryNumber < instance.tryNumber)
    .map((attempt) => airflowEarlierAttempt(attempt, instance, dag));
  return instance.tryNumber === 0 ? earlier : [...earlier, airflowAttempt(instance, dag)];
}

function isAmong<T>(wanted: readonly T[] | null | undefined, value: T): boolean {
  return !wanted || wanted.length === 0 || wanted.includes(value);
}

function refuseMapped(mapIndex: number, taskId: string): void {
  if (mapIndex === UNMAPPED) return;
  throw new PipelineError('task_not_found', `The task ${taskId} is not mapped; its only instance has map_index -1.`);
}

function ndjson(lines: readonly LogLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

// ------------------------------------------------------------------ clearing

type ClearBody = z.infer<typeof schemas.clearBody>;

function refuseUnsupported(body: ClearBody): void {
  const unsupported = [
    body.only_running ? 'only_running' : null,
    body.include_past ? 'include_past' : null,
    body.include_future ? 'include_future' : null,
    body.reset_dag_runs ? null : 'reset_dag_runs: false',
  ].filter((name) => name !== null);
  if (unsupported.length > 0) {
    throw new PipelineError(
      'not_implemented',
      `Clearing with ${unsupported.join(', ')} is not possible. Name the runs by dag_run_id, or by start_date and end_date.`,
    );
  }
  for (const task of body.task_ids ?? []) {
    if (typeof task !== 'string') refuseMapped(task[1], task[0]);
  }
}

async function runsBetween(control: SchedulerControl, dagId: string, body: ClearBody): Promise<readonly DagRun[]> {
  const range = { logical_date_gte: body.start_date, logical_date_lte: body.end_date };
  return (await everyRun(control, { dagId })).filter((run) => inRange(run.logicalDateMs, range, 'logical_date'));
}

function clearIn(
  control: SchedulerControl,
  run: DagRun,
  body: ClearBody,
  dryRun: boolean,
): Promise<readonly TaskInstance[]> {
  return control.clear({
    dagId: run.dagId,
    runId: run.runId,
    taskIds: body.task_ids ? body.task_ids.map((task) => (typeof task === 'string' ? task : task[0])) : null,
    onlyFailed: body.only_failed,
    upstream: body.include_upstream,
    onLatestVersion: body.run_on_latest_version,
    downstream: body.include_downstream,
    dryRun,
  });
}

function refuseRunning(instances: readonly TaskInstance[]): void {
  const running = instances.filter((instance) => instance.state === 'running').map((instance) => instance.taskId);
  if (running.length === 0) return;
  throw new PipelineError(
    'state_conflict',
    `Nothing was cleared: ${running.join(', ')} is running. Wait for it, or leave prevent_running_task out.`,
  );
}
