/** What Airflow has no word for: reports, publications, spec faults, queries, events, and the document of it all. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERROR_CODES } from '../../core/errors.ts';
import {
  createWorld,
  DIM_REFRESH,
  PLANTED,
  runToGate,
  SILVER_TO_GOLD,
  START_MS,
  type World,
} from '../fixtures-support/api-world.ts';

const API = '/api/assay/v1';

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  const problem = (await response.json()) as Record<string, unknown>;
  for (const key of ['type', 'title', 'status', 'detail', 'code', 'request_id']) assert.ok(key in problem, key);
  assert.equal(problem.status, response.status);
  assert.ok(String(problem.code) in ERROR_CODES);
  return problem;
}

describe('reports', () => {
  test('are listed with verdict and decision, and filtered by them', async () => {
    const world = createWorld();
    const body = (await (await world.request(`${API}/reports`)).json()) as { reports: Record<string, unknown>[] };
    assert.deepEqual(
      body.reports.map((report) => [report.name, report.verdict, report.may_publish, report.blocked_by]),
      [
        ['SILVER_QUALITY', 'FAIL', false, ['silver.returns.fk_order']],
        ['BRONZE_QUALITY', 'PASS', true, []],
      ],
    );
    const failed = await world.request(`${API}/reports?verdict=FAIL`);
    assert.equal(((await failed.json()) as { total_entries: number }).total_entries, 1);
    assert.equal((await problemOf(await world.request(`${API}/reports?verdict=fail`))).code, 'usage');
  });

  test('come as Markdown by default, byte for byte, and as HTML or JSON by format or Accept', async () => {
    const world = createWorld();
    const at = (query: string, accept?: string): Promise<Response> =>
      world.request(`${API}/reports/SILVER_QUALITY${query}`, accept === undefined ? {} : { headers: { accept } });
    const markdown = await at('');
    assert.equal(markdown.headers.get('content-type'), 'text/markdown; charset=utf-8');
    const selector = { name: 'SILVER_QUALITY', pipeline: 'ecommerce', run: null };
    assert.equal(await markdown.text(), await world.deps.reports.markdown(selector));
    for (const response of [await at('?format=html'), await at('', 'text/html,application/xhtml+xml,*/*;q=0.8')]) {
      assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
      assert.match(await response.text(), /<h1>SILVER_QUALITY/);
    }
    for (const response of [await at('?format=json'), await at('', 'application/json')]) {
      assert.deepEqual(await response.json(), { formatVersion: 1, decision: { verdict: 'FAIL' } });
    }
    assert.match((await at('', '*/*')).headers.get('content-type') ?? '', /^text\/markdown/);
    assert.equal((await at('?format=pdf')).status, 400);
  });

  test('in HTML show planted tags as text and lead nowhere that they should not', async () => {
    const html = await (await createWorld().request(`${API}/reports/SILVER_QUALITY?format=html`)).text();
    assert.doesNotMatch(html, /<script|<img|javascript:/i);
    assert.ok(html.includes('&lt;script&gt;document.title=&quot;owned&quot;&lt;/script&gt;'));
    assert.ok(html.includes('href="https://example.com/?a=1&amp;b=2"'));
    assert.doesNotMatch(html, /checks\.md/);
  });

  test('of one run are found by it, others are not there', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    const base = `${API}/runs/${SILVER_TO_GOLD}/${encodeURIComponent(runId)}/reports`;
    const list = (await (await world.request(base)).json()) as { reports: { name: string; run_id: string }[] };
    assert.deepEqual(
      list.reports.map((report) => [report.name, report.run_id]),
      [['SILVER_QUALITY', runId]],
    );
    assert.equal((await world.request(`${base}/SILVER_QUALITY`)).status, 200);
    assert.equal((await problemOf(await world.request(`${base}/NOPE`))).code, 'report_not_found');
    assert.equal((await problemOf(await world.request(`${base}/..%2F..%2Fetc`))).code, 'report_not_found');
    const unknown = await world.request(`${API}/runs/${SILVER_TO_GOLD}/nope/reports/SILVER_QUALITY`);
    assert.equal((await problemOf(unknown)).code, 'run_not_found');
  });

  test('of the same name in two pipelines ask which one is meant', async () => {
    const world = createWorld();
    const [first] = world.reports;
    assert.ok(first);
    world.reports.push({ ...first, pipeline: 'jaffle_shop' });
    const problem = await problemOf(await world.request(`${API}/reports/SILVER_QUALITY`));
    assert.equal(problem.status, 400);
    assert.match(String(problem.detail), /ecommerce, jaffle_shop/);
    assert.equal((await world.request(`${API}/reports/SILVER_QUALITY?pipeline=jaffle_shop`)).status, 200);
    assert.equal((await world.request(`${API}/reports/SILVER_QUALITY?pipeline=nope`)).status, 404);
  });
});

describe('a run in one answer', () => {
  test('is what the store says, with the error of the task that failed', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    const response = await world.request(`${API}/dags/${SILVER_TO_GOLD}/runs/${encodeURIComponent(runId)}`);
    const picture = (await response.json()) as {
      run: unknown;
      instances: { taskId: string; error: { code: string } | null }[];
    };
    assert.deepEqual(picture.run, await world.scheduler.getRun(SILVER_TO_GOLD, runId));
    assert.deepEqual(picture.instances, await world.scheduler.listTaskInstances(SILVER_TO_GOLD, runId));
    const failed = picture.instances.filter((instance) => instance.error !== null);
    assert.deepEqual(
      failed.map((instance) => [instance.taskId, instance.error?.code]),
      [['validate_silver_quality', 'gate_failed']],
    );
    const unknown = await world.request(`${API}/dags/${SILVER_TO_GOLD}/runs/nope`);
    assert.equal((await problemOf(unknown)).code, 'run_not_found');
  });
});

describe('publications', () => {
  test('are listed newest first with the one that readers see', async () => {
    const world = createWorld();
    const body = (await (await world.request(`${API}/publications/silver`)).json()) as {
      publications: Record<string, unknown>[];
    };
    assert.deepEqual(
      body.publications.map((each) => [each.sequence, each.is_current]),
      [
        [9, true],
        [8, false],
      ],
    );
    assert.equal(body.publications[0]?.data_interval_start, '2025-10-15T00:00:00.000Z');
    assert.deepEqual(body.publications[0]?.tables, [
      { name: 'orders', partitions: 13, rows: 2054, size_bytes: 180_224 },
      { name: 'returns', partitions: 9, rows: 99, size_bytes: 20_480 },
    ]);
    assert.equal((await world.request(`${API}/publications/dims`)).status, 200);
    assert.equal((await problemOf(await world.request(`${API}/publications/bronze`))).status, 400);
  });
});

describe('spec faults', () => {
  test('are listed by pipeline; an unknown pipeline is not one without faults', async () => {
    const world = createWorld();
    const at = (pipeline: string): Promise<Response> => world.request(`${API}/specs/${pipeline}/issues`);
    assert.deepEqual(await (await at('ecommerce')).json(), { issues: [], total_entries: 0 });
    assert.equal((await problemOf(await at('nope'))).code, 'project_not_found');
    world.issues.push({
      pipeline: 'broken',
      foundAtMs: START_MS,
      issue: {
        severity: 'error',
        code: 'bad_type',
        message: 'sla is no number',
        expected: '0 to 1',
        hint: null,
        location: { file: 'specs/broken/pipeline.yml', line: 3, column: 8 },
        lineText: '  sla: high',
      },
    });
    const { issues } = (await (await at('broken')).json()) as { issues: Record<string, unknown>[] };
    assert.deepEqual(
      [issues[0]?.file, issues[0]?.line, issues[0]?.column, issues[0]?.line_text],
      ['specs/broken/pipeline.yml', 3, 8, '  sla: high'],
    );
  });
});

describe('events', () => {
  /** Reads until the wanted event came, then leaves. */
  async function listen(world: World, query: string, wanted: string, act: () => void, headers = {}): Promise<string> {
    const leave = new AbortController();
    const response = await world.request(`${API}/events${query}`, { signal: leave.signal, headers });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.ok(reader);
    let text = '';
    let hasActed = false;
    const tooLong = setTimeout(() => void reader.cancel(), 60_000);
    while (!text.includes(wanted)) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      if (!hasActed) {
        hasActed = true;
        act();
      }
    }
    clearTimeout(tooLong);
    await reader.cancel();
    leave.abort();
    assert.ok(text.includes(wanted), `never came: ${wanted}`);
    return text;
  }

  const untilNobodyListens = async (world: World): Promise<void> => {
    while (world.scheduler.listeners > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  test('tell runs, tasks and progress with growing ids, and a listener that leaves is forgotten', async () => {
    const world = createWorld();
    const text = await listen(world, '', 'event: progress', () => {
      void world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'test' }).then(() => {
        world.scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
        world.scheduler.log(DIM_REFRESH, 'r', 'snapshot_dims', { level: 'info', event: `at ${PLANTED}` });
      });
    });
    const kinds = [...text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1]);
    assert.deepEqual(kinds, ['heartbeat', 'run', 'run', 'task', 'progress']);
    assert.deepEqual(
      [...text.matchAll(/^id: (\d+)$/gm)].map((match) => match[1]),
      ['1', '2', '3', '4'],
    );
    const task = JSON.parse(/event: task\ndata: (.+)/.exec(text)?.[1] ?? '{}') as Record<string, unknown>;
    assert.deepEqual(task, {
      dag_id: DIM_REFRESH,
      dag_run_id: 'r',
      task_id: 'snapshot_dims',
      try_number: 1,
      previous_state: null,
      state: 'running',
    });
    await untilNobodyListens(world);
  });

  test('of one run leave the others out', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'mine', triggeredBy: 'test' });
    const text = await listen(world, `?dag_id=${DIM_REFRESH}&run_id=mine`, 'event: task', () => {
      void world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'other', triggeredBy: 'test' });
      world.scheduler.start(DIM_REFRESH, 'mine', 'snapshot_dims');
    });
    assert.doesNotMatch(text, /other/);
    await untilNobodyListens(world);
  });

  test('are not kept for somebody who only asks for the headers', async () => {
    const world = createWorld();
    const response = await world.request(`${API}/events`, { method: 'HEAD' });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    assert.equal(world.scheduler.listeners, 0);
  });

  test('beat while nothing happens, and tell who comes back that it may have missed some', async () => {
    const world = createWorld({ heartbeatMs: 5 });
    const text = await listen(world, '', 'heartbeat\ndata: {}\n\nevent: heartbeat', () => {}, { 'last-event-id': '7' });
    assert.match(text, /^event: resync/);
    await untilNobodyListens(world);
  });

  test('that pile up at a slow listener become one resync', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    const text = await listen(world, '', 'event: resync', () => {
      for (let n = 0; n < 1500; n++) {
        world.scheduler.log(DIM_REFRESH, 'r', 'snapshot_dims', { level: 'info', event: `line ${n}` });
      }
    });
    assert.equal([...text.matchAll(/^event: progress$/gm)].length, 1000);
    await untilNobodyListens(world);
  });
});

describe('the OpenAPI document', () => {
  test('is version 3.1 and lists every operation with the schemas that check it', async () => {
    const response = await createWorld().request('/openapi.json');
    const document = (await response.json()) as {
      openapi: string;
      paths: Record<string, Record<string, { summary?: string; responses: Record<string, unknown> }>>;
      components: { schemas: Record<string, { required?: string[]; additionalProperties?: unknown }> };
    };
    assert.equal(document.openapi, '3.1.0');
    for (const [path, method] of [
      ['/api/v2/dags', 'get'],
      ['/api/v2/dags/{dag_id}', 'patch'],
      ['/api/v2/dags/{dag_id}/dagRuns', 'post'],
      ['/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}', 'get'],
      ['/api/assay/v1/reports/{name}', 'get'],
      ['/api/assay/v1/query', 'post'],
      ['/api/assay/v1/events', 'get'],
    ] as const) {
      assert.ok(document.paths[path]?.[method], `${method} ${path}`);
    }
    for (const operations of Object.values(document.paths)) {
      for (const operation of Object.values(operations)) assert.ok(operation.summary && operation.responses['200']);
    }
    assert.equal(document.components.schemas.TriggerDAGRunPostBody?.additionalProperties, false);
    assert.ok(document.components.schemas.DAGRunResponse?.required?.includes('dag_versions'));
  });
});
