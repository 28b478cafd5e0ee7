/** The ports: what the core needs from clock, disk, lake and warehouse, named by what they do. */
import type { Spec } from './spec.ts';
import type {
  Acceptance,
  DataFile,
  DataPartition,
  GateMode,
  Interval,
  LoadReceipt,
  OnFail,
  Publication,
  PublicationRef,
  PublishedLayer,
  PublishedTable,
  StagedTable,
  Task,
  TaskOutput,
  Verdict,
  WarehouseJob,
  WarehouseTableOptions,
} from './types.ts';

/** The only source of now. */
export interface Clock {
  /** Epoch milliseconds, UTC. */
  now(): number;
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

// ------------------------------------------------------------------ objects

export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Opaque; changes with every write of the key. */
  readonly generation: string;
  /** When this generation was written, epoch ms, by the store's own clock. */
  readonly writtenAtMs: number;
  /** Base64 of the big-endian CRC-32C where the store keeps one, else null. */
  readonly crc32c: string | null;
}

/** What an object that never changes was written with; a DataFile is one. Whoever knows it need not ask the store what is there. */
export interface ObjectContent {
  readonly sizeBytes: number;
  /** Base64 of the big-endian CRC-32C. */
  readonly crc32c: string;
}

/** Bytes `[start, end)` of an object; without `end`, to its end. A negative start counts from the end, as in `Array.slice`. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** `'absent'`: the key must not exist. A generation: it must be that one. */
export type Precondition = 'absent' | { readonly generation: string };

export interface ObjectCount {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * A flat namespace of immutable-by-habit objects; keys use `/`, never begin with one.
 *
 * A mutation is retried inside the store only where a precondition makes a repeat harmless. Where a reply is lost, a
 * conditional write may have happened and yet end as `precondition_failed`: the caller reads back before it decides.
 *
 * @throws PipelineError `precondition_failed` (final), `object_not_found` (final), `storage_unavailable` (retryable),
 *   `storage_denied` (final), `storage_full`, `data_unreadable` where bytes do not match the store's checksum
 */
export interface ObjectStore {
  /** Reads a small object whole; null where the key does not exist. */
  read(key: string): Promise<{ readonly body: Uint8Array; readonly generation: string } | null>;
  /** What `list` would say of this one key; null where it does not exist. */
  stat(key: string): Promise<ObjectInfo | null>;
  /**
   * The bytes in chunks, of one generation throughout, in bounded memory. Throws `object_not_found`; a range past the end is empty.
   * A remote store that is told the `content` saves a look; read whole, other bytes are `data_unreadable`.
   */
  stream(key: string, range?: ByteRange, content?: ObjectContent): AsyncIterable<Uint8Array>;
  /** Writes whole or not at all; durable when it returns. */
  write(key: string, body: Uint8Array, precondition?: Precondition): Promise<ObjectInfo>;
  /** Takes over a local file: the store may move or copy it. */
  writeFile(key: string, localPath: string, precondition?: Precondition): Promise<ObjectInfo>;
  /** Copies inside the store, without the bytes passing through here where it can. Throws `object_not_found`. */
  copy(from: string, to: string, precondition?: Precondition): Promise<ObjectInfo>;
  /** All keys with the prefix, sorted by key, pages followed. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** True where it was there. */
  delete(key: string, precondition?: Precondition): Promise<boolean>;
  /**
   * A path on this machine from which engines read the object. Not to be written to. Remote stores keep a bounded cache: of an
   * object with `content`, a copy that is there is handed out unasked, and bytes that are not these are `data_unreadable`.
   */
  localPath(key: string, content?: ObjectContent): Promise<string>;
  /**
   * Removes, or in a dry run counts, what interrupted writes left before an instant (epoch ms): never objects, which no listing
   * would show. Undefined where a store keeps nothing of the kind.
   */
  sweep?(beforeMs: number, isDryRun: boolean): Promise<ObjectCount>;
  /** Address of the object for other programs: `gs://bucket/prefix/key`, `s3://…`, `file:///…`. */
  uri(key: string): string;
  /** For messages: `data/ecommerce/` or `gs://bucket/prefix/`. */
  readonly displayName: string;
}

// ------------------------------------------------------------------ publications

/** Reads what is visible; a reader resolves the pointer once and then only sees that version. */
export interface PublicationReader {
  current(layer: PublishedLayer): Promise<Publication | null>;
  /** @throws PipelineError `publication_not_found` */
  at(layer: PublishedLayer, sequence: number): Promise<Publication>;
}

/** What people have said of closed gates. */
export interface AcceptanceReader {
  /**
   * Of this run's report of the layer, given that exactly this failed; null where nobody has accepted that.
   *
   * @param failures `failuresDigest` of the report
   */
  accepted(
    layer: PublishedLayer,
    run: Pick<RunFacts, 'dagId' | 'runId'>,
    report: string,
    failures: string,
  ): Promise<Acceptance | null>;
}

/** Files of one attempt on their way into the lake, unseen until published. */
export interface Staging {
  /**
   * Moves finished local files under this attempt's staging prefix.
   * `path` is below the table: `ingestion_dt=2025-10-15/part-00000.parquet`.
   */
  stageFiles(
    area: PublishedLayer | 'quarantine',
    table: string,
    files: readonly { readonly path: string; readonly localPath: string; readonly rows: number }[],
  ): Promise<readonly DataFile[]>;
}

export interface PublishRequest {
  readonly layer: PublishedLayer;
  readonly dagId: string;
  readonly runId: string;
  readonly interval: Interval;
  readonly tables: readonly StagedTable[];
  readonly reportDigest: string | null;
  readonly verdict: Verdict | null;
  readonly accepted?: Acceptance;
  /**
   * Sequence of this layer that the staged tables were built on; null: the layer had none. Left out: the current one.
   * Another run's publication since then is a conflict where it touched the same partitions, or a table in `reads`.
   */
  readonly basedOn?: number | null;
  /** Tables of this layer of which published rows decided what was staged, e.g. keys already known. */
  readonly reads?: readonly string[];
}

export interface PublicationStore extends PublicationReader {
  staging(dagId: string, runId: string, taskId: string, tryNumber: number): Staging;
  /** Idempotent per run and staged content: a repeat returns the same publication. */
  publish(request: PublishRequest): Promise<PublicationRef>;
}

// ------------------------------------------------------------------ warehouse

export interface WarehouseTableDef {
  readonly dataset: 'enriched' | 'gold' | 'dims' | 'silver';
  readonly table: string;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly description?: string;
    /** Resource names of policy tags; where left out, those that the table has are kept. */
    readonly policyTags?: readonly string[];
  }[];
  readonly partitionKey: string | null;
  readonly clusterBy: readonly string[];
  readonly description: string;
  /** What only a cloud warehouse keeps; the embedded one passes over it. */
  readonly options?: WarehouseTableOptions;
}

export interface MartBuild {
  readonly def: WarehouseTableDef;
  /** GoogleSQL. */
  readonly sql: string;
  /** Inclusive days of the touched partitions; null for a whole-table mart. */
  readonly days: readonly string[] | null;
  readonly fingerprints: { readonly [partition: string]: string };
}

export interface BuiltMart {
  readonly table: string;
  readonly rowsByPartition: { readonly [partition: string]: number };
}

/** Who uses a warehouse, for its job labels, its log and its end. A part of every TaskContext. */
export type WarehouseUse = Pick<TaskContext, 'run' | 'task' | 'log' | 'signal' | 'tempDir' | 'holdTimeout'>;

/** Opened for one task and closed after it: an embedded warehouse admits one process. */
export type OpenWarehouse = (use: WarehouseUse) => Promise<Warehouse>;

/**
 * Speaks GoogleSQL; one process at a time holds an embedded one, so callers open, work and close.
 *
 * @throws PipelineError `warehouse_unavailable` (retryable), `warehouse_quota` (retryable, late), `warehouse_denied`,
 *   `warehouse_schema`, `warehouse_rejected`
 */
export interface Warehouse {
  /** Fingerprint by partition of what is loaded; `'absent'` where the table does not exist. Never guesses: a failed look throws. */
  loaded(dataset: WarehouseTableDef['dataset'], table: string): Promise<ReadonlyMap<string, string> | 'absent'>;
  /** Creates the table, or adds columns. Never drops or narrows. */
  ensureTable(def: WarehouseTableDef): Promise<void>;
  /** Replaces exactly these partitions by their lake files, each whole or not at all; a repeat changes nothing. */
  loadPartitions(
    def: WarehouseTableDef,
    partitions: readonly DataPartition[],
    removed: readonly string[],
  ): Promise<readonly LoadReceipt[]>;
  /** Builds the touched partitions of a mart into a table beside the target. */
  buildMart(build: MartBuild): Promise<BuiltMart>;
  /** Writes the built partitions of a mart as Parquet, one file a partition, in grain order. */
  exportBuilt(
    def: WarehouseTableDef,
    folder: string,
  ): Promise<readonly { readonly partition: string; readonly localPath: string; readonly rows: number }[]>;
  /** Makes all built marts visible in one transaction and forgets the built tables. A repeat changes nothing. */
  swapMarts(
    builds: readonly Pick<MartBuild, 'def' | 'days' | 'fingerprints'>[],
    removed: { readonly [table: string]: readonly string[] },
  ): Promise<void>;
  /** Jobs that this opening has run or adopted so far, with what they cost; empty where nothing is billed. */
  jobs(): readonly WarehouseJob[];
  close(): Promise<void>;
}

// ------------------------------------------------------------------ tasks

/** The dated facts of one run that a handler may use; there is no other now. */
export interface RunFacts {
  readonly dagId: string;
  readonly runId: string;
  readonly interval: Interval;
  /** First and last calendar day of the interval in the DAG's zone, inclusive. */
  readonly firstDay: string;
  /** The run date: reference of every as-of figure. */
  readonly runDate: string;
  readonly conf: { readonly [key: string]: unknown };
}

export interface TaskContext {
  readonly spec: Spec;
  readonly task: Task;
  readonly run: RunFacts;
  readonly tryNumber: number;
  /** Outputs of the tasks that this one depends on, directly or not, and that have succeeded; by task id. */
  readonly outputs: { readonly [taskId: string]: TaskOutput };
  readonly log: Logger;
  /** Aborts on cancel, timeout and shutdown. */
  readonly signal: AbortSignal;
  /** An empty folder of this attempt's own, removed afterwards. */
  readonly tempDir: string;
  /**
   * True while the task only waits for another machine's turn: that time does not count towards its timeout.
   * Said when the signal aborts, it asks for up to 10 s to cancel what runs elsewhere.
   */
  readonly holdTimeout: (isHeld: boolean) => void;
}

/** Does one task. What it returns is stored with the run; what it throws decides about a retry. */
export type TaskHandler = (context: TaskContext) => Promise<TaskOutput>;

/** Handler by `kind` or `kind.layer` (`build.silver`), the more exact one first. */
export type TaskHandlers = { readonly [key: string]: TaskHandler };

/** What validation needs of the gates' settings. */
export interface GateSettings {
  readonly mode: { readonly [layer: string]: GateMode };
  /** What a strict gate that is closed keeps back. */
  readonly onFail: OnFail;
  readonly strictForeignKeys: boolean;
}

/** Resolves lake objects to files that engines can read. */
export interface LakeFiles {
  localPaths(files: readonly DataFile[]): Promise<readonly string[]>;
}

/** The same for a warehouse that reads the lake by itself. */
export interface LakeObjects extends LakeFiles {
  /** Address of the object for a warehouse that reads it by itself: `gs://…`. */
  uri(file: DataFile): string;
  /** The last bytes of the object, at most so many: where Parquet keeps its footer. */
  tail(file: DataFile, bytes: number): Promise<Uint8Array>;
}

/** Resolves bronze keys to files that engines can read. */
export interface BronzeFiles {
  localPath(key: string): Promise<string>;
  readonly displayName: string;
}

/** Published partitions, with those that a run staged laid over them: what readers would see after publishing. */
export function overlay(
  published: PublishedTable | undefined,
  staged: StagedTable | undefined,
): readonly DataPartition[] {
  const byValue = new Map<string, DataPartition>();
  if (published && !staged?.replacesAll) {
    for (const partition of Object.values(published.partitions)) byValue.set(partition.value, partition);
  }
  if (staged) {
    for (const value of staged.removed) byValue.delete(value);
    for (const partition of staged.partitions) byValue.set(partition.value, partition);
  }
  return [...byValue.values()].sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
}
