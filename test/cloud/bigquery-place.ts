/** A project and a bucket, anyone's -> a BigQuery warehouse with its lake, in datasets and under a prefix of its own. */
import { join } from 'node:path';
import { BigQuery, type BigQueryOptions } from '@google-cloud/bigquery';
import type { ObjectStore, Warehouse, WarehouseUse } from '../../core/ports.ts';
import { type BigQueryWarehouseOptions, openBigQueryWarehouse } from '../../serving/bigquery/warehouse.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { createLakeFiles } from '../../storage/lake-files.ts';
import type { WarehousePlace } from '../contract/warehouse-contract.ts';
import { textOf } from '../contract/warehouse-files.ts';
import { stageInStore, taskUse } from '../contract/warehouse-use.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

export interface CloudAccount {
  readonly projectId: string;
  readonly bucket: string;
  readonly location: string;
  readonly keyFile: string | null;
  /** Of other servers than Google's; null: Google's. */
  readonly storageEndpoint: string | null;
  readonly bigQueryEndpoint: string | null;
}

export interface BigQueryPlace extends WarehousePlace {
  readonly account: CloudAccount;
  readonly client: BigQuery;
  readonly store: ObjectStore;
  readonly use: WarehouseUse;
  /** Id of a layer's dataset here. */
  dataset(layer: string): string;
  openWith(options: Partial<BigQueryWarehouseOptions>): Promise<Warehouse>;
  /** Runs a statement as a job to its end; rejects where it fails. Gives the rows as text. */
  query(sql: string): Promise<readonly Record<string, string | null>[]>;
}

/** The unmodified client; another server than Google's is sent no credentials, and none are looked for. */
export function bigQueryClient({ projectId, location, keyFile, bigQueryEndpoint }: CloudAccount): BigQuery {
  if (bigQueryEndpoint === null) {
    return new BigQuery({ projectId, location, ...(keyFile === null ? {} : { keyFilename: keyFile }) });
  }
  const client = new BigQuery({
    projectId,
    location,
    apiEndpoint: bigQueryEndpoint,
    authClient: WITHOUT_CREDENTIALS,
    // A server's own faults are told at once.
    retryOptions: { autoRetry: false },
  });
  // bqemulator closes its connection after an answer of 500; a client that keeps it finds it reset.
  client.interceptors.push(ONE_CALL_A_CONNECTION);
  return client;
}

const ONE_CALL_A_CONNECTION = {
  request: (options: { readonly headers?: object }) => ({
    ...options,
    headers: { ...options.headers, connection: 'close' },
  }),
} as unknown as BigQuery['interceptors'][number];

const WITHOUT_CREDENTIALS = {
  getRequestHeaders: async () => new Headers(),
} as unknown as NonNullable<BigQueryOptions['authClient']>;

export function lakeStore(account: CloudAccount, prefix: string, cacheFolder: string): ObjectStore {
  return openGcsStore({
    bucket: account.bucket,
    prefix,
    cache: { folder: cacheFolder, maxBytes: 100_000_000 },
    projectId: account.projectId,
    keyFile: account.keyFile,
    endpoint: account.storageEndpoint,
  });
}

/**
 * Datasets are `<name>_<layer>`, objects lie below `prefix`; both are removed when the work has ended, however it ended.
 *
 * @param name letters, digits, `_`
 */
export async function withBigQueryPlace(
  account: CloudAccount,
  { name, prefix }: { readonly name: string; readonly prefix: string },
  work: (place: BigQueryPlace) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const store = lakeStore(account, prefix, join(folder, 'cache'));
    const done = await Promise.allSettled([work(placeIn(account, name, store, folder))]);
    const cleared = await Promise.allSettled([removeDatasets(account, `${name}_`), removeObjects(store)]);
    // What went wrong first is told: a clean-up that fails after it may only follow from it.
    for (const failure of [...done, ...cleared]) if (failure.status === 'rejected') throw failure.reason;
  });
}

/** All that begin so, with their tables. Gives their ids. */
export async function removeDatasets(account: CloudAccount, beginning: string): Promise<readonly string[]> {
  const [datasets] = await bigQueryClient(account).getDatasets();
  const ours = datasets.filter(({ id }) => id?.startsWith(beginning) === true);
  for (const dataset of ours) await dataset.delete({ force: true });
  return ours.map(({ id }) => id ?? '');
}

/** All of a store; gives how many. */
export async function removeObjects(store: ObjectStore): Promise<number> {
  let count = 0;
  for await (const { key } of store.list('')) {
    await store.delete(key);
    count += 1;
  }
  return count;
}

function placeIn(account: CloudAccount, name: string, store: ObjectStore, folder: string): BigQueryPlace {
  const client = bigQueryClient(account);
  const dataset = (layer: string): string => `${name}_${layer}`;
  const use = taskUse(join(folder, 'temp'));
  const openWith = (options: Partial<BigQueryWarehouseOptions>): Promise<Warehouse> =>
    openBigQueryWarehouse({
      projectId: account.projectId,
      keyFile: account.keyFile,
      endpoint: account.bigQueryEndpoint,
      location: account.location,
      dataset,
      environment: 'test',
      lake: createLakeFiles(store),
      store,
      maximumBytesBilled: null,
      reservation: null,
      swap: 'transaction',
      pricePerTib: 6.25,
      parallelJobs: 4,
      clock: { now: () => Date.now() },
      use,
      ...(account.bigQueryEndpoint === null ? {} : { firstRetryMs: 5, firstPollMs: 5 }),
      ...options,
    });
  const query = (sql: string) => queryRows(client, sql);
  return {
    folder,
    account,
    client,
    store,
    use,
    dataset,
    openWith,
    query,
    open: () => openWith({}),
    read: async (sql) => (await query(sql.replaceAll(LAYER_NAME, (_, layer) => `${dataset(layer)}.`))).map(textOf),
    stage: (def, value, rows) => stageInStore(folder, store, def, value, rows),
    damage: async ({ partition }) => {
      const key = partition.files[0]?.key ?? '';
      await store.delete(key);
      await store.write(key, Buffer.from('cut in half'));
    },
    leftovers: async () => {
      const [tables] = await client.dataset(dataset('staging')).getTables();
      return tables.map(({ id }) => id ?? '');
    },
  };
}

const LAYER_NAME = /\b(enriched|gold|silver|dims)\./g;

interface ResultsPage {
  readonly schema?: { readonly fields?: readonly { readonly name: string }[] };
  readonly rows?: readonly { readonly f: readonly { readonly v: string | null }[] }[];
  readonly pageToken?: string;
}

/** `client.query()` is not used: on bqemulator it resolves with no rows for a statement that failed. */
async function queryRows(client: BigQuery, query: string): Promise<readonly Record<string, string | null>[]> {
  const [job] = await client.createQueryJob({ query });
  await job.getQueryResults();
  const rows: Record<string, string | null>[] = [];
  let pageToken: string | undefined;
  do {
    const page: ResultsPage = await request(client, 'GET', `/queries/${job.id}`, {
      ...(client.location === undefined ? {} : { location: client.location }),
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    const names = (page.schema?.fields ?? []).map((field) => field.name);
    for (const { f } of page.rows ?? []) {
      rows.push(Object.fromEntries(names.map((column, index) => [column, f[index]?.v ?? null])));
    }
    pageToken = page.pageToken;
  } while (pageToken !== undefined);
  return rows;
}

/** A call that the client has no method for, or of whose answer it hides a part. `uri` is behind the project. */
export function request<T>(
  client: BigQuery,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  uri: string,
  qs: { readonly [name: string]: string | number } = {},
  json?: object,
  headers: { readonly [name: string]: string } = {},
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    client.request(
      { method, uri, qs, headers, ...(json === undefined ? {} : { json }) },
      (error: Error | null, answer: unknown) => {
        if (error) reject(error);
        else resolve(answer as T);
      },
    );
  });
}
