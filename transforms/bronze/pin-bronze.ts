/** The bronze folders of a run's tables -> the partitions and publications that all tasks of the run read. */
import { counted } from '../../core/counted.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { isDay, parseHivePartition } from '../../core/partition.ts';
import type { ObjectInfo, ObjectStore, PublicationReader, TaskContext, TaskHandler } from '../../core/ports.ts';
import type { TableSpec } from '../../core/spec.ts';
import type { BronzePartition, PinnedInputs, PublishedTable } from '../../core/types.ts';
import { baseSettings, inputFingerprint, logicFingerprint } from '../base/logic-fingerprint.ts';
import { type BronzeFolder, type BronzeListing, sortBronzeObjects, type WantedDays } from './bronze-folders.ts';
import { parseManifest } from './bronze-manifest.ts';
import type { LandingFiles } from './landed-files.ts';

export interface PinBronzeDeps {
  readonly bronze: ObjectStore;
  readonly publications: PublicationReader;
  /** As the silver builds have it: part of what decides whether a partition is done. */
  readonly strictForeignKeys: boolean;
  /** Where landing files lie; a spec that names some needs it. */
  readonly landing?: LandingFiles;
}

/** What pinning needs of a task: no attempt, as it changes nothing. */
export type PinContext = Pick<TaskContext, 'spec' | 'task' | 'run'>;

/** Manifests read at the same time. */
const READ_AHEAD = 32;

/**
 * Brings landing files into bronze, and pins what then lies there.
 *
 * @throws PipelineError `landing_unreadable`, `storage_unavailable` (retryable)
 */
export function createPinBronzeHandler(deps: PinBronzeDeps): TaskHandler {
  return async (context) => {
    for (const table of tablesOf(context)) {
      if (!table.source.landing) continue;
      // Loads an engine, which pinning delivered bronze does not need.
      const { ingestLanding } = await import('./ingest-landing.ts');
      await ingestLanding(deps.bronze, deps.landing, table, context);
    }
    const pinned = await pinBronze(deps, context);
    for (const [table, partitions] of Object.entries(pinned.bronze)) {
      context.log.info(`${table}: ${counted(partitions.length, 'bronze partition')} pinned`, { table });
    }
    return { kind: 'pinned', pinned };
  };
}

/**
 * `interval` tables: every partition of the run's days, also those that are done, so that a rerun can account for them.
 * `changed` tables: partitions whose content, or whose table's logic, differs from what silver was built of.
 * A partition that silver holds but that lies in bronze no more is pinned without files and manifest, for validation to name.
 * A table without a folder has an empty list.
 *
 * @throws PipelineError `storage_unavailable` (retryable)
 */
export async function pinBronze(deps: Omit<PinBronzeDeps, 'landing'>, context: PinContext): Promise<PinnedInputs> {
  const [silver, dims, enriched] = await Promise.all([
    deps.publications.current('silver'),
    deps.publications.current('dims'),
    deps.publications.current('enriched'),
  ]);
  const bronze: Record<string, readonly BronzePartition[]> = {};
  const strays: Record<string, readonly string[]> = {};
  for (const table of tablesOf(context)) {
    const pinned = await pinTable(deps, table, context, silver?.tables[table.name]);
    bronze[table.name] = pinned.partitions;
    if (pinned.strays.length > 0) strays[table.name] = pinned.strays;
  }
  return {
    layer: 'bronze',
    bronze,
    strays,
    publications: {
      silver: silver?.sequence ?? null,
      dims: dims?.sequence ?? null,
      enriched: enriched?.sequence ?? null,
    },
  };
}

const tablesOf = ({ spec, task }: PinContext): readonly TableSpec[] =>
  spec.tables.filter(({ name }) => task.tables.includes(name));

async function pinTable(
  deps: Omit<PinBronzeDeps, 'landing'>,
  table: TableSpec,
  context: PinContext,
  published: PublishedTable | undefined,
): Promise<{ readonly partitions: readonly BronzePartition[]; readonly strays: readonly string[] }> {
  const days = wantedDays(table, context);
  const listing = await listBronze(deps.bronze, table, days);
  const present: BronzePartition[] = [];
  for (let at = 0; at < listing.folders.length; at += READ_AHEAD) {
    const batch = listing.folders.slice(at, at + READ_AHEAD);
    present.push(...(await Promise.all(batch.map((folder) => readPartition(deps.bronze, folder)))));
  }
  const logic = logicFingerprint(table, baseSettings(context.spec, deps.strictForeignKeys));
  const partitions = [
    ...(table.source.select === 'changed' ? present.filter((one) => !isDone(one, published, logic)) : present),
    ...vanished(listing.folders, published, days),
  ];
  return { partitions: partitions.sort((a, b) => (a.partition < b.partition ? -1 : 1)), strays: listing.strays };
}

function wantedDays(table: TableSpec, context: PinContext): WantedDays | null {
  if (table.source.select === 'changed' || table.source.partitionKey === null) return null;
  return { first: context.run.firstDay, last: context.run.runDate };
}

async function listBronze(bronze: ObjectStore, table: TableSpec, days: WantedDays | null): Promise<BronzeListing> {
  const objects: ObjectInfo[] = [];
  for await (const object of bronze.list(`${table.source.table}/`)) objects.push(object);
  return sortBronzeObjects(table.source, objects, days);
}

async function readPartition(bronze: ObjectStore, folder: BronzeFolder): Promise<BronzePartition> {
  const object = folder.manifestKey === null ? null : await bronze.read(folder.manifestKey);
  const text = object === null ? null : new TextDecoder().decode(object.body);
  return {
    partition: folder.partition,
    files: folder.files,
    manifest: text === null ? { state: 'missing' } : parseManifest(text),
    fingerprint: fingerprint([text, folder.files.map((file) => [file.key, file.sizeBytes])]),
  };
}

function isDone(partition: BronzePartition, published: PublishedTable | undefined, logic: string): boolean {
  return published?.inputs[partition.partition]?.fingerprint === inputFingerprint(partition.fingerprint, logic);
}

function vanished(
  folders: readonly BronzeFolder[],
  published: PublishedTable | undefined,
  days: WantedDays | null,
): readonly BronzePartition[] {
  const present = new Set(folders.map((folder) => folder.partition));
  return Object.keys(published?.inputs ?? {})
    .filter((partition) => !present.has(partition) && (days === null || liesIn(partition, days)))
    .map((partition) => ({ partition, files: [], manifest: { state: 'missing' }, fingerprint: 'vanished' }));
}

function liesIn(partition: string, days: WantedDays): boolean {
  const value = parseHivePartition(partition)?.value ?? '';
  return isDay(value) && value >= days.first && value <= days.last;
}
