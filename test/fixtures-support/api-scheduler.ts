/** A scheduler in memory, without time of its own: runs move only when a test says so, under the real interface. */

import type { AttemptRecord, AuditEvent, RunHistory } from '../../api/ports.ts';
import { PipelineError } from '../../core/errors.ts';
import { derivedUuid } from '../../core/fingerprint.ts';
import { isoInstant } from '../../core/partition.ts';
import type { Clock } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { Dag, DagRun, Task, TaskError, TaskInstance, TaskOutput } from '../../core/types.ts';
import type {
  ClearRequest,
  DagSummary,
  LogLine,
  RunFilter,
  SchedulerControl,
  SchedulerEvent,
  TriggerRequest,
} from '../../scheduler/control.ts';
import { lastCompleteWindow, nextRun, runIdFor, windowOfLogicalDate } from '../../scheduler/plan-runs.ts';
import { isFinal, isFinalRun } from '../../scheduler/task-state.ts';

/** What a task comes to when it is finished. */
export type Ending =
  | { readonly state: 'success'; readonly output?: TaskOutput }
  | { readonly state: 'failed' | 'up_for_retry'; readonly error: TaskError }
  | { readonly state: 'skipped' };

/** Whoever wants more runs must ask again, as of any store. */
const MOST_AT_ONCE = 100;

export class MemoryScheduler implements SchedulerControl, RunHistory {
  readonly #clock: Clock;
  readonly #dags = new Map<string, { dag: Dag; isPaused: boolean; parsedAtMs: number }>();
  readonly #runs = new Map<string, DagRun>();
  readonly #instances = new Map<string, Map<string, TaskInstance>>();
  readonly #logs = new Map<string, LogLine[]>();
  readonly #attempts = new Map<string, AttemptRecord[]>();
  readonly #events: AuditEvent[] = [];
  readonly #listeners = new Set<(event: SchedulerEvent) => void>();
  heartbeatMs: number | null = null;

  constructor(clock: Clock, dags: readonly Dag[]) {
    this.#clock = clock;
    for (const dag of dags) this.#dags.set(dag.id, { dag, isPaused: false, parsedAtMs: clock.now() });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  // ---------------------------------------------------------------- the interface

  async listDags(): Promise<readonly DagSummary[]> {
    return [...this.#dags.keys()].sort().map((dagId) => this.#summary(dagId));
  }

  async getDag(dagId: string): Promise<DagSummary> {
    return this.#summary(dagId);
  }

  async getSpec(dagId: string): Promise<Spec> {
    const { dag } = this.#summary(dagId);
    return {
      pipeline: dag.pipeline,
      owner: dag.owner,
      params: { attribution_tolerance_hours: 48 },
      timezone: dag.timezone,
      nullValues: [],
      maxQuarantinePct: 5,
      maxRowLossPct: 1,
      reportDir: 'docs/validation_reports',
      tables: [],
      dims: [],
      transforms: [],
      marts: [],
      dags: [],
      folder: `specs/${dag.pipeline}`,
      fingerprint: dag.fingerprint,
    };
  }

  async setPaused(dagId: string, isPaused: boolean): Promise<DagSummary> {
    const known = this.#dags.get(dagId);
    if (known) known.isPaused = isPaused;
    const summary = this.#summary(dagId);
    this.#record('api', isPaused ? 'pause' : 'unpause', dagId, null);
    return summary;
  }

  async trigger(request: TriggerRequest): Promise<DagRun> {
    const { dag } = this.#summary(request.dagId);
    const logicalDateMs = request.logicalDateMs ?? null;
    const runAfterMs = this.#clock.now();
    const runId = request.runId ?? runIdFor('manual', logicalDateMs ?? runAfterMs);
    const interval =
      logicalDateMs === null ? lastCompleteWindow(dag, runAfterMs) : windowOfLogicalDate(dag, logicalDateMs);
    for (const run of this.#runsOf(dag.id)) {
      const isSame = run.runId === runId || (logicalDateMs !== null && run.logicalDateMs === logicalDateMs);
      if (isSame) throw new PipelineError('run_exists', `The DAG ${dag.id} has this run already: ${run.runId}.`);
    }
    const run: DagRun = {
      dagId: dag.id,
      runId,
      state: 'queued',
      runType: request.runType ?? 'manual',
      triggeredBy: request.triggeredBy,
      logicalDateMs,
      interval: request.interval ?? interval,
      runAfterMs,
      queuedAtMs: runAfterMs,
      startedAtMs: null,
      endedAtMs: null,
      conf: request.conf ?? {},
      note: request.note ?? null,
      dagFingerprint: dag.fingerprint,
    };
    this.#instances.set(keyOf(run), new Map(dag.tasks.map((task) => [task.id, freshInstance(run, task)])));
    this.#record(request.triggeredBy, 'trigger', dag.id, runId);
    return this.#setRun(run);
  }

  async listRuns(filter: RunFilter): Promise<{ readonly runs: readonly DagRun[]; readonly total: number }> {
    const chosen = [...this.#runs.values()].filter(
      (run) =>
        (filter.dagId === undefined || run.dagId === filter.dagId) &&
        (filter.states === undefined || filter.states.includes(run.state)),
    );
    const [field = '-run_after'] = filter.orderBy ?? [];
    const isDescending = field.startsWith('-');
    const order = field.replace('-', '');
    const placeOf = (run: DagRun): number => {
      if (order === 'run_after') return run.runAfterMs;
      if (order === 'logical_date') return run.logicalDateMs ?? 0;
      if (order === 'start_date') return run.startedAtMs ?? 0;
      throw new PipelineError('usage', `Runs cannot be ordered by ${order}.`);
    };
    chosen.sort((a, b) => (isDescending ? placeOf(b) - placeOf(a) : placeOf(a) - placeOf(b)));
    const offset = filter.offset ?? 0;
    const limit = Math.min(filter.limit ?? 100, MOST_AT_ONCE);
    return { runs: chosen.slice(offset, offset + limit), total: chosen.length };
  }

  async getRun(dagId: string, runId: string): Promise<DagRun> {
    this.#summary(dagId);
    return this.#run(dagId, runId);
  }

  async listTaskInstances(dagId: string, runId: string): Promise<readonly TaskInstance[]> {
    this.#run(dagId, runId);
    return [...(this.#instances.get(keyOf({ dagId, runId }))?.values() ?? [])];
  }

  async getTaskInstance(dagId: string, runId: string, taskId: string): Promise<TaskInstance> {
    return this.#instance(dagId, runId, taskId);
  }

  async clear(request: ClearRequest): Promise<readonly TaskInstance[]> {
    const { dagId, runId } = request;
    const { dag } = this.#summary(dagId);
    const instances = await this.listTaskInstances(dagId, runId);
    const named = new Set(
      dag.tasks
        .filter((task) => request.taskIds?.some((id) => id === task.id || id === task.group) ?? true)
        .map((task) => task.id),
    );
    for (const id of request.taskIds ?? []) {
      if (!dag.tasks.some((task) => task.id === id || task.group === id)) throw noTask(dagId, id);
    }
    if (request.downstream) {
      for (const task of dag.tasks) if (task.upstream.some((id) => named.has(id))) named.add(task.id);
    }
    const chosen = instances.filter(
      (instance) =>
        named.has(instance.taskId) &&
        instance.state !== 'none' &&
        (!request.onlyFailed || instance.state === 'failed' || instance.state === 'upstream_failed'),
    );
    if (!request.dryRun && chosen.length > 0) {
      this.#setRun({ ...this.#run(dagId, runId), state: 'queued', endedAtMs: null });
      this.#record('api', 'clear', dagId, runId);
      for (const instance of chosen) {
        this.#setInstance({
          ...instance,
          state: 'none',
          startedAtMs: null,
          endedAtMs: null,
          error: null,
          output: null,
        });
      }
    }
    return chosen;
  }

  async cancel(dagId: string, runId: string): Promise<DagRun> {
    const run = this.#run(dagId, runId);
    if (isFinalRun(run.state)) {
      throw new PipelineError('state_conflict', `The run ${runId} has ended as ${run.state} already.`);
    }
    for (const instance of await this.listTaskInstances(dagId, runId)) {
      if (isFinal(instance.state)) continue;
      const state = instance.state === 'running' ? 'failed' : 'skipped';
      this.#setInstance({ ...instance, state, endedAtMs: this.#clock.now() });
    }
    return this.#setRun({ ...run, state: 'failed', endedAtMs: this.#clock.now() });
  }

  async logs(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<readonly LogLine[]> {
    this.#instance(dagId, runId, taskId);
    return this.#logs.get(`${keyOf({ dagId, runId })}/${taskId}/${tryNumber}`) ?? [];
  }

  async attempts(dagId: string, runId: string, taskId: string): Promise<readonly AttemptRecord[]> {
    return this.#attempts.get(`${keyOf({ dagId, runId })}/${taskId}`) ?? [];
  }

  async events(): Promise<readonly AuditEvent[]> {
    return this.#events;
  }

  subscribe(listener: (event: SchedulerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async health(): ReturnType<SchedulerControl['health']> {
    return { store: 'healthy', schedulerHeartbeatMs: this.heartbeatMs };
  }

  // ---------------------------------------------------------------- what a test makes happen

  /** The run begins; its first attempt of the task runs. */
  start(dagId: string, runId: string, taskId: string): TaskInstance {
    const run = this.#run(dagId, runId);
    const now = this.#clock.now();
    if (run.state === 'queued') this.#setRun({ ...run, state: 'running', startedAtMs: run.startedAtMs ?? now });
    const instance = this.#instance(dagId, runId, taskId);
    const tryNumber = instance.tryNumber + 1;
    const key = `${keyOf(instance)}/${taskId}`;
    const attempt: AttemptRecord = { tryNumber, state: 'running', pid: 4242, startedAtMs: now, endedAtMs: null };
    this.#attempts.set(key, [...(this.#attempts.get(key) ?? []), attempt]);
    return this.#setInstance({
      ...instance,
      state: 'running',
      tryNumber,
      fence: instance.fence + 1,
      scheduledAtMs: now,
      queuedAtMs: now,
      startedAtMs: now,
      endedAtMs: null,
      nextRetryAtMs: null,
    });
  }

  log(dagId: string, runId: string, taskId: string, line: Omit<LogLine, 'timestamp'>): void {
    const { tryNumber } = this.#instance(dagId, runId, taskId);
    const key = `${keyOf({ dagId, runId })}/${taskId}/${tryNumber}`;
    const stamped = { ...line, timestamp: isoInstant(this.#clock.now()) } as LogLine;
    this.#logs.set(key, [...(this.#logs.get(key) ?? []), stamped]);
    this.#tell({ kind: 'progress', dagId, runId, taskId, line: stamped });
  }

  /** Ends the task; a failure fails what is downstream, and the run ends with its last task. */
  finish(dagId: string, runId: string, taskId: string, ending: Ending): void {
    const instance = this.#instance(dagId, runId, taskId);
    const now = this.#clock.now();
    this.#setInstance({
      ...instance,
      state: ending.state,
      endedAtMs: now,
      output: 'output' in ending ? (ending.output ?? null) : null,
      error: 'error' in ending ? ending.error : null,
      nextRetryAtMs: ending.state === 'up_for_retry' ? now + 30_000 : null,
    });
    const attempts = this.#attempts.get(`${keyOf(instance)}/${taskId}`) ?? [];
    const latest = attempts.at(-1);
    if (latest) {
      attempts[attempts.length - 1] = { ...latest, state: 'error' in ending ? 'failed' : 'success', endedAtMs: now };
    }
    if (ending.state === 'failed') this.#failDownstream(dagId, runId, taskId);
    const instances = [...(this.#instances.get(keyOf({ dagId, runId }))?.values() ?? [])];
    if (!instances.every((each) => isFinal(each.state))) return;
    const state = instances.some((each) => each.state === 'failed') ? 'failed' : 'success';
    this.#setRun({ ...this.#run(dagId, runId), state, endedAtMs: now });
  }

  // ---------------------------------------------------------------- inside

  #failDownstream(dagId: string, runId: string, taskId: string): void {
    const lost = new Set([taskId]);
    for (const task of this.#summary(dagId).dag.tasks) {
      if (!task.upstream.some((id) => lost.has(id))) continue;
      lost.add(task.id);
      this.#setInstance({ ...this.#instance(dagId, runId, task.id), state: 'upstream_failed' });
    }
  }

  #summary(dagId: string): DagSummary {
    const known = this.#dags.get(dagId);
    if (!known) throw new PipelineError('dag_not_found', `There is no DAG ${dagId}.`);
    const next = nextRun(known.dag, this.#clock.now());
    return { dag: known.dag, isPaused: known.isPaused, next, lastParsedAtMs: known.parsedAtMs };
  }

  #record(actor: string, action: string, dagId: string, runId: string | null): void {
    this.#events.push({ atMs: this.#clock.now(), actor, action, dagId, runId, taskId: null, detail: '' });
  }

  #runsOf(dagId: string): readonly DagRun[] {
    return [...this.#runs.values()].filter((run) => run.dagId === dagId);
  }

  #run(dagId: string, runId: string): DagRun {
    const run = this.#runs.get(keyOf({ dagId, runId }));
    if (!run) throw new PipelineError('run_not_found', `The DAG ${dagId} has no run ${runId}.`);
    return run;
  }

  #instance(dagId: string, runId: string, taskId: string): TaskInstance {
    this.#run(dagId, runId);
    const instance = this.#instances.get(keyOf({ dagId, runId }))?.get(taskId);
    if (!instance) throw noTask(dagId, taskId);
    return instance;
  }

  #setRun(run: DagRun): DagRun {
    this.#runs.set(keyOf(run), run);
    this.#tell({ kind: 'run', run });
    return run;
  }

  #setInstance(instance: TaskInstance): TaskInstance {
    const instances = this.#instances.get(keyOf(instance));
    const previous = instances?.get(instance.taskId)?.state ?? 'none';
    instances?.set(instance.taskId, instance);
    this.#tell({ kind: 'task', instance, previous });
    return instance;
  }

  #tell(event: SchedulerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const keyOf = (run: { readonly dagId: string; readonly runId: string }): string => `${run.dagId}/${run.runId}`;

const noTask = (dagId: string, taskId: string): PipelineError =>
  new PipelineError('task_not_found', `The DAG ${dagId} has no task ${taskId}.`);

function freshInstance(run: DagRun, task: Task): TaskInstance {
  return {
    dagId: run.dagId,
    runId: run.runId,
    taskId: task.id,
    mapIndex: -1,
    uuid: derivedUuid(`${run.dagId}/${run.runId}/${task.id}/-1`),
    state: 'none',
    tryNumber: 0,
    maxTries: 2,
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
