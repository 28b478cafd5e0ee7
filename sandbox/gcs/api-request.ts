/** A request as the operations see it, and its body as JSON. */
import type { IncomingHttpHeaders } from 'node:http';
import { invalid } from './api-error.ts';
import type { RequestLine } from './route.ts';

/** All of a request but its body. */
export interface RequestHead extends RequestLine {
  readonly headers: IncomingHttpHeaders;
  /** `http://127.0.0.1:4650`, as the client addressed the sandbox. */
  readonly origin: string;
}

export interface ApiRequest extends RequestHead {
  readonly body: AsyncIterable<Uint8Array>;
}

const MAX_JSON_BYTES = 4 * 1024 * 1024;

/** The whole body as JSON; an empty one is `{}`. */
export async function readJson(request: ApiRequest): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > MAX_JSON_BYTES) throw invalid('The request body is too big.');
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'));
}

export function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('Parse Error: the request body is not JSON.');
  }
}

/** A header that comes once; the first where it comes often. */
export function headerOf(request: RequestHead, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
