/** A process that dies at any step leaves what the next one finishes: the same rows, each once, and a ledger that says so. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { MartBuild, ObjectStore, Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import { rows, SALES } from '../contract/warehouse-contract.ts';
import { type SandboxPlace, withSandboxWarehouse } from '../contract/warehouse-sandbox.ts';

const FIRST = '2025-01-01';
const DAYS = [FIRST, '2025-01-02'];

const MARTS: readonly WarehouseTableDef[] = ['fct_one', 'fct_two'].map((table) => ({
  dataset: 'gold',
  table,
  columns: [
    { name: 'day', type: 'date' },
    { name: 'total', type: 'decimal(18,2)' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: '',
}));

const builds = (made: string, marts = MARTS): readonly MartBuild[] =>
  marts.map((def) => ({
    def,
    sql: 'SELECT day, SUM(amount) AS total FROM enriched.sales WHERE day >= @window_start AND day < @window_end GROUP BY 1',
    days: [FIRST],
    fingerprints: { [FIRST]: made },
  }));

/** From the n-th step on nothing comes through: the step itself may have been done (`after`) or not. */
interface Death {
  readonly step: number;
  readonly when: 'before' | 'after';
  readonly swap: 'transaction' | 'copy';
}

/** Steps are calls that change something in BigQuery, and writes of the store. Returns whether death came. */
async function dying(
  place: SandboxPlace,
  death: Death,
  work: (warehouse: Warehouse) => Promise<void>,
): Promise<{ readonly died: boolean }> {
  let steps = 0;
  const next = (): 'pass' | 'last' | 'dead' => {
    steps += 1;
    if (steps < death.step) return 'pass';
    return steps === death.step && death.when === 'after' ? 'last' : 'dead';
  };
  place.intercept = ({ method, body }) => {
    // A call that only looks is the same to the service whether it came through or not.
    const isLook = method === 'GET' || body?.configuration?.dryRun === true;
    const fate = !isLook ? next() : steps < death.step ? 'pass' : 'dead';
    return fate === 'pass' ? undefined : fate === 'last' ? 'lost reply' : 'reset';
  };
  const lost = () => new PipelineError('storage_unavailable', 'the process is dead');
  const store: ObjectStore = {
    ...place.store,
    write: async (key, body, precondition) => {
      const fate = next();
      if (fate === 'dead') throw lost();
      const info = await place.store.write(key, body, precondition);
      if (fate === 'last') throw lost();
      return info;
    },
  };
  try {
    await work(await place.openWith({ store, swap: death.swap, firstRetryMs: 0, firstPollMs: 1 }));
    return { died: false };
  } catch (thrown) {
    assert.ok(thrown instanceof PipelineError && /_unavailable$/.test(thrown.code), String(thrown));
    return { died: true };
  } finally {
    place.intercept = () => undefined;
  }
}

/** Dies at every step in turn, each time with other content, and lets the next process finish. */
async function atEveryStep(
  place: SandboxPlace,
  begin: (round: number) => Promise<(warehouse: Warehouse) => Promise<void>>,
  check: (round: number) => Promise<void>,
  { swap, moments }: { readonly swap: 'transaction' | 'copy'; readonly moments: readonly Death['when'][] },
): Promise<number> {
  let round = 0;
  for (const when of moments) {
    for (let step = 1; ; step += 1) {
      round += 1;
      const work = await begin(round);
      const { died } = await dying(place, { step, when, swap }, work);
      const warehouse = await place.openWith({ swap });
      await work(warehouse);
      await check(round);
      if (!died) break;
    }
  }
  return round;
}

describe('a process that dies', () => {
  test('while it loads: the next one adopts what runs and ends with each row once', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const rounds = await atEveryStep(
        place,
        async (round) => {
          const staged = await Promise.all(
            DAYS.map((day) => place.stage(SALES, day, rows(day, [round, `${round}.00`], [round + 1, '0.50']))),
          );
          return async (warehouse) => {
            await warehouse.loadPartitions(
              SALES,
              staged.map(({ partition }) => partition),
              [],
            );
          };
        },
        async (round) => {
          assert.deepEqual(
            await place.read(
              'SELECT day, COUNT(*) AS n, MIN(product) AS first FROM enriched.sales GROUP BY 1 ORDER BY 1',
            ),
            [
              { day: DAYS[0], n: '2', first: String(round) },
              { day: DAYS[1], n: '2', first: String(round) },
            ],
          );
          const warehouse = await place.open();
          assert.equal(((await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>).size, 2);
        },
        { swap: 'transaction', moments: ['before', 'after'] },
      );
      assert.ok(rounds >= 10, `${rounds} steps`);
    });
  });

  const MODES = [
    { swap: 'transaction', defs: MARTS, moments: ['before', 'after'] },
    { swap: 'copy', defs: MARTS.slice(0, 1), moments: ['after'] },
  ] as const;
  for (const { swap, defs, moments } of MODES) {
    test(`while it builds and swaps marts by ${swap}: the next one goes on, and all that was asked for is visible`, async () => {
      await withSandboxWarehouse({}, async (place) => {
        const rounds = await atEveryStep(
          place,
          async (round) => {
            const { partition } = await place.stage(SALES, FIRST, rows(FIRST, [1, `${round}.00`]));
            await (await place.open()).loadPartitions(SALES, [partition], []);
            const marts = builds(`v${round}`, defs);
            return async (warehouse) => {
              for (const mart of marts) {
                const loaded = await warehouse.loaded('gold', mart.def.table);
                const isVisible = loaded !== 'absent' && loaded.get(FIRST) === `v${round}`;
                if (!isVisible) await warehouse.buildMart(mart);
              }
              await warehouse.swapMarts(marts, {});
            };
          },
          async (round) => {
            for (const { table } of defs) {
              const visible = await place.read(`SELECT day, total FROM gold.${table} ORDER BY 1`);
              assert.deepEqual(visible, [{ day: FIRST, total: String(round) }]);
            }
            assert.deepEqual(await place.leftovers(), []);
          },
          { swap, moments },
        );
        assert.ok(rounds >= 10, `${rounds} steps`);
      });
    });
  }

  test('after the transaction and before any note of it: the next one takes the job, and does not run it again', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const staged = await place.stage(SALES, '2025-01-01', rows('2025-01-01', [1, '1.00']));
      const warehouse = await place.open();
      await warehouse.loadPartitions(SALES, [staged.partition], []);
      const [mart] = builds('v1');
      assert.ok(mart);
      await warehouse.buildMart(mart);
      await warehouse.ensureTable(mart.def);
      const store: ObjectStore = {
        ...place.store,
        write: async (key, body, precondition) => {
          if (Buffer.from(body).includes('assay_swap_'))
            throw new PipelineError('storage_unavailable', 'the process is dead');
          return place.store.write(key, body, precondition);
        },
      };
      await assert.rejects((await place.openWith({ store })).swapMarts([mart], {}), /the process is dead/);
      assert.deepEqual(await place.read('SELECT total FROM gold.fct_one'), [{ total: '1' }]);
      const next = await place.open();
      await next.swapMarts([mart], {});
      assert.deepEqual(
        next.jobs().map(({ kind, wasAdopted }) => [kind, wasAdopted]),
        [['query', true]],
      );
      assert.deepEqual(await next.loaded('gold', 'fct_one'), new Map([['2025-01-01', 'v1']]));
    });
  });
});

describe('two processes at the same time', () => {
  test('that load the same partitions run one job each, and both end well', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const staged = await Promise.all(DAYS.map((day) => place.stage(SALES, day, rows(day, [1, '1.00']))));
      const partitions = staged.map(({ partition }) => partition);
      const both = await Promise.all([place.open(), place.open()]);
      await both[0].ensureTable(SALES);
      await both[0].loadPartitions(SALES, [], []);
      await Promise.all(both.map((warehouse) => warehouse.loadPartitions(SALES, partitions, [])));
      assert.deepEqual(await place.read('SELECT COUNT(*) AS n FROM enriched.sales'), [{ n: '2' }]);
      assert.equal(((await both[1].loaded('enriched', 'sales')) as ReadonlyMap<string, string>).size, 2);
    });
  });

  test('that load other partitions of one table both are remembered', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const days = Array.from({ length: 6 }, (_, index) => `2025-01-0${index + 1}`);
      const staged = await Promise.all(days.map((day) => place.stage(SALES, day, rows(day, [1, '1.00']))));
      const opened = await Promise.all(days.map(() => place.open()));
      await opened[0]?.ensureTable(SALES);
      await Promise.all(
        opened.map((warehouse, index) =>
          warehouse.loadPartitions(
            SALES,
            [staged[index]?.partition].filter((each) => each !== undefined),
            [],
          ),
        ),
      );
      const loaded = (await opened[0]?.loaded('enriched', 'sales')) as ReadonlyMap<string, string>;
      assert.deepEqual([...loaded.keys()], days);
    });
  });
});

describe('what is loaded', () => {
  test('is nothing after the table was dropped and made anew, and the same content is then loaded again', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const { partition } = await place.stage(SALES, '2025-01-01', rows('2025-01-01', [1, '1.00']));
      const warehouse = await place.open();
      const [before] = await warehouse.loadPartitions(SALES, [partition], []);
      await place.api('DELETE', '/datasets/enriched/tables/sales');
      assert.equal(await warehouse.loaded('enriched', 'sales'), 'absent');
      await warehouse.ensureTable(SALES);
      assert.deepEqual(await warehouse.loaded('enriched', 'sales'), new Map());
      const [after] = await warehouse.loadPartitions(SALES, [partition], []);
      assert.notEqual(after?.jobId, before?.jobId);
      assert.deepEqual(await place.read('SELECT product FROM enriched.sales'), [{ product: '1' }]);
    });
  });

  test('is loaded again after the ledger was lost, though its job id was used before', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const day = '2025-01-01';
      const one = await place.stage(SALES, day, rows(day, [1, '1.00']));
      const two = await place.stage(SALES, day, rows(day, [2, '2.00']));
      const warehouse = await place.open();
      await warehouse.loadPartitions(SALES, [one.partition], []);
      await warehouse.loadPartitions(SALES, [two.partition], []);
      await place.store.delete('_warehouse/enriched/sales.json');
      await warehouse.loadPartitions(SALES, [one.partition], []);
      assert.deepEqual(await place.read('SELECT product FROM enriched.sales'), [{ product: '1' }]);
    });
  });

  test('goes from A to B and back to A', async () => {
    await withSandboxWarehouse({}, async (place) => {
      const day = '2025-01-01';
      const a = await place.stage(SALES, day, rows(day, [1, '1.00']));
      const b = await place.stage(SALES, day, rows(day, [2, '2.00']));
      const ids: string[] = [];
      for (const { partition } of [a, b, a]) {
        const warehouse = await place.open();
        const [receipt] = await warehouse.loadPartitions(SALES, [partition], []);
        ids.push(receipt?.jobId ?? '');
      }
      assert.equal(new Set(ids).size, 3);
      assert.deepEqual(await place.read('SELECT product FROM enriched.sales'), [{ product: '1' }]);
    });
  });
});
