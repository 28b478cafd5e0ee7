/** A sandbox's address -> another one, at which every request can be stopped before or after it takes effect. */
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  /** Method, path and query, decoded: `POST /upload/storage/v1/b/…/o?name=silver/_latest.json&…`. */
  readonly line: string;
  readonly body: string;
}

/** Called before the request is passed on, and again with its answer there and not passed back; its promise is waited for. */
export type Tap = (request: SeenRequest, when: 'before' | 'after') => Promise<void> | void;

export interface Wiretap {
  readonly url: string;
  tap: Tap;
  close(): Promise<void>;
}

/** @param target read at each request, so that it may move */
export async function startWiretap(target: () => string): Promise<Wiretap> {
  const wiretap = { tap: (() => {}) as Tap };
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      void pass().catch(() => incoming.socket.destroy());
    });
    async function pass(): Promise<void> {
      const body = Buffer.concat(chunks);
      const line = `${incoming.method} ${decodeURIComponent(incoming.url ?? '/')}`;
      const seen: SeenRequest = { line, body: body.toString('latin1') };
      await wiretap.tap(seen, 'before');
      const onward = forward(new URL(incoming.url ?? '/', target()), {
        method: incoming.method ?? 'GET',
        headers: incoming.headers,
        agent: false,
      });
      onward.end(body);
      const [answer] = (await once(onward, 'response')) as [import('node:http').IncomingMessage];
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part as Buffer);
      await wiretap.tap(seen, 'after');
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.end(Buffer.concat(parts));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(wiretap, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}
