/** The run store -> DAGs, runs, task instances and logs as API and command line show them; works while a scheduler writes. */
import { join } from 'node:path';
import { didYouMean } from '../core/did-you-mean.ts';
import { PipelineError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { Dag, DagRun, TaskInstance } from '../core/types.ts';
import { attemptLogPath } from './attempt-path.ts';
import type { DagSummary, LogLine, RunFilter, SchedulerControl } from './control.ts';
import { readAttemptLog } from './executors/attempt-log.ts';
import { nextRun } from './plan-runs.ts';
import type { DagVersion, RunStore, StoredDag } from './store/run-store.ts';

export interface RunReaderOptions {
  readonly store: RunStore;
  readonly clock: Clock;
  /** Folder of the logs: `<stateDir>/logs/…`. */
  readonly stateDir: string;
}

/** The reading half of `SchedulerControl`. */
export type ReadControl = Pick<
  SchedulerControl,
  'listDags' | 'getDag' | 'getSpec' | 'listRuns' | 'getRun' | 'listTaskInstances' | 'getTaskInstance' | 'logs'
>;

export class RunReader implements ReadControl {
  readonly #options: RunReaderOptions;

  constructor(options: RunReaderOptions) {
    this.#options = options;
  }

  async listDags(): Promise<readonly DagSummary[]> {
    const dags = (await this.#options.store.listDags()).filter((dag) => !dag.isStale);
    return Promise.all(dags.map((dag) => this.#summary(dag)));
  }

  async getDag(dagId: string): Promise<DagSummary> {
    return this.#summary(await this.#dag(dagId));
  }

  async getSpec(dagId: string): Promise<Spec> {
    return (await this.#version(await this.#dag(dagId))).spec;
  }

  async listRuns(filter: RunFilter): Promise<{ readonly runs: readonly DagRun[]; readonly total: number }> {
    const { store } = this.#options;
    if (filter.dagId !== undefined && (await store.findDag(filter.dagId)) === null)
      throw await this.#noDag(filter.dagId);
    return store.listRuns(filter);
  }

  async getRun(dagId: string, runId: string): Promise<DagRun> {
    const { store } = this.#options;
    const found = await store.findRun(dagId, runId);
    if (found) return found.run;
    if ((await store.findDag(dagId)) === null) throw await this.#noDag(dagId);
    throw new PipelineError('run_not_found', `DAG ${dagId} has no run ${runId}. Its runs are listed by its status.`);
  }

  /** In the order of the DAG version that the run is pinned to. */
  async listTaskInstances(dagId: string, runId: string): Promise<readonly TaskInstance[]> {
    const run = await this.getRun(dagId, runId);
    const { dag } = await this.#options.store.loadVersion(dagId, run.dagFingerprint);
    return inDagOrder(dag, await this.#options.store.listInstances(dagId, runId));
  }

  async getTaskInstance(dagId: string, runId: string, taskId: string): Promise<TaskInstance> {
    const instances = await this.listTaskInstances(dagId, runId);
    const found = instances.find((instance) => instance.taskId === taskId);
    if (found) return found;
    const known = instances.map((instance) => instance.taskId);
    const meant = didYouMean(taskId, known);
    throw new PipelineError(
      'task_not_found',
      `Run ${runId} of DAG ${dagId} has no task ${taskId}. ${meant ? `Did you mean ${meant}?` : `It has: ${known.join(', ')}.`}`,
    );
  }

  async logs(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<readonly LogLine[]> {
    await this.getTaskInstance(dagId, runId, taskId);
    return readAttemptLog(join(this.#options.stateDir, attemptLogPath({ dagId, runId, taskId, tryNumber })));
  }

  async #dag(dagId: string): Promise<StoredDag> {
    const dag = await this.#options.store.findDag(dagId);
    if (!dag || dag.isStale) throw await this.#noDag(dagId);
    return dag;
  }

  #version({ dagId, fingerprint }: StoredDag): Promise<DagVersion> {
    return this.#options.store.loadVersion(dagId, fingerprint);
  }

  async #summary(stored: StoredDag): Promise<DagSummary> {
    const { dag } = await this.#version(stored);
    const next = nextRun(dag, this.#options.clock.now());
    return { dag, isPaused: stored.isPaused, next, lastParsedAtMs: stored.parsedAtMs };
  }

  async #noDag(dagId: string): Promise<PipelineError> {
    const known = (await this.#options.store.listDags()).filter((dag) => !dag.isStale).map((dag) => dag.dagId);
    return noDagError(dagId, known);
  }
}

export function noDagError(dagId: string, known: readonly string[]): PipelineError {
  const names = known.length === 0 ? 'It has none.' : `It has: ${known.join(', ')}.`;
  return new PipelineError('dag_not_found', `This project has no DAG "${dagId}". ${names}`);
}

export function inDagOrder(dag: Dag, instances: Iterable<TaskInstance>): readonly TaskInstance[] {
  const position = new Map(dag.tasks.map((task, index) => [task.id, index]));
  const at = (instance: TaskInstance): number => position.get(instance.taskId) ?? position.size;
  return [...instances].sort((a, b) => at(a) - at(b) || a.mapIndex - b.mapIndex);
}
