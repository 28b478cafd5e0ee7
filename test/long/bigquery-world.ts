/** A BigQuery stand-in on a free port over a folder of buckets, and Google's own client that talks to it. */
import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import { serve } from '@hono/node-server';
import type { Clock, Logger } from '../../core/ports.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { openBigQueryApi } from '../../sandbox/bigquery/bigquery-api.ts';
import type { Limits } from '../../sandbox/bigquery/quotas.ts';
import type { BucketObject, Buckets, Fault, Faults } from '../../sandbox/ports.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

// The client looks for a machine of Google's otherwise, and warns that there is none.
process.env.METADATA_SERVER_DETECTION = 'none';

export const PROJECT = 'test-project';
/** 2025-10-15 12:00 UTC. */
export const NOON = Date.UTC(2025, 9, 15, 12);

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface World {
  readonly url: string;
  readonly client: BigQuery;
  readonly clock: Clock & { nowMs: number };
  readonly folder: string;
  /** What the next job of an operation (`job.load`) ends with. */
  readonly faults: Map<string, Fault>;
  /** Rows of a DuckDB query as a Parquet object; its `gs://` address. */
  parquet(name: string, query: string): Promise<string>;
  /** Raw call below `/bigquery/v2/projects/test-project`. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Inserts a job, waits for it, and gives its resource. */
  job(configuration: object, id?: string, location?: string): Promise<JobAnswer>;
  /** A table of dataset `shop`. */
  makeTable(tableId: string, body: object): Promise<void>;
  /** Rows of a query as arrays of texts, in its order. */
  rows(query: string): Promise<readonly (readonly unknown[])[]>;
  /** The service ends and begins again on the same folder. */
  restart(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a JSON answer, of which each test reads what it is about.
  readonly body: any;
}

// biome-ignore lint/suspicious/noExplicitAny: a job resource, of which each test reads what it is about.
export type JobAnswer = any;

export async function withBigQuery(
  work: (world: World) => Promise<void>,
  options: { readonly limits?: Partial<Limits> } = {},
): Promise<void> {
  await withTempFolder(async (folder) => {
    const clock = { nowMs: NOON, now: () => clock.nowMs };
    const faults = new Map<string, Fault>();
    const open = (port: number): Promise<Running> =>
      start({ folder, clock, faults, port, limits: options.limits ?? {} });
    let running = await open(0);
    const { port } = running;
    const url = `http://127.0.0.1:${port}`;
    try {
      await work(
        worldOf({ folder, clock, faults, url }, async () => {
          await running.stop();
          running = await open(port);
        }),
      );
    } finally {
      await running.stop();
    }
  });
}

interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

async function start(options: {
  readonly folder: string;
  readonly clock: Clock;
  readonly faults: Map<string, Fault>;
  readonly port: number;
  readonly limits: Partial<Limits>;
}): Promise<Running> {
  const faults: Faults = {
    next: (_service, operation) => {
      const fault = options.faults.get(operation) ?? null;
      options.faults.delete(operation);
      return fault;
    },
  };
  const buckets = folderBuckets(join(options.folder, 'buckets'));
  const api = await openBigQueryApi({
    folder: join(options.folder, 'bigquery'),
    buckets,
    faults,
    clock: options.clock,
    log: SILENT,
    baseUrl: () => 'http://127.0.0.1',
    limits: options.limits,
  });
  const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
    const started = serve({ fetch: api.app.fetch, hostname: '127.0.0.1', port: options.port }, () => resolve(started));
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
      await api.close();
    },
  };
}

function worldOf(
  { folder, clock, faults, url }: Pick<World, 'folder' | 'clock' | 'faults' | 'url'>,
  restart: () => Promise<void>,
): World {
  const client = new BigQuery({ projectId: PROJECT, apiEndpoint: url, autoRetry: false });
  const call: World['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}/bigquery/v2/projects/${PROJECT}${path}`, {
      method,
      headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
  return {
    url,
    client,
    clock,
    folder,
    faults,
    call,
    restart,
    parquet: async (name, query) => {
      const path = join(folder, 'buckets', 'lake', name);
      await mkdir(dirname(path), { recursive: true });
      await using session = await DuckDbSession.open();
      await session.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`);
      return `gs://lake/${name}`;
    },
    job: async (configuration, id, location) => {
      const jobReference = { projectId: PROJECT, ...(id ? { jobId: id } : {}), ...(location ? { location } : {}) };
      const inserted = await call('POST', '/jobs', { jobReference, configuration });
      if (inserted.status !== 200) return inserted.body;
      const { jobId, location: at } = inserted.body.jobReference;
      for (;;) {
        const { body } = await call('GET', `/jobs/${jobId}?location=${at}`);
        if (body.status.state === 'DONE') return body;
      }
    },
    makeTable: async (tableId, body) => {
      const { status, body: answer } = await call('POST', '/datasets/shop/tables', {
        tableReference: tableRef(tableId),
        ...body,
      });
      if (status !== 200) throw new Error(answer.error.message);
    },
    rows: async (query) => {
      const { status, body } = await call('POST', '/queries', { query, useLegacySql: false });
      if (status !== 200) throw new Error(`${body.error.errors[0].reason}: ${body.error.message}`);
      return (body.rows ?? []).map((row: { f: { v: unknown }[] }) => row.f.map((cell) => cell.v));
    },
  };
}

/** Each bucket a folder, each object a file in it. */
export function folderBuckets(root: string): Buckets {
  return {
    match: async (bucket, pattern) => {
      const folder = join(root, bucket);
      const paths = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
      const [head = '', tail] = pattern.split('*');
      const isMeant = (name: string): boolean =>
        tail === undefined ? name === pattern : name.startsWith(head) && name.endsWith(tail);
      const found: BucketObject[] = [];
      for (const name of paths.filter(isMeant).sort()) {
        const localPath = join(folder, name);
        const info = await stat(localPath);
        if (info.isFile()) found.push({ name, localPath, sizeBytes: info.size });
      }
      return found;
    },
    put: async (bucket, name, localPath) => {
      const path = join(root, bucket, name);
      await mkdir(dirname(path), { recursive: true });
      await rename(localPath, path).catch(() => copyFile(localPath, path));
    },
  };
}

/** A destination for configurations. */
export function tableRef(
  tableId: string,
  datasetId = 'shop',
): { projectId: string; datasetId: string; tableId: string } {
  return { projectId: PROJECT, datasetId, tableId };
}

export function reasonOf(job: JobAnswer): string | undefined {
  return job.status?.errorResult?.reason ?? job.error?.errors?.[0]?.reason;
}

export function messageOf(job: JobAnswer): string {
  return job.status?.errorResult?.message ?? job.error?.message ?? '';
}
