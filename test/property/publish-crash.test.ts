/** Publishing under dying processes, lost replies, repeated requests and races: what must hold afterwards. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import type { Publication } from '../../core/types.ts';
import { openLocalStore } from '../../storage/local-store.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { openMemoryStore } from '../fixtures-support/memory-store.ts';
import { type RequestWords, stageRequest } from '../fixtures-support/staged-table.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

type Fault = 'dies before' | 'dies after' | 'loses the reply' | 'is sent twice';
const FAULTS: readonly Fault[] = ['dies before', 'dies after', 'loses the reply', 'is sent twice'];

class Died extends Error {}

/** Sees every request that reaches the store: may delay it, damage it, or fail it. */
type Meddler = <T>(request: () => Promise<T>) => Promise<T>;

/** A store of which each request goes through the meddler; listing counts as one. */
function meddledStore(store: ObjectStore, meddle: Meddler): ObjectStore {
  return {
    displayName: store.displayName,
    read: (key) => meddle(() => store.read(key)),
    stat: (key) => meddle(() => store.stat(key)),
    stream: (key, range) => store.stream(key, range),
    copy: (from, to, precondition) => meddle(() => store.copy(from, to, precondition)),
    uri: (key) => store.uri(key),
    write: (key, body, precondition) => meddle(() => store.write(key, body, precondition)),
    writeFile: (key, path, precondition) => meddle(() => store.writeFile(key, path, precondition)),
    delete: (key, precondition) => meddle(() => store.delete(key, precondition)),
    localPath: (key) => meddle(() => store.localPath(key)),
    list: async function* (prefix) {
      await meddle(async () => {});
      yield* store.list(prefix);
    },
  };
}

/** One fault at the n-th request, from 0. A dead process sends nothing more; a lost reply looks like an outage. */
function faultAt(index: number, fault: Fault): { meddle: Meddler; sent: () => number } {
  let count = 0;
  let isDead = false;
  const meddle: Meddler = async (request) => {
    if (isDead) throw new Died();
    const isIt = count === index;
    count += 1;
    if (!isIt) return request();
    switch (fault) {
      case 'dies before':
        isDead = true;
        throw new Died();
      case 'dies after':
        isDead = true;
        await request();
        throw new Died();
      case 'loses the reply':
        await request();
        throw new PipelineError('storage_unavailable', 'no reply');
      case 'is sent twice':
        await request();
        return request();
    }
  };
  return { meddle, sent: () => count };
}

const clock = { now: () => 0 };
const open = (store: ObjectStore): Publications => openPublications({ store, pipeline: 'shop', clock });

/** Both tables always carry the run's name, so a reader that mixes two versions shows it. */
const words = (run: string, basedOn: number | null): RequestWords => ({
  run,
  basedOn,
  tables: [
    { table: 'a', partitions: { all: run, [run]: 'x' } },
    { table: 'b', partitions: { all: run } },
  ],
});

const runsSeen = (publication: Publication | null): readonly (string | undefined)[] =>
  Object.values(publication?.tables ?? {}).map((table) => table.partitions.all?.files[0]?.key.split('/')[2]);

async function assertSound(store: ObjectStore, expected: readonly string[]): Promise<void> {
  const publications = open(store);
  const log: Publication[] = [];
  for await (const publication of publications.history('silver')) log.unshift(publication);
  assert.deepEqual(
    log.map(({ sequence, runId }) => [sequence, runId]),
    expected.map((run, index) => [index + 1, run]),
  );
  assert.deepEqual(await publications.current('silver'), log.at(-1) ?? null);
  for (const publication of log) {
    const runs = runsSeen(publication);
    assert.ok(new Set(runs).size === 1, `version ${publication.sequence} mixes ${runs.join(' and ')}`);
    for (const table of Object.values(publication.tables)) {
      for (const { files } of Object.values(table.partitions)) {
        for (const file of files) assert.ok(await store.read(file.key), `${file.key} is referenced but gone`);
      }
    }
  }
}

describe('one publisher and one fault', () => {
  for (const fault of FAULTS) {
    test(`a publisher whose request ${fault} leaves a lake that its own repeat completes, at every request`, async () => {
      for (let index = 0; ; index += 1) {
        const store = openMemoryStore('');
        const first = await stageRequest(store, words('r1', null));
        await open(store).publish(first);
        const request = await stageRequest(store, words('r2', 1));
        const faulty = faultAt(index, fault);
        const tried = await open(meddledStore(store, faulty.meddle))
          .publish(request)
          .catch((thrown: unknown) => thrown);
        if (faulty.sent() <= index) {
          assert.ok(index >= 6, 'the publisher sent too few requests for this to show anything');
          return;
        }
        const seen = await open(store).current('silver');
        assert.ok(seen?.runId === 'r1' || seen?.runId === 'r2');
        assert.equal(new Set(runsSeen(seen)).size, 1);

        const repeated = await open(store).publish(request);
        assert.deepEqual(repeated, {
          layer: 'silver',
          sequence: 2,
          touched: { a: ['all', 'r2'], b: ['all'] },
          moved: true,
        });
        if (!(tried instanceof Error)) assert.deepEqual(tried, repeated);
        await assertSound(store, ['r1', 'r2']);
      }
    });

    test(`a publisher whose request ${fault} does not block the next run, at every request`, async () => {
      for (let index = 0; ; index += 1) {
        const store = openMemoryStore('');
        const request = await stageRequest(store, words('r1', null));
        const faulty = faultAt(index, fault);
        await open(meddledStore(store, faulty.meddle))
          .publish(request)
          .catch(() => {});
        if (faulty.sent() <= index) return;
        const decided = await store.read('silver/_history/000000000001.json');
        const basedOn = (await open(store).current('silver'))?.sequence ?? null;
        const next = await stageRequest(store, {
          ...words('r2', basedOn),
          tables: [{ table: 'c', partitions: { x: 'c' } }],
        });
        const ref = await open(store).publish(next);
        assert.equal(ref.sequence, decided === null ? 1 : 2);
        assert.deepEqual(
          Object.keys((await open(store).current('silver'))?.tables ?? {}),
          decided ? ['a', 'b', 'c'] : ['c'],
        );
      }
    });
  }
});

describe('many publishers', () => {
  test('whatever the order of their requests, none is lost and none is applied twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, count) => {
        const store = openMemoryStore('');
        const meddle: Meddler = (request) => scheduler.schedule(Promise.resolve()).then(request);
        const requests = await Promise.all(
          Array.from({ length: count }, (_, index) =>
            stageRequest(store, {
              run: `r${index}`,
              basedOn: null,
              tables: [{ table: 't', partitions: { [`p${index}`]: 'x' } }],
            }),
          ),
        );
        const refs = Promise.all(requests.map((request) => open(meddledStore(store, meddle)).publish(request)));
        await scheduler.waitFor(refs);
        const sequences = (await refs).map(({ sequence }) => sequence).sort();
        assert.deepEqual(
          sequences,
          Array.from({ length: count }, (_, index) => index + 1),
        );
        const current = await open(store).current('silver');
        assert.equal(Object.keys(current?.tables.t?.partitions ?? {}).length, count);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('of those that write one partition exactly one wins, and the others are told so', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 2, max: 4 }), async (scheduler, count) => {
        const store = openMemoryStore('');
        const meddle: Meddler = (request) => scheduler.schedule(Promise.resolve()).then(request);
        const requests = await Promise.all(
          Array.from({ length: count }, (_, index) => stageRequest(store, words(`r${index}`, null))),
        );
        const outcomes = Promise.allSettled(
          requests.map((request) => open(meddledStore(store, meddle)).publish(request)),
        );
        await scheduler.waitFor(outcomes);
        const settled = await outcomes;
        const winners = settled.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [`r${index}`] : []));
        assert.equal(winners.length, 1);
        for (const outcome of settled) {
          if (outcome.status === 'rejected') assert.equal((outcome.reason as PipelineError).code, 'publish_conflict');
        }
        await assertSound(store, winners);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('dying anywhere while others publish, they leave a lake on which everyone can finish', async () => {
    const faults = fc.array(fc.record({ index: fc.nat({ max: 12 }), fault: fc.constantFrom(...FAULTS) }), {
      minLength: 2,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), faults, async (scheduler, plan) => {
        const store = openMemoryStore('');
        const requests = await Promise.all(
          plan.map((_, index) =>
            stageRequest(store, {
              run: `r${index}`,
              basedOn: null,
              tables: [{ table: 't', partitions: { [`p${index}`]: 'x' } }],
            }),
          ),
        );
        const meddlers = plan.map(({ index, fault }): Meddler => {
          const { meddle } = faultAt(index, fault);
          return (request) => scheduler.schedule(Promise.resolve()).then(() => meddle(request));
        });
        const tries = Promise.allSettled(
          requests.map((request, index) => open(meddledStore(store, meddlers[index] ?? ((r) => r()))).publish(request)),
        );
        await scheduler.waitFor(tries);
        const answered = await tries;
        const again = [];
        for (const request of requests) again.push(await open(store).publish(request));
        for (const [index, outcome] of answered.entries()) {
          if (outcome.status === 'fulfilled') assert.deepEqual(again[index], outcome.value);
        }
        assert.equal(new Set(again.map(({ sequence }) => sequence)).size, plan.length);
        const current = await open(store).current('silver');
        assert.equal(current?.sequence, plan.length);
        assert.deepEqual(
          Object.keys(current?.tables.t?.partitions ?? {}).sort(),
          plan.map((_, index) => `p${index}`),
        );
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  test('a reader that looks all the time sees whole versions only, each newer than the last', () =>
    withTempFolder(async (root) => {
      const store = openLocalStore({ root });
      let isDone = false;
      const seen: number[] = [];
      const reader = (async () => {
        while (!isDone) {
          const publication = await open(store).current('silver');
          assert.ok(new Set(runsSeen(publication)).size <= 1, `mixes ${runsSeen(publication).join(' and ')}`);
          seen.push(publication?.sequence ?? 0);
        }
      })();
      for (let index = 0; index < 12; index += 1) {
        await open(store).publish(await stageRequest(store, words(`r${index}`, index)));
      }
      isDone = true;
      await reader;
      assert.deepEqual(
        [...seen].sort((a, b) => a - b),
        seen,
      );
      assert.ok(new Set(seen).size > 3, 'the reader hardly met the publishers');
    }));
});
