/** What reaches BigQuery: the bodies of jobs, how often they are sent, and what becomes of their ends. On the stand-in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { MartBuild, ObjectStore, WarehouseTableDef } from '../../core/ports.ts';
import { createFaults, parseFaults } from '../../sandbox/faults.ts';
import { buildOfSales, FCT_SALES, hasCode, rows, SALES } from '../contract/warehouse-contract.ts';
import { PROJECT, type SandboxPlace, type SeenCall, withSandboxWarehouse } from '../contract/warehouse-sandbox.ts';

const ONE = rows('2025-01-01', [1, '10.00']);
const TWO = rows('2025-01-01', [2, '20.00']);

const inserts = (place: SandboxPlace): readonly SeenCall[] =>
  place.calls.filter(({ method, path, body }) => method === 'POST' && path === '/jobs' && !body?.configuration?.dryRun);
const idsOf = (calls: readonly SeenCall[]): readonly string[] =>
  calls.map(({ body }) => body?.jobReference?.jobId ?? '');
const withFaults = (rules: readonly string[], work: (place: SandboxPlace) => Promise<void>): Promise<void> =>
  withSandboxWarehouse({ faults: createFaults(parseFaults(rules), 1) }, work);
const amounts = (place: SandboxPlace) => place.read('SELECT amount FROM enriched.sales ORDER BY 1');

describe('a load job', () => {
  test('replaces one partition by decorator, with schema, labels, reservation and place', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const reservation = 'projects/test-project/locations/EU/reservations/nightly';
      const warehouse = await place.openWith({ reservation, parallelJobs: 1 });
      const staged = await place.stage(SALES, '2025-01-01', ONE);
      await warehouse.loadPartitions(SALES, [staged.partition], []);
      const [insert, ...more] = inserts(place);
      assert.equal(more.length, 0);
      const { load, labels, ...rest } = insert?.body?.configuration ?? {};
      assert.deepEqual(load, {
        destinationTable: { projectId: PROJECT, datasetId: 'enriched', tableId: 'sales$20250101' },
        sourceUris: [staged.shown],
        sourceFormat: 'PARQUET',
        writeDisposition: 'WRITE_TRUNCATE',
        createDisposition: 'CREATE_NEVER',
        schema: {
          fields: [
            { name: 'day', mode: 'NULLABLE', type: 'DATE' },
            { name: 'product', mode: 'NULLABLE', type: 'INTEGER' },
            { name: 'amount', mode: 'NULLABLE', type: 'NUMERIC', precision: '18', scale: '2' },
          ],
        },
        decimalTargetTypes: ['NUMERIC', 'BIGNUMERIC'],
        parquetOptions: { enableListInference: true },
      });
      assert.match(staged.shown, /^gs:\/\/lake\/test\/enriched\/_staging\//);
      assert.deepEqual(labels, {
        run_id: 'manual__2025-01-01t00_00_00_00_00',
        dag: 'shop_dag',
        task: 'load_enriched_sales',
        layer: 'enriched',
        table: 'sales',
        env: 'test',
      });
      assert.deepEqual(rest, { reservation });
      assert.equal(insert?.body?.jobReference?.location, 'EU');
      assert.match(idsOf(inserts(place))[0] ?? '', /^assay_load_enriched_sales_2025-01-01_[0-9a-f]{24}$/);
    });
  });

  test('is sent without credentials to a server that is not Google’s', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
      assert.ok(place.calls.length > 0);
      assert.deepEqual(
        place.calls.filter(({ headers }) => headers.authorization !== undefined),
        [],
      );
    });
  });

  test('is told with rows, bytes, cost and a link where people read it', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      const [receipt] = await warehouse.loadPartitions(
        SALES,
        [(await place.stage(SALES, '2025-01-01', ONE)).partition],
        [],
      );
      const [job, ...more] = warehouse.jobs();
      assert.equal(more.length, 0);
      assert.equal(job?.jobId, receipt?.jobId);
      assert.deepEqual([job?.kind, job?.table, job?.costUsd, job?.wasAdopted], ['load', 'enriched.sales', 0, false]);
      assert.equal(
        job?.link,
        `https://console.cloud.google.com/bigquery?project=${PROJECT}&j=bq:EU:${receipt?.jobId}&page=queryresults`,
      );
    });
  });

  test('keeps policy tags, descriptions and columns that others have given the table', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      await warehouse.ensureTable(SALES);
      const tag = 'projects/test-project/locations/eu/taxonomies/1/policyTags/2';
      const table = await place.api('GET', '/datasets/enriched/tables/sales');
      const { fields } = table.schema as { fields: readonly { name: string }[] };
      const changed = fields.map((field) =>
        field.name === 'amount' ? { ...field, description: 'In euros', policyTags: { names: [tag] } } : field,
      );
      await place.api('PATCH', '/datasets/enriched/tables/sales', {
        schema: { fields: [...changed, { name: 'note', type: 'STRING', mode: 'NULLABLE' }] },
      });
      await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
      const after = await place.api('GET', '/datasets/enriched/tables/sales');
      const kept = (after.schema as { fields: readonly Record<string, unknown>[] }).fields;
      assert.deepEqual(
        kept.map(({ name }) => name),
        ['day', 'product', 'amount', 'note'],
      );
      assert.deepEqual(kept[2]?.policyTags, { names: [tag] });
      assert.equal(kept[2]?.description, 'In euros');
    });
  });

  test('replaces a whole table with the clustering that it has', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const whole: WarehouseTableDef = { ...SALES, table: 'all_sales', partitionKey: null, clusterBy: ['product'] };
      const warehouse = await place.open();
      await warehouse.loadPartitions(whole, [(await place.stage(whole, '', ONE)).partition], []);
      const [insert] = inserts(place);
      assert.deepEqual(insert?.body?.configuration?.load?.clustering, { fields: ['product'] });
    });
  });

  test('of a whole table without a file is a statement that empties it', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const whole: WarehouseTableDef = { ...SALES, table: 'all_sales', partitionKey: null };
      const warehouse = await place.open();
      const { partition } = await place.stage(whole, '', ONE);
      await warehouse.loadPartitions(whole, [partition], []);
      await warehouse.loadPartitions(whole, [{ ...partition, files: [], rows: 0, fingerprint: 'none' }], []);
      assert.deepEqual(await place.read('SELECT amount FROM enriched.all_sales'), []);
      assert.deepEqual(await warehouse.loaded('enriched', 'all_sales'), new Map([['', 'none']]));
    });
  });

  test('of days that BigQuery has no partition for goes beside the table, as those of no day', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      const days = ['1959-12-31', '1960-01-01', '2159-12-31', '2160-01-01'];
      const staged = await Promise.all(days.map((day, index) => place.stage(SALES, day, rows(day, [index, '1.00']))));
      await warehouse.loadPartitions(
        SALES,
        staged.map(({ partition }) => partition),
        [],
      );
      const targets = inserts(place).flatMap(({ body }) => {
        const { load } = body?.configuration ?? {};
        return load ? [(load.destinationTable as { tableId: string }).tableId.replace(/__[0-9a-f]{12}$/, '')] : [];
      });
      assert.deepEqual(targets.sort(), ['load__enriched__sales', 'sales$19600101', 'sales$21591231']);
      assert.equal((await place.read('SELECT amount FROM enriched.sales WHERE day IS NOT NULL')).length, 4);
    });
  });

  test('of a table by value goes beside it, then replaces these values in one transaction', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const def: WarehouseTableDef = {
        ...SALES,
        table: 'goods',
        columns: [
          { name: 'category', type: 'string' },
          { name: 'price', type: 'int64' },
        ],
        partitionKey: 'category',
      };
      const good = (category: string, price: number) => `SELECT '${category}' AS category, ${price}::BIGINT AS price`;
      const warehouse = await place.open();
      const books = await place.stage(def, 'Books', good('Books', 1));
      const none = await place.stage(
        def,
        '__HIVE_DEFAULT_PARTITION__',
        'SELECT NULL::VARCHAR AS category, 9::BIGINT AS price',
      );
      const toys = await place.stage(def, "Kids' Toys", good("Kids'' Toys", 2));
      await warehouse.loadPartitions(def, [books.partition, toys.partition, none.partition], []);
      const newer = await place.stage(def, 'Books', good('Books', 3));
      await warehouse.loadPartitions(def, [newer.partition], ['__HIVE_DEFAULT_PARTITION__']);
      assert.deepEqual(await place.read('SELECT category, price FROM enriched.goods ORDER BY 2'), [
        { category: "Kids' Toys", price: '2' },
        { category: 'Books', price: '3' },
      ]);
      assert.deepEqual(await place.leftovers(), []);
      assert.deepEqual(
        [...((await warehouse.loaded('enriched', 'goods')) as ReadonlyMap<string, string>).keys()],
        ['Books', "Kids' Toys"],
      );
    });
  });
});

describe('the jobs of a mart', () => {
  const withMart = (work: (place: SandboxPlace) => Promise<void>) =>
    withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      const staged = [
        await place.stage(SALES, '2025-01-01', ONE),
        await place.stage(SALES, '2025-01-02', rows('2025-01-02', [1, '5.00'])),
      ];
      await warehouse.loadPartitions(
        SALES,
        staged.map(({ partition }) => partition),
        [],
      );
      place.calls.length = 0;
      await work(place);
    });

  test('build into the staging dataset within the limit of bytes, after a free dry run', async () => {
    await withMart(async (place) => {
      const warehouse = await place.openWith({ maximumBytesBilled: 100_000_000 });
      await warehouse.buildMart(buildOfSales(['2025-01-01']));
      const dryRuns = place.calls.filter(({ body }) => body?.configuration?.dryRun);
      assert.ok(dryRuns.length > 0);
      assert.ok(place.calls.indexOf(dryRuns[0] as SeenCall) < place.calls.indexOf(inserts(place)[0] as SeenCall));
      const query = inserts(place)[0]?.body?.configuration?.query;
      assert.match(JSON.stringify(query?.destinationTable), /"datasetId":"staging"/);
      assert.equal(query?.writeDisposition, 'WRITE_TRUNCATE');
      assert.equal(query?.maximumBytesBilled, '100000000');
      assert.equal(query?.useLegacySql, false);
      assert.match(String(query?.query), /FROM `test-project`\.`enriched`\.`sales`/);
    });
  });

  test('that would read more than allowed are refused before any starts', async () => {
    await withMart(async (place) => {
      const warehouse = await place.openWith({ maximumBytesBilled: 1 });
      await assert.rejects(
        warehouse.buildMart(buildOfSales(['2025-01-01'])),
        hasCode('warehouse_rejected', /fct_sales would read/, /maximum_bytes_billed is 1 B/, /not started/),
      );
      assert.deepEqual(inserts(place), []);
    });
  });

  test('swap in one transaction that names its partitions by constants', async () => {
    await withMart(async (place) => {
      const warehouse = await place.open();
      await warehouse.buildMart(buildOfSales(['2025-01-01', '2025-01-02']));
      place.calls.length = 0;
      await warehouse.swapMarts([buildOfSales(['2025-01-01', '2025-01-02'])], {});
      const [swap, ...more] = inserts(place);
      assert.equal(more.length, 0);
      const lines = String(swap?.body?.configuration?.query?.query).split('\n');
      assert.equal(lines[0], 'BEGIN TRANSACTION;');
      const days = "`day` IN (DATE '2025-01-01', DATE '2025-01-02')";
      assert.equal(lines[1], `DELETE FROM \`${PROJECT}\`.\`gold\`.\`fct_sales\` WHERE ${days};`);
      assert.ok(lines[2]?.startsWith(`INSERT INTO \`${PROJECT}\`.\`gold\`.\`fct_sales\` (\`day\`, \`total\`) SELECT`));
      assert.ok(lines[2]?.endsWith(`WHERE ${days};`));
      assert.deepEqual(lines.slice(3), ['COMMIT TRANSACTION;']);
      const queries = warehouse.jobs().filter(({ kind }) => kind === 'query');
      assert.ok(queries.every(({ bytesBilled, costUsd }) => costUsd === (bytesBilled / 2 ** 40) * 6.25));
    });
  });

  /** More than a hundred days are built by two jobs. */
  const MANY_DAYS = Array.from({ length: 101 }, (_, index) =>
    new Date(Date.UTC(2025, 0, 1 + index)).toISOString().slice(0, 10),
  );

  test('that build one mart are held to the limit of bytes together: refused, or each given what the others left', async () => {
    await withMart(async (place) => {
      const limit = 100_000_000;
      const warehouse = await place.openWith({ maximumBytesBilled: limit });
      const fields = [
        { name: 'day', type: 'DATE' },
        { name: 'total', type: 'NUMERIC' },
      ];
      place.intercept = ({ body }) =>
        body?.configuration?.dryRun
          ? { status: 200, body: { statistics: { query: { totalBytesProcessed: '60000000', schema: { fields } } } } }
          : undefined;
      // 2 x 60 MB = 114.4 MiB.
      await assert.rejects(
        warehouse.buildMart(buildOfSales(MANY_DAYS)),
        hasCode('warehouse_rejected', /fct_sales would read 114\.4 MiB/, /maximum_bytes_billed is 95\.4 MiB/),
      );
      assert.deepEqual(inserts(place), []);

      place.intercept = () => undefined;
      await warehouse.buildMart(buildOfSales(MANY_DAYS));
      const limits = inserts(place).map(({ body }) => Number(body?.configuration?.query?.maximumBytesBilled));
      const [first] = warehouse.jobs();
      assert.equal(first?.bytesBilled, 10 * 2 ** 20);
      // The last one counts the rows that were built.
      assert.deepEqual(limits, [limit, limit - 10 * 2 ** 20, limit]);
    });
  });

  test('that build one mart end where the first were billed all that the limit allows', async () => {
    await withMart(async (place) => {
      const warehouse = await place.openWith({ maximumBytesBilled: 10 * 2 ** 20 });
      await assert.rejects(
        warehouse.buildMart(buildOfSales(MANY_DAYS)),
        hasCode('warehouse_rejected', /1 of 2 jobs that build it were billed 10\.0 MiB/),
      );
      assert.equal(inserts(place).length, 1);
    });
  });

  for (const swap of ['transaction', 'copy'] as const) {
    test(`swap by ${swap} with one write of the ledger after the jobs; what a kill leaves is dropped by a repeat or the next build`, async () => {
      await withMart(async (place) => {
        const written: string[] = [];
        const store: ObjectStore = {
          ...place.store,
          write: (key, body, precondition) => {
            written.push(key);
            return place.store.write(key, body, precondition);
          },
        };
        const days = ['2025-01-01', '2025-01-02'];
        const first = await place.openWith({ swap });
        await first.buildMart(buildOfSales(days));
        await first.swapMarts([buildOfSales(days)], {});
        const killDrops = (): void => {
          place.intercept = ({ method, path }) =>
            method === 'DELETE' && path.startsWith('/datasets/staging/')
              ? { status: 403, body: { error: { code: 403, errors: [{ reason: 'accessDenied', message: 'killed' }] } } }
              : undefined;
        };
        const isLeft = async (): Promise<boolean> => (await place.leftovers()).length > 0;

        await first.buildMart(buildOfSales(days, 'v2'));
        killDrops();
        const killed = await place.openWith({ swap, store });
        await assert.rejects(killed.swapMarts([buildOfSales(days, 'v2')], {}), hasCode('warehouse_denied'));
        // A copy notes first what it will spend of the day's quota.
        assert.deepEqual(written, Array(swap === 'copy' ? 2 : 1).fill('_warehouse/gold/fct_sales.json'));
        assert.deepEqual(await killed.loaded('gold', 'fct_sales'), new Map(days.map((day) => [day, 'v2'])));
        assert.ok(await isLeft());

        place.intercept = () => undefined;
        place.calls.length = 0;
        written.length = 0;
        await (await place.openWith({ swap, store })).swapMarts([buildOfSales(days, 'v2')], {});
        assert.deepEqual([inserts(place), written], [[], []]);
        assert.deepEqual(await place.leftovers(), []);

        await first.buildMart(buildOfSales(days, 'v3'));
        const [spent] = await place.leftovers();
        killDrops();
        await assert.rejects(first.swapMarts([buildOfSales(days, 'v3')], {}), hasCode('warehouse_denied'));
        place.intercept = () => undefined;
        await (await place.openWith({ swap })).buildMart(buildOfSales(days, 'v4'));
        assert.ok(spent !== undefined && !(await place.leftovers()).includes(spent));
      });
    });
  }

  test('swap by free copies of each partition where that is set', async () => {
    await withMart(async (place) => {
      const warehouse = await place.openWith({ swap: 'copy' });
      const days = ['2025-01-01', '2025-01-02', '2025-01-09'];
      await warehouse.buildMart(buildOfSales(days));
      place.calls.length = 0;
      await warehouse.swapMarts([buildOfSales(days)], {});
      const copies = inserts(place).flatMap(({ body }) => (body?.configuration?.copy ? [body.configuration.copy] : []));
      assert.deepEqual(
        copies
          .map(({ destinationTable, writeDisposition }) => [
            (destinationTable as { tableId: string }).tableId,
            writeDisposition,
          ])
          .sort(),
        [
          ['fct_sales$20250101', 'WRITE_TRUNCATE'],
          ['fct_sales$20250102', 'WRITE_TRUNCATE'],
        ],
      );
      assert.deepEqual(await place.read('SELECT day, total FROM gold.fct_sales ORDER BY 1'), [
        { day: '2025-01-01', total: '10' },
        { day: '2025-01-02', total: '5' },
      ]);
      assert.deepEqual(await warehouse.loaded('gold', 'fct_sales'), new Map(days.map((day) => [day, 'v1'])));
      assert.deepEqual(await place.leftovers(), []);
      await warehouse.buildMart(buildOfSales(['2025-01-09'], 'v2'));
      await warehouse.swapMarts([buildOfSales(['2025-01-09'], 'v2')], { fct_sales: ['2025-01-01'] });
      assert.deepEqual(await place.read('SELECT day FROM gold.fct_sales'), [{ day: '2025-01-02' }]);
    });
  });

  test('by copy of a whole table leave its policy tags', async () => {
    await withMart(async (place) => {
      const whole: WarehouseTableDef = {
        ...FCT_SALES,
        table: 'total',
        columns: [
          { name: 'total', type: 'decimal(18,2)', policyTags: ['projects/p/locations/eu/taxonomies/1/policyTags/2'] },
        ],
        partitionKey: null,
      };
      const mart: MartBuild = {
        def: whole,
        sql: 'SELECT SUM(amount) AS total FROM enriched.sales',
        days: null,
        fingerprints: { '': 'v1' },
      };
      const warehouse = await place.openWith({ swap: 'copy' });
      await warehouse.buildMart(mart);
      await warehouse.swapMarts([mart], {});
      assert.deepEqual(await place.read('SELECT total FROM gold.total'), [{ total: '15' }]);
      const table = await place.api('GET', '/datasets/gold/tables/total');
      const [field] = (table.schema as { fields: readonly Record<string, unknown>[] }).fields;
      assert.deepEqual(field?.policyTags, { names: ['projects/p/locations/eu/taxonomies/1/policyTags/2'] });
      assert.equal(field?.precision, '18');
      assert.deepEqual(await warehouse.loaded('gold', 'total'), new Map([['', 'v1']]));
    });
  });

  test('by copy go into a table whose clustering the spec does not know', async () => {
    await withMart(async (place) => {
      const warehouse = await place.openWith({ swap: 'copy' });
      await warehouse.ensureTable({ ...FCT_SALES, clusterBy: ['day'] });
      await warehouse.buildMart(buildOfSales(['2025-01-01']));
      await warehouse.swapMarts([buildOfSales(['2025-01-01'])], {});
      assert.equal((await place.read('SELECT total FROM gold.fct_sales')).length, 1);
    });
  });

  test('by copy of a whole table do not give it the end of what was copied', async () => {
    await withMart(async (place) => {
      const def: WarehouseTableDef = {
        ...FCT_SALES,
        table: 'total',
        columns: [{ name: 'total', type: 'decimal(18,2)' }],
        partitionKey: null,
      };
      const sql = 'SELECT SUM(amount) AS total FROM enriched.sales';
      const mart: MartBuild = { def, sql, days: null, fingerprints: { '': 'v1' } };
      const warehouse = await place.openWith({ swap: 'copy' });
      await warehouse.ensureTable(def);
      await warehouse.buildMart(mart);
      const table = await place.api('GET', '/datasets/gold/tables/total');
      let isCopied = false;
      // As where BigQuery gives the target the end of the staging table.
      place.intercept = ({ method, path, body }) => {
        isCopied ||= body?.configuration?.copy !== undefined;
        if (path !== '/datasets/gold/tables/total' || !isCopied) return undefined;
        return { status: 200, body: { ...table, ...(method === 'GET' ? { expirationTime: '1999999999999' } : {}) } };
      };
      await warehouse.swapMarts([mart], {});
      const changes = place.calls.filter(({ method, path }) => method === 'PATCH' && path.endsWith('/total'));
      assert.deepEqual(
        changes.map(({ body }) => body),
        [{ expirationTime: null }],
      );
    });
  });

  test('are not run again for a build that is there, and its export leaves no objects', async () => {
    await withMart(async (place) => {
      const warehouse = await place.open();
      const built = await warehouse.buildMart(buildOfSales(['2025-01-01']));
      place.calls.length = 0;
      const again = await place.open();
      assert.deepEqual(await again.buildMart(buildOfSales(['2025-01-01'])), built);
      assert.deepEqual(inserts(place), []);
      const exports = [
        await again.exportBuilt(FCT_SALES, `${place.folder}/one`),
        await again.exportBuilt(FCT_SALES, `${place.folder}/two`),
      ];
      assert.deepEqual(
        exports.map((files) => files.map(({ partition, rows: count }) => [partition, count])),
        [[['2025-01-01', 1]], [['2025-01-01', 1]]],
      );
      const left: string[] = [];
      for await (const { key } of place.store.list('_export/')) left.push(key);
      assert.deepEqual(left, []);
    });
  });
});

describe('a request that fails', () => {
  const SAME_ID: readonly (readonly [name: string, rule: string])[] = [
    ['an answer 503', 'bigquery/jobs.insert:503:#1'],
    ['an answer 500', 'bigquery/jobs.insert:500:#1'],
    ['a connection that breaks before', 'bigquery/jobs.insert:reset:#1'],
    ['a rate limit', 'bigquery/jobs.insert:rateLimitExceeded:#1'],
  ];
  for (const [name, rule] of SAME_ID) {
    test(`${name}: the job is sent again under the same id, and runs once`, async () => {
      await withFaults([rule], async (place) => {
        const warehouse = await place.open();
        await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
        const ids = idsOf(inserts(place));
        assert.equal(ids.length, 2);
        assert.equal(new Set(ids).size, 1);
        assert.equal(warehouse.jobs()[0]?.wasAdopted, false);
        assert.deepEqual(await amounts(place), [{ amount: '10' }]);
      });
    });
  }

  test('a reply that is lost: the same id comes back as a duplicate, and the job that ran is taken', async () => {
    await withSandboxWarehouse({}, async (place) => {
      let lost = 0;
      place.intercept = ({ method, path, body }) => {
        if (method !== 'POST' || path !== '/jobs' || body?.configuration?.dryRun || lost > 0) return undefined;
        lost += 1;
        return 'lost reply';
      };
      const warehouse = await place.open();
      await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
      assert.equal(new Set(idsOf(inserts(place))).size, 1);
      assert.deepEqual(await amounts(place), [{ amount: '10' }]);
    });
  });

  test('quotaExceeded is never sent again at once, and says when', async () => {
    await withFaults(['bigquery/jobs.insert:quotaExceeded:#1'], async (place) => {
      const warehouse = await place.open();
      await assert.rejects(
        warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []),
        (thrown) => {
          const error = asPipelineError(thrown);
          assert.equal(error.code, 'warehouse_quota');
          assert.ok((error.retryAfterMs ?? 0) >= 600_000);
          return true;
        },
      );
      assert.equal(inserts(place).length, 1);
    });
  });

  test('a look that fails is not "absent": it throws, and nothing is replaced', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      const body = {
        error: {
          code: 403,
          message: 'Access Denied: Permission bigquery.tables.get denied',
          errors: [{ reason: 'accessDenied' }],
        },
      };
      place.intercept = ({ path }) => (path.includes('/tables/') ? { status: 403, body } : undefined);
      await assert.rejects(warehouse.loaded('enriched', 'sales'), hasCode('warehouse_denied', /bigquery\.tables\.get/));
      place.intercept = ({ path }) => (path.includes('/tables/') ? 'reset' : undefined);
      await assert.rejects(warehouse.loaded('enriched', 'sales'), hasCode('warehouse_unavailable'));
      assert.deepEqual(inserts(place), []);
    });
  });

  test('a ledger that cannot be read is no empty one', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.open();
      await warehouse.ensureTable(SALES);
      await place.store.write('_warehouse/enriched/sales.json', Buffer.from('{"formatVersion":'));
      await assert.rejects(
        warehouse.loaded('enriched', 'sales'),
        hasCode('data_unreadable', /_warehouse\/enriched\/sales\.json/),
      );
    });
  });

  test('a table that changes under a change of ours is looked at again', async () => {
    await withFaults(['bigquery/tables.patch:412:#1'], async (place) => {
      const warehouse = await place.open();
      await warehouse.ensureTable(SALES);
      await warehouse.ensureTable({ ...SALES, columns: [...SALES.columns, { name: 'channel', type: 'string' }] });
      const patches = place.calls.filter(({ method }) => method === 'PATCH');
      assert.equal(patches.length, 2);
      assert.ok(patches.every(({ headers }) => headers['if-match'] !== undefined));
      const table = await place.api('GET', '/datasets/enriched/tables/sales');
      assert.equal((table.schema as { fields: readonly unknown[] }).fields.length, 4);
    });
  });

  test('a dataset in another location is told before anything is made', async () => {
    await withSandboxWarehouse({}, async (place) => {
      await place.api('POST', '/datasets', {
        datasetReference: { projectId: PROJECT, datasetId: 'enriched' },
        location: 'US',
      });
      const warehouse = await place.open();
      await assert.rejects(
        warehouse.ensureTable(SALES),
        hasCode('warehouse_rejected', /lies in US/, /bigquery\.location is EU/),
      );
    });
  });
});

describe('a finished job that failed', () => {
  test('for a passing reason is run again under the next id', async () => {
    await withFaults(['bigquery:job.backendError:#1'], async (place) => {
      const warehouse = await place.open();
      await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
      const ids = idsOf(inserts(place));
      assert.deepEqual(ids, [ids[0], `${ids[0]}-r1`]);
      assert.deepEqual(await amounts(place), [{ amount: '10' }]);
    });
  });

  test('for good is told with its reason and link, and the next try is a new job', async () => {
    await withFaults(['bigquery:job.accessDenied:#1'], async (place) => {
      const warehouse = await place.open();
      const { partition } = await place.stage(SALES, '2025-01-01', ONE);
      await assert.rejects(
        warehouse.loadPartitions(SALES, [partition], []),
        hasCode('warehouse_denied', /load enriched\.sales, partition 2025-01-01/, /console\.cloud\.google\.com/),
      );
      assert.deepEqual(await warehouse.loaded('enriched', 'sales'), new Map());
      const again = await place.open();
      await again.loadPartitions(SALES, [partition], []);
      const ids = idsOf(inserts(place));
      assert.deepEqual(ids, [ids[0], ids[0], `${ids[0]}-r1`]);
    });
  });

  test('leaves the other partitions of the same call loaded and remembered', async () => {
    await withFaults(['bigquery:job.invalid:#2'], async (place) => {
      const warehouse = await place.openWith({ parallelJobs: 1 });
      const staged = await Promise.all(
        ['2025-01-01', '2025-01-02', '2025-01-03'].map((day) => place.stage(SALES, day, rows(day, [1, '1.00']))),
      );
      const loads = staged.map(({ partition }) => partition);
      await assert.rejects(warehouse.loadPartitions(SALES, loads, []), hasCode('warehouse_rejected'));
      assert.deepEqual(
        [...((await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>).keys()],
        ['2025-01-01'],
      );
      const receipts = await warehouse.loadPartitions(SALES, loads, []);
      assert.deepEqual(
        receipts.map(({ changed }) => changed),
        [false, true, true],
      );
    });
  });
});

/** `POST /jobs`, `GET /datasets/enriched/tables/*`: calls that differ in what they name alone are of one kind. */
const kindOf = ({ method, path, body }: SeenCall): string =>
  `${method} ${path.replace(/^\/(jobs|queries)\/[^/]+/, '/$1/*').replace(/\/tables\/.+/, '/tables/*')}${
    body?.configuration?.dryRun ? ' dry run' : ''
  }`;

/** A load, a mart that is built, exported and swapped, and a table that is changed: every kind of call that there is. */
async function useAll(place: SandboxPlace, options: Parameters<SandboxPlace['openWith']>[0]): Promise<void> {
  const warehouse = await place.openWith(options);
  const staged = await place.stage(SALES, '2025-01-01', ONE);
  await warehouse.loadPartitions(SALES, [staged.partition], []);
  await warehouse.ensureTable({ ...SALES, description: 'All that was sold.' });
  await warehouse.buildMart(buildOfSales(['2025-01-01']));
  await warehouse.exportBuilt(FCT_SALES, `${place.folder}/exported`);
  await warehouse.swapMarts([{ def: FCT_SALES, days: ['2025-01-01'], fingerprints: { '2025-01-01': 'v1' } }], {});
}

describe('an answer', () => {
  const struckOnce = (
    place: SandboxPlace,
    fault: 'stall' | 'page',
    isMeant: (kind: string) => boolean,
  ): Set<string> => {
    const struck = new Set<string>();
    place.intercept = (call) => {
      const kind = kindOf(call);
      if (!isMeant(kind) || struck.has(kind)) return undefined;
      struck.add(kind);
      return fault;
    };
    return struck;
  };
  const CALLS = [
    'DELETE /datasets/staging/tables/*',
    'GET /datasets/enriched',
    'GET /datasets/enriched/tables/*',
    'GET /datasets/gold',
    'GET /datasets/gold/tables/*',
    'GET /datasets/staging',
    'GET /jobs/*',
    'GET /queries/*',
    'PATCH /datasets/enriched/tables/*',
    'POST /datasets',
    'POST /datasets/enriched/tables',
    'POST /datasets/gold/tables',
    'POST /jobs',
    'POST /jobs dry run',
  ];

  test('that does not come is waited for so long and not longer, whatever was asked; what was done is not done twice', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const struck = struckOnce(place, 'stall', () => true);
      await useAll(place, { answerMs: 500 });
      assert.deepEqual([...struck].sort(), CALLS);
      assert.deepEqual(await place.read('SELECT total FROM gold.fct_sales'), [{ total: '10' }]);
      assert.deepEqual(await place.leftovers(), []);
    });
  });

  test('that is the page of a proxy is no success: neither rows, nor a table, nor the end of a job', async () => {
    await withSandboxWarehouse({}, async (place) => {
      // Of these nothing is read.
      const isRead = (kind: string): boolean => !/^(DELETE|POST \/datasets$)/.test(kind);
      const struck = struckOnce(place, 'page', isRead);
      await useAll(place, {});
      assert.deepEqual([...struck].sort(), CALLS.filter(isRead));
      assert.deepEqual(await place.read('SELECT total FROM gold.fct_sales'), [{ total: '10' }]);
    });
  });

  test('that never comes ends the task as something that may work later', async () => {
    await withSandboxWarehouse({}, async (place) => {
      place.intercept = () => 'stall';
      const warehouse = await place.openWith({ answerMs: 20 });
      await assert.rejects(warehouse.ensureTable(SALES), (thrown) => {
        assert.equal(asPipelineError(thrown).code, 'warehouse_unavailable');
        assert.ok(asPipelineError(thrown).retryable);
        return true;
      });
    });
  });
});

describe('a cancel', () => {
  /** Looks at jobs say the same state until the test goes on. */
  const stuck = (place: SandboxPlace, state: () => string): void => {
    place.intercept = ({ method, path, body }) => {
      if (method === 'POST' && path === '/jobs') {
        return { status: 200, body: { jobReference: body?.jobReference, status: { state: state() } } };
      }
      const [, jobId] = /^\/jobs\/([^/]+)$/.exec(path) ?? [];
      if (method === 'GET' && jobId)
        return { status: 200, body: { jobReference: { jobId }, status: { state: state() } } };
      return path.endsWith('/cancel') ? { status: 200, body: {} } : undefined;
    };
  };
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
  };

  test('cancels the job in BigQuery before the task ends', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const cancel = new AbortController();
      const warehouse = await place.openWith({ use: { ...place.use, signal: cancel.signal } });
      const { partition } = await place.stage(SALES, '2025-01-01', ONE);
      stuck(place, () => 'RUNNING');
      const load = warehouse.loadPartitions(SALES, [partition], []);
      const ended = assert.rejects(load, hasCode('task_cancelled'));
      await until(() => place.calls.some(({ method, path }) => method === 'GET' && path.startsWith('/jobs/')));
      cancel.abort();
      await ended;
      const [jobId] = idsOf(inserts(place));
      assert.ok(place.calls.some(({ method, path }) => method === 'POST' && path === `/jobs/${jobId}/cancel`));
    });
  });

  test('does not wait for an answer that does not come, and cancels the job that was asked for', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const cancel = new AbortController();
      const warehouse = await place.openWith({ use: { ...place.use, signal: cancel.signal } });
      const { partition } = await place.stage(SALES, '2025-01-01', ONE);
      place.intercept = ({ method, path }) => (method === 'POST' && path === '/jobs' ? 'stall' : undefined);
      const ended = assert.rejects(warehouse.loadPartitions(SALES, [partition], []), hasCode('task_cancelled'));
      await until(() => inserts(place).length > 0);
      cancel.abort();
      await ended;
      const [jobId] = idsOf(inserts(place));
      assert.ok(place.calls.some(({ method, path }) => method === 'POST' && path === `/jobs/${jobId}/cancel`));
    });
  });

  test('is not due for the time that a job waits for slots', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const cancel = new AbortController();
      const warehouse = await place.openWith({ use: { ...place.use, signal: cancel.signal } });
      const { partition } = await place.stage(SALES, '2025-01-01', ONE);
      let state = 'PENDING';
      stuck(place, () => state);
      const ended = assert.rejects(warehouse.loadPartitions(SALES, [partition], []), hasCode('task_cancelled'));
      await until(() => place.held.length > 0);
      assert.deepEqual(place.held, [true]);
      state = 'RUNNING';
      await until(() => place.held.length > 1);
      assert.deepEqual(place.held, [true, false]);
      cancel.abort();
      await ended;
      // Upon the signal it asks for the time that the cancel takes.
      assert.deepEqual(place.held, [true, false, true, false]);
    });
  });

  test('is due while one job of the task runs, whatever the others wait for, and is not while all wait', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const cancel = new AbortController();
      const nowMs = Date.now();
      const options = { use: { ...place.use, signal: cancel.signal }, clock: { now: () => nowMs }, parallelJobs: 2 };
      const warehouse = await place.openWith(options);
      const [first, second, third] = await Promise.all(
        ['2025-01-01', '2025-01-02', '2025-01-03'].map((day) => place.stage(SALES, day, rows(day, [1, '1.00']))),
      );
      assert.ok(first && second && third);
      await warehouse.loadPartitions(SALES, [first.partition], []);
      // One change is left within these ten seconds: the second load waits for the next ten, the first is started.
      const key = '_warehouse/enriched/sales.json';
      const ledger = JSON.parse(Buffer.from((await place.store.read(key))?.body ?? []).toString());
      ledger.spent.recentMs = Array.from({ length: 49 }, () => nowMs);
      await place.store.write(key, Buffer.from(JSON.stringify(ledger)));
      place.held.length = 0;
      place.calls.length = 0;

      let state = 'RUNNING';
      stuck(place, () => state);
      const looks = (): number =>
        place.calls.filter(({ method, path }) => method === 'GET' && path.startsWith('/jobs/')).length;
      const seenAgain = async (): Promise<void> => {
        const before = looks();
        await until(() => looks() >= before + 2);
      };
      const isHeld = (): boolean => place.held.at(-1) ?? false;
      const ended = assert.rejects(
        warehouse.loadPartitions(SALES, [second.partition, third.partition], []),
        hasCode('task_cancelled'),
      );
      await seenAgain();
      assert.equal(inserts(place).length, 1);
      assert.equal(isHeld(), false, 'one runs, one waits');
      state = 'PENDING';
      await seenAgain();
      assert.equal(isHeld(), true, 'one waits for slots, one for the quota');
      state = 'RUNNING';
      await seenAgain();
      assert.equal(isHeld(), false, 'one runs again');
      state = 'DONE';
      await until(() => isHeld());
      assert.equal(inserts(place).length, 1, 'one is done, the other waits for the quota still');
      cancel.abort();
      await ended;
      assert.equal(isHeld(), false, 'nothing is open');
    });
  });

  test('of an earlier try does not stop the next: its job is run under the next id', async () => {
    await withFaults(['bigquery:job.stopped:#1'], async (place) => {
      const { partition } = await place.stage(SALES, '2025-01-01', TWO);
      await assert.rejects(
        (await place.open()).loadPartitions(SALES, [partition], []),
        hasCode('warehouse_rejected', /cancelled/),
      );
      await (await place.open()).loadPartitions(SALES, [partition], []);
      assert.deepEqual(await amounts(place), [{ amount: '20' }]);
    });
  });
});

describe('quotas', () => {
  test('a day’s loads that are spent put the rest off, after as many as are left', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const warehouse = await place.openWith({ parallelJobs: 1 });
      await warehouse.loadPartitions(SALES, [(await place.stage(SALES, '2025-01-01', ONE)).partition], []);
      const key = '_warehouse/enriched/sales.json';
      const ledger = JSON.parse(Buffer.from((await place.store.read(key))?.body ?? []).toString()) as {
        spent: { loads: Record<string, number> };
      };
      const [hour = ''] = Object.keys(ledger.spent.loads);
      assert.deepEqual(ledger.spent.loads, { [hour]: 1 });
      ledger.spent.loads = { [hour]: 1_499 };
      await place.store.write(key, Buffer.from(JSON.stringify(ledger)));
      const staged = await Promise.all(
        ['2025-01-02', '2025-01-03'].map((day) => place.stage(SALES, day, rows(day, [1, '1.00']))),
      );
      place.calls.length = 0;
      await assert.rejects(
        warehouse.loadPartitions(
          SALES,
          staged.map(({ partition }) => partition),
          [],
        ),
        (thrown) => {
          const error = asPipelineError(thrown);
          assert.equal(error.code, 'warehouse_quota');
          assert.match(error.message, /1 of 2 were run/);
          assert.ok((error.retryAfterMs ?? 0) > 3_600_000);
          return true;
        },
      );
      assert.equal(inserts(place).length, 1);
      assert.deepEqual(
        [...((await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>).keys()],
        ['2025-01-01', '2025-01-02'],
      );
    });
  });
});
