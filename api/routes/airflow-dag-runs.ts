/** Airflow's run operations over SchedulerControl: trigger, list, show, wait, cancel, clear. */
import { createRoute, z } from '@hono/zod-openapi';
import { stream } from 'hono/streaming';
import { PipelineError } from '../../core/errors.ts';
import { type DagRun, type Interval, type JsonObject, RUN_STATES, type RunState } from '../../core/types.ts';
import { isFinalRun } from '../../scheduler/task-state.ts';
import { findRuns } from '../airflow/find-runs.ts';
import { inRange, instantRange, page, pattern, repeated } from '../airflow/parameters.ts';
import * as schemas from '../airflow/schemas.ts';
import { airflowRun, airflowTaskInstance } from '../airflow/shapes.ts';
import { matchesLike } from '../airflow/sql-like.ts';
import { followRun } from '../follow-run.ts';
import type { ApiDeps } from '../ports.ts';
import { type Api, airflowErrors, json, jsonBody, oneOf } from './api.ts';

const tags = ['DagRun'];
const dagParams = z.object({ dag_id: z.string() });
const runParams = dagParams.extend({ dag_run_id: z.string() });

/** `~` stands for every DAG, and for every run. */
export const ALL = '~';

const RANGES = ['run_after', 'logical_date', 'start_date', 'end_date'] as const;

const trigger = createRoute({
  method: 'post',
  path: '/api/v2/dags/{dag_id}/dagRuns',
  tags,
  summary: 'Trigger a run',
  description:
    'A logical date without a data interval covers the window of the schedule that holds it, else its calendar day in ' +
    'the DAG’s time zone. Without either, the run covers the last complete window and has no logical date.',
  request: { params: dagParams, body: jsonBody(schemas.triggerBody) },
  responses: { 200: json(schemas.dagRun, 'The run, queued'), ...airflowErrors },
});

const listRuns = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/dagRuns',
  tags,
  summary: 'Runs of a DAG, or of all with ~; oldest first unless order_by says otherwise',
  request: {
    params: dagParams,
    query: z.object({
      ...page,
      state: repeated,
      run_type: repeated,
      run_id_pattern: pattern,
      dag_id_pattern: pattern,
      ...instantRange('run_after'),
      ...instantRange('logical_date'),
      ...instantRange('start_date'),
      ...instantRange('end_date'),
    }),
  },
  responses: { 200: json(schemas.dagRunCollection, 'A page of runs'), ...airflowErrors },
});

const listBatch = createRoute({
  method: 'post',
  path: '/api/v2/dags/~/dagRuns/list',
  tags,
  summary: 'Runs of several DAGs by filter',
  request: { body: jsonBody(schemas.runsBatch) },
  responses: { 200: json(schemas.dagRunCollection, 'A page of runs'), ...airflowErrors },
});

const getRun = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}',
  tags,
  summary: 'One run',
  request: { params: runParams },
  responses: { 200: json(schemas.dagRun, 'The run'), ...airflowErrors },
});

const patchRun = createRoute({
  method: 'patch',
  path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}',
  tags,
  summary: 'Cancel a run: state failed',
  request: { params: runParams, query: z.object({ update_mask: repeated }), body: jsonBody(schemas.runPatch) },
  responses: { 200: json(schemas.dagRun, 'The run as it is now'), ...airflowErrors },
});

const clearRun = createRoute({
  method: 'post',
  path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/clear',
  tags,
  summary: 'Run a run again, whole or what failed; a dry run unless dry_run is false',
  request: { params: runParams, body: jsonBody(schemas.runClear) },
  responses: {
    200: json(z.union([schemas.taskInstanceCollection, schemas.dagRun]), 'What would be cleared, or the run'),
    ...airflowErrors,
  },
});

const waitForRun = createRoute({
  method: 'get',
  path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/wait',
  tags,
  summary: 'Answer when a run has ended; for Accept: application/x-ndjson, say its state at every interval',
  request: {
    params: runParams,
    query: z.object({
      interval: z.coerce
        .number()
        .positive()
        .max(3600)
        .openapi({ type: 'number', description: 'Seconds between looks' }),
      result: repeated,
    }),
  },
  responses: {
    200: oneOf('The final state', { 'application/json': schemas.waited, 'application/x-ndjson': z.string() }),
    ...airflowErrors,
  },
});

export function registerDagRunRoutes(api: Api, deps: ApiDeps): void {
  const { control, clock } = deps;

  api.openapi(trigger, async (context) => {
    const { dag_id: dagId } = context.req.valid('param');
    const body = context.req.valid('json');
    refuseUnsupported(body, clock.now());
    const interval = intervalOf(body);
    const run = await control.trigger({
      dagId,
      ...(body.dag_run_id ? { runId: body.dag_run_id } : {}),
      logicalDateMs: body.logical_date ?? null,
      ...(interval ? { interval } : {}),
      conf: (body.conf ?? {}) as JsonObject,
      note: body.note ?? null,
      runType: 'manual',
      triggeredBy: 'rest_api',
    });
    return context.json(airflowRun(run), 200);
  });

  api.openapi(listRuns, async (context) => {
    const { dag_id: dagId } = context.req.valid('param');
    if (dagId !== ALL) await control.getDag(dagId);
    const query = context.req.valid('query');
    const isFiltered =
      query.run_type.length > 0 ||
      query.run_id_pattern !== undefined ||
      query.dag_id_pattern !== undefined ||
      hasRange(query);
    const found = await findRuns(control, {
      dagId: dagId === ALL ? null : dagId,
      states: runStates(query.state),
      orderBy: query.order_by,
      limit: query.limit,
      offset: query.offset,
      accepts: isFiltered
        ? (run) =>
            (query.run_type.length === 0 || query.run_type.includes(run.runType)) &&
            (query.run_id_pattern === undefined || matchesLike(run.runId, query.run_id_pattern)) &&
            (query.dag_id_pattern === undefined || matchesLike(run.dagId, query.dag_id_pattern)) &&
            isInRanges(run, query)
        : null,
    });
    return context.json({ dag_runs: found.runs.map(airflowRun), total_entries: found.total }, 200);
  });

  api.openapi(listBatch, async (context) => {
    const body = context.req.valid('json');
    const wanted = body.dag_ids ?? [];
    const found = await findRuns(control, {
      dagId: null,
      states: (body.states ?? []).filter((state) => state !== null),
      orderBy: body.order_by ? [body.order_by] : [],
      limit: body.page_limit,
      offset: body.page_offset,
      accepts: (run) => (wanted.length === 0 || wanted.includes(run.dagId)) && isInRanges(run, body),
    });
    return context.json({ dag_runs: found.runs.map(airflowRun), total_entries: found.total }, 200);
  });

  api.openapi(getRun, async (context) => {
    const { dag_id: dagId, dag_run_id: runId } = context.req.valid('param');
    return context.json(airflowRun(await control.getRun(dagId, runId)), 200);
  });

  api.openapi(patchRun, async (context) => {
    const { dag_id: dagId, dag_run_id: runId } = context.req.valid('param');
    const { update_mask: mask } = context.req.valid('query');
    const body = context.req.valid('json');
    const isMeant = (field: 'state' | 'note'): boolean =>
      mask.length > 0 ? mask.includes(field) : body[field] !== undefined && body[field] !== null;
    const run = await control.getRun(dagId, runId);
    if (isMeant('note') && (body.note ?? null) !== run.note) {
      throw new PipelineError('not_implemented', 'A note is given when a run is triggered and stays as it is.');
    }
    if (!isMeant('state')) return context.json(airflowRun(run), 200);
    if (body.state !== 'failed') {
      throw new PipelineError(
        'not_implemented',
        `A run cannot be set to ${body.state ?? 'no state'} by hand; failed cancels it. To run it again, use POST /api/v2/dags/${dagId}/dagRuns/${runId}/clear.`,
      );
    }
    return context.json(airflowRun(await control.cancel(dagId, runId)), 200);
  });

  api.openapi(clearRun, async (context) => {
    const { dag_id: dagId, dag_run_id: runId } = context.req.valid('param');
    const body = context.req.valid('json');
    const run = await control.getRun(dagId, runId);
    const cleared = await control.clear({
      dagId,
      runId,
      taskIds: null,
      onlyFailed: body.only_failed,
      upstream: false,
      downstream: body.only_failed,
      dryRun: body.dry_run,
      onLatestVersion: body.run_on_latest_version,
    });
    if (!body.dry_run) return context.json(airflowRun(await control.getRun(dagId, runId)), 200);
    const { dag } = await control.getDag(dagId);
    const instances = cleared.map((instance) => airflowTaskInstance(instance, run, dag));
    return context.json({ task_instances: instances, total_entries: instances.length }, 200);
  });

  api.openapi(waitForRun, async (context) => {
    const { dag_id: dagId, dag_run_id: runId } = context.req.valid('param');
    const { interval, result } = context.req.valid('query');
    if (result.length > 0) {
      throw new PipelineError(
        'not_implemented',
        'Results of tasks are not handed out here. What a task did is on the page of the run.',
      );
    }
    const { signal } = context.req.raw;
    if (context.req.header('accept')?.includes('application/x-ndjson')) {
      await control.getRun(dagId, runId);
      if (context.req.method === 'HEAD') return context.body(null, 200, { 'Content-Type': 'application/x-ndjson' });
      context.header('Content-Type', 'application/x-ndjson');
      return stream(context, async (out) => {
        const hasLeft = new AbortController();
        out.onAbort(() => hasLeft.abort());
        const states = followRun(control, dagId, runId, interval * 1000, AbortSignal.any([signal, hasLeft.signal]));
        for await (const run of states) await out.writeln(JSON.stringify({ state: run.state }));
      });
    }
    const states = followRun(control, dagId, runId, interval * 1000, signal);
    let last: DagRun | null = null;
    for await (const run of states) last = run;
    if (!last || !isFinalRun(last.state))
      throw new PipelineError('state_conflict', `The run ${runId} has not ended yet.`);
    return context.json({ state: last.state }, 200);
  });
}

type TriggerBody = z.infer<typeof schemas.triggerBody>;

function refuseUnsupported(body: TriggerBody, nowMs: number): void {
  if (body.partition_key) {
    throw new PipelineError('not_implemented', 'Runs are triggered for a data interval, not for a partition_key.');
  }
  if (body.run_after && body.run_after > nowMs) {
    throw new PipelineError('not_implemented', 'A run starts as soon as it may; run_after cannot lie in the future.');
  }
}

/** Null: the scheduler's choice, by the logical date if there is one. */
function intervalOf(body: TriggerBody): Interval | null {
  const startMs = body.data_interval_start ?? null;
  const endMs = body.data_interval_end ?? null;
  return startMs === null || endMs === null ? null : { startMs, endMs };
}

function runStates(words: readonly string[]): readonly RunState[] {
  return words.map((word) => {
    const state = RUN_STATES.find((known) => known === word);
    if (!state) {
      throw new PipelineError('usage', `No run can be in state '${word}'. The states are ${RUN_STATES.join(', ')}.`);
    }
    return state;
  });
}

function hasRange(filters: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(filters).some(
    ([name, value]) => typeof value === 'number' && RANGES.some((range) => name.startsWith(`${range}_`)),
  );
}

/** True where the run lies in every range that the filters draw. */
export function isInRanges(run: DagRun, filters: Readonly<Record<string, unknown>>): boolean {
  const values = {
    run_after: run.runAfterMs,
    logical_date: run.logicalDateMs,
    start_date: run.startedAtMs,
    end_date: run.endedAtMs,
  };
  return RANGES.every((name) => inRange(values[name], filters, name));
}
