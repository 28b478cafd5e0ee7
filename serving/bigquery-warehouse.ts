/** The warehouse port on BigQuery. */
import type { Clock, LakeObjects, ObjectStore, Warehouse, WarehouseUse } from '../core/ports.ts';
import type { PublishedLayer } from '../core/types.ts';

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
}

export async function openBigQueryWarehouse(options: BigQueryWarehouseOptions): Promise<Warehouse> {
  throw new Error(`not written: ${options.projectId}`);
}
