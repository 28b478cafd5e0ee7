/** bqemulator and fake-gcs-server over one folder, or the sandbox -> an account whose warehouse loads what its bucket holds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSandbox } from '../../sandbox/server.ts';
import type { CloudAccount } from './bigquery-place.ts';
import { type NoServer, startBqemulator, startFakeGcsServer } from './cloud-servers.ts';

export interface EmulatedAccount extends CloudAccount {
  /** Both servers with their versions. */
  readonly title: string;
  /** The one that a skip names. */
  readonly bigQueryTitle: string;
  close(): Promise<void>;
}

/** A project with a bucket. */
async function accountOn(storageEndpoint: string, bigQueryEndpoint: string): Promise<CloudAccount> {
  const [projectId, bucket, location] = ['test-project', 'lake', 'US'];
  const made = await fetch(`${storageEndpoint}/storage/v1/b?project=${projectId}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: bucket, location }),
  });
  if (!made.ok) throw new Error(`bucket ${bucket}: ${made.status} ${await made.text()}`);
  return { projectId, bucket, location, keyFile: null, storageEndpoint, bigQueryEndpoint };
}

const quiet = (): void => undefined;

export async function startSandboxAccount(): Promise<CloudAccount & { close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-test-'));
  const sandbox = await startSandbox({
    folder: join(folder, 'sandbox'),
    host: '127.0.0.1',
    port: 0,
    faults: { next: () => null },
    clock: { now: () => Date.now() },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  return {
    ...(await accountOn(sandbox.url, sandbox.url)),
    close: async () => {
      await sandbox.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** One of them a suite: bqemulator does not give its memory back. */
export async function startEmulatedAccount(): Promise<EmulatedAccount | NoServer> {
  const lake = await mkdtemp(join(tmpdir(), 'assay-test-'));
  const clear = (): Promise<void> => rm(lake, { recursive: true, force: true });
  const bigQuery = await startBqemulator(lake);
  if ('skip' in bigQuery) {
    await clear();
    return bigQuery;
  }
  const storage = await startFakeGcsServer(lake);
  if ('skip' in storage) {
    await bigQuery.close();
    await clear();
    return storage;
  }
  return {
    ...(await accountOn(storage.url, bigQuery.url)),
    title: `${bigQuery.title} and ${storage.title}`,
    bigQueryTitle: bigQuery.title,
    close: async () => {
      await Promise.all([bigQuery.close(), storage.close()]);
      await clear();
    },
  };
}
