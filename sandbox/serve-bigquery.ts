/** An HTTP request to the BigQuery stand-in -> its answer on the connection, or the fault that a rule has for it. */
import type { RequestListener } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Logger } from '../core/ports.ts';
import { httpStatusOf } from './bigquery/bigquery-error.ts';
import type { Faults } from './ports.ts';

/** What of the BigQuery stand-in is needed here; a Hono app is one. */
export interface BigQueryApp {
  fetch(request: Request): Response | Promise<Response>;
}

export const isBigQueryPath = (path: string): boolean => path.startsWith('/bigquery/v2/');

export function bigQueryListener(app: BigQueryApp, faults: Faults, log: Logger): RequestListener {
  const listener = getRequestListener(async (request, env) => {
    const { incoming } = env as HttpBindings;
    const operation = bigQueryOperation(request.method, new URL(request.url).pathname);
    const fault = faults.next('bigquery', operation);
    if (fault === null) return app.fetch(request);
    log.info('fault injected', { service: 'bigquery', operation, fault: fault.kind });
    switch (fault.kind) {
      case 'status':
        return refusal(fault.status, REASONS[fault.status] ?? 'backendError');
      case 'reason':
        return refusal(httpStatusOf(fault.reason), fault.reason);
      case 'reset':
        incoming.socket.resetAndDestroy();
        return RESPONSE_ALREADY_SENT;
      case 'lost_reply': {
        const response = await app.fetch(request);
        await response.body?.cancel();
        incoming.socket.resetAndDestroy();
        return RESPONSE_ALREADY_SENT;
      }
      case 'cut_upload':
      case 'wrong_checksum':
        throw new Error('a fault of storage was given to BigQuery');
    }
  });
  return (incoming, outgoing) => {
    listener(incoming, outgoing).catch((thrown: unknown) => {
      log.error('a sandbox request failed', { error: String(thrown) });
      incoming.socket.destroy();
    });
  };
}

/** Behind `/bigquery/v2/projects/<project>/`; `*` stands for one segment. */
const OPERATIONS: readonly (readonly [method: string, pattern: string, operation: string])[] = [
  ['POST', 'queries', 'jobs.query'],
  ['GET', 'queries/*', 'jobs.getQueryResults'],
  ['POST', 'jobs', 'jobs.insert'],
  ['GET', 'jobs', 'jobs.list'],
  ['GET', 'jobs/*', 'jobs.get'],
  ['POST', 'jobs/*/cancel', 'jobs.cancel'],
  ['DELETE', 'jobs/*/delete', 'jobs.delete'],
  ['POST', 'datasets', 'datasets.insert'],
  ['GET', 'datasets', 'datasets.list'],
  ['GET', 'datasets/*', 'datasets.get'],
  ['PATCH', 'datasets/*', 'datasets.patch'],
  ['PUT', 'datasets/*', 'datasets.update'],
  ['DELETE', 'datasets/*', 'datasets.delete'],
  ['POST', 'datasets/*/tables', 'tables.insert'],
  ['GET', 'datasets/*/tables', 'tables.list'],
  ['GET', 'datasets/*/tables/*', 'tables.get'],
  ['PATCH', 'datasets/*/tables/*', 'tables.patch'],
  ['PUT', 'datasets/*/tables/*', 'tables.update'],
  ['DELETE', 'datasets/*/tables/*', 'tables.delete'],
  ['GET', 'datasets/*/tables/*/data', 'tabledata.list'],
  ['POST', 'datasets/*/tables/*/insertAll', 'tabledata.insertAll'],
];

/** The method's name in BigQuery's REST reference; `other` for one that is not in the table. */
export function bigQueryOperation(method: string, path: string): string {
  const asked = path.replace(/^\/bigquery\/v2\/projects\/[^/]+\//, '').split('/');
  const found = OPERATIONS.find(([verb, pattern]) => {
    const parts = pattern.split('/');
    return (
      verb === method && parts.length === asked.length && parts.every((part, i) => part === '*' || part === asked[i])
    );
  });
  return found?.[2] ?? 'other';
}

/** @source BigQuery, "Error messages: error table" (read 2026-11-21) */
const REASONS: { readonly [status: number]: string } = {
  400: 'invalid',
  403: 'rateLimitExceeded',
  404: 'notFound',
  409: 'duplicate',
  412: 'conditionNotMet',
  429: 'rateLimitExceeded',
  500: 'internalError',
  502: 'badGateway',
  503: 'backendError',
};

function refusal(status: number, reason: string): Response {
  const message = `The sandbox was told to fail this request with ${status} ${reason}.`;
  const errors = [{ domain: 'global', reason, message }];
  return Response.json({ error: { code: status, message, errors } }, { status });
}
