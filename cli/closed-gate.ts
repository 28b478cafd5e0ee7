/** The runs of a pipeline -> the newest that stopped at the closed gate of a layer, with the report that closed it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { keySafe } from '../core/object-keys.ts';
import type { Spec } from '../core/spec.ts';
import type { Dag, DagRun, PublishedLayer, Report, Task } from '../core/types.ts';
import type { RunReader } from '../scheduler/run-reader.ts';
import type { GateInput } from '../validation/gate.ts';
import { isUndecided } from '../validation/measured-result.ts';
import { reportName } from '../validation/report/report-name.ts';
import type { Project } from './project.ts';
import { requireRun } from './read-control.ts';

export interface ClosedGate {
  readonly dag: Dag;
  readonly run: DagRun;
  readonly task: Task;
  readonly report: Report;
  /** What the gate was asked. */
  readonly input: GateInput;
  /** `silver.orders.readable`: nobody can accept what was not measured. */
  readonly undecided: readonly string[];
}

/** Older ones are named with --run. */
const RUNS_LOOKED_AT = 25;

/** @throws PipelineError `state_conflict` where no such run stopped there, `report_not_found` */
export async function findClosedGate(
  reader: RunReader,
  project: Project,
  spec: Spec,
  layer: PublishedLayer,
  runId: string | undefined,
): Promise<ClosedGate> {
  const dags = project.dags.flatMap(({ dag }) =>
    dag.pipeline === spec.pipeline && validates(dag, layer) ? [dag] : [],
  );
  const known = await knownDags(reader, dags);
  const runs = (await Promise.all(known.map((dag) => runsOf(reader, dag, runId)))).flat();
  for (const { dag, run } of runs.toSorted((a, b) => b.run.queuedAtMs - a.run.queuedAtMs)) {
    const task = await stoppedAt(reader, dag, run, layer);
    if (task) return gateOf(project, spec, { dag, run, task }, layer);
  }
  throw new PipelineError(
    'state_conflict',
    runId === undefined
      ? `No run of ${spec.pipeline} has stopped at a closed gate of ${layer}, so there is nothing to let pass. A run whose gate is open publishes by itself.`
      : `Run ${runId} has not stopped at a closed gate of ${layer}, so there is nothing to let pass.`,
  );
}

const gatesOf = (dag: Dag, layer: PublishedLayer): readonly Task[] =>
  dag.tasks.filter((task) => task.kind === 'validate' && task.layer === layer);

const validates = (dag: Dag, layer: PublishedLayer): boolean => gatesOf(dag, layer).length > 0;

/** A DAG that never ran is not in the store. */
async function knownDags(reader: RunReader, dags: readonly Dag[]): Promise<readonly Dag[]> {
  const stored = new Set((await reader.listDags()).map(({ dag }) => dag.id));
  return dags.filter(({ id }) => stored.has(id));
}

async function runsOf(
  reader: RunReader,
  dag: Dag,
  runId: string | undefined,
): Promise<readonly { readonly dag: Dag; readonly run: DagRun }[]> {
  if (runId === undefined || runId === 'latest') {
    const limit = runId === undefined ? RUNS_LOOKED_AT : 1;
    const { runs } = await reader.listRuns({ dagId: dag.id, orderBy: ['-queued_at'], limit });
    return runs.map((run) => ({ dag, run }));
  }
  try {
    return [{ dag, run: await requireRun(reader, dag.id, runId) }];
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'run_not_found') return [];
    throw thrown;
  }
}

async function stoppedAt(reader: RunReader, dag: Dag, run: DagRun, layer: PublishedLayer): Promise<Task | undefined> {
  const instances = await reader.listTaskInstances(dag.id, run.runId);
  const isClosed = ({ id }: Task): boolean =>
    instances.some(
      ({ taskId, state, error }) =>
        taskId === id && state === 'failed' && (error?.code === 'gate_failed' || error?.code === 'gate_undecided'),
    );
  return gatesOf(dag, layer).find(isClosed);
}

async function gateOf(
  project: Project,
  spec: Spec,
  stop: Pick<ClosedGate, 'dag' | 'run' | 'task'>,
  layer: PublishedLayer,
): Promise<ClosedGate> {
  const report = await readReport(project, spec, stop, layer);
  return {
    ...stop,
    report,
    input: { layer, mode: report.mode, tables: stop.task.tables, results: report.results, accounts: report.tables },
    undecided: report.results.filter(isUndecided).map(({ table, checkId }) => `${layer}.${table}.${checkId}`),
  };
}

async function readReport(
  project: Project,
  spec: Spec,
  { dag, run, task }: Pick<ClosedGate, 'dag' | 'run' | 'task'>,
  layer: PublishedLayer,
): Promise<Report> {
  const lookups = spec.dims.map(({ name }) => name);
  const name = `${reportName(layer, task.tables, lookups)}.results.json`;
  const path = join(spec.reportDir, 'runs', keySafe(dag.id), keySafe(run.runId), name);
  try {
    const report = JSON.parse(await readFile(join(project.root, path), 'utf8')) as Report;
    if (report.formatVersion === 1 && report.layer === layer) return report;
  } catch (cause) {
    throw noReport(path, dag, run, task, cause);
  }
  throw noReport(path, dag, run, task, undefined);
}

function noReport(path: string, dag: Dag, run: DagRun, task: Task, cause: unknown): PipelineError {
  return new PipelineError(
    'report_not_found',
    `The report that closed the gate cannot be read from ${path}, and nobody should let pass what nobody can read. ` +
      `Write it again: assay clear ${dag.id} '${run.runId}' ${task.id} --downstream`,
    { cause },
  );
}
