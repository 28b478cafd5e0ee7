/** An HTTP request to the storage stand-in -> its answer on the connection, or the fault that a rule has for it. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from '../core/ports.ts';
import { type Answer, discard, json, send } from './gcs/answer.ts';
import { ApiError, errorBody } from './gcs/api-error.ts';
import type { RequestHead } from './gcs/api-request.ts';
import { type Call, isBrokenConnection, type StorageApi } from './gcs/storage-api.ts';
import type { Faults } from './ports.ts';
import { bodyOf, drain } from './request-body.ts';

export interface StorageServing {
  readonly listener: RequestListener;
  /** Resolves when no request is being worked on. */
  idle(): Promise<void>;
}

export function serveStorage(storage: StorageApi, faults: Faults, log: Logger): StorageServing {
  const running = new Set<Promise<void>>();
  return {
    listener: (incoming, outgoing) => {
      const work = serve(storage, faults, log, incoming, outgoing).catch((thrown: unknown) => {
        if (!isBrokenConnection(thrown)) log.error('a sandbox request failed', { error: String(thrown) });
        incoming.socket.destroy();
      });
      running.add(work);
      void work.finally(() => running.delete(work));
    },
    idle: async () => {
      await Promise.all(running);
    },
  };
}

async function serve(
  storage: StorageApi,
  faults: Faults,
  log: Logger,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = bodyOf(incoming);
  const understood = storage.understand(readHead(incoming));
  const answer = 'run' in understood ? await runOrFail(understood, body, faults, log, incoming) : understood;
  if (answer === null) return;
  if (incoming.socket.destroyed) return discard(answer);
  await send(answer, outgoing);
  drain(incoming);
}

function readHead(incoming: IncomingMessage): RequestHead {
  const [path = '', query = ''] = (incoming.url ?? '').split(/\?(.*)/s);
  return {
    method: incoming.method ?? 'GET',
    path,
    query: new URLSearchParams(query),
    headers: incoming.headers,
    contentRange: incoming.headers['content-range'],
    origin: `http://${incoming.headers.host ?? 'localhost'}`,
  };
}

/** Null where the connection was ended instead of an answer. */
async function runOrFail(
  call: Call,
  body: AsyncIterable<Uint8Array>,
  faults: Faults,
  log: Logger,
  incoming: IncomingMessage,
): Promise<Answer | null> {
  const fault = faults.next('storage', call.operation);
  if (fault === null) return call.run(body);
  log.info('fault injected', { service: 'storage', operation: call.operation, fault: fault.kind });
  switch (fault.kind) {
    case 'status':
      return statusAnswer(fault.status);
    case 'reset':
      incoming.socket.resetAndDestroy();
      return null;
    case 'lost_reply':
      discard(await call.run(body));
      incoming.socket.resetAndDestroy();
      return null;
    case 'cut_upload':
      return call.run(cutAfter(body, fault.afterBytes, incoming));
    case 'wrong_checksum':
      return falsified(await call.run(body));
    case 'reason':
      throw new Error('a fault of BigQuery was given to storage');
  }
}

/** @source Cloud Storage, "HTTP status and error codes for JSON" (read 2026-11-21) */
const REASONS: { readonly [status: number]: string } = {
  401: 'required',
  403: 'forbidden',
  404: 'notFound',
  408: 'uploadBrokenConnection',
  412: 'conditionNotMet',
  429: 'rateLimitExceeded',
  500: 'internalError',
  503: 'backendError',
};

function statusAnswer(status: number): Answer {
  const reason = REASONS[status] ?? 'injectedFault';
  return json(
    errorBody(new ApiError(status, reason, `The sandbox was told to fail this request with ${status}.`)),
    status,
  );
}

async function* cutAfter(
  body: AsyncIterable<Uint8Array>,
  bytes: number,
  incoming: IncomingMessage,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    if (chunk.byteLength > left) {
      if (left > 0) yield chunk.subarray(0, left);
      incoming.socket.resetAndDestroy();
      throw Object.assign(new Error('cut off by a fault'), { code: 'ECONNRESET' });
    }
    left -= chunk.byteLength;
    yield chunk;
  }
}

/** What the client would see of bytes that were damaged on their way in. */
function falsified(answer: Answer): Answer {
  if (answer.body.kind !== 'json' || answer.status !== 200) return answer;
  const wrong = { crc32c: 'AAAAAA==', md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' };
  const told = Object.fromEntries(
    Object.entries(answer.body.value).map(([field, value]) => [
      field,
      field in wrong ? wrong[field as 'crc32c'] : value,
    ]),
  );
  return { ...answer, body: { kind: 'json', value: told } };
}
