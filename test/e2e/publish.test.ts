/** A strict gate that closes, and what `assay publish` then lets pass: all, or what did not fail. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay, type CliResult, startAssay } from '../fixtures-support/assay-cli.ts';

const SPEC = `version: 1
pipeline: shop
defaults: {quality: {sla: 0.95, max_quarantine_pct: 60}}
base_silver:
  tables:
    - name: orders
      source: {landing: {path: orders.csv}}
      primary_key: [order_id]
      columns:
        - {name: order_id, type: int64, required: true}
        - {name: amount, type: "decimal(18,2)", required: true}
    - name: returns
      source: {landing: {path: returns.csv}}
      primary_key: [return_id]
      foreign_keys: [{column: order_id, references: orders.order_id}]
      columns:
        - {name: return_id, type: int64, required: true}
        - {name: order_id, type: int64, required: true}
    - name: refunds
      source: {landing: {path: refunds.csv}}
      primary_key: [refund_id]
      foreign_keys: [{column: return_id, references: returns.return_id}]
      columns:
        - {name: refund_id, type: int64, required: true}
        - {name: return_id, type: int64, required: true}
`;
const ORDERS = 'order_id,amount\n1,10.00\n2,20.00\n';
const mart = (table: string): string =>
  `/* @assay\ngrain: []\ncolumns: [{name: rows_seen, type: int64}]\n@assay */\nSELECT COUNT(*) AS rows_seen FROM silver.${table}\n`;

let base = '';
let shop = '';

const cli = (...args: string[]): Promise<CliResult> => assay([...args, '--strict'], { cwd: shop });
const run = (): Promise<CliResult> => cli('run', 'shop', '--date', '2025-01-02', '--force');
const land = (table: string, text: string): Promise<void> => writeFile(join(shop, `landing/shop/${table}.csv`), text);

/** Rows by table, of what readers see. */
async function seen(): Promise<Record<string, number>> {
  const tables = JSON.parse((await cli('ls', '--json')).stdout) as { table: string; rows: number }[];
  return Object.fromEntries(tables.map(({ table, rows }) => [table, rows]));
}

/** What each mart counts. */
async function counted(name: string): Promise<string> {
  return (await cli('query', `select rows_seen from gold.${name}`, '--format', 'csv')).stdout
    .replace('rows_seen\n', '')
    .trim();
}

async function newest(layer: string): Promise<{ sequence: number; verdict: string; accepted?: unknown }> {
  const [first] = JSON.parse((await cli('versions', layer, '--json')).stdout) as {
    sequence: number;
    verdict: string;
  }[];
  assert.ok(first);
  return first;
}

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-publish-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
  await writeFile(join(shop, 'specs/shop/pipeline.yml'), SPEC);
  await rm(join(shop, 'specs/shop/marts/fct_daily_orders.sql'));
  await writeFile(join(shop, 'specs/shop/marts/fct_orders.sql'), mart('orders'));
  await writeFile(join(shop, 'specs/shop/marts/fct_refunds.sql'), mart('refunds'));
  await land('orders', ORDERS);
  await land('returns', 'return_id,order_id\n1,1\n2,99\n');
  await land('refunds', 'refund_id,return_id\n1,1\n');
});
after(() => rm(base, { recursive: true, force: true }));

describe('a layer that a strict gate keeps back', () => {
  test('is not let pass before any run stopped there, nor without a reason or a yes', async () => {
    const before = await cli('publish', 'silver', '--because', 'x', '--yes');
    assert.equal(before.code, 2, before.stderr);
    assert.match(before.stderr, /Nothing has run in this project yet/);
    const stopped = await run();
    assert.equal(stopped.code, 4, stopped.stdout + stopped.stderr);
    assert.match(stopped.stdout, /silver\.returns\.fk_order.* let it pass: assay publish silver --because/s);
    for (const args of [['--yes'], ['--because', ' ', '--yes'], ['--because', 'late file']]) {
      assert.equal((await cli('publish', 'silver', ...args)).code, 2, args.join(' '));
    }
    assert.deepEqual(await seen(), {});
  });

  test('says before what would be published and what would stay', async () => {
    const { stdout } = await cli('publish', 'silver', '--hold-failed', '--dry-run', '--json');
    const { published, held, heldDownstream, current } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      { published, held, heldDownstream, current },
      { published: ['orders'], held: ['refunds', 'returns'], heldDownstream: ['gold.fct_refunds'], current: null },
    );
    assert.deepEqual(await seen(), {});
  });

  test('shows what passed up to gold, without what failed and what is built on it', async () => {
    const { code, stdout, stderr } = await cli(
      'publish',
      'silver',
      '--hold-failed',
      '--because',
      'returns are late',
      '--yes',
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /held back in silver, as readers saw them before: refunds, returns|: returns, refunds/);
    assert.deepEqual(await seen(), { 'silver.orders': 2, 'gold.fct_orders': 1 });
    assert.equal(await counted('fct_orders'), '2');
    const { verdict, accepted } = await newest('silver');
    assert.equal(verdict, 'PASS');
    assert.deepEqual(
      { ...(accepted as object), by: '' },
      { by: '', because: 'returns are late', held: ['refunds', 'returns'] },
    );
    assert.match((await cli('versions', 'silver')).stdout, /returns are late; without refunds, returns/);
    const report = (await cli('report', 'show', 'SILVER_QUALITY')).stdout;
    assert.match(report, /^# SILVER_QUALITY · shop · 2025-01-02 · PASS, published without refunds, returns\n/);
    assert.match(report, /FAIL `silver\.returns\.fk_order`/);
  });

  test('is let pass again by the same word where nothing has changed, and nothing new is published', async () => {
    const { sequence } = await newest('silver');
    const again = await run();
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.equal((await newest('silver')).sequence, sequence);
  });

  test('is kept back again where other rows failed than those that were let pass', async () => {
    await land('returns', 'return_id,order_id\n1,1\n2,99\n3,98\n');
    assert.equal((await run()).code, 4);
    assert.deepEqual(await seen(), { 'silver.orders': 2, 'gold.fct_orders': 1 });
  });

  test('is published whole by a word on the whole, and the version says so', async () => {
    const { code, stdout, stderr } = await cli(
      'publish',
      'silver',
      '--run',
      'latest',
      '--because',
      'agreed with finance',
      '--yes',
    );
    assert.equal(code, 0, stdout + stderr);
    assert.deepEqual(await seen(), {
      'silver.orders': 2,
      'silver.returns': 1,
      'silver.refunds': 1,
      'gold.fct_orders': 1,
      'gold.fct_refunds': 1,
    });
    assert.equal(await counted('fct_refunds'), '1');
    assert.equal((await newest('silver')).verdict, 'FAIL');
    assert.match((await cli('query', 'select rows_seen from gold.fct_refunds', '--json')).stdout, /"verdict": ?"FAIL"/);
  });

  test('goes on at the server where one runs', async () => {
    await land('orders', `${ORDERS}3,30.00\n`);
    await land('returns', 'return_id,order_id\n1,1\n2,99\n3,98\n4,97\n');
    const server = startAssay(['server', '--port', '0', '--no-schedules', '--strict'], { cwd: shop });
    try {
      await server.said(/on http:/);
      assert.equal((await run()).code, 4);
      const { code, stdout, stderr } = await cli(
        'publish',
        'silver',
        '--hold-failed',
        '--because',
        'orders first',
        '--yes',
      );
      assert.equal(code, 0, stdout + stderr);
      assert.match(stderr, /has this project; following there/);
      assert.equal(await counted('fct_orders'), '3');
      assert.equal((await seen())['silver.returns'], 1);
    } finally {
      server.child.kill('SIGTERM');
      await server.result;
    }
  });

  test('is not let pass where it is held', async () => {
    await land('returns', 'return_id,order_id\n1,1\n2,96\n');
    assert.equal((await run()).code, 4);
    assert.equal((await cli('hold', 'silver', '--reason', 'audit')).code, 0);
    const { code, stderr } = await cli('publish', 'silver', '--because', 'x', '--yes');
    assert.equal(code, 7, stderr);
    assert.match(stderr, /silver is held by .*audit/);
    assert.equal((await cli('hold', 'silver', '--release')).code, 0);
  });

  test('needs no word where the settings hold back only what failed', async () => {
    const { code, stdout, stderr } = await cli(
      'run',
      'shop',
      '--date',
      '2025-01-02',
      '--force',
      '--set',
      'gates.on_fail=hold_descendants',
    );
    assert.equal(code, 0, stdout + stderr);
    const report = (await cli('report', 'show', 'SILVER_QUALITY')).stdout;
    assert.match(report, /published without refunds, returns/);
    assert.equal((await seen())['silver.returns'], 1);
  });
});
