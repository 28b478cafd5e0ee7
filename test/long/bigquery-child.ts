/** A BigQuery stand-in in a process of its own, to be killed: `node … <folder>` prints its port and serves until then. */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { openBigQueryApi } from '../../sandbox/bigquery/bigquery-api.ts';
import { folderBuckets } from './bigquery-world.ts';

const folder = process.argv[2] ?? '';
const api = await openBigQueryApi({
  folder: join(folder, 'bigquery'),
  buckets: folderBuckets(join(folder, 'buckets')),
  faults: { next: () => null },
  clock: { now: () => Date.now() },
  log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  baseUrl: () => 'http://127.0.0.1',
});
const server = serve({ fetch: api.app.fetch, hostname: '127.0.0.1', port: 0 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
