/** A plan -> a server before another one, which lets requests pass, fails them, or loses their replies. */
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ProxyFault = 'reset' | 'lost_reply' | { readonly status: number; readonly code: string };

/** @param count how many requests with this line came before, from 0 */
export type FaultPlan = (line: string, count: number) => ProxyFault | null;

export interface FaultProxy {
  readonly url: string;
  plan: FaultPlan;
  readonly struck: string[];
  close(): Promise<void>;
}

/** `line` is method, path and the names of the query's parameters: `PUT /bucket/key?partNumber&uploadId`. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const seen = new Map<string, number>();
  const proxy = { plan: (() => null) as FaultPlan, struck: [] as string[] };
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', target);
      const names = [...url.searchParams.keys()].filter((name) => !name.startsWith('x-')).sort();
      const line = `${incoming.method} ${url.pathname}${names.length === 0 ? '' : `?${names.join('&')}`}`;
      const count = seen.get(line) ?? 0;
      seen.set(line, count + 1);
      const fault = proxy.plan(line, count);
      if (fault !== null) proxy.struck.push(line);
      if (fault === 'reset') {
        incoming.socket.resetAndDestroy();
        return;
      }
      if (fault !== null && fault !== 'lost_reply') {
        outgoing.writeHead(fault.status, { 'content-type': 'application/xml' });
        const body = `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>made to fail</Message></Error>`;
        outgoing.end(incoming.method === 'HEAD' ? undefined : body);
        return;
      }
      const onward = forward(url, { method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
        if (fault === 'lost_reply') {
          answer.resume().on('end', () => incoming.socket.resetAndDestroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => incoming.socket.destroy());
      onward.end(Buffer.concat(chunks));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}
