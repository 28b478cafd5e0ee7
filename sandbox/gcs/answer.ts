/** What an operation has to say -> the bytes of its HTTP response. */
import { closeSync, createReadStream } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: AnswerBody;
}

export type AnswerBody =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly value: object }
  /** An open file, which whoever takes the answer must send or close. */
  | {
      readonly kind: 'file';
      readonly fd: number;
      readonly start: number;
      readonly length: number;
      readonly isGunzipped: boolean;
    };

export const json = (value: object, status = 200): Answer => ({ status, headers: {}, body: { kind: 'json', value } });

export const empty = (status: number, headers: Answer['headers'] = {}): Answer => ({
  status,
  headers,
  body: { kind: 'empty' },
});

/** Resolves when the last byte is handed to the connection, also where the peer goes away meanwhile. */
export async function send(answer: Answer, outgoing: ServerResponse): Promise<void> {
  const { body } = answer;
  switch (body.kind) {
    case 'empty':
      outgoing.writeHead(answer.status, { 'content-length': '0', ...answer.headers }).end();
      return;
    case 'json': {
      const text = Buffer.from(JSON.stringify(body.value));
      const type = { 'content-type': 'application/json; charset=UTF-8', 'content-length': String(text.byteLength) };
      outgoing.writeHead(answer.status, { ...type, ...answer.headers }).end(text);
      return;
    }
    case 'file':
      await sendFile(answer, body, outgoing);
  }
}

async function sendFile(
  answer: Answer,
  body: Extract<AnswerBody, { kind: 'file' }>,
  outgoing: ServerResponse,
): Promise<void> {
  const length = body.isGunzipped ? {} : { 'content-length': String(body.length) };
  outgoing.writeHead(answer.status, { ...length, ...answer.headers });
  if (body.length === 0) {
    closeSync(body.fd);
    outgoing.end();
    return;
  }
  const range = { start: body.start, end: body.start + body.length - 1 };
  const bytes = createReadStream('', { fd: body.fd, ...range, highWaterMark: 256 * 1024 });
  try {
    await (body.isGunzipped ? pipeline(bytes, createGunzip(), outgoing) : pipeline(bytes, outgoing));
  } catch {
    // The headers are gone, so an error can only be told by ending the connection early.
    outgoing.destroy();
  }
}

/** Lets go of an answer that is not to be sent. */
export function discard(answer: Answer): void {
  if (answer.body.kind === 'file') closeSync(answer.body.fd);
}
