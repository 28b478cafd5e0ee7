/** `assay sandbox`: the local stand-ins for Cloud Storage and BigQuery, until they are told to stop. */
import { rm } from 'node:fs/promises';
import { PipelineError } from '../../core/errors.ts';
import { SANDBOX_LIMITS } from '../../sandbox/server.ts';
import { createLogger } from '../create-logger.ts';
import { findRoot, type GlobalFlags, openSettings } from '../project.ts';
import { runningSandbox, sandboxFolder } from '../sandbox-connection.ts';
import { serveSandbox } from '../serve-sandbox.ts';
import { printLines } from '../terminal.ts';

interface SandboxFlags {
  readonly port?: string;
  readonly fault?: readonly string[];
  readonly seed: string;
  readonly reset?: boolean;
}

export async function sandbox(flags: GlobalFlags, options: SandboxFlags): Promise<void> {
  const overrides = options.port === undefined ? [] : [`sandbox.port=${options.port}`];
  const said: GlobalFlags = { ...flags, env: 'sandbox', set: [...(flags.set ?? []), ...overrides] };
  const settings = await openSettings(said, findRoot(said));
  const folder = sandboxFolder(settings);
  const seed = Number(options.seed);
  if (!Number.isInteger(seed)) throw new PipelineError('usage', `--seed takes a whole number, not "${options.seed}".`);
  if (options.reset) await reset(folder);
  const server = await serveSandbox({
    folder,
    port: settings.values['sandbox.port'],
    faults: options.fault ?? [],
    seed,
    log: createLogger('warn'),
  });
  printLines([
    `Sandbox on ${server.url}: Cloud Storage and BigQuery for --env sandbox. Nothing here runs on Google Cloud. Ctrl-C stops it.`,
    `Buckets and datasets lie in ${folder}.`,
    ...(options.fault ?? []).map((rule) => `fault  ${rule}`),
    'What it does not imitate:',
    ...SANDBOX_LIMITS.map((limit) => `- ${limit}`),
  ]);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  await server.close();
  const { storage, bigquery } = server.struck;
  if (options.fault) printLines([`Failed by these rules: ${storage} of storage, ${bigquery} of bigquery.`]);
}

async function reset(folder: string): Promise<void> {
  const running = await runningSandbox(folder);
  if (running) {
    throw new PipelineError(
      'project_locked',
      `Process ${running.pid} serves this sandbox on ${running.url}. Stop it before --reset.`,
    );
  }
  await rm(folder, { recursive: true, force: true });
}
