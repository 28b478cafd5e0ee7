/** A lake in a temporary folder: bronze written by SQL, silver built by the real handlers, publications kept in memory. */

import { copyFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fingerprint, sha256 } from '../../core/fingerprint.ts';
import { intervalOfDays } from '../../core/partition.ts';
import type { ObjectInfo, ObjectStore, PublicationStore, RunFacts, TaskContext } from '../../core/ports.ts';
import type { ColumnSpec, DimSpec, ForeignKeySpec, Spec, TableSpec } from '../../core/spec.ts';
import type {
  DataFile,
  DataPartition,
  Day,
  PinnedInputs,
  Publication,
  PublishedLayer,
  StagedTable,
  Task,
  TaskKind,
  TaskOutput,
} from '../../core/types.ts';
import { DuckDbSession, fileList, type Row } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { createBuildSilverHandler } from '../../transforms/base/run-base.ts';
import { createPinBronzeHandler } from '../../transforms/bronze/pin-bronze.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export interface LakeOptions {
  readonly strictForeignKeys?: boolean;
}

export class BaseLake implements AsyncDisposable {
  readonly root: string;
  readonly bronze: ObjectStore;
  readonly publications: MemoryPublications;
  readonly session: DuckDbSession;
  readonly #strictForeignKeys: boolean;
  #attempts = 0;

  private constructor(root: string, session: DuckDbSession, options: LakeOptions) {
    this.root = root;
    this.session = session;
    this.bronze = folderStore(join(root, 'bronze'));
    this.publications = new MemoryPublications(join(root, 'lake'));
    this.#strictForeignKeys = options.strictForeignKeys ?? false;
  }

  static async open(options: LakeOptions = {}): Promise<BaseLake> {
    const root = await mkdtemp(join(tmpdir(), 'assay-base-'));
    return new BaseLake(root, await DuckDbSession.open({ threads: 1 }), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    await rm(this.root, { recursive: true, force: true });
  }

  /** Writes the query's rows as `<key>` of bronze: `orders/ingest_dt=2025-10-08/part-0000.parquet`. */
  async writeBronze(key: string, query: string): Promise<string> {
    const path = join(this.root, 'bronze', key);
    await mkdir(dirname(path), { recursive: true });
    await this.session.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`);
    return path;
  }

  async writeObject(key: string, body: string | Uint8Array): Promise<void> {
    await this.bronze.write(key, typeof body === 'string' ? new TextEncoder().encode(body) : body);
  }

  /** A context of one task of a run over whole days. */
  async context(
    spec: Spec,
    first: Day,
    last: Day,
    task: Partial<Task>,
    outputs: TaskContext['outputs'] = {},
  ): Promise<TaskContext> {
    this.#attempts += 1;
    const tempDir = join(this.root, 'tmp', String(this.#attempts));
    await mkdir(tempDir, { recursive: true });
    const run: RunFacts = {
      dagId: 'dag',
      runId: `run-${this.#attempts}`,
      interval: intervalOfDays(first, last, 'UTC'),
      firstDay: first,
      runDate: last,
      conf: {},
    };
    const signal = new AbortController().signal;
    return {
      spec,
      task: taskOf(task),
      run,
      tryNumber: 1,
      outputs,
      log: SILENT,
      signal,
      tempDir,
      holdTimeout: () => {},
    };
  }

  async pin(spec: Spec, first: Day, last: Day): Promise<PinnedInputs> {
    const landing = { path: (relative: string) => join(this.root, 'landing', relative) };
    const handler = createPinBronzeHandler({
      bronze: this.bronze,
      publications: this.publications,
      strictForeignKeys: this.#strictForeignKeys,
      landing,
    });
    const tables = spec.tables.map((table) => table.name);
    const output = await handler(
      await this.context(spec, first, last, { id: 'pin', kind: 'pin', layer: 'bronze', tables }),
    );
    if (output.kind !== 'pinned') throw new Error(`pinned nothing but ${output.kind}`);
    return output.pinned;
  }

  /** Pins and builds the spec's tables in order, without publishing. */
  async build(spec: Spec, first: Day, last: Day = first, pinned?: PinnedInputs): Promise<Record<string, StagedTable>> {
    const handler = createBuildSilverHandler({
      bronze: { localPath: (key) => this.bronze.localPath(key), displayName: 'bronze/' },
      lake: this.publications.files,
      publications: this.publications,
      strictForeignKeys: this.#strictForeignKeys,
      duckdb: { memoryLimit: '1GB', threads: 2 },
    });
    const outputs: Record<string, TaskOutput> = {
      pin: { kind: 'pinned', pinned: pinned ?? (await this.pin(spec, first, last)) },
    };
    const staged: Record<string, StagedTable> = {};
    for (const table of spec.tables) {
      const task = { id: `build.${table.name}`, kind: 'build', layer: 'silver', tables: [table.name] } as const;
      const output = await handler(await this.context(spec, first, last, task, { ...outputs }));
      if (output.kind !== 'staged') throw new Error(`staged nothing but ${output.kind}`);
      outputs[task.id] = output;
      staged[table.name] = output.staged;
    }
    return staged;
  }

  /** Pins, builds and publishes. */
  async run(spec: Spec, first: Day, last: Day = first): Promise<Record<string, StagedTable>> {
    const staged = await this.build(spec, first, last);
    this.publications.merge('silver', Object.values(staged));
    return staged;
  }

  /** Published silver rows, in the query's order. */
  async silver(table: string, select = '*', order = 'ALL'): Promise<Row[]> {
    const partitions = (await this.publications.current('silver'))?.tables[table]?.partitions ?? {};
    return this.rowsOf(
      Object.values(partitions).flatMap(({ files }) => files),
      select,
      order,
    );
  }

  async rowsOf(files: readonly DataFile[], select = '*', order = 'ALL'): Promise<Row[]> {
    if (files.length === 0) return [];
    const paths = await this.publications.files.localPaths(files);
    return this.session.rows(
      `SELECT ${select} FROM read_parquet(${fileList(paths)}, union_by_name = true, hive_partitioning = false) ORDER BY ${order}`,
    );
  }

  async quarantined(staged: StagedTable, select = '_reasons, _kind'): Promise<Row[]> {
    return this.rowsOf(staged.quarantine, select, '_bronze_partition, _source_file, _row_number');
  }
}

/** Publications as plain merging makes them; staged files are copied to a folder of their own. */
export class MemoryPublications implements PublicationStore {
  readonly files = {
    localPaths: async (files: readonly DataFile[]) => files.map((file) => join(this.#root, file.key)),
  };
  readonly #root: string;
  readonly #versions: Publication[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  async current(layer: PublishedLayer): Promise<Publication | null> {
    return this.#versions.findLast((version) => version.layer === layer) ?? null;
  }

  async at(layer: PublishedLayer, sequence: number): Promise<Publication> {
    const found = this.#versions.find((version) => version.layer === layer && version.sequence === sequence);
    if (!found) throw new Error(`no publication ${sequence} of ${layer}`);
    return found;
  }

  staging(_dagId: string, runId: string, taskId: string, tryNumber: number) {
    return {
      stageFiles: async (
        area: string,
        table: string,
        files: readonly { readonly path: string; readonly localPath: string; readonly rows: number }[],
      ): Promise<readonly DataFile[]> =>
        Promise.all(
          files.map(async (file) => {
            const key = `${area}/_staging/${runId}/${taskId}/${tryNumber}/${table}/${file.path}`;
            await mkdir(dirname(join(this.#root, key)), { recursive: true });
            copyFileSync(file.localPath, join(this.#root, key));
            const body = await readFile(file.localPath);
            return { key, rows: file.rows, sizeBytes: body.length, crc32c: sha256(body).slice(0, 8) };
          }),
        ),
    };
  }

  publish(): never {
    throw new Error('tests merge staged tables themselves');
  }

  merge(layer: PublishedLayer, staged: readonly StagedTable[]): void {
    const head = this.#versions.findLast((version) => version.layer === layer);
    const tables = { ...head?.tables };
    for (const table of staged) {
      if (table.unchanged && tables[table.table]) continue;
      const before = tables[table.table];
      const partitions: Record<string, DataPartition> = { ...before?.partitions };
      for (const value of table.removed) delete partitions[value];
      for (const partition of table.partitions) partitions[partition.value] = partition;
      const { columns, primaryKey, partitionKey, logicFingerprint, state } = table;
      const inputs = { ...before?.inputs, ...table.inputs };
      tables[table.table] = {
        columns,
        primaryKey,
        partitionKey,
        partitions,
        inputs,
        quarantine: {},
        logicFingerprint,
        state,
      };
    }
    const sequence = (head?.sequence ?? 0) + 1;
    this.#versions.push({
      formatVersion: 1,
      pipeline: 'test',
      layer,
      sequence,
      dagId: 'dag',
      runId: `publish-${sequence}`,
      publishedAt: '2025-10-20T00:00:00.000Z',
      interval: { startMs: 0, endMs: 0 },
      revertsTo: null,
      reportDigest: null,
      verdict: null,
      tables,
    });
  }
}

/** An object store over a folder, with just the calls that pinning and landing make. */
function folderStore(root: string): ObjectStore {
  const infoOf = async (key: string): Promise<ObjectInfo> => ({
    key,
    sizeBytes: (await stat(join(root, key))).size,
    generation: '1',
    writtenAtMs: 0,
    crc32c: null,
  });
  const notCalled = (): never => {
    throw new Error('pinning and landing do not call this');
  };
  return {
    displayName: 'bronze/',
    stat: notCalled,
    stream: notCalled,
    copy: notCalled,
    uri: notCalled,
    localPath: async (key) => join(root, key),
    read: async (key) =>
      readFile(join(root, key)).then(
        (body) => ({ body, generation: '1' }),
        () => null,
      ),
    write: async (key, body) => {
      await mkdir(dirname(join(root, key)), { recursive: true });
      await writeFile(join(root, key), body);
      return infoOf(key);
    },
    writeFile: async (key, localPath) => {
      await mkdir(dirname(join(root, key)), { recursive: true });
      copyFileSync(localPath, join(root, key));
      return infoOf(key);
    },
    async *list(prefix) {
      const entries = await readdir(join(root, prefix), { recursive: true, withFileTypes: true }).catch(() => []);
      const keys = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
        .sort();
      for (const key of keys) yield await infoOf(key);
    },
    delete: async (key) => {
      await rm(join(root, key), { force: true });
      return true;
    },
  };
}

function taskOf(task: Partial<Task>): Task {
  return {
    id: 'task',
    kind: 'build' as TaskKind,
    layer: 'silver',
    tables: [],
    group: null,
    upstream: [],
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    pool: 'default',
    priority: 0,
    params: {},
    ...task,
  };
}

const NOWHERE = { file: 'tables.yml', line: 1, column: 1 };

/** A spec column with the reasons that the spec reader would give it. */
export function column(name: string, type: ColumnSpec['type'], more: Partial<ColumnSpec> = {}): ColumnSpec {
  const required = more.required ?? false;
  return {
    name,
    type,
    sourceName: name,
    required,
    clean: 'trim',
    expr: null,
    pii: null,
    description: '',
    missingReason: required ? `missing_${name}` : null,
    invalidReason: required ? `invalid_${name}` : null,
    format: null,
    ...more,
  };
}

export function foreignKey(columnName: string, references: string, exempt: string | null = null): ForeignKeySpec {
  const [table = '', parentColumn = ''] = references.split('.');
  return {
    id: `fk_${table}`,
    column: columnName,
    references: { table, column: parentColumn },
    exempt,
    minIntegrity: 1,
    reason: `${columnName.replace(/_id$/, '')}_fk_invalid`,
  };
}

/** Bronze by `ingest_dt`, silver by `ingestion_dt`, key `id`, unless told otherwise. */
export function tableSpec(name: string, more: Partial<TableSpec> = {}): TableSpec {
  return {
    name,
    description: '',
    owner: '',
    tags: [],
    source: {
      table: name,
      format: 'parquet',
      partitionKey: 'ingest_dt',
      select: 'interval',
      checksum: 'none',
      manifest: 'none',
      landing: null,
    },
    partitionKey: 'ingestion_dt',
    primaryKey: ['id'],
    identity: [],
    foreignKeys: [],
    columns: [],
    rules: [],
    checks: [],
    quality: { sla: 0.95, minRows: 1, allowEmpty: false, maxQuarantinePct: 5, maxRowLossPct: 1 },
    duplicateReason: `duplicate_${name}`,
    orderBy: ['ingestion_ts desc', 'event_id desc'],
    warehouse: null,
    location: NOWHERE,
    ...more,
  };
}

export function specOf(tables: readonly TableSpec[], dims: readonly DimSpec[] = [], timezone = 'UTC'): Spec {
  return {
    pipeline: 'test',
    owner: '',
    params: {},
    timezone,
    nullValues: ['', 'none', 'null', 'n/a', 'nan'],
    maxQuarantinePct: 5,
    maxRowLossPct: 1,
    reportDir: 'docs/validation_reports/test',
    tables,
    dims,
    transforms: [],
    marts: [],
    dags: [],
    folder: 'specs/test',
    fingerprint: fingerprint(tables),
  };
}

export const rule = (reason: string, when: string) => ({ reason, when, location: NOWHERE });
