/** What the handlers of all resources share. */
import type { Context } from 'hono';
import type { Clock, Logger } from '../../core/ports.ts';
import type { Buckets, Faults } from '../ports.ts';
import { BigQueryError } from './bigquery-error.ts';
import type { Database } from './database.ts';
import type { Jobs } from './jobs.ts';
import type { Quotas } from './quotas.ts';
import { pageToken, rowOfToken } from './wire-rows.ts';

export interface Service {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly quotas: Quotas;
  readonly buckets: Buckets;
  readonly faults: Faults;
  readonly clock: Clock;
  readonly log: Logger;
  /** For files on their way out. */
  readonly folder: string;
  readonly baseUrl: () => string;
}

/** @throws BigQueryError `invalid` */
export async function jsonBody(context: Context): Promise<unknown> {
  const text = await context.req.text();
  try {
    return text === '' ? {} : (JSON.parse(text) as unknown);
  } catch {
    throw new BigQueryError('invalid', 'Invalid JSON payload received.');
  }
}

/** @throws BigQueryError `conditionNotMet` */
export function checkIfMatch(context: Context, etag: string): void {
  const wanted = context.req.header('if-match');
  if (wanted === undefined || wanted === '*') return;
  if (wanted.replace(/^"(.*)"$/, '$1') !== etag)
    throw new BigQueryError('conditionNotMet', 'Precondition check failed.');
}

/** A number of the query string; null where it is left out. @throws BigQueryError `invalid` */
export function numberQuery(context: Context, name: string): number | null {
  const text = context.req.query(name);
  if (text === undefined || text === '') return null;
  if (!/^\d+$/.test(text)) throw new BigQueryError('invalid', `Invalid value for ${name}: ${text}`);
  return Number(text);
}

/** Number of the row or entry at which a page begins. @throws BigQueryError `invalid` */
export function pageStart(context: Context, subject: string): number {
  const token = context.req.query('pageToken');
  if (token === undefined || token === '') return numberQuery(context, 'startIndex') ?? 0;
  const start = rowOfToken(subject, token);
  if (start === null) throw new BigQueryError('invalid', `Invalid page token: ${token}`);
  return start;
}

/** One page of a list, with the token of the next. */
export function pageOf<T>(
  context: Context,
  subject: string,
  all: readonly T[],
): { readonly items: readonly T[]; readonly nextPageToken?: string } {
  const start = pageStart(context, subject);
  const end = start + (numberQuery(context, 'maxResults') ?? 50);
  const items = all.slice(start, end);
  return end < all.length ? { items, nextPageToken: pageToken(subject, end) } : { items };
}

export function wantsInt64Timestamps(context: Context): boolean {
  // Google's client for Python writes `True`.
  return context.req.query('formatOptions.useInt64Timestamp')?.toLowerCase() === 'true';
}

/** @throws BigQueryError `notImplemented` naming the call */
export function notImitated(call: string): never {
  throw new BigQueryError('notImplemented', `The sandbox does not imitate ${call}.`);
}
