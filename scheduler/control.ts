/** What API, command line and tests ask of the scheduler: the one door to runs and their state. */
import type { Spec } from '../core/spec.ts';
import type { Dag, DagRun, Interval, JsonObject, RunState, RunType, TaskInstance, TaskState } from '../core/types.ts';

export interface DagSummary {
  readonly dag: Dag;
  readonly isPaused: boolean;
  /** Next tick of the schedule: the instant it runs after, and the interval it will cover; null without a schedule. */
  readonly next: { readonly runAfterMs: number; readonly interval: Interval } | null;
  readonly lastParsedAtMs: number;
}

export interface TriggerRequest {
  readonly dagId: string;
  /** Default: `manual__<logical date or run-after, ISO>`. */
  readonly runId?: string;
  readonly logicalDateMs?: number | null;
  /** Default: the last complete window of the schedule, else yesterday in the DAG's zone. */
  readonly interval?: Interval;
  readonly conf?: JsonObject;
  readonly note?: string | null;
  readonly runType?: RunType;
  readonly triggeredBy: DagRun['triggeredBy'];
}

export interface RunFilter {
  readonly dagId?: string;
  readonly states?: readonly RunState[];
  readonly limit?: number;
  readonly offset?: number;
  /** `-logical_date`, `run_after`, `-start_date`, … */
  readonly orderBy?: readonly string[];
  readonly logicalDateFromMs?: number;
  readonly logicalDateToMs?: number;
}

export interface ClearRequest {
  readonly dagId: string;
  readonly runId: string;
  /** Null: all. A group's id means its members. */
  readonly taskIds: readonly string[] | null;
  readonly onlyFailed: boolean;
  readonly downstream: boolean;
  readonly upstream: boolean;
  readonly dryRun: boolean;
  /** Pins the run to the DAG's present version; by default it keeps the one that it started with. */
  readonly onLatestVersion?: boolean;
}

export interface LogLine {
  readonly timestamp: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly [field: string]: unknown;
}

export type SchedulerEvent =
  | { readonly kind: 'run'; readonly run: DagRun }
  | { readonly kind: 'task'; readonly instance: TaskInstance; readonly previous: TaskState }
  | {
      readonly kind: 'progress';
      readonly dagId: string;
      readonly runId: string;
      readonly taskId: string;
      readonly line: LogLine;
    };

/**
 * @throws PipelineError `dag_not_found`, `run_not_found`, `task_not_found`, `run_exists`, `state_conflict`
 */
export interface SchedulerControl {
  listDags(): Promise<readonly DagSummary[]>;
  getDag(dagId: string): Promise<DagSummary>;
  /** The spec that the DAG's current version was compiled from. */
  getSpec(dagId: string): Promise<Spec>;
  setPaused(dagId: string, isPaused: boolean): Promise<DagSummary>;
  trigger(request: TriggerRequest): Promise<DagRun>;
  listRuns(filter: RunFilter): Promise<{ readonly runs: readonly DagRun[]; readonly total: number }>;
  getRun(dagId: string, runId: string): Promise<DagRun>;
  listTaskInstances(dagId: string, runId: string): Promise<readonly TaskInstance[]>;
  getTaskInstance(dagId: string, runId: string, taskId: string): Promise<TaskInstance>;
  /** Instances that were (or would be) cleared. Clearing a running task cancels its attempt first. */
  clear(request: ClearRequest): Promise<readonly TaskInstance[]>;
  /** Ends the run as failed: running tasks are killed, waiting ones skipped. */
  cancel(dagId: string, runId: string): Promise<DagRun>;
  /** Lines of one attempt, oldest first; empty where it wrote none. */
  logs(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<readonly LogLine[]>;
  subscribe(listener: (event: SchedulerEvent) => void): () => void;
  health(): Promise<{ readonly store: 'healthy' | 'unhealthy'; readonly schedulerHeartbeatMs: number | null }>;
}
