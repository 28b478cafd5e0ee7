/** The staged marts of a run -> one published version of gold, in the lake and in the warehouse. */
import { PipelineError } from '../../core/errors.ts';
import { mapParallel } from '../../core/map-parallel.ts';
import { stagedTable } from '../../core/pinned-inputs.ts';
import type {
  MartBuild,
  OpenWarehouse,
  PublicationReader,
  TaskContext,
  TaskHandler,
  Warehouse,
} from '../../core/ports.ts';
import type { MartSpec } from '../../core/spec.ts';
import type { StagedTable } from '../../core/types.ts';
import { martDefinition } from './build-gold.ts';
import { readMartState } from './mart-state.ts';
import { partitionsToBuild } from './plan-mart.ts';
import { restoreMarts } from './restore-marts.ts';

/** Looks at a warehouse in the cloud wait for their answers side by side. */
const MARTS_AT_ONCE = 8;

export interface PublishGoldDeps {
  readonly publications: PublicationReader;
  readonly openWarehouse: OpenWarehouse;
  /** Publishes a layer in the lake: looks at the gate, moves the pointer. */
  readonly publish: TaskHandler;
}

interface StagedMart {
  readonly mart: MartSpec;
  readonly staged: StagedTable;
}

/**
 * Moves the pointer of the lake, then swaps all marts in the warehouse in one transaction. A reader of either sees all marts
 * of a run or none. After a kill in between, a retry finds the pointer moved and swaps; without a retry the next run's
 * builds find the warehouse behind and bring it up. A repeat changes nothing.
 *
 * @throws PipelineError `gate_failed`, `publish_conflict`, `state_conflict` where marts were built from different versions,
 *   `warehouse_unavailable` (retryable)
 */
export function createPublishGoldHandler(deps: PublishGoldDeps): TaskHandler {
  return async (context) => {
    const marts = stagedMarts(context);
    assertOneVersion(marts);
    const output = await deps.publish(context);
    if (output.kind !== 'published') return output;
    const { held = [] } = output.publication;
    const changed = marts.filter(({ mart, staged }) => !staged.unchanged && !held.includes(mart.name));
    if (changed.length === 0) return output;
    const warehouse = await deps.openWarehouse(context);
    try {
      await swap(warehouse, changed);
      context.log.info(`gold: ${changed.length} marts swapped in the warehouse`);
      await followWhoeverIsShown(deps, context, warehouse, output.publication.sequence);
      return { ...output, jobs: warehouse.jobs() };
    } finally {
      await warehouse.close();
    }
  };
}

/**
 * Gold may be rolled back, or published by another run, between this run's pointer and its swap, which then lays older marts
 * over newer ones. Whoever moves the pointer writes to the warehouse only afterwards, so a look after the swap is enough.
 */
async function followWhoeverIsShown(
  { publications }: PublishGoldDeps,
  { log, spec }: TaskContext,
  warehouse: Warehouse,
  sequence: number,
): Promise<void> {
  const shown = await publications.current('gold');
  if (shown === null || shown.sequence === sequence) return;
  await restoreMarts(publications, warehouse, spec.marts, shown);
  log.warn(`gold: readers see version ${shown.sequence} by now, and the warehouse was brought to it`);
}

function stagedMarts(context: TaskContext): readonly StagedMart[] {
  return context.task.tables.flatMap((name) => {
    const mart = context.spec.marts.find((candidate) => candidate.name === name);
    const staged = stagedTable(context.outputs, 'gold', name);
    return mart && staged ? [{ mart, staged }] : [];
  });
}

/** Marts that are seen together must say the same of the same orders. */
function assertOneVersion(marts: readonly StagedMart[]): void {
  const seen = new Map<string, { readonly sequence: number; readonly mart: string }>();
  for (const { mart, staged } of marts) {
    if (staged.unchanged) continue;
    for (const [layer, sequence] of Object.entries(readMartState(staged).versions)) {
      const other = seen.get(layer);
      seen.set(layer, { sequence, mart: mart.name });
      if (!other || other.sequence === sequence) continue;
      throw new PipelineError(
        'state_conflict',
        `${other.mart} was built from version ${other.sequence} of ${layer}, ${mart.name} from version ${sequence}: ${layer} was ` +
          'published between them. Nothing was published. Clear the tasks that build the marts, then this one.',
        { context: { layer } },
      );
    }
  }
}

/** Makes the warehouse's ledger equal to what the marts should hold, whatever of it is done already. */
async function swap(warehouse: Warehouse, marts: readonly StagedMart[]): Promise<void> {
  const looks = await mapParallel(marts, MARTS_AT_ONCE, async (each) => ({
    ...each,
    loaded: await warehouse.loaded('gold', each.mart.name),
  }));
  const builds: Pick<MartBuild, 'def' | 'days' | 'fingerprints'>[] = [];
  const removed: Record<string, readonly string[]> = {};
  for (const { mart, staged, loaded } of looks) {
    const { contents } = readMartState(staged);
    const actual = loaded === 'absent' ? {} : Object.fromEntries(loaded);
    const days = partitionsToBuild(contents, actual);
    const def = martDefinition(mart);
    if (staged.replacesAll) builds.push({ def, days: null, fingerprints: contents });
    else builds.push({ def, days, fingerprints: Object.fromEntries(days.map((day) => [day, contents[day] ?? ''])) });
    removed[mart.name] = Object.keys(actual).filter((value) => !(value in contents));
  }
  await warehouse.swapMarts(builds, removed);
}
