/** A project made by `assay init`, used as its README says, at strict gates, and with what can go wrong. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay, startAssay } from '../fixtures-support/assay-cli.ts';

let base = '';
let shop = '';

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-own-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
});
after(() => rm(base, { recursive: true, force: true }));

const run = (...args: string[]) => assay(['run', 'shop', '--date', '2025-01-02', ...args], { cwd: shop });

describe('a project of one CSV', () => {
  test('is stopped by a strict gate with exit code 4, and publishes nothing', async () => {
    const { code, stdout } = await run('--strict');
    assert.equal(code, 4);
    assert.match(stdout, /silver\.orders\.pass_rate/);
    assert.match((await assay(['ls'], { cwd: shop })).stdout, /Nothing is published yet/);
  });

  test('passes once an overlay lowers the limits, and then has its mart', async () => {
    await mkdir(join(shop, 'specs/shop/overlays'));
    await writeFile(
      join(shop, 'specs/shop/overlays/local.yml'),
      'defaults: {quality: {max_quarantine_pct: 30}}\nbase_silver: {tables: [{name: orders, quality: {sla: 0.7, max_quarantine_pct: 30}}]}\n',
    );
    const { code, stdout, stderr } = await run('--strict');
    assert.equal(code, 0, stdout + stderr);
    const query = 'select cast(order_date as string) as day, orders, revenue from gold.fct_daily_orders order by 1';
    const answer = await assay(['query', query, '--format', 'csv'], { cwd: shop });
    assert.equal(answer.stdout, 'day,orders,revenue\n2025-01-01,2,52.50\n2025-01-02,1,7.25\n');
  });

  test('shows tasks, logs and versions of what ran', async () => {
    const status = await assay(['status', 'shop', 'latest'], { cwd: shop });
    assert.match(status.stdout, /✔ publish_gold/);
    const logs = await assay(['logs', 'shop', 'latest', 'pin_bronze'], { cwd: shop });
    assert.match(logs.stdout, /raw|orders/);
    assert.match((await assay(['versions', 'gold'], { cwd: shop })).stdout, /→ +1 /);
  });

  test('says at once what is wrong with a spec, and exits with 3', async () => {
    const broken = join(base, 'broken');
    assert.equal((await assay(['init', broken])).code, 0);
    await writeFile(
      join(broken, 'specs/shop/more.yml'),
      'base_silver:\n  tables:\n    - name: items\n      primary_kye: [id]\n      columns: [{name: id, type: int46}]\n',
    );
    const { code, stdout } = await assay(['spec', 'validate'], { cwd: broken });
    assert.equal(code, 3);
    assert.match(stdout, /more\.yml:4:7 .*primary_kye/);
    assert.match(stdout, /int46/);
  });

  test('lets only one scheduler in, survives a broken edit, takes commands, and resumes after kill -9', async () => {
    const first = startAssay(['server', '--port', '0', '--no-schedules'], { cwd: shop });
    const [, address = ''] = await first.said(/on (http:\S+)/);
    const second = await assay(['server', '--port', '0'], { cwd: shop });
    assert.equal(second.code, 7);
    assert.ok(second.stderr.includes(address), second.stderr);
    const followed = await assay(['run', 'shop', '--date', '2025-01-03'], { cwd: shop });
    assert.equal(followed.code, 0, followed.stderr);
    const again = await assay(['run', 'shop', '--date', '2025-01-03'], { cwd: shop });
    assert.match(again.stdout, /nothing has changed since run/, 'a server makes no difference');
    const forced = await assay(['run', 'shop', '--date', '2025-01-03', '--force'], { cwd: shop });
    assert.match(forced.stdout, /shop for 2025-01-03: success/);
    assert.equal((await assay(['trigger', 'shop', '--date', '2025-01-03'], { cwd: shop })).code, 7);
    const tasks = async (): Promise<number> => {
      const answer = await fetch(`${address}/api/v2/dags/shop/tasks`);
      return answer.ok ? ((await answer.json()) as { total_entries: number }).total_entries : 0;
    };
    const faults = async (): Promise<number> =>
      ((await (await fetch(`${address}/api/v2/importErrors`)).json()) as { total_entries: number }).total_entries;
    const before = await tasks();
    assert.ok(before > 0);
    await writeFile(join(shop, 'specs/shop/broken.yml'), 'broken: [\n');
    while ((await faults()) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await faults(), 1);
    assert.equal(await tasks(), before, 'a broken edit must keep the last good version');
    await rm(join(shop, 'specs/shop/broken.yml'));
    first.child.kill('SIGKILL');
    await first.result;
    assert.equal((await assay(['run', 'shop', '--date', '2025-01-04'], { cwd: shop })).code, 0);
  });
});
