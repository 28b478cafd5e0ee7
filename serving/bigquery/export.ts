/** A built mart in BigQuery -> canonical Parquet on this machine, one file a partition, the same bytes for the same rows. */
import { randomUUID } from 'node:crypto';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectInfo, ObjectStore, Warehouse, WarehouseTableDef, WarehouseUse } from '../../core/ports.ts';
import { DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { identifiers } from '../../engine/sql-text.ts';
import { writePartitions } from '../../engine/write-partitions.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import type { BigQueryClient } from './client.ts';
import { BigQueryFaultError } from './errors.ts';
import { jobIdOf } from './job-ids.ts';
import type { BigQueryJobs } from './jobs.ts';
import type { BigQueryLedger } from './ledger.ts';
import type { BuildRecord } from './ledger-entries.ts';
import type { BigQueryTables } from './tables.ts';

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
  const objects: ObjectInfo[] = [];
  for await (const object of store.list(await extract(options, def, build))) objects.push(object);
  try {
    const paths: string[] = [];
    for (const { key, sizeBytes, crc32c } of objects) {
      // Nobody writes there again.
      paths.push(await store.localPath(key, crc32c === null ? undefined : { sizeBytes, crc32c }));
    }
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
    for (const { key } of objects) await store.delete(key);
  }
}

/**
 * Prefix of the objects that the job wrote. Nobody else has it: a second scheduler may export the same build at the same
 * time, and each of the two takes its objects away when it has read them. What a kill leaves, `assay gc` removes.
 */
async function extract(options: ExportOptions, def: WarehouseTableDef, build: BuildRecord): Promise<string> {
  const { client, jobs, tables, store } = options;
  const staging = tables.stagingRef(build.stagingTable);
  const jobId = jobIdOf({
    kind: 'extract',
    project: client.projectId,
    location: client.location,
    table: displayName(def),
    turns: [{ epoch: build.token, after: null }],
    content: [build.identity, randomUUID()],
    words: [def.table],
  });
  const prefix = `_export/${jobId}/`;
  const job = jobs.run({
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
  });
  await job.catch((thrown: unknown) => {
    const isGone = thrown instanceof BigQueryFaultError && thrown.fault.reason === 'notFound';
    throw isGone ? nothingBuilt(def, thrown) : thrown;
  });
  return prefix;
}

function nothingBuilt(def: WarehouseTableDef, cause?: unknown): PipelineError {
  return new PipelineError(
    'state_conflict',
    `Nothing is built for ${displayName(def)}: another run has taken or replaced it. No mart was changed. Clear the task that builds it.`,
    { context: { table: displayName(def) }, cause },
  );
}
