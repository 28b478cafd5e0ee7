/** Every key of the lake, built and parsed in one place, so that a pasted key leads back to its run. */
import type { PublishedLayer } from './types.ts';

/** Characters that are safe in object keys, file names and URLs; anything else becomes `-`. */
export function keySafe(text: string): string {
  return text.replace(/[^A-Za-z0-9._=-]+/g, '-');
}

/** `silver/_latest.json` */
export const pointerKey = (layer: PublishedLayer): string => `${layer}/_latest.json`;

/** `silver/_history/000000000042.json`: twelve digits, so that listing is in order of publication. */
export const historyKey = (layer: PublishedLayer, sequence: number): string =>
  `${layer}/_history/${String(sequence).padStart(12, '0')}.json`;

export const historyPrefix = (layer: PublishedLayer): string => `${layer}/_history/`;

/** `silver/_staging/<run>/<task>/<try>/orders/ingestion_dt=2025-10-15/part-00000.parquet` */
export function stagedKey(
  layer: PublishedLayer | 'quarantine',
  dagId: string,
  runId: string,
  taskId: string,
  tryNumber: number,
  table: string,
  path: string,
): string {
  return `${layer}/_staging/${keySafe(dagId)}.${keySafe(runId)}/${keySafe(taskId)}/${tryNumber}/${table}/${path}`;
}

export interface ParsedStagedKey {
  readonly area: string;
  readonly run: string;
  readonly taskId: string;
  readonly tryNumber: number;
  readonly table: string;
  readonly path: string;
}

/** The parts of a staged key; null for any other key. */
export function parseStagedKey(key: string): ParsedStagedKey | null {
  const match = /^([^/]+)\/_staging\/([^/]+)\/([^/]+)\/(\d+)\/([^/]+)\/(.+)$/.exec(key);
  if (!match) return null;
  const [, area, run, taskId, tryNumber, table, path] = match;
  if (!area || !run || !taskId || !tryNumber || !table || !path) return null;
  return { area, run, taskId, tryNumber: Number(tryNumber), table, path };
}
