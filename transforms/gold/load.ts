/** A load task -> its one table in the warehouse, equal to what is published. */
import { counted } from '../../core/counted.ts';
import { heldTables } from '../../core/pinned-inputs.ts';
import type { OpenWarehouse, PublicationReader, TaskContext, TaskHandler } from '../../core/ports.ts';
import type { PublishedLayer } from '../../core/types.ts';
import { mirrorVisible } from './published-tables.ts';

export interface LoadDeps {
  readonly publications: PublicationReader;
  /** Opened for one task and closed after it: the embedded warehouse admits one process. */
  readonly openWarehouse: OpenWarehouse;
}

/**
 * Replaces exactly the partitions that differ, each whole, all in one transaction; footers are checked before.
 * Running it again, or after a kill on any line, ends with the same rows. A table that this run holds back is left alone.
 *
 * @throws PipelineError `publication_not_found`, `warehouse_schema`, `warehouse_unavailable` (retryable)
 */
export function createLoadHandler(deps: LoadDeps): TaskHandler {
  return async (context) => {
    const layer = layerOf(context);
    const table = tableOf(context);
    if (heldTables(context.outputs).has(`${layer}.${table}`)) {
      context.log.info(`${layer}.${table} stays as it is, because this run holds it back`);
      return { kind: 'loaded', receipts: [] };
    }
    const warehouse = await deps.openWarehouse(context);
    try {
      const wanted = [{ layer, name: table }];
      const [mirrored] = await mirrorVisible(deps.publications, warehouse, context.spec, wanted);
      if (!mirrored) throw new Error(`task ${context.task.id} asked for one table and got none`);
      const { visible } = mirrored;
      const receipts = mirrored.receipts ?? [];
      const changed = receipts.filter((receipt) => receipt.changed);
      context.log.info(`${visible.layer}.${visible.name}: ${counted(changed.length, 'partition')} loaded`, {
        sequence: visible.sequence,
        rows: changed.reduce((sum, receipt) => sum + receipt.rows, 0),
      });
      return { kind: 'loaded', receipts, jobs: warehouse.jobs() };
    } finally {
      await warehouse.close();
    }
  };
}

function layerOf({ task }: TaskContext): PublishedLayer {
  if (task.layer === null || task.layer === 'bronze')
    throw new Error(`task ${task.id} cannot load layer ${task.layer}`);
  return task.layer;
}

function tableOf({ task }: TaskContext): string {
  const [table, ...others] = task.tables;
  if (table === undefined || others.length > 0)
    throw new Error(`task ${task.id} loads ${task.tables.length} tables, not one`);
  return table;
}
