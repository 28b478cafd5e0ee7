/** The reference pipeline as production runs it, against the stand-ins of Cloud Storage and BigQuery. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay, type CliResult, type StartedCli, startAssay } from '../fixtures-support/assay-cli.ts';

const SIZE = ['--days', '3', '--orders-per-day', '30'];
const SANDBOX = ['--env', 'sandbox'];
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

let base = '';
let local = '';
let cloud = '';
let demo: CliResult;
let sandbox: StartedCli;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-sandbox-'));
  local = join(base, 'local');
  cloud = join(base, 'cloud');
  demo = await assay(['demo', cloud, ...SIZE, ...SANDBOX]);
  sandbox = startAssay(['sandbox', '--port', '0'], { cwd: cloud });
  await sandbox.said(/does not imitate/);
});
after(async () => {
  sandbox.child.kill('SIGKILL');
  await rm(base, { recursive: true, force: true });
});

async function json<T>(args: readonly string[], cwd: string): Promise<T> {
  const { stdout, stderr, code } = await assay([...args, '--json'], { cwd });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

async function rowsOf(mart: string, cwd: string, ...env: string[]): Promise<readonly string[]> {
  const { rows } = await json<{ rows: unknown[] }>(
    ['query', `SELECT * FROM gold.${mart}`, '--limit', '100000', ...env],
    cwd,
  );
  return rows.map((row) => JSON.stringify(row)).sort();
}

describe('assay demo --env sandbox', () => {
  test('starts the stand-ins, takes both runs to gold in them and finds every planted fault', () => {
    assert.equal(demo.code, 0, demo.stdout + demo.stderr);
    assert.match(demo.stdout, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
    const [, jobs, partitions] = /load jobs {2}(\d+) for (\d+) partitions/.exec(demo.stdout) ?? [];
    assert.equal(jobs, partitions);
    assert.ok(Number(jobs) > 0);
  });

  test('keeps objects under the staging prefix of the bucket', async () => {
    const { partitions } = await json<{ partitions: { files: { key: string }[] }[] }>(
      ['ls', 'silver.orders', ...SANDBOX],
      cloud,
    );
    assert.ok(partitions.length > 0);
    for (const { files } of partitions)
      for (const { key } of files) assert.match(key, /^silver\/_staging\/ecom_silver_to_gold_pipeline\./);
    const shown = await assay(['ls', 'silver.orders', '--files', ...SANDBOX], { cwd: cloud });
    assert.match(shown.stdout, /gs:\/\/assay-sandbox\/ecommerce\/silver\/_staging\//);
  });

  test('comes to the rows of the embedded warehouse', async () => {
    assert.equal((await assay(['demo', local, ...SIZE])).code, 0);
    for (const mart of MARTS) {
      const expected = await rowsOf(mart, local);
      assert.ok(expected.length > 0, `${mart} is empty`);
      assert.deepEqual(await rowsOf(mart, cloud, ...SANDBOX), expected, mart);
    }
  });

  test('changes nothing the second time', async () => {
    const again = await assay(
      ['run', 'ecom_silver_to_gold_pipeline', '--date', '2025-10-03', '--warning-only', ...SANDBOX],
      { cwd: cloud },
    );
    assert.equal(again.code, 0, again.stdout + again.stderr);
    const [newest] = await json<{ sequence: number }[]>(['versions', 'gold', ...SANDBOX], cloud);
    assert.equal(newest?.sequence, 2);
  });

  test('looks whether the tables are still in the warehouse, and builds again one that is not', async () => {
    const args = ['run', 'ecom_silver_to_gold_pipeline', '--date', '2025-10-03', '--warning-only', ...SANDBOX];
    const [url = ''] = await sandbox.said(/http:\/\/[\d.]+:\d+/);
    const table = new URL(
      '/bigquery/v2/projects/assay-sandbox/datasets/ecommerce_gold/tables/fct_daily_dashboard',
      url,
    );
    assert.equal((await fetch(table, { method: 'DELETE' })).status, 204);
    const again = await assay(args, { cwd: cloud });
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.match(again.stderr, /gold_marts_build\.fct_daily_dashboard {2}success {2}\S+ s {2}\d+ rows/);
    assert.equal((await fetch(table)).status, 200);
    assert.match((await assay(args, { cwd: cloud })).stdout, /nothing has changed/);
  });

  test('rolls gold and its tables in the warehouse back while a server has the project', async () => {
    const days = async (): Promise<readonly string[]> =>
      rowsOf('fct_daily_dashboard', cloud, ...SANDBOX).then((rows) => rows.map((row) => row.slice(0, 40)));
    const before = await days();
    const server = startAssay(['server', '--port', '0', '--no-schedules', ...SANDBOX], { cwd: cloud });
    try {
      await server.said(/on http:/);
      const back = await assay(['rollback', 'gold', '--to', '1', '--yes', ...SANDBOX], { cwd: cloud });
      assert.equal(back.code, 0, back.stdout + back.stderr);
      assert.match(back.stdout, /gold\.fct_daily_dashboard {2}\d+ partitions restored, 1 removed/);
      assert.equal((await days()).length, before.length - 1);
      const forth = await assay(['rollback', 'gold', '--to', '2', '--yes', ...SANDBOX], { cwd: cloud });
      assert.equal(forth.code, 0, forth.stdout + forth.stderr);
      assert.deepEqual(await days(), before);
    } finally {
      server.child.kill('SIGTERM');
      await server.result;
    }
  });
});

describe('assay sandbox', () => {
  test('lets no second one serve the same folder, and ends at a signal', async () => {
    const second = await assay(['sandbox', '--port', '0'], { cwd: cloud });
    assert.equal(second.code, 7, second.stderr);
    sandbox.child.kill('SIGINT');
    const { code, stdout } = await sandbox.result;
    assert.equal(code, 0);
    assert.match(stdout, /^Sandbox on http:\/\/127\.0\.0\.1:\d+/);
  });
});
