/** Airflow's run filters -> runs: by the scheduler's own query where it knows the filter, else by looking at every run. */
import type { DagRun, RunState } from '../../core/types.ts';
import type { SchedulerControl } from '../../scheduler/control.ts';
import { orderBy, pageOf, type SortKeys } from './parameters.ts';

export interface RunSearch {
  /** Null: of every DAG. */
  readonly dagId: string | null;
  readonly states: readonly RunState[];
  readonly orderBy: readonly string[];
  readonly limit: number;
  readonly offset: number;
  /** What the scheduler's query cannot say; null where nothing is left to say. */
  readonly accepts: ((run: DagRun) => boolean) | null;
}

export interface FoundRuns {
  readonly runs: readonly DagRun[];
  readonly total: number;
}

const RUN_ORDER: SortKeys<DagRun> = {
  id: (run) => run.queuedAtMs,
  dag_id: (run) => run.dagId,
  run_id: (run) => run.runId,
  dag_run_id: (run) => run.runId,
  state: (run) => run.state,
  run_type: (run) => run.runType,
  logical_date: (run) => run.logicalDateMs,
  data_interval_start: (run) => run.interval.startMs,
  data_interval_end: (run) => run.interval.endMs,
  run_after: (run) => run.runAfterMs,
  queued_at: (run) => run.queuedAtMs,
  start_date: (run) => run.startedAtMs,
  end_date: (run) => run.endedAtMs,
  duration: (run) => (run.startedAtMs === null || run.endedAtMs === null ? null : run.endedAtMs - run.startedAtMs),
};

/** Orders that every store of runs answers from an index. */
const STORE_ORDERS = new Set(['logical_date', 'run_after', 'start_date']);

const READ_AT_ONCE = 500;

/** @throws PipelineError `usage` for an unknown field in `orderBy` */
export async function findRuns(control: SchedulerControl, search: RunSearch): Promise<FoundRuns> {
  const scope = {
    ...(search.dagId === null ? {} : { dagId: search.dagId }),
    ...(search.states.length === 0 ? {} : { states: search.states }),
  };
  const fields = search.orderBy.length > 0 ? search.orderBy : ['run_after'];
  if (search.accepts === null && fields.every((field) => STORE_ORDERS.has(field.replace(/^-/, '')))) {
    return control.listRuns({ ...scope, orderBy: fields, limit: search.limit, offset: search.offset });
  }
  const all = await everyRun(control, scope);
  const chosen = all.filter((run) => search.accepts?.(run) ?? true);
  return { runs: pageOf(orderBy(chosen, fields, RUN_ORDER), search), total: chosen.length };
}

/** All runs of a scope, oldest first; one that starts meanwhile may be missing, none comes twice. */
export async function everyRun(
  control: SchedulerControl,
  scope: { readonly dagId?: string; readonly states?: readonly RunState[] },
): Promise<readonly DagRun[]> {
  const runs = new Map<string, DagRun>();
  for (let offset = 0; ; ) {
    const found = await control.listRuns({ ...scope, orderBy: ['run_after'], limit: READ_AT_ONCE, offset });
    for (const run of found.runs) runs.set(`${run.dagId}/${run.runId}`, run);
    offset += found.runs.length;
    if (found.runs.length === 0 || offset >= found.total) return [...runs.values()];
  }
}
