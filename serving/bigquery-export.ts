/** A built mart in BigQuery -> canonical Parquet on this machine, one file a partition, the same bytes for the same rows. */
import { PipelineError } from '../core/errors.ts';
import type { ObjectStore, Warehouse, WarehouseTableDef, WarehouseUse } from '../core/ports.ts';
import { DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { identifiers } from '../engine/sql-text.ts';
import { writePartitions } from '../engine/write-partitions.ts';
import type { BigQueryClient } from './bigquery-client.ts';
import { jobIdOf } from './bigquery-job-ids.ts';
import type { BigQueryJobs } from './bigquery-jobs.ts';
import type { BigQueryLedger } from './bigquery-ledger.ts';
import type { BuildRecord } from './bigquery-ledger-entries.ts';
import type { BigQueryJob } from './bigquery-resources.ts';
import type { BigQueryTables } from './bigquery-tables.ts';
import { columnSchemas, displayName } from './duckdb-tables.ts';

export interface ExportOptions {
  readonly client: BigQueryClient;
  readonly jobs: BigQueryJobs;
  readonly ledger: BigQueryLedger;
  readonly tables: BigQueryTables;
  readonly store: ObjectStore;
  readonly use: WarehouseUse;
}

type Exported = Awaited<ReturnType<Warehouse['exportBuilt']>>;

/**
 * An extract job writes below `_export/<job>/` of the lake; the objects are read, written anew with declared types in the order of
 * all columns, and deleted.
 *
 * @throws PipelineError `state_conflict` where nothing is built
 */
export async function exportBuiltMart(
  options: ExportOptions,
  def: WarehouseTableDef,
  folder: string,
): Promise<Exported> {
  const { ledger, tables, store, use } = options;
  const build = (await ledger.read(tables.ref(def)))?.build ?? null;
  if (build?.state !== 'built') throw nothingBuilt(def);
  if (Object.keys(build.partitions).length === 0) return [];
  const prefix = await extract(options, def, build);
  try {
    const paths: string[] = [];
    for await (const { key } of store.list(prefix)) paths.push(await store.localPath(key));
    await using session = await DuckDbSession.open({ signal: use.signal, tempDir: use.tempDir });
    const columns = columnSchemas(def);
    const names = columns.map(({ name }) => name);
    const written = await writePartitions(session, {
      query: `SELECT ${identifiers(names)} FROM read_parquet(${fileList(paths)}, hive_partitioning = false)`,
      columns,
      partitionKey: def.partitionKey,
      orderBy: names,
      folder,
    });
    return written.map(({ value, localPath, rows }) => ({ partition: value, localPath, rows }));
  } finally {
    for await (const { key } of store.list(prefix)) await store.delete(key);
  }
}

/** Prefix of the objects that the job wrote. */
async function extract(options: ExportOptions, def: WarehouseTableDef, build: BuildRecord): Promise<string> {
  const { client, jobs, tables, store } = options;
  const staging = tables.stagingRef(build.stagingTable);
  const jobId = jobIdOf({
    kind: 'extract',
    project: client.projectId,
    location: client.location,
    table: displayName(def),
    turns: [{ epoch: build.token, after: null }],
    content: build.identity,
    words: [def.table],
  });
  const prefix = `_export/${jobId}/`;
  await jobs.run({
    jobId,
    kind: 'extract',
    table: `${staging.datasetId}.${staging.tableId}`,
    what: `export mart ${def.table}`,
    configuration: {
      extract: {
        sourceTable: staging,
        destinationUris: [store.uri(`${prefix}part-*.parquet`)],
        destinationFormat: 'PARQUET',
        compression: 'SNAPPY',
      },
    },
    // An earlier try may have taken its objects away again.
    isUsable: async (job) => (await countObjects(store, prefix)) === filesOf(job),
  });
  return prefix;
}

async function countObjects(store: ObjectStore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _object of store.list(prefix)) count += 1;
  return count;
}

function filesOf(job: BigQueryJob): number {
  return Number(job.statistics?.extract?.destinationUriFileCounts?.[0] ?? -1);
}

function nothingBuilt(def: WarehouseTableDef): PipelineError {
  return new PipelineError(
    'state_conflict',
    `Nothing is built for ${displayName(def)}: another run has taken or replaced it. No mart was changed. Clear the task that builds it.`,
    { context: { table: displayName(def) } },
  );
}
