/** A sandbox's address -> a CONNECT proxy behind which Google's hosts seem to be, over TLS, for bearers of its own tokens. */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Certificates } from './certificates.ts';
import type { TokenAnswer, Tokens } from './google-tokens.ts';

export const GOOGLE_HOSTS = [
  'storage.googleapis.com',
  'bigquery.googleapis.com',
  'oauth2.googleapis.com',
  // Where the library that the Storage client brings gets a service account's tokens from, whatever the key's file says.
  'www.googleapis.com',
  'sts.googleapis.com',
  'iamcredentials.googleapis.com',
] as const;

type GoogleHost = (typeof GOOGLE_HOSTS)[number];

export interface GatewayOptions {
  readonly sandboxUrl: string;
  readonly certificates: Certificates;
  /** `user:password` that the proxy wants. */
  readonly account: string;
  readonly tokens: Tokens;
  /** What a request of a bearer that is let in is refused with; null: it is passed on. */
  readonly refuse?: (request: {
    readonly host: string;
    readonly method: string;
    readonly path: string;
  }) => TokenAnswer | null;
}

export interface Seen {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface Gateway {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  readonly seen: readonly Seen[];
  /** Hosts of the tunnels that were opened, in order. */
  readonly tunnels: readonly string[];
  /** What else the proxy was asked for: another host, no password, a request without a tunnel. */
  readonly strays: readonly string[];
  close(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const seen: Seen[] = [];
  const tunnels: string[] = [];
  const strays: string[] = [];
  const sockets = new Set<Socket>();
  const { key, certificate: cert } = options.certificates;
  const google = createHttpsServer({ key, cert }, (request, response) => {
    void answer(options, request, response).then((status) => {
      const [host = '', method = '', path = ''] = [request.headers.host, request.method, request.url];
      seen.push({ host, method, path, status });
    });
  });
  google.keepAliveTimeout = 120_000;
  const proxy = createServer((request, response) => {
    strays.push(`${request.method} ${request.url}`);
    response.writeHead(400).end();
  });
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    const refuse = (why: string): void => {
      strays.push(`CONNECT ${request.url}: ${why}`);
      socket.end(`HTTP/1.1 ${why}\r\ncontent-length: 0\r\n\r\n`);
    };
    const wanted = `Basic ${Buffer.from(options.account).toString('base64')}`;
    if (request.headers['proxy-authorization'] !== wanted) return refuse('407 Proxy Authentication Required');
    const host = GOOGLE_HOSTS.find((name) => request.url === `${name}:443`);
    if (host === undefined) return refuse('403 Forbidden');
    tunnels.push(host);
    sockets.add(socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy()));
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    google.emit('connection', socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    tunnels,
    strays,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      google.closeAllConnections();
      await closed(proxy);
    },
  };
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

/** Gives the status that the client was sent. */
async function answer(options: GatewayOptions, request: IncomingMessage, response: ServerResponse): Promise<number> {
  const host = request.headers.host as GoogleHost;
  const { tokens } = options;
  switch (host) {
    case 'oauth2.googleapis.com':
    case 'www.googleapis.com': {
      const form = new URLSearchParams(await text(request));
      return say(response, tokens.exchangeGrant(`https://${host}${request.url}`, form));
    }
    case 'sts.googleapis.com': {
      const form = new URLSearchParams(await text(request));
      return say(response, tokens.exchangeSubject(`https://${host}${request.url}`, form));
    }
    case 'iamcredentials.googleapis.com':
      await text(request);
      return say(response, tokens.impersonate(request.headers.authorization));
    case 'storage.googleapis.com':
    case 'bigquery.googleapis.com': {
      const refusal = tokens.admits(request.headers.authorization)
        ? (options.refuse?.({ host, method: request.method ?? '', path: request.url ?? '' }) ?? null)
        : UNAUTHENTICATED;
      if (refusal === null) return passOn(options.sandboxUrl, request, response);
      await text(request);
      return say(response, refusal);
    }
  }
}

/** @source https://cloud.google.com/storage/docs/json_api/v1/status-codes (read 2026-11-21) */
const UNAUTHENTICATED: TokenAnswer = {
  status: 401,
  body: {
    error: {
      code: 401,
      message: 'Invalid Credentials',
      errors: [{ domain: 'global', reason: 'authError', message: 'Invalid Credentials', locationType: 'header' }],
    },
  },
};

function say(response: ServerResponse, { status, body }: TokenAnswer): number {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return status;
}

function passOn(sandboxUrl: string, request: IncomingMessage, response: ServerResponse): Promise<number> {
  return new Promise((resolve) => {
    const { authorization: _token, ...headers } = request.headers;
    const onward = httpRequest(
      new URL(request.url ?? '/', sandboxUrl),
      { method: request.method, headers },
      (answered) => {
        const status = answered.statusCode ?? 502;
        const { location, ...rest } = answered.headers;
        // The sandbox knows no TLS; an upload goes on where its first answer says.
        const secure = location === undefined ? {} : { location: location.replace(/^http:/, 'https:') };
        response.writeHead(status, { ...rest, ...secure });
        answered.pipe(response).once('close', () => resolve(status));
      },
    );
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
}
