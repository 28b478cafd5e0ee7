/** A lake in a temporary folder: silver published from SQL, enriched built by the real handler and published by the real store. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { intervalOfDays } from '../../core/partition.ts';
import type { LakeFiles, ObjectStore, TaskContext } from '../../core/ports.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { DimSpec, Spec, TableSpec, TransformSpec } from '../../core/spec.ts';
import { stagePartitions } from '../../core/stage-partitions.ts';
import type { ColumnSchema, Day, PublishedLayer, StagedTable, Task, TaskOutput } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { columnTypeOf } from '../../engine/duckdb-types.ts';
import { writePartitions } from '../../engine/write-partitions.ts';
import { createLakeFiles } from '../../storage/lake-files.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { createBuildEnrichedHandler } from '../../transforms/enriched/build-enriched.ts';
import type { LoadTransform } from '../../transforms/enriched/load-transform.ts';

export interface BuildWords {
  /** Default: the run date. */
  readonly firstDay?: Day;
  readonly outputs?: TaskContext['outputs'];
  readonly loadTransform?: LoadTransform;
  readonly dims?: readonly string[];
  readonly tables?: readonly string[];
}

export class EnrichedLake {
  readonly publications: Publications;
  readonly files: LakeFiles;
  readonly notes: string[] = [];
  readonly #session: DuckDbSession;
  readonly #folder: string;
  #step = 0;

  /** @param store a local folder unless the test needs a faster one */
  constructor(
    session: DuckDbSession,
    folder: string,
    store: ObjectStore = openLocalStore({ root: join(folder, 'lake') }),
  ) {
    this.publications = openPublications({ store, pipeline: 'test', clock: { now: () => 0 } });
    this.files = createLakeFiles(store);
    this.#session = session;
    this.#folder = folder;
  }

  /** Publishes the queries' rows as the whole tables of a layer, partitioned by `key`; equal rows give equal partitions. */
  async publishTables(
    layer: PublishedLayer,
    tables: { readonly [table: string]: string },
    key: (table: string) => string = () => 'ingestion_dt',
  ): Promise<void> {
    this.#step += 1;
    const runId = `source-${this.#step}`;
    const staged: StagedTable[] = [];
    for (const [table, query] of Object.entries(tables)) {
      const columns = await this.#columns(query);
      const written = await writePartitions(this.#session, {
        query,
        columns,
        partitionKey: key(table),
        orderBy: columns.map((column) => column.name),
        folder: join(this.#folder, runId, table),
      });
      const staging = this.publications.staging('source', runId, table, 1);
      const partitions = await stagePartitions(staging, layer, table, written);
      staged.push({ ...SOURCE, layer, table, columns, partitionKey: key(table), partitions });
    }
    await this.publications.publish({ ...REQUEST, layer, dagId: 'source', runId, tables: staged });
  }

  /** Builds one table for the run date and publishes it. */
  async build(transform: TransformSpec, runDate: Day, words: BuildWords = {}): Promise<StagedTable> {
    const staged = await this.stage(transform, runDate, words);
    await this.publications.publish({
      ...REQUEST,
      layer: 'enriched',
      dagId: 'dag',
      runId: `run-${this.#step}`,
      tables: [staged],
    });
    return staged;
  }

  async stage(transform: TransformSpec, runDate: Day, words: BuildWords = {}): Promise<StagedTable> {
    this.#step += 1;
    const tempDir = join(this.#folder, `task-${this.#step}`);
    await mkdir(tempDir, { recursive: true });
    const handler = createBuildEnrichedHandler({
      lake: this.files,
      publications: this.publications,
      duckdb: { memoryLimit: '1GB', threads: 2 },
      projectRoot: this.#folder,
      ...(words.loadTransform ? { loadTransform: words.loadTransform } : {}),
    });
    const firstDay = words.firstDay ?? runDate;
    const note = (message: string) => {
      this.notes.push(message);
    };
    const output: TaskOutput = await handler({
      spec: specWith(transform, words),
      task: buildTask(transform.name),
      run: {
        dagId: 'dag',
        runId: `run-${this.#step}`,
        interval: intervalOfDays(firstDay, runDate, 'UTC'),
        firstDay,
        runDate,
        conf: {},
      },
      tryNumber: 1,
      outputs: words.outputs ?? {},
      log: { debug: note, info: note, warn: note, error: note },
      signal: new AbortController().signal,
      tempDir,
      holdTimeout: () => {},
    });
    if (output.kind !== 'staged') throw new Error(`the handler gave ${output.kind}`);
    return output.staged;
  }

  /** Query text of what readers see of an enriched table. */
  async published(table: string): Promise<string> {
    const paths = await this.files.localPaths(await this.publications.files('enriched', table));
    return `SELECT * FROM read_parquet([${paths.map((path) => `'${path}'`).join(', ')}], hive_partitioning = false)`;
  }

  async #columns(query: string): Promise<readonly ColumnSchema[]> {
    return (await this.#session.describe(query)).map(({ name, type }) => {
      const known = columnTypeOf(type);
      if (!known) throw new Error(`${name} is ${type}`);
      return { name, type: known };
    });
  }
}

const REQUEST = { interval: { startMs: 0, endMs: 86_400_000 }, reportDigest: null, verdict: null } as const;

const SOURCE = {
  primaryKey: [],
  unchanged: false,
  removed: [],
  replacesAll: true,
  account: EMPTY_ACCOUNT,
  quarantine: [],
  buildCounts: {},
  inputs: {},
  logicFingerprint: 'source',
  state: {},
} as const;

function buildTask(table: string): Task {
  return {
    id: `enriched_silver.${table}`,
    kind: 'build',
    layer: 'enriched',
    tables: [table],
    group: 'enriched_silver',
    upstream: [],
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    pool: 'default',
    priority: 0,
    params: {},
  };
}

const NOWHERE = { file: 'pipeline.yml', line: 1, column: 1 };

/** Names alone matter to the build. */
function specWith(transform: TransformSpec, { dims = [], tables = [] }: BuildWords): Spec {
  return {
    pipeline: 'test',
    owner: '',
    params: {},
    timezone: 'UTC',
    nullValues: [],
    maxQuarantinePct: 5,
    maxRowLossPct: 1,
    reportDir: 'reports',
    tables: tables.map((name) => ({ name, location: NOWHERE }) as TableSpec),
    dims: dims.map(
      (name): DimSpec => ({
        name,
        snapshotPartitionKey: 'snapshot_dt',
        primaryKey: [],
        freshnessHours: 24,
        where: null,
        checks: [],
        location: NOWHERE,
      }),
    ),
    transforms: [transform],
    marts: [],
    dags: [],
    folder: 'specs/test',
    fingerprint: 'spec',
  };
}
