/**
 * The vocabulary: every noun that passes between folders, as plain JSON-safe values.
 *
 * Glossary
 * - spec: one pipeline as its YAML declares it, parsed, validated, defaults applied (`core/spec.ts`)
 * - dag: tasks and edges compiled from a spec; equal specs give equal fingerprints
 * - task: work of one kind on one asset; `dagId/taskId`
 * - asset: a table we promise, written `pipeline/layer.table`
 * - partition: one Hive folder of an asset, `key=value`; published whole or not at all
 * - data interval: the half-open span `[start, end)` of instants (epoch ms, UTC) that a run covers
 * - logical date: the interval's start, or null for a run without one
 * - run date: the last calendar day inside the interval, in the DAG's zone; reference date of all as-of figures
 * - run, task instance, attempt: one execution of a DAG; one task in it; one try of that task
 * - pin: to fix which bronze files and publications a run reads, before anything reads them
 * - stage: to write immutable objects that no reader sees yet
 * - publish: to make staged objects visible by moving one pointer
 * - quarantine: rows that broke a rule, kept with raw values and all reasons
 * - row account: input = output + quarantined + duplicates + filtered
 * - gate: the decision whether a layer may be published
 * - publication: one immutable, numbered version of a layer
 */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

export const LAYERS = ['bronze', 'silver', 'dims', 'enriched', 'gold'] as const;
export type Layer = (typeof LAYERS)[number];

/** Layers that are staged and published by pointer. Bronze is only read. */
export type PublishedLayer = Exclude<Layer, 'bronze'>;

/** Half-open `[startMs, endMs)`, epoch milliseconds, UTC. */
export interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

/** A calendar day `YYYY-MM-DD` in the DAG's zone. */
export type Day = string;

// ------------------------------------------------------------------ dag

export const TASK_KINDS = [
  'pin',
  'validate',
  'build',
  'publish',
  'load',
  'branch',
  'short_circuit',
  'trigger_dag',
  'empty',
] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

export const TRIGGER_RULES = [
  'all_success',
  'all_failed',
  'all_done',
  'all_done_min_one_success',
  'all_skipped',
  'one_success',
  'one_failed',
  'one_done',
  'none_failed',
  'none_failed_min_one_success',
  'none_skipped',
  'always',
] as const;
export type TriggerRule = (typeof TRIGGER_RULES)[number];

export interface RetryPolicy {
  /** Tries after the first. */
  readonly retries: number;
  readonly delayMs: number;
  readonly exponentialBackoff: boolean;
  readonly maxDelayMs: number;
}

/** Retry and timeout as the environment sets them; a task's own spec wins field by field. */
export interface TaskDefaults {
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
}

export interface Task {
  /** Unique in the DAG; tasks of a group are `group.member`. */
  readonly id: string;
  readonly kind: TaskKind;
  readonly layer: Layer | null;
  /** Tables the task works on. `build` and `load`: exactly one. `pin`, `validate`, `publish`: all of the layer that it covers. */
  readonly tables: readonly string[];
  readonly group: string | null;
  readonly upstream: readonly string[];
  readonly triggerRule: TriggerRule;
  /** Null fields are filled from the environment's TaskDefaults when a run is planned. */
  readonly retry: Partial<RetryPolicy> | null;
  readonly timeoutMs: number | null;
  readonly pool: string;
  readonly priority: number;
  /**
   * What the kind needs besides, e.g.
   * branch `{if: 'dims_fresh', then: 'skip', else: 'trigger'}`, short_circuit `{setting: 'warehouse.load'}`,
   * trigger_dag `{dag: 'ecom_dim_refresh_pipeline', wait: true}`.
   */
  readonly params: JsonObject;
}

export interface Schedule {
  /** Five or six fields, or an `@name`. */
  readonly cron: string;
  readonly timezone: string;
  /** Which days a tick covers, in words. `since_last` is the span between two ticks. */
  readonly window: 'previous_day' | 'same_day' | 'since_last';
  readonly catchup: 'none' | 'last' | 'all';
}

export interface Dag {
  readonly id: string;
  readonly pipeline: string;
  readonly description: string;
  readonly owner: string;
  readonly tags: readonly string[];
  readonly timezone: string;
  readonly schedule: Schedule | null;
  readonly maxActiveRuns: number;
  /** In topological order; every edge points to an earlier task. */
  readonly tasks: readonly Task[];
  /** The spec file that declares the DAG, relative to the project root. */
  readonly sourceFile: string;
  /** Hash of the whole spec and of these tasks; runs are pinned to it. */
  readonly fingerprint: string;
}

// ------------------------------------------------------------------ runs

/** Airflow's words, lower_snake, the same in store, API, logs and pages. */
export const TASK_STATES = [
  'none',
  'scheduled',
  'queued',
  'running',
  'success',
  'failed',
  'up_for_retry',
  'upstream_failed',
  'skipped',
  'deferred',
  'removed',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const RUN_STATES = ['queued', 'running', 'success', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

export type RunType = 'scheduled' | 'manual' | 'backfill';

export interface DagRun {
  readonly dagId: string;
  readonly runId: string;
  readonly state: RunState;
  readonly runType: RunType;
  /** Who asked: Airflow's `triggered_by`. */
  readonly triggeredBy: 'cli' | 'rest_api' | 'timetable' | 'operator' | 'backfill' | 'ui' | 'test';
  readonly logicalDateMs: number | null;
  readonly interval: Interval;
  readonly runAfterMs: number;
  readonly queuedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly conf: JsonObject;
  readonly note: string | null;
  readonly dagFingerprint: string;
}

export interface TaskInstance {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  /** RFC 4122 id, derived from run, task and map index. */
  readonly uuid: string;
  readonly state: TaskState;
  /** 0 before the first try. */
  readonly tryNumber: number;
  readonly maxTries: number;
  /** Rises with every attempt and every clear; a write that carries an older one is refused. */
  readonly fence: number;
  readonly scheduledAtMs: number | null;
  readonly queuedAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly nextRetryAtMs: number | null;
  readonly error: TaskError | null;
  readonly output: TaskOutput | null;
}

export interface TaskError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** Not to be tried again before so long, e.g. until a quota is refilled. */
  readonly retryAfterMs?: number;
}

// ------------------------------------------------------------------ what passes between tasks

export type TaskOutput =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'pinned'; readonly pinned: PinnedInputs }
  | { readonly kind: 'branch'; readonly follow: readonly string[]; readonly because: string }
  | { readonly kind: 'short_circuit'; readonly proceed: boolean; readonly because: string }
  | {
      readonly kind: 'staged';
      readonly staged: StagedTable;
      readonly jobs?: readonly WarehouseJob[];
      /** Of a build that reads its own layer and that no pin fixes: the version it saw; null: there was none. */
      readonly basedOn?: number | null;
    }
  | { readonly kind: 'report'; readonly report: ReportRef }
  | { readonly kind: 'published'; readonly publication: PublicationRef; readonly jobs?: readonly WarehouseJob[] }
  | { readonly kind: 'loaded'; readonly receipts: readonly LoadReceipt[]; readonly jobs?: readonly WarehouseJob[] }
  | { readonly kind: 'triggered'; readonly dagId: string; readonly runId: string };

/** Files and publications that a run reads, fixed by its `pin` tasks. */
export interface PinnedInputs {
  readonly layer: Layer;
  /** Bronze partitions by table; every covered table has an entry, maybe empty. Sorted by partition. */
  readonly bronze: { readonly [table: string]: readonly BronzePartition[] };
  /** Objects below a table's folder that no partition holds and that are no markers or temporary files, by table: named, never read. */
  readonly strays?: { readonly [table: string]: readonly string[] };
  /** Sequence of the current publication by layer when pinned; null where the layer has none yet. */
  readonly publications: { readonly [layer in PublishedLayer]?: number | null };
}

export interface BronzePartition {
  /** `ingest_dt=2025-10-15`; the empty string for an unpartitioned table. */
  readonly partition: string;
  readonly files: readonly BronzeFile[];
  readonly manifest: BronzeManifestState;
  /** Changes when the manifest or any file's name or size does. */
  readonly fingerprint: string;
}

export interface BronzeFile {
  /** Relative to the bronze base path: `orders/ingest_dt=2025-10-15/part-0000.parquet`. */
  readonly key: string;
  readonly sizeBytes: number;
}

export type BronzeManifestState =
  | { readonly state: 'missing' }
  | { readonly state: 'unreadable'; readonly message: string }
  | { readonly state: 'read'; readonly manifest: BronzeManifest };

/** What every bronze manifest says, whoever wrote it. */
export interface BronzeManifest {
  readonly table: string;
  readonly partition: string;
  readonly totalRows: number;
  readonly files: readonly {
    readonly path: string;
    readonly rows: number | null;
    readonly sizeBytes: number | null;
    readonly checksum: string | null;
  }[];
  readonly batchId: string | null;
  readonly schemaFingerprint: string | null;
  /** What its checksums are taken of, where the manifest itself says so; wins over the spec's `source.checksum`. */
  readonly checksumKind?: string;
}

/** A Parquet column as a file holds it. */
export interface ColumnSchema {
  readonly name: string;
  readonly type: ColumnType;
}

/** `float64` only where a table without declared columns takes it from bronze. */
export type ColumnType =
  | 'string'
  | 'int64'
  | 'float64'
  | 'bool'
  | 'date'
  | 'timestamp'
  | `decimal(${number},${number})`;

/** One immutable Parquet object of the lake. */
export interface DataFile {
  /** Key in the lake's object store: `silver/_staging/<run>/<task>/<try>/orders/ingestion_dt=…/part-00000.parquet`. */
  readonly key: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** Base64 of the big-endian CRC-32C, as Cloud Storage writes it. */
  readonly crc32c: string;
}

export interface DataPartition {
  /** The value alone (`2025-10-15`); the empty string for a whole-table asset. */
  readonly value: string;
  readonly files: readonly DataFile[];
  readonly rows: number;
  readonly sizeBytes: number;
  /** Hash of the files' checksums: equal content, equal fingerprint. */
  readonly fingerprint: string;
}

/** input = output + quarantined + duplicates + filtered. A quarantined row may carry several reasons. */
export interface RowAccount {
  readonly input: number;
  readonly output: number;
  readonly quarantined: number;
  readonly duplicates: number;
  readonly filtered: number;
  /** Older published rows that a newer row of the same key removed; outside the equation. */
  readonly replaced: number;
  /** Rows by reason code, duplicates (`duplicate_*`) included. */
  readonly byReason: { readonly [reason: string]: number };
}

/** What one build task wrote, unseen by readers until its layer is published. */
export interface StagedTable {
  readonly layer: PublishedLayer;
  readonly table: string;
  readonly columns: readonly ColumnSchema[];
  readonly primaryKey: readonly string[];
  /** Null: the asset is one whole-table partition with value `''`. */
  readonly partitionKey: string | null;
  /** True where nothing had to be written: `partitions` then repeats what is published for the same inputs. */
  readonly unchanged: boolean;
  /** Touched partitions, each whole, sorted by value. */
  readonly partitions: readonly DataPartition[];
  /** Published partitions that hold no row any more. */
  readonly removed: readonly string[];
  /** Drop every published partition that `partitions` does not name. */
  readonly replacesAll: boolean;
  readonly account: RowAccount;
  /** Quarantined and duplicate rows of this build with raw values and reasons. */
  readonly quarantine: readonly DataFile[];
  /** Rows by check id that only the build could count, e.g. `cast_total_items` (text that was no number, now null). */
  readonly buildCounts: { readonly [checkId: string]: number };
  /** Base silver: by bronze partition. Kept with the publication, so that a rerun knows what is done. */
  readonly inputs: { readonly [input: string]: InputRecord };
  /** Hash of everything but data that decides the output: spec part, code version, parameters. */
  readonly logicFingerprint: string;
  /** The build's own memory, carried with the publication (enriched: source sequences and as-of day). */
  readonly state: JsonObject;
  /** Set where nothing was built, because this run holds that table back: `silver.returns`. */
  readonly heldBackBy?: string;
}

export interface InputRecord {
  readonly fingerprint: string;
  readonly account: RowAccount;
  /** Partitions of the output that rows of this input went to. */
  readonly wrote: readonly string[];
}

// ------------------------------------------------------------------ publications

export interface Publication {
  readonly formatVersion: 1;
  readonly pipeline: string;
  readonly layer: PublishedLayer;
  readonly sequence: number;
  readonly dagId: string;
  readonly runId: string;
  readonly publishedAt: string;
  readonly interval: Interval;
  readonly revertsTo: number | null;
  /** Digest of the report that let it pass; null where the layer has none. */
  readonly reportDigest: string | null;
  readonly verdict: Verdict | null;
  /** Set where the gate was closed and the version was published all the same. */
  readonly accepted?: Acceptance;
  /** Of all tables' columns and keys: changes with the schema alone. Left out by versions before 0.2. */
  readonly schemaFingerprint?: string;
  readonly tables: { readonly [table: string]: PublishedTable };
}

export interface PublishedTable {
  readonly columns: readonly ColumnSchema[];
  readonly primaryKey: readonly string[];
  readonly partitionKey: string | null;
  /** All visible partitions, by value. */
  readonly partitions: { readonly [value: string]: DataPartition };
  readonly inputs: { readonly [input: string]: InputRecord };
  /** By run id, append-only. */
  readonly quarantine: { readonly [runId: string]: readonly DataFile[] };
  readonly logicFingerprint: string;
  readonly state: JsonObject;
}

export interface PublicationRef {
  readonly layer: PublishedLayer;
  readonly sequence: number;
  /** Touched partitions by table. */
  readonly touched: { readonly [table: string]: readonly string[] };
  /** False where nothing had changed and the pointer stayed. */
  readonly moved: boolean;
  /** Tables that this run leaves as readers see them; left out where there is none. */
  readonly held?: readonly string[];
}

// ------------------------------------------------------------------ validation

export type CheckState = 'PASS' | 'WARN' | 'FAIL' | 'NOT EVALUATED';
export type Verdict = 'PASS' | 'WARN' | 'FAIL';

/** What one check measured on one table. */
export interface CheckResult {
  /** Unique in the table: `pk_unique`, `fk_customer`, `known_channel`. */
  readonly checkId: string;
  readonly table: string;
  readonly state: CheckState;
  /** The worst state this check can come to. */
  readonly severity: 'warn' | 'fail';
  /** What is promised, in words. */
  readonly description: string;
  /** `≥ 99 %`, `0 rows`. */
  readonly expected: string;
  readonly observed: string;
  readonly failedRows: number | null;
  readonly totalRows: number | null;
  /** Why it was not evaluated, or what to look at; empty where nothing is to be said. */
  readonly note: string;
  /** Up to 5 offending rows, columns masked by pii tag, values as text. */
  readonly samples: readonly { readonly [column: string]: string }[];
  readonly owner: string;
  /** Of a foreign key that fails: its orphans over the days. Left out elsewhere. */
  readonly spread?: readonly PartitionSpread[];
}

/** Offending rows over the partitions of one key, in the order of its values. */
export interface PartitionSpread {
  /** `ingestion_dt` */
  readonly key: string;
  /** What `rows` counts: `rows that need a parent`. */
  readonly of: string;
  /** All of them, days without a partition between them with 0 rows; where they are too many, those with most offending rows. */
  readonly partitions: readonly { readonly value: string; readonly failed: number; readonly rows: number }[];
  /** Sums over those that were left out; null where none was. */
  readonly others: { readonly partitions: number; readonly failed: number; readonly rows: number } | null;
}

export interface TableAccount {
  readonly table: string;
  readonly account: RowAccount;
  /** output / (output + quarantined); null where nothing came in. */
  readonly passRate: number | null;
  readonly sla: number;
  readonly state: CheckState;
}

/** All results and the decision for one layer of one run. Holds no clock time and no run id: equal data, equal bytes. */
export interface Report {
  readonly formatVersion: 1;
  readonly pipeline: string;
  readonly layer: Layer;
  /** `SILVER_QUALITY`, `SILVER_DIMS_QUALITY`: also the file's name. */
  readonly name: string;
  readonly interval: { readonly from: Day; readonly to: Day };
  readonly mode: GateMode;
  readonly decision: Decision;
  readonly tables: readonly TableAccount[];
  readonly results: readonly CheckResult[];
  /** Set only where the report refuses: what readers go on seeing. Else null, so that a rerun writes the same bytes. */
  readonly currentPublication: number | null;
  /** Settings that decided: thresholds, strict_foreign_keys. */
  readonly settings: JsonObject;
  /**
   * Set where the report refuses to publish: what `assay publish` can do about it. `accept`: all may be let pass as it is; `hold`:
   * tables without which the others pass, sorted, empty where that is no way.
   */
  readonly remedies?: { readonly accept: boolean; readonly hold: readonly string[] };
  /** Command that runs this interval again; null where nothing but the run's id names it. */
  readonly rerun?: string | null;
  /** Enriched tables and marts that are made of failing tables, directly or not, in spec order, with those failing tables. */
  readonly downstream?: readonly { readonly asset: string; readonly of: readonly string[] }[];
  readonly since?: ReportChange;
}

/** What is other than in the report of the same name that the DAG wrote for the newest interval before this one. */
export type ReportChange =
  | { readonly kind: 'nothing_before'; readonly because: string }
  | {
      readonly kind: 'compared';
      readonly interval: Report['interval'];
      /** `FAIL, not published` */
      readonly outcome: string;
      /** Check references (`silver.returns.fk_order`), sorted, here and below. */
      readonly newFailures: readonly string[];
      readonly stillFailing: readonly { readonly check: string; readonly observed: string; readonly before: string }[];
      /** Failed before and now pass or warn. */
      readonly fixed: readonly string[];
      readonly newWarnings: readonly string[];
      /** Gave an answer before and none now. */
      readonly silent: readonly string[];
      /** Failed before and are not asked any more. */
      readonly dropped: readonly string[];
      /** Findings of schema checks that the earlier report did not have. */
      readonly schemaDrift: readonly { readonly check: string; readonly observed: string }[];
      /** Settings and limits, as text. */
      readonly settings: readonly { readonly name: string; readonly from: string; readonly to: string }[];
    };

export type GateMode = 'strict' | 'warning-only';
/** The whole layer, or the tables that failed with all that is built on them. */
export type OnFail = 'hold_layer' | 'hold_descendants';

export interface Decision {
  readonly verdict: Verdict;
  readonly mayPublish: boolean;
  /** `silver.returns.fk_order` … in report order, of held tables too; empty where all passed. */
  readonly blockedBy: readonly string[];
  /** Set where the layer is published although its gate is closed. */
  readonly accepted?: Acceptance;
}

/** A word, given to one report as it was measured, that its layer may be published. */
export interface Acceptance {
  /** `ada@db-7`, or `gates.on_fail` where the settings say it once for all. */
  readonly by: string;
  readonly because: string;
  /** Tables of the layer that readers go on seeing as they are; empty: all are published. Sorted. */
  readonly held: readonly string[];
}

export interface ReportRef {
  readonly name: string;
  readonly digest: string;
  readonly decision: Decision;
  /** Relative to the project root. */
  readonly markdownPath: string;
  readonly runMarkdownPath: string;
  readonly resultsPath: string;
}

// ------------------------------------------------------------------ warehouse

/** What of a table only a cloud warehouse keeps. */
export interface WarehouseTableOptions {
  /** Lower case, at most 63 characters. */
  readonly labels: { readonly [key: string]: string };
  /** Must every reader's query name the partitions that it reads? */
  readonly requirePartitionFilter: boolean;
  /** Partitions older than this are dropped by the warehouse; null: never. */
  readonly partitionExpirationDays: number | null;
}

/** One job of a cloud warehouse as it ended, with what it cost. */
export interface WarehouseJob {
  readonly kind: 'load' | 'query' | 'copy' | 'extract';
  readonly jobId: string;
  readonly location: string;
  /** `dataset.table` that it wrote or read. */
  readonly table: string;
  readonly bytesProcessed: number;
  readonly bytesBilled: number;
  readonly slotMs: number;
  /** US dollars on demand, by the price in the settings; 0 for loads, copies and extracts. */
  readonly costUsd: number;
  /** True where an earlier try had started it and this one took its result. */
  readonly wasAdopted: boolean;
  /** Where a person reads it in the cloud console. */
  readonly link: string;
}

/** What the warehouse said about one partition. */
export interface LoadReceipt {
  readonly table: string;
  readonly partition: string;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly jobId: string;
  /** False where the same content was there already. */
  readonly changed: boolean;
}
