/** How fast are a gigabyte in 200 files, and one changed partition of 1,000, published into a folder? */
import { copyFile, mkdir, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapParallel } from '../core/map-parallel.ts';
import { openLocalStore } from '../storage/local/store.ts';
import { openPublications, type Publications } from '../storage/publications.ts';
import { type Figure, printFigures, timeMs } from './measure.ts';
import {
  FILE_BYTES,
  FILES,
  type LocalFile,
  PARALLEL,
  PARTITIONS,
  publish,
  writeSmall,
  writeSource,
} from './publish-files.ts';

const RUNS = 3;
const clock = { now: () => Date.now() };

export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    printFigures([...(await gigabyte(folder)), ...(await onePartition(folder))]);
    const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
    process.stdout.write(
      `  ${FILES} files, ${(FILES * FILE_BYTES) / 1e6} MB; peak memory of this process ${peakMb} MB\n`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The copy is made durable file by file as a publish is; both find the source in the page cache, in turn. */
async function gigabyte(folder: string): Promise<Figure[]> {
  const copies: number[] = [];
  const publishes: number[] = [];
  const elsewhere: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const source = await writeSource(join(folder, `source-${run}`));
    copies.push(await timeMs(() => copyAll(source, join(folder, 'copy'))));
    await rm(join(folder, 'copy'), { recursive: true });
    elsewhere.push(await timeMs(() => publishCopies(source, join(folder, 'copied'))));
    await rm(join(folder, 'copied'), { recursive: true });
    publishes.push(await timeMs(() => publish(openLake(join(folder, 'lake')), 'all', source)));
    await rm(join(folder, 'lake'), { recursive: true });
  }
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(RUNS - 1) >> 1] ?? 0;
  const share = (values: readonly number[]): string =>
    `${Math.round((median(copies) / median(values)) * 100)} % of the copy's speed`;
  return [
    { label: 'plain copy of 1 GB, each file synced', values: copies, unit: 'ms' },
    {
      label: 'the same staged and published, files moved',
      values: publishes,
      unit: 'ms',
      target: `≥ 80 %: ${share(publishes)}`,
    },
    { label: 'the same copied first, as between disks', values: elsewhere, unit: 'ms', target: share(elsewhere) },
  ];
}

async function onePartition(folder: string): Promise<Figure[]> {
  const lake = openLake(join(folder, 'thousand'));
  const partitions = Array.from({ length: PARTITIONS }, (_, index) => `p${index}`);
  await publish(lake, 'first', await writeSmall(join(folder, 'small'), partitions));
  const values: number[] = [];
  for (let run = 0; run < 20; run += 1) {
    const files = await writeSmall(join(folder, `change-${run}`), ['p0'], `change ${run}`);
    values.push(await timeMs(() => publish(lake, `run-${run}`, files, run + 1)));
  }
  const manifest = await stat(join(folder, 'thousand/silver/_history/000000000021.json'));
  process.stdout.write(`  manifest of ${PARTITIONS} partitions: ${manifest.size} bytes\n`);
  return [{ label: `one changed partition of ${PARTITIONS.toLocaleString('en')}`, values, unit: 'ms' }];
}

const openLake = (root: string): Publications =>
  openPublications({ store: openLocalStore({ root }), pipeline: 'bench', clock });

async function copyAll(files: readonly LocalFile[], target: string): Promise<void> {
  await mapParallel(files, PARALLEL, async ({ path, localPath }) => {
    const to = join(target, path);
    await mkdir(join(to, '..'), { recursive: true });
    await copyFile(localPath, to);
    const handle = await open(to, 'r');
    await handle.sync();
    await handle.close();
  });
}

/** What staging from another file system comes to: the copy is made, then taken over. */
async function publishCopies(files: readonly LocalFile[], target: string): Promise<void> {
  const copies = await mapParallel(files, PARALLEL, async (file) => {
    const localPath = join(target, 'tmp', file.path);
    await mkdir(join(localPath, '..'), { recursive: true });
    await copyFile(file.localPath, localPath);
    return { ...file, localPath };
  });
  await publish(openLake(join(target, 'lake')), 'all', copies);
}
