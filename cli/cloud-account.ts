/** Runs in a bucket and a cloud warehouse -> what reached them, as lines: objects, pointers, load jobs, marts. */
import { counted } from '../core/counted.ts';
import type { Publication, TaskInstance, WarehouseJob } from '../core/types.ts';
import type { Lake } from './lake.ts';
import { bytes, dollars, number } from './task-words.ts';

const PUBLISHED = ['silver', 'dims', 'enriched', 'gold'] as const;

/** Counted from the bucket itself and from the jobs that the tasks ran. */
export async function cloudLines(
  lake: Lake,
  instances: readonly TaskInstance[],
  swap: 'transaction' | 'copy',
): Promise<readonly string[]> {
  const jobs = instances.flatMap(({ output }) => (output !== null && 'jobs' in output ? (output.jobs ?? []) : []));
  const loaded = instances.flatMap(({ output }) =>
    output?.kind === 'loaded' ? output.receipts.filter(({ changed }) => changed) : [],
  );
  const billed = jobs.reduce((sum, job) => sum + job.bytesBilled, 0);
  const cost = jobs.reduce((sum, job) => sum + job.costUsd, 0);
  const [example] = loaded;
  return [
    `objects    ${await stagedObjects(lake)}`,
    `pointers   ${await pointers(lake)}`,
    `load jobs  ${number(countOf(jobs, 'load'))} for ${counted(loaded.length, 'partition')}${example ? `, e.g. ${example.table} ${example.partition}` : ''}`,
    `queries    ${number(countOf(jobs, 'query'))}, ${bytes(billed)} billed (${dollars(cost)}); marts switched by ${swap}`,
  ];
}

const countOf = (jobs: readonly WarehouseJob[], kind: WarehouseJob['kind']): number =>
  jobs.filter((job) => job.kind === kind).length;

async function stagedObjects({ store }: Lake): Promise<string> {
  let count = 0;
  let size = 0;
  for (const layer of PUBLISHED) {
    for await (const { sizeBytes } of store.list(`${layer}/_staging/`)) {
      count += 1;
      size += sizeBytes;
    }
  }
  return `${number(count)} below ${store.displayName}<layer>/_staging/, ${bytes(size)}`;
}

async function pointers({ publications }: Lake): Promise<string> {
  const visible = await Promise.all(PUBLISHED.map((layer) => publications.current(layer)));
  const words = ({ layer, sequence }: Publication): string => `${layer} at version ${sequence}`;
  return visible.flatMap((publication) => (publication ? [words(publication)] : [])).join(', ');
}
