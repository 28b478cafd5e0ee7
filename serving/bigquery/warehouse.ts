/** The warehouse port on BigQuery: what is loaded is what the ledger in the lake says, and every change is a job with a derived id. */
import type {
  BuiltMart,
  Clock,
  LakeObjects,
  MartBuild,
  ObjectStore,
  Warehouse,
  WarehouseTableDef,
  WarehouseUse,
} from '../../core/ports.ts';
import type { DataPartition, LoadReceipt, PublishedLayer, WarehouseJob } from '../../core/types.ts';
import { BigQueryClient } from './client.ts';
import { exportBuiltMart } from './export.ts';
import { BigQueryJobs } from './jobs.ts';
import { labelsOf } from './labels.ts';
import { BigQueryLedger } from './ledger.ts';
import { entriesOf, loadedFingerprints } from './ledger-entries.ts';
import { loadIntoTable } from './loads.ts';
import { buildMartTable } from './marts.ts';
import { swapBuiltMarts } from './swap.ts';
import { BigQueryTables } from './tables.ts';
import { TimeoutHold } from './timeout-hold.ts';

export interface BigQueryWarehouseOptions {
  readonly projectId: string;
  /** Absolute path of a service account key or workload identity file; null: what Google's clients find by themselves. */
  readonly keyFile: string | null;
  /** Of a server that speaks BigQuery's API; null: Google's. */
  readonly endpoint: string | null;
  readonly location: string;
  /** Dataset id of a layer; `staging` holds what is built and not yet visible. */
  readonly dataset: (layer: PublishedLayer | 'staging') => string;
  readonly environment: string;
  readonly lake: LakeObjects;
  /** The lake's store: holds the ledger of what is loaded, and extracts on their way. */
  readonly store: ObjectStore;
  readonly maximumBytesBilled: number | null;
  readonly reservation: string | null;
  readonly swap: 'transaction' | 'copy';
  /** US dollars for 2^40 bytes that a query reads. */
  readonly pricePerTib: number;
  readonly parallelJobs: number;
  readonly clock: Clock;
  readonly use: WarehouseUse;
  /** Pauses before the first repeat of a request and between the first looks at a running job; they grow. Default 500 and 25. */
  readonly firstRetryMs?: number;
  readonly firstPollMs?: number;
  /** How long one answer may take. Default a minute. */
  readonly answerMs?: number;
}

/** What the parts share; each takes of it what it needs. */
interface Parts extends BigQueryWarehouseOptions {
  readonly client: BigQueryClient;
  readonly jobs: BigQueryJobs;
  readonly hold: TimeoutHold;
  readonly ledger: BigQueryLedger;
  readonly tables: BigQueryTables;
}

/** Nothing is asked of BigQuery yet; several processes may have it open. */
export async function openBigQueryWarehouse(options: BigQueryWarehouseOptions): Promise<Warehouse> {
  const { use, environment, store, clock } = options;
  const labels = labelsOf({
    run_id: use.run.runId,
    dag: use.run.dagId,
    task: use.task.id,
    layer: use.task.layer ?? 'none',
    table: use.task.tables[0] ?? 'none',
    env: environment,
  });
  const client = new BigQueryClient({ ...options, signal: use.signal, log: use.log });
  const hold = new TimeoutHold(use);
  const jobs = new BigQueryJobs({ ...options, client, hold, labels });
  const ledger = new BigQueryLedger({ store, clock, use, backOff: (attempt, key) => client.backOff(attempt, key) });
  const tables = new BigQueryTables({ client, dataset: options.dataset, environment, labels });
  return new BigQueryWarehouse({ ...options, client, jobs, hold, ledger, tables });
}

class BigQueryWarehouse implements Warehouse {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async loaded(dataset: WarehouseTableDef['dataset'], table: string): Promise<ReadonlyMap<string, string> | 'absent'> {
    const { ledger, tables } = this.#parts;
    const [live, known] = await Promise.all([
      tables.get({ dataset, table }),
      ledger.read(tables.ref({ dataset, table })),
    ]);
    return live === null ? 'absent' : loadedFingerprints(entriesOf(known, live.creationTime));
  }

  async ensureTable(def: WarehouseTableDef): Promise<void> {
    await this.#parts.tables.ensure(def);
  }

  loadPartitions(
    def: WarehouseTableDef,
    partitions: readonly DataPartition[],
    removed: readonly string[],
  ): Promise<readonly LoadReceipt[]> {
    return loadIntoTable(this.#parts, def, partitions, removed);
  }

  buildMart(build: MartBuild): Promise<BuiltMart> {
    return buildMartTable(this.#parts, build);
  }

  /** Rows are ordered by all columns, in the order in which the definition names them. */
  exportBuilt(
    def: WarehouseTableDef,
    folder: string,
  ): Promise<readonly { readonly partition: string; readonly localPath: string; readonly rows: number }[]> {
    return exportBuiltMart(this.#parts, def, folder);
  }

  swapMarts(
    builds: Parameters<Warehouse['swapMarts']>[0],
    removed: { readonly [table: string]: readonly string[] },
  ): Promise<void> {
    return swapBuiltMarts(this.#parts, builds, removed);
  }

  jobs(): readonly WarehouseJob[] {
    return this.#parts.jobs.list();
  }

  /** Nothing is held: jobs that a cancel left behind go on, and the next opening adopts them. */
  async close(): Promise<void> {}
}
