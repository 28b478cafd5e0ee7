/** Two projects on one bucket and one BigQuery -> runs at once that win, give way or end cleanly, and readers that see no mix. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Publication } from '../../core/types.ts';
import { generateDemo } from '../../demo/generate-demo.ts';
import { uploadFolder } from '../../storage/upload-folder.ts';
import { assay, type CliResult } from '../fixtures-support/assay-cli.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import { killAll, type ProcessGroup, startGroup } from './sandbox-process.ts';
import {
  assertNothingMissing,
  assertWarehouseHoldsThePublished,
  countedMarts,
  type Lake,
  localLake,
  sandboxBronze,
  sandboxLake,
  visibleContents,
} from './sandbox-state.ts';

const DAG = 'ecom_silver_to_gold_pipeline';
const run = (day: string): readonly string[] => ['run', DAG, '--date', day, '--warning-only'];

let base = '';
let sandbox: ProcessGroup;
let url = '';
let lake: Lake;

const project = (name: string): string => join(base, name);

/** On the shared sandbox, as it is found by its folder. */
function onSandbox(name: string, args: readonly string[]): Promise<CliResult> {
  return assay([...args, '--env', 'sandbox'], {
    cwd: project(name),
    env: { ASSAY_SANDBOX_PATH: join(base, 'cloud'), ASSAY_RETRIES_DELAY_SECONDS: '0' },
  });
}

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-races-'));
  for (const name of ['one', 'two', 'local']) {
    await mkdir(project(name));
    for (const part of ['specs/ecommerce', 'config/config.yml'])
      await cp(join(packageRoot(), part), join(project(name), part), { recursive: true });
  }
  const bronzeDir = join(project('local'), 'data/ecommerce/bronze');
  await generateDemo({ bronzeDir, days: 3, ordersPerDay: 20, seed: 42 });
  sandbox = startGroup(['sandbox', '--port', '0'], {
    cwd: project('one'),
    env: { ASSAY_SANDBOX_PATH: join(base, 'cloud') },
  });
  [, url = ''] = await sandbox.said(/Sandbox on (http:\/\/127\.0\.0\.1:\d+)/);
  assert.equal((await onSandbox('one', ['ls'])).code, 0);
  lake = sandboxLake(url, join(base, 'cache'));
  await uploadFolder(sandboxBronze(url, join(base, 'cache')), bronzeDir);
});
after(async () => {
  await killAll();
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
});

const MARTS = [
  'fct_cart_abandonment',
  'fct_customer_segments',
  'fct_daily_dashboard',
  'fct_finance_revenue',
  'fct_marketing_attribution',
  'fct_product_profitability',
  'fct_sales_operations',
  'fct_shipping_analysis',
];

const rowsOfMarts = (gold: Publication): readonly number[] =>
  MARTS.map((mart) =>
    Object.values(gold.tables[mart]?.partitions ?? {}).reduce((sum, partition) => sum + partition.rows, 0),
  );

/** Reads until it is stopped: each look at BigQuery must show some version of gold whole, or what stood there before any. */
function readAllTheTime(): { stop(): Promise<void> } {
  let isStopped = false;
  const counts = new Set<string>();
  const sequences: number[] = [];
  const reading = (async () => {
    while (!isStopped) {
      sequences.push((await lake.publications.current('gold'))?.sequence ?? 0);
      const counted = await countedMarts(url, MARTS);
      if (counted !== null) counts.add(counted.join());
      await wait(20);
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await reading;
      assert.deepEqual(
        sequences.toSorted((a, b) => a - b),
        sequences,
        'a reader was set back',
      );
      const whole = new Set([MARTS.map(() => 0).join()]);
      for await (const version of lake.publications.history('gold')) whole.add(rowsOfMarts(version).join());
      for (const seen of counts) assert.ok(whole.has(seen), `a mix: ${seen}; versions are ${[...whole].join(' | ')}`);
      assert.ok(sequences.length > 3, 'the reader hardly looked');
    },
  };
}

/** One of the two at least ends well; the other as well, or told that it is stale, with nothing of it published. */
function assertWonOrGaveWay(results: readonly CliResult[]): void {
  assert.ok(results.some(({ code }) => code === 0));
  for (const { code, stdout, stderr } of results) {
    if (code === 0) continue;
    assert.equal(code, 7, stdout + stderr);
    assert.match(stdout, /\((publish_conflict|state_conflict)\)/, stdout + stderr);
  }
}

/** Both at once, then whoever gave way again; days in the order in which they came to gold. */
async function race(days: readonly [string, string]): Promise<readonly string[]> {
  const reader = readAllTheTime();
  const results = await Promise.all([onSandbox('one', run(days[0])), onSandbox('two', run(days[1]))]);
  assertWonOrGaveWay(results);
  const [one, two] = results.map(({ code }) => code === 0);
  if (!one) assert.equal((await onSandbox('one', run(days[0]))).code, 0);
  if (!two) assert.equal((await onSandbox('two', run(days[1]))).code, 0);
  await reader.stop();
  return one ? days : [...days].reverse();
}

async function runLocally(days: readonly string[]): Promise<void> {
  for (const day of days) {
    const { code, stdout, stderr } = await assay(run(day), { cwd: project('local') });
    assert.equal(code, 0, stdout + stderr);
  }
}

async function assertGoldIsRight(): Promise<void> {
  const expected = await visibleContents(localLake(project('local')));
  assert.deepEqual(await visibleContents(lake), expected);
  await assertNothingMissing(lake);
  await assertWarehouseHoldsThePublished(url, lake);
}

describe('two projects that share a bucket and BigQuery', () => {
  test('run the same day at once, and gold is that of one run', async () => {
    await race(['2025-10-01', '2025-10-01']);
    await runLocally(['2025-10-01']);
    await assertGoldIsRight();
  });

  test('run two days at once, and gold is that of one after the other', async () => {
    const order = await race(['2025-10-02', '2025-10-03']);
    await runLocally(order);
    await assertGoldIsRight();
  });
});
