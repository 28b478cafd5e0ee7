/** The outputs of a run's finished tasks -> what a later task of the same run was promised to read. */
import type { BronzePartition, PublishedLayer, StagedTable, TaskOutput } from './types.ts';

type Outputs = { readonly [taskId: string]: TaskOutput };

/** The bronze partitions pinned for a table; null where no `pin` task of this run covered it. */
export function pinnedBronze(outputs: Outputs, table: string): readonly BronzePartition[] | null {
  for (const output of Object.values(outputs)) {
    if (output.kind !== 'pinned') continue;
    const partitions = output.pinned.bronze[table];
    if (partitions) return partitions;
  }
  return null;
}

/**
 * The pinned publication of a layer: null where it had none, undefined where no task pinned the layer.
 * Of several pins the newest counts: a later one saw what a triggered run published meanwhile.
 */
export function pinnedSequence(outputs: Outputs, layer: PublishedLayer): number | null | undefined {
  let newest: number | null | undefined;
  for (const output of Object.values(outputs)) {
    if (output.kind !== 'pinned') continue;
    const sequence = output.pinned.publications[layer];
    if (sequence === undefined) continue;
    if (newest === undefined || newest === null || (sequence !== null && sequence > newest)) newest = sequence;
  }
  return newest;
}

/** Tables that this run leaves as readers see them, as `layer.table`: held at a gate, or built on such. */
export function heldTables(outputs: Outputs): ReadonlySet<string> {
  const held = new Set<string>();
  for (const output of Object.values(outputs)) {
    if (output.kind === 'published')
      for (const table of output.publication.held ?? []) held.add(`${output.publication.layer}.${table}`);
    if (output.kind === 'staged' && output.staged.heldBackBy !== undefined)
      held.add(`${output.staged.layer}.${output.staged.table}`);
  }
  return held;
}

/** What this run has staged for a table, if it has. */
export function stagedTable(outputs: Outputs, layer: PublishedLayer, table: string): StagedTable | undefined {
  for (const output of Object.values(outputs)) {
    if (output.kind === 'staged' && output.staged.layer === layer && output.staged.table === table)
      return output.staged;
  }
  return undefined;
}
