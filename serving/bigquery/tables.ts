/** A table's definition -> the dataset and table in BigQuery, created or widened, never narrowed. */
import { PipelineError } from '../../core/errors.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import type { PublishedLayer } from '../../core/types.ts';
import type { BigQueryClient } from './client.ts';
import { BigQueryFaultError } from './errors.ts';
import { type Labels, labelsOf } from './labels.ts';
import type { BigQueryTable, TableRef } from './resources.ts';
import { tableChanges, tableResource } from './schema.ts';

export interface BigQueryTablesOptions {
  readonly client: BigQueryClient;
  readonly dataset: (layer: PublishedLayer | 'staging') => string;
  readonly environment: string;
  /** Of the run; a new table keeps them. */
  readonly labels: Labels;
}

/** Built tables that nobody came back for are gone after this. */
const STAGING_LIFE_MS = 7 * 86_400_000;
const MAX_TRIES = 5;

export class BigQueryTables {
  readonly #options: BigQueryTablesOptions;
  readonly #readyDatasets = new Map<string, Promise<void>>();
  /** Looks that no change has followed yet: the next one begins with what was seen, which is of the same moment. */
  readonly #seen = new Map<string, BigQueryTable | null>();

  constructor(options: BigQueryTablesOptions) {
    this.#options = options;
  }

  ref({ dataset, table }: Pick<WarehouseTableDef, 'dataset' | 'table'>): TableRef {
    return this.#ref(this.#options.dataset(dataset), table);
  }

  stagingRef(table: string): TableRef {
    return this.#ref(this.#options.dataset('staging'), table);
  }

  #ref(datasetId: string, tableId: string): TableRef {
    return { projectId: this.#options.client.projectId, datasetId, tableId };
  }

  /** Null where it does not exist; a look that failed throws. */
  async get(def: Pick<WarehouseTableDef, 'dataset' | 'table'>): Promise<BigQueryTable | null> {
    const live = await this.#options.client.getTable(this.ref(def));
    this.#seen.set(seenKey(def), live);
    return live;
  }

  /**
   * Creates the table, or adds columns, and keeps descriptions, labels, clustering and expiry as the definition says.
   *
   * @returns the table as it stands afterwards
   * @throws PipelineError `warehouse_schema` where the change would lose data
   */
  async ensure(def: WarehouseTableDef): Promise<BigQueryTable> {
    const { client } = this.#options;
    const table = this.ref(def);
    const steady = this.#steadyLabels(def);
    let seen = this.#seen.get(seenKey(def));
    this.#seen.delete(seenKey(def));
    for (let tries = 1; ; tries += 1) {
      const live = seen === undefined ? await client.getTable(table) : seen;
      seen = undefined;
      try {
        if (live === null) {
          await this.ensureDataset(def.dataset);
          return await client.insertTable(table, tableResource(def, { ...this.#options.labels, ...steady }));
        }
        const changes = tableChanges(def, live, steady);
        return changes === null ? live : await client.patchTable(table, changes, live.etag);
      } catch (thrown) {
        // Made, or changed, by another (or by a request of ours whose answer was lost): look again.
        if (!isOvertaken(thrown) || tries === MAX_TRIES) throw thrown;
        await client.backOff(tries, `ensure ${table.tableId}`);
      }
    }
  }

  /** A table of the staging dataset with the columns, and the policy tags, of another. */
  async createStaging(tableId: string, resource: object): Promise<TableRef> {
    const table = this.stagingRef(tableId);
    await this.ensureDataset('staging');
    try {
      await this.#options.client.insertTable(table, { ...resource, labels: this.#options.labels });
    } catch (thrown) {
      if (!isOvertaken(thrown)) throw thrown;
    }
    return table;
  }

  /** Looked at once in an opening. */
  ensureDataset(layer: PublishedLayer | 'staging'): Promise<void> {
    const datasetId = this.#options.dataset(layer);
    const ready = this.#readyDatasets.get(datasetId) ?? this.#ensureDataset(datasetId, layer);
    this.#readyDatasets.set(datasetId, ready);
    return ready;
  }

  async #ensureDataset(datasetId: string, layer: PublishedLayer | 'staging'): Promise<void> {
    const { client, environment } = this.#options;
    const found = await client.getDataset(datasetId);
    if (found !== null) {
      if (found.location === undefined || isSameLocation(found.location, client.location)) return;
      throw new PipelineError(
        'warehouse_rejected',
        `The dataset ${datasetId} lies in ${found.location}, but bigquery.location is ${client.location}. Set bigquery.location to ${found.location}, or name another dataset in bigquery.dataset.`,
        { context: { dataset: datasetId, found: found.location, expected: client.location } },
      );
    }
    try {
      await client.insertDataset(datasetId, {
        location: client.location,
        labels: labelsOf({ layer, env: environment }),
        ...(layer === 'staging' ? { defaultTableExpirationMs: String(STAGING_LIFE_MS) } : {}),
      });
    } catch (thrown) {
      if (!isOvertaken(thrown)) throw thrown;
    }
  }

  #steadyLabels(def: WarehouseTableDef): Labels {
    return labelsOf({ layer: def.dataset, table: def.table, env: this.#options.environment });
  }
}

const seenKey = ({ dataset, table }: Pick<WarehouseTableDef, 'dataset' | 'table'>): string => `${dataset}.${table}`;

function isOvertaken(thrown: unknown): boolean {
  return thrown instanceof BigQueryFaultError && (thrown.fault.httpStatus === 409 || thrown.fault.httpStatus === 412);
}

function isSameLocation(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
