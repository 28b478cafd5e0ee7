/** What the app needs besides the scheduler: small read ports that the composition root adapts. */
import type { SpecIssue } from '../core/errors.ts';
import type { Clock, Logger } from '../core/ports.ts';
import type { Day, GateMode, Interval, JsonValue, Layer, PublishedLayer, Verdict } from '../core/types.ts';
import type { SchedulerControl } from '../scheduler/control.ts';

/** One validation report as a list shows it. */
export interface ReportSummary {
  /** `SILVER_QUALITY`; unique in a pipeline. */
  readonly name: string;
  readonly pipeline: string;
  readonly layer: Layer;
  readonly verdict: Verdict;
  readonly mayPublish: boolean;
  readonly mode: GateMode;
  /** `silver.returns.fk_order` …: the checks that decided; empty on PASS. */
  readonly blockedBy: readonly string[];
  /** Calendar days in the DAG's zone, both included. */
  readonly interval: { readonly from: Day; readonly to: Day };
  /** The run that wrote it; null where that is not known any more. */
  readonly run: { readonly dagId: string; readonly runId: string } | null;
  readonly digest: string;
  /** Relative to the project root. */
  readonly markdownPath: string;
}

/** Which report: the newest of a pipeline, or the one that a run wrote. */
export interface ReportSelector {
  readonly name: string;
  /** Null: any; the app has made sure that the name is not ambiguous. */
  readonly pipeline: string | null;
  /** Null: the newest. */
  readonly run: { readonly dagId: string; readonly runId: string } | null;
}

export interface ReportReader {
  /** The newest report of each name and pipeline, by pipeline and name. */
  list(): Promise<readonly ReportSummary[]>;
  /** What one run wrote so far, also where its gate then failed, in the order of the layers; empty for an unknown run. */
  listOfRun(dagId: string, runId: string): Promise<readonly ReportSummary[]>;
  /** The report's Markdown as written; null where there is none. */
  markdown(selector: ReportSelector): Promise<string | null>;
  /** The report's `results.json`, parsed; null where there is none. */
  results(selector: ReportSelector): Promise<JsonValue | null>;
}

export interface PublicationSummary {
  readonly pipeline: string;
  readonly layer: PublishedLayer;
  readonly sequence: number;
  /** True for the one that readers see. */
  readonly isCurrent: boolean;
  readonly dagId: string;
  readonly runId: string;
  /** ISO 8601, UTC. */
  readonly publishedAt: string;
  readonly interval: Interval;
  readonly verdict: Verdict | null;
  readonly revertsTo: number | null;
  readonly tables: readonly {
    readonly name: string;
    readonly partitions: number;
    readonly rows: number;
    readonly sizeBytes: number;
  }[];
}

export interface PublicationsReader {
  /** What readers see now: at most one a layer and pipeline, in the order in which a run publishes them. Cheap. */
  current(): Promise<readonly PublicationSummary[]>;
  /** All publications of a layer, of every pipeline, newest first; empty before the first one. */
  list(layer: PublishedLayer): Promise<readonly PublicationSummary[]>;
}

/** A fault in a spec file and the pipeline that it keeps from compiling. */
export interface PipelineIssue {
  readonly pipeline: string;
  readonly issue: SpecIssue;
  /** When the file was read, epoch ms. */
  readonly foundAtMs: number;
}

export interface SpecReader {
  /** Text of a spec file, by its path relative to the project root; null where it is gone. */
  source(file: string): Promise<string | null>;
  /** Faults of all specs as last read; empty where all compile. */
  issues(): Promise<readonly PipelineIssue[]>;
}

/** One try, as the store remembers it. */
export interface AttemptRecord {
  readonly tryNumber: number;
  /** `lost`: its process vanished, with the scheduler or before it. */
  readonly state: 'running' | 'success' | 'failed' | 'lost';
  readonly pid: number | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
}

/** Who did what when. */
export interface AuditEvent {
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly dagId: string;
  readonly runId: string | null;
  readonly taskId: string | null;
  readonly detail: string;
}

/** What the run store remembers besides the present state. */
export interface RunHistory {
  /** By try number; empty before the first. */
  attempts(dagId: string, runId: string, taskId: string): Promise<readonly AttemptRecord[]>;
  /** Of all DAGs, oldest first; append-only. */
  events(): Promise<readonly AuditEvent[]>;
}

export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** One array a row, in the columns' order. Decimals, dates and integers beyond 2^53 are text. */
  readonly rows: readonly (readonly JsonValue[])[];
  /** True where the answer had more rows than were asked for. */
  readonly truncated: boolean;
  /** The gold that answered; null before the first publication. */
  readonly publication: {
    readonly layer: PublishedLayer;
    readonly sequence: number;
    readonly verdict: Verdict | null;
  } | null;
}

export interface ApiDeps {
  readonly control: SchedulerControl;
  readonly reports: ReportReader;
  readonly publications: PublicationsReader;
  readonly specs: SpecReader;
  readonly history: RunHistory;
  /** Assay's own version. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The executor's pools; -1 slots means no limit. */
  readonly pools: readonly { readonly name: string; readonly slots: number }[];
  /**
   * Runs one read-only GoogleSQL statement on gold; absent: queries answer 501.
   *
   * @throws PipelineError `sql_invalid`, `sql_not_portable`, `warehouse_unavailable`
   */
  query?(sql: string, limits: { readonly maxRows: number; readonly signal: AbortSignal }): Promise<QueryAnswer>;
  /** Host names, without port, that requests may be addressed to besides the loopback ones. */
  readonly allowedHosts?: readonly string[];
  /** How often an idle event stream says that it lives; default 15 s. */
  readonly heartbeatMs?: number;
}
