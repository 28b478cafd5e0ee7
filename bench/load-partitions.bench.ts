/**
 * How fast are many partitions loaded into one table of BigQuery's stand-in, one at a time, side by side, and at the pace of
 * the quotas? The stand-in works on one job at a time, so that here side by side saves the waits between jobs and no more.
 */
import { addDays } from '../core/partition.ts';
import type { DataPartition } from '../core/types.ts';
import { rows, SALES } from '../test/contract/warehouse-contract.ts';
import { type SandboxPlace, withSandboxWarehouse } from '../test/contract/warehouse-sandbox.ts';
import { type Figure, printFigures, sizeFlag, timeMs } from './measure.ts';

const FIRST_DAY = '2025-01-01';
/** BigQuery takes 50 changes of a partitioned table in ten seconds; so many are loaded without a pause. */
const WITHOUT_PAUSE = 40;

/** `--partitions`: of the load that has to keep pace. `--runs` */
export async function bench(): Promise<void> {
  const runs = sizeFlag('runs', 3);
  const many = sizeFlag('partitions', 100);
  const few = Math.min(WITHOUT_PAUSE, many);
  const single = await timesOf(runs, () => loadInto(few, 1));
  const parallel = await timesOf(runs, () => loadInto(few, 8));
  const paced = await loadInto(many, 8);
  const figures: Figure[] = [
    { label: `${few} partitions, one at a time`, values: single.map(({ ms }) => ms), unit: 'ms' },
    { label: `${few} partitions, 8 side by side`, values: parallel.map(({ ms }) => ms), unit: 'ms' },
    { label: `${many} partitions at the quotas' pace`, values: [paced.ms], unit: 'ms' },
    { label: `one changed partition of ${many}`, values: [paced.oneMs], unit: 'ms' },
  ];
  printFigures(figures);
  process.stdout.write(
    `  load jobs: ${paced.jobs} for ${many} partitions, then ${paced.oneJobs} for one; BigQuery takes 50 changes of a table in 10 s\n`,
  );
}

interface Loaded {
  readonly ms: number;
  readonly oneMs: number;
  readonly jobs: number;
  readonly oneJobs: number;
}

async function timesOf(runs: number, work: () => Promise<Loaded>): Promise<readonly Loaded[]> {
  const all: Loaded[] = [];
  for (let run = 0; run < runs; run += 1) all.push(await work());
  return all;
}

/** Into a new table of a new sandbox; then one of them once more, with other rows. */
async function loadInto(count: number, parallelJobs: number): Promise<Loaded> {
  let loaded: Loaded | null = null;
  await withSandboxWarehouse({}, async (place) => {
    const partitions: DataPartition[] = [];
    for (let index = 0; index < count; index += 1)
      partitions.push(await staged(place, addDays(FIRST_DAY, index), '1.00'));
    const changed = await staged(place, FIRST_DAY, '2.00');
    const open = () => place.openWith({ parallelJobs, firstPollMs: 25 });
    const first = await open();
    const ms = await timeMs(() => first.loadPartitions(SALES, partitions, []));
    const second = await open();
    const oneMs = await timeMs(() => second.loadPartitions(SALES, [changed, ...partitions.slice(1)], []));
    loaded = {
      ms,
      oneMs,
      jobs: first.jobs().length,
      oneJobs: second.jobs().length,
    };
  });
  if (loaded === null) throw new Error('nothing was loaded');
  return loaded;
}

async function staged(place: SandboxPlace, day: string, amount: string): Promise<DataPartition> {
  return (await place.stage(SALES, day, rows(day, [1, amount]))).partition;
}
