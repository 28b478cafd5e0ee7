/** The BigQuery adapter on bqemulator and fake-gcs-server: tables, loads, swaps, dry runs and types, as far as these go. */
import { strict as assert } from 'node:assert';
import { after, beforeEach, describe, test } from 'node:test';
import type { Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import { BigQueryClient } from '../../serving/bigquery/client.ts';
import { BigQueryLedger } from '../../serving/bigquery/ledger.ts';
import { hasCode } from '../contract/warehouse-contract.ts';
import { type BigQueryPlace, request, withBigQueryPlace } from './bigquery-place.ts';
import { evaluate } from './bigquery-rows.ts';
import { startEmulatedAccount } from './bigquery-servers.ts';

const account = await startEmulatedAccount();

/** Without decimals: bqemulator forgets their digits, and the adapter then refuses the table. */
const STOCK: WarehouseTableDef = {
  dataset: 'enriched',
  table: 'stock',
  columns: [
    { name: 'kind', type: 'string', description: 'What it is.' },
    { name: 'pieces', type: 'int64' },
  ],
  partitionKey: null,
  clusterBy: ['kind'],
  description: 'Pieces in stock.',
};
const BY_KIND: WarehouseTableDef = { ...STOCK, table: 'stock_by_kind', partitionKey: 'kind' };
const BY_DAY: WarehouseTableDef = {
  ...STOCK,
  dataset: 'gold',
  table: 'fct_days',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'pieces', type: 'int64' },
  ],
  partitionKey: 'day',
  clusterBy: [],
};
const TOTAL: WarehouseTableDef = {
  ...STOCK,
  dataset: 'gold',
  table: 'fct_total',
  columns: [{ name: 'pieces', type: 'int64' }],
  clusterBy: [],
};

const pieces = (...rows: readonly (readonly [kind: string, pieces: number])[]): string =>
  rows.map(([kind, count]) => `SELECT '${kind}' AS kind, ${count}::BIGINT AS pieces`).join(' UNION ALL ');
const ALL_STOCK = 'SELECT kind, pieces FROM enriched.stock ORDER BY pieces';

if ('skip' in account) describe(`the BigQuery adapter on ${account.title}`, { skip: account.skip }, () => {});
else {
  after(() => account.close());
  let number = 0;
  let name = '';
  beforeEach(() => {
    number += 1;
    name = `t${number}`;
  });

  const onPlace = (work: (place: BigQueryPlace, warehouse: Warehouse) => Promise<void>): Promise<void> =>
    withBigQueryPlace(account, { name, prefix: `${name}/` }, async (place) => work(place, await place.open()));

  const tableOf = (place: BigQueryPlace, { dataset, table }: Pick<WarehouseTableDef, 'dataset' | 'table'>) =>
    place.client.dataset(place.dataset(dataset)).table(table);

  const refOf = (place: BigQueryPlace, { dataset, table }: Pick<WarehouseTableDef, 'dataset' | 'table'>) => ({
    projectId: place.account.projectId,
    datasetId: place.dataset(dataset),
    tableId: table,
  });

  describe(`the BigQuery adapter on ${account.title}: tables`, () => {
    test('are made with their columns, partitioning, expiry, clustering, descriptions and labels, in datasets of the location', () =>
      onPlace(async (place, warehouse) => {
        const options = { labels: {}, requirePartitionFilter: false, partitionExpirationDays: 30 };
        await warehouse.ensureTable({ ...BY_DAY, clusterBy: ['pieces'], options });
        const [made] = await tableOf(place, BY_DAY).getMetadata();
        assert.deepEqual(made.schema.fields, [
          { name: 'day', type: 'DATE', mode: 'NULLABLE' },
          { name: 'pieces', type: 'INTEGER', mode: 'NULLABLE' },
        ]);
        assert.deepEqual(made.timePartitioning, { type: 'DAY', field: 'day', expirationMs: String(30 * 86_400_000) });
        assert.deepEqual(made.clustering.fields, ['pieces']);
        assert.equal(made.description, 'Pieces in stock.');
        assert.deepEqual([made.labels.layer, made.labels.table, made.labels.env], ['gold', 'fct_days', 'test']);
        const [dataset] = await place.client.dataset(place.dataset('gold')).getMetadata();
        assert.deepEqual([dataset.location, dataset.labels.layer], ['US', 'gold']);
      }));

    test('that stand as defined are left alone', () =>
      onPlace(async (place, warehouse) => {
        await warehouse.ensureTable(STOCK);
        const [before] = await tableOf(place, STOCK).getMetadata();
        await warehouse.ensureTable(STOCK);
        const [again] = await tableOf(place, STOCK).getMetadata();
        assert.deepEqual(again, before);
      }));

    test('gain a column and its description, and keep those that they have', () =>
      onPlace(async (place, warehouse) => {
        await warehouse.ensureTable(STOCK);
        const columns = [...STOCK.columns, { name: 'checked', type: 'bool', description: 'Counted by hand.' }];
        await warehouse.ensureTable({ ...STOCK, columns });
        const [made] = await tableOf(place, STOCK).getMetadata();
        assert.deepEqual(
          made.schema.fields.map((field: { description?: string }) => field.description ?? null),
          ['What it is.', null, 'Counted by hand.'],
        );
      }));

    test('whose column would change its type are refused', () =>
      onPlace(async (_, warehouse) => {
        await warehouse.ensureTable(STOCK);
        const columns = [...STOCK.columns.slice(0, 1), { name: 'pieces', type: 'float64' }];
        await assert.rejects(
          warehouse.ensureTable({ ...STOCK, columns }),
          hasCode('warehouse_schema', /enriched\.stock, column pieces/, /int64/, /float64/),
        );
      }));
  });

  describe(`the BigQuery adapter on ${account.title}: loads`, () => {
    test('replace an unpartitioned table whole, and leave it alone where nothing changed', () =>
      onPlace(async (place, warehouse) => {
        const first = (await place.stage(STOCK, '', pieces(['a', 1], ['b', 2]))).partition;
        assert.equal(await warehouse.loaded('enriched', 'stock'), 'absent');
        await warehouse.loadPartitions(STOCK, [first], []);
        assert.deepEqual(await place.read(ALL_STOCK), [
          { kind: 'a', pieces: '1' },
          { kind: 'b', pieces: '2' },
        ]);
        const jobs = warehouse.jobs().length;
        const [again] = await warehouse.loadPartitions(STOCK, [first], []);
        assert.deepEqual([again?.changed, warehouse.jobs().length], [false, jobs]);
        await warehouse.loadPartitions(STOCK, [(await place.stage(STOCK, '', pieces(['c', 3]))).partition], []);
        assert.deepEqual(await place.read(ALL_STOCK), [{ kind: 'c', pieces: '3' }]);
        const [made] = await tableOf(place, STOCK).getMetadata();
        assert.deepEqual([made.description, made.labels.table], ['Pieces in stock.', 'stock']);
      }));

    test('of partitions by a value go beside the table, and one transaction replaces exactly these', () =>
      onPlace(async (place, warehouse) => {
        const staged = async (kind: string, count: number) =>
          (await place.stage(BY_KIND, kind, pieces([kind, count]))).partition;
        for (const [kind, count] of [
          ['a', 1],
          ['b', 2],
          ['c', 3],
        ] as const)
          await warehouse.loadPartitions(BY_KIND, [await staged(kind, count)], []);
        await warehouse.loadPartitions(BY_KIND, [await staged('b', 20), await staged('d', 4)], ['c']);
        assert.deepEqual(await place.read('SELECT kind, pieces FROM enriched.stock_by_kind ORDER BY kind'), [
          { kind: 'a', pieces: '1' },
          { kind: 'b', pieces: '20' },
          { kind: 'd', pieces: '4' },
        ]);
        const loaded = await warehouse.loaded('enriched', 'stock_by_kind');
        assert.deepEqual([...(loaded as ReadonlyMap<string, string>).keys()], ['a', 'b', 'd']);
        assert.deepEqual(await place.leftovers(), []);
      }));

    test('bring every type that columns have, in its extremes and as NULL', () =>
      onPlace(async (place, warehouse) => {
        const types = ['string', 'int64', 'float64', 'bool', 'date', 'timestamp'];
        const def = { ...STOCK, clusterBy: [], columns: types.map((type, at) => ({ name: `c${at}`, type })) };
        const query = `SELECT 'ü "' || chr(10) AS c0, 9223372036854775807::BIGINT AS c1, 0.1::DOUBLE AS c2, true AS c3,
            DATE '0001-01-01' AS c4, TIMESTAMPTZ '2024-02-29 23:59:59.999999+00' AS c5
          UNION ALL SELECT '', -9223372036854775808, -1e300, false, DATE '9999-12-31', TIMESTAMPTZ '1899-12-31 00:00:00+00'
          UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL`;
        await warehouse.loadPartitions(def, [(await place.stage(def, '', query)).partition], []);
        const found = await evaluate(place.client, `SELECT * FROM ${place.dataset('enriched')}.stock ORDER BY c1`);
        assert.deepEqual(found.types, ['STRING', 'INT64', 'FLOAT64', 'BOOL', 'DATE', 'TIMESTAMP']);
        assert.deepEqual(found.rows, [
          [null, null, null, null, null, null],
          ['', '-9223372036854775808', '-1e+300', 'false', '9999-12-31', '1899-12-31 00:00:00.000000'],
          ['ü "\n', '9223372036854775807', '0.1', 'true', '0001-01-01', '2024-02-29 23:59:59.999999'],
        ]);
      }));

    test('bring decimals whole, replaced or appended to', () =>
      onPlace(async (place, warehouse) => {
        const def = {
          ...STOCK,
          clusterBy: [],
          columns: [
            { name: 'a', type: 'decimal(18,2)' },
            { name: 'b', type: 'decimal(38,9)' },
          ],
        };
        await warehouse.ensureTable(def);
        const { shown } = await place.stage(
          def,
          '',
          `SELECT 1234567890123456.78::DECIMAL(18,2) AS a, -12345678901234567890123456789.123456789::DECIMAL(38,9) AS b
            UNION ALL SELECT NULL, NULL`,
        );
        // The adapter's own job, which it does not send here: it finds that the table has lost the digits of its decimals.
        const load = (writeDisposition: string) =>
          place.client.createJob({
            configuration: {
              load: {
                destinationTable: refOf(place, STOCK),
                sourceUris: [shown],
                sourceFormat: 'PARQUET',
                writeDisposition,
                createDisposition: 'CREATE_NEVER',
                schema: {
                  fields: [
                    { name: 'a', mode: 'NULLABLE', type: 'NUMERIC', precision: '18', scale: '2' },
                    { name: 'b', mode: 'NULLABLE', type: 'NUMERIC', precision: '38', scale: '9' },
                  ],
                },
                decimalTargetTypes: ['NUMERIC', 'BIGNUMERIC'],
                parquetOptions: { enableListInference: true },
              },
            },
          });
        const rows = async () =>
          (await evaluate(place.client, `SELECT a, b FROM ${place.dataset('enriched')}.stock ORDER BY a`)).rows;
        await load('WRITE_TRUNCATE');
        const once = [
          [null, null],
          ['1234567890123456.78', '-12345678901234567890123456789.123456789'],
        ];
        assert.deepEqual(await rows(), once);
        await load('WRITE_APPEND');
        assert.deepEqual((await rows()).length, 4);
        await load('WRITE_TRUNCATE');
        assert.deepEqual(await rows(), once);
      }));
  });

  /** As a build would leave it; here the build's own query cannot, since bqemulator ignores the destination of a query. */
  async function putBuilt(
    place: BigQueryPlace,
    warehouse: Warehouse,
    def: WarehouseTableDef,
    query: string,
    partitions: { readonly [partition: string]: number },
  ): Promise<void> {
    const stagingTable = `build__${def.table}__by_hand`;
    await place.client.createDataset(place.dataset('staging')).catch((thrown: { code?: number }) => {
      if (thrown.code !== 409) throw thrown;
    });
    await place.query(`CREATE OR REPLACE TABLE ${place.dataset('staging')}.${stagingTable} AS ${query}`);
    await warehouse.ensureTable(def);
    const ledger = new BigQueryLedger({
      store: place.store,
      clock: { now: () => 0 },
      use: place.use,
      backOff: async () => undefined,
    });
    await ledger.update(refOf(place, def), (before) => ({
      ...before,
      build: {
        state: 'built',
        token: 'by_hand',
        identity: query,
        stagingTable,
        partitions: Object.fromEntries(
          Object.entries(partitions).map(([value, rows]) => [value, { fingerprint: 'v1', rows }]),
        ),
      },
    }));
  }

  const DAYS = ['2025-01-01', '2025-01-02'];
  const BUILDS = [
    { def: BY_DAY, days: DAYS, fingerprints: { '2025-01-01': 'v1', '2025-01-02': 'v1' } },
    { def: TOTAL, days: null, fingerprints: { '': 'v1' } },
  ];
  const BUILT_DAYS = "SELECT day, 1 AS pieces FROM UNNEST([DATE '2025-01-01', DATE '2025-01-02']) AS day";

  describe(`the BigQuery adapter on ${account.title}: marts`, () => {
    test('that were built appear together by one transaction, other days stay, and a repeat changes nothing', () =>
      onPlace(async (place, warehouse) => {
        await putBuilt(place, warehouse, BY_DAY, BUILT_DAYS, { '2025-01-01': 1, '2025-01-02': 1 });
        await place.query(
          `INSERT INTO ${place.dataset('gold')}.fct_days (day, pieces) VALUES (DATE '2024-12-31', 7), (DATE '2025-01-02', 8)`,
        );
        await putBuilt(place, warehouse, TOTAL, 'SELECT 42 AS pieces', { '': 1 });
        await warehouse.swapMarts(BUILDS, {});
        const expected = [
          { day: '2024-12-31', pieces: '7' },
          { day: '2025-01-01', pieces: '1' },
          { day: '2025-01-02', pieces: '1' },
        ];
        assert.deepEqual(await place.read('SELECT day, pieces FROM gold.fct_days ORDER BY day'), expected);
        assert.deepEqual(await place.read('SELECT pieces FROM gold.fct_total'), [{ pieces: '42' }]);
        assert.deepEqual(
          warehouse.jobs().map(({ kind }) => kind),
          ['query'],
        );
        assert.deepEqual(await place.leftovers(), []);
        await warehouse.swapMarts(BUILDS, {});
        assert.equal(warehouse.jobs().length, 1);
        assert.deepEqual(await warehouse.loaded('gold', 'fct_total'), new Map([['', 'v1']]));
      }));

    test('stay as they were, all of them, where the transaction fails on its last statement', () =>
      onPlace(async (place, warehouse) => {
        await putBuilt(place, warehouse, BY_DAY, BUILT_DAYS, { '2025-01-01': 1, '2025-01-02': 1 });
        await place.query(`INSERT INTO ${place.dataset('gold')}.fct_days (day, pieces) VALUES (DATE '2025-01-01', 7)`);
        await putBuilt(place, warehouse, TOTAL, "SELECT 'forty-two' AS pieces", { '': 1 });
        await assert.rejects(warehouse.swapMarts(BUILDS, {}), hasCode('sql_invalid', /swap fct_days, fct_total/));
        assert.deepEqual(await place.read('SELECT day, pieces FROM gold.fct_days'), [
          { day: '2025-01-01', pieces: '7' },
        ]);
        assert.deepEqual(await place.read('SELECT pieces FROM gold.fct_total'), []);
        assert.deepEqual(await warehouse.loaded('gold', 'fct_days'), new Map());
      }));

    const FAULTS: readonly (readonly [name: string, sql: string, code: string, words: RegExp])[] = [
      ['a column that is not declared', 'SELECT pieces, kind FROM enriched.stock', 'warehouse_schema', /column kind/],
      ['a declared column that is not given', 'SELECT kind FROM enriched.stock', 'warehouse_schema', /column/],
      ['a column of another type', 'SELECT kind AS pieces FROM enriched.stock', 'warehouse_schema', /int64.*STRING/],
      ['a column that no table has', 'SELECT piece AS pieces FROM enriched.stock', 'sql_invalid', /piece/],
      ['a table that is not loaded', 'SELECT pieces FROM enriched.stocks', 'sql_invalid', /enriched\.stocks/],
    ];
    for (const [fault, sql, code, words] of FAULTS) {
      test(`are refused by the dry run, before anything runs: ${fault}`, () =>
        onPlace(async (_, warehouse) => {
          await warehouse.ensureTable(STOCK);
          const build = { def: TOTAL, sql, days: null, fingerprints: { '': 'v1' } };
          await assert.rejects(warehouse.buildMart(build), hasCode(code, words));
          assert.deepEqual(warehouse.jobs(), []);
        }));
    }
  });

  describe(`what serves beside the adapter on ${account.title}`, () => {
    test('results of many pages are read whole, in order', () =>
      onPlace(async ({ use, client }) => {
        const query = 'SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS n ORDER BY n';
        const [job] = await client.createQueryJob({ query });
        const own = new BigQueryClient({
          ...account,
          endpoint: account.bigQueryEndpoint,
          signal: use.signal,
          log: use.log,
        });
        const rows = await own.rows('count', job.id ?? '');
        assert.equal(rows.length, 25_000);
        assert.ok(rows.every(({ n }, index) => Number(n) === index + 1));
        assert.equal((await evaluate(client, query, [], 10_000)).pages, 3);
      }));

    test('statements write: CREATE TABLE AS, INSERT, UPDATE, DELETE, MERGE; views read', () =>
      onPlace(async (place) => {
        await place.client.createDataset(place.dataset('gold'));
        const table = `${place.dataset('gold')}.facts`;
        for (const statement of [
          `CREATE TABLE ${table} AS SELECT n AS id, n * 10 AS worth FROM UNNEST([1, 2, 3]) AS n`,
          `INSERT INTO ${table} (id, worth) VALUES (4, 40)`,
          `UPDATE ${table} SET worth = worth + 1 WHERE id > 2`,
          `DELETE FROM ${table} WHERE id = 1`,
          `MERGE ${table} AS t USING (SELECT 2 AS id, 0 AS worth UNION ALL SELECT 9, 90) AS s ON t.id = s.id
            WHEN MATCHED THEN UPDATE SET worth = s.worth WHEN NOT MATCHED THEN INSERT (id, worth) VALUES (s.id, s.worth)`,
        ])
          await place.query(statement);
        await place.client.dataset(place.dataset('gold')).createTable('rich', {
          view: { query: `SELECT id FROM ${table} WHERE worth > 30`, useLegacySql: false },
        });
        assert.deepEqual(await place.read('SELECT id, worth FROM gold.facts ORDER BY id'), [
          { id: '2', worth: '0' },
          { id: '3', worth: '31' },
          { id: '4', worth: '41' },
          { id: '9', worth: '90' },
        ]);
        assert.deepEqual(await place.read('SELECT id FROM gold.rich ORDER BY id'), [
          { id: '3' },
          { id: '4' },
          { id: '9' },
        ]);
      }));

    test('a copy job replaces its target by one source', () =>
      onPlace(async (place) => {
        await place.client.createDataset(place.dataset('gold'));
        const gold = place.dataset('gold');
        await place.query(`CREATE TABLE ${gold}.source AS SELECT 1 AS id`);
        await place.query(`CREATE TABLE ${gold}.target AS SELECT 2 AS id`);
        const at = (table: string) => refOf(place, { dataset: 'gold', table });
        await request(
          place.client,
          'POST',
          '/jobs',
          {},
          {
            configuration: {
              copy: { sourceTable: at('source'), destinationTable: at('target'), writeDisposition: 'WRITE_TRUNCATE' },
            },
          },
        );
        assert.deepEqual(await place.read('SELECT id FROM gold.target'), [{ id: '1' }]);
      }));
  });
}
