/** A lake that tests have published to -> what must hold of it whatever happened. */
import assert from 'node:assert/strict';
import { stagedKey } from '../../core/object-keys.ts';
import type { ObjectStore, PublishRequest } from '../../core/ports.ts';
import { dataPartition } from '../../core/stage-partitions.ts';
import type { DataFile, Publication, PublishedLayer, StagedTable } from '../../core/types.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { type Actor, FAULTS, type Fault, interleave } from '../fixtures-support/meddled-store.ts';
import { type RequestWords, stageRequest } from '../fixtures-support/staged-table.ts';
import type { WithStore } from './object-store-contract.ts';

export const STILL_CLOCK = { now: () => 0 };

export const openLake = (store: ObjectStore): Publications =>
  openPublications({ store, pipeline: 'shop', clock: STILL_CLOCK });

/** Both tables always carry the run's name, so a reader that mixes two versions shows it. */
export const stampedTables = (run: string, basedOn: number | null): RequestWords => ({
  run,
  basedOn,
  tables: [
    { table: 'a', partitions: { all: run, [run]: 'x' } },
    { table: 'b', partitions: { all: run } },
  ],
});

/** The run that staged what each table shows in its partition `all`. */
export const stampsOf = (publication: Publication | null): readonly (string | undefined)[] =>
  Object.values(publication?.tables ?? {}).map((table) => table.partitions.all?.files[0]?.key.split('/')[2]);

export function assertUnmixed(publication: Publication | null): void {
  const stamps = stampsOf(publication);
  assert.ok(new Set(stamps).size <= 1, `version ${publication?.sequence} mixes ${stamps.join(' and ')}`);
}

/** Visible versions, oldest first. */
export async function versionsOf(
  store: ObjectStore,
  layer: PublishedLayer = 'silver',
): Promise<readonly Publication[]> {
  const versions: Publication[] = [];
  for await (const publication of openLake(store).history(layer)) versions.unshift(publication);
  return versions;
}

export function* filesOf(publication: Publication): Iterable<DataFile> {
  for (const table of Object.values(publication.tables)) {
    for (const { files } of Object.values(table.partitions)) yield* files;
    for (const files of Object.values(table.quarantine)) yield* files;
  }
}

/** Every version that is kept, also one that is decided and not yet seen, reads back whole; their numbers have no hole. */
export async function assertKeptVersionsWhole(store: ObjectStore, layer: PublishedLayer = 'silver'): Promise<void> {
  const versions: Publication[] = [];
  for await (const { key } of store.list(`${layer}/_history/`)) {
    versions.push(await openLake(store).at(layer, Number(key.slice(-17, -5))));
  }
  const first = versions[0]?.sequence ?? 1;
  assert.deepEqual(
    versions.map(({ sequence }) => sequence),
    versions.map((_, index) => first + index),
  );
  const bodies = new Map<string, string>();
  for (const publication of versions) {
    for (const { key, crc32c } of filesOf(publication)) {
      if (!bodies.has(key)) {
        const object = await store.read(key);
        assert.ok(object, `${key} is referenced by version ${publication.sequence} of ${layer} but gone`);
        bodies.set(key, crc32cOf(object.body));
      }
      assert.equal(bodies.get(key), crc32c, `${key} is not what was published`);
    }
  }
  const current = await openLake(store).current(layer);
  if (current !== null) assert.ok(versions.some(({ sequence }) => sequence === current.sequence));
}

/** Exactly these runs were published, in this order; readers see the last; nothing is mixed, nothing is missing. */
export async function assertPublished(store: ObjectStore, runs: readonly string[]): Promise<void> {
  const versions = await versionsOf(store);
  assert.deepEqual(
    versions.map(({ sequence, runId }) => [sequence, runId]),
    runs.map((run, index) => [index + 1, run]),
  );
  assert.deepEqual(await openLake(store).current('silver'), versions.at(-1) ?? null);
  for (const publication of versions) assertUnmixed(publication);
  await assertKeptVersionsWhole(store);
}

/** Resolves the pointer once, reads both tables' objects, and gives the version; all of them carry its stamp. */
export async function readUnmixed(store: ObjectStore): Promise<number> {
  const publication = await openLake(store).current('silver');
  if (publication === null) return 0;
  for (const table of Object.values(publication.tables)) {
    for (const file of table.partitions.all?.files ?? []) {
      const body = Buffer.from((await store.read(file.key))?.body ?? []).toString();
      assert.equal(body, publication.runId, `version ${publication.sequence} shows ${body}`);
    }
  }
  return publication.sequence;
}

/** Runs the work once for each request that it sends, with a fault there, on a store of its own; it gives how many it sent. */
export async function atEveryRequest(
  withStore: WithStore,
  fewest: number,
  work: (index: number, store: ObjectStore) => Promise<number>,
  { first = 0, stride = 1 }: { readonly first?: number; readonly stride?: number } = {},
): Promise<void> {
  for (let index = first; ; index += stride) {
    let sent = 0;
    await withStore(async (store) => {
      sent = await work(index, store);
    });
    if (sent > index) continue;
    assert.ok(index >= fewest, `only ${index} requests were sent, too few for this to show anything`);
    return;
  }
}

/** A slow store is given each fault at every fifth request only, each fault at others, so that together they hit all. */
export const strideOf = (fault: Fault, isSlow: boolean): { readonly first?: number; readonly stride?: number } =>
  isSlow ? { first: FAULTS.indexOf(fault), stride: FAULTS.length } : {};

/** A version of which both tables hold the run's name. Many share an attempt, because a folder made durable takes its time. */
export async function stampedRequest(store: ObjectStore, index: number): Promise<PublishRequest> {
  const run = `r${index}`;
  const request = await stageRequest(store, { run, basedOn: index, tables: [{ table: 'a' }, { table: 'b' }] });
  const body = Buffer.from(run);
  const tables: StagedTable[] = [];
  for (const table of request.tables) {
    const attempt = 1 + Math.floor(index / 20);
    const key = stagedKey('silver', 'dag', 'many', 'build', attempt, table.table, `p=all/part-${index}`);
    await store.write(key, body, 'absent');
    const file = { key, rows: 1, sizeBytes: body.byteLength, crc32c: crc32cOf(body) };
    tables.push({ ...table, partitions: [dataPartition('all', [file])] });
  }
  return { ...request, tables };
}

/**
 * Every order of two actors, as `interleave` says, each on a lake of its own, and what must hold then. A slow store is given a
 * few of them.
 */
export async function inEveryOrder<A, B>(
  withStore: WithStore,
  pair: (store: ObjectStore) => Promise<{
    readonly first: Actor<A>;
    readonly second: Actor<B>;
    readonly check: (first: PromiseSettledResult<A>, second: PromiseSettledResult<B>) => Promise<void>;
  }>,
  { isSlow = false }: { readonly isSlow?: boolean } = {},
): Promise<void> {
  let orders = 0;
  let most = 1;
  let mostOfSecond = 1;
  for (let i = 0; i <= most; i += isSlow ? 2 : 1) {
    for (let j = isSlow ? (i * 3) % (mostOfSecond + 1) : 0; j <= mostOfSecond; j += isSlow ? mostOfSecond + 1 : 1) {
      await withStore(async (store) => {
        const { first, second, check } = await pair(store);
        const { outcomes, sent } = await interleave(first, second, i, j);
        await check(...outcomes);
        most = Math.max(most, sent[0]);
        mostOfSecond = Math.max(mostOfSecond, sent[1]);
        orders += 1;
      });
    }
  }
  assert.ok(orders >= (isSlow ? 4 : 50), `${orders} orders are too few for this to show anything`);
}
