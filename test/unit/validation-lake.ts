/** A small lake in a temp folder for the validation tests: bronze and staged Parquet by SQL, specs with every default, a task context. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BronzeFiles, LakeFiles, ObjectStore, PublicationReader, TaskContext } from '../../core/ports.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type {
  CheckSpec,
  ColumnSpec,
  DimSpec,
  ForeignKeySpec,
  MartSpec,
  QualitySpec,
  SourceSpec,
  Spec,
  TableSpec,
  TransformSpec,
} from '../../core/spec.ts';
import { dataPartition } from '../../core/stage-partitions.ts';
import type {
  BronzePartition,
  CheckResult,
  ColumnSchema,
  DataFile,
  GateMode,
  Layer,
  OnFail,
  Publication,
  PublishedLayer,
  Report,
  StagedTable,
  TaskOutput,
} from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { openAcceptances } from '../../storage/acceptance-file.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { parseManifest } from '../../transforms/bronze/bronze-manifest.ts';
import { createValidateHandler } from '../../validation/validate-handler.ts';

export const DAY = '2025-10-08';
const LOCATION = { file: 'specs/shop/tables.yml', line: 7, column: 3 };

export class Lake implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'assay-validation-'));
  readonly session: DuckDbSession;
  readonly store: ObjectStore = openLocalStore({ root: join(this.root, 'lake'), displayName: 'lake/' });

  private constructor(session: DuckDbSession) {
    this.session = session;
  }

  static async open(): Promise<Lake> {
    return new Lake(await DuckDbSession.open({ memoryLimit: '256MB', threads: 1 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  path(key: string): string {
    const path = join(this.root, key);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }

  async parquet(key: string, query: string): Promise<void> {
    await this.session.run(`COPY (${query}) TO ${literal(this.path(key))} (FORMAT parquet)`);
  }

  write(key: string, content: string | Uint8Array): void {
    writeFileSync(this.path(key), content);
  }

  read(key: string): Buffer {
    return readFileSync(join(this.root, key));
  }

  remove(key: string): void {
    rmSync(join(this.root, key), { recursive: true, force: true });
  }

  /** Writes the manifest that a foreign exporter would: rows and files as they are, checksum of the given kind. */
  async manifest(table: string, partition: string, change: (document: Document) => void = () => {}): Promise<void> {
    const folder = `bronze/${table}/${partition}`;
    const files: Document['files'] = [];
    for (const name of readdirSync(join(this.root, folder))
      .filter((name) => name.endsWith('.parquet'))
      .sort()) {
      const { rows } = await this.session.one(
        `SELECT count(*) AS rows FROM read_parquet(${literal(this.path(`${folder}/${name}`))})`,
      );
      files.push({ path: `${table}/${partition}/${name}`, rows: Number(rows), checksum: 'ab'.repeat(32) });
    }
    const document: Document = {
      table,
      partition,
      batch_id: 'batch_1',
      files,
      total_rows: files.reduce((sum, file) => sum + (file.rows ?? 0), 0),
    };
    change(document);
    this.write(`${folder}/_MANIFEST.json`, JSON.stringify(document));
  }

  /** What a pin would have seen of one partition. */
  pin(table: string, partition: string): BronzePartition {
    const folder = `bronze/${table}/${partition}`;
    const names = readdirSync(join(this.root, folder)).sort();
    return {
      partition,
      files: names
        .filter((name) => name.endsWith('.parquet'))
        .map((name) => ({
          key: `${table}/${partition}/${name}`,
          sizeBytes: statSync(join(this.root, folder, name)).size,
        })),
      manifest: names.includes('_MANIFEST.json')
        ? parseManifest(this.read(`${folder}/_MANIFEST.json`).toString('utf8'))
        : { state: 'missing' },
      fingerprint: partition,
    };
  }

  /** Stages query results by partition value, one file each. */
  async stage(
    layer: PublishedLayer,
    table: string,
    queries: { readonly [value: string]: string },
    rest: Partial<StagedTable> & Pick<StagedTable, 'columns' | 'primaryKey'>,
  ): Promise<StagedTable> {
    const partitions = [];
    for (const [value, query] of Object.entries(queries)) {
      partitions.push(dataPartition(value, [await this.file(`lake/${layer}/${table}/${value}.parquet`, query)]));
    }
    return {
      layer,
      table,
      partitionKey: null,
      unchanged: false,
      partitions,
      removed: [],
      replacesAll: false,
      account: EMPTY_ACCOUNT,
      quarantine: [],
      buildCounts: {},
      inputs: {},
      logicFingerprint: 'logic',
      state: {},
      ...rest,
    };
  }

  async file(key: string, query: string): Promise<DataFile> {
    await this.parquet(key, query);
    const { rows } = await this.session.one(`SELECT count(*) AS rows FROM read_parquet(${literal(this.path(key))})`);
    return { key, rows: Number(rows), sizeBytes: statSync(this.path(key)).size, crc32c: key };
  }

  get lake(): LakeFiles {
    return { localPaths: (files) => Promise.resolve(files.map((file) => join(this.root, file.key))) };
  }

  get bronze(): BronzeFiles {
    return { localPath: (key) => Promise.resolve(join(this.root, 'bronze', key)), displayName: 'data/bronze/' };
  }
}

interface Document {
  table: string;
  partition: string;
  batch_id: string | null;
  files: { path: string; rows?: number; checksum?: string; size_bytes?: number }[];
  total_rows?: number;
  checksum_kind?: string;
}

export function columnSpec(name: string, type: ColumnSpec['type'], rest: Partial<ColumnSpec> = {}): ColumnSpec {
  return {
    name,
    type,
    sourceName: name,
    required: false,
    clean: 'trim',
    expr: null,
    pii: null,
    description: '',
    missingReason: null,
    invalidReason: null,
    format: null,
    ...rest,
  };
}

export function checkSpec(id: string, rest: Partial<CheckSpec>): CheckSpec {
  return {
    id,
    description: '',
    column: null,
    acceptedValues: null,
    range: null,
    regex: null,
    notNull: false,
    unique: null,
    sql: null,
    warnIf: null,
    failIf: null,
    location: LOCATION,
    ...rest,
  };
}

export function foreignKey(
  column: string,
  references: ForeignKeySpec['references'],
  rest: Partial<ForeignKeySpec> = {},
): ForeignKeySpec {
  return {
    id: `fk_${references.table}`,
    column,
    references,
    exempt: null,
    minIntegrity: 0.99,
    reason: `${column}_fk_invalid`,
    ...rest,
  };
}

export const QUALITY: QualitySpec = { sla: 0.95, minRows: 1, allowEmpty: false, maxQuarantinePct: 5, maxRowLossPct: 1 };

export const SOURCE: SourceSpec = {
  table: 'orders',
  format: 'parquet',
  partitionKey: 'ingest_dt',
  select: 'interval',
  checksum: 'rows',
  manifest: 'required',
  landing: null,
};

/** `orders`: a key, a customer, a time, an amount and an optional number. */
export function ordersSpec(rest: Partial<TableSpec> = {}): TableSpec {
  return {
    name: 'orders',
    description: '',
    owner: 'sales@example.com',
    tags: [],
    source: SOURCE,
    partitionKey: 'ingestion_dt',
    primaryKey: ['order_id'],
    identity: [],
    foreignKeys: [],
    columns: [
      columnSpec('order_id', 'string', { required: true }),
      columnSpec('customer_id', 'string', { required: true, pii: 'customer' }),
      columnSpec('order_date', 'timestamp', { required: true }),
      columnSpec('net_total', 'decimal(18,2)', { required: true }),
      columnSpec('items', 'int64'),
    ],
    rules: [],
    checks: [],
    quality: QUALITY,
    duplicateReason: 'duplicate_order_id',
    orderBy: [],
    warehouse: null,
    location: LOCATION,
    ...rest,
  };
}

export function dimSpec(name: string, rest: Partial<DimSpec> = {}): DimSpec {
  return {
    name,
    snapshotPartitionKey: 'snapshot_dt',
    primaryKey: [`${name.replace(/s$/, '')}_id`],
    freshnessHours: 24,
    where: null,
    checks: [],
    location: LOCATION,
    ...rest,
  };
}

export function transformSpec(name: string, rest: Partial<TransformSpec> = {}): TransformSpec {
  return {
    name,
    description: '',
    implementation: { kind: 'builtin', name },
    dependsOn: [],
    partitionKey: 'order_dt',
    primaryKey: ['order_id'],
    window: { kind: 'days', before: 0, after: 0 },
    minRows: 1,
    keyFields: [],
    checks: [],
    params: {},
    columns: [],
    warehouse: null,
    location: LOCATION,
    ...rest,
  };
}

export function martSpec(name: string, rest: Partial<MartSpec> = {}): MartSpec {
  return {
    name,
    description: '',
    grain: ['order_date'],
    partitionKey: 'order_date',
    clusterBy: [],
    columns: [],
    sql: 'SELECT 1',
    inputs: [],
    sqlLocation: { file: 'specs/shop/marts/mart.sql', line: 5, column: 1 },
    reads: {},
    checks: [],
    warehouse: null,
    metrics: null,
    location: LOCATION,
    ...rest,
  };
}

export function pipelineSpec(rest: Partial<Spec> = {}): Spec {
  return {
    pipeline: 'shop',
    owner: 'data@example.com',
    params: {},
    timezone: 'UTC',
    nullValues: ['', 'none', 'null', 'n/a', 'nan'],
    maxQuarantinePct: 5,
    maxRowLossPct: 1,
    reportDir: 'docs/validation_reports/shop',
    tables: [],
    dims: [],
    transforms: [],
    marts: [],
    dags: [],
    folder: 'specs/shop',
    fingerprint: 'spec',
    ...rest,
  };
}

export interface ValidateRequest {
  readonly spec: Spec;
  readonly layer: Layer;
  readonly tables: readonly string[];
  readonly outputs: readonly TaskOutput[];
  readonly mode?: GateMode;
  readonly strictForeignKeys?: boolean;
  readonly onFail?: OnFail;
  readonly publications?: readonly Publication[];
  readonly firstDay?: string;
  readonly runDate?: string;
  readonly runId?: string;
}

/** Runs the handler and reads the report that it wrote; `thrown` is what it threw after that. */
export async function validate(
  lake: Lake,
  request: ValidateRequest,
): Promise<{
  readonly report: Report;
  readonly markdown: string;
  readonly output: TaskOutput | null;
  readonly thrown: unknown;
}> {
  const runId = request.runId ?? 'manual__1';
  const context = contextOf(lake, request, runId);
  const handler = createValidateHandler({
    lake: lake.lake,
    bronze: lake.bronze,
    publications: reader(request.publications ?? []),
    gates: {
      mode: { [request.layer]: request.mode ?? 'warning-only' },
      onFail: request.onFail ?? 'hold_layer',
      strictForeignKeys: request.strictForeignKeys ?? false,
    },
    acceptances: openAcceptances(lake.store),
    root: lake.root,
    duckdb: { memoryLimit: '256MB', threads: 1 },
  });
  let output: TaskOutput | null = null;
  let thrown: unknown = null;
  try {
    output = await handler(context);
  } catch (error) {
    thrown = error;
  }
  const runDir = join(lake.root, request.spec.reportDir, 'runs', 'shop_daily', runId);
  let names: string[] = [];
  try {
    names = readdirSync(runDir);
  } catch {
    throw thrown ?? new Error('the handler wrote no report');
  }
  const name = names.find((file) => file.endsWith('.results.json')) ?? '';
  return {
    report: JSON.parse(readFileSync(join(runDir, name), 'utf8')) as Report,
    markdown: readFileSync(join(runDir, name.replace('.results.json', '.md')), 'utf8'),
    output,
    thrown,
  };
}

function contextOf(lake: Lake, request: ValidateRequest, runId: string): TaskContext {
  const firstDay = request.firstDay ?? DAY;
  const runDate = request.runDate ?? firstDay;
  return {
    spec: request.spec,
    task: {
      id: `validate_${request.layer}`,
      kind: 'validate',
      layer: request.layer,
      tables: request.tables,
      group: null,
      upstream: [],
      triggerRule: 'all_success',
      retry: null,
      timeoutMs: null,
      pool: 'default',
      priority: 1,
      params: {},
    },
    run: {
      dagId: 'shop_daily',
      runId,
      interval: { startMs: Date.parse(firstDay), endMs: Date.parse(runDate) + 86_400_000 },
      firstDay,
      runDate,
      conf: {},
    },
    tryNumber: 1,
    outputs: Object.fromEntries(request.outputs.map((output, index) => [`task_${index}`, output])),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    signal: new AbortController().signal,
    tempDir: join(lake.root, 'tmp'),
    holdTimeout: () => {},
  };
}

function reader(publications: readonly Publication[]): PublicationReader {
  return {
    current: (layer) => Promise.resolve(publications.findLast((candidate) => candidate.layer === layer) ?? null),
    at: (layer, sequence) => {
      const found = publications.find((candidate) => candidate.layer === layer && candidate.sequence === sequence);
      return found ? Promise.resolve(found) : Promise.reject(new Error(`no ${layer} ${sequence}`));
    },
  };
}

export function pinned(
  bronze: { readonly [table: string]: readonly BronzePartition[] },
  rest: object = {},
): TaskOutput {
  return { kind: 'pinned', pinned: { layer: 'bronze', bronze, publications: {}, ...rest } };
}

export function staged(table: StagedTable): TaskOutput {
  return { kind: 'staged', staged: table };
}

/** A publication that shows exactly these staged tables. */
export function publication(layer: PublishedLayer, sequence: number, tables: readonly StagedTable[]): Publication {
  return {
    formatVersion: 1,
    pipeline: 'shop',
    layer,
    sequence,
    dagId: 'shop_daily',
    runId: 'earlier',
    publishedAt: '2025-10-08T00:00:00.000Z',
    interval: { startMs: 0, endMs: 0 },
    revertsTo: null,
    reportDigest: null,
    verdict: null,
    tables: Object.fromEntries(
      tables.map((table) => [
        table.table,
        {
          columns: table.columns,
          primaryKey: table.primaryKey,
          partitionKey: table.partitionKey,
          partitions: Object.fromEntries(table.partitions.map((partition) => [partition.value, partition])),
          inputs: table.inputs,
          quarantine: {},
          logicFingerprint: table.logicFingerprint,
          state: {},
        },
      ]),
    ),
  };
}

export function resultOf(report: Report, table: string, checkId: string): CheckResult {
  const found = report.results.find((result) => result.table === table && result.checkId === checkId);
  if (!found) {
    const ids = report.results.filter((result) => result.table === table).map((result) => result.checkId);
    throw new Error(`no ${table}.${checkId}; there are ${ids.join(', ')}`);
  }
  return found;
}

export function columns(text: string): readonly ColumnSchema[] {
  return text.split(/, (?=\w+ )/).map((pair) => {
    const [name = '', type = 'string'] = pair.split(' ');
    return { name, type: type as ColumnSchema['type'] };
  });
}
