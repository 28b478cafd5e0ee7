/** Settings of the environment `sandbox` -> the same with the address of its server, which is started where none runs. */
import { fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/settings.ts';
import { ERROR_CODES, type ErrorCode, PipelineError } from '../core/errors.ts';
import { holderOf } from '../sandbox/folder-lock.ts';

/** How a sandbox is found by other processes: `address.json` in its folder. */
export interface SandboxAddress {
  readonly url: string;
  readonly pid: number;
}

export interface SandboxJob {
  readonly folder: string;
  readonly port: number;
}

export type SandboxReply =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly code: string; readonly message: string };

export const sandboxFolder = ({ root, values }: Settings): string => resolve(root, values['sandbox.path']);
export const addressFile = (folder: string): string => resolve(folder, 'address.json');

const START_TIMEOUT_MS = 20_000;
const LOOK_AGAIN_MS = 100;

/** One for each folder and process. */
const known = new Map<string, Promise<string>>();

/**
 * Every other environment, and one whose endpoints are set, comes back as it is. A server that this starts ends with
 * this process; one that `assay sandbox` runs is used and left running.
 */
export async function connected(settings: Settings): Promise<Settings> {
  const { values, environment } = settings;
  const needsStorage = values.storage === 'gcs' && values['gcs.endpoint'] === null;
  const needsWarehouse = values['warehouse.kind'] === 'bigquery' && values['bigquery.endpoint'] === null;
  if (environment !== 'sandbox' || !(needsStorage || needsWarehouse)) return settings;
  const folder = sandboxFolder(settings);
  const started = known.get(folder) ?? openSandbox(settings, folder);
  known.set(folder, started);
  const url = await started.catch((thrown: unknown) => {
    // The next one who asks tries again.
    known.delete(folder);
    throw thrown;
  });
  if (needsWarehouse && values.storage === 'gcs' && !needsStorage && values['gcs.endpoint'] !== url) {
    throw new PipelineError(
      'setting_invalid',
      `gcs.endpoint is ${values['gcs.endpoint']} (${settings.sources['gcs.endpoint'][0]?.origin}), but the sandbox's BigQuery ` +
        `loads from its own buckets alone, on ${url}. Unset gcs.endpoint, or set bigquery.endpoint as well.`,
      { context: { key: 'gcs.endpoint' } },
    );
  }
  return {
    ...settings,
    values: {
      ...values,
      ...(needsStorage ? { 'gcs.endpoint': url } : {}),
      ...(needsWarehouse ? { 'bigquery.endpoint': url } : {}),
    },
  };
}

async function openSandbox(settings: Settings, folder: string): Promise<string> {
  const url = await findOrStart(folder);
  await makeBucket(url, settings);
  return url;
}

/** Of two commands that start at once one gets the folder; the other finds it. */
async function findOrStart(folder: string): Promise<string> {
  for (let waitedMs = 0; ; waitedMs += LOOK_AGAIN_MS) {
    const running = await runningSandbox(folder);
    if (running) return running.url;
    try {
      return await startSandboxProcess({ folder, port: 0 });
    } catch (thrown) {
      const isTaken = thrown instanceof PipelineError && thrown.code === 'project_locked';
      if (!isTaken || waitedMs >= START_TIMEOUT_MS) throw thrown;
    }
    await wait(LOOK_AGAIN_MS);
  }
}

/** Null where none answers. What a killed one left as its address may be anybody's by now: the folder's lock tells. */
export async function runningSandbox(folder: string): Promise<SandboxAddress | null> {
  try {
    const address = JSON.parse(await readFile(addressFile(folder), 'utf8')) as SandboxAddress;
    if (address.pid !== holderOf(folder)) return null;
    await fetch(address.url, { signal: AbortSignal.timeout(2_000) });
    return address;
  } catch {
    return null;
  }
}

function startSandboxProcess(job: SandboxJob): Promise<string> {
  const child = fork(fileURLToPath(new URL('./sandbox-child.js', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise<string>((done, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new PipelineError('storage_unavailable', `The sandbox did not start within ${START_TIMEOUT_MS / 1000} s.`),
      );
    }, START_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new PipelineError('storage_unavailable', `The sandbox ended with code ${code} before it was ready.`));
    });
    child.once('message', (message) => {
      clearTimeout(timer);
      const reply = message as SandboxReply;
      if (!reply.ok) {
        const code = Object.hasOwn(ERROR_CODES, reply.code) ? (reply.code as ErrorCode) : 'internal';
        reject(new PipelineError(code, reply.message));
        return;
      }
      // It ends when the channel closes, which is when this process does; it keeps nobody alive.
      child.unref();
      child.channel?.unref();
      done(reply.url);
    });
    child.send(job);
  });
}

async function makeBucket(url: string, { values }: Settings): Promise<void> {
  const name = values['lake.bucket'];
  if (name === null) return;
  const answer = await fetch(
    `${url}/storage/v1/b?project=${encodeURIComponent(values['google.project'] ?? 'sandbox')}`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, location: values['bigquery.location'] }),
    },
  );
  if (answer.ok || answer.status === 409) return;
  throw new PipelineError(
    'storage_unavailable',
    `The sandbox at ${url} did not make the bucket ${name}: HTTP ${answer.status} ${(await answer.text()).slice(0, 300)}. Give the command again; if it stays so, stop that sandbox first.`,
  );
}
