/** Going back, holding and collecting by the `assay` command, with the warehouse: also where it died half-way. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { PublishedLayer } from '../../core/types.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { assay } from '../fixtures-support/assay-cli.ts';

const QUERY = 'select cast(order_date as string) as day, orders, revenue from gold.fct_daily_orders order by 1';
const FIRST = 'day,orders,revenue\n2025-01-01,2,52.50\n2025-01-02,1,7.25\n';
const SECOND = 'day,orders,revenue\n2025-01-01,2,52.50\n2025-01-02,1,100.00\n2025-01-03,1,1.00\n';

let base = '';
let shop = '';

const cli = (...args: string[]) => assay(args, { cwd: shop });
const run = () => cli('run', 'shop', '--date', '2025-01-02', '--force', '--warning-only');
/** What the lake shows. */
const published = async (): Promise<string> => (await cli('query', QUERY, '--format', 'csv')).stdout;
const lake = (): Publications =>
  openPublications({
    store: openLocalStore({ root: join(shop, 'data/shop') }),
    pipeline: 'shop',
    clock: { now: Date.now },
  });

/** What the warehouse holds, whatever the lake shows. */
async function gold(): Promise<string> {
  const instance = await DuckDBInstance.create(join(shop, 'data/warehouse.duckdb'), { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  try {
    const sql = QUERY.replace('as string', 'as varchar').replace('revenue from', 'cast(revenue as varchar) from');
    const rows = (await connection.runAndReadAll(sql)).getRows();
    return ['day,orders,revenue', ...rows.map((row) => row.join(','))].map((line) => `${line}\n`).join('');
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function reverts(layer: PublishedLayer): Promise<readonly (number | null)[]> {
  const found: (number | null)[] = [];
  for await (const { revertsTo } of lake().history(layer)) found.unshift(revertsTo);
  return found;
}

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-rollback-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
  assert.equal((await run()).code, 0);
  assert.equal(await gold(), FIRST);
  const landing = join(shop, 'landing/shop/orders.csv');
  const text = await readFile(landing, 'utf8');
  await writeFile(landing, `${text.replace('7.25', '100.00')}1005,grace,2025-01-03,1.00\n`);
  const second = await run();
  assert.equal(second.code, 0, second.stdout + second.stderr);
  assert.equal(await gold(), SECOND);
});
after(() => rm(base, { recursive: true, force: true }));

describe('a rollback that died between pointer and warehouse', () => {
  for (const layer of ['gold', 'silver'] as const) {
    test(`of ${layer} is completed by the same command, which then has nothing left to do`, async () => {
      const before = await reverts(layer);
      await lake().rollback(layer, 1, { dagId: 'rollback', runId: `rollback__${layer}_2_to_1` });
      assert.equal(await gold(), SECOND);
      const completed = await cli('rollback', layer, '--to', '1', '--yes');
      assert.equal(completed.code, 0, completed.stderr);
      assert.deepEqual([await gold(), await published()], [FIRST, FIRST]);
      const again = await cli('rollback', layer, '--to', '1', '--yes', '--json');
      assert.equal(again.code, 0, again.stderr);
      assert.equal(await gold(), FIRST);
      assert.deepEqual(await reverts(layer), [...before, 1]);

      const forth = await cli('rollback', layer, '--to', '2', '--yes');
      assert.equal(forth.code, 0, forth.stderr);
      assert.equal(await gold(), SECOND);
    });
  }
});

describe('a held layer', () => {
  test('stops a run, is shown with who and why, lets a rollback pass, and is published again once released', async () => {
    const back = await cli('rollback', 'silver', '--to', '1', '--hold', '--reason', 'totals look wrong', '--yes');
    assert.equal(back.code, 0, back.stderr);
    assert.match(back.stdout, /silver is held by .+ since .+ \(totals look wrong\)/);
    assert.equal(await gold(), FIRST);

    const stopped = await run();
    assert.equal(stopped.code, 7, stopped.stdout);
    assert.match(stopped.stdout + stopped.stderr, /silver is held by .*totals look wrong.*assay hold silver --release/);
    assert.equal(await gold(), FIRST);
    assert.match((await cli('versions', 'silver')).stdout, /silver is held by .*totals look wrong/);
    const tables = JSON.parse((await cli('ls', '--json')).stdout) as { table: string; held: boolean }[];
    assert.deepEqual(
      tables.map(({ table, held }) => [table, held]),
      [
        ['silver.orders', true],
        ['gold.fct_daily_orders', false],
      ],
    );

    const dry = await cli('hold', 'silver', '--release', '--dry-run');
    assert.match(dry.stdout, /it would be released/);
    assert.notEqual(await lake().held('silver'), null);
    assert.match((await cli('hold', 'silver', '--release')).stdout, /silver is released/);
    const released = await run();
    assert.equal(released.code, 0, released.stdout + released.stderr);
    assert.equal(await gold(), SECOND);
  });

  test('of gold stops a rollback of what its marts are built from before anything moves', async () => {
    const before = await reverts('silver');
    assert.equal((await cli('hold', 'gold')).code, 0);
    const refused = await cli('rollback', 'silver', '--to', '1', '--yes');
    assert.equal(refused.code, 7);
    assert.match(refused.stderr, /gold is held by/);
    assert.deepEqual(await reverts('silver'), before);
    assert.equal((await cli('hold', 'gold', '--release')).code, 0);
  });
});

describe('garbage collection', () => {
  test('says what it would do, does not do it unasked, and leaves a lake that reads as before', async () => {
    const few = ['--set', 'retention.versions=2', '--set', 'retention.days=0'];
    const plan = await cli('gc', ...few, '--dry-run', '--json');
    assert.equal(plan.code, 0, plan.stderr);
    const { isDryRun, layers, collected } = JSON.parse(plan.stdout);
    assert.equal(isDryRun, true);
    assert.equal(layers.length, 4);
    // All of it is younger than the grace time.
    assert.deepEqual(collected, { objects: 0, bytes: 0 });
    const done = await cli('gc', ...few, '--yes');
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await gold(), SECOND);
  });
});
