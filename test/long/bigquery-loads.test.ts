/** Load jobs of the BigQuery stand-in: dispositions, decorators, all or nothing, columns by name, types. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { type JobAnswer, messageOf, reasonOf, tableRef, type World, withBigQuery } from './bigquery-world.ts';

const FIELDS = [
  { name: 'day', type: 'DATE', mode: 'NULLABLE' },
  { name: 'id', type: 'INTEGER', mode: 'NULLABLE' },
];
const BY_DAY = { type: 'DAY', field: 'day' };

async function loads(
  work: (world: World) => Promise<void>,
  options: Parameters<typeof withBigQuery>[1] = {},
): Promise<void> {
  await withBigQuery(async (world) => {
    await world.client.createDataset('shop');
    await work(world);
  }, options);
}

function load(
  world: World,
  uris: readonly string[],
  table: string,
  more: object = {},
  id?: string,
): Promise<JobAnswer> {
  const settings = {
    sourceUris: uris,
    sourceFormat: 'PARQUET',
    destinationTable: tableRef(table),
    schema: { fields: FIELDS },
  };
  return world.job({ load: { ...settings, ...more } }, id);
}

/** One row per id, all of one day. */
function orders(world: World, name: string, day: string, ids: readonly number[]): Promise<string> {
  const rows = ids.map((id) => `SELECT DATE '${day}' AS day, ${id}::BIGINT AS id`).join(' UNION ALL ');
  return world.parquet(name, rows);
}

const TRUNCATE = { writeDisposition: 'WRITE_TRUNCATE', timePartitioning: BY_DAY };
const idsOf = async (world: World, table = 'orders') =>
  (await world.rows(`SELECT id FROM shop.${table} ORDER BY id`)).map(([id]) => id);

describe('a load into a partition decorator', () => {
  test('with WRITE_TRUNCATE replaces that partition alone, and a repeat changes nothing (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-14', [1, 2]);
      const b = await orders(world, 'b.parquet', '2025-10-15', [3]);
      const c = await orders(world, 'c.parquet', '2025-10-15', [4, 5]);
      assert.equal(reasonOf(await load(world, [a], 'orders$20251014', TRUNCATE)), undefined);
      assert.equal(reasonOf(await load(world, [b], 'orders$20251015', TRUNCATE)), undefined);
      for (let time = 0; time < 2; time++) {
        const job = await load(world, [c], 'orders$20251015', TRUNCATE);
        assert.deepEqual([job.statistics.load.outputRows, job.statistics.load.inputFiles], ['2', '1']);
        assert.deepEqual(await idsOf(world), ['1', '2', '4', '5']);
      }
    }));

  test('with WRITE_APPEND adds, with WRITE_EMPTY fails as duplicate on a partition with rows, and not on another', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-14', [1]);
      const b = await orders(world, 'b.parquet', '2025-10-15', [2]);
      await load(world, [a], 'orders$20251014', TRUNCATE);
      await load(world, [a], 'orders$20251014', { writeDisposition: 'WRITE_APPEND' });
      assert.deepEqual(await idsOf(world), ['1', '1']);
      assert.equal(
        reasonOf(await load(world, [a], 'orders$20251014', { writeDisposition: 'WRITE_EMPTY' })),
        'duplicate',
      );
      assert.equal(reasonOf(await load(world, [b], 'orders$20251015', { writeDisposition: 'WRITE_EMPTY' })), undefined);
      assert.deepEqual(await idsOf(world), ['1', '1', '2']);
    }));

  test('fails where rows belong elsewhere or nowhere, and changes nothing (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      await load(world, [await orders(world, 'a.parquet', '2025-10-15', [1])], 'orders$20251015', TRUNCATE);
      const stray = await orders(world, 'b.parquet', '2025-10-16', [2]);
      const none = await world.parquet('c.parquet', 'SELECT NULL::DATE AS day, 3::BIGINT AS id');
      for (const uri of [stray, none]) {
        const job = await load(world, [uri], 'orders$20251015', TRUNCATE);
        assert.equal(reasonOf(job), 'invalid');
        assert.match(messageOf(job), /different partitions rather than destination partition .*orders\$20251015/);
      }
      assert.deepEqual(await idsOf(world), ['1']);
    }));

  test('works by hour, month and year, and not by another grain than the table’s (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const uri = await world.parquet(
        'a.parquet',
        "SELECT TIMESTAMPTZ '2025-10-15 07:30:00+00' AS at, 1::BIGINT AS id",
      );
      const schema = { fields: [{ name: 'at', type: 'TIMESTAMP' }, FIELDS[1]] };
      for (const [type, right, wrong] of [
        ['HOUR', '2025101507', '20251015'],
        ['DAY', '20251015', '202510'],
        ['MONTH', '202510', '20251015'],
        ['YEAR', '2025', '202510'],
      ]) {
        const more = { schema, writeDisposition: 'WRITE_TRUNCATE', timePartitioning: { type, field: 'at' } };
        assert.equal(reasonOf(await load(world, [uri], `by_${type}$${right}`, more)), undefined, type);
        assert.equal(reasonOf(await load(world, [uri], `by_${type}$${wrong}`, more)), 'invalid', type);
      }
      const outside = { schema, writeDisposition: 'WRITE_TRUNCATE' };
      assert.equal(reasonOf(await load(world, [uri], 'by_HOUR$2025101508', outside)), 'invalid');
    }));

  test('on a table without partitions is invalid, and creates nothing', () =>
    loads(async (world) => {
      const uri = await orders(world, 'a.parquet', '2025-10-15', [1]);
      assert.equal(
        reasonOf(await load(world, [uri], 'plain$20251015', { writeDisposition: 'WRITE_TRUNCATE' })),
        'invalid',
      );
      assert.equal((await world.call('GET', '/datasets/shop/tables/plain')).status, 404);
    }));
});

describe('a load of many files', () => {
  test('is all or nothing: one that is missing or wrong leaves the rows that were there (emulators.md 3.2 lost them)', () =>
    loads(async (world) => {
      const old = await orders(world, 'old.parquet', '2025-10-15', [1]);
      const good = await orders(world, 'good.parquet', '2025-10-15', [2]);
      const bad = await world.parquet('zz.parquet', "SELECT DATE '2025-10-15' AS day, 'x' AS id");
      await load(world, [old], 'orders', TRUNCATE);
      const missing = await load(world, [good, 'gs://lake/nothing.parquet'], 'orders', TRUNCATE);
      assert.deepEqual(missing.status.errorResult, {
        reason: 'notFound',
        location: 'gs://lake/nothing.parquet',
        message: 'Not found: URI gs://lake/nothing.parquet',
      });
      assert.equal(reasonOf(await load(world, [good, bad], 'orders', TRUNCATE)), 'invalid');
      assert.deepEqual(await idsOf(world), ['1']);
    }));

  test('takes wildcards and several URIs, each object once; two stars, none in the bucket', () =>
    loads(async (world) => {
      const a = await orders(world, 'run/a.parquet', '2025-10-15', [1]);
      await orders(world, 'run/b.parquet', '2025-10-15', [2]);
      await orders(world, 'other/c.parquet', '2025-10-15', [3]);
      const job = await load(world, [a, 'gs://lake/run/*.parquet'], 'orders', TRUNCATE);
      assert.deepEqual([job.statistics.load.inputFiles, job.statistics.load.outputRows], ['2', '2']);
      assert.equal(reasonOf(await load(world, ['gs://lake/none/*'], 'orders', TRUNCATE)), 'notFound');
      assert.equal(reasonOf(await load(world, ['gs://lake/*/a*'], 'orders', TRUNCATE)), 'invalid');
      assert.equal(reasonOf(await load(world, ['gs://la*/a.parquet'], 'orders', TRUNCATE)), 'invalid');
      assert.equal(reasonOf(await load(world, ['s3://lake/a.parquet'], 'orders', TRUNCATE)), 'invalid');
    }));

  test('fails for a URI with a generation (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      assert.equal(reasonOf(await load(world, [`${a}#1700000000000000`], 'orders', TRUNCATE)), 'invalid');
    }));

  test('takes at most 10,000 URIs (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const uris = Array.from({ length: 10_001 }, (_, n) => `gs://lake/${n}.parquet`);
      const job = await load(world, uris, 'orders', TRUNCATE);
      assert.deepEqual([job.error.code, reasonOf(job)], [400, 'invalid']);
    }));

  test('matches Parquet columns by name, whatever their order in the file (emulators.md 3.2 swapped them)', () =>
    loads(async (world) => {
      const schema = {
        fields: [
          { name: 'a', type: 'STRING' },
          { name: 'b', type: 'STRING' },
        ],
      };
      const one = await world.parquet('1.parquet', "SELECT 'a1' AS a, 'b1' AS b");
      const two = await world.parquet('2.parquet', "SELECT 'b2' AS B, 'a2' AS A");
      assert.equal(reasonOf(await load(world, [one, two], 'pairs', { schema })), undefined);
      assert.deepEqual(await world.rows('SELECT a, b FROM shop.pairs ORDER BY a'), [
        ['a1', 'b1'],
        ['a2', 'b2'],
      ]);
    }));

  test('without a schema takes that of the last file, and refuses files that differ, in order too (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const one = await world.parquet('1.parquet', "SELECT 1::BIGINT AS id, 'x' AS a");
      const same = await world.parquet('2.parquet', "SELECT 2::BIGINT AS id, 'y' AS a");
      const turned = await world.parquet('3.parquet', "SELECT 'z' AS a, 3::BIGINT AS id");
      const none = { schema: undefined };
      assert.equal(reasonOf(await load(world, [one, same], 'inferred', none)), undefined);
      const { body } = await world.call('GET', '/datasets/shop/tables/inferred');
      assert.deepEqual(body.schema.fields, [
        { name: 'id', type: 'INTEGER', mode: 'NULLABLE' },
        { name: 'a', type: 'STRING', mode: 'NULLABLE' },
      ]);
      assert.equal(reasonOf(await load(world, [one, turned], 'other', none)), 'invalid');
    }));
});

describe('dispositions of a load', () => {
  test('append by default; WRITE_EMPTY fails in the job as duplicate; CREATE_NEVER as notFound (emulators.md 3.1)', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      const never = await load(world, [a], 'orders', { createDisposition: 'CREATE_NEVER' });
      assert.deepEqual([never.status.state, reasonOf(never)], ['DONE', 'notFound']);
      assert.match(messageOf(never), /Not found: Table test-project:shop.orders/);
      await load(world, [a], 'orders');
      await load(world, [a], 'orders');
      assert.deepEqual(await idsOf(world), ['1', '1']);
      assert.equal(reasonOf(await load(world, [a], 'orders', { writeDisposition: 'WRITE_EMPTY' })), 'duplicate');
    }));

  test('into a dataset that is not there is notFound', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      const job = await world.job({
        load: { sourceUris: [a], sourceFormat: 'PARQUET', destinationTable: tableRef('orders', 'nowhere') },
      });
      assert.equal(reasonOf(job), 'notFound');
      assert.match(messageOf(job), /Not found: Dataset test-project:nowhere/);
    }));

  test('WRITE_TRUNCATE of a table replaces its schema, column descriptions and policy tags, and keeps labels and description (bigquery-gcs.md 3.4)', () =>
    loads(async (world) => {
      const described = { ...FIELDS[1], description: 'The id.', policyTags: { names: ['tag'] } };
      await world.makeTable('orders', {
        schema: { fields: [FIELDS[0], described, { name: 'gone', type: 'STRING' }] },
        description: 'Orders.',
        labels: { env: 'dev' },
      });
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      assert.equal(reasonOf(await load(world, [a], 'orders', { writeDisposition: 'WRITE_TRUNCATE' })), undefined);
      const { body } = await world.call('GET', '/datasets/shop/tables/orders');
      assert.deepEqual(body.schema.fields, FIELDS);
      assert.deepEqual([body.description, body.labels], ['Orders.', { env: 'dev' }]);
    }));

  test('WRITE_TRUNCATE of a decorator and WRITE_TRUNCATE_DATA keep descriptions and policy tags (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const described = { ...FIELDS[1], description: 'The id.', policyTags: { names: ['tag'] } };
      await world.makeTable('orders', {
        schema: { fields: [FIELDS[0], described] },
        timePartitioning: BY_DAY,
      });
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      const b = await orders(world, 'b.parquet', '2025-10-16', [2]);
      await load(world, [a], 'orders$20251015', { writeDisposition: 'WRITE_TRUNCATE' });
      await load(world, [b], 'orders', { writeDisposition: 'WRITE_TRUNCATE_DATA' });
      assert.deepEqual(await idsOf(world), ['2']);
      const { body } = await world.call('GET', '/datasets/shop/tables/orders');
      assert.deepEqual(body.schema.fields[1], described);
      await load(world, [a], 'orders$20251015', { writeDisposition: 'WRITE_TRUNCATE_DATA' });
      assert.deepEqual(await idsOf(world), ['1', '2']);
    }));

  test('another partitioning than the table’s is invalid', () =>
    loads(async (world) => {
      const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
      await load(world, [a], 'orders', TRUNCATE);
      const job = await load(world, [a], 'orders', { ...TRUNCATE, timePartitioning: { type: 'MONTH', field: 'day' } });
      assert.equal(reasonOf(job), 'invalid');
      assert.match(messageOf(job), /Incompatible table partitioning specification/);
    }));
});

describe('schemaUpdateOptions', () => {
  const MORE = { schema: { fields: [...FIELDS, { name: 'note', type: 'STRING' }] } };
  const withNote = (world: World, name: string, id: number) =>
    world.parquet(name, `SELECT DATE '2025-10-15' AS day, ${id}::BIGINT AS id, 'n' AS note`);

  test('let WRITE_APPEND and WRITE_TRUNCATE of a decorator add a column; without them it is invalid (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      await load(world, [await orders(world, 'a.parquet', '2025-10-15', [1])], 'orders', TRUNCATE);
      const b = await withNote(world, 'b.parquet', 2);
      const refused = await load(world, [b], 'orders', { ...MORE, writeDisposition: 'WRITE_APPEND' });
      assert.equal(reasonOf(refused), 'invalid');
      assert.match(
        messageOf(refused),
        /Provided Schema does not match Table test-project:shop.orders. Cannot add fields \(field: note\)/,
      );
      const adding = { ...MORE, schemaUpdateOptions: ['ALLOW_FIELD_ADDITION'] };
      assert.equal(
        reasonOf(await load(world, [b], 'orders', { ...adding, writeDisposition: 'WRITE_APPEND' })),
        undefined,
      );
      assert.deepEqual(await world.rows('SELECT id, note FROM shop.orders ORDER BY id'), [
        ['1', null],
        ['2', 'n'],
      ]);
      const again = { ...adding, writeDisposition: 'WRITE_TRUNCATE' };
      assert.equal(reasonOf(await load(world, [b], 'orders$20251015', again)), undefined);
      assert.deepEqual(await world.rows('SELECT id, note FROM shop.orders'), [['2', 'n']]);
    }));

  test('with WRITE_TRUNCATE of a whole table or WRITE_EMPTY are refused at once (bigquery-gcs.md 3.1)', () =>
    loads(async (world) => {
      const a = await withNote(world, 'a.parquet', 1);
      for (const writeDisposition of ['WRITE_TRUNCATE', 'WRITE_EMPTY']) {
        const job = await load(world, [a], 'orders', {
          ...MORE,
          writeDisposition,
          schemaUpdateOptions: ['ALLOW_FIELD_ADDITION'],
        });
        assert.deepEqual([job.error.code, reasonOf(job)], [400, 'invalid']);
        assert.match(
          messageOf(job),
          /WRITE_APPEND disposition, or with WRITE_TRUNCATE disposition on a table partition/,
        );
      }
    }));

  test('relax REQUIRED only where they say so; a type never changes', () =>
    loads(async (world) => {
      const required = { fields: [FIELDS[0], { ...FIELDS[1], mode: 'REQUIRED' }] };
      await world.makeTable('orders', { schema: required });
      const a = await world.parquet('a.parquet', "SELECT DATE '2025-10-15' AS day, NULL::BIGINT AS id");
      assert.equal(reasonOf(await load(world, [a], 'orders', { schema: required })), 'invalid');
      const changed = await load(world, [a], 'orders');
      assert.match(messageOf(changed), /Field id has changed mode from REQUIRED to NULLABLE/);
      const relaxing = { schemaUpdateOptions: ['ALLOW_FIELD_RELAXATION'] };
      assert.equal(reasonOf(await load(world, [a], 'orders', relaxing)), undefined);
      const text = await world.parquet('b.parquet', "SELECT DATE '2025-10-15' AS day, 'x' AS id");
      const typed = await load(world, [text], 'orders', {
        schema: { fields: [FIELDS[0], { name: 'id', type: 'STRING' }] },
      });
      assert.match(messageOf(typed), /Field id has changed type from INT64 to STRING/);
    }));
});

describe('Parquet types (bigquery-gcs.md 3.2)', () => {
  /** The error of loading one value into a column of a type; undefined where it goes in. */
  async function fault(world: World, value: string, type: string, more: object = {}): Promise<string | undefined> {
    const uri = await world.parquet('t.parquet', `SELECT ${value} AS v`);
    const schema = { fields: [{ name: 'v', type, ...more }] };
    const job = await load(world, [uri], 'typed', { schema, writeDisposition: 'WRITE_TRUNCATE' });
    assert.ok(reasonOf(job) === undefined || reasonOf(job) === 'invalid', messageOf(job));
    return job.status.errorResult?.message;
  }

  test('HUGEINT, which is written as DOUBLE, does not go into INT64', () =>
    loads(async (world) => {
      const wrong = await fault(world, '1::HUGEINT', 'INTEGER');
      assert.match(
        wrong ?? '',
        /Parquet column 'v' has type DOUBLE, read as FLOAT64, which does not match the target type INT64. File: gs:\/\/lake\/t.parquet/,
      );
      assert.equal(await fault(world, '1::HUGEINT', 'FLOAT'), undefined);
    }));

  test('civil TIMESTAMP is DATETIME and no TIMESTAMP; TIMESTAMPTZ the reverse', () =>
    loads(async (world) => {
      const civil = "TIMESTAMP '2025-10-15 10:00:00'";
      const instant = "TIMESTAMPTZ '2025-10-15 10:00:00+00'";
      assert.match(
        (await fault(world, civil, 'TIMESTAMP')) ?? '',
        /read as DATETIME, which does not match the target type TIMESTAMP/,
      );
      assert.equal(await fault(world, civil, 'DATETIME'), undefined);
      assert.equal(await fault(world, instant, 'TIMESTAMP'), undefined);
      assert.match((await fault(world, instant, 'DATETIME')) ?? '', /does not match/);
    }));

  test('nanoseconds arrive as INT64, UUID as BYTES; INTERVAL does not arrive', () =>
    loads(async (world) => {
      assert.match((await fault(world, "TIMESTAMP_NS '2025-10-15 10:00:00'", 'TIMESTAMP')) ?? '', /read as INT64/);
      assert.match(
        (await fault(world, "'12345678-1234-1234-1234-123456789012'::UUID", 'STRING')) ?? '',
        /read as BYTES/,
      );
      assert.equal(await fault(world, "'12345678-1234-1234-1234-123456789012'::UUID", 'BYTES'), undefined);
      assert.deepEqual(await world.rows('SELECT v FROM shop.typed'), [['EjRWeBI0EjQSNBI0VniQEg==']]);
      assert.match((await fault(world, 'INTERVAL 1 DAY', 'STRING')) ?? '', /which BigQuery does not load/);
    }));

  test('a date that became an instant, a number that is text and a text that is a number are refused', () =>
    loads(async (world) => {
      assert.match(
        (await fault(world, "date_trunc('month', DATE '2025-10-15')::TIMESTAMP", 'DATE')) ?? '',
        /read as DATETIME.*target type DATE/,
      );
      assert.match((await fault(world, '1::BIGINT', 'STRING')) ?? '', /read as INT64/);
      assert.match((await fault(world, "'1'", 'INTEGER')) ?? '', /read as STRING/);
      assert.match((await fault(world, '1::DOUBLE', 'NUMERIC')) ?? '', /read as FLOAT64/);
    }));

  test('decimals go where their digits have room: scale by the schema, size by the value', () =>
    loads(async (world) => {
      assert.equal(await fault(world, '12.34::DECIMAL(18,2)', 'NUMERIC', { precision: '18', scale: '2' }), undefined);
      assert.equal(await fault(world, '12.34::DECIMAL(18,2)', 'NUMERIC'), undefined);
      assert.match(
        (await fault(world, '1.234::DECIMAL(18,3)', 'NUMERIC', { precision: '18', scale: '2' })) ?? '',
        /NUMERIC\(18, 3\).*NUMERIC\(18, 2\)/,
      );
      assert.ok(await fault(world, '12345.00::DECIMAL(18,2)', 'NUMERIC', { precision: '4', scale: '2' }));
    }));

  test('lists need enableListInference, else they are a RECORD', () =>
    loads(async (world) => {
      assert.match(
        (await fault(world, '[1, 2]::BIGINT[]', 'INTEGER', { mode: 'REPEATED' })) ?? '',
        /does not match the target type ARRAY<INT64>/,
      );
      const uri = await world.parquet('l.parquet', 'SELECT [1, 2]::BIGINT[] AS v');
      const schema = { fields: [{ name: 'v', type: 'INTEGER', mode: 'REPEATED' }] };
      const job = await load(world, [uri], 'listed', { schema, parquetOptions: { enableListInference: true } });
      assert.equal(reasonOf(job), undefined);
      const { body } = await world.call('GET', '/datasets/shop/tables/listed/data');
      assert.deepEqual(body.rows, [{ f: [{ v: [{ v: '1' }, { v: '2' }] }] }]);
    }));

  test('OPTIONAL columns go into REQUIRED ones by an explicit schema, not by inference ("changed mode")', () =>
    loads(async (world) => {
      const schema = { fields: [{ name: 'v', type: 'INTEGER', mode: 'REQUIRED' }] };
      await world.makeTable('strict', { schema });
      const uri = await world.parquet('v.parquet', 'SELECT 1::BIGINT AS v');
      assert.equal(reasonOf(await load(world, [uri], 'strict', { schema })), undefined);
      assert.match(
        messageOf(await load(world, [uri], 'strict', { schema: undefined })),
        /Field v has changed mode from REQUIRED to NULLABLE/,
      );
      const empty = await world.parquet('n.parquet', 'SELECT NULL::BIGINT AS v');
      assert.match(messageOf(await load(world, [empty], 'strict', { schema })), /Required field v/);
    }));

  test('a column that the schema has not is refused, unless ignoreUnknownValues; one that the file has not is NULL', () =>
    loads(async (world) => {
      const uri = await world.parquet('e.parquet', "SELECT 1::BIGINT AS id, 'x' AS extra");
      assert.match(messageOf(await load(world, [uri], 'orders')), /Parquet column 'extra' has no column in the schema/);
      assert.equal(reasonOf(await load(world, [uri], 'orders', { ignoreUnknownValues: true })), undefined);
      assert.deepEqual(await world.rows('SELECT day, id FROM shop.orders'), [[null, '1']]);
    }));

  test('what is no Parquet is invalid and names the file', () =>
    loads(async (world) => {
      const uri = await orders(world, 'a.parquet', '2025-10-15', [1]);
      await writeFile(`${world.folder}/buckets/lake/a.parquet`, 'no parquet');
      const job = await load(world, [uri], 'orders');
      assert.equal(reasonOf(job), 'invalid');
      assert.match(messageOf(job), /not in Parquet format. File: gs:\/\/lake\/a.parquet/);
    }));
});

describe('quotas of loads', () => {
  test('are counted by table name and day, failed ones too, and refuse the next with 403 quotaExceeded (bigquery-gcs.md 3.1)', () =>
    loads(
      async (world) => {
        const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
        await load(world, ['gs://lake/missing'], 'orders');
        await load(world, [a], 'orders');
        await world.call('DELETE', '/datasets/shop/tables/orders');
        const third = await load(world, [a], 'orders');
        assert.deepEqual([third.error.code, reasonOf(third)], [403, 'quotaExceeded']);
        assert.equal(reasonOf(await load(world, [a], 'other')), undefined);
        world.clock.nowMs += 86_400_000;
        assert.equal(reasonOf(await load(world, [a], 'orders')), undefined);
      },
      { limits: { loadsPerTableAndDay: 2 } },
    ));

  test('of modifications count tables without partitions by table, those with by partition', () =>
    loads(
      async (world) => {
        const a = await orders(world, 'a.parquet', '2025-10-15', [1]);
        const b = await orders(world, 'b.parquet', '2025-10-16', [2]);
        assert.equal(reasonOf(await load(world, [a], 'plain')), undefined);
        assert.equal(reasonOf(await load(world, [a], 'plain')), 'quotaExceeded');
        assert.equal(reasonOf(await load(world, [a, b], 'orders', TRUNCATE)), undefined);
        assert.equal(reasonOf(await load(world, [a], 'orders', { writeDisposition: 'WRITE_APPEND' })), undefined);
        assert.equal(reasonOf(await load(world, [a], 'orders', { writeDisposition: 'WRITE_APPEND' })), 'quotaExceeded');
      },
      { limits: { modificationsPerTableAndDay: 1, partitionModificationsPerDay: 3 } },
    ));

  test('settings and formats that are not imitated are refused by name', () =>
    loads(async (world) => {
      const csv = await load(world, ['gs://lake/a.csv'], 'orders', { sourceFormat: 'CSV' });
      assert.deepEqual([csv.error.code, reasonOf(csv)], [501, 'notImplemented']);
      const hive = await load(world, ['gs://lake/a'], 'orders', { hivePartitioningOptions: { mode: 'AUTO' } });
      assert.equal(hive.error.code, 501);
      assert.match(messageOf(hive), /load\.hivePartitioningOptions/);
    }));
});
