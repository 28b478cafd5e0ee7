/** The pages as HTML, and their forms, without a browser. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  createWorld,
  DIM_REFRESH,
  PLANTED,
  runToGate,
  SILVER_TO_GOLD,
  type World,
} from '../fixtures-support/api-world.ts';

const form = (world: World, path: string, fields: Record<string, string>, headers = {}): Promise<Response> =>
  world.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  });

async function page(world: World, path: string): Promise<string> {
  const response = await world.request(path);
  assert.equal(response.status, 200, path);
  assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
  return response.text();
}

describe('every page', () => {
  test('has one main heading, landmarks, and only the style and script that its policy allows', async () => {
    const world = createWorld();
    const runId = encodeURIComponent(await runToGate(world, '2025-10-17', 'FAIL'));
    for (const path of [
      '/',
      '/reports',
      '/reports/SILVER_QUALITY',
      `/dags/${SILVER_TO_GOLD}`,
      `/dags/${SILVER_TO_GOLD}/runs/${runId}`,
      `/dags/${SILVER_TO_GOLD}/runs/${runId}/tasks/validate_silver_quality/logs/1`,
      `/dags/${SILVER_TO_GOLD}/runs/${runId}/reports/SILVER_QUALITY`,
    ]) {
      const response = await world.request(path);
      const html = await response.text();
      assert.equal([...html.matchAll(/<h1[ >]/g)].length, 1, path);
      for (const mark of [
        '<html lang="en">',
        '<main id="content">',
        '<nav class="main" aria-label="Main">',
        '<title>',
      ]) {
        assert.ok(html.includes(mark), `${path} lacks ${mark}`);
      }
      const policy = response.headers.get('content-security-policy') ?? '';
      for (const [tag, directive] of [
        ['script', 'script-src'],
        ['style', 'style-src'],
      ] as const) {
        const parts = [...html.matchAll(new RegExp(`<${tag}[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))];
        assert.equal(parts.length, 1, `${path}: one ${tag}`);
        const hash = createHash('sha256')
          .update(parts[0]?.[1] ?? '')
          .digest('base64');
        assert.ok(policy.includes(`${directive} 'sha256-${hash}'`), `${path}: ${tag}`);
      }
      assert.doesNotMatch(html, /<[^>]*\s(on\w+|style)=|>undefined|\[object /, path);
      const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
      assert.equal(new Set(ids).size, ids.length, `${path}: ids repeat`);
    }
  });

  test('shows what data and errors say as text', async () => {
    const world = createWorld();
    const runId = encodeURIComponent(await runToGate(world, '2025-10-17', 'FAIL'));
    const run = `/dags/${SILVER_TO_GOLD}/runs/${runId}`;
    for (const path of [run, `${run}/tasks/validate_silver_quality/logs/1`, `${run}/reports/SILVER_QUALITY`]) {
      const html = await page(world, path);
      assert.ok(!html.includes(PLANTED), path);
      assert.ok(html.includes('&lt;script&gt;document.title=&quot;owned&quot;'), path);
    }
    assert.equal((await world.request(`/dags/${encodeURIComponent(PLANTED)}`)).status, 404);
    assert.ok(!(await (await world.request(`/dags/${encodeURIComponent(PLANTED)}`)).text()).includes(PLANTED));
  });
});

describe('the overview', () => {
  test('says what needs a look, each DAG’s schedule and next run, and what readers see', async () => {
    const world = createWorld();
    const empty = await page(world, '/');
    assert.match(empty, /No runs yet/);
    await runToGate(world, '2025-10-17', 'FAIL');
    const html = await page(world, '/');
    assert.match(html, /The last run of ecom_silver_to_gold_pipeline failed/);
    assert.match(html, /blocks publishing silver for 2025-10-17/);
    assert.match(html, /every day at 06:00 UTC, covers the day before/);
    assert.match(html, /only when triggered/);
    assert.match(html, /2025-10-19 06:00:00<\/time> for 2025-10-18/);
    assert.match(html, /silver 9/);
    assert.doesNotMatch(html, /silver 8/);
    assert.match(html, /<input type="date"[^>]*value="2025-10-17"/);
  });
});

describe('the page of a run', () => {
  test('groups tasks, says what each did or why it failed, and links logs and reports', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    const html = await page(world, `/dags/${SILVER_TO_GOLD}/runs/${encodeURIComponent(runId)}`);
    assert.match(html, /6 of 6 tasks done/);
    assert.match(html, /base_silver <span class="muted">2 success<\/span>/);
    assert.match(html, /2,054 rows in 1 partition, 12 quarantined/);
    assert.match(html, /gate_failed/);
    assert.match(html, /blocked by silver\.returns\.fk_order/);
    assert.match(html, /tasks\/validate_silver_quality\/logs\/1"/);
    assert.match(html, /Run 3 failed tasks again/);
    assert.doesNotMatch(html, /Cancel this run/);
  });

  test('of a run under way offers to cancel it and nothing else', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'rest_api' });
    world.scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    world.clock.move(63_000);
    const html = await page(world, `/dags/${DIM_REFRESH}/runs/r`);
    assert.match(html, /Cancel this run/);
    assert.match(html, /<span data-running>1 min 03 s<\/span>/);
    assert.doesNotMatch(html, /failed task/);
  });
});

describe('forms', () => {
  test('trigger a run for a day of the DAG’s zone and lead to it', async () => {
    const world = createWorld();
    const response = await form(world, `/dags/${SILVER_TO_GOLD}/trigger`, { date: '2025-10-15' });
    assert.equal(response.status, 303);
    const { runs } = await world.scheduler.listRuns({});
    assert.equal(
      response.headers.get('location'),
      `/dags/${SILVER_TO_GOLD}/runs/${encodeURIComponent(runs[0]?.runId ?? '')}`,
    );
    assert.deepEqual(runs[0]?.interval, { startMs: Date.UTC(2025, 9, 15), endMs: Date.UTC(2025, 9, 16) });
    assert.equal(runs[0]?.logicalDateMs, Date.UTC(2025, 9, 15));
    assert.equal(runs[0]?.triggeredBy, 'ui');
  });

  test('refuse a day that does not exist, and one that has a run, with a page', async () => {
    const world = createWorld();
    for (const date of ['2025-02-30', '', 'tomorrow']) {
      const response = await form(world, `/dags/${SILVER_TO_GOLD}/trigger`, { date });
      assert.equal(response.status, 400);
      assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    }
    await form(world, `/dags/${SILVER_TO_GOLD}/trigger`, { date: '2025-10-15' });
    assert.equal((await form(world, `/dags/${SILVER_TO_GOLD}/trigger`, { date: '2025-10-15' })).status, 409);
  });

  test('pause, resume, cancel and run again', async () => {
    const world = createWorld();
    const paused = await form(world, `/dags/${DIM_REFRESH}/pause`, { paused: 'true' });
    assert.equal(paused.headers.get('location'), '/');
    assert.equal((await world.scheduler.getDag(DIM_REFRESH)).isPaused, true);
    const referer = `http://localhost/dags/${DIM_REFRESH}`;
    const resumed = await form(world, `/dags/${DIM_REFRESH}/pause`, { paused: 'false' }, { referer });
    assert.equal(resumed.headers.get('location'), `/dags/${DIM_REFRESH}`);
    assert.equal((await form(world, `/dags/${DIM_REFRESH}/pause`, { paused: 'perhaps' })).status, 400);

    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    assert.equal((await form(world, `/dags/${DIM_REFRESH}/runs/r/cancel`, {})).status, 303);
    assert.equal((await world.scheduler.getRun(DIM_REFRESH, 'r')).state, 'failed');
    assert.equal((await form(world, `/dags/${DIM_REFRESH}/runs/r/clear`, {})).status, 303);
    assert.equal((await world.scheduler.getRun(DIM_REFRESH, 'r')).state, 'queued');
  });
});
