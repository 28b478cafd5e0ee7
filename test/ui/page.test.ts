/** The pages in a real browser, over a real socket; pictures of them are left in the system's temporary folder. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serve } from '@hono/node-server';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { createApp } from '../../api/app.ts';
import {
  createWorld,
  DIM_REFRESH,
  PLANTED,
  runToGate,
  SILVER_TO_GOLD,
  type World,
} from '../fixtures-support/api-world.ts';

const CHROMIUM = '/usr/bin/chromium';
const pictures = join(tmpdir(), 'assay-ui');

const isAbsent = !existsSync(CHROMIUM);
if (isAbsent && process.env.CI === 'true') throw new Error(`CI must have a browser at ${CHROMIUM}.`);
const skip = isAbsent ? `no browser at ${CHROMIUM}: install Debian's chromium to run this` : false;
if (skip) process.stderr.write(`test/ui/page.test.ts is skipped: ${skip}\n`);

describe('the pages in a browser', { skip }, () => {
  let world: World;
  let browser: Browser;
  let server: ReturnType<typeof serve>;
  let base: string;
  /** What the browser complained of, since the page was opened. */
  let complaints: string[];

  before(async () => {
    mkdirSync(pictures, { recursive: true });
    world = createWorld();
    for (const day of ['2025-10-13', '2025-10-14', '2025-10-15']) await runToGate(world, day, 'PASS');
    await runToGate(world, '2025-10-16', 'FAIL');
    server = serve({ fetch: createApp(world.deps).fetch, hostname: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server.once('listening', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });

  after(async () => {
    await browser?.close();
    await new Promise((resolve) => server?.close(resolve));
  });

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    complaints = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(base + path);
    return page;
  }

  async function close(page: Page): Promise<void> {
    assert.deepEqual(complaints, []);
    await page.context().close();
  }

  test('the overview shows both DAGs with their state in words, and leads to a run', async () => {
    const page = await open('/');
    const card = page.getByRole('article', { name: SILVER_TO_GOLD });
    await card.getByText('every day at 06:00 UTC').waitFor();
    await card.locator('.badge', { hasText: 'failed' }).waitFor();
    assert.ok(await page.getByRole('article', { name: DIM_REFRESH }).isVisible());
    await page.screenshot({ path: join(pictures, 'overview.png'), fullPage: true });
    await page.getByRole('table', { name: 'Recent runs' }).getByRole('link', { name: '2025-10-16' }).click();
    await page.getByRole('heading', { level: 1, name: 'Run for 2025-10-16' }).waitFor();
    const row = page.getByRole('row').filter({ hasText: 'validate_silver_quality' });
    await row.getByText('gate_failed').waitFor();
    await page.screenshot({ path: join(pictures, 'run.png'), fullPage: true });
    await close(page);
  });

  test('a run is triggered, followed live to its end, and paused DAGs say so', async () => {
    const page = await open('/');
    const card = page.getByRole('article', { name: DIM_REFRESH });
    await card.getByLabel('Day').fill('2025-10-09');
    await card.getByRole('button', { name: 'Trigger run' }).click();
    await page.getByRole('heading', { level: 1, name: 'Run for 2025-10-09' }).waitFor();
    const status = page.getByRole('status');
    await status.getByText('queued').waitFor();
    const { runs } = await world.scheduler.listRuns({ dagId: DIM_REFRESH });
    const runId = runs[0]?.runId ?? '';
    assert.equal(runs[0]?.interval.startMs, Date.UTC(2025, 9, 9));

    // Only events may bring the news: nobody reloads.
    await page.locator('#live[data-state="on"]').waitFor();
    world.scheduler.start(DIM_REFRESH, runId, 'snapshot_dims');
    await status.getByText('running').waitFor({ timeout: 5000 });
    await page.getByText('Cancel run…').focus();
    world.scheduler.finish(DIM_REFRESH, runId, 'snapshot_dims', { state: 'success' });
    await status.getByText('success').waitFor({ timeout: 5000 });
    await status.getByText('1 of 1 task done').waitFor();

    await page.goto(base);
    await page.getByRole('button', { name: `Pause ${DIM_REFRESH}` }).click();
    await page.getByRole('button', { name: `Resume ${DIM_REFRESH}` }).waitFor();
    assert.equal((await world.scheduler.getDag(DIM_REFRESH)).isPaused, true);
    await page.getByRole('article', { name: DIM_REFRESH }).locator('.badge', { hasText: 'paused' }).waitFor();
    await close(page);
  });

  test('live updates keep the focus where it was, and stop when told to', async () => {
    const page = await open('/');
    await page.locator('#live[data-state="on"]').waitFor();
    const link = page.getByRole('table', { name: 'Recent runs' }).getByRole('link', { name: '2025-10-13' });
    await link.focus();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'focus', triggeredBy: 'test' });
    await page.locator('#recent-runs a[href$="/runs/focus"]').waitFor({ timeout: 5000 });
    assert.equal(await page.evaluate('document.activeElement.textContent'), '2025-10-13');

    await page.getByRole('button', { name: 'Live updates' }).click();
    await page.locator('#live[aria-pressed="false"]').waitFor();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'unseen', triggeredBy: 'test' });
    await page.waitForTimeout(700);
    assert.equal(await page.locator('#recent-runs a[href$="/runs/unseen"]').count(), 0);
    await close(page);
  });

  test('a report shows a planted script as text, and runs nothing of it', async () => {
    const page = await open('/');
    await page.getByRole('table', { name: 'Validation reports' }).getByRole('link', { name: 'SILVER_QUALITY' }).click();
    await page.getByRole('heading', { level: 1, name: /^SILVER_QUALITY/ }).waitFor();
    assert.equal(await page.title(), 'SILVER_QUALITY · Assay');
    assert.ok(await page.getByRole('cell', { name: PLANTED }).isVisible());
    assert.equal(await page.locator('article script, article img').count(), 0);
    await page.screenshot({ path: join(pictures, 'report.png'), fullPage: true });
    await close(page);
  });

  test('everything is reached by keyboard, and the first stop skips to the content', async () => {
    const page = await open('/');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.match(page.url(), /#content$/);
    const reached = new Set<string>();
    for (let step = 0; step < 20; step++) {
      await page.keyboard.press('Tab');
      const [name, outline] = await page.evaluate<[string, string]>(
        '[document.activeElement.tagName + "." + (document.activeElement.id || document.activeElement.textContent), getComputedStyle(document.activeElement).outlineStyle]',
      );
      reached.add(name);
      assert.notEqual(outline, 'none', `${name} shows no focus`);
    }
    assert.ok([...reached].some((name) => name.startsWith('BUTTON') && name.includes('Trigger run')));
    assert.ok(reached.has(`INPUT.date-${DIM_REFRESH}`));
    await close(page);
  });

  test('nothing sticks out of a narrow screen, in light and in dark', async () => {
    const { runs } = await world.scheduler.listRuns({ dagId: SILVER_TO_GOLD, states: ['failed'] });
    const run = `/dags/${SILVER_TO_GOLD}/runs/${encodeURIComponent(runs[0]?.runId ?? '')}`;
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [name, path] of [
        ['overview', '/'],
        ['dag', `/dags/${SILVER_TO_GOLD}`],
        ['run', run],
        ['log', `${run}/tasks/validate_silver_quality/logs/1`],
        ['report', '/reports/SILVER_QUALITY'],
      ] as const) {
        const page = await open(path, { viewport: { width: 375, height: 800 }, colorScheme });
        const excess = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert.equal(excess, 0, `${name} is too wide`);
        await page.screenshot({ path: join(pictures, `${name}-375-${colorScheme}.png`), fullPage: true });
        await close(page);
      }
    }
  });

  test('without scripts the page still triggers runs', async () => {
    const page = await open('/', { javaScriptEnabled: false });
    assert.equal(await page.getByRole('button', { name: 'Live updates' }).count(), 0);
    const card = page.getByRole('article', { name: SILVER_TO_GOLD });
    await card.getByLabel('Day').fill('2025-10-01');
    await card.getByRole('button', { name: 'Trigger run' }).click();
    await page.getByRole('heading', { level: 1, name: 'Run for 2025-10-01' }).waitFor();
    await close(page);
  });
});
