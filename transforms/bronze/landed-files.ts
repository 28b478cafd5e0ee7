/** A landing file -> whether its content is in bronze already, by the manifests of its table. Loads no engine. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { hivePartition } from '../../core/partition.ts';
import type { ObjectStore } from '../../core/ports.ts';
import type { TableSpec } from '../../core/spec.ts';
import { MANIFEST_NAME, type ManifestFile, ownFiles } from './bronze-manifest.ts';

/** Where landing files lie on this machine. */
export interface LandingFiles {
  path(relative: string): string;
}

/** Files by manifest key. */
export type LandedFiles = ReadonlyMap<string, readonly ManifestFile[]>;

/**
 * True where ingesting the table's landing file for that day would change nothing; also of a table without one. False where there is
 * no such file.
 */
export async function hasLanded(
  bronze: ObjectStore,
  landing: LandingFiles,
  table: TableSpec,
  runDate: string,
): Promise<boolean> {
  const spec = table.source.landing;
  if (!spec) return true;
  const batchId = await batchOf(landing.path(spec.path)).catch(() => null);
  return batchId !== null && isLanded(batchId, await readManifests(bronze, table), landedFolder(table, runDate));
}

/** Where a delivery of that day goes: `orders/ingest_dt=2025-01-02`. */
export function landedFolder({ source }: TableSpec, runDate: string): string {
  return source.partitionKey === null ? source.table : `${source.table}/${hivePartition(source.partitionKey, runDate)}`;
}

/** Equal content is one batch, whatever the file is called and when it came. */
export async function batchOf(localPath: string): Promise<string> {
  return `batch_${(await sha256OfFile(localPath)).slice(0, 32)}`;
}

/**
 * True where the batch is what was delivered last, up to that folder's day, or where a later day has it. What was delivered before
 * something else counts as new: a file that was changed and changed back says again what it said first.
 */
export function isLanded(batchId: string, landed: LandedFiles, folder: string): boolean {
  const here = `${folder}/${MANIFEST_NAME}`;
  const delivered = [...landed].filter(([, files]) => files.length > 0);
  const [, last] =
    delivered
      .filter(([key]) => key <= here)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .at(-1) ?? [];
  if (last?.at(-1)?.batchId === batchId) return true;
  return delivered.some(([key, files]) => key > here && files.some((file) => file.batchId === batchId));
}

/** Files of our manifests below the table, by manifest key. */
export async function readManifests(bronze: ObjectStore, table: TableSpec): Promise<LandedFiles> {
  const manifests = new Map<string, readonly ManifestFile[]>();
  for await (const { key } of bronze.list(`${table.source.table}/`)) {
    if (!key.endsWith(`/${MANIFEST_NAME}`)) continue;
    const object = await bronze.read(key);
    if (object) manifests.set(key, ownFiles(new TextDecoder().decode(object.body)));
  }
  return manifests;
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
