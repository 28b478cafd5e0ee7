/** A server with its query processes over a real lake: what a client gets, and what is left when it leaves. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ServerType, serve } from '@hono/node-server';
import { createApp } from '../../api/app.ts';
import type { QueryRequest } from '../../api/ports.ts';
import type { Project } from '../../cli/project.ts';
import { QueryPool } from '../../cli/query-pool.ts';
import { httpCaps, removeQueryLeftovers, runQuery } from '../../cli/run-query.ts';
import { readSettings } from '../../config/settings.ts';
import { asPipelineError } from '../../core/errors.ts';
import type { MartSpec, Spec } from '../../core/spec.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { createWorld } from '../fixtures-support/api-world.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { martOf } from '../fixtures-support/gold-lake.ts';

const mart: MartSpec = martOf({
  name: 'fct_sales',
  grain: ['day', 'channel'],
  partitionKey: 'day',
  columns: [
    { name: 'day', type: 'date', description: '' },
    { name: 'channel', type: 'string', description: '' },
    { name: 'amount', type: 'decimal(18,2)', description: '' },
  ],
  sql: '',
  inputs: [],
  metrics: {
    time: 'day',
    measures: [{ name: 'amount', sql: 'SUM(amount)', type: 'number', description: '', format: null }],
    dimensions: [{ name: 'channel', sql: '`channel`', type: 'string', description: '' }],
  },
});
const SALES =
  "SELECT * FROM (VALUES (DATE '2025-03-01', 'web', 10.00::DECIMAL(18,2)), (DATE '2025-03-02', 'web', 2.50::DECIMAL(18,2)), (DATE '2025-03-02', 'app', 7.50::DECIMAL(18,2))) AS t(day, channel, amount)";
const N = 'UNNEST(GENERATE_ARRAY(1, 100000))';
/** Longer than any test. */
const ENDLESS = `SELECT COUNT(*) AS n FROM ${N} AS a, ${N} AS b, ${N} AS c WHERE MOD(a * b + c, 7) = 3`;

const root = mkdtempSync(join(tmpdir(), 'assay-test-'));
let session: DuckDbSession;
let lake: EnrichedLake;
let project: Project;
let pool: QueryPool;
let http: ServerType;
let address: string;

before(async () => {
  session = await DuckDbSession.open({ threads: 1 });
  lake = new EnrichedLake(session, root, openLocalStore({ root: join(root, 'data/test') }));
  await lake.publishTables('gold', { fct_sales: SALES }, () => 'day');
  const settings = await readSettings({
    root,
    env: {},
    flags: { 'query.max_rows': '1000', 'query.max_size': '20KB', 'engine.threads': '1' },
  });
  const spec = { pipeline: 'test', marts: [mart] } as unknown as Spec;
  project = { root, settings, specs: [spec], dags: [], issues: [] };
  pool = new QueryPool({ slots: 2, keepWarm: 1 });
  pool.warm();
  const query = (request: QueryRequest, signal: AbortSignal) =>
    runQuery(project, pool, request, httpCaps(settings), signal);
  const app = createApp({ ...createWorld().deps, query });
  await new Promise<void>((resolve) => {
    http = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (info: AddressInfo) => {
      address = `http://127.0.0.1:${info.port}/api/assay/v1/query`;
      resolve();
    });
  });
});
after(async () => {
  await new Promise<void>((resolve) => {
    http.close(() => resolve());
    if ('closeAllConnections' in http) http.closeAllConnections();
  });
  await pool.close();
  await session.close();
  rmSync(root, { recursive: true, force: true });
});

const ask = (body: unknown, init: RequestInit = {}): Promise<Response> =>
  fetch(address, {
    method: 'POST',
    body: JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
  });

const codeOf = async (response: Response): Promise<unknown> => ((await response.json()) as { code: unknown }).code;

const byChannel = { mart: 'fct_sales', measures: ['amount'], dimensions: ['channel'], time: { grain: 'week' } };

describe('over HTTP', () => {
  test('a metric query gives the same figures as SQL, with the publication in body and headers', async () => {
    const response = await ask(byChannel);
    assert.equal(response.headers.get('assay-publication'), 'gold/1');
    assert.equal(response.headers.get('content-disposition'), 'inline; filename="fct_sales-gold-1.json"');
    const body = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(body.rows, [
      ['2025-02-24', 'app', '7.50'],
      ['2025-02-24', 'web', '12.50'],
    ]);
    assert.deepEqual(body.publication, {
      layer: 'gold',
      sequence: 1,
      published_at: '1970-01-01T00:00:00.000Z',
      verdict: null,
    });
    const sql = await ask({
      sql: 'SELECT DATE_TRUNC(day, ISOWEEK) AS week, channel, SUM(amount) AS amount FROM gold.fct_sales GROUP BY 1, 2 ORDER BY 1, 2',
    });
    assert.deepEqual(((await sql.json()) as Record<string, unknown>).rows, body.rows);
  });

  test('CSV and Parquet come as bytes of the length that is said', async () => {
    const csv = await ask(byChannel, { headers: { accept: 'text/csv' } });
    const text = await csv.text();
    assert.equal(text, 'week,channel,amount\r\n2025-02-24,app,7.50\r\n2025-02-24,web,12.50\r\n');
    assert.equal(csv.headers.get('content-length'), String(text.length));
    const parquet = await ask({ sql: 'SELECT * FROM fct_sales', format: 'parquet' });
    assert.equal(parquet.headers.get('content-type'), 'application/vnd.apache.parquet');
    const path = join(root, 'answer.parquet');
    await writeFile(path, new Uint8Array(await parquet.arrayBuffer()));
    assert.deepEqual(
      await session.rows(`SELECT count(*) AS n, sum(amount) AS amount FROM read_parquet(${literal(path)})`),
      [{ n: 3, amount: '20.00' }],
    );
  });

  test('who has the answer gets 304, until something is published', async () => {
    const first = await ask(byChannel);
    await first.text();
    const tag = first.headers.get('etag') ?? '';
    const again = await ask(byChannel, { headers: { 'if-none-match': tag } });
    assert.deepEqual([again.status, await again.text()], [304, '']);
    await lake.publishTables('gold', { fct_sales: `${SALES} WHERE channel = 'web'` }, () => 'day');
    const after = await ask(byChannel, { headers: { 'if-none-match': tag } });
    assert.equal(after.status, 200);
    assert.deepEqual(((await after.json()) as { rows: unknown }).rows, [['2025-02-24', 'web', '12.50']]);
    const pinned = await ask({ ...byChannel, publication: 1 });
    assert.equal(((await pinned.json()) as { rows: unknown[] }).rows.length, 2);
    const future = await ask({ ...byChannel, publication: 99 });
    assert.deepEqual([future.status, await codeOf(future)], [404, 'publication_not_found']);
  });

  test('caps hold: rows by default and by setting, the size of the answer, an unknown pipeline', async () => {
    const many = 'SELECT n FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS n';
    const json = (await (await ask({ sql: many })).json()) as { rows: unknown[]; truncated: boolean };
    assert.deepEqual([json.rows.length, json.truncated], [1000, true]);
    const over = await ask({ sql: many, max_rows: 1001 });
    assert.deepEqual([over.status, await codeOf(over)], [400, 'usage']);
    const file = await ask({ sql: many, format: 'csv' });
    assert.deepEqual([file.status, await codeOf(file)], [413, 'query_too_large']);
    const cut = await ask({ sql: many, format: 'csv', max_rows: 10 });
    assert.deepEqual([cut.headers.get('assay-truncated'), (await cut.text()).split('\r\n').length], ['true', 12]);
    const wide = await ask({ sql: "SELECT RPAD('x', 100, 'x') AS x, n FROM UNNEST(GENERATE_ARRAY(1, 900)) AS n" });
    assert.deepEqual([wide.status, await codeOf(wide)], [413, 'query_too_large']);
    const elsewhere = await ask({ sql: 'SELECT 1', pipeline: 'other' });
    assert.deepEqual([elsewhere.status, await codeOf(elsewhere)], [400, 'usage']);
  });

  test('a client that leaves ends its query: its slot is free again', async () => {
    const leaving = new AbortController();
    const both = [ENDLESS, `${ENDLESS} AND a > 1`].map((sql) => ask({ sql }, { signal: leaving.signal }));
    const ended = Promise.allSettled(both);
    // Both slots are taken once a third query is turned away.
    let turnedAway = await ask({ sql: 'SELECT 1' });
    while (turnedAway.status === 200) {
      await turnedAway.text();
      turnedAway = await ask({ sql: 'SELECT 1' });
    }
    assert.deepEqual([turnedAway.status, turnedAway.headers.get('retry-after')], [503, '1']);
    assert.equal(await codeOf(turnedAway), 'warehouse_quota');
    leaving.abort();
    assert.deepEqual(
      (await ended).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    let answered = await ask({ sql: 'SELECT 1 AS one' });
    while (answered.status === 503) {
      await answered.text();
      answered = await ask({ sql: 'SELECT 1 AS one' });
    }
    assert.deepEqual(((await answered.json()) as { rows: unknown }).rows, [[1]]);
  });

  test('nothing of an answer is left on disk', async () => {
    await (await ask({ sql: 'SELECT * FROM fct_sales' })).text();
    assert.deepEqual(readdirSync(join(root, '.assay/queries')), []);
  });
});

describe('the pool', () => {
  const request = (sql: string): QueryRequest => ({
    pipeline: null,
    ask: { kind: 'sql', sql },
    publication: {},
    format: 'json',
    maxRows: null,
    knownTags: [],
  });
  const caps = { maxSeconds: 60, maxRows: null, maxBytes: null };

  test('answers one query after another with the same process', async () => {
    await using own = new QueryPool({ slots: 1, keepWarm: 1 });
    for (let round = 0; round < 3; round += 1) {
      const { content } = await runQuery(project, own, request('SELECT 1'), caps, new AbortController().signal);
      assert.equal(content?.rows, 1);
      await content?.body.cancel();
    }
  });

  test('ends what runs when it is closed, and takes no more', async () => {
    const own = new QueryPool({ slots: 1, keepWarm: 0 });
    const running = runQuery(project, own, request(ENDLESS), caps, new AbortController().signal);
    const ended = assert.rejects(running, (thrown) => asPipelineError(thrown).code === 'task_cancelled');
    await own.close();
    await ended;
    await assert.rejects(
      runQuery(project, own, request('SELECT 1'), caps, new AbortController().signal),
      (thrown) => asPipelineError(thrown).code === 'task_cancelled',
    );
  });

  test('a query that takes too long is refused, and the next one is answered', async () => {
    await using own = new QueryPool({ slots: 1, keepWarm: 0 });
    const signal = new AbortController().signal;
    await assert.rejects(
      runQuery(project, own, request(ENDLESS), { ...caps, maxSeconds: 1 }, signal),
      (thrown) => asPipelineError(thrown).code === 'task_timeout',
    );
    const { content } = await runQuery(project, own, request('SELECT 1'), caps, signal);
    assert.equal(content?.rows, 1);
    await content?.body.cancel();
  });

  test('clears up after a process that is gone, not after one that lives', async () => {
    const folder = join(root, '.assay/queries');
    await writeFile(join(folder, `${process.pid}-mine`), '');
    await writeFile(join(folder, '999999999-gone'), '');
    await removeQueryLeftovers(project.settings);
    assert.deepEqual(readdirSync(folder), [`${process.pid}-mine`]);
  });
});
