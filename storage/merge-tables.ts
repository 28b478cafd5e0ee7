/** What is published + what a run staged -> the next version of a layer, or nothing where they are the same. Pure. */
import { PipelineError } from '../core/errors.ts';
import { canonicalJson } from '../core/fingerprint.ts';
import type { PublishRequest } from '../core/ports.ts';
import type { DataPartition, Publication, PublishedTable, StagedTable } from '../core/types.ts';
import type { TouchedPartitions } from './publication-diff.ts';

/** Tables of the request that have something to publish: changed ones, and those that readers do not know yet. */
export function changedTables(request: PublishRequest, head: Publication | null): readonly StagedTable[] {
  return request.tables.filter((staged) => !staged.unchanged || head?.tables[staged.table] === undefined);
}

/**
 * All tables of the next version; null where it would equal the head in everything that readers and reruns use.
 *
 * @throws PipelineError `state_conflict` where a table is partitioned otherwise than before and not replaced whole
 */
export function mergeTables(head: Publication | null, request: PublishRequest): Publication['tables'] | null {
  const tables: Record<string, PublishedTable> = { ...head?.tables };
  let isChanged = head === null;
  for (const staged of changedTables(request, head)) {
    const before = head?.tables[staged.table];
    const after = mergeTable(before, staged, request.runId);
    if (before !== undefined && canonicalJson(before) === canonicalJson(after)) continue;
    tables[staged.table] = after;
    isChanged = true;
  }
  return isChanged ? sortedByKey(tables) : null;
}

/** True where this version already holds all that the request staged, so that it is the fruit of the same request. */
export function holds(publication: Publication, request: PublishRequest, head: Publication | null): boolean {
  if (publication.dagId !== request.dagId || publication.runId !== request.runId) return false;
  if (publication.revertsTo !== null) return false;
  return changedTables(request, head).every((staged) => {
    const published = publication.tables[staged.table];
    if (published === undefined) return false;
    return canonicalJson(mergeTable(published, staged, request.runId)) === canonicalJson(published);
  });
}

/**
 * The first of the request's tables that another run's publication made stale: it touched one of the partitions that
 * the request writes, or a table whose published rows the request was built from.
 */
export function findConflict(request: PublishRequest, foreign: TouchedPartitions): string | null {
  for (const table of request.reads ?? []) {
    const values = foreign[table] ?? [];
    if (values.length > 0) return `${table} (${some(values)})`;
  }
  for (const staged of request.tables) {
    const values = foreign[staged.table] ?? [];
    if (staged.unchanged || values.length === 0) continue;
    const mine = new Set([...staged.partitions.map(({ value }) => value), ...staged.removed]);
    const both = staged.replacesAll ? values : values.filter((value) => mine.has(value));
    if (both.length > 0) return `${staged.table} (${some(both)})`;
  }
  return null;
}

function mergeTable(before: PublishedTable | undefined, staged: StagedTable, runId: string): PublishedTable {
  assertSamePartitioning(before, staged);
  const quarantine = mergeQuarantine(before, staged, runId);
  return {
    columns: staged.columns,
    primaryKey: staged.primaryKey,
    partitionKey: staged.partitionKey,
    partitions: mergePartitions(before, staged),
    inputs: sortedByKey({ ...(staged.replacesAll ? {} : before?.inputs), ...staged.inputs }),
    quarantine,
    logicFingerprint: staged.logicFingerprint,
    state: staged.state,
  };
}

/** A partition with the content that readers see already is kept as it is; its new copy is never referenced. */
function mergePartitions(before: PublishedTable | undefined, staged: StagedTable): PublishedTable['partitions'] {
  const partitions: Record<string, DataPartition> = staged.replacesAll ? {} : { ...before?.partitions };
  for (const value of staged.removed) delete partitions[value];
  for (const partition of staged.partitions) {
    const known = before?.partitions[partition.value];
    partitions[partition.value] = known?.fingerprint === partition.fingerprint ? known : partition;
  }
  return sortedByKey(partitions);
}

/** Append-only: a second publication of a run adds files to its entry and takes none away. */
function mergeQuarantine(
  before: PublishedTable | undefined,
  staged: StagedTable,
  runId: string,
): PublishedTable['quarantine'] {
  if (staged.quarantine.length === 0) return before?.quarantine ?? {};
  const known = before?.quarantine[runId] ?? [];
  const keys = new Set(known.map(({ key }) => key));
  const added = staged.quarantine.filter(({ key }) => !keys.has(key));
  return sortedByKey({ ...before?.quarantine, [runId]: [...known, ...added] });
}

function assertSamePartitioning(before: PublishedTable | undefined, staged: StagedTable): void {
  if (before === undefined || staged.replacesAll || before.partitionKey === staged.partitionKey) return;
  throw new PipelineError(
    'state_conflict',
    `${staged.layer}.${staged.table} is published by ${before.partitionKey ?? 'no key'} but staged by ` +
      `${staged.partitionKey ?? 'no key'}; a table cannot mix both. Rebuild it over its whole history, or restore partition_key.`,
  );
}

function sortedByKey<T>(record: { readonly [key: string]: T }): { readonly [key: string]: T } {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

const some = (values: readonly string[]): string =>
  values.length > 3 ? `${values.slice(0, 3).join(', ')} and ${values.length - 3} more` : values.join(', ');
