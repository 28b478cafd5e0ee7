/** A sandbox of its own -> a BigQuery warehouse on it, with its lake; what reaches the service can be seen, stopped and altered. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Clock, ObjectStore, Warehouse, WarehouseUse } from '../../core/ports.ts';
import type { Faults } from '../../sandbox/ports.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { type BigQueryWarehouseOptions, openBigQueryWarehouse } from '../../serving/bigquery/warehouse.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { createLakeFiles } from '../../storage/lake-files.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import type { WarehousePlace } from './warehouse-contract.ts';
import { textOf } from './warehouse-files.ts';
import { SILENT, stageInStore, taskUse } from './warehouse-use.ts';

export const PROJECT = 'test-project';

/** A call of the warehouse's client as it reached the service. */
export interface SeenCall {
  readonly method: string;
  /** Behind `/projects/<project>`, without query: `/jobs`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: CallBody | null;
  /** The service's JSON; left out where there was none, or where it was not asked. */
  answer?: unknown;
}

/** The parts of bodies that tests look at. */
export interface CallBody {
  readonly jobReference?: { readonly jobId?: string; readonly location?: string };
  readonly configuration?: {
    readonly dryRun?: boolean;
    readonly labels?: { readonly [key: string]: string };
    readonly reservation?: string;
    readonly load?: { readonly [key: string]: unknown };
    readonly query?: { readonly [key: string]: unknown };
    readonly copy?: { readonly [key: string]: unknown };
    readonly extract?: { readonly [key: string]: unknown };
  };
  readonly [field: string]: unknown;
}

/** What becomes of a call instead of being passed on; undefined: it is passed on. */
export type Intercept = (call: SeenCall) => InterceptAnswer | undefined;
export type InterceptAnswer =
  | { readonly status: number; readonly body: object }
  /** The connection ends: before the service sees the call, or after it has answered. */
  | 'reset'
  | 'lost reply'
  /** The service answers and nothing of it comes back; the connection stays open. */
  | 'stall'
  /** The service never sees the call, and somebody else answers 200. */
  | 'page';

export interface SandboxPlace extends WarehousePlace {
  openWith(options: Partial<BigQueryWarehouseOptions>): Promise<Warehouse>;
  readonly calls: SeenCall[];
  intercept: Intercept;
  readonly store: ObjectStore;
  /** Any call of the service's API, not seen in `calls`. */
  api(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  readonly use: WarehouseUse;
  readonly held: boolean[];
}

const NO_FAULTS: Faults = { next: () => null };
const CLOCK: Clock = { now: () => Date.now() };

export async function withSandboxWarehouse(
  { faults = NO_FAULTS }: { readonly faults?: Faults },
  work: (place: SandboxPlace) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const sandbox = await startSandbox({
      folder: join(folder, 'sandbox'),
      host: '127.0.0.1',
      port: 0,
      faults,
      clock: CLOCK,
      log: SILENT,
    });
    const calls: SeenCall[] = [];
    const watched = await startWatching(sandbox.url, calls, (call) => place.intercept(call));
    const place = await placeOn(folder, sandbox.url, watched.url, calls);
    try {
      await work(place);
    } finally {
      await watched.close();
      await sandbox.close();
    }
  });
}

async function placeOn(folder: string, service: string, watched: string, calls: SeenCall[]): Promise<SandboxPlace> {
  await post(`${service}/storage/v1/b?project=${PROJECT}`, { name: 'lake', location: 'EU' });
  const store = openGcsStore({
    bucket: 'lake',
    prefix: 'test/',
    cache: { folder: join(folder, 'cache'), maxBytes: 100_000_000 },
    projectId: PROJECT,
    keyFile: null,
    endpoint: service,
  });
  const held: boolean[] = [];
  const use = taskUse(join(folder, 'temp'), held);
  const api = (method: string, path: string, body?: object) =>
    call(method, `${service}/bigquery/v2/projects/${PROJECT}${path}`, body);
  const openWith = (options: Partial<BigQueryWarehouseOptions>): Promise<Warehouse> =>
    openBigQueryWarehouse({
      projectId: PROJECT,
      keyFile: null,
      endpoint: watched,
      location: 'EU',
      dataset: (layer) => layer,
      environment: 'test',
      lake: createLakeFiles(store),
      store,
      maximumBytesBilled: null,
      reservation: null,
      swap: 'transaction',
      pricePerTib: 6.25,
      parallelJobs: 4,
      clock: CLOCK,
      use,
      firstRetryMs: 5,
      firstPollMs: 5,
      ...options,
    });
  return {
    folder,
    open: () => openWith({}),
    openWith,
    calls,
    intercept: () => undefined,
    store,
    api,
    use,
    held,
    read: async (query) => {
      const answer = (await api('POST', '/queries', { query, useLegacySql: false, location: 'EU' })) as QueryAnswer;
      const names = answer.schema.fields.map(({ name }) => name);
      return (answer.rows ?? []).map(({ f }) =>
        textOf(Object.fromEntries(names.map((name, index) => [name, f[index]?.v]))),
      );
    },
    stage: (def, value, query) => stageInStore(folder, store, def, value, query),
    damage: async ({ partition }) => {
      const key = partition.files[0]?.key ?? '';
      await store.delete(key);
      await store.write(key, Buffer.from('cut in half'));
    },
    leftovers: async () => {
      const { tables } = (await api('GET', '/datasets/staging/tables')) as TableList;
      return (tables ?? []).map(({ tableReference }) => tableReference.tableId);
    },
  };
}

interface QueryAnswer extends Record<string, unknown> {
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  readonly rows?: readonly { readonly f: readonly { readonly v: string | null }[] }[];
}

interface TableList extends Record<string, unknown> {
  readonly tables?: readonly { readonly tableReference: { readonly tableId: string } }[];
}

async function call(method: string, url: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

const post = (url: string, body: object): Promise<Record<string, unknown>> => call('POST', url, body);

/** Passes every request on to the service, after the test has seen it. */
async function startWatching(
  service: string,
  calls: SeenCall[],
  intercept: Intercept,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    passOn(service, calls, intercept, incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}

async function passOn(
  service: string,
  calls: SeenCall[],
  intercept: Intercept,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const seen: SeenCall = {
    method: incoming.method ?? '',
    path: (incoming.url ?? '').replace(/^\/bigquery\/v2\/projects\/[^/]+/, '').replace(/\?.*$/, ''),
    query: new URL(incoming.url ?? '/', service).searchParams,
    headers: incoming.headers,
    body: text === '' ? null : (JSON.parse(text) as CallBody),
  };
  calls.push(seen);
  const answer = intercept(seen);
  if (answer === 'reset') {
    incoming.socket.destroy();
    return;
  }
  if (answer === 'page') {
    outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please log in</html>');
    return;
  }
  if (typeof answer === 'object') {
    outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    return;
  }
  const ifMatch = incoming.headers['if-match'];
  const response = await fetch(`${service}${incoming.url ?? ''}`, {
    method: seen.method,
    headers: { 'content-type': 'application/json', ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
    ...(text === '' ? {} : { body: text }),
  });
  const body = await response.text();
  if (body !== '') seen.answer = JSON.parse(body);
  if (answer === 'lost reply') {
    incoming.socket.destroy();
    return;
  }
  if (answer === 'stall') return;
  outgoing.writeHead(response.status, { 'content-type': 'application/json' }).end(body);
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
