/** Every run that is not over, held in memory exactly as the store holds it. */
import type { Spec } from '../core/spec.ts';
import type { Dag, DagRun, TaskDefaults, TaskInstance } from '../core/types.ts';
import { retryPolicyOf } from './retry.ts';
import type { DagVersion, RunStore, StoredRun } from './store/run-store.ts';
import { instanceUuid, type ParentLink } from './store/store-rows.ts';

/** Changed by a committed draft only. */
export interface OpenRun {
  run: DagRun;
  readonly parent: ParentLink | null;
  /** The version that the run is pinned to. */
  dag: Dag;
  spec: Spec;
  readonly instances: Map<string, TaskInstance>;
}

const runKeyOf = ({ dagId, runId }: { readonly dagId: string; readonly runId: string }): string => `${dagId}\n${runId}`;

export class RunBook {
  readonly #runs = new Map<string, OpenRun>();
  #sorted: readonly OpenRun[] | null = null;

  get(of: { readonly dagId: string; readonly runId: string }): OpenRun | undefined {
    return this.#runs.get(runKeyOf(of));
  }

  add(open: OpenRun): void {
    this.#runs.set(runKeyOf(open.run), open);
    this.#sorted = null;
  }

  remove(open: OpenRun): void {
    this.#runs.delete(runKeyOf(open.run));
    this.#sorted = null;
  }

  /** In the order in which they start: by run-after, then as they were queued. */
  list(): readonly OpenRun[] {
    this.#sorted ??= [...this.#runs.values()].sort(
      (a, b) => a.run.runAfterMs - b.run.runAfterMs || a.run.queuedAtMs - b.run.queuedAtMs,
    );
    return this.#sorted;
  }

  /** Forgets everything and reads it anew. */
  async load(store: RunStore): Promise<void> {
    const open: OpenRun[] = [];
    for (const stored of await store.listOpenRuns()) open.push(await loadRun(store, stored));
    this.#runs.clear();
    for (const run of open) this.add(run);
  }
}

/** A stored run with its version and its instances. */
export async function loadRun(store: RunStore, { run, parent }: StoredRun): Promise<OpenRun> {
  const { dag, spec } = await store.loadVersion(run.dagId, run.dagFingerprint);
  const instances = await store.listInstances(run.dagId, run.runId);
  return { run, parent, dag, spec, instances: new Map(instances.map((instance) => [instance.taskId, instance])) };
}

/** A run that nobody has stored yet, with all its tasks at `none`. */
export function newRun(run: DagRun, parent: ParentLink | null, version: DagVersion, defaults: TaskDefaults): OpenRun {
  const instances = version.dag.tasks.map((task) => newInstance(run, task, defaults));
  return {
    run,
    parent,
    ...version,
    instances: new Map(instances.map((instance) => [instance.taskId, instance])),
  };
}

export function newInstance(run: DagRun, task: Dag['tasks'][number], defaults: TaskDefaults): TaskInstance {
  const { dagId, runId } = run;
  return {
    dagId,
    runId,
    taskId: task.id,
    mapIndex: -1,
    uuid: instanceUuid(dagId, runId, task.id, -1),
    state: 'none',
    tryNumber: 0,
    maxTries: 1 + retryPolicyOf(task, defaults).retries,
    fence: 0,
    scheduledAtMs: null,
    queuedAtMs: null,
    startedAtMs: null,
    endedAtMs: null,
    nextRetryAtMs: null,
    error: null,
    output: null,
  };
}
