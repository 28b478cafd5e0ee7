/** The Spec: one pipeline as its YAML declares it, with every default applied, so that nobody downstream guesses. */
import type { ColumnType, JsonObject, Layer, Schedule, Task, WarehouseTableOptions } from './types.ts';

/** Where in the YAML a thing stands; lines and columns from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Spec {
  readonly pipeline: string;
  readonly owner: string;
  readonly params: JsonObject;
  readonly timezone: string;
  /** Compared trimmed, in lower case. */
  readonly nullValues: readonly string[];
  readonly maxQuarantinePct: number;
  readonly maxRowLossPct: number;
  readonly reportDir: string;
  /** Base silver; each reads one bronze table. */
  readonly tables: readonly TableSpec[];
  readonly dims: readonly DimSpec[];
  readonly transforms: readonly TransformSpec[];
  readonly marts: readonly MartSpec[];
  readonly dags: readonly DagSpec[];
  /** Folder of the spec, relative to the project root. */
  readonly folder: string;
  readonly fingerprint: string;
}

export interface TableSpec {
  readonly name: string;
  readonly description: string;
  readonly owner: string;
  readonly tags: readonly string[];
  readonly source: SourceSpec;
  readonly partitionKey: string;
  readonly primaryKey: readonly string[];
  /** Columns that say which entity a key names; the same key with other values is a `key_collision`. */
  readonly identity: readonly string[];
  readonly foreignKeys: readonly ForeignKeySpec[];
  /** Empty: taken from bronze, types as they lie there. */
  readonly columns: readonly ColumnSpec[];
  readonly rules: readonly RowRuleSpec[];
  readonly checks: readonly CheckSpec[];
  readonly quality: QualitySpec;
  readonly duplicateReason: string;
  /** Newest first; ties are broken by event_id, then by the row's place. */
  readonly orderBy: readonly string[];
  readonly warehouse: WarehouseSpec | null;
  readonly location: SourceLocation;
}

/** How a cloud warehouse keeps a table that is loaded into it. */
export interface WarehouseSpec {
  readonly clusterBy: readonly string[];
  readonly options: WarehouseTableOptions;
}

export interface SourceSpec {
  /** Folder under the bronze base path. */
  readonly table: string;
  readonly format: 'parquet' | 'csv';
  /** Hive key of bronze; null: the files lie directly in the folder. */
  readonly partitionKey: string | null;
  /** `interval`: partitions whose value lies in the run's interval. `changed`: all whose manifest changed since the last publication. */
  readonly select: 'interval' | 'changed';
  /** Kind of checksum in the manifest; `none` where there is no manifest to expect. */
  readonly checksum: 'bytes' | 'rows' | 'none';
  readonly manifest: 'required' | 'none';
  /** CSV landing file to ingest into bronze first, relative to the landing base path; null: bronze is delivered. */
  readonly landing: LandingSpec | null;
}

export interface LandingSpec {
  readonly path: string;
  readonly format: 'csv' | 'tsv';
  readonly delimiter: string;
  readonly header: boolean;
}

export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  /** Name in bronze. */
  readonly sourceName: string;
  readonly required: boolean;
  readonly clean: 'trim' | 'lower' | 'upper' | 'none';
  /** GoogleSQL over the table's typed columns; null: cast from bronze. */
  readonly expr: string | null;
  readonly pii: string | null;
  /** Resource names; left out: the warehouse keeps those that it has. */
  readonly policyTags?: readonly string[];
  readonly description: string;
  /** Reason where the value is missing; null where it may be. */
  readonly missingReason: string | null;
  /** Reason where text is there but does not cast. Null: the value becomes null and the check `cast_<column>` counts it. */
  readonly invalidReason: string | null;
  readonly format: string | null;
}

export interface ForeignKeySpec {
  readonly id: string;
  readonly column: string;
  readonly references: { readonly table: string; readonly column: string };
  /** LIKE pattern of values that need no parent. */
  readonly exempt: string | null;
  readonly minIntegrity: number;
  readonly reason: string;
}

export interface RowRuleSpec {
  readonly reason: string;
  /** GoogleSQL over typed columns; the row is quarantined where it is true. */
  readonly when: string;
  readonly location: SourceLocation;
}

/** A limit on a count of rows (`> 0`) or on their share (`> 1%`). */
export interface Limit {
  readonly op: '>' | '>=' | '<' | '<=';
  readonly value: number;
  readonly unit: 'rows' | 'percent';
}

/** Measured on what is staged; exactly one of the four subjects is set. */
export interface CheckSpec {
  readonly id: string;
  readonly description: string;
  readonly column: string | null;
  readonly acceptedValues: readonly string[] | null;
  readonly range: { readonly min: number | null; readonly max: number | null } | null;
  readonly regex: string | null;
  readonly notNull: boolean;
  readonly unique: readonly string[] | null;
  /** GoogleSQL; true for an offending row. */
  readonly sql: string | null;
  readonly warnIf: Limit | null;
  readonly failIf: Limit | null;
  readonly location: SourceLocation;
}

export interface QualitySpec {
  /** Least share of rows that pass, 0..1. */
  readonly sla: number;
  readonly minRows: number;
  readonly allowEmpty: boolean;
  readonly maxQuarantinePct: number;
  readonly maxRowLossPct: number;
}

export interface DimSpec {
  /** Also the silver table it is a snapshot of. */
  readonly name: string;
  readonly snapshotPartitionKey: string;
  readonly primaryKey: readonly string[];
  readonly freshnessHours: number;
  /** GoogleSQL with `@window_start`, `@window_end` (dates); null: every row. */
  readonly where: string | null;
  readonly checks: readonly CheckSpec[];
  readonly location: SourceLocation;
}

export interface TransformSpec {
  readonly name: string;
  readonly description: string;
  /** Built-in function `int_*`, or a module of the user's. */
  readonly implementation:
    | { readonly kind: 'builtin'; readonly name: string }
    | { readonly kind: 'file'; readonly path: string };
  readonly dependsOn: readonly string[];
  readonly partitionKey: string;
  readonly primaryKey: readonly string[];
  readonly window: TransformWindow;
  readonly minRows: number;
  readonly keyFields: readonly string[];
  readonly checks: readonly CheckSpec[];
  readonly params: JsonObject;
  /** What the spec says of columns that the code makes; types are the code's to say. */
  readonly columns: readonly ColumnNote[];
  readonly warehouse: WarehouseSpec | null;
  readonly location: SourceLocation;
}

export interface ColumnNote {
  readonly name: string;
  readonly description: string;
  /** Resource names; left out: the warehouse keeps those that it has. */
  readonly policyTags?: readonly string[];
}

/**
 * Which output days a changed input day t rewrites: `days` → `[t − after, t + before]`;
 * `as_of` → only the partition of the run's date, which sees all history up to it.
 */
export type TransformWindow =
  | { readonly kind: 'days'; readonly before: number; readonly after: number }
  | { readonly kind: 'as_of' };

export interface MartSpec {
  readonly name: string;
  readonly description: string;
  readonly grain: readonly string[];
  /** Null: replaced whole. */
  readonly partitionKey: string | null;
  readonly clusterBy: readonly string[];
  readonly columns: readonly MartColumnSpec[];
  /** GoogleSQL text with `@window_start`, `@window_end` (dates). */
  readonly sql: string;
  /** Where the query's first character stands, so that a fault in it can be told with its place in the file. */
  readonly sqlLocation: SourceLocation;
  /** Assets it reads, found in the SQL: `{layer: 'enriched', table: 'int_shipping_economics'}`. */
  readonly inputs: readonly { readonly layer: Layer; readonly table: string }[];
  /** How an input's partitions map to the mart's, where not day by day. */
  readonly reads: { readonly [input: string]: 'same_day' | 'next_snapshot' | 'latest_snapshot' | 'all' };
  readonly checks: readonly CheckSpec[];
  /** Null: nothing but columns and clustering is said. */
  readonly warehouse: WarehouseTableOptions | null;
  /** Null: the mart is read by SQL alone. */
  readonly metrics: MetricsSpec | null;
  readonly location: SourceLocation;
}

export interface MartColumnSpec extends ColumnNote {
  readonly type: ColumnType;
}

/** What a mart can be asked for by name. */
export interface MetricsSpec {
  /** A date column of the mart, by which figures may be grouped; null: the mart has no time. */
  readonly time: string | null;
  readonly measures: readonly MeasureSpec[];
  readonly dimensions: readonly DimensionSpec[];
}

export interface MeasureSpec {
  readonly name: string;
  /** GoogleSQL over the mart's columns, each inside an aggregate. */
  readonly sql: string;
  /** What it is compared as: `number` stands for every number. */
  readonly type: 'number' | ColumnType;
  readonly description: string;
  /** How clients may show it, e.g. `percent` or `0.00`; null: as it is. */
  readonly format: string | null;
}

export interface DimensionSpec {
  readonly name: string;
  /** GoogleSQL over one row of the mart; a column's name in backticks. */
  readonly sql: string;
  readonly type: ColumnType;
  readonly description: string;
}

/** A DAG as the YAML lists it; groups are expanded by compile-dag. */
export interface DagSpec {
  readonly id: string;
  readonly description: string;
  readonly schedule: Schedule | null;
  readonly maxActiveRuns: number;
  readonly tags: readonly string[];
  readonly tasks: readonly DagTaskSpec[];
  readonly location: SourceLocation;
}

export interface DagTaskSpec
  extends Pick<Task, 'id' | 'kind' | 'layer' | 'triggerRule' | 'retry' | 'timeoutMs' | 'params'> {
  /** Null: the task above, if any. */
  readonly dependsOn: readonly string[] | null;
  readonly only: readonly string[] | null;
  readonly except: readonly string[];
  readonly location: SourceLocation;
}
