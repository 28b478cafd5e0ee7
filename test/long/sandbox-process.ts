/** Arguments of `assay` -> a process group of its own, watched line by line and killed as a whole. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../fixtures-support/package-root.ts';

export interface ProcessGroup {
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  /** Resolves with the first match in what is printed; rejects where the process ends before it. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** kill -9 of the command and all that it started; resolves when nothing of it holds its output open. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

const MAIN = join(packageRoot(), 'dist/cli/main.js');

/** Groups that have not ended: a test that fails half-way ends them by this. */
const running = new Set<ProcessGroup>();

export async function killAll(): Promise<void> {
  await Promise.all([...running].map((group) => group.kill()));
}

export function startGroup(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): ProcessGroup {
  const { BRONZE_BASE_PATH: _bronze, PIPELINE_ENV: _environment, ASSAY_PROJECT: _project, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { ...inherited, CI: 'true', NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const listener of [...listeners]) listener();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const ended = new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
  const group: ProcessGroup = {
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(output);
          if (found === null) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended before it said ${pattern}:\n${output}`)));
      }),
    kill: async () => {
      try {
        process.kill(-Number(child.pid), 'SIGKILL');
      } catch {
        // Gone already.
      }
      await ended;
    },
    signal: (name) => child.kill(name),
  };
  running.add(group);
  void ended.finally(() => running.delete(group)).catch(() => {});
  return group;
}

/** Ids of the processes that work on tasks for the scheduler of this state folder. */
export function taskProcesses(stateDir: string): readonly number[] {
  return readdirSync(join(stateDir, 'workers')).map((name) => Number.parseInt(name, 10));
}
