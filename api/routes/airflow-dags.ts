/** Airflow's DAG operations over SchedulerControl: list, show, pause, tasks, source, tags, statistics. */
import { createRoute, z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';
import { RUN_STATES, type Task } from '../../core/types.ts';
import type { DagSummary } from '../../scheduler/control.ts';
import { flag, orderBy, page, pageOf, pattern, repeated, type SortKeys } from '../airflow/parameters.ts';
import * as schemas from '../airflow/schemas.ts';
import { airflowDag, airflowDagDetails, airflowTask, type DagFacts } from '../airflow/shapes.ts';
import { matchesLike } from '../airflow/sql-like.ts';
import type { ApiDeps, PipelineIssue } from '../ports.ts';
import { type Api, airflowErrors, json, jsonBody, oneOf } from './api.ts';

const tags = ['DAG'];
const dagParams = z.object({ dag_id: z.string() });

const DAG_ORDER: SortKeys<DagSummary> = {
  dag_id: ({ dag }) => dag.id,
  dag_display_name: ({ dag }) => dag.id,
  next_dagrun: ({ next }) => next?.runAfterMs ?? null,
};

const TASK_ORDER: SortKeys<Task> = {
  task_id: (task) => task.id,
  task_display_name: (task) => task.id,
  operator_name: (task) => task.kind,
  priority_weight: (task) => task.priority,
};

const listDags = createRoute({
  method: 'get',
  path: '/api/v2/dags',
  tags,
  summary: 'DAGs, by id',
  request: {
    query: z.object({
      ...page,
      tags: repeated,
      tags_match_mode: z.enum(['any', 'all']).default('any'),
      owners: repeated,
      dag_id_pattern: pattern,
      dag_display_name_pattern: pattern,
      paused: flag.optional(),
      has_import_errors: flag.optional(),
    }),
  },
  responses: { 200: json(schemas.dagCollection, 'A page of DAGs'), ...airflowErrors },
});

const getDag = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}',
  tags,
  summary: 'One DAG',
  request: { params: dagParams },
  responses: { 200: json(schemas.dag, 'The DAG'), ...airflowErrors },
});

const getDetails = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/details',
  tags,
  summary: 'One DAG with its parameters and limits',
  request: { params: dagParams },
  responses: { 200: json(schemas.dagDetails, 'The DAG in detail'), ...airflowErrors },
});

const patchDag = createRoute({
  method: 'patch',
  path: '/api/v2/dags/{dag_id}',
  tags,
  summary: 'Pause or resume a DAG',
  request: {
    params: dagParams,
    query: z.object({ update_mask: repeated }),
    body: jsonBody(schemas.dagPatch),
  },
  responses: { 200: json(schemas.dag, 'The DAG as it is now'), ...airflowErrors },
});

const listTasks = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/tasks',
  tags,
  summary: 'The tasks of a DAG, in topological order',
  request: { params: dagParams, query: z.object({ order_by: repeated }) },
  responses: { 200: json(schemas.taskCollection, 'All tasks'), ...airflowErrors },
});

const getTask = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/tasks/{task_id}',
  tags,
  summary: 'One task of a DAG',
  request: { params: dagParams.extend({ task_id: z.string() }) },
  responses: { 200: json(schemas.task, 'The task'), ...airflowErrors },
});

const getSource = createRoute({
  method: 'get',
  path: '/api/v2/dagSources/{dag_id}',
  tags,
  summary: 'The spec file that declares a DAG: JSON, or the YAML itself for Accept: text/plain',
  request: { params: dagParams },
  responses: {
    200: oneOf('The source', { 'application/json': schemas.dagSource, 'text/plain': z.string() }),
    ...airflowErrors,
  },
});

const listTags = createRoute({
  method: 'get',
  path: '/api/v2/dagTags',
  tags,
  summary: 'All tags in use, sorted',
  request: { query: z.object({ ...page, tag_name_pattern: pattern }) },
  responses: { 200: json(schemas.dagTags, 'A page of tags'), ...airflowErrors },
});

const getStats = createRoute({
  method: 'get',
  path: '/api/v2/dagStats',
  tags,
  summary: 'Number of runs by DAG and state',
  request: { query: z.object({ dag_ids: repeated }) },
  responses: { 200: json(schemas.dagStats, 'Counts of all four states, zeros included'), ...airflowErrors },
});

export function registerDagRoutes(api: Api, deps: ApiDeps): void {
  const { control } = deps;

  api.openapi(listDags, async (context) => {
    const query = context.req.valid('query');
    const issues = await deps.specs.issues();
    const chosen = (await control.listDags()).filter(
      ({ dag, isPaused }) =>
        (query.paused === undefined || query.paused === isPaused) &&
        (query.has_import_errors === undefined || query.has_import_errors === hasErrors(dag.pipeline, issues)) &&
        (query.owners.length === 0 || query.owners.includes(dag.owner)) &&
        hasTags(dag.tags, query.tags, query.tags_match_mode) &&
        [query.dag_id_pattern, query.dag_display_name_pattern].every(
          (like) => like === undefined || matchesLike(dag.id, like),
        ),
    );
    const fields = query.order_by.length > 0 ? query.order_by : ['dag_id'];
    const dags = pageOf(orderBy(chosen, fields, DAG_ORDER), query).map((summary) =>
      airflowDag(summary, factsOf(summary, deps, issues)),
    );
    return context.json({ dags, total_entries: chosen.length }, 200);
  });

  api.openapi(getDag, async (context) => {
    const summary = await control.getDag(context.req.valid('param').dag_id);
    return context.json(airflowDag(summary, factsOf(summary, deps, await deps.specs.issues())), 200);
  });

  api.openapi(getDetails, async (context) => {
    const { dag_id: dagId } = context.req.valid('param');
    const summary = await control.getDag(dagId);
    const [spec, active, issues] = await Promise.all([
      control.getSpec(dagId),
      control.listRuns({ dagId, states: ['running'], limit: 1 }),
      deps.specs.issues(),
    ]);
    const facts = { ...factsOf(summary, deps, issues), params: { ...spec.params }, activeRuns: active.total };
    return context.json(airflowDagDetails(summary, facts), 200);
  });

  api.openapi(patchDag, async (context) => {
    const { update_mask: mask } = context.req.valid('query');
    if (mask.some((field) => field !== 'is_paused')) {
      throw new PipelineError('usage', `Only is_paused of a DAG can be changed; update_mask names ${mask.join(', ')}.`);
    }
    const { is_paused: isPaused } = context.req.valid('json');
    const summary = await control.setPaused(context.req.valid('param').dag_id, isPaused);
    return context.json(airflowDag(summary, factsOf(summary, deps, await deps.specs.issues())), 200);
  });

  api.openapi(listTasks, async (context) => {
    const { dag } = await control.getDag(context.req.valid('param').dag_id);
    const tasks = orderBy(dag.tasks, context.req.valid('query').order_by, TASK_ORDER);
    return context.json({ tasks: tasks.map((task) => airflowTask(task, dag)), total_entries: tasks.length }, 200);
  });

  api.openapi(getTask, async (context) => {
    const { dag_id: dagId, task_id: taskId } = context.req.valid('param');
    const { dag } = await control.getDag(dagId);
    const task = dag.tasks.find((candidate) => candidate.id === taskId);
    if (!task) {
      throw new PipelineError(
        'task_not_found',
        `The DAG ${dagId} has no task ${taskId}. GET /api/v2/dags/${dagId}/tasks lists its tasks.`,
      );
    }
    return context.json(airflowTask(task, dag), 200);
  });

  api.openapi(getSource, async (context) => {
    const { dag } = await control.getDag(context.req.valid('param').dag_id);
    const content = await deps.specs.source(dag.sourceFile);
    if (content === null) {
      throw new PipelineError(
        'object_not_found',
        `The file ${dag.sourceFile}, which declares the DAG ${dag.id}, is gone. The DAG keeps running as it was compiled.`,
      );
    }
    if (context.req.header('accept')?.startsWith('text/plain')) return context.text(content, 200);
    return context.json({ content, dag_id: dag.id, dag_display_name: dag.id, version_number: null }, 200);
  });

  api.openapi(listTags, async (context) => {
    const query = context.req.valid('query');
    const like = query.tag_name_pattern;
    const names = [...new Set((await control.listDags()).flatMap(({ dag }) => dag.tags))]
      .filter((name) => like === undefined || matchesLike(name, like))
      .sort();
    const ordered = orderBy(names, query.order_by, { name: (name) => name });
    return context.json({ tags: pageOf(ordered, query), total_entries: names.length }, 200);
  });

  api.openapi(getStats, async (context) => {
    const { dag_ids: wanted } = context.req.valid('query');
    const chosen = (await control.listDags()).filter(({ dag }) => wanted.length === 0 || wanted.includes(dag.id));
    const dags = await Promise.all(
      chosen.map(async ({ dag }) => ({
        dag_id: dag.id,
        dag_display_name: dag.id,
        stats: await Promise.all(
          RUN_STATES.map(async (state) => ({
            state,
            count: (await control.listRuns({ dagId: dag.id, states: [state], limit: 1 })).total,
          })),
        ),
      })),
    );
    return context.json({ dags, total_entries: dags.length }, 200);
  });
}

function factsOf(summary: DagSummary, deps: ApiDeps, issues: readonly PipelineIssue[]): DagFacts {
  return { pools: deps.pools, hasImportErrors: hasErrors(summary.dag.pipeline, issues) };
}

function hasErrors(pipeline: string, issues: readonly PipelineIssue[]): boolean {
  return issues.some((found) => found.pipeline === pipeline && found.issue.severity === 'error');
}

function hasTags(present: readonly string[], wanted: readonly string[], mode: 'any' | 'all'): boolean {
  if (wanted.length === 0) return true;
  return mode === 'all' ? wanted.every((tag) => present.includes(tag)) : wanted.some((tag) => present.includes(tag));
}
