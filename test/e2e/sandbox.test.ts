/** The reference pipeline as production runs it, against the stand-ins of Cloud Storage and BigQuery. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay, type CliResult, startAssay } from '../fixtures-support/assay-cli.ts';

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

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-sandbox-'));
  local = join(base, 'local');
  cloud = join(base, 'cloud');
  demo = await assay(['demo', cloud, ...SIZE, ...SANDBOX]);
});
after(() => rm(base, { recursive: true, force: true }));

async function json<T>(args: readonly string[], cwd: string): Promise<T> {
  const { stdout, stderr, code } = await assay([...args, '--json'], { cwd });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

describe('assay demo --env sandbox', () => {
  test('takes both runs to gold in the stand-ins and finds every planted fault', () => {
    assert.equal(demo.code, 0, demo.stdout + demo.stderr);
    assert.match(demo.stdout, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
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
      const rows = async (cwd: string, ...env: string[]): Promise<string[]> =>
        (await json<{ rows: unknown[] }>(['query', `SELECT * FROM gold.${mart}`, ...env], cwd)).rows
          .map((row) => JSON.stringify(row))
          .sort();
      const expected = await rows(local);
      assert.ok(expected.length > 0, `${mart} is empty`);
      assert.deepEqual(await rows(cloud, ...SANDBOX), expected, mart);
    }
  });

  test('changes nothing the second time', async () => {
    const again = await assay(
      ['run', 'ecom_silver_to_gold_pipeline', '--date', '2025-10-03', '--warning-only', ...SANDBOX],
      {
        cwd: cloud,
      },
    );
    assert.equal(again.code, 0, again.stdout + again.stderr);
    const { 0: newest } = await json<{ sequence: number }[]>(['versions', 'gold', ...SANDBOX], cloud);
    assert.equal(newest?.sequence, 2);
  });
});

describe('assay sandbox', () => {
  test('says where it is and what it does not imitate, is used by other commands, and ends at a signal', async () => {
    const { child, result } = startAssay(['sandbox', '--port', '0'], { cwd: cloud });
    const url = await new Promise<string>((resolve) => {
      let said = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const found = /Sandbox on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
        if (found && said.includes('does not imitate')) resolve(found);
      });
    });
    assert.match(url, /^http/);
    const second = await assay(['sandbox', '--port', '0'], { cwd: cloud });
    assert.equal(second.code, 7, second.stderr);
    const listed = await assay(['ls', ...SANDBOX], { cwd: cloud });
    assert.match(listed.stdout, /gold\.fct_daily_dashboard/);
    child.kill('SIGINT');
    assert.equal((await result).code, 0);
  });
});
