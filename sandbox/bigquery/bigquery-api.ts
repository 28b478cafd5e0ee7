/** A folder and the buckets of the sandbox -> BigQuery's REST API v2, as far as our adapter calls it, on DuckDB. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import type { Clock, Logger } from '../../core/ports.ts';
import type { Buckets, Faults } from '../ports.ts';
import { BigQueryError, errorBody, httpStatusOf, protoOf } from './bigquery-error.ts';
import { createCatalog } from './catalog.ts';
import { Database } from './database.ts';
import { datasetRoutes } from './datasets-api.ts';
import { Jobs } from './jobs.ts';
import { jobRoutes } from './jobs-api.ts';
import { LIMITS, type Limits, Quotas } from './quotas.ts';
import { notImitated, type Service } from './service.ts';
import { tableRoutes } from './tables-api.ts';

export interface BigQueryApiOptions {
  /** Where the database lies; made where it is not there. One process at a time. */
  readonly folder: string;
  readonly buckets: Buckets;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where callers reach the service, for links to itself. */
  readonly baseUrl: () => string;
  /** Left out: BigQuery's. */
  readonly limits?: Partial<Limits>;
}

/** `close` waits for the jobs that were taken. */
export async function openBigQueryApi(
  options: BigQueryApiOptions,
): Promise<{ readonly app: Hono; close(): Promise<void> }> {
  await mkdir(options.folder, { recursive: true });
  const database = await Database.open(join(options.folder, 'bigquery.duckdb'));
  await createCatalog(database);
  const jobs = await Jobs.open(database, options.clock, options.log);
  const service: Service = { ...options, database, jobs, quotas: new Quotas({ ...LIMITS, ...options.limits }) };
  return {
    app: routes(service),
    close: async () => {
      await jobs.close();
      await database.close();
    },
  };
}

function routes(service: Service): Hono {
  const app = new Hono();
  datasetRoutes(app, service);
  tableRoutes(app, service);
  jobRoutes(app, service);
  app.all('*', (context) => notImitated(`${context.req.method} ${context.req.path}`));
  app.onError((thrown, context) => {
    if (thrown instanceof BigQueryError) return context.json(errorBody(protoOf(thrown)), httpStatusOf(thrown.reason));
    service.log.error('a BigQuery request failed', { path: context.req.path, error: thrown.stack ?? String(thrown) });
    const error = { reason: 'internalError', message: thrown.message };
    return context.json(errorBody(error), httpStatusOf(error.reason));
  });
  return app;
}
