/** Files to publish, and their publishing into any store: what the two publishing benches share. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapParallel } from '../core/map-parallel.ts';
import type { PublishRequest } from '../core/ports.ts';
import { EMPTY_ACCOUNT } from '../core/row-account.ts';
import { dataPartition } from '../core/stage-partitions.ts';
import type { DataFile, StagedTable } from '../core/types.ts';
import type { Publications } from '../storage/publications.ts';
import { sizeFlag } from './measure.ts';

export const FILES = sizeFlag('files', 200);
export const FILE_BYTES = 5_000_000;
export const PARTITIONS = sizeFlag('partitions', 1_000);
export const PARALLEL = 8;

export interface LocalFile {
  readonly path: string;
  readonly localPath: string;
  readonly rows: number;
}

export async function writeSource(folder: string): Promise<readonly LocalFile[]> {
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

export async function writeSmall(
  folder: string,
  partitions: readonly string[],
  text = 'x',
): Promise<readonly LocalFile[]> {
  await mkdir(folder, { recursive: true });
  return mapParallel(partitions, PARALLEL, async (value) => {
    const localPath = join(folder, value);
    await writeFile(localPath, `${value} ${text}`);
    return { path: `p=${value}/part-00000.parquet`, localPath, rows: 1 };
  });
}

export async function publish(
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
