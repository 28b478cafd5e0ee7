/** A folder -> Cloud Storage and BigQuery stand-ins on one local port, with requests failed by rule. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { Clock, Logger } from '../core/ports.ts';
import { openBigQueryApi } from './bigquery/bigquery-api.ts';
import { lockFolder } from './folder-lock.ts';
import { openStorageApi } from './gcs/storage-api.ts';
import type { Faults } from './ports.ts';
import { bigQueryListener, isBigQueryPath } from './serve-bigquery.ts';
import { serveStorage } from './serve-storage.ts';

export { SANDBOX_LIMITS } from './limits.ts';

export interface SandboxOptions {
  /** Where objects and tables lie; one sandbox at a time. */
  readonly folder: string;
  /** An address of this machine itself: `127.0.0.1`, `::1` or `localhost`. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly log: Logger;
  /** For the token loop of a rewrite; left out: an object is rewritten in one call. */
  readonly maxBytesRewrittenPerCall?: number;
}

export interface Sandbox {
  /** What both clients take as `apiEndpoint`. */
  readonly url: string;
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
/** Longer than clients keep an idle connection, so that none is closed just as it is used again. */
const KEEP_ALIVE_MS = 120_000;

/** @throws PipelineError `usage`: not a local address, or the port is taken; `project_locked`: the folder is in use */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  if (!LOOPBACK.has(options.host))
    throw new PipelineError(
      'usage',
      `The sandbox lets anyone in who reaches it, so it listens on this machine only: use 127.0.0.1, not ${options.host}.`,
    );
  const unlock = lockFolder(options.folder);
  try {
    return await start(options, unlock);
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}

async function start(options: SandboxOptions, unlock: () => void): Promise<Sandbox> {
  const { folder, clock, log, faults, maxBytesRewrittenPerCall = null } = options;
  const storage = openStorageApi({ folder: join(folder, 'storage'), clock, log, maxBytesRewrittenPerCall });
  let url = '';
  const bigQuery = await openBigQueryApi({
    folder: join(folder, 'bigquery'),
    buckets: storage.buckets,
    faults,
    clock,
    log,
    baseUrl: () => url,
  });
  const storageServing = serveStorage(storage, faults, log);
  const toBigQuery = bigQueryListener(bigQuery.app, faults, log);
  const server = createServer((incoming, outgoing) =>
    isBigQueryPath(incoming.url ?? '') ? toBigQuery(incoming, outgoing) : storageServing.listener(incoming, outgoing),
  );
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 0;
  try {
    const port = await listen(server, options);
    url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
    return {
      url,
      port,
      close: async () => {
        await closeServer(server);
        await storageServing.idle();
        await bigQuery.close();
        unlock();
      },
    };
  } catch (thrown) {
    await bigQuery.close();
    throw thrown;
  }
}

async function listen(server: Server, { host, port }: SandboxOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown: NodeJS.ErrnoException) => {
      const isTaken = thrown.code === 'EADDRINUSE';
      reject(
        isTaken
          ? new PipelineError('usage', `Port ${port} of ${host} is taken. Choose another with --port.`, {
              cause: thrown,
            })
          : thrown,
      );
    });
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
