/** An outside program -> a server of it on a free local port, ready, and stopped again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BQEMULATOR, type CloudProgram, FAKE_GCS_SERVER, installed, MOTO } from './cloud-programs.ts';

export interface CloudServer {
  readonly title: string;
  readonly url: string;
  close(): Promise<void>;
}

/** Why there is no server: a reason to skip, aloud. */
export interface NoServer {
  readonly title: string;
  readonly skip: string;
}

interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: { readonly [name: string]: string };
  /** Path that answers 200 once the server works. */
  readonly ready: string;
}

const READY_TRIES = 600;
const READY_PAUSE_MS = 100;

/** @param lake a folder for the objects, which another server may read; null: they live in memory */
export function startFakeGcsServer(lake: string | null): Promise<CloudServer | NoServer> {
  return start(FAKE_GCS_SERVER, (folder, port) => ({
    command: join(folder, 'bin/fake-gcs-server'),
    // By itself it speaks https and listens to the whole network.
    args: [
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-log-level', 'warn'],
      ...['-external-url', `http://127.0.0.1:${port}`],
      ...(lake === null ? ['-backend', 'memory'] : ['-backend', 'filesystem', '-filesystem-root', lake]),
    ],
    ready: '/storage/v1/b?project=test-project',
  }));
}

export function startMoto(): Promise<CloudServer | NoServer> {
  return start(MOTO, (folder, port) => ({
    command: join(folder, 'bin/moto_server'),
    args: ['-H', '127.0.0.1', '-p', String(port)],
    ready: '/moto-api/',
  }));
}

/** @param lake the folder of a fake-gcs-server, from which it loads `gs://` addresses */
export async function startBqemulator(lake: string): Promise<CloudServer | NoServer> {
  const work = await mkdtemp(join(tmpdir(), 'assay-bqemulator-'));
  const grpcPort = await freePort();
  const server = await start(BQEMULATOR, (folder, port) => ({
    command: join(folder, 'bin/bqemulator'),
    args: [
      ...['start', '--rest-port', String(port), '--grpc-port', String(grpcPort)],
      ...['--project', 'test-project', '--ephemeral', '--log-level', 'warning'],
    ],
    env: { HOME: join(folder, 'home'), BQEMU_GCS_LOCAL_ROOT: lake, TMPDIR: work },
    ready: '/bigquery/v2/projects/test-project/datasets',
  }));
  const clear = (): Promise<void> => rm(work, { recursive: true, force: true });
  if ('skip' in server) {
    await clear();
    return server;
  }
  return { ...server, close: () => server.close().then(clear) };
}

async function start(
  program: CloudProgram,
  launchOf: (folder: string, port: number) => Launch,
): Promise<CloudServer | NoServer> {
  const { title } = program;
  const place = await installed(program);
  if ('skip' in place) return { title, skip: place.skip };
  const port = await freePort();
  const { command, args, env, ready } = launchOf(place.folder, port);
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const said = keepLast(child);
  const stop = (): void => killGroup(child);
  process.once('exit', stop);
  const close = async (): Promise<void> => {
    process.off('exit', stop);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    stop();
    await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await once(child, 'spawn');
    await untilReady(`${url}${ready}`, child);
  } catch (thrown) {
    await close();
    throw new Error(`${title} did not start: ${String(thrown)}\n${said()}`, { cause: thrown });
  }
  return { title, url, close };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < READY_TRIES; tries += 1) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    const answer = await fetch(url).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await sleep(READY_PAUSE_MS);
  }
  throw new Error(`${url} did not answer 200 within ${(READY_TRIES * READY_PAUSE_MS) / 1000} s`);
}

/** With what it started itself. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

function keepLast(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4_000);
    });
  }
  return () => text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a server on a port has no port');
  return address.port;
}
