/** What the app needs besides the scheduler: small read ports that the composition root adapts. */
import type { SpecIssue } from '../core/errors.ts';
import type { MetricQuery } from '../core/metric-query.ts';
import type { Clock, Logger } from '../core/ports.ts';
import type { MartSpec } from '../core/spec.ts';
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

export const QUERY_FORMATS = ['json', 'csv', 'parquet'] as const;
export type QueryFormat = (typeof QUERY_FORMATS)[number];

export interface QueryRequest {
  /** Null: the only one. */
  readonly pipeline: string | null;
  readonly ask:
    | { readonly kind: 'sql'; readonly sql: string }
    | { readonly kind: 'metrics'; readonly query: MetricQuery };
  /** Versions to read instead of the current ones. */
  readonly publication: { readonly [layer in PublishedLayer]?: number };
  readonly format: QueryFormat;
  /** Null: as the format has it. */
  readonly maxRows: number | null;
  /** Tags of answers that the caller has, as `If-None-Match` lists them; null: none. */
  readonly knownTags: readonly string[];
}

/** One version of a layer that an answer was read from, or that what it was read from was built from. */
export interface AnswerSource {
  readonly layer: PublishedLayer;
  readonly sequence: number;
  /** ISO 8601, UTC; null where the version is kept no more. */
  readonly publishedAt: string | null;
  readonly verdict: Verdict | null;
}

export interface QueryAnswer {
  /** Equal for equal queries of equal publications. */
  readonly tag: string;
  /** The most refined first. */
  readonly publications: readonly AnswerSource[];
  readonly inputs: readonly AnswerSource[];
  /** The worst of all these; null where none has one. */
  readonly verdict: Verdict | null;
  /** Null: the caller has the answer that `tag` names. */
  readonly content: {
    /** What the answer may be saved as, without its ending. */
    readonly name: string;
    readonly rows: number;
    /** True where there were more rows than were asked for. */
    readonly truncated: boolean;
    readonly sizeBytes: number;
    /** The bytes in the format asked for; reading to the end, or cancelling, frees what holds them. */
    readonly body: ReadableStream<Uint8Array>;
  } | null;
}

/** The marts of one pipeline, as its spec declares them. */
export interface PipelineMarts {
  readonly pipeline: string;
  readonly marts: readonly MartSpec[];
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
   * Answers one read-only question about what is published; absent: queries answer 501.
   *
   * @throws PipelineError `usage`, `sql_invalid`, `sql_not_portable`, `publication_not_found`, `query_too_large`,
   *   `task_timeout`; `warehouse_quota` with `retryAfterMs` where too many queries run already
   */
  query?(request: QueryRequest, signal: AbortSignal): Promise<QueryAnswer>;
  /** Absent: no metrics are listed. */
  marts?(): readonly PipelineMarts[];
  /** Host names, without port, that requests may be addressed to besides the loopback ones. */
  readonly allowedHosts?: readonly string[];
  /** How often an idle event stream says that it lives; default 15 s. */
  readonly heartbeatMs?: number;
}
