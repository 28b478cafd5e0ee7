/** A sandbox on a temporary folder, spoken to by plain HTTP. */
import assert from 'node:assert/strict';
import type { Logger } from '../../core/ports.ts';
import { createFaults, parseFaults } from '../../sandbox/faults.ts';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

export interface SandboxTest {
  readonly folder: string;
  /** Epoch ms that the sandbox takes for now; starts at 2026-01-01T00:00:00Z. */
  nowMs: number;
  url(): string;
  /** Path and query, e.g. `/storage/v1/b`. */
  call(method: string, path: string, init?: CallInit): Promise<Reply>;
  /** Media upload; the object's resource. */
  put(name: string, body: string | Uint8Array, query?: string): Promise<Reply>;
  /** The same folder under a new server. */
  restart(): Promise<void>;
}

export interface CallInit {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The body as JSON; fails the test where it is none. */
  json(): Resource;
}

/** What of the API's resources the tests look at. */
export interface Resource {
  readonly [field: string]: unknown;
  readonly name: string;
  readonly generation: string;
  readonly metageneration: string;
  readonly items?: readonly Resource[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
  readonly resource?: Resource;
  readonly rewriteToken?: string;
  readonly error?: { readonly code: number; readonly message: string; readonly errors: readonly { reason: string }[] };
}

export interface SandboxTestOptions {
  readonly faults?: readonly string[];
  readonly seed?: number;
  readonly maxBytesRewrittenPerCall?: number;
}

export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const objectPath = (name: string, bucket = 'lake'): string =>
  `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
export const uploadPath = (name: string, query = ''): string =>
  `/upload/storage/v1/b/lake/o?uploadType=media&name=${encodeURIComponent(name)}${query === '' ? '' : `&${query}`}`;

/** With one bucket, `lake`. */
export async function withSandbox(
  work: (test: SandboxTest) => Promise<void>,
  options: SandboxTestOptions = {},
): Promise<void> {
  await withTempFolder(async (folder) => {
    let sandbox: Sandbox | null = null;
    const start = async (): Promise<Sandbox> =>
      startSandbox({
        folder,
        host: '127.0.0.1',
        port: 0,
        faults: createFaults(parseFaults(options.faults ?? []), options.seed ?? 1),
        clock: { now: () => test.nowMs },
        log: silent,
        ...(options.maxBytesRewrittenPerCall !== undefined && {
          maxBytesRewrittenPerCall: options.maxBytesRewrittenPerCall,
        }),
      });
    const test: SandboxTest = {
      folder,
      nowMs: Date.UTC(2026, 0, 1),
      url: () => sandbox?.url ?? '',
      call: async (method, path, init = {}) => request(`${sandbox?.url}${path}`, method, init),
      put: async (name, body, query) => request(`${sandbox?.url}${uploadPath(name, query)}`, 'POST', { body }),
      restart: async () => {
        await sandbox?.close();
        sandbox = await start();
      },
    };
    sandbox = await start();
    try {
      const made = await test.call('POST', '/storage/v1/b?project=p', { body: '{"name":"lake"}' });
      if ((options.faults ?? []).length === 0) assert.equal(made.status, 200);
      await work(test);
    } finally {
      await sandbox.close();
    }
  });
}

async function request(url: string, method: string, init: CallInit): Promise<Reply> {
  const body = init.body === undefined ? {} : { body: init.body };
  const response = await fetch(url, { method, headers: init.headers ?? {}, ...body, redirect: 'manual' });
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    json: () => JSON.parse(bytes.toString('utf8')) as Resource,
  };
}

/** Status and reason of a refusal. */
export function refusalOf(reply: Reply): string {
  if (reply.status === 304) return '304';
  const { error } = reply.json();
  assert.equal(error?.code, reply.status);
  return `${reply.status} ${error?.errors[0]?.reason}`;
}

export function multipartBody(metadata: object, media: string | Uint8Array, boundary = 'b0'): Buffer {
  return Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(metadata)}\r\n`),
    Buffer.from(`--${boundary}\r\nContent-Type: text/plain\r\n\r\n`),
    Buffer.from(media),
    Buffer.from(`\r\n--${boundary}--`),
  ]);
}

/** Starts a resumable upload; the path of its session. */
export async function startUpload(test: SandboxTest, name: string, query = '', init: CallInit = {}): Promise<string> {
  const path = `/upload/storage/v1/b/lake/o?uploadType=resumable&name=${encodeURIComponent(name)}${query && `&${query}`}`;
  const reply = await test.call('POST', path, { body: '{}', ...init });
  assert.equal(reply.status, 200);
  const { pathname, search } = new URL(reply.headers.get('location') ?? '');
  return pathname + search;
}
