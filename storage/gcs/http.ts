/** A request -> its answer, whole, over Node's own HTTP. */
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CloudFault, connectionFault } from '../cloud/fault.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  /** Sent one behind the other; none: no body. */
  readonly body: readonly Uint8Array[];
  /** Until the answer is whole. */
  readonly timeoutMs: number;
  /** Without a byte of the body taken by the network, or of the answer arriving. */
  readonly silenceMs: number;
  /** Of a proxy; null: straight. */
  readonly agent: Agent | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string };
  /** As sent: a compressed body stays compressed. */
  readonly body: Buffer;
}

/** @throws CloudFault `transient`, `unreachable`; a body cut short is a fault, never a short body */
export async function send(request: HttpRequest): Promise<HttpAnswer> {
  try {
    return await exchange(request);
  } catch (thrown) {
    throw connectionFault(thrown);
  }
}

/** Of a body that is handed to the network at once, so that it is seen to go on. */
const SLICE_BYTES = 256 * 1024;

function exchange({ method, url, headers, body, timeoutMs, silenceMs, agent }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const open = url.startsWith('https:') ? httpsRequest : httpRequest;
    const length = method === 'GET' || method === 'DELETE' ? {} : { 'content-length': String(byteLength(body)) };
    const request = open(url, { method, headers: { ...headers, ...length }, ...(agent === null ? {} : { agent }) });
    let hasAnswer = false;
    let refusedBy: ProxyAnswer | null = null;
    request.on('proxyConnect', (answer: ProxyAnswer) => {
      if (answer.statusCode !== 200) refusedBy = answer;
    });
    const giveUp = (what: string) => () => request.destroy(new CloudFault('transient', what));
    const whole = setTimeout(giveUp(`no whole answer within ${timeoutMs} ms`), timeoutMs);
    const silence = setTimeout(giveUp(`not a byte went or came for ${silenceMs} ms`), silenceMs);
    const moved = (): void => void silence.refresh();
    const settle = (finish: () => void): void => {
      clearTimeout(whole);
      clearTimeout(silence);
      finish();
    };
    request.on('response', (response) => {
      hasAnswer = true;
      // What the proxy said to CONNECT is played back as if the server had said it.
      const answered = refusedBy === null ? collect(response, moved) : Promise.reject(proxyFault(refusedBy));
      if (refusedBy !== null) response.destroy();
      answered.then(
        (answer) => settle(() => resolve(answer)),
        (thrown: unknown) => settle(() => reject(thrown instanceof Error ? thrown : new Error(String(thrown)))),
      );
    });
    // A server may refuse and hang up before it has read the body; then its answer counts, not the broken pipe.
    request.on('error', (thrown) => {
      if (!hasAnswer || thrown instanceof CloudFault) settle(() => reject(thrown));
    });
    for (const part of body) {
      for (let at = 0; at < part.byteLength; at += SLICE_BYTES)
        request.write(part.subarray(at, at + SLICE_BYTES), moved);
    }
    request.end();
  });
}

interface ProxyAnswer {
  readonly statusCode: number;
  readonly statusText: string;
}

function proxyFault({ statusCode, statusText }: ProxyAnswer): CloudFault {
  const text = `the proxy refuses the connection (${statusCode} ${statusText}); see network.proxy`;
  return new CloudFault(statusCode >= 500 ? 'transient' : 'setup', text);
}

export const byteLength = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, part) => sum + part.byteLength, 0);

async function collect(response: IncomingMessage, moved: () => void): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) {
    moved();
    chunks.push(chunk as Buffer);
  }
  if (!response.complete) throw new CloudFault('transient', 'the answer was cut short');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) headers[name] = String(value);
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) };
}
