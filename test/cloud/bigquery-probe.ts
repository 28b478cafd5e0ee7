/** A place with one table of sales -> the few calls that a question to the service is made of. */
import { strict as assert } from 'node:assert';
import { setTimeout as wait } from 'node:timers/promises';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { type BigQueryPlace, type CloudAccount, request, withBigQueryPlace } from './bigquery-place.ts';

export const SALES: WarehouseTableDef = {
  dataset: 'enriched',
  table: 'sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'product', type: 'int64' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: '',
};

export interface Job {
  readonly jobReference?: { readonly jobId?: string };
  readonly status?: {
    readonly state?: string;
    readonly errorResult?: { readonly reason?: string; readonly message?: string };
  };
  readonly statistics?: { readonly endTime?: string; readonly query?: { readonly totalBytesProcessed?: string } };
}

/** A place with the table, and the few calls that the probes are made of. */
export class Probe {
  readonly place: BigQueryPlace;
  readonly enriched: string;

  constructor(place: BigQueryPlace) {
    this.place = place;
    this.enriched = place.dataset('enriched');
  }

  at(tableId: string): object {
    return { projectId: this.place.account.projectId, datasetId: this.enriched, tableId };
  }

  /** The job at its end, whatever that is. @throws what the service says where it takes no job */
  async job(configuration: object, jobId?: string): Promise<Job> {
    const { client, account } = this.place;
    const reference = { projectId: account.projectId, location: account.location };
    let job = await request<Job>(
      client,
      'POST',
      '/jobs',
      {},
      { configuration, jobReference: jobId === undefined ? reference : { ...reference, jobId } },
    );
    while (job.status?.state === 'PENDING' || job.status?.state === 'RUNNING') {
      await wait(200);
      job = await request<Job>(client, 'GET', `/jobs/${job.jobReference?.jobId}`, { location: account.location });
    }
    return job;
  }

  query(query: string, more: object = {}, jobId?: string): Promise<Job> {
    return this.job({ query: { query, useLegacySql: false, ...more } }, jobId);
  }

  load(sourceUris: readonly string[], more: object = {}): Promise<Job> {
    return this.job({
      load: { destinationTable: this.at('sales'), sourceUris, sourceFormat: 'PARQUET', ...more },
    });
  }

  async file(...rows: readonly (readonly [day: string, product: number])[]): Promise<string> {
    const query = rows.map(([day, product]) => `SELECT DATE '${day}' AS day, ${product}::BIGINT AS product`);
    return (await this.place.stage(SALES, '', query.join(' UNION ALL '))).shown;
  }

  fill(): Promise<unknown> {
    return this.place.query(
      `INSERT INTO ${this.enriched}.sales (day, product) VALUES (DATE '2025-01-01', 1), (DATE '2025-01-02', 2)`,
    );
  }

  async products(): Promise<string> {
    const rows = await this.place.read('SELECT product FROM enriched.sales ORDER BY product');
    return rows.map(({ product }) => product).join();
  }

  async sales(): Promise<Record<string, unknown>> {
    const [metadata] = await this.place.client.dataset(this.enriched).table('sales').getMetadata();
    return metadata as Record<string, unknown>;
  }

  patch(changes: object, headers: { readonly [name: string]: string } = {}): Promise<Record<string, unknown>> {
    const uri = `/datasets/${this.enriched}/tables/sales`;
    return request(this.place.client, 'PATCH', uri, {}, changes, headers);
  }
}

export const rejectsWith =
  (code: number, reason: string) =>
  (thrown: unknown): boolean => {
    const { code: found, errors } = thrown as { code?: number; errors?: readonly { reason?: string }[] };
    assert.equal(`${found} ${errors?.[0]?.reason}`, `${code} ${reason}`);
    return true;
  };

/** The table is there, and empty. */
export function withProbe(
  account: CloudAccount,
  names: { readonly name: string; readonly prefix: string },
  work: (probe: Probe) => Promise<void>,
): Promise<void> {
  return withBigQueryPlace(account, names, async (place) => {
    await (await place.open()).ensureTable(SALES);
    await work(new Probe(place));
  });
}
