/** Questions over HTTP: what the route makes of a request, and what a caller sees of the answer, whoever runs the query. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createApp } from '../../api/app.ts';
import type { QueryAnswer, QueryRequest } from '../../api/ports.ts';
import { PipelineError } from '../../core/errors.ts';
import { createWorld, type World } from '../fixtures-support/api-world.ts';
import { martOf } from '../fixtures-support/gold-lake.ts';

const API = '/api/assay/v1';

const send = (world: World, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  world.request(`${API}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  return (await response.json()) as Record<string, unknown>;
}

/** A world that notes what it is asked. */
function listening(answer?: Partial<QueryAnswer>): { readonly world: World; readonly asked: QueryRequest[] } {
  const asked: QueryRequest[] = [];
  const plain = createWorld();
  const world = createWorld({
    query: async (request, signal) => {
      asked.push(request);
      const usual = await plain.deps.query?.({ ...request, ask: { kind: 'sql', sql: 'select 1' } }, signal);
      if (!usual) throw new Error('the world answers no queries');
      return { ...usual, ...answer };
    },
  });
  return { world, asked };
}

describe('a request', () => {
  test('by SQL is passed on as it is, with what it leaves open', async () => {
    const { world, asked } = listening();
    assert.equal((await send(world, { sql: ' select 1 ' })).status, 200);
    assert.deepEqual(asked, [
      {
        pipeline: null,
        ask: { kind: 'sql', sql: 'select 1' },
        publication: {},
        format: 'json',
        maxRows: null,
        knownTags: [],
      },
    ]);
  });

  test('by mart is a metric query', async () => {
    const { world, asked } = listening();
    await send(world, {
      mart: 'fct_sales',
      measures: ['net_revenue'],
      dimensions: ['channel'],
      time: { grain: 'month', from: '2025-10-01' },
      filters: [
        { field: 'channel', op: 'in', value: ['web', 'app'] },
        { field: 'channel', op: 'is_not_null' },
      ],
      order_by: ['-net_revenue'],
      limit: 5,
      pipeline: 'ecommerce',
      publication: { gold: 7, enriched: 3 },
      max_rows: 20,
      format: 'csv',
    });
    assert.deepEqual(asked, [
      {
        pipeline: 'ecommerce',
        ask: {
          kind: 'metrics',
          query: {
            mart: 'fct_sales',
            measures: ['net_revenue'],
            dimensions: ['channel'],
            time: { grain: 'month', from: '2025-10-01' },
            filters: [
              { field: 'channel', op: 'in', value: ['web', 'app'] },
              { field: 'channel', op: 'is_not_null' },
            ],
            orderBy: ['-net_revenue'],
            limit: 5,
          },
        },
        publication: { gold: 7, enriched: 3 },
        format: 'csv',
        maxRows: 20,
        knownTags: [],
      },
    ]);
  });

  const ACCEPTS: readonly (readonly [string, string | undefined, string])[] = [
    ['application/json', undefined, 'json'],
    ['text/csv', undefined, 'csv'],
    ['application/vnd.apache.parquet', undefined, 'parquet'],
    ['*/*', undefined, 'json'],
    ['text/html', undefined, 'json'],
    ['application/json;q=0.2, text/csv;q=0.9', undefined, 'csv'],
    ['text/csv', 'parquet', 'parquet'],
  ];
  for (const [accept, format, expected] of ACCEPTS) {
    test(`with Accept: ${accept}${format ? ` and format ${format}` : ''} wants ${expected}`, async () => {
      const { world, asked } = listening();
      await send(world, { sql: 'select 1', ...(format ? { format } : {}) }, { accept });
      assert.equal(asked[0]?.format, expected);
    });
  }

  test('pinned by a number means gold', async () => {
    const { world, asked } = listening();
    await send(world, { sql: 'select 1', publication: 12 });
    assert.deepEqual(asked[0]?.publication, { gold: 12 });
  });

  test('in bytes that are no UTF-8 is refused, not read as another question', async () => {
    const { world, asked } = listening();
    const body = Buffer.concat([Buffer.from('{"sql":"select \''), Buffer.from([0xff]), Buffer.from('\'"}')]);
    for (const headers of [{ 'content-type': 'application/json' }, undefined]) {
      const response = await world.request(`${API}/query`, { method: 'POST', ...(headers ? { headers } : {}), body });
      assert.equal(response.status, 400);
      assert.match(String((await problemOf(response)).detail), /not UTF-8/);
    }
    assert.deepEqual(asked, []);
  });

  test('with a version that is none is told what one looks like', async () => {
    const { world } = listening();
    const problem = await problemOf(await send(world, { sql: 'select 1', publication: 'newest' }));
    assert.match(String(problem.detail), /publication: a version of gold, such as 12/);
  });

  test('that is empty, too long, of two kinds or misspelt is refused, each key by its name', async () => {
    const FAULTS: readonly (readonly [unknown, RegExp])[] = [
      [{}, /body\.sql: Send sql, or mart with measures/],
      [{ sql: ' ' }, /body\.sql/],
      [{ sql: 's'.repeat(100_001) }, /body\.sql/],
      [{ sql: 'select 1', max_rows: 0 }, /body\.max_rows/],
      [{ sql: 'select 1', publication: 0 }, /body\.publication/],
      [{ sql: 'select 1', publication: { bronze: 1 } }, /body\.publication/],
      [{ sql: 'select 1', mart: 'm' }, /body\.mart: It belongs to a query by mart/],
      [{ sql: 'select 1', format: 'xml' }, /body\.format/],
      [{ mart: 'm' }, /body\.measures: Say which measures/],
      [{ mart: 'm', measures: [] }, /body\.measures/],
      [{ mart: 'm', measure: ['a'], measures: ['a'] }, /body\.measure: Extra inputs/],
      [{ mart: 'm', measures: ['a'], time: { grain: 'hour' } }, /body\.time\.grain/],
      [{ mart: 'm', measures: ['a'], filters: [{ field: 'x', op: '~', value: 1 }] }, /body\.filters\.0\.op/],
    ];
    const { world, asked } = listening();
    for (const [body, expected] of FAULTS) {
      const response = await send(world, body);
      assert.equal(response.status, 400, JSON.stringify(body).slice(0, 80));
      const { detail, code } = await problemOf(response);
      assert.match(String(detail), expected);
      assert.equal(code, 'usage');
    }
    assert.deepEqual(asked, []);
  });
});

describe('an answer', () => {
  test('says in its headers where it comes from, what it is, and what it may be saved as', async () => {
    const { world } = listening({
      inputs: [
        { layer: 'enriched', sequence: 4, publishedAt: '2025-10-16T06:00:00.000Z', verdict: 'WARN' },
        { layer: 'dims', sequence: 2, publishedAt: null, verdict: null },
      ],
      verdict: 'WARN',
    });
    const { headers } = await send(world, { sql: 'select 1' }, { accept: 'text/csv' });
    const shown = (name: string): string | null => headers.get(name);
    assert.equal(shown('assay-publication'), 'gold/9');
    assert.equal(shown('assay-published-at'), '2025-10-16T06:01:00.000Z');
    assert.equal(shown('assay-inputs'), 'enriched/4=WARN, dims/2=NONE');
    assert.equal(shown('assay-verdict'), 'WARN');
    assert.equal(shown('assay-rows'), '1');
    assert.equal(shown('assay-truncated'), 'false');
    assert.equal(shown('content-type'), 'text/csv; charset=utf-8; header=present');
    assert.equal(shown('content-disposition'), 'attachment; filename="query-gold-9.csv"');
    assert.equal(shown('etag'), 'W/"t1"');
    assert.equal(shown('cache-control'), 'no-cache');
    assert.equal(shown('vary'), 'Accept');
    assert.equal(shown('x-content-type-options'), 'nosniff');
  });

  test('that the caller has is 304 without a body, and its tags are passed on', async () => {
    const { world, asked } = listening({ content: null });
    const response = await send(world, { sql: 'select 1' }, { 'if-none-match': 'W/"old", "t1"' });
    assert.equal(response.status, 304);
    assert.equal(await response.text(), '');
    assert.equal(response.headers.get('etag'), 'W/"t1"');
    assert.deepEqual(asked[0]?.knownTags, ['old', 't1']);
  });

  test('that fails is a problem with its code; one that may be asked again says when', async () => {
    const failing = (error: PipelineError) => createWorld({ query: () => Promise.reject(error) });
    const CASES: readonly (readonly [PipelineError, number])[] = [
      [new PipelineError('sql_invalid', 'no SQL'), 422],
      [new PipelineError('publication_not_found', 'not kept'), 404],
      [new PipelineError('query_too_large', 'too large'), 413],
    ];
    for (const [error, status] of CASES) {
      const response = await send(failing(error), { sql: 'select 1' });
      assert.equal(response.status, status);
      assert.equal(response.headers.get('retry-after'), null);
      const problem = await problemOf(response);
      assert.deepEqual([problem.code, problem.detail], [error.code, error.message]);
    }
    const busy = await send(failing(new PipelineError('warehouse_quota', 'busy', { retryAfterMs: 1_500 })), {
      sql: 'select 1',
    });
    assert.deepEqual([busy.status, busy.headers.get('retry-after')], [503, '2']);
    assert.equal((await problemOf(busy)).code, 'warehouse_quota');
  });

  test('is 501 where nobody answers queries', async () => {
    const { query: _none, ...deps } = createWorld().deps;
    const response = await createApp(deps).request(`http://localhost${API}/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"sql":"select 1"}',
    });
    assert.equal(response.status, 501);
    assert.equal((await problemOf(response)).code, 'not_implemented');
  });
});

describe('the list of metrics', () => {
  const sales = martOf({
    name: 'orders',
    grain: ['day'],
    partitionKey: 'day',
    columns: [],
    sql: '',
    inputs: [],
    description: 'Orders a day.',
    metrics: {
      time: 'day',
      measures: [{ name: 'revenue', sql: 'SUM(revenue)', type: 'number', description: 'all of it', format: '0.00' }],
      dimensions: [{ name: 'channel', sql: '`channel`', type: 'string', description: '' }],
    },
  });
  const bare = martOf({ name: 'fct_bare', grain: [], partitionKey: null, columns: [], sql: '', inputs: [] });
  const world = createWorld({
    marts: () => [
      { pipeline: 'ecommerce', marts: [sales, bare] },
      { pipeline: 'other', marts: [sales] },
    ],
  });
  const list = async (query = ''): Promise<{ metrics: Record<string, unknown>[]; total_entries: number }> =>
    (await (await world.request(`${API}/metrics${query}`)).json()) as {
      metrics: Record<string, unknown>[];
      total_entries: number;
    };

  test('names measures, dimensions, grains and the newest publication of each mart that has some', async () => {
    const { metrics, total_entries: total } = await list();
    assert.equal(total, 2);
    assert.deepEqual(metrics[0], {
      pipeline: 'ecommerce',
      mart: 'orders',
      description: 'Orders a day.',
      time: { column: 'day', grains: ['day', 'week', 'month', 'quarter', 'year'] },
      measures: [{ name: 'revenue', sql: 'SUM(revenue)', type: 'number', description: 'all of it', format: '0.00' }],
      dimensions: [{ name: 'channel', sql: '`channel`', type: 'string', description: '' }],
      publication: { layer: 'gold', sequence: 7, published_at: '2025-10-16T06:01:00.000Z', verdict: 'WARN' },
    });
    assert.deepEqual([metrics[1]?.pipeline, metrics[1]?.publication], ['other', null]);
  });

  test('is narrowed by pipeline and mart', async () => {
    assert.equal((await list('?pipeline=other')).total_entries, 1);
    assert.equal((await list('?mart=fct_bare')).total_entries, 0);
  });
});
