/** A day that is done, run again: nothing where nothing has changed, and again whatever a user took away or turned on since. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { assay } from '../fixtures-support/assay-cli.ts';

let base = '';
let shop = '';

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-rerun-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
});
after(() => rm(base, { recursive: true, force: true }));

const run = (...args: string[]) => assay(['run', 'shop', '--date', '2025-01-02', ...args], { cwd: shop });
const warehouse = () => join(shop, 'data/warehouse.duckdb');

async function inWarehouse<T>(work: (session: DuckDbSession) => Promise<T>): Promise<T> {
  await using session = await DuckDbSession.open({ path: warehouse() });
  return await work(session);
}

const ordersInGold = () =>
  inWarehouse(async (session) => Number((await session.one('SELECT sum(orders) AS n FROM gold.fct_daily_orders')).n));

async function isDoneAgain(): Promise<void> {
  const { code, stdout, stderr } = await run();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /shop for 2025-01-02: success/);
}

describe('a day that is done, run again', () => {
  test('does nothing where its landing file has not changed, and leaves the reports of what came in', async () => {
    const report = join(shop, 'docs/validation_reports/shop/SILVER_QUALITY.md');
    await isDoneAgain();
    const before = await readFile(report, 'utf8');
    assert.match(before, /1 of 4 rows \(25\.00 %\) quarantined/);
    const { code, stdout } = await run();
    assert.equal(code, 0);
    assert.match(stdout, /nothing has changed since run/);
    assert.equal(await readFile(report, 'utf8'), before);
  });

  test('takes a landing file that has changed', async () => {
    await appendFile(join(shop, 'landing/shop/orders.csv'), '1005,ada,2025-01-02,3.00\n');
    await isDoneAgain();
    assert.equal(await ordersInGold(), 4);
    assert.match((await run()).stdout, /nothing has changed/);
  });

  test('loads and builds again what the warehouse lost: its file, a mart, or a table that a mart reads', async () => {
    await rm(warehouse());
    await isDoneAgain();
    assert.equal(await ordersInGold(), 4);
    for (const table of ['gold.fct_daily_orders', 'silver.orders']) {
      await inWarehouse((session) => session.run(`DROP TABLE ${table}`));
      await isDoneAgain();
      assert.equal(await ordersInGold(), 4);
      assert.equal(await inWarehouse(async (session) => (await session.rows('FROM silver.orders')).length), 4);
    }
    assert.match((await run()).stdout, /nothing has changed/);
  });

  test('leaves a warehouse alone that it cannot ask, and says so', async () => {
    await inWarehouse(async (session) => {
      await session.run('CREATE TABLE own(n INTEGER); CHECKPOINT');
      const { code, stdout, stderr } = await run();
      assert.equal(code, 0);
      assert.match(stdout, /nothing has changed/);
      assert.match(stderr, /Whether the warehouse still has the tables of this run is not known: .*in use/);
    });
  });

  test('does what a setting had left out', async () => {
    await rm(warehouse());
    assert.equal((await run('--force', '--set', 'warehouse.load=false')).code, 0);
    await isDoneAgain();
    assert.equal(await ordersInGold(), 4);
  });
});
