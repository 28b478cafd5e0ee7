/** The demo as a user runs it: every fault found, gold right by an independent reading of bronze, and nothing lost to kill -9. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Publication } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { assay, type CliResult, startAssay } from '../fixtures-support/assay-cli.ts';

const SIZE = ['--days', '4', '--orders-per-day', '40'];
const LAYERS = ['silver', 'dims', 'enriched', 'gold'] as const;

let base = '';
let whole: CliResult;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-demo-'));
  whole = await assay(['demo', join(base, 'whole'), ...SIZE]);
});
after(() => rm(base, { recursive: true, force: true }));

/** By table and partition: what its files hold. */
async function contents(project: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const layer of LAYERS) {
    const folder = join(project, 'data/ecommerce', layer);
    const pointer = JSON.parse(await readFile(join(folder, '_latest.json'), 'utf8')) as { manifest: string };
    const manifest = JSON.parse(
      await readFile(join(project, 'data/ecommerce', pointer.manifest), 'utf8'),
    ) as Publication;
    for (const [table, published] of Object.entries(manifest.tables)) {
      for (const [value, partition] of Object.entries(published.partitions)) {
        found[`${layer}.${table}@${value}`] = partition.files.map((file) => file.crc32c).join();
      }
    }
  }
  return found;
}

async function reports(project: string): Promise<Record<string, string>> {
  const folder = join(project, 'docs/validation_reports');
  const found: Record<string, string> = {};
  for (const name of await readdir(folder)) {
    if (!/\.(md|results\.json)$/.test(name)) continue;
    found[name] = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
  }
  return found;
}

/** Name, size and time of every file, but for the one in which SQLite counts its readers. */
async function written(project: string): Promise<readonly string[]> {
  const names = (await readdir(project, { recursive: true })).filter((name) => !name.endsWith('runs.db-shm')).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(project, name));
      return `${name} ${size} ${mtimeMs}`;
    }),
  );
}

async function query(sql: string): Promise<readonly Record<string, unknown>[]> {
  const { stdout, stderr, code } = await assay(['query', sql, '--json'], { cwd: join(base, 'whole') });
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { rows: Record<string, unknown>[] }).rows;
}

describe('assay demo', () => {
  test('takes both runs to gold and finds every planted fault', () => {
    assert.equal(whole.code, 0, whole.stdout + whole.stderr);
    assert.match(whole.stdout, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
    assert.doesNotMatch(whole.stdout, /✘/);
  });

  test('says in the reports of the second run what changed since the first', async () => {
    const folder = join(base, 'whole/docs/validation_reports');
    for (const name of ['BRONZE', 'SILVER', 'DIMS_SNAPSHOT', 'ENRICHED', 'GOLD', 'BRONZE_DIMS', 'SILVER_DIMS'])
      assert.match(await readFile(join(folder, `${name}_QUALITY.md`), 'utf8'), /\n## Since 2025-10-01\.\.03 \(/);
  });

  test('shows the figures that an independent reading of bronze comes to', async () => {
    await using session = await DuckDbSession.open();
    const bronze = (table: string): string =>
      `(SELECT *, row_number() OVER () AS place FROM read_parquet('${join(base, 'whole/data/ecommerce/bronze', table)}/*/*.parquet', union_by_name = true))`;
    const isBlank = (column: string): string =>
      `lower(trim(coalesce(${column}, ''))) IN ('', 'none', 'null', 'n/a', 'nan')`;
    const valid = `SELECT * FROM ${bronze('orders')} WHERE NOT ${isBlank('order_id')} AND NOT ${isBlank('customer_id')}
      AND try_cast(trim(order_date) AS TIMESTAMP) IS NOT NULL AND gross_total >= 0 AND net_total >= 0
      AND coalesce(total_discount_amount, 0) >= 0 AND net_total <= gross_total`;
    const own = `SELECT * FROM (${valid}) v WHERE trim(customer_id) = (SELECT trim(min_by(customer_id, ingestion_ts || event_id)) FROM (${valid}) w WHERE trim(w.order_id) = trim(v.order_id))`;
    const newest = `SELECT * FROM (${own}) QUALIFY row_number() OVER (PARTITION BY trim(order_id) ORDER BY ingestion_ts DESC, event_id DESC, place) = 1`;
    const expected = await session.rows(
      `SELECT strftime(try_cast(trim(order_date) AS TIMESTAMP), '%Y-%m-%d') AS day, count(*) AS orders,
              sum(round(gross_total, 2)::DECIMAL(18,2))::VARCHAR AS gross, sum(round(net_total, 2)::DECIMAL(18,2))::VARCHAR AS net
       FROM (${newest}) GROUP BY 1 ORDER BY 1`,
    );
    assert.ok(expected.length >= 4);
    const actual = await query(
      'SELECT CAST(metric_date AS STRING) AS day, orders_count AS orders, gross_revenue AS gross, net_revenue AS net FROM gold.fct_daily_dashboard WHERE orders_count > 0 ORDER BY 1',
    );
    const plain = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) => [
        String(row.day),
        Number(row.orders),
        Number(row.gross).toFixed(2),
        Number(row.net).toFixed(2),
      ]);
    assert.deepEqual(plain(actual), plain(expected));
  });

  test('marts agree with each other on revenue and orders', async () => {
    const [row] = await query(
      `SELECT (SELECT SUM(gross_revenue) FROM gold.fct_daily_dashboard) AS dashboard,
              (SELECT SUM(gross_revenue) FROM gold.fct_finance_revenue) AS finance,
              (SELECT SUM(orders_count) FROM gold.fct_daily_dashboard) AS counted,
              (SELECT SUM(orders) FROM gold.fct_shipping_analysis) AS shipped`,
    );
    assert.equal(String(row?.dashboard), String(row?.finance));
    assert.equal(Number(row?.counted), Number(row?.shipped));
  });

  test('run again does nothing, in the same words', async () => {
    const before = await contents(join(base, 'whole'));
    const again = await assay(['demo', join(base, 'whole'), ...SIZE]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /nothing has changed/);
    assert.deepEqual(await contents(join(base, 'whole')), before);
  });

  test('leaves a project in which a day that is done is looked at without a write', async () => {
    const project = join(base, 'whole');
    const rerun = () => assay(['run', 'ecom_silver_to_gold_pipeline', '--date', '2025-10-04'], { cwd: project });
    const first = await rerun();
    assert.match(first.stdout, /nothing has changed/, first.stdout + first.stderr);
    const before = await written(project);
    assert.equal((await rerun()).stdout, first.stdout);
    assert.deepEqual(await written(project), before);
  });

  for (const days of [1, 2]) {
    test(`is whole with ${days} ${days === 1 ? 'day' : 'days'} too`, async () => {
      const small = await assay(['demo', join(base, `days-${days}`), '--days', `${days}`, '--orders-per-day', '20']);
      assert.equal(small.code, 0, small.stdout + small.stderr);
      assert.match(small.stdout, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
    });
  }

  test('starts over with --reset and leaves state and reports of other environments', async () => {
    const project = join(base, 'days-1');
    const others = [
      '.assay/prod/assay.db',
      '.assay/sandbox/lake/object',
      '.assay/dev/cache/part',
      'docs/validation_reports/prod/SILVER_QUALITY.md',
    ].map((name) => join(project, name));
    for (const path of others) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'kept');
    }
    const args = ['demo', project, '--days', '1', '--orders-per-day', '20', '--seed', '7'];
    const refused = await assay(args);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /holds a demo of 1 days .* seed 42/);
    const anew = await assay([...args, '--reset']);
    assert.equal(anew.code, 0, anew.stdout + anew.stderr);
    for (const path of others) assert.equal(await readFile(path, 'utf8'), 'kept');
  });

  test('killed in the middle, again and again, ends with the same bytes and the same reports', async () => {
    const project = join(base, 'killed');
    const bronze = join(project, 'data/ecommerce/bronze');
    const appeared = async (): Promise<void> => {
      while (!existsSync(bronze)) await wait(1);
    };
    const moments = [
      appeared,
      /base_silver\.orders {2}running/,
      /load_to_bigquery\.int_inventory_risk {2}running/,
      /gold_marts_build\.fct_finance_revenue {2}running/,
      /publish_gold {2}running/,
    ];
    for (const moment of moments) {
      const { child, result, said } = startAssay(['demo', project, ...SIZE]);
      await (moment instanceof RegExp ? said(moment) : moment());
      child.kill('SIGKILL');
      const { code, stdout } = await result;
      assert.equal(code, null, `it ended before it was killed:\n${stdout}`);
    }
    const last = await assay(['demo', project, ...SIZE]);
    assert.equal(last.code, 0, last.stdout + last.stderr);
    assert.deepEqual(await contents(project), await contents(join(base, 'whole')));
    assert.deepEqual(await reports(project), await reports(join(base, 'whole')));
  });
});
