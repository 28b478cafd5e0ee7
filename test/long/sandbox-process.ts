/** Arguments of `assay` -> a process group of its own, watched line by line and killed as a whole. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startAssay } from '../fixtures-support/assay-cli.ts';

export interface ProcessGroup {
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  /** Resolves with the first match in what is printed; rejects where the process ends before it. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** kill -9 of the command and all that it started; resolves when nothing of it holds its output open. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

/** Groups that have not ended: a test that fails half-way ends them by this. */
const running = new Set<ProcessGroup>();

export async function killAll(): Promise<void> {
  await Promise.all([...running].map((group) => group.kill()));
}

export function startGroup(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): ProcessGroup {
  const { child, result, said } = startAssay(args, { ...options, detached: true });
  const ended = result.then(({ code, stdout, stderr }) => ({ code, output: stdout + stderr }));
  const group: ProcessGroup = {
    ended,
    said,
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
