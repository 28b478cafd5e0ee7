/** The address of a sandbox that the demo was run on -> what lies in its bucket and datasets, and what must hold of that. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { ObjectStore } from '../../core/ports.ts';
import type { DataFile, Publication } from '../../core/types.ts';
import { createFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { assay } from '../fixtures-support/assay-cli.ts';

/** Of every demo whose outcome is compared. */
export const SIZE = ['--days', '3', '--orders-per-day', '20'];

const LAYERS = ['silver', 'dims', 'enriched', 'gold'] as const;
const PROJECT = 'assay-sandbox';
const BUCKET = 'assay-sandbox';
const PIPELINE = 'ecommerce';

export interface Lake {
  readonly store: ObjectStore;
  readonly publications: Publications;
}

const lakeOn = (store: ObjectStore): Lake => ({
  store,
  publications: openPublications({ store, pipeline: PIPELINE, clock: { now: () => Date.now() } }),
});

export const localLake = (project: string): Lake => lakeOn(openLocalStore({ root: `${project}/data/${PIPELINE}` }));

export const sandboxLake = (url: string, cacheFolder: string): Lake =>
  lakeOn(sandboxStore(url, cacheFolder, `${PIPELINE}/`));

export const sandboxBronze = (url: string, cacheFolder: string): ObjectStore =>
  sandboxStore(url, cacheFolder, `${PIPELINE}/bronze/`);

const sandboxStore = (url: string, cacheFolder: string, prefix: string): ObjectStore =>
  openGcsStore({
    bucket: BUCKET,
    prefix,
    cache: { folder: cacheFolder, maxBytes: 1e9 },
    projectId: PROJECT,
    keyFile: null,
    endpoint: url,
  });

/** What files hold: checksum and size by `gold.fct_x@2025-10-01`. Two runs on the same bronze come to the same. */
export async function visibleContents({ publications }: Lake): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const layer of LAYERS) {
    for (const [table, { partitions }] of Object.entries((await publications.current(layer))?.tables ?? {})) {
      for (const [value, { files }] of Object.entries(partitions)) {
        found[`${layer}.${table}@${value}`] = files.map(({ crc32c, sizeBytes }) => `${crc32c} ${sizeBytes}`).join();
      }
    }
  }
  return found;
}

/** `silver 2 <dag> <days>`, oldest first. */
export async function versionsOf({ publications }: Lake): Promise<readonly string[]> {
  const found: string[] = [];
  for (const layer of LAYERS) {
    const versions: string[] = [];
    for await (const { sequence, dagId, interval } of publications.history(layer)) {
      const days = `${new Date(interval.startMs).toISOString()}/${new Date(interval.endMs).toISOString()}`;
      versions.unshift(`${layer} ${sequence} ${dagId} ${days}`);
    }
    found.push(...versions);
  }
  return found;
}

function* filesOf({ tables }: Publication): Iterable<DataFile> {
  for (const { partitions, quarantine } of Object.values(tables)) {
    for (const { files } of Object.values(partitions)) yield* files;
    for (const files of Object.values(quarantine)) yield* files;
  }
}

/** Every file of every version that is kept, history included, is there with the bytes that were published. */
export async function assertNothingMissing({ store, publications }: Lake): Promise<void> {
  const there = new Map<string, string>();
  for (const area of [...LAYERS, 'quarantine']) {
    for await (const { key, crc32c, sizeBytes } of store.list(`${area}/`)) there.set(key, `${crc32c} ${sizeBytes}`);
  }
  for (const layer of LAYERS) {
    for await (const publication of publications.history(layer)) {
      for (const { key, crc32c, sizeBytes } of filesOf(publication)) {
        assert.equal(there.get(key), `${crc32c} ${sizeBytes}`, `${layer} version ${publication.sequence}: ${key}`);
      }
    }
  }
}

/** What the demo comes to in the environment `local`, where nothing happens to it. */
export interface Undisturbed {
  readonly contents: Readonly<Record<string, string>>;
  readonly versions: readonly string[];
}

export async function undisturbedDemo(project: string): Promise<Undisturbed> {
  const { code, stdout, stderr } = await assay(['demo', project, ...SIZE]);
  assert.equal(code, 0, stdout + stderr);
  const lake = localLake(project);
  return { contents: await visibleContents(lake), versions: await versionsOf(lake) };
}

/** For a project whose commands have all ended: nothing lost, nothing double, nothing left behind, in bucket and BigQuery. */
export async function assertSameAsUndisturbed(
  project: string,
  undisturbed: Undisturbed,
  cacheFolder: string,
): Promise<void> {
  const sandbox = await startSandbox({
    folder: join(project, '.assay/sandbox/cloud'),
    host: '127.0.0.1',
    port: 0,
    faults: createFaults([], 1),
    clock: { now: () => Date.now() },
    log: SILENT,
  });
  try {
    const lake = sandboxLake(sandbox.url, cacheFolder);
    assert.deepEqual(await visibleContents(lake), undisturbed.contents);
    assert.deepEqual(await versionsOf(lake), undisturbed.versions);
    await assertNothingMissing(lake);
    assert.deepEqual(await workDoneTwice(sandbox.url), []);
    assert.deepEqual(await stagingTables(sandbox.url), []);
    await assertWarehouseHoldsThePublished(sandbox.url, lake);
  } finally {
    await sandbox.close();
  }
}

const quiet = (): void => {};
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet };

// ------------------------------------------------------------------ BigQuery

interface Job {
  readonly status: { readonly state: string; readonly errorResult?: { readonly message?: string } };
  readonly configuration: { readonly load?: object; readonly query?: { readonly query?: string } };
  readonly jobReference: { readonly jobId: string };
}

export async function call<T>(url: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${url}/bigquery/v2/projects/${PROJECT}/${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${path}: ${text}`);
  return JSON.parse(text) as T;
}

/** Rows of a query, each as one text. */
export async function rowsOf(url: string, query: string): Promise<readonly string[]> {
  const answer = await call<{ rows?: { f: { v: unknown }[] }[] }>(url, 'queries', {
    query,
    useLegacySql: false,
    timeoutMs: 60_000,
    maxResults: 100_000,
  });
  return (answer.rows ?? []).map(({ f }) => JSON.stringify(f.map(({ v }) => v)));
}

/** How many rows each mart has, all counted by one statement; null while one of them is not there yet. */
export async function countedMarts(url: string, marts: readonly string[]): Promise<readonly number[] | null> {
  const counts = marts.map((mart) => `(SELECT COUNT(*) FROM ${PIPELINE}_gold.${mart})`);
  const answer = await fetch(`${url}/bigquery/v2/projects/${PROJECT}/queries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `SELECT ${counts.join(', ')}`, useLegacySql: false }),
  });
  const text = await answer.text();
  if (answer.status === 404) return null;
  assert.ok(answer.ok, text);
  const { rows } = JSON.parse(text) as { rows: readonly { f: readonly { v: string }[] }[] };
  return (rows[0]?.f ?? []).map(({ v }) => Number(v));
}

/** Each table of enriched and gold in BigQuery has exactly the rows of its published files, none twice. */
export async function assertWarehouseHoldsThePublished(url: string, lake: Lake): Promise<void> {
  const { datasets = [] } = await call<{ datasets?: readonly { datasetReference: { datasetId: string } }[] }>(
    url,
    'datasets',
  );
  if (!datasets.some(({ datasetReference }) => datasetReference.datasetId === 'judge'))
    await call(url, 'datasets', { datasetReference: { datasetId: 'judge', projectId: PROJECT }, location: 'US' });
  for (const layer of ['enriched', 'gold'] as const) {
    const tables = (await lake.publications.current(layer))?.tables ?? {};
    assert.ok(Object.keys(tables).length > 0, `${layer} is empty`);
    for (const [table, { partitions }] of Object.entries(tables)) {
      const live = `${PIPELINE}_${layer}.${table}`;
      const files = Object.values(partitions).flatMap((partition) => partition.files);
      await loadAside(
        url,
        live,
        table,
        files.map(({ key }) => lake.store.uri(key)),
      );
      const [counted] = await rowsOf(
        url,
        `SELECT (SELECT COUNT(*) FROM ${live}), (SELECT COUNT(*) FROM judge.${table}),
           (SELECT COUNT(*) FROM (SELECT * FROM ${live} EXCEPT DISTINCT SELECT * FROM judge.${table})),
           (SELECT COUNT(*) FROM (SELECT * FROM judge.${table} EXCEPT DISTINCT SELECT * FROM ${live}))`,
      );
      const rows = String(files.reduce((sum, file) => sum + file.rows, 0));
      assert.equal(counted, JSON.stringify([rows, rows, '0', '0']), live);
    }
  }
}

async function loadAside(url: string, live: string, table: string, sourceUris: readonly string[]): Promise<void> {
  const [dataset = '', name = ''] = live.split('.');
  const { schema } = await call<{ schema: object }>(url, `datasets/${dataset}/tables/${name}`);
  const job = await finished(
    url,
    await call<Job>(url, 'jobs', {
      configuration: {
        load: {
          destinationTable: { projectId: PROJECT, datasetId: 'judge', tableId: table },
          sourceUris,
          sourceFormat: 'PARQUET',
          writeDisposition: 'WRITE_TRUNCATE',
          schema,
          decimalTargetTypes: ['NUMERIC', 'BIGNUMERIC'],
          parquetOptions: { enableListInference: true },
        },
      },
    }),
  );
  assert.equal(job.status.errorResult, undefined, `${live}: ${job.status.errorResult?.message}`);
}

async function finished(url: string, started: Job): Promise<Job> {
  let job = started;
  while (job.status.state !== 'DONE') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    job = await call<Job>(url, `jobs/${job.jobReference.jobId}`);
  }
  return job;
}

/** Jobs of ours that ended well, though another had done the same: a repeat under a derived id would have found it. */
export async function workDoneTwice(url: string): Promise<readonly string[]> {
  const { jobs = [] } = await call<{ jobs?: readonly Job[] }>(url, 'jobs?maxResults=10000');
  const seen = new Set<string>();
  return jobs.flatMap(({ status, configuration, jobReference: { jobId } }) => {
    if (status.errorResult !== undefined || !jobId.startsWith('assay_')) return [];
    const does = JSON.stringify(configuration.load ?? configuration.query ?? configuration);
    if (seen.has(does)) return [`${jobId}: ${does}`];
    seen.add(does);
    return [];
  });
}

/** Names of tables that builds and loads have left beside. */
export async function stagingTables(url: string): Promise<readonly string[]> {
  const { tables = [] } = await call<{ tables?: readonly { tableReference: { tableId: string } }[] }>(
    url,
    `datasets/${PIPELINE}_staging/tables?maxResults=1000`,
  );
  return tables.map(({ tableReference }) => tableReference.tableId);
}
