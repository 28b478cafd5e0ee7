/** A project folder -> a server on a free port, for benches that ask it over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../test/fixtures-support/package-root.ts';

export const MAIN = join(packageRoot(), 'dist/cli/main.js');

export interface Server {
  readonly address: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** Resolves once the server has said where it listens. */
export function startServer(project: string): Promise<Server> {
  const child = spawn(process.execPath, [MAIN, 'server', '--port', '0', '--no-schedules'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      child.once('close', () => resolve());
      child.kill('SIGTERM');
    });
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const address = /on (http:\S+)/.exec(said)?.[1];
      if (address) resolve({ address, child, stop });
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
}
