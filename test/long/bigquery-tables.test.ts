/** Datasets, tables, partitions and their rows in the BigQuery stand-in, through Google's own client and by raw calls. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NOON, PROJECT, tableRef, type World, withBigQuery } from './bigquery-world.ts';

const FIELDS = [
  { name: 'day', type: 'DATE', mode: 'NULLABLE' },
  { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
  { name: 'price', type: 'NUMERIC', mode: 'NULLABLE', precision: '18', scale: '2', description: 'Net.' },
];

async function ordersTable(world: World, more: object = {}): Promise<void> {
  await world.client.createDataset('shop', { location: 'US' });
  await world.client.dataset('shop').createTable('orders', {
    schema: { fields: FIELDS },
    timePartitioning: { type: 'DAY', field: 'day' },
    ...more,
  });
}

describe('datasets', () => {
  test('are made, read, changed and listed by the unmodified client', () =>
    withBigQuery(async ({ client }) => {
      const [dataset] = await client.createDataset('shop', { location: 'EU', labels: { env: 'dev', team: 'a' } });
      const [metadata] = await dataset.getMetadata();
      assert.equal(metadata.location, 'EU');
      assert.equal(metadata.creationTime, String(NOON));
      await dataset.setMetadata({ description: 'All of it.', labels: { team: null } });
      const [changed] = await dataset.getMetadata();
      assert.deepEqual([changed.description, changed.labels], ['All of it.', { env: 'dev' }]);
      const [all] = await client.getDatasets();
      assert.deepEqual(
        all.map(({ id }) => id),
        ['shop'],
      );
    }));

  test('exist once: a second one of the same name is 409 duplicate (emulators.md 3.1)', () =>
    withBigQuery(async (world) => {
      const body = { datasetReference: { datasetId: 'shop', projectId: PROJECT } };
      assert.equal((await world.call('POST', '/datasets', body)).status, 200);
      const again = await world.call('POST', '/datasets', body);
      assert.equal(again.status, 409);
      assert.deepEqual(again.body, {
        error: {
          code: 409,
          message: 'Already Exists: Dataset test-project:shop',
          errors: [{ domain: 'global', reason: 'duplicate', message: 'Already Exists: Dataset test-project:shop' }],
          status: 'ALREADY_EXISTS',
        },
      });
    }));

  test('with tables are deleted only with their contents: 400 resourceInUse (emulators.md 3.1)', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      const refused = await world.call('DELETE', '/datasets/shop');
      assert.deepEqual([refused.status, refused.body.error.errors[0].reason], [400, 'resourceInUse']);
      assert.equal((await world.call('DELETE', '/datasets/shop?deleteContents=true')).status, 204);
      assert.equal((await world.call('GET', '/datasets/shop')).status, 404);
    }));
});

describe('tables', () => {
  test('keep partitioning, clustering, labels, descriptions, policy tags and the partition filter', () =>
    withBigQuery(async (world) => {
      const tags = { names: ['projects/p/locations/us/taxonomies/1/policyTags/2'] };
      await ordersTable(world, {
        schema: { fields: [...FIELDS, { name: 'email', type: 'STRING', policyTags: tags }] },
        clustering: { fields: ['id'] },
        labels: { layer: 'gold' },
        description: 'Orders.',
        requirePartitionFilter: true,
        timePartitioning: { type: 'DAY', field: 'day', expirationMs: '864000000' },
      });
      const [table] = await world.client.dataset('shop').table('orders').getMetadata();
      assert.deepEqual(table.timePartitioning, { type: 'DAY', field: 'day', expirationMs: '864000000' });
      assert.deepEqual(table.clustering, { fields: ['id'] });
      assert.deepEqual(table.labels, { layer: 'gold' });
      assert.equal(table.requirePartitionFilter, true);
      assert.equal(table.description, 'Orders.');
      assert.deepEqual(table.schema.fields.slice(0, 3), FIELDS);
      assert.deepEqual(table.schema.fields[3].policyTags, tags);
      assert.deepEqual([table.numRows, table.numBytes, table.type], ['0', '0', 'TABLE']);
    }));

  test('of the same name, columns that are twice there, and bad ids are refused', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      const make = (tableId: string, fields: object[] = FIELDS) =>
        world.call('POST', '/datasets/shop/tables', { tableReference: tableRef(tableId), schema: { fields } });
      const reason = async (answer: ReturnType<typeof make>) => {
        const { status, body } = await answer;
        return [status, body.error?.errors[0].reason];
      };
      assert.deepEqual(await reason(make('orders')), [409, 'duplicate']);
      assert.deepEqual(await reason(make('a.b')), [400, 'invalid']);
      assert.deepEqual(await reason(make('t', [...FIELDS, { name: 'DAY', type: 'STRING' }])), [400, 'invalid']);
      assert.deepEqual(await reason(make('t', [{ name: '_PARTITIONTIME', type: 'STRING' }])), [400, 'invalid']);
      assert.deepEqual(await reason(make('Orders')), [200, undefined]);
    }));

  test('refuse partitioning by a column that is none, clustering by five or by FLOAT64', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop');
      const make = async (more: object) => {
        const fields = [...FIELDS, { name: 'f', type: 'FLOAT64' }];
        const { status, body } = await world.call('POST', '/datasets/shop/tables', {
          tableReference: tableRef('t'),
          schema: { fields },
          ...more,
        });
        return [status, body.error.errors[0].reason];
      };
      assert.deepEqual(await make({ timePartitioning: { type: 'DAY', field: 'nothing' } }), [400, 'invalid']);
      assert.deepEqual(await make({ timePartitioning: { type: 'HOUR', field: 'day' } }), [400, 'invalid']);
      assert.deepEqual(await make({ clustering: { fields: ['f'] } }), [400, 'invalid']);
      assert.deepEqual(await make({ clustering: { fields: ['id', 'id', 'id', 'id', 'id'] } }), [400, 'invalid']);
    }));

  test('what is not imitated answers 501 and its name', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      const answers = await Promise.all([
        world.call('POST', '/datasets/shop/tables', { tableReference: tableRef('v'), view: { query: 'SELECT 1' } }),
        world.call('POST', '/datasets/shop/tables/orders/insertAll', { rows: [] }),
        world.call('GET', '/datasets/shop/routines'),
        world.call('PUT', '/datasets/shop/tables/orders', {}),
      ]);
      for (const { status, body } of answers)
        assert.deepEqual([status, body.error.errors[0].reason], [501, 'notImplemented']);
      assert.match(answers[0].body.error.message, /views/);
      assert.match(answers[1].body.error.message, /tabledata\.insertAll/);
      assert.match(
        answers[2].body.error.message,
        /GET \/bigquery\/v2\/projects\/test-project\/datasets\/shop\/routines/,
      );
      assert.match(answers[3].body.error.message, /tables\.update/);
    }));

  test('are listed in pages', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop');
      for (const name of ['a', 'b', 'c']) await world.client.dataset('shop').createTable(name, { schema: 'x:STRING' });
      const first = await world.call('GET', '/datasets/shop/tables?maxResults=2');
      assert.equal(first.body.totalItems, 3);
      assert.deepEqual(
        first.body.tables.map((t: { id: string }) => t.id),
        ['test-project:shop.a', 'test-project:shop.b'],
      );
      const second = await world.call(
        'GET',
        `/datasets/shop/tables?maxResults=2&pageToken=${first.body.nextPageToken}`,
      );
      assert.deepEqual(
        second.body.tables.map((t: { id: string }) => t.id),
        ['test-project:shop.c'],
      );
      assert.equal(second.body.nextPageToken, undefined);
      const [all] = await world.client.dataset('shop').getTables({ maxResults: 1, autoPaginate: true });
      assert.ok(all.length >= 1);
    }));

  test('that have expired are absent, and make room for another (bigquery-gcs.md 3.4)', () =>
    withBigQuery(async (world) => {
      await ordersTable(world, { expirationTime: String(NOON + 1000) });
      world.clock.nowMs = NOON + 999;
      assert.equal((await world.call('GET', '/datasets/shop/tables/orders')).status, 200);
      world.clock.nowMs = NOON + 1000;
      assert.equal((await world.call('GET', '/datasets/shop/tables/orders')).status, 404);
      assert.equal((await world.call('GET', '/datasets/shop/tables')).body.totalItems, 0);
      assert.equal((await world.call('DELETE', '/datasets/shop')).status, 204);
    }));
});

describe('tables.patch', () => {
  const patch = (world: World, body: object, headers: Record<string, string> = {}) =>
    world.call('PATCH', '/datasets/shop/tables/orders', body, headers);

  test('with an etag that is no longer true is 412 conditionNotMet, and changes nothing (bigquery-gcs.md 3.3)', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      const { body: before } = await world.call('GET', '/datasets/shop/tables/orders');
      assert.equal((await patch(world, { description: 'one' }, { 'if-match': before.etag })).status, 200);
      const stale = await patch(world, { description: 'two' }, { 'if-match': before.etag });
      assert.deepEqual([stale.status, stale.body.error.errors[0].reason], [412, 'conditionNotMet']);
      assert.equal((await world.call('GET', '/datasets/shop/tables/orders')).body.description, 'one');
    }));

  test('adds columns and relaxes a mode, with NULL in the rows that were there', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      await world.rows("INSERT INTO shop.orders (day, id, price) VALUES (DATE '2025-10-15', 1, 2.50)");
      const fields = [FIELDS[0], { ...FIELDS[1], mode: 'NULLABLE' }, FIELDS[2], { name: 'note', type: 'STRING' }];
      const { status, body } = await patch(world, { schema: { fields } });
      assert.equal(status, 200);
      assert.deepEqual(
        body.schema.fields.map((f: { name: string; mode: string }) => [f.name, f.mode]),
        [
          ['day', 'NULLABLE'],
          ['id', 'NULLABLE'],
          ['price', 'NULLABLE'],
          ['note', 'NULLABLE'],
        ],
      );
      assert.deepEqual(await world.rows('SELECT id, note FROM shop.orders'), [['1', null]]);
    }));

  for (const [what, fields, field] of [
    ['takes a column away', [FIELDS[0], FIELDS[1]], 'price'],
    ['changes a type', [FIELDS[0], FIELDS[1], { name: 'price', type: 'STRING' }], 'price'],
    [
      'narrows a decimal',
      [FIELDS[0], FIELDS[1], { name: 'price', type: 'NUMERIC', precision: '10', scale: '2' }],
      'price',
    ],
    ['makes a column required', [{ ...FIELDS[0], mode: 'REQUIRED' }, FIELDS[1], FIELDS[2]], 'day'],
    ['adds a required column', [...FIELDS, { name: 'new', type: 'STRING', mode: 'REQUIRED' }], 'new'],
  ] as const) {
    test(`that ${what} is 400 invalid and names the field (emulators.md 3.3: removing was accepted there)`, () =>
      withBigQuery(async (world) => {
        await ordersTable(world);
        const { status, body } = await patch(world, { schema: { fields } });
        assert.deepEqual([status, body.error.errors[0].reason], [400, 'invalid']);
        assert.match(body.error.message, new RegExp(`Table test-project:shop.orders.*${field}`));
      }));
  }

  test('replaces descriptions and policy tags by those of the request: one that leaves them out takes them away (bigquery-gcs.md 3.4)', () =>
    withBigQuery(async (world) => {
      const tagged = { name: 'email', type: 'STRING', mode: 'NULLABLE', policyTags: { names: ['tag'] } };
      await ordersTable(world, { schema: { fields: [...FIELDS, tagged] } });
      const bare = [...FIELDS.map(({ description: _description, ...rest }) => rest), { name: 'email', type: 'STRING' }];
      const { body } = await patch(world, { schema: { fields: bare } });
      assert.equal(body.schema.fields[2].description, undefined);
      assert.equal(body.schema.fields[3].policyTags, undefined);
    }));

  test('more than 5 times in 10 seconds is 403 rateLimitExceeded; 50 where the table has partitions (bigquery-gcs.md 3.1)', () =>
    withBigQuery(async (world) => {
      await ordersTable(world);
      await world.client.dataset('shop').createTable('plain', { schema: 'x:STRING' });
      const touch = async (table: string, n: number) =>
        (await world.call('PATCH', `/datasets/shop/tables/${table}`, { description: `${n}` })).body.error?.errors[0]
          .reason;
      for (let n = 0; n < 5; n++) assert.equal(await touch('plain', n), undefined);
      assert.equal(await touch('plain', 5), 'rateLimitExceeded');
      for (let n = 0; n < 6; n++) assert.equal(await touch('orders', n), undefined);
      world.clock.nowMs += 10_000;
      assert.equal(await touch('plain', 6), undefined);
    }));
});

describe('rows and partitions of a table', () => {
  async function threeDays(world: World): Promise<void> {
    await ordersTable(world);
    await world.rows(
      "INSERT INTO shop.orders (day, id, price) VALUES (DATE '2025-10-14', 1, 1.5), (DATE '2025-10-15', 2, NULL), (DATE '2025-10-15', 3, 2.25), (NULL, 4, 0)",
    );
  }
  const ids = (body: { rows?: { f: { v: string }[] }[] }) => (body.rows ?? []).map((row) => row.f[0]?.v);

  test('come in pages, by startIndex, by selected columns and by partition (emulators.md 3.3)', () =>
    withBigQuery(async (world) => {
      await threeDays(world);
      const data = async (query: string, table = 'orders') =>
        (await world.call('GET', `/datasets/shop/tables/${table}/data?selectedFields=id&${query}`)).body;
      const first = await data('maxResults=3');
      assert.deepEqual([first.totalRows, ids(first)], ['4', ['1', '2', '3']]);
      assert.deepEqual(ids(await data(`pageToken=${first.pageToken}`)), ['4']);
      assert.deepEqual(ids(await data('startIndex=2')), ['3', '4']);
      assert.deepEqual(ids(await data('', 'orders$20251015')), ['2', '3']);
      assert.deepEqual(ids(await data('', 'orders$__NULL__')), ['4']);
      assert.deepEqual(ids(await data('', 'orders$20251016')), []);
      const [rows] = await world.client.dataset('shop').table('orders').getRows({ maxResults: 10 });
      assert.equal(rows.length, 4);
      assert.equal(rows[2].price.toString(), '2.25');
      assert.equal(rows[0].day.value, '2025-10-14');
    }));

  test('are counted and weighed by partition (bigquery-gcs.md 3.1: 8 bytes a DATE or INT64, 16 a NUMERIC, none a NULL)', () =>
    withBigQuery(async (world) => {
      await threeDays(world);
      const size = async (table: string) => {
        const { body } = await world.call('GET', `/datasets/shop/tables/${table}`);
        return [body.numRows, body.numBytes];
      };
      assert.deepEqual(await size('orders$20251014'), ['1', '32']);
      assert.deepEqual(await size('orders$20251015'), ['2', '48']);
      assert.deepEqual(await size('orders'), ['4', '104']);
    }));

  test('a delete on a decorator takes that partition alone; on a day without rows it is notFound', () =>
    withBigQuery(async (world) => {
      await threeDays(world);
      assert.equal((await world.call('DELETE', '/datasets/shop/tables/orders$20251015')).status, 204);
      assert.deepEqual(await world.rows('SELECT id FROM shop.orders ORDER BY id'), [['1'], ['4']]);
      assert.equal((await world.call('DELETE', '/datasets/shop/tables/orders$20251015')).status, 404);
      assert.equal((await world.call('GET', '/datasets/shop/tables/orders')).status, 200);
    }));

  test('a decorator of another grain, of no day or on a table without partitions is invalid', () =>
    withBigQuery(async (world) => {
      await threeDays(world);
      await world.client.dataset('shop').createTable('plain', { schema: 'x:STRING' });
      for (const table of ['orders$202510', 'orders$20251345', 'orders$2025101512', 'plain$20251015']) {
        const { status, body } = await world.call('GET', `/datasets/shop/tables/${table}`);
        assert.deepEqual([table, status, body.error.errors[0].reason], [table, 400, 'invalid']);
      }
    }));

  test('expire by partition, with the clock, for every reader', () =>
    withBigQuery(async (world) => {
      const day = 86_400_000;
      await ordersTable(world, { timePartitioning: { type: 'DAY', field: 'day', expirationMs: String(2 * day) } });
      await world.rows(
        "INSERT INTO shop.orders (day, id) VALUES (DATE '2025-10-14', 1), (DATE '2025-10-15', 2), (NULL, 3)",
      );
      assert.equal((await world.rows('SELECT id FROM shop.orders')).length, 3);
      world.clock.nowMs = Date.UTC(2025, 9, 16);
      assert.deepEqual(await world.rows('SELECT id FROM shop.orders ORDER BY id'), [['2'], ['3']]);
      assert.equal((await world.call('GET', '/datasets/shop/tables/orders')).body.numRows, '2');
    }));

  test('all types arrive as the client reads them', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop');
      const uri = await world.parquet(
        'types.parquet',
        `SELECT 9007199254740993::BIGINT AS i, 0.1::DOUBLE AS f, true AS b, 'ä"' AS s, 'abc'::BLOB AS y, DATE '2025-10-15' AS d,
           TIMESTAMPTZ '2025-10-15 10:11:12.345678+00' AS ts, TIMESTAMP '2025-10-15 10:11:12.5' AS dt, TIME '10:11:12' AS t,
           12.500::DECIMAL(10, 3) AS n, [1, NULL, 3]::BIGINT[] AS l, {'a': 1::BIGINT, 'b': 'x'} AS r, 'inf'::DOUBLE AS inf, NULL::VARCHAR AS nothing`,
      );
      const load = {
        sourceUris: [uri],
        sourceFormat: 'PARQUET',
        destinationTable: tableRef('types'),
        parquetOptions: { enableListInference: true },
      };
      assert.equal((await world.job({ load })).status.errorResult, undefined);
      const [rows] = await world.client.dataset('shop').table('types').getRows({ wrapIntegers: true });
      const [row] = rows;
      assert.equal(row.i.value, '9007199254740993');
      assert.deepEqual([row.f, row.b, row.s, row.y.toString()], [0.1, true, 'ä"', 'abc']);
      assert.deepEqual([row.d.value, row.dt.value, row.t.value], ['2025-10-15', '2025-10-15T10:11:12.5', '10:11:12']);
      assert.equal(row.ts.value, '2025-10-15T10:11:12.345678000Z');
      assert.equal(row.n.toString(), '12.5');
      assert.deepEqual(
        row.l.map((each: { value: string } | null) => each?.value ?? null),
        ['1', null, '3'],
      );
      assert.deepEqual([row.r.a.value, row.r.b], ['1', 'x']);
      assert.deepEqual([row.inf, row.nothing], [Number.POSITIVE_INFINITY, null]);
      const { body } = await world.call('GET', '/datasets/shop/tables/types/data?selectedFields=ts');
      assert.equal(body.rows[0].f[0].v, '1760523072.345678');
    }));
});
