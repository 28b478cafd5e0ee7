import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { costLines } from '../../cli/commands/cost.ts';
import { outcomeLines } from '../../cli/follow-run.ts';
import { costFact, costsByTable, sum } from '../../cli/job-costs.ts';
import { bytes, dollars } from '../../cli/task-words.ts';
import type { TaskHandler } from '../../core/ports.ts';
import type { TaskInstance, WarehouseJob } from '../../core/types.ts';
import { chainOf, dagOf, openBench } from './scheduler-fixtures.ts';

const GIB = 1024 ** 3;

function job(jobId: string, table: string, rest: Partial<WarehouseJob> = {}): WarehouseJob {
  return {
    kind: 'query',
    jobId,
    location: 'EU',
    table,
    bytesProcessed: 0,
    bytesBilled: 0,
    slotMs: 0,
    costUsd: 0,
    wasAdopted: false,
    link: `https://console.example/${jobId}`,
    ...rest,
  };
}

const LOADS = [
  job('load-1', 'enriched.int_orders', { kind: 'load', slotMs: 500 }),
  job('load-2', 'enriched.int_orders', { kind: 'load', slotMs: 700, wasAdopted: true }),
];
const BUILDS = [
  job('build', 'gold.fct_daily', { bytesProcessed: 3 * GIB, bytesBilled: 4 * GIB, slotMs: 9000, costUsd: 0.025 }),
  job('check', 'gold.fct_daily', { bytesProcessed: GIB, bytesBilled: GIB, slotMs: 1000, costUsd: 0.00625 }),
];
/** The same jobs again, as a later task may repeat them, and one of its own. */
const SWAP = [...BUILDS, job('swap', 'gold.fct_daily', { bytesBilled: 10 * 1024 ** 2, costUsd: 0.00006 })];

/** Three tasks whose outputs carry jobs, read back from the store. */
async function storedRun() {
  const jobsOf: Readonly<Record<string, readonly WarehouseJob[]>> = { t1: LOADS, t2: BUILDS, t3: SWAP };
  const build: TaskHandler = async ({ task }) => {
    const jobs = jobsOf[task.id] ?? [];
    if (task.id === 't1') return { kind: 'loaded', receipts: [], jobs };
    const publication = { layer: 'gold', sequence: 1, touched: {}, moved: false } as const;
    return { kind: 'published', publication, jobs };
  };
  const { dag, spec } = dagOf('shop', chainOf(4));
  const bench = await openBench({ dags: [{ dag, spec }], handlers: { build } });
  try {
    const run = await bench.run('shop', { runId: 'r' });
    return { dag, run, instances: await bench.scheduler.listTaskInstances('shop', 'r') };
  } finally {
    await bench.close();
  }
}

describe('the cost of a run', () => {
  test('is the sum of the jobs in its stored outputs, by table and task, the dearest first, each job once', async () => {
    const { instances } = await storedRun();
    const tables = costsByTable(instances);
    assert.deepEqual(
      tables.map(({ table, taskId, jobs, adopted }) => [table, taskId, jobs, adopted]),
      [
        ['gold.fct_daily', 't2', 2, 0],
        ['gold.fct_daily', 't3', 1, 0],
        ['enriched.int_orders', 't1', 2, 1],
      ],
    );
    const [built] = tables;
    assert.deepEqual(
      [built?.bytesProcessed, built?.bytesBilled, built?.slotMs, built?.costUsd],
      [4 * GIB, 5 * GIB, 10_000, 0.03125],
    );
    assert.deepEqual(built?.links, ['https://console.example/build', 'https://console.example/check']);
    const total = sum(tables);
    assert.deepEqual([total.jobs, total.adopted, total.slotMs], [5, 1, 11_200]);
    assert.equal(total.costUsd.toFixed(5), '0.03131');
  });

  test('is shown as a table with its sum and the addresses of the jobs', async () => {
    const lines = costLines(costsByTable((await storedRun()).instances));
    assert.match(lines[2] ?? '', /^gold\.fct_daily +t2 +2 +4\.0 GiB +5\.0 GiB +10 s +\$0\.0313$/);
    assert.ok(lines.includes('In all 5 jobs, 5.0 GiB billed, 11 s of slots, $0.0313.'), lines.join('\n'));
    assert.ok(lines.includes('Started by an earlier try, and paid for then: 1.'));
    assert.equal(lines.filter((line) => line.startsWith('  https://')).length, 5);
  });

  test('shows twenty addresses and says how many there are besides', () => {
    const jobs = Array.from({ length: 23 }, (_, at) => job(`j${at}`, 'gold.t'));
    const output = { kind: 'loaded', receipts: [], jobs } as const;
    const lines = costLines(costsByTable([{ taskId: 't', output } as unknown as TaskInstance]));
    assert.equal(lines.at(-1), '  and 3 more; --json has them all');
    assert.equal(lines.filter((line) => line.startsWith('  https://')).length, 20);
  });

  test('stands at the end of what a run says, and nowhere where nothing was billed', async () => {
    const { dag, run, instances } = await storedRun();
    assert.equal(
      outcomeLines(dag, { run, instances, isNoop: false }).at(-1),
      "  warehouse: 5 jobs, 5.0 GiB billed, 11 s of slots, $0.0313 (by table: assay cost shop 'r')",
    );
    const free = instances.map((instance) => ({ ...instance, output: { kind: 'nothing' } as const }));
    assert.equal(costFact(free), null);
    assert.doesNotMatch(outcomeLines(dag, { run, instances: free, isNoop: false }).join('\n'), /warehouse/);
    assert.match(costLines([])[0] ?? '', /cost nothing there/);
  });

  test('tells small sums from nothing', () => {
    assert.deepEqual([0, 0.00001, 0.0313, 12.345].map(dollars), ['$0', '< $0.0001', '$0.0313', '$12.35']);
    assert.deepEqual([0, 1023, 1536, 10 * GIB].map(bytes), ['0 B', '1023 B', '1.5 KiB', '10.0 GiB']);
  });
});
