/** What every warehouse promises; the embedded one is held to it here. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asPipelineError } from '../../core/errors.ts';
import type { MartBuild, Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { openDuckDbWarehouse } from '../../serving/duckdb-warehouse.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { PATHS_AS_KEYS, type WrittenPartition, writePartition } from './warehouse-files.ts';

interface Adapter {
  readonly name: string;
  open(folder: string): Promise<Warehouse>;
  /** What a reader sees, while the warehouse is closed. */
  read(folder: string, query: string): Promise<readonly Record<string, unknown>[]>;
}

const pathIn = (folder: string): string => join(folder, 'warehouse.duckdb');

const duckdb: Adapter = {
  name: 'duckdb',
  open: (folder) => openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, threads: 1, lockWaitMs: 0 }),
  read: async (folder, query) => {
    await using session = await DuckDbSession.open({ path: pathIn(folder) });
    return await session.rows(query);
  },
};

const SALES: WarehouseTableDef = {
  dataset: 'enriched',
  table: 'sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'product', type: 'int64' },
    { name: 'amount', type: 'decimal(18,2)' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: 'Sales of a day.',
};

const rows = (day: string, ...values: readonly (readonly [product: number, amount: string])[]): string =>
  values
    .map(
      ([product, amount]) =>
        `SELECT DATE '${day}' AS day, ${product}::BIGINT AS product, ${amount}::DECIMAL(18,2) AS amount`,
    )
    .join(' UNION ALL ');

const ALL_SALES =
  'SELECT CAST(day AS VARCHAR) AS day, product, CAST(amount AS VARCHAR) AS amount FROM enriched.sales ORDER BY ALL';

const MART: WarehouseTableDef = {
  dataset: 'gold',
  table: 'fct_sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'products', type: 'int64' },
    { name: 'mean', type: 'decimal(18,6)' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: '',
};
const MART_SQL = `SELECT day, COUNT(*) AS products, ROUND(AVG(amount), 6) AS mean
  FROM enriched.sales WHERE day >= @window_start AND day < @window_end GROUP BY 1`;
const ALL_MART =
  'SELECT CAST(day AS VARCHAR) AS day, products, CAST(mean AS VARCHAR) AS mean FROM gold.fct_sales ORDER BY ALL';

const WHOLE: WarehouseTableDef = {
  ...MART,
  table: 'fct_total',
  columns: [{ name: 'total', type: 'decimal(18,2)' }],
  partitionKey: null,
};

const build = (days: readonly string[], made = 'v1'): MartBuild => ({
  def: MART,
  sql: MART_SQL,
  days,
  fingerprints: Object.fromEntries(days.map((day) => [day, made])),
});

/** A warehouse with two loaded days, closed again when the work is done. */
async function withSales(
  adapter: Adapter,
  work: (warehouse: Warehouse, folder: string) => Promise<void>,
  after: (folder: string) => Promise<void> = async () => undefined,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const warehouse = await adapter.open(folder);
    try {
      await warehouse.loadPartitions(SALES, [(await first(folder)).partition, (await second(folder)).partition], []);
      await work(warehouse, folder);
    } finally {
      await warehouse.close();
    }
    await after(folder);
  });
}

const first = (folder: string): Promise<WrittenPartition> =>
  writePartition(folder, SALES, '2025-01-01', rows('2025-01-01', [1, '10.00'], [2, '0.05']));
const second = (folder: string): Promise<WrittenPartition> =>
  writePartition(folder, SALES, '2025-01-02', rows('2025-01-02', [1, '20.00']));

const hasCode =
  (code: string, ...words: readonly RegExp[]) =>
  (thrown: unknown): boolean => {
    const error = asPipelineError(thrown);
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  };

for (const adapter of [duckdb]) {
  describe(`${adapter.name}: loading`, () => {
    test('a table that was never loaded is absent, an empty one is not', async () => {
      await withTempFolder(async (folder) => {
        const warehouse = await adapter.open(folder);
        assert.equal(await warehouse.loaded('enriched', 'sales'), 'absent');
        await warehouse.ensureTable(SALES);
        assert.deepEqual(await warehouse.loaded('enriched', 'sales'), new Map());
        await warehouse.close();
      });
    });

    test('replaces exactly the partitions that are given', async () => {
      await withSales(
        adapter,
        async (warehouse, folder) => {
          const newer = await writePartition(folder, SALES, '2025-01-02', rows('2025-01-02', [7, '1.00'], [8, '2.00']));
          const [receipt] = await warehouse.loadPartitions(SALES, [newer.partition], []);
          assert.deepEqual([receipt?.partition, receipt?.rows, receipt?.changed], ['2025-01-02', 2, true]);
        },
        async (folder) => {
          assert.deepEqual(await adapter.read(folder, ALL_SALES), [
            { day: '2025-01-01', product: 1, amount: '10.00' },
            { day: '2025-01-01', product: 2, amount: '0.05' },
            { day: '2025-01-02', product: 7, amount: '1.00' },
            { day: '2025-01-02', product: 8, amount: '2.00' },
          ]);
        },
      );
    });

    test('a repeat changes nothing and has the same job id', async () => {
      await withSales(adapter, async (warehouse, folder) => {
        const loads = [(await first(folder)).partition, (await second(folder)).partition];
        const once = await warehouse.loadPartitions(SALES, loads, []);
        const twice = await warehouse.loadPartitions(SALES, loads, []);
        assert.deepEqual(
          once.map(({ changed }) => changed),
          [false, false],
        );
        assert.deepEqual(twice, once);
        assert.equal(new Set(once.map(({ jobId }) => jobId)).size, 2);
      });
    });

    test('removes partitions that are published no more', async () => {
      await withSales(
        adapter,
        async (warehouse) => {
          await warehouse.loadPartitions(SALES, [], ['2025-01-01', '2024-12-31']);
          assert.deepEqual(
            [...((await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>).keys()],
            ['2025-01-02'],
          );
        },
        async (folder) => {
          assert.deepEqual(await adapter.read(folder, ALL_SALES), [{ day: '2025-01-02', product: 1, amount: '20.00' }]);
        },
      );
    });

    test('an unpartitioned table is replaced whole', async () => {
      const def: WarehouseTableDef = { ...SALES, table: 'all_sales', partitionKey: null };
      await withTempFolder(async (folder) => {
        const warehouse = await adapter.open(folder);
        await warehouse.loadPartitions(
          def,
          [(await writePartition(folder, def, '', rows('2025-01-01', [1, '1.00'], [2, '2.00']))).partition],
          [],
        );
        await warehouse.loadPartitions(
          def,
          [(await writePartition(folder, def, '', rows('2025-01-05', [3, '3.00']))).partition],
          [],
        );
        await warehouse.close();
        assert.deepEqual(await adapter.read(folder, 'SELECT product FROM enriched.all_sales'), [{ product: 3 }]);
      });
    });

    test('a partition without rows is loaded and remembered', async () => {
      await withSales(
        adapter,
        async (warehouse, folder) => {
          const empty = await writePartition(
            folder,
            SALES,
            '2025-01-01',
            `SELECT * FROM (${rows('2025-01-01', [1, '1.00'])}) WHERE FALSE`,
          );
          await warehouse.loadPartitions(SALES, [empty.partition], []);
          const [again] = await warehouse.loadPartitions(SALES, [empty.partition], []);
          assert.equal(again?.changed, false);
        },
        async (folder) => {
          assert.deepEqual(await adapter.read(folder, 'SELECT count(*) AS n FROM enriched.sales'), [{ n: 1 }]);
        },
      );
    });
  });

  describe(`${adapter.name}: files that must not be loaded`, () => {
    const CASES: readonly (readonly [name: string, value: string, query: string, words: readonly RegExp[]])[] = [
      [
        'a missing column',
        '2025-01-03',
        "SELECT DATE '2025-01-03' AS day, 1::BIGINT AS product",
        [/column amount/, /found none/],
      ],
      [
        'a column of another type',
        '2025-01-03',
        "SELECT DATE '2025-01-03' AS day, 'one' AS product, 1.00::DECIMAL(18,2) AS amount",
        [/column product/, /expected int64, found VARCHAR/],
      ],
      [
        'a decimal with more digits than declared',
        '2025-01-03',
        "SELECT DATE '2025-01-03' AS day, 1::BIGINT AS product, 1.234::DECIMAL(18,3) AS amount",
        [/column amount/, /DECIMAL\(18,3\)/],
      ],
      [
        'a HUGEINT, which Parquet holds as DOUBLE',
        '2025-01-03',
        "SELECT DATE '2025-01-03' AS day, sum(1) AS product, 1.00::DECIMAL(18,2) AS amount",
        [/column product/, /found DOUBLE/],
      ],
      [
        'rows of another partition',
        '2025-01-03',
        rows('2025-01-01', [9, '9.00']),
        [/column day/, /day = 2025-01-01.*day = 2025-01-03/],
      ],
    ];
    for (const [name, value, query, words] of CASES) {
      test(`${name} is named with file and column, and nothing changes`, async () => {
        await withSales(
          adapter,
          async (warehouse, folder) => {
            const bad = await writePartition(folder, SALES, value, query);
            const good = await writePartition(folder, SALES, '2025-01-02', rows('2025-01-02', [5, '5.00']));
            await assert.rejects(
              warehouse.loadPartitions(SALES, [good.partition, bad.partition], ['2025-01-01']),
              hasCode('warehouse_schema', new RegExp(bad.localPath), ...words),
            );
          },
          async (folder) => {
            assert.deepEqual(
              await adapter.read(folder, 'SELECT count(*) AS n, sum(amount)::VARCHAR AS amount FROM enriched.sales'),
              [{ n: 3, amount: '30.05' }],
            );
          },
        );
      });
    }

    test('fewer rows than the manifest promises are an error', async () => {
      await withSales(adapter, async (warehouse, folder) => {
        const written = await writePartition(folder, SALES, '2025-01-03', rows('2025-01-03', [1, '1.00']));
        const promised = { ...written.partition, rows: 2 };
        await assert.rejects(
          warehouse.loadPartitions(SALES, [promised], []),
          hasCode('warehouse_schema', /promises 2 rows, the files have 1/),
        );
      });
    });

    test('a file that is no Parquet is an error, and nothing changes', async () => {
      await withSales(adapter, async (warehouse, folder) => {
        const written = await writePartition(folder, SALES, '2025-01-03', rows('2025-01-03', [1, '1.00']));
        await writeFile(written.localPath, 'cut in half');
        const before = await warehouse.loaded('enriched', 'sales');
        await assert.rejects(
          warehouse.loadPartitions(SALES, [written.partition], ['2025-01-01']),
          hasCode('data_unreadable'),
        );
        assert.deepEqual(await warehouse.loaded('enriched', 'sales'), before);
      });
    });
  });

  describe(`${adapter.name}: tables change with the spec`, () => {
    test('a new column is added and is NULL in older rows', async () => {
      const wider: WarehouseTableDef = { ...SALES, columns: [...SALES.columns, { name: 'channel', type: 'string' }] };
      await withSales(
        adapter,
        async (warehouse, folder) => {
          const newer = await writePartition(
            folder,
            wider,
            '2025-01-03',
            `SELECT *, 'web' AS channel FROM (${rows('2025-01-03', [1, '1.00'])})`,
          );
          await warehouse.loadPartitions(wider, [newer.partition], []);
        },
        async (folder) => {
          assert.deepEqual(
            await adapter.read(
              folder,
              'SELECT channel, count(*) AS n FROM enriched.sales GROUP BY 1 ORDER BY 1 NULLS FIRST',
            ),
            [
              { channel: null, n: 3 },
              { channel: 'web', n: 1 },
            ],
          );
        },
      );
    });

    test('a first load takes older files that do not have the newest column yet', async () => {
      const wider: WarehouseTableDef = { ...SALES, columns: [...SALES.columns, { name: 'channel', type: 'string' }] };
      await withTempFolder(async (folder) => {
        const warehouse = await adapter.open(folder);
        const newer = await writePartition(
          folder,
          wider,
          '2025-01-03',
          `SELECT *, 'web' AS channel FROM (${rows('2025-01-03', [1, '1.00'])})`,
        );
        await warehouse.loadPartitions(wider, [(await first(folder)).partition, newer.partition], []);
        await warehouse.close();
        assert.deepEqual(await adapter.read(folder, 'SELECT count(*) AS n, count(channel) AS c FROM enriched.sales'), [
          { n: 3, c: 1 },
        ]);
      });
    });

    test('another type or another partitioning is refused, with what to do', async () => {
      await withSales(adapter, async (warehouse) => {
        const columns = SALES.columns.map((column) =>
          column.name === 'amount' ? { ...column, type: 'int64' } : column,
        );
        await assert.rejects(
          warehouse.ensureTable({ ...SALES, columns }),
          hasCode(
            'warehouse_schema',
            /enriched\.sales, column amount/,
            /decimal\(18,2\)/,
            /int64/,
            /move the warehouse file away/,
          ),
        );
        await assert.rejects(
          warehouse.ensureTable({ ...SALES, partitionKey: null }),
          hasCode('warehouse_schema', /is partitioned by day/),
        );
      });
    });
  });

  describe(`${adapter.name}: marts`, () => {
    test('what is built is not visible before the swap, and all of it after', async () => {
      await withSales(
        adapter,
        async (warehouse) => {
          assert.deepEqual(await warehouse.buildMart(build(['2025-01-01', '2025-01-02'])), {
            table: 'fct_sales',
            rowsByPartition: { '2025-01-01': 1, '2025-01-02': 1 },
          });
          assert.equal(await warehouse.loaded('gold', 'fct_sales'), 'absent');
          await warehouse.swapMarts([build(['2025-01-01', '2025-01-02'])], {});
          assert.deepEqual(
            await warehouse.loaded('gold', 'fct_sales'),
            new Map([
              ['2025-01-01', 'v1'],
              ['2025-01-02', 'v1'],
            ]),
          );
        },
        async (folder) => {
          // (10.00 + 0.05) / 2
          assert.deepEqual(await adapter.read(folder, ALL_MART), [
            { day: '2025-01-01', products: 2, mean: '5.025000' },
            { day: '2025-01-02', products: 1, mean: '20.000000' },
          ]);
          assert.deepEqual(
            await adapter.read(
              folder,
              "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%build%' AND schema_name = 'gold'",
            ),
            [],
          );
        },
      );
    });

    test('a day whose inputs have no rows is remembered, not built again', async () => {
      await withSales(adapter, async (warehouse) => {
        const { rowsByPartition } = await warehouse.buildMart(build(['2025-01-09']));
        assert.deepEqual(rowsByPartition, { '2025-01-09': 0 });
        await warehouse.swapMarts([build(['2025-01-09'])], {});
        assert.deepEqual(await warehouse.loaded('gold', 'fct_sales'), new Map([['2025-01-09', 'v1']]));
      });
    });

    test('a swap of some days leaves the others, and removes those named', async () => {
      await withSales(
        adapter,
        async (warehouse, folder) => {
          const days = ['2025-01-01', '2025-01-02'];
          await warehouse.buildMart(build(days));
          await warehouse.swapMarts([build(days)], {});
          const third = await writePartition(folder, SALES, '2025-01-03', rows('2025-01-03', [1, '3.00']));
          await warehouse.loadPartitions(SALES, [third.partition], []);
          await warehouse.buildMart(build(['2025-01-03']));
          await warehouse.swapMarts([build(['2025-01-03'])], { fct_sales: ['2025-01-01'] });
        },
        async (folder) => {
          assert.deepEqual(
            await adapter.read(folder, 'SELECT CAST(day AS VARCHAR) AS day FROM gold.fct_sales ORDER BY 1'),
            [{ day: '2025-01-02' }, { day: '2025-01-03' }],
          );
        },
      );
    });

    test('a repeated swap changes nothing, also when the built table is gone', async () => {
      await withSales(adapter, async (warehouse) => {
        await warehouse.buildMart(build(['2025-01-01']));
        await warehouse.swapMarts([build(['2025-01-01'])], {});
        await warehouse.swapMarts([build(['2025-01-01'])], {});
        assert.deepEqual(await warehouse.loaded('gold', 'fct_sales'), new Map([['2025-01-01', 'v1']]));
      });
    });

    test('marts that are swapped together appear together or not at all', async () => {
      await withSales(adapter, async (warehouse) => {
        await warehouse.buildMart(build(['2025-01-01']));
        const never: MartBuild = { def: WHOLE, sql: '', days: null, fingerprints: { '': 'v1' } };
        await assert.rejects(
          warehouse.swapMarts([build(['2025-01-01']), never], {}),
          hasCode('state_conflict', /Nothing is built for gold\.fct_total/, /Clear the task/),
        );
        assert.equal(await warehouse.loaded('gold', 'fct_sales'), 'absent');
        await warehouse.buildMart({ ...never, sql: 'SELECT SUM(amount) AS total FROM enriched.sales' });
        await warehouse.swapMarts([build(['2025-01-01']), never], {});
        assert.deepEqual(await warehouse.loaded('gold', 'fct_total'), new Map([['', 'v1']]));
      });
    });

    test('a partitioned mart without days is replaced over all time', async () => {
      await withSales(adapter, async (warehouse) => {
        const whole: MartBuild = { def: MART, sql: MART_SQL, days: null, fingerprints: { '': 'v1' } };
        const { rowsByPartition } = await warehouse.buildMart(whole);
        assert.deepEqual(rowsByPartition, { '2025-01-01': 1, '2025-01-02': 1 });
        await warehouse.swapMarts([{ ...whole, fingerprints: { '2025-01-01': 'v1', '2025-01-02': 'v1' } }], {});
        assert.deepEqual(
          [...((await warehouse.loaded('gold', 'fct_sales')) as ReadonlyMap<string, string>).keys()],
          ['2025-01-01', '2025-01-02'],
        );
      });
    });

    test('built partitions are exported as Parquet, one file a partition, the same bytes each time', async () => {
      await withSales(adapter, async (warehouse, folder) => {
        await warehouse.buildMart(build(['2025-01-01', '2025-01-02', '2025-01-09']));
        const exported = await warehouse.exportBuilt(MART, join(folder, 'export'));
        assert.deepEqual(
          exported.map(({ partition, rows: count }) => [partition, count]),
          [
            ['2025-01-01', 1],
            ['2025-01-02', 1],
          ],
        );
        await using session = await DuckDbSession.open();
        const [one] = await session.rows(
          `SELECT CAST(mean AS VARCHAR) AS mean FROM read_parquet(${literal(exported[0]?.localPath ?? '')}, hive_partitioning = false)`,
        );
        assert.deepEqual(one, { mean: '5.025000' });
      });
    });

    const FAULTS: readonly (readonly [name: string, sql: string, code: string, words: readonly RegExp[]])[] = [
      [
        'a query that is not portable',
        'SELECT day, 1 AS products, 1::DECIMAL AS mean FROM enriched.sales',
        'sql_not_portable',
        [/fct_sales/, /line 1, column 29/],
      ],
      [
        'a table that is not loaded',
        'SELECT day, 1 AS products, 1 AS mean FROM enriched.sale',
        'sql_invalid',
        [/enriched\.sale/, /Did you mean enriched\.sales\?/],
      ],
      ['a column that is not declared', `SELECT *, 1 AS more FROM (${MART_SQL})`, 'warehouse_schema', [/column more/]],
      [
        'a declared column that is not given',
        'SELECT day, COUNT(*) AS products FROM enriched.sales GROUP BY 1',
        'warehouse_schema',
        [/column mean/, /does not give it/],
      ],
      [
        'a column of another type',
        "SELECT day, 'x' AS products, 1 AS mean FROM enriched.sales",
        'warehouse_schema',
        [/column products/, /int64.*VARCHAR/],
      ],
      [
        'rows of days that were not asked for',
        'SELECT day, COUNT(*) AS products, AVG(amount) AS mean FROM enriched.sales GROUP BY 1',
        'warehouse_rejected',
        [/@window_start/],
      ],
      [
        'a query that fails on its data',
        'SELECT day, COUNT(*) AS products, 1 / (COUNT(*) - COUNT(*)) AS mean FROM enriched.sales WHERE day >= @window_start AND day < @window_end GROUP BY 1',
        'warehouse_rejected',
        [/division by zero/, /2025-01-01/],
      ],
    ];
    for (const [name, sql, code, words] of FAULTS) {
      test(`${name} is told, and the visible mart stays`, async () => {
        await withSales(adapter, async (warehouse) => {
          await warehouse.buildMart(build(['2025-01-01']));
          await warehouse.swapMarts([build(['2025-01-01'])], {});
          await assert.rejects(warehouse.buildMart({ ...build(['2025-01-01'], 'v2'), sql }), hasCode(code, ...words));
          assert.deepEqual(await warehouse.loaded('gold', 'fct_sales'), new Map([['2025-01-01', 'v1']]));
        });
      });
    }
  });
}

describe('the DuckDB file', () => {
  const writer = fileURLToPath(new URL('./warehouse-writer.js', import.meta.url));

  test('a file held by another process is unavailable, retryable, and names file and holder; a killed holder lets go', async () => {
    await withTempFolder(async (folder) => {
      const child = spawn(process.execPath, [writer, pathIn(folder), '[]', 'hold'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await assert.rejects(duckdb.open(folder), (thrown) => {
        const error = asPipelineError(thrown);
        assert.equal(error.code, 'warehouse_unavailable');
        assert.equal(error.retryable, true);
        assert.match(error.message, new RegExp(pathIn(folder)));
        assert.match(error.message, new RegExp(`PID ${child.pid}`));
        return true;
      });
      child.kill('SIGKILL');
      const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, lockWaitMs: 5_000 });
      await warehouse.close();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
  });

  test('a kill in the middle of loading leaves one version of the partition or the other, and the ledger says which', async () => {
    await withTempFolder(async (folder) => {
      const many = (from: number) =>
        `SELECT DATE '2025-01-01' AS day, (${from} + i)::BIGINT AS product, 1.00::DECIMAL(18,2) AS amount FROM range(20000) AS t(i)`;
      const versions = [
        await writePartition(folder, SALES, '2025-01-01', many(0)),
        await writePartition(folder, SALES, '2025-01-01', many(1_000_000)),
      ];
      for (const pauseMs of [3, 11]) {
        const child = spawn(process.execPath, [writer, pathIn(folder), JSON.stringify(versions), 'write'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        for await (const chunk of child.stdout) {
          text += String(chunk);
          if (!text.includes('loaded\nloaded')) continue;
          await wait(pauseMs);
          child.kill('SIGKILL');
        }
        const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS });
        const ledger = (await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>;
        await warehouse.close();
        const [seen] = await duckdb.read(
          folder,
          'SELECT count(*) AS n, min(product) AS low, max(product) AS high FROM enriched.sales',
        );
        const isFirst = ledger.get('2025-01-01') === versions[0]?.partition.fingerprint;
        assert.deepEqual(
          seen,
          isFirst ? { n: 20000, low: 0, high: 19999 } : { n: 20000, low: 1_000_000, high: 1_019_999 },
        );
      }
    });
  });

  test('the same process cannot open it twice', async () => {
    await withTempFolder(async (folder) => {
      const warehouse = await duckdb.open(folder);
      await assert.rejects(duckdb.open(folder), hasCode('warehouse_unavailable', /this process/));
      await warehouse.close();
      await (await duckdb.open(folder)).close();
    });
  });

  test('a file that is no database is named, with what to do', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(pathIn(folder), 'this is no database, but it is long enough to be read as one '.repeat(200));
      await assert.rejects(
        duckdb.open(folder),
        hasCode('warehouse_rejected', new RegExp(pathIn(folder)), /Move it away/),
      );
    });
  });

  test('a cancel ends the work and leaves what was there', async () => {
    await withTempFolder(async (folder) => {
      const cancel = new AbortController();
      const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, signal: cancel.signal });
      await warehouse.loadPartitions(SALES, [(await first(folder)).partition], []);
      const newer = await writePartition(folder, SALES, '2025-01-01', rows('2025-01-01', [9, '9.00']));
      cancel.abort();
      await assert.rejects(warehouse.loadPartitions(SALES, [newer.partition], []), hasCode('task_cancelled'));
      await warehouse.close();
      assert.deepEqual(await duckdb.read(folder, 'SELECT sum(product) AS s FROM enriched.sales'), [{ s: 3 }]);
    });
  });
});
