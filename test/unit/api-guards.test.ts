/** Who may ask, in which form, and how a refusal reads. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWorld, SILVER_TO_GOLD } from '../fixtures-support/api-world.ts';

const RUNS = `/api/v2/dags/${SILVER_TO_GOLD}/dagRuns`;
const asJson = { 'content-type': 'application/json' };

describe('a request from elsewhere', () => {
  test('is refused under a host name that is not this machine’s', async () => {
    const world = createWorld();
    for (const host of [
      'evil.example',
      'evil.example:4600',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '10.0.0.7',
      '',
    ]) {
      const response = await world.request('/api/v2/version', { headers: { host } });
      assert.equal(response.status, 421, host);
    }
    for (const host of ['127.0.0.1:4600', 'localhost:4600', '[::1]:4600', '127.1.2.3', 'LOCALHOST']) {
      assert.equal((await world.request('/api/v2/version', { headers: { host } })).status, 200, host);
    }
  });

  test('is taken under a host name that the settings allow', async () => {
    const world = createWorld({ allowedHosts: ['Assay.internal'] });
    const at = (host: string): Promise<Response> => world.request('/', { headers: { host } });
    assert.equal((await at('assay.internal:4600')).status, 200);
    assert.equal((await at('other.internal')).status, 421);
  });

  test('cannot change anything from a foreign page, whatever the page calls itself', async () => {
    const world = createWorld();
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'http://localhost:3000' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of foreign) {
      const response = await world.request(RUNS, { method: 'POST', headers: { ...asJson, ...headers }, body: '{}' });
      assert.equal(response.status, 403, JSON.stringify(headers));
      const form = await world.request(`/dags/${SILVER_TO_GOLD}/pause`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'paused=true',
      });
      assert.equal(form.status, 403);
    }
    assert.equal((await world.scheduler.listRuns({})).total, 0);
    assert.equal((await world.scheduler.getDag(SILVER_TO_GOLD)).isPaused, false);
  });

  test('may change things from our own page, and from a program without an Origin', async () => {
    const world = createWorld();
    const own = { ...asJson, origin: 'http://127.0.0.1:4600', host: '127.0.0.1:4600', 'sec-fetch-site': 'same-origin' };
    assert.equal((await world.request(RUNS, { method: 'POST', headers: own, body: '{"dag_run_id":"a"}' })).status, 200);
    assert.equal(
      (await world.request(RUNS, { method: 'POST', headers: asJson, body: '{"dag_run_id":"b"}' })).status,
      200,
    );
  });
});

describe('a body', () => {
  test('of JSON is understood without a content type, and refused under a wrong one', async () => {
    const world = createWorld();
    const bytes = new TextEncoder().encode('{"dag_run_id":"plain"}');
    assert.equal((await world.request(RUNS, { method: 'POST', body: bytes })).status, 200);
    const form = await world.request(RUNS, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'dag_run_id=form',
    });
    assert.equal(form.status, 415);
    assert.match(((await form.json()) as { detail: string }).detail, /Content-Type: application\/json/);
  });

  test('that is no JSON is refused with words, not with a stack', async () => {
    const world = createWorld();
    for (const body of ['{"conf":', '', 'null', '[]', '"text"']) {
      const response = await world.request(RUNS, { method: 'POST', headers: asJson, body });
      assert.ok(response.status === 400 || response.status === 422, `${body}: ${response.status}`);
      assert.doesNotMatch(await response.text(), /at .*\.js/);
    }
    assert.equal((await world.scheduler.listRuns({})).total, 0);
  });

  test('beyond 1 MiB is refused before it is read', async () => {
    const world = createWorld();
    const body = JSON.stringify({ note: 'x'.repeat(1024 * 1024) });
    assert.equal((await world.request(RUNS, { method: 'POST', headers: asJson, body })).status, 413);
  });
});

describe('an answer', () => {
  test('carries a request id, its own or the caller’s, and the security headers', async () => {
    const world = createWorld();
    const first = await world.request('/api/v2/version');
    assert.match(first.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
    const named = await world.request('/', { headers: { 'x-request-id': 'ticket-42' } });
    assert.equal(named.headers.get('x-request-id'), 'ticket-42');
    for (const response of [first, named, await world.request('/nope'), await world.request('/api/v2/dags/nope')]) {
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(response.headers.get('x-frame-options'), 'DENY');
      // Stricter, and browsers would send our own forms without their origin.
      assert.equal(response.headers.get('referrer-policy'), 'same-origin');
      assert.equal(response.headers.get('access-control-allow-origin'), null);
    }
  });

  test('to an unknown address fits its reader: detail, problem or page', async () => {
    const world = createWorld();
    const airflow = await world.request('/api/v2/nope');
    assert.equal(airflow.status, 404);
    assert.equal(airflow.headers.get('content-type'), 'application/json');
    assert.match(((await airflow.json()) as { detail: string }).detail, /\/openapi\.json/);
    const ours = await world.request('/api/assay/v1/nope');
    assert.equal(ours.headers.get('content-type'), 'application/problem+json');
    const page = await world.request('/nope');
    assert.equal(page.status, 404);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(await page.text(), /<h1>Nothing here<\/h1>/);
  });

  test('to a wrong method names the right ones', async () => {
    const world = createWorld();
    const response = await world.request('/api/v2/version', { method: 'DELETE' });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'GET, HEAD');
    assert.equal((await world.request('/api/assay/v1/query')).status, 405);
  });

  test('about a bug keeps its secret and gives the log’s key', async () => {
    const world = createWorld();
    world.scheduler.listDags = () => Promise.reject(new Error('password=hunter2 at /home/me/x.ts'));
    for (const path of ['/api/v2/dags', '/api/assay/v1/specs/ecommerce/issues', '/']) {
      const response = await world.request(path, { headers: { 'x-request-id': 'key-7' } });
      const text = await response.text();
      assert.equal(response.status, 500);
      assert.doesNotMatch(text, /hunter2|\/home/);
      assert.match(text, /key-7/);
    }
    assert.equal(world.logged.length, 3);
    assert.match(world.logged[0] ?? '', /hunter2/);
  });
});
