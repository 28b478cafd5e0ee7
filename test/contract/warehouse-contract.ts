/** What every warehouse promises, whoever keeps it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { MartBuild, Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import type { DataPartition } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';

/** A partition in the lake that the warehouse loads from. */
export interface StagedPartition {
  readonly partition: DataPartition;
  /** What messages call its file. */
  readonly shown: string;
}

/** One empty warehouse with its lake. */
export interface WarehousePlace {
  readonly folder: string;
  open(): Promise<Warehouse>;
  /** What a reader sees while no warehouse is open: values as text, numbers without trailing zeros. GoogleSQL. */
  read(query: string): Promise<readonly Record<string, string | null>[]>;
  /** One file from a query of DuckDB; its columns are what the query gives, whatever the definition says. */
  stage(def: WarehouseTableDef, value: string, query: string): Promise<StagedPartition>;
  /** Puts other bytes where the file is. */
  damage(staged: StagedPartition): Promise<void>;
  /** Tables that builds have left. */
  leftovers(): Promise<readonly string[]>;
}

export interface WarehouseAdapter {
  readonly name: string;
  /** What the reader is told to do where the spec narrows a table. */
  readonly startOver: RegExp;
  with(work: (place: WarehousePlace) => Promise<void>): Promise<void>;
}

export const SALES: WarehouseTableDef = {
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

export const rows = (day: string, ...values: readonly (readonly [product: number, amount: string])[]): string =>
  values
    .map(
      ([product, amount]) =>
        `SELECT DATE '${day}' AS day, ${product}::BIGINT AS product, ${amount}::DECIMAL(18,2) AS amount`,
    )
    .join(' UNION ALL ');

/** A mart over SALES: their sum by day. */
export const FCT_SALES: WarehouseTableDef = {
  dataset: 'gold',
  table: 'fct_sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'total', type: 'decimal(18,2)' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: 'Sales.',
};

/** @param made the fingerprint of what each day is built from */
export const buildOfSales = (days: readonly string[], made = 'v1'): MartBuild => ({
  def: FCT_SALES,
  sql: 'SELECT day, SUM(amount) AS total FROM enriched.sales WHERE day >= @window_start AND day < @window_end GROUP BY 1',
  days,
  fingerprints: Object.fromEntries(days.map((day) => [day, made])),
});

const ALL_SALES = 'SELECT day, product, amount FROM enriched.sales ORDER BY 1, 2, 3';

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
const ALL_MART = 'SELECT day, products, mean FROM gold.fct_sales ORDER BY 1, 2, 3';

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
  adapter: WarehouseAdapter,
  work: (warehouse: Warehouse, place: WarehousePlace) => Promise<void>,
  after: (place: WarehousePlace) => Promise<void> = async () => undefined,
): Promise<void> {
  await adapter.with(async (place) => {
    const warehouse = await place.open();
    try {
      await warehouse.loadPartitions(SALES, [(await first(place)).partition, (await second(place)).partition], []);
      await work(warehouse, place);
    } finally {
      await warehouse.close();
    }
    await after(place);
  });
}

const first = (place: WarehousePlace): Promise<StagedPartition> =>
  place.stage(SALES, '2025-01-01', rows('2025-01-01', [1, '10.00'], [2, '0.05']));
const second = (place: WarehousePlace): Promise<StagedPartition> =>
  place.stage(SALES, '2025-01-02', rows('2025-01-02', [1, '20.00']));

export const hasCode =
  (code: string, ...words: readonly RegExp[]) =>
  (thrown: unknown): boolean => {
    const error = asPipelineError(thrown);
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  };

export function warehouseContract(adapter: WarehouseAdapter): void {
  describe(`${adapter.name}: loading`, () => {
    test('a table that was never loaded is absent, an empty one is not', async () => {
      await adapter.with(async (place) => {
        const warehouse = await place.open();
        assert.equal(await warehouse.loaded('enriched', 'sales'), 'absent');
        await warehouse.ensureTable(SALES);
        assert.deepEqual(await warehouse.loaded('enriched', 'sales'), new Map());
        await warehouse.close();
      });
    });

    test('replaces exactly the partitions that are given', async () => {
      await withSales(
        adapter,
        async (warehouse, place) => {
          const newer = await place.stage(SALES, '2025-01-02', rows('2025-01-02', [7, '1.00'], [8, '2.00']));
          const [receipt] = await warehouse.loadPartitions(SALES, [newer.partition], []);
          assert.deepEqual([receipt?.partition, receipt?.rows, receipt?.changed], ['2025-01-02', 2, true]);
        },
        async (place) => {
          assert.deepEqual(await place.read(ALL_SALES), [
            { day: '2025-01-01', product: '1', amount: '10' },
            { day: '2025-01-01', product: '2', amount: '0.05' },
            { day: '2025-01-02', product: '7', amount: '1' },
            { day: '2025-01-02', product: '8', amount: '2' },
          ]);
        },
      );
    });

    test('a repeat changes nothing and has the same job id', async () => {
      await withSales(adapter, async (warehouse, place) => {
        const loads = [(await first(place)).partition, (await second(place)).partition];
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
        async (place) => {
          assert.deepEqual(await place.read(ALL_SALES), [{ day: '2025-01-02', product: '1', amount: '20' }]);
        },
      );
    });

    test('an unpartitioned table is replaced whole', async () => {
      const def: WarehouseTableDef = { ...SALES, table: 'all_sales', partitionKey: null };
      await adapter.with(async (place) => {
        const warehouse = await place.open();
        await warehouse.loadPartitions(
          def,
          [(await place.stage(def, '', rows('2025-01-01', [1, '1.00'], [2, '2.00']))).partition],
          [],
        );
        await warehouse.loadPartitions(
          def,
          [(await place.stage(def, '', rows('2025-01-05', [3, '3.00']))).partition],
          [],
        );
        await warehouse.close();
        assert.deepEqual(await place.read('SELECT product FROM enriched.all_sales'), [{ product: '3' }]);
      });
    });

    test('a partition without rows is loaded and remembered', async () => {
      await withSales(
        adapter,
        async (warehouse, place) => {
          const empty = await place.stage(
            SALES,
            '2025-01-01',
            `SELECT * FROM (${rows('2025-01-01', [1, '1.00'])}) WHERE FALSE`,
          );
          await warehouse.loadPartitions(SALES, [empty.partition], []);
          const [again] = await warehouse.loadPartitions(SALES, [empty.partition], []);
          assert.equal(again?.changed, false);
        },
        async (place) => {
          assert.deepEqual(await place.read('SELECT count(*) AS n FROM enriched.sales'), [{ n: '1' }]);
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
          async (warehouse, place) => {
            const bad = await place.stage(SALES, value, query);
            const good = await place.stage(SALES, '2025-01-02', rows('2025-01-02', [5, '5.00']));
            await assert.rejects(
              warehouse.loadPartitions(SALES, [good.partition, bad.partition], ['2025-01-01']),
              hasCode('warehouse_schema', new RegExp(bad.shown), ...words),
            );
          },
          async (place) => {
            assert.deepEqual(await place.read('SELECT COUNT(*) AS n, SUM(amount) AS amount FROM enriched.sales'), [
              { n: '3', amount: '30.05' },
            ]);
          },
        );
      });
    }

    test('fewer rows than the manifest promises are an error', async () => {
      await withSales(adapter, async (warehouse, place) => {
        const written = await place.stage(SALES, '2025-01-03', rows('2025-01-03', [1, '1.00']));
        const promised = { ...written.partition, rows: 2 };
        await assert.rejects(
          warehouse.loadPartitions(SALES, [promised], []),
          hasCode('warehouse_schema', /promises 2 rows, the files have 1/),
        );
      });
    });

    test('a file that is no Parquet is an error, and nothing changes', async () => {
      await withSales(adapter, async (warehouse, place) => {
        const written = await place.stage(SALES, '2025-01-03', rows('2025-01-03', [1, '1.00']));
        await place.damage(written);
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
        async (warehouse, place) => {
          const newer = await place.stage(
            wider,
            '2025-01-03',
            `SELECT *, 'web' AS channel FROM (${rows('2025-01-03', [1, '1.00'])})`,
          );
          await warehouse.loadPartitions(wider, [newer.partition], []);
        },
        async (place) => {
          assert.deepEqual(
            await place.read('SELECT channel, count(*) AS n FROM enriched.sales GROUP BY 1 ORDER BY 1'),
            [
              { channel: null, n: '3' },
              { channel: 'web', n: '1' },
            ],
          );
        },
      );
    });

    test('a first load takes older files that do not have the newest column yet', async () => {
      const wider: WarehouseTableDef = { ...SALES, columns: [...SALES.columns, { name: 'channel', type: 'string' }] };
      await adapter.with(async (place) => {
        const warehouse = await place.open();
        const newer = await place.stage(
          wider,
          '2025-01-03',
          `SELECT *, 'web' AS channel FROM (${rows('2025-01-03', [1, '1.00'])})`,
        );
        await warehouse.loadPartitions(wider, [(await first(place)).partition, newer.partition], []);
        await warehouse.close();
        assert.deepEqual(await place.read('SELECT count(*) AS n, count(channel) AS c FROM enriched.sales'), [
          { n: '3', c: '1' },
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
          hasCode('warehouse_schema', /enriched\.sales, column amount/, /decimal\(18,2\)/, /int64/, adapter.startOver),
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
        async (place) => {
          // (10.00 + 0.05) / 2
          assert.deepEqual(await place.read(ALL_MART), [
            { day: '2025-01-01', products: '2', mean: '5.025' },
            { day: '2025-01-02', products: '1', mean: '20' },
          ]);
          assert.deepEqual(await place.leftovers(), []);
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
        async (warehouse, place) => {
          const days = ['2025-01-01', '2025-01-02'];
          await warehouse.buildMart(build(days));
          await warehouse.swapMarts([build(days)], {});
          const third = await place.stage(SALES, '2025-01-03', rows('2025-01-03', [1, '3.00']));
          await warehouse.loadPartitions(SALES, [third.partition], []);
          await warehouse.buildMart(build(['2025-01-03']));
          await warehouse.swapMarts([build(['2025-01-03'])], { fct_sales: ['2025-01-01'] });
        },
        async (place) => {
          assert.deepEqual(await place.read('SELECT day FROM gold.fct_sales ORDER BY 1'), [
            { day: '2025-01-02' },
            { day: '2025-01-03' },
          ]);
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
      await withSales(adapter, async (warehouse, place) => {
        await warehouse.buildMart(build(['2025-01-01', '2025-01-02', '2025-01-09']));
        const exported = await warehouse.exportBuilt(MART, join(place.folder, 'export'));
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
        [/column products/, /int64.*(VARCHAR|STRING)/],
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
