/** The stored outputs of a run's tasks -> what its warehouse jobs cost, by table and task. Pure. */
import { counted } from '../core/counted.ts';
import type { TaskInstance, TaskOutput, WarehouseJob } from '../core/types.ts';
import { bytes, dollars, seconds } from './task-words.ts';

export interface Costs {
  readonly jobs: number;
  /** Of these, those that an earlier try had started: they were paid for once. */
  readonly adopted: number;
  readonly bytesProcessed: number;
  readonly bytesBilled: number;
  readonly slotMs: number;
  readonly costUsd: number;
}

/** All jobs of one task on one table. */
export interface TableCosts extends Costs {
  /** `dataset.table` */
  readonly table: string;
  readonly taskId: string;
  readonly links: readonly string[];
}

/** The dearest first; a job that several outputs name counts once, for the first of them. */
export function costsByTable(instances: readonly TaskInstance[]): readonly TableCosts[] {
  const seen = new Set<string>();
  const groups = new Map<string, { readonly taskId: string; readonly table: string; readonly jobs: WarehouseJob[] }>();
  for (const { taskId, output } of instances) {
    for (const job of jobsOf(output)) {
      const id = `${job.location}\n${job.jobId}`;
      if (seen.has(id)) continue;
      seen.add(id);
      const key = `${job.table}\n${taskId}`;
      const group = groups.get(key) ?? { taskId, table: job.table, jobs: [] };
      groups.set(key, group);
      group.jobs.push(job);
    }
  }
  return [...groups.values()]
    .map(({ taskId, table, jobs }) => ({
      table,
      taskId,
      ...sum(jobs.map(costsOf)),
      links: jobs.map(({ link }) => link),
    }))
    .sort(
      (a, b) =>
        b.costUsd - a.costUsd ||
        b.bytesBilled - a.bytesBilled ||
        compare(a.table, b.table) ||
        compare(a.taskId, b.taskId),
    );
}

export function sum(costs: readonly Costs[]): Costs {
  const total = (of: keyof Costs): number => costs.reduce((all, each) => all + each[of], 0);
  return {
    jobs: total('jobs'),
    adopted: total('adopted'),
    bytesProcessed: total('bytesProcessed'),
    bytesBilled: total('bytesBilled'),
    slotMs: total('slotMs'),
    costUsd: total('costUsd'),
  };
}

/** `12 jobs, 3.4 GiB billed, 41 s of slots, $0.0210`; null where no task asked a warehouse that bills. */
export function costFact(instances: readonly TaskInstance[]): string | null {
  const lines = costsByTable(instances);
  return lines.length === 0 ? null : costWords(sum(lines));
}

export function costWords({ jobs, bytesBilled, slotMs, costUsd }: Costs): string {
  const slots = `${seconds(slotMs)} of slots`;
  return `${counted(jobs, 'job')}, ${bytes(bytesBilled)} billed, ${slots}, ${dollars(costUsd)}`;
}

function jobsOf(output: TaskOutput | null): readonly WarehouseJob[] {
  switch (output?.kind) {
    case 'staged':
    case 'published':
    case 'loaded':
      return output.jobs ?? [];
    default:
      return [];
  }
}

function costsOf({ wasAdopted, bytesProcessed, bytesBilled, slotMs, costUsd }: WarehouseJob): Costs {
  return { jobs: 1, adopted: wasAdopted ? 1 : 0, bytesProcessed, bytesBilled, slotMs, costUsd };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
