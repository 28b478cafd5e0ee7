/** Names of hosts and the local ports that they stand for -> a proxy that opens tunnels to them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, in order: `CONNECT gcs.test:80`, `GET http://gcs.test/`. */
  readonly asked: readonly string[];
}

/** `refuse`: the status line that every tunnel is refused with. */
export async function withConnectProxy(
  hosts: Readonly<Record<string, number>>,
  work: (proxy: ConnectProxy) => Promise<void>,
  refuse: string | null = null,
): Promise<void> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(400).end();
  });
  server.on('connect', (request: IncomingMessage, near: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    keep(near);
    const port = hosts[request.url ?? ''];
    const line = refuse ?? (port === undefined ? '403 Forbidden' : null);
    if (line !== null || port === undefined) return void near.end(`HTTP/1.1 ${line}\r\ncontent-length: 0\r\n\r\n`);
    const far = keep(connect(port, '127.0.0.1'));
    near.write('HTTP/1.1 200 Connection established\r\n\r\n');
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
