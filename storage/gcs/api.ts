/** Cloud Storage's JSON API -> single requests, with the credentials that Google's client finds. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Storage } from '@google-cloud/storage';
import type { CloudApi, CloudObject, WriteOrder } from '../cloud/api.ts';
import { copyFault } from '../cloud/copy-fault.ts';
import { CloudFault, connectionFault, kindOfStatus, parseRetryAfter } from '../cloud/fault.ts';
import { createProxyAgents, type HttpProxy } from '../cloud/proxy.ts';
import type { FileDigest } from '../crc32c.ts';
import { byteLength, type HttpAnswer, type HttpRequest, send } from './http.ts';
import { uploadInChunks } from './upload.ts';

const ONE_REQUEST_BYTES = 8 * 1024 * 1024;
const WRITE_ID = 'assay-write-id';
const OBJECT_FIELDS = 'name,size,generation,timeCreated,crc32c';

export interface GcsApiOptions {
  readonly proxy: HttpProxy | null;
  /** For one request and its answer, beside the time of their bytes; for a pause of either; for a token. */
  readonly answerMs: number;
}

/** Of the slowest line that still counts as one: 50 kB/s. */
const BYTES_PER_MS = 50;

/**
 * Google's client finds the credentials and the address; the requests are made here, because the client 7.22.0
 * - deletes the object, without a condition, where the answer to an upload names another checksum,
 * - waits for ever for an answer that is cut short before its announced length,
 * - breaks every connection of the process where a reader leaves a download early,
 * - does not find its way back after the last reply of a resumable upload was lost, nor heeds `Retry-After`.
 *
 * @source measured; https://cloud.google.com/storage/docs/json_api/v1/objects (read 2026-11-21)
 */
export function openGcsApi(storage: Storage, bucket: string, { proxy, answerMs }: GcsApiOptions): CloudApi {
  const objects = `${storage.apiEndpoint}/storage/v1/b/${encodeURIComponent(bucket)}/o`;
  const uploads = `${storage.apiEndpoint}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`;
  const urlOf = (name: string): string => `${objects}/${encodeURIComponent(name)}`;
  const agentFor = createProxyAgents(proxy);
  const usesCredentials = !storage.customEndpoint || storage.useAuthWithCustomEndpoint === true;

  async function ask(
    request: Pick<HttpRequest, 'method' | 'url'> & Partial<HttpRequest>,
    query: { readonly [name: string]: string } = {},
    /** That are expected, where they are many. */
    answerBytes = 0,
  ): Promise<HttpAnswer> {
    const text = new URLSearchParams(query).toString();
    const url = text === '' ? request.url : `${request.url}?${text}`;
    const exchange = async (headers: RequestHeaders): Promise<HttpAnswer> =>
      send({
        ...request,
        url,
        headers: { 'user-agent': 'assay', ...headers, ...request.headers },
        body: request.body ?? [],
        timeoutMs: answerMs + Math.ceil((byteLength(request.body ?? []) + answerBytes) / BYTES_PER_MS),
        silenceMs: answerMs,
        agent: agentFor(url),
      });
    const headers = await authorization(url);
    let answer = await exchange(headers);
    // Refused before anything was done: the token ended sooner than was said, or this machine's clock is slow.
    if (answer.status === 401 && (await forget(headers))) answer = await exchange(await authorization(url));
    if (answer.status >= 200 && answer.status < 300) return answer;
    // Only an unfinished upload answers so; of anything else it would be a redirection, which nobody here follows.
    if (answer.status === 308 && request.method === 'PUT') return answer;
    // Of an upload it is forgotten; of an object Cloud Storage never says so, and it may still be there.
    if (answer.status === 410 && request.method !== 'PUT') throw new CloudFault('transient', faultOf(answer).message);
    throw faultOf(answer);
  }

  async function authorization(url: string): Promise<RequestHeaders> {
    if (!usesCredentials) return {};
    const settled = new AbortController();
    const late = wait(answerMs, undefined, { signal: settled.signal }).then(() => {
      throw new CloudFault('transient', `Google gave no token within ${answerMs} ms`);
    });
    late.catch(() => {});
    try {
      return await Promise.race([storage.authClient.getRequestHeaders(url), late]);
    } catch (thrown) {
      throw credentialsFault(thrown);
    } finally {
      settled.abort();
    }
  }

  /** False where there is no other token to be had. */
  async function forget(headers: RequestHeaders): Promise<boolean> {
    if (!usesCredentials) return false;
    const client = await storage.authClient.getClient();
    const { access_token: token } = client.credentials;
    // Another request may have had a new one meanwhile.
    if (token && Object.values(headers).some((value) => value.endsWith(` ${token}`)))
      client.setCredentials({ ...client.credentials, expiry_date: 1 });
    return true;
  }

  const api: CloudApi = {
    root: `gs://${bucket}/`,
    permissions: {
      read: 'storage.objects.get',
      list: 'storage.objects.list',
      write: 'storage.objects.create and storage.objects.delete',
      delete: 'storage.objects.get and storage.objects.delete',
    },
    oneRequestBytes: ONE_REQUEST_BYTES,

    head: (name) => orNull(async () => objectOf(jsonOf(await ask({ method: 'GET', url: urlOf(name) })))),

    read: (name, part) =>
      orNull(async () => {
        // Without the first of these headers, an object stored as gzip would arrive unpacked and its length be unknown.
        const headers: Record<string, string> = { 'accept-encoding': 'gzip', 'cache-control': 'no-store' };
        if (part !== null) headers.range = `bytes=${part.start}-${part.end - 1}`;
        const wanted = part?.generation ?? null;
        const query = { alt: 'media', ...(wanted === null ? {} : { generation: wanted }) };
        const answer = await ask(
          { method: 'GET', url: urlOf(name), headers },
          query,
          part === null ? 0 : part.end - part.start,
        );
        const generation = wanted ?? answer.headers['x-goog-generation'];
        if (generation !== undefined) return { body: answer.body, generation, crc32c: hashOf(answer) };
        return readNamedGeneration(api, name, part);
      }),

    put: async (name, body, digest, order) => {
      const boundary = `assay-${randomUUID()}`;
      const resource = JSON.stringify(resourceOf(name, digest.crc32c, order));
      const type = contentTypeOf(name);
      const parts = [
        Buffer.from(`--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${resource}\r\n`),
        Buffer.from(`--${boundary}\r\nContent-Type: ${type}\r\n\r\n`),
        body,
        Buffer.from(`\r\n--${boundary}--\r\n`),
      ];
      const headers = { 'content-type': `multipart/related; boundary=${boundary}` };
      return inBucket(async () =>
        objectOf(
          jsonOf(
            await ask(
              { method: 'POST', url: uploads, headers, body: parts },
              { uploadType: 'multipart', name, ...conditionOf(order) },
            ),
          ),
        ),
      );
    },

    upload: (name, localPath, digest, order, retry) =>
      inBucket(() =>
        uploadInChunks({
          localPath,
          digest,
          retry,
          begin: () => beginUpload(name, digest, order),
          send: (url, headers, body) => ask({ method: 'PUT', url, headers, body: body === null ? [] : [body] }),
          finish: (answer) => objectOf(jsonOf(answer)),
        }),
      ),

    copy: async (source, name, order, retry) => {
      const url = `${urlOf(source.name)}/rewriteTo/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}`;
      const { metadata, contentType } = resourceOf(name, null, order);
      const body = [Buffer.from(JSON.stringify({ metadata, contentType }))];
      const query = { ...conditionOf(order), ifSourceGenerationMatch: source.generation };
      const headers = { 'content-type': 'application/json' };
      const rewrite = async (token: string | null): Promise<Rewrite> =>
        rewriteOf(
          await ask({ method: 'POST', url, headers, body }, token === null ? query : { ...query, rewriteToken: token }),
        );
      // Only a call that goes on from a token is repeated here: the first one may have been the whole copy. So may the
      // last one have been, where its reply was lost.
      const goOn = (token: string): Promise<Rewrite> => {
        let isInDoubt = false;
        return retry(async () => {
          const found = isInDoubt ? await api.head(name) : null;
          if (found?.writeId === order.writeId) return { copied: found };
          isInDoubt = true;
          return rewrite(token);
        });
      };
      try {
        let answer = await rewrite(null);
        while ('token' in answer) answer = await goOn(answer.token);
        return answer.copied;
      } catch (thrown) {
        throw await copyFault(api, source, thrown);
      }
    },

    list: async (prefix, pageToken, limit) => {
      const query = { prefix, maxResults: String(limit), fields: `kind,nextPageToken,items(${OBJECT_FIELDS})` };
      const page: ListPage = jsonOf(
        await inBucket(() =>
          ask({ method: 'GET', url: objects }, pageToken === null ? query : { ...query, pageToken }),
        ),
      );
      // Of an empty listing nothing else is told.
      if (page.kind !== 'storage#objects')
        throw new CloudFault('transient', 'the server answered with something other than a listing');
      return { objects: (page.items ?? []).map(objectOf), next: page.nextPageToken || null };
    },

    remove: async (name, generation) => {
      const answer = await orNull(async () =>
        ask({ method: 'DELETE', url: urlOf(name) }, { ifGenerationMatch: generation }),
      );
      // Cloud Storage says 204; with anything else it may not have been the one that answered, and 404 is looked after.
      if (answer?.status === 204) return;
      if ((await api.head(name))?.generation !== generation) return;
      throw new CloudFault('transient', `the server answered ${answer?.status ?? 404} and deleted nothing`);
    },
  };

  async function beginUpload(name: string, digest: FileDigest, order: WriteOrder): Promise<string> {
    const type = contentTypeOf(name);
    const answer = await ask(
      {
        method: 'POST',
        url: uploads,
        headers: {
          'content-type': 'application/json; charset=UTF-8',
          'x-upload-content-type': type,
          'x-upload-content-length': String(digest.sizeBytes),
        },
        body: [Buffer.from(JSON.stringify(resourceOf(name, digest.crc32c, order)))],
      },
      { uploadType: 'resumable', name, ...conditionOf(order) },
    );
    const location = answer.headers.location;
    if (location === undefined)
      throw new CloudFault('rejected', 'the server began an upload but gave no address for it');
    return location;
  }

  return api;
}

const PROXY_WANTS_PASSWORD = 'the proxy wants a user and a password; see network.proxy';

type RequestHeaders = HttpRequest['headers'];

/** What Google's auth library threw: a broken connection, a server in trouble, or credentials that are none. */
function credentialsFault(thrown: unknown): unknown {
  const fault = connectionFault(thrown);
  if (fault instanceof CloudFault) return fault;
  const { status, config } = thrown as { readonly status?: unknown; readonly config?: { readonly url?: unknown } };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (status === 407) return new CloudFault('setup', PROXY_WANTS_PASSWORD, { cause: thrown });
  // The library says this once for every try, and nothing else where the answer has no body.
  const said = message.replace(/(Could not refresh access token: ?)+/, '').replace(/[.\s]+$/, '');
  const text = said === '' ? `${String(status)} from ${String(config?.url)}` : said;
  if (typeof status === 'number' && kindOfStatus(status) === 'transient')
    return new CloudFault('transient', `Google gives no token: ${text}`, { cause: thrown });
  return new CloudFault(
    'setup',
    `no Google credentials can be used (${text}); run "gcloud auth application-default login", or set google.key_file`,
    { cause: thrown },
  );
}

/** For servers that do not name the generation of what they send. */
async function readNamedGeneration(
  api: CloudApi,
  name: string,
  part: { readonly start: number; readonly end: number } | null,
): ReturnType<CloudApi['read']> {
  const found = await api.head(name);
  if (found === null) return null;
  const { generation, sizeBytes, crc32c } = found;
  if (sizeBytes === 0) return { body: new Uint8Array(), generation, crc32c };
  const piece = await api.read(name, { generation, start: part?.start ?? 0, end: part?.end ?? sizeBytes });
  if (piece === null) throw new CloudFault('transient', 'it was replaced while it was read');
  return { ...piece, crc32c };
}

interface ObjectResource {
  readonly name?: string;
  readonly size?: string | number;
  readonly generation?: string | number;
  readonly timeCreated?: string;
  readonly crc32c?: string;
  readonly metadata?: { readonly [name: string]: string };
}

interface ListPage {
  readonly kind?: string;
  readonly items?: readonly ObjectResource[];
  readonly nextPageToken?: string;
}

/** Finished, or to be gone on with. */
type Rewrite = { readonly copied: CloudObject } | { readonly token: string };

function rewriteOf(answer: HttpAnswer): Rewrite {
  const { resource, rewriteToken } = jsonOf<{ resource?: ObjectResource; rewriteToken?: string }>(answer);
  if (resource !== undefined) return { copied: objectOf(resource) };
  if (rewriteToken !== undefined) return { token: rewriteToken };
  throw new CloudFault('transient', 'the server says neither that the copy is done nor how to go on with it');
}

function objectOf(resource: ObjectResource): CloudObject {
  if (resource.name === undefined || resource.generation === undefined) {
    throw new CloudFault('transient', 'the server answered with something other than an object');
  }
  return {
    name: resource.name,
    sizeBytes: Number(resource.size ?? 0),
    generation: String(resource.generation),
    writtenAtMs: Date.parse(resource.timeCreated ?? ''),
    crc32c: resource.crc32c ?? null,
    writeId: resource.metadata?.[WRITE_ID] ?? null,
  };
}

/** The server refuses content that does not have this checksum. */
function resourceOf(name: string, crc32c: string | null, order: WriteOrder) {
  return {
    name,
    contentType: contentTypeOf(name),
    ...(crc32c === null ? {} : { crc32c }),
    metadata: { [WRITE_ID]: order.writeId },
  };
}

const conditionOf = ({ condition }: WriteOrder): { readonly [name: string]: string } =>
  condition === null ? {} : { ifGenerationMatch: condition === 'absent' ? '0' : condition.generation };

const contentTypeOf = (name: string): string =>
  name.endsWith('.json') ? 'application/json' : 'application/octet-stream';

/** `x-goog-hash: crc32c=…,md5=…` */
function hashOf(answer: HttpAnswer): string | null {
  return /(?:^|[,\s])crc32c=([A-Za-z0-9+/]+=*)/.exec(answer.headers['x-goog-hash'] ?? '')?.[1] ?? null;
}

function jsonOf<T extends object>(answer: HttpAnswer): T {
  let value: unknown;
  try {
    value = JSON.parse(answer.body.toString());
  } catch (thrown) {
    throw new CloudFault('transient', 'the server answered with something other than JSON', { cause: thrown });
  }
  if (typeof value === 'object' && value !== null) return value as T;
  throw new CloudFault('transient', 'the server answered with something other than a JSON object');
}

/** Not found means: no such object, unless the server says that it means the bucket. */
async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CloudFault && thrown.kind === 'missing') return null;
    throw thrown;
  }
}

/** Where no object is asked for, not found can only mean the bucket. */
async function inBucket<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof CloudFault) || thrown.kind !== 'missing') throw thrown;
    throw new CloudFault('missing_bucket', thrown.message, { cause: thrown });
  }
}

function faultOf({ status, headers, body }: HttpAnswer): CloudFault {
  const { reason, message } = errorIn(body.toString());
  const text = `${status}${reason === '' ? '' : ` ${reason}`}${message === '' ? '' : `: ${message}`}`;
  const retryAfterMs = parseRetryAfter(headers['retry-after'], headers.date);
  if (status === 403 && /rateLimitExceeded/i.test(reason)) return new CloudFault('transient', text, { retryAfterMs });
  if (status === 401) return new CloudFault('setup', `${text}; the credentials are not accepted: see google.key_file`);
  if (status === 404 && /bucket does not exist/i.test(message)) return new CloudFault('missing_bucket', text);
  if (status === 400 && /crc32c|md5|checksum/i.test(message)) return new CloudFault('corrupt', text);
  return new CloudFault(kindOfStatus(status), text, { retryAfterMs });
}

/** `{error: {message, errors: [{reason}]}}`, or plain text or a page as some front ends and media requests answer. */
function errorIn(body: string): { readonly reason: string; readonly message: string } {
  try {
    const { error } = JSON.parse(body) as {
      error?: { message?: string; errors?: readonly { reason?: string }[] };
    };
    return { reason: error?.errors?.[0]?.reason ?? '', message: error?.message ?? '' };
  } catch {
    const text = body.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
    return { reason: '', message: text.trim().slice(0, 300) };
  }
}
