/** Fault rules -> a store for Cloud Storage whose server is the sandbox, with an empty bucket. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Logger, ObjectStore } from '../../core/ports.ts';
import { createFaults, parseFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

export interface SandboxStore {
  readonly store: ObjectStore;
  /** A folder of the test's own. */
  readonly folder: string;
  /** `objects.insert lost_reply`, in the order in which they struck. */
  readonly struck: readonly string[];
  readonly url: string;
  readonly bucket: string;
}

export interface SandboxStoreOptions {
  readonly faults?: readonly string[];
  readonly seed?: number;
  readonly patienceMs?: number;
  readonly maxBytesRewrittenPerCall?: number;
}

export function withSandboxStore(
  options: SandboxStoreOptions,
  work: (made: SandboxStore) => Promise<void>,
): Promise<void> {
  return withTempFolder(async (folder) => {
    const struck: string[] = [];
    const bucket = `contract-${randomUUID()}`;
    const faults = createFaults(parseFaults(options.faults ?? []), options.seed ?? 1);
    let isArmed = false;
    const sandbox = await startSandbox({
      folder: join(folder, 'sandbox'),
      host: '127.0.0.1',
      port: 0,
      faults: { next: (service, operation) => (isArmed ? faults.next(service, operation) : null) },
      clock: { now: () => Date.now() },
      log: faultLog(struck),
      ...(options.maxBytesRewrittenPerCall === undefined
        ? {}
        : { maxBytesRewrittenPerCall: options.maxBytesRewrittenPerCall }),
    });
    try {
      const created = await fetch(`${sandbox.url}/storage/v1/b?project=test-project`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: bucket }),
      });
      if (!created.ok) throw new Error(`bucket ${bucket}: ${created.status} ${await created.text()}`);
      isArmed = true;
      const store = openGcsStore({
        bucket,
        prefix: 'lake/shop/',
        cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
        projectId: null,
        keyFile: null,
        endpoint: sandbox.url,
        ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
      });
      await work({ store, folder, struck, url: sandbox.url, bucket });
    } finally {
      await sandbox.close();
    }
  });
}

function faultLog(struck: string[]): Logger {
  const silent = (): void => {};
  return {
    debug: silent,
    info: (message, fields) => {
      if (message === 'fault injected') struck.push(`${String(fields?.operation)} ${String(fields?.fault)}`);
    },
    warn: silent,
    error: (message, fields) => {
      throw new Error(`${message}: ${JSON.stringify(fields)}`);
    },
  };
}
