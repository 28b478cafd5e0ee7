/** The published marts -> the same in the warehouse, whoever wrote there last. */
import type { PublicationReader, Warehouse } from '../../core/ports.ts';
import type { MartSpec } from '../../core/spec.ts';
import type { Publication, PublishedTable } from '../../core/types.ts';
import { martDefinition } from './build-gold.ts';
import { readMartState } from './mart-state.ts';
import { missingIn } from './published-tables.ts';

export interface RestoredMart {
  readonly mart: string;
  /** False where neither the version nor the warehouse has it. */
  readonly isKnown: boolean;
  /** Partitions. */
  readonly restored: number;
  readonly removed: number;
}

/**
 * Loads the partitions that the warehouse holds otherwise than `shown`. Where another version of gold is shown once that is done,
 * these may be older rows over those of whoever was faster: then the warehouse is brought to that one. Repeatable.
 *
 * @returns what was done for the last version that was looked at
 * @throws PipelineError `warehouse_schema`, `warehouse_rejected`, `warehouse_unavailable` (retryable)
 */
export async function restoreMarts(
  publications: PublicationReader,
  warehouse: Warehouse,
  marts: readonly MartSpec[],
  shown: Publication,
): Promise<readonly RestoredMart[]> {
  for (let version = shown; ; ) {
    const done: RestoredMart[] = [];
    for (const mart of marts) done.push(await restoreMart(warehouse, mart, version.tables[mart.name]));
    const now = await publications.current('gold');
    if (now === null || now.sequence === version.sequence) return done;
    version = now;
  }
}

async function restoreMart(
  warehouse: Warehouse,
  mart: MartSpec,
  target: PublishedTable | undefined,
): Promise<RestoredMart> {
  const def = martDefinition(mart);
  const loaded = await warehouse.loaded('gold', mart.name);
  if (target === undefined && loaded === 'absent') return { mart: mart.name, isKnown: false, restored: 0, removed: 0 };
  await warehouse.ensureTable(def);
  const held: ReadonlyMap<string, string> = loaded === 'absent' ? new Map() : loaded;
  const { contents } = readMartState(target);
  const changed = missingIn(held, target);
  // A day without rows has no file, but a name where it was built.
  const removed = [...held].flatMap(([value, name]) =>
    target?.partitions[value] === undefined && name !== contents[value] ? [value] : [],
  );
  await warehouse.loadPartitions(def, changed, removed);
  return { mart: mart.name, isKnown: true, restored: changed.length, removed: removed.length };
}
