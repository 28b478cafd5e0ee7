/** Short words -> staged tables and publish requests whose objects lie in a store, for tests of publishing. */

import { stagedKey } from '../../core/object-keys.ts';
import type { ObjectStore, PublishRequest } from '../../core/ports.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import { dataPartition } from '../../core/stage-partitions.ts';
import type { DataFile, DataPartition, PublishedLayer, StagedTable } from '../../core/types.ts';
import { crc32cOf } from '../../storage/crc32c.ts';

export interface StageWords {
  readonly table: string;
  /** Content by partition value; every one becomes one object. */
  readonly partitions?: { readonly [value: string]: string };
  readonly removed?: readonly string[];
  readonly replacesAll?: boolean;
  readonly unchanged?: boolean;
  readonly quarantine?: string;
  readonly partitionKey?: string | null;
  readonly inputs?: StagedTable['inputs'];
  readonly state?: StagedTable['state'];
}

export interface RequestWords {
  readonly layer?: PublishedLayer;
  readonly run: string;
  readonly tables: readonly StageWords[];
  readonly basedOn?: number | null;
  readonly reads?: readonly string[];
}

/** Writes the objects as an attempt of the run would, and gives the request that publishes them. Repeatable. */
export async function stageRequest(store: ObjectStore, words: RequestWords): Promise<PublishRequest> {
  const layer = words.layer ?? 'silver';
  const tables: StagedTable[] = [];
  for (const table of words.tables) tables.push(await stageTable(store, layer, words.run, table));
  return {
    layer,
    dagId: 'dag',
    runId: words.run,
    interval: { startMs: 0, endMs: 86_400_000 },
    tables,
    reportDigest: null,
    verdict: null,
    ...(words.basedOn === undefined ? {} : { basedOn: words.basedOn }),
    ...(words.reads === undefined ? {} : { reads: words.reads }),
  };
}

async function stageTable(
  store: ObjectStore,
  layer: PublishedLayer,
  run: string,
  words: StageWords,
): Promise<StagedTable> {
  const partitions: DataPartition[] = [];
  for (const [value, content] of Object.entries(words.partitions ?? {}).sort()) {
    partitions.push(dataPartition(value, [await object(store, layer, run, words.table, `p=${value}/part`, content)]));
  }
  const { quarantine } = words;
  return {
    layer,
    table: words.table,
    columns: [{ name: 'id', type: 'string' }],
    primaryKey: ['id'],
    partitionKey: words.partitionKey === undefined ? 'p' : words.partitionKey,
    unchanged: words.unchanged ?? false,
    partitions,
    removed: words.removed ?? [],
    replacesAll: words.replacesAll ?? false,
    account: EMPTY_ACCOUNT,
    quarantine:
      quarantine === undefined ? [] : [await object(store, 'quarantine', run, words.table, 'part', quarantine)],
    buildCounts: {},
    inputs: words.inputs ?? {},
    logicFingerprint: 'logic',
    state: words.state ?? {},
  };
}

async function object(
  store: ObjectStore,
  area: PublishedLayer | 'quarantine',
  run: string,
  table: string,
  path: string,
  content: string,
): Promise<DataFile> {
  const key = stagedKey(area, 'dag', run, `build.${table}`, 1, table, path);
  const body = Buffer.from(content);
  if ((await store.read(key)) === null) await store.write(key, body, 'absent');
  return { key, rows: 1, sizeBytes: body.byteLength, crc32c: crc32cOf(body) };
}
