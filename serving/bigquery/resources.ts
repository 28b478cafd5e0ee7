/** The parts of BigQuery's resources that are read here; shapes of its REST reference, numbers as text. */

export interface TableRef {
  readonly projectId: string;
  readonly datasetId: string;
  /** May carry a partition: `sales$20250101`. */
  readonly tableId: string;
}

export interface TableField {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
  readonly description?: string;
  readonly precision?: string;
  readonly scale?: string;
  readonly policyTags?: { readonly names?: readonly string[] };
  /** Whatever else a field has (default value, collation, nested fields): kept as it is. */
  readonly [other: string]: unknown;
}

export interface BigQueryTable {
  readonly tableReference: TableRef;
  readonly etag: string;
  /** Epoch ms: another for a table that was dropped and made anew. */
  readonly creationTime: string;
  /** Epoch ms; none: it stays. */
  readonly expirationTime?: string;
  /** `TABLE`, `VIEW`, `EXTERNAL`, …; not every server says it. */
  readonly type?: string;
  readonly description?: string;
  readonly labels?: { readonly [key: string]: string };
  readonly schema?: { readonly fields?: readonly TableField[] };
  readonly timePartitioning?: {
    readonly type: string;
    readonly field?: string;
    readonly expirationMs?: string;
  };
  readonly rangePartitioning?: { readonly field: string };
  readonly requirePartitionFilter?: boolean;
  readonly clustering?: { readonly fields?: readonly string[] };
}

export interface BigQueryDataset {
  readonly datasetReference?: { readonly datasetId: string };
  readonly location?: string;
}

export interface BigQueryJob {
  readonly jobReference?: { readonly jobId?: string; readonly location?: string };
  readonly status?: {
    readonly state?: 'PENDING' | 'RUNNING' | 'DONE';
    readonly errorResult?: { readonly reason?: string; readonly message?: string };
  };
  readonly statistics?: {
    readonly creationTime?: string;
    readonly startTime?: string;
    readonly endTime?: string;
    readonly totalBytesProcessed?: string;
    readonly totalSlotMs?: string;
    readonly query?: {
      readonly totalBytesProcessed?: string;
      readonly totalBytesBilled?: string;
      readonly totalSlotMs?: string;
      readonly schema?: { readonly fields?: readonly TableField[] };
    };
    readonly load?: { readonly outputRows?: string; readonly inputFileBytes?: string };
    readonly extract?: { readonly destinationUriFileCounts?: readonly string[] };
  };
}
