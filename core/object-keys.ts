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

/** The sequence of a history entry; null for any other key. */
export function parseHistoryKey(key: string): number | null {
  const match = /^[^/]+\/_history\/(\d{12})\.json$/.exec(key);
  return match ? Number(match[1]) : null;
}

/** `silver/_hold.json`: while it exists, readers of the layer see no new version but a rollback. */
export const holdKey = (layer: PublishedLayer): string => `${layer}/_hold.json`;

/** `silver/_accepted/<dag>.<run>/SILVER_QUALITY.json`: somebody lets this run's report pass its closed gate. */
export const acceptedKey = (layer: PublishedLayer, dagId: string, runId: string, report: string): string =>
  `${layer}/_accepted/${keySafe(dagId)}.${keySafe(runId)}/${report}.json`;

/** `silver/_mirror.json`: which version the folders beside it were last copied from. */
export const mirrorStateKey = (layer: PublishedLayer): string => `${layer}/_mirror.json`;

/** What a garbage collection is about to delete. */
export const CONDEMNED_KEY = '_collect/condemned.json';

/** One object for each publisher of old objects, while it publishes. */
export const CLAIMS_PREFIX = '_collect/claims/';

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

/** `silver/_staging/<run>/<task>/<try>/`; null for any other key. */
export function attemptPrefix(key: string): string | null {
  const staged = parseStagedKey(key);
  return staged && `${staged.area}/_staging/${staged.run}/${staged.taskId}/${staged.tryNumber}/`;
}
