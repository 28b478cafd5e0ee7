/** Files of one attempt -> staged partitions, each whole, with a fingerprint of its content. */
import { fingerprint } from './fingerprint.ts';
import type { Staging } from './ports.ts';
import type { DataFile, DataPartition, PublishedLayer } from './types.ts';

export interface LocalFile {
  /** The partition's value; `''` for a whole table. */
  readonly value: string;
  /** Below the table. */
  readonly path: string;
  readonly localPath: string;
  readonly rows: number;
}

/** Uploads the files and groups them by partition, sorted by value. */
export async function stagePartitions(
  staging: Staging,
  layer: PublishedLayer,
  table: string,
  files: readonly LocalFile[],
): Promise<readonly DataPartition[]> {
  const staged = await staging.stageFiles(layer, table, files);
  const byValue = new Map<string, DataFile[]>();
  files.forEach((file, index) => {
    const data = staged[index];
    if (!data) throw new Error(`staging returned no object for ${file.path}`);
    const list = byValue.get(file.value);
    if (list) list.push(data);
    else byValue.set(file.value, [data]);
  });
  return [...byValue.entries()]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([value, data]) => dataPartition(value, data));
}

export function dataPartition(value: string, files: readonly DataFile[]): DataPartition {
  return {
    value,
    files,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    fingerprint: fingerprint(files.map((file) => [file.crc32c, file.sizeBytes, file.rows])),
  };
}
