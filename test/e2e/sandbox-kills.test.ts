/** The demo on the sandbox, killed at moments that leave the most behind -> the same gold as undisturbed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { assay } from '../fixtures-support/assay-cli.ts';
import { killAll, type ProcessGroup, startGroup, taskProcesses } from './sandbox-process.ts';
import {
  assertNothingMissing,
  assertWarehouseHoldsThePublished,
  finishedJobs,
  localLake,
  sandboxLake,
  stagingTables,
  versionsOf,
  visibleContents,
} from './sandbox-state.ts';
import { type SeenRequest, startWiretap, type Wiretap } from './sandbox-wiretap.ts';

const SIZE = ['--days', '3', '--orders-per-day', '20'];
const quiet = (): void => {};
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet };

let base = '';
let undisturbed: { readonly contents: Readonly<Record<string, string>>; readonly versions: readonly string[] };

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-kills-'));
  const local = join(base, 'local');
  const { code, stdout, stderr } = await assay(['demo', local, ...SIZE]);
  assert.equal(code, 0, stdout + stderr);
  undisturbed = { contents: await visibleContents(localLake(local)), versions: await versionsOf(localLake(local)) };
});
after(async () => {
  await killAll();
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
});

const startDemo = (project: string, env: Readonly<Record<string, string>> = {}): ProcessGroup =>
  startGroup(['demo', project, ...SIZE, '--env', 'sandbox'], { cwd: base, env });

async function assertDone(demo: ProcessGroup): Promise<void> {
  const { code, output } = await demo.ended;
  assert.equal(code, 0, output);
  assert.match(output, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
}

/** `redone`: how many pieces of work may have been done again, because the sandbox died with them under way. */
async function assertUndisturbed(project: string, { redone = 0 } = {}): Promise<void> {
  const sandbox = await startSandbox({
    folder: join(project, '.assay/sandbox/cloud'),
    host: '127.0.0.1',
    port: 0,
    faults: createFaults([], 1),
    clock: { now: () => Date.now() },
    log: SILENT,
  });
  try {
    const lake = sandboxLake(sandbox.url, join(base, 'cache'));
    assert.deepEqual(await visibleContents(lake), undisturbed.contents);
    assert.deepEqual(await versionsOf(lake), undisturbed.versions);
    await assertNothingMissing(lake);
    const jobs = await finishedJobs(sandbox.url);
    const pieces = new Set(jobs.map(({ does }) => does));
    assert.ok(jobs.length - pieces.size <= redone, doneTwice(jobs));
    assert.deepEqual(await stagingTables(sandbox.url), []);
    await assertWarehouseHoldsThePublished(sandbox.url, lake);
  } finally {
    await sandbox.close();
  }
}

function doneTwice(jobs: Awaited<ReturnType<typeof finishedJobs>>): string {
  const twice = jobs.filter(({ does, id }) => jobs.some((other) => other.does === does && other.id !== id));
  return twice.map(({ id, does }) => `${id} ${does.slice(0, 200)}`).join('\n');
}

describe('assay demo --env sandbox, killed together with the sandbox that it started', () => {
  test('goes on where it stopped, as often as it is killed, and comes to the same gold', async () => {
    const project = join(base, 'group');
    const moments = [
      /base_silver\.orders {2}running/,
      /enriched_silver\.int_sales_velocity {2}running/,
      /load_to_bigquery\.int_inventory_risk {2}running/,
      /gold_marts_build\.fct_finance_revenue {2}running/,
      /publish_gold {2}running/,
    ];
    for (const moment of moments) {
      const demo = startDemo(project);
      await demo.said(moment);
      await demo.kill();
    }
    await assertDone(startDemo(project));
    await assertUndisturbed(project, { redone: moments.length });
  });
});
