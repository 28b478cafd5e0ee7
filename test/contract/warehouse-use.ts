/** What a test of a warehouse over a bucket hands in: partitions that lie in the store, and a task that uses the warehouse. */
import { copyFile } from 'node:fs/promises';
import type { Logger, ObjectStore, WarehouseTableDef, WarehouseUse } from '../../core/ports.ts';
import { dataPartition } from '../../core/stage-partitions.ts';
import type { StagedPartition } from './warehouse-contract.ts';
import { writePartition } from './warehouse-files.ts';

const quiet = (): void => undefined;
export const SILENT: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

export async function stageInStore(
  folder: string,
  store: ObjectStore,
  def: WarehouseTableDef,
  value: string,
  query: string,
): Promise<StagedPartition> {
  const written = await writePartition(folder, def, value, query);
  const [file] = written.partition.files;
  if (!file) throw new Error('no file was written');
  const name = written.localPath.split('/').at(-1) ?? '';
  const key = `${def.dataset}/_staging/run/task/1/${def.table}/${name}`;
  if ((await store.stat(key)) === null) {
    const copy = `${written.localPath}.copy`;
    await copyFile(written.localPath, copy);
    await store.writeFile(key, copy, 'absent');
  }
  const partition = dataPartition(value, [{ ...file, key }]);
  return { partition, shown: store.uri(key) };
}

/** @param held takes down what the warehouse says of the task's timeout */
export function taskUse(tempDir: string, held: boolean[] = []): WarehouseUse {
  return {
    run: {
      dagId: 'shop_dag',
      runId: 'manual__2025-01-01T00:00:00+00:00',
      interval: { startMs: 0, endMs: 1 },
      firstDay: '2025-01-01',
      runDate: '2025-01-01',
      conf: {},
    },
    task: {
      id: 'load_enriched.sales',
      kind: 'load',
      layer: 'enriched',
      tables: ['sales'],
      group: null,
      upstream: [],
      triggerRule: 'all_success',
      retry: null,
      timeoutMs: null,
      pool: 'warehouse',
      priority: 0,
      params: {},
    },
    log: SILENT,
    signal: new AbortController().signal,
    tempDir,
    holdTimeout: (isHeld) => void held.push(isHeld),
  };
}
