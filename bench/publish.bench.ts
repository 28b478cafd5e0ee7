/** How fast are a gigabyte in 200 files, and one changed partition of 1,000, published into a folder? */
import { copyFile, mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapParallel } from '../core/map-parallel.ts';
import type { PublishRequest } from '../core/ports.ts';
import { EMPTY_ACCOUNT } from '../core/row-account.ts';
import { dataPartition } from '../core/stage-partitions.ts';
import type { DataFile, StagedTable } from '../core/types.ts';
import { openLocalStore } from '../storage/local-store.ts';
import { openPublications, type Publications } from '../storage/publications.ts';
import { type Figure, printFigures, timeMs } from './measure.ts';

const FILES = 200;
const FILE_BYTES = 5_000_000;
const PARTITIONS = 1_000;
const RUNS = 3;
const PARALLEL = 8;
const clock = { now: () => Date.now() };

interface LocalFile {
  readonly path: string;
  readonly localPath: string;
  readonly rows: number;
}

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

async function writeSource(folder: string): Promise<readonly LocalFile[]> {
  await mkdir(folder, { recursive: true });
  const body = Buffer.alloc(FILE_BYTES);
  for (let at = 0; at < FILE_BYTES; at += 4) body.writeInt32LE((at * 2_654_435_761) | 0, at);
  const files: LocalFile[] = [];
  for (let index = 0; index < FILES; index += 1) {
    body.writeUInt32LE(index, 0);
    const localPath = join(folder, String(index));
    await writeFile(localPath, body);
    files.push({ path: `p=${index}/part-00000.parquet`, localPath, rows: 1 });
  }
  return files;
}

async function writeSmall(folder: string, partitions: readonly string[], text = 'x'): Promise<readonly LocalFile[]> {
  await mkdir(folder, { recursive: true });
  return mapParallel(partitions, PARALLEL, async (value) => {
    const localPath = join(folder, value);
    await writeFile(localPath, `${value} ${text}`);
    return { path: `p=${value}/part-00000.parquet`, localPath, rows: 1 };
  });
}

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

async function publish(
  lake: Publications,
  runId: string,
  files: readonly LocalFile[],
  basedOn: number | null = null,
): Promise<void> {
  const staged = await lake.staging('dag', runId, 'build', 1).stageFiles('silver', 't', files);
  const request: PublishRequest = {
    layer: 'silver',
    dagId: 'dag',
    runId,
    interval: { startMs: 0, endMs: 1 },
    tables: [stagedTable(staged)],
    reportDigest: null,
    verdict: null,
    basedOn,
  };
  await lake.publish(request);
}

const stagedTable = (files: readonly DataFile[]): StagedTable => ({
  layer: 'silver',
  table: 't',
  columns: [{ name: 'id', type: 'string' }],
  primaryKey: ['id'],
  partitionKey: 'p',
  unchanged: false,
  partitions: files.map((file) => dataPartition(/\/p=([^/]+)\//.exec(file.key)?.[1] ?? '', [file])),
  removed: [],
  replacesAll: false,
  account: EMPTY_ACCOUNT,
  quarantine: [],
  buildCounts: {},
  inputs: {},
  logicFingerprint: 'bench',
  state: {},
});
