/** The laws of publishing and collecting on the store for Cloud Storage, against the sandbox: every request is HTTP. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ObjectStore } from '../../core/ports.ts';
import { createFaults, parseFaults } from '../../sandbox/faults.ts';
import type { Faults } from '../../sandbox/ports.ts';
import { type Sandbox, startSandbox } from '../../sandbox/server.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { collectionLaws } from '../contract/collection-laws.ts';
import { publishLaws } from '../contract/publish-laws.ts';
import { assertPublished, openLake, readUnmixed, stampedTables } from '../contract/published-lake.ts';
import { stageRequest } from '../fixtures-support/staged-table.ts';

const BUCKET = 'laws';
const NO_FAULTS: Faults = { next: () => null };
const quiet = (): void => {};

let folder = '';
let sandbox: Sandbox;
let faults = NO_FAULTS;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-publish-gcs-'));
  sandbox = await startSandbox({
    folder: join(folder, 'sandbox'),
    host: '127.0.0.1',
    port: 0,
    faults: { next: (service, operation) => faults.next(service, operation) },
    clock: { now: () => Date.now() },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  const made = await fetch(`${sandbox.url}/storage/v1/b?project=test`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: BUCKET }),
  });
  assert.ok(made.ok, await made.text());
});
after(async () => {
  await sandbox.close();
  await rm(folder, { recursive: true, force: true });
});

/** Each of a prefix of its own, on one server. */
function openStore(): ObjectStore {
  return openGcsStore({
    bucket: BUCKET,
    prefix: `${randomUUID()}/`,
    cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
    projectId: null,
    keyFile: null,
    endpoint: sandbox.url,
  });
}

const withStore = (work: (store: ObjectStore) => Promise<void>): Promise<void> => work(openStore());

publishLaws('gcs on the sandbox', withStore, { orders: 3, publishes: 60, isSlow: true });
collectionLaws('gcs on the sandbox', withStore, { orders: 3, isSlow: true });

describe('publishing to gcs while requests fail', () => {
  test('shows each run once and whole, whatever the server answers to the writes of its pointer', async () => {
    const store = openStore();
    const struck: string[] = [];
    const rules = ['storage:503:0.1', 'storage:reset:0.05', 'storage:lost-reply:0.1', 'storage:wrong-checksum:0.5'];
    const storm = createFaults(parseFaults(rules), 7);
    faults = {
      next: (service, operation) => {
        const fault = storm.next(service, operation);
        if (fault !== null) struck.push(fault.kind);
        return fault;
      },
    };
    try {
      const runs = Array.from({ length: 12 }, (_, index) => `r${index}`);
      for (const [index, run] of runs.entries()) {
        const request = await stageRequest(store, stampedTables(run, index === 0 ? null : index));
        assert.equal((await openLake(store).publish(request)).sequence, index + 1);
        assert.equal(await readUnmixed(store), index + 1);
      }
      assert.ok(new Set(struck).size === rules.length, struck.join());
      faults = NO_FAULTS;
      await assertPublished(store, runs);
    } finally {
      faults = NO_FAULTS;
    }
  });
});
