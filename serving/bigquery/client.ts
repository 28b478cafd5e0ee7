/** Project, endpoint and credentials -> the few calls that are made of BigQuery, sent again by reason, ended by a cancel. */
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { BigQuery, type BigQueryOptions } from '@google-cloud/bigquery';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { Logger } from '../../core/ports.ts';
import { BigQueryFaultError, backoffMs, credentialsFaultOf, decideFault, faultOf, NotAnAnswerError } from './errors.ts';
import type { BigQueryDataset, BigQueryJob, BigQueryTable, TableRef } from './resources.ts';

export interface BigQueryClientOptions {
  readonly projectId: string;
  readonly keyFile: string | null;
  readonly endpoint: string | null;
  readonly location: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Pause before the first repeat of a failed request. Default 500 ms. */
  readonly firstRetryMs?: number;
  /** How long one answer, or a token, may take. Default a minute; what takes longer is a job, and is looked at again and again. */
  readonly answerMs?: number;
}

type Row = { readonly [column: string]: string | null };

interface Call<T> {
  /** For messages: `load enriched.sales`. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly uri: string;
  readonly query?: { readonly [key: string]: string | number };
  readonly body?: object;
  readonly headers?: { readonly [key: string]: string };
  /** The call is made although the task is cancelled. */
  readonly evenIfCancelled?: boolean;
  /** Whether it is what BigQuery answers; a page of a proxy, or nothing at all, is not. */
  readonly isAnswer?: (answer: Partial<T>) => boolean;
}

const MAX_SENDS = 8;
const ANSWER_MS = 60_000;
/** Of repeats of one request. */
const PATIENCE_MS = 3 * 60_000;

/**
 * @throws BigQueryFaultError with BigQuery's reason, or `warehouse_unavailable` after repeats; `task_cancelled`
 */
export class BigQueryClient {
  readonly projectId: string;
  readonly location: string;
  readonly firstRetryMs: number;
  readonly #client: BigQuery;
  readonly #sendsCredentials: boolean;
  readonly #answerMs: number;
  readonly #signal: AbortSignal;
  readonly #log: Logger;

  constructor(options: BigQueryClientOptions) {
    const { projectId, keyFile, endpoint, location, signal, log, firstRetryMs, answerMs } = options;
    this.projectId = projectId;
    this.location = location;
    this.firstRetryMs = firstRetryMs ?? 500;
    this.#answerMs = answerMs ?? ANSWER_MS;
    this.#signal = signal;
    this.#log = log;
    this.#sendsCredentials = endpoint === null || isGoogles(endpoint);
    const apiEndpoint = endpoint ?? 'https://bigquery.googleapis.com';
    const credentials = keyFile === null ? {} : { keyFilename: keyFile };
    // Repeats are decided here by reason: the client's own would send what a quota or a 412 must stop.
    this.#client = new BigQuery({
      projectId,
      location,
      retryOptions: { autoRetry: false },
      apiEndpoint,
      ...(this.#sendsCredentials ? credentials : { authClient: WITHOUT_CREDENTIALS }),
    });
    // The client would take BIGQUERY_EMULATOR_HOST instead, whatever the settings are.
    this.#client.baseUrl = `${apiEndpoint}/bigquery/v2`;
  }

  /** A job's configuration under an id of ours; the answer may already be its end. */
  insertJob(what: string, jobId: string, configuration: object): Promise<BigQueryJob> {
    return this.#send({
      what,
      method: 'POST',
      uri: '/jobs',
      body: { configuration, jobReference: { projectId: this.projectId, jobId, location: this.location } },
      isAnswer: isJob(jobId),
    });
  }

  /** What a query would read and give, without running it. Free. */
  dryRun(what: string, configuration: object): Promise<BigQueryJob> {
    return this.#send({
      what,
      method: 'POST',
      uri: '/jobs',
      body: {
        configuration: { ...configuration, dryRun: true },
        jobReference: { projectId: this.projectId, location: this.location },
      },
      isAnswer: ({ statistics }) => statistics !== undefined,
    });
  }

  getJob(what: string, jobId: string): Promise<BigQueryJob> {
    const query = { location: this.location };
    return this.#send({ what, method: 'GET', uri: `/jobs/${jobId}`, query, isAnswer: isJob(jobId) });
  }

  async cancelJob(what: string, jobId: string): Promise<void> {
    await this.#send({
      what,
      method: 'POST',
      uri: `/jobs/${jobId}/cancel`,
      query: { location: this.location },
      evenIfCancelled: true,
    });
  }

  /** All rows of a finished query, each value as text. */
  async rows(what: string, jobId: string): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let pageToken: string | undefined;
    do {
      const page: QueryResults = await this.#send({
        what,
        method: 'GET',
        uri: `/queries/${jobId}`,
        query: {
          location: this.location,
          maxResults: 10_000,
          // Of a second call for the same results: nothing but the rows is read from it.
          ...(pageToken === undefined ? {} : { pageToken }),
        },
        isAnswer: ({ jobComplete, pageToken: next }) =>
          jobComplete === true && (next === undefined || next !== pageToken),
      });
      const names = (page.schema?.fields ?? []).map(({ name }) => name);
      for (const { f } of page.rows ?? []) {
        rows.push(Object.fromEntries(names.map((name, index) => [name, f[index]?.v ?? null])));
      }
      pageToken = page.pageToken;
    } while (pageToken !== undefined);
    return rows;
  }

  /** Null where there is none. */
  getDataset(datasetId: string): Promise<BigQueryDataset | null> {
    return orAbsent(
      this.#send({
        what: `look at dataset ${datasetId}`,
        method: 'GET',
        uri: `/datasets/${datasetId}`,
        isAnswer: ({ datasetReference }) => datasetReference !== undefined,
      }),
    );
  }

  async insertDataset(datasetId: string, dataset: object): Promise<void> {
    await this.#send({
      what: `create dataset ${datasetId}`,
      method: 'POST',
      uri: '/datasets',
      body: { datasetReference: { projectId: this.projectId, datasetId }, ...dataset },
    });
  }

  /** Null where the table, or its dataset, is not there; anything that is not known throws. */
  getTable(table: TableRef): Promise<BigQueryTable | null> {
    return orAbsent(
      this.#send({ what: `look at ${shown(table)}`, method: 'GET', uri: uriOf(table), isAnswer: isTable }),
    );
  }

  insertTable(table: TableRef, resource: object): Promise<BigQueryTable> {
    return this.#send({
      what: `create ${shown(table)}`,
      method: 'POST',
      uri: `/datasets/${table.datasetId}/tables`,
      body: { tableReference: table, ...resource },
      isAnswer: isTable,
    });
  }

  /** Throws `precondition_failed` where the table is not of this etag any more. */
  patchTable(table: TableRef, changes: object, etag: string): Promise<BigQueryTable> {
    return this.#send({
      what: `change ${shown(table)}`,
      method: 'PATCH',
      uri: uriOf(table),
      body: changes,
      headers: { 'If-Match': etag },
      isAnswer: isTable,
    });
  }

  /** Also where it is gone already. */
  async deleteTable(table: TableRef): Promise<void> {
    await orAbsent(this.#send({ what: `drop ${shown(table)}`, method: 'DELETE', uri: uriOf(table) }));
  }

  /** A pause that a cancel ends. */
  async pause(ms: number): Promise<void> {
    try {
      await wait(ms, undefined, { signal: this.#signal });
    } catch (cause) {
      throw cancelled(cause);
    }
  }

  /** Pause before repeat `attempt` (from 1) of something that `key` names. */
  async backOff(attempt: number, key: string): Promise<void> {
    const scatter = Number.parseInt(fingerprint([key, attempt]).slice(0, 6), 16) / 0xffffff;
    await this.pause(backoffMs(attempt, this.firstRetryMs, scatter));
  }

  assertNotCancelled(): void {
    if (this.#signal.aborted) throw cancelled(undefined);
  }

  async #send<T>(call: Call<T>): Promise<T> {
    let hasNewToken = false;
    const beganAtMs = performance.now();
    for (let sends = 1; ; sends += 1) {
      if (call.evenIfCancelled !== true) this.assertNotCancelled();
      try {
        return await this.#inTime(call, this.#answer(call));
      } catch (thrown) {
        if (thrown instanceof PipelineError) throw thrown;
        const fault = thrown instanceof WithoutTokenError ? credentialsFaultOf(thrown.cause) : faultOf(thrown);
        // Refused before anything was done: the token ended sooner than was said, or this machine's clock is slow.
        if (fault.httpStatus === 401 && this.#sendsCredentials && !hasNewToken) {
          hasNewToken = true;
          await this.#forgetToken();
          continue;
        }
        const error = new BigQueryFaultError(
          fault,
          { what: call.what, location: this.location },
          { place: 'request', sends, cause: thrown },
        );
        const isSpent = sends === MAX_SENDS || performance.now() - beganAtMs > PATIENCE_MS;
        if (decideFault(fault, 'request').kind !== 'resend' || isSpent) throw error;
        this.#log.debug(`BigQuery: ${call.what}: ${fault.reason}, sent again`, { sends, message: fault.message });
        await this.backOff(sends, `${call.method} ${call.uri} ${call.what}`);
      }
    }
  }

  async #answer<T>(call: Call<T>): Promise<T> {
    await this.#assertToken();
    const answer = await this.#request<T>(call);
    if (call.isAnswer === undefined) return answer;
    if (typeof answer === 'object' && answer !== null && call.isAnswer(answer)) return answer;
    throw new NotAnAnswerError('what came back is no answer of BigQuery');
  }

  /**
   * Of an answer that does not come, or for which a cancelled task does not wait, the connection is left to itself: the client
   * 8.3.1 gives no hold of it, and the time that it can be given passes unheeded.
   */
  async #inTime<T>({ evenIfCancelled }: Call<T>, work: Promise<T>): Promise<T> {
    const settled = new AbortController();
    const options = { signal: settled.signal };
    const ends = [
      wait(this.#answerMs, undefined, options).then(() => {
        throw new Error(`no whole answer within ${this.#answerMs} ms`);
      }),
      ...(evenIfCancelled === true
        ? []
        : [once(this.#signal, 'abort', options).then(() => Promise.reject(cancelled(undefined)))]),
    ];
    for (const end of ends) end.catch(() => {});
    try {
      return await Promise.race([work, ...ends]);
    } finally {
      settled.abort();
    }
  }

  /** The client would do the same, but what it throws then does not tell credentials that are refused from a connection that broke. */
  async #assertToken(): Promise<void> {
    if (!this.#sendsCredentials) return;
    try {
      await this.#client.authClient.getRequestHeaders(this.#client.baseUrl);
    } catch (cause) {
      throw new WithoutTokenError('Google gives no token', { cause });
    }
  }

  async #forgetToken(): Promise<void> {
    const client = await this.#client.authClient.getClient();
    client.setCredentials({ ...client.credentials, expiry_date: 1 });
  }

  #request<T>({ method, uri, query, body, headers }: Call<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#client.request(
        {
          method,
          uri,
          ...(query === undefined ? {} : { qs: query }),
          ...(body === undefined ? {} : { json: body }),
          ...(headers === undefined ? {} : { headers }),
        },
        (error: Error | null, answer: unknown) => {
          if (error) reject(error);
          else resolve(answer as T);
        },
      );
    });
  }
}

interface QueryResults {
  readonly jobComplete?: boolean;
  readonly schema?: { readonly fields?: readonly { readonly name: string }[] };
  readonly rows?: readonly { readonly f: readonly { readonly v: string | null }[] }[];
  readonly pageToken?: string;
}

class WithoutTokenError extends Error {}

const isJob =
  (jobId: string) =>
  ({ jobReference }: Partial<BigQueryJob>): boolean =>
    jobReference?.jobId === jobId;
const isTable = ({ tableReference }: Partial<BigQueryTable>): boolean => tableReference !== undefined;

/** Regional and private addresses of Google's own service. */
function isGoogles(endpoint: string): boolean {
  return /^https:\/\/([a-z0-9-]+\.)*googleapis\.com\/?$/i.test(endpoint);
}

/** For a server of one's own: Google's client would look for credentials, and warn where there are none. */
const WITHOUT_CREDENTIALS = {
  getRequestHeaders: async () => new Headers(),
} as unknown as NonNullable<BigQueryOptions['authClient']>;

const uriOf = ({ datasetId, tableId }: TableRef): string =>
  `/datasets/${datasetId}/tables/${encodeURIComponent(tableId)}`;
const shown = ({ datasetId, tableId }: TableRef): string => `${datasetId}.${tableId}`;

async function orAbsent<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (thrown) {
    // 404 alone says that it is not there; a refusal or a broken connection says nothing.
    if (thrown instanceof BigQueryFaultError && thrown.fault.httpStatus === 404) return null;
    throw thrown;
  }
}

function cancelled(cause: unknown): PipelineError {
  return new PipelineError('task_cancelled', 'The task was cancelled while BigQuery worked for it.', { cause });
}
