/** The compiled `assay` command, run as a user runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from './package-root.ts';

export interface CliResult {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MAIN = join(packageRoot(), 'dist/cli/main.js');

export interface StartedCli {
  readonly child: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Resolves with the first match in what is printed; rejects where the command ends before it. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Leads a process group of its own. */
  readonly detached?: boolean;
}

export function startAssay(args: readonly string[], options: CliOptions = {}): StartedCli {
  const { BRONZE_BASE_PATH: _bronze, PIPELINE_ENV: _environment, ASSAY_PROJECT: _project, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { ...inherited, CI: 'true', NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const listener of [...listeners]) listener();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    for (const listener of [...listeners]) listener();
  });
  const result = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(stdout) ?? pattern.exec(stderr);
        if (found === null) return;
        listeners.delete(look);
        resolve(found);
      };
      listeners.add(look);
      look();
      result.then(
        () => reject(new Error(`it ended before it said ${pattern}:\n${stdout}${stderr}`)),
        (thrown: unknown) => reject(thrown),
      );
    });
  return { child, result, said };
}

export function assay(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startAssay(args, options).result;
}
