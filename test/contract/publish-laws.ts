/** What publishing must hold on every ObjectStore: under dying processes, lost replies, repeated requests, races and holds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore, PublishRequest } from '../../core/ports.ts';
import type { PublicationRef } from '../../core/types.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import {
  type Actor,
  FAULTS,
  faultAt,
  type Meddler,
  meddledStore,
  untilDone,
} from '../fixtures-support/meddled-store.ts';
import fc from '../fixtures-support/properties.ts';
import { type RequestWords, stageRequest } from '../fixtures-support/staged-table.ts';
import type { WithStore } from './object-store-contract.ts';
import {
  assertKeptVersionsWhole,
  assertPublished,
  assertUnmixed,
  atEveryRequest,
  inEveryOrder,
  openLake,
  readUnmixed,
  STILL_CLOCK,
  stampedRequest,
  stampedTables,
  stampsOf,
  strideOf,
  versionsOf,
} from './published-lake.ts';

export interface LawEffort {
  /** Random orders of requests for each law of races. */
  readonly orders: number;
  /** Publishes under the eyes of a reader. */
  readonly publishes: number;
  /** Not every fault at every request, but every request with some fault. */
  readonly isSlow?: boolean;
}

export function publishLaws(name: string, withStore: WithStore, effort: LawEffort): void {
  describe(`publishing to ${name}`, () => {
    faultLaws(withStore, effort);
    raceLaws(withStore, effort);
    pairLaws(withStore, effort);
    holdLaws(withStore, effort);
    rollbackLaws(withStore, effort);
    mirrorLaws(withStore, effort);
    readerLaws(withStore, effort);
  });
}

const BACK = { dagId: 'cli', runId: 'back' };

function faultLaws(withStore: WithStore, { isSlow = false }: LawEffort): void {
  for (const fault of FAULTS) {
    test(`a publisher whose request ${fault} leaves a lake that its own repeat completes, at every request`, () =>
      atEveryRequest(
        withStore,
        8,
        async (index, store) => {
          await openLake(store).publish(await stageRequest(store, stampedTables('r1', null)));
          const request = await stageRequest(store, stampedTables('r2', 1));
          const faulty = faultAt(index, fault);
          const tried = await openLake(meddledStore(store, faulty.meddle))
            .publish(request)
            .catch((thrown: unknown) => thrown);
          const seen = await openLake(store).current('silver');
          assert.ok(seen?.runId === 'r1' || seen?.runId === 'r2');
          assertUnmixed(seen);

          const repeated = await openLake(store).publish(request);
          const touched = { a: ['all', 'r2'], b: ['all'] };
          assert.deepEqual(repeated, { layer: 'silver', sequence: 2, touched, moved: true });
          if (!(tried instanceof Error)) assert.deepEqual(tried, repeated);
          await assertPublished(store, ['r1', 'r2']);
          return faulty.sent();
        },
        strideOf(fault, isSlow),
      ));

    test(`a publisher whose request ${fault} does not block the next run, at every request`, () =>
      atEveryRequest(
        withStore,
        6,
        async (index, store) => {
          const request = await stageRequest(store, stampedTables('r1', null));
          const faulty = faultAt(index, fault);
          await openLake(meddledStore(store, faulty.meddle))
            .publish(request)
            .catch(() => {});
          const decided = await store.read('silver/_history/000000000001.json');
          const basedOn = (await openLake(store).current('silver'))?.sequence ?? null;
          const other = { run: 'r2', basedOn, tables: [{ table: 'c', partitions: { x: 'c' } }] };
          const ref = await openLake(store).publish(await stageRequest(store, other));
          assert.equal(ref.sequence, decided === null ? 1 : 2);
          const tables = Object.keys((await openLake(store).current('silver'))?.tables ?? {});
          assert.deepEqual(tables, decided ? ['a', 'b', 'c'] : ['c']);
          return faulty.sent();
        },
        strideOf(fault, isSlow),
      ));
  }

  test('an outage at every request in turn, each followed by a retry, ends with exactly one version', () =>
    withStore(async (store) => {
      const request = await stageRequest(store, stampedTables('r1', null));
      for (let index = 0, sent = 1; sent > index; index += 1) {
        for (const fault of ['is refused', 'loses the reply'] as const) {
          const faulty = faultAt(index, fault);
          const ref = await untilDone(() => openLake(meddledStore(store, faulty.meddle)).publish(request));
          assert.equal(ref.sequence, 1);
          sent = Math.max(sent, faulty.sent());
        }
      }
      await assertPublished(store, ['r1']);
    }));
}

/** Publishes as if each request took its own time: the order of all requests is the property's to choose. */
const scheduled = (
  scheduler: fc.Scheduler,
  store: ObjectStore,
  meddle: Meddler = (request) => request(),
): ObjectStore => meddledStore(store, (request) => scheduler.schedule(Promise.resolve()).then(() => meddle(request)));

async function settle<T>(scheduler: fc.Scheduler, work: readonly Promise<T>[]): Promise<PromiseSettledResult<T>[]> {
  const outcomes = Promise.allSettled(work);
  await scheduler.waitFor(outcomes);
  return outcomes;
}

const onePartition = (run: string, partition: string): RequestWords => ({
  run,
  basedOn: null,
  tables: [{ table: 't', partitions: { [partition]: run } }],
});

async function stageAll(store: ObjectStore, words: readonly RequestWords[]): Promise<readonly PublishRequest[]> {
  const requests: PublishRequest[] = [];
  for (const each of words) requests.push(await stageRequest(store, each));
  return requests;
}

const partitionsOfT = async (store: ObjectStore): Promise<readonly string[]> =>
  Object.keys((await openLake(store).current('silver'))?.tables.t?.partitions ?? {});

function raceLaws(withStore: WithStore, { orders }: LawEffort): void {
  const parameters = { numRuns: orders, endOnFailure: true } as const;
  const property = (
    fewest: number,
    most: number,
    check: (scheduler: fc.Scheduler, count: number, store: ObjectStore) => Promise<void>,
  ) =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: fewest, max: most }), (scheduler, count) =>
        withStore((store) => check(scheduler, count, store)),
      ),
      parameters,
    );

  test('of publishers with partitions of their own none is lost and none is applied twice', () =>
    property(2, 4, async (scheduler, count, store) => {
      const names = Array.from({ length: count }, (_, index) => `p${index}`);
      const requests = await stageAll(
        store,
        names.map((name) => onePartition(`run-${name}`, name)),
      );
      const outcomes = await settle(
        scheduler,
        requests.map((request) => openLake(scheduled(scheduler, store)).publish(request)),
      );
      const sequences = outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value.sequence);
      assert.deepEqual(
        sequences.sort(),
        names.map((_, index) => index + 1),
      );
      assert.deepEqual(await partitionsOfT(store), names);
      await assertKeptVersionsWhole(store);
    }));

  test('of those that write one partition exactly one wins, and the others are told so', () =>
    property(2, 4, async (scheduler, count, store) => {
      const names = Array.from({ length: count }, (_, index) => `r${index}`);
      const requests = await stageAll(
        store,
        names.map((run) => stampedTables(run, null)),
      );
      const outcomes = await settle(
        scheduler,
        requests.map((request) => openLake(scheduled(scheduler, store)).publish(request)),
      );
      const winners = names.filter((_, index) => outcomes[index]?.status === 'fulfilled');
      assert.equal(winners.length, 1);
      for (const outcome of outcomes)
        assert.ok(outcome.status === 'fulfilled' || isCode(outcome.reason, 'publish_conflict'));
      await assertPublished(store, winners);
    }));

  test('of three of which two overlap, the third and one of the two win', () =>
    property(3, 3, async (scheduler, _count, store) => {
      const requests = await stageAll(store, [
        onePartition('r0', 'x'),
        onePartition('r1', 'x'),
        onePartition('r2', 'y'),
      ]);
      const outcomes = await settle(
        scheduler,
        requests.map((request) => openLake(scheduled(scheduler, store)).publish(request)),
      );
      assert.equal(outcomes[2]?.status, 'fulfilled');
      const losers = outcomes.slice(0, 2).filter((outcome) => outcome.status === 'rejected');
      assert.deepEqual(
        losers.map((outcome) => isCode(outcome.reason, 'publish_conflict')),
        [true],
      );
      assert.deepEqual(await partitionsOfT(store), ['x', 'y']);
      assert.equal((await versionsOf(store)).length, 2);
    }));

  test('dying anywhere while others publish, they leave a lake on which everyone can finish', async () => {
    const faults = fc.array(fc.record({ index: fc.nat({ max: 14 }), fault: fc.constantFrom(...FAULTS) }), {
      minLength: 2,
      maxLength: 3,
    });
    const check = async (
      scheduler: fc.Scheduler,
      plan: readonly { index: number; fault: (typeof FAULTS)[number] }[],
      store: ObjectStore,
    ) => {
      const names = plan.map((_, index) => `p${index}`);
      const requests = await stageAll(
        store,
        names.map((name) => onePartition(`run-${name}`, name)),
      );
      const answered = await settle(
        scheduler,
        requests.map((request, at) => {
          const { index, fault } = plan[at] ?? { index: 0, fault: 'dies before' };
          return openLake(scheduled(scheduler, store, faultAt(index, fault).meddle)).publish(request);
        }),
      );
      const again: PublicationRef[] = [];
      for (const request of requests) again.push(await openLake(store).publish(request));
      for (const [index, outcome] of answered.entries()) {
        if (outcome.status === 'fulfilled') assert.deepEqual(again[index], outcome.value);
      }
      assert.equal(new Set(again.map(({ sequence }) => sequence)).size, plan.length);
      assert.deepEqual(await partitionsOfT(store), names);
      assert.equal((await versionsOf(store)).length, plan.length);
      await assertKeptVersionsWhole(store);
    };
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), faults, (scheduler, plan) =>
        withStore((store) => check(scheduler, plan, store)),
      ),
      parameters,
    );
  });
}

const publishing =
  (store: ObjectStore, request: PublishRequest): Actor<PublicationRef> =>
  (meddle) =>
    openLake(meddledStore(store, meddle)).publish(request);

function pairLaws(withStore: WithStore, effort: LawEffort): void {
  test('two publishers of one partition have one winner, in every order of their requests', () =>
    inEveryOrder(
      withStore,
      async (store) => {
        const [one, two] = [
          await stageRequest(store, stampedTables('r1', null)),
          await stageRequest(store, stampedTables('r2', null)),
        ];
        return {
          first: publishing(store, one),
          second: publishing(store, two),
          check: async (...outcomes) => {
            const winners = ['r1', 'r2'].filter((_, index) => outcomes[index]?.status === 'fulfilled');
            assert.equal(winners.length, 1);
            for (const outcome of outcomes)
              assert.ok(outcome.status === 'fulfilled' || isCode(outcome.reason, 'publish_conflict'));
            await assertPublished(store, winners);
          },
        };
      },
      effort,
    ));

  test('two publishers of partitions of their own both win, in every order of their requests', () =>
    inEveryOrder(
      withStore,
      async (store) => {
        const [one, two] = [
          await stageRequest(store, onePartition('r1', 'x')),
          await stageRequest(store, onePartition('r2', 'y')),
        ];
        return {
          first: publishing(store, one),
          second: publishing(store, two),
          check: async (...outcomes) => {
            assert.deepEqual(
              outcomes.map(({ status }) => status),
              ['fulfilled', 'fulfilled'],
            );
            assert.deepEqual(await partitionsOfT(store), ['x', 'y']);
            const pointer = JSON.parse(Buffer.from((await store.read('silver/_latest.json'))?.body ?? []).toString());
            assert.equal(pointer.sequence, 2);
          },
        };
      },
      effort,
    ));

  test('a hold keeps what it says from the moment it is placed, in every order with a publisher', () =>
    inEveryOrder(
      withStore,
      async (store) => {
        await openLake(store).publish(await stageRequest(store, onePartition('r0', 'first')));
        const request = await stageRequest(store, onePartition('r1', 'x'));
        return {
          first: publishing(store, request),
          second: async (meddle) => {
            const { sequence } = await openLake(meddledStore(store, meddle)).hold('silver', HELD);
            assert.equal((await openLake(store).current('silver'))?.sequence, sequence);
            return sequence;
          },
          check: async (published, held) => {
            assert.ok(held.status === 'fulfilled', String(held.status === 'rejected' && held.reason));
            assert.equal((await openLake(store).current('silver'))?.sequence, held.value);
            assert.equal(held.value, published.status === 'fulfilled' ? 2 : 1);
            assert.ok(published.status === 'fulfilled' || isCode(published.reason, 'publish_held'));
            await openLake(store).release('silver');
            assert.equal((await openLake(store).publish(request)).sequence, 2);
          },
        };
      },
      effort,
    ));

  test('a rollback under a hold is what readers see in the end, in every order with a publisher', () =>
    inEveryOrder(
      withStore,
      async (store) => {
        await openLake(store).publish(await stageRequest(store, stampedTables('r1', null)));
        await openLake(store).publish(await stageRequest(store, stampedTables('r2', 1)));
        const late = await stageRequest(store, stampedTables('r3', 2));
        return {
          first: publishing(store, late),
          second: async (meddle) => {
            const lake = openLake(meddledStore(store, meddle));
            await lake.hold('silver', HELD);
            return lake.rollback('silver', 1, BACK);
          },
          check: async (published, back) => {
            assert.equal(back.status, 'fulfilled');
            const isRefused =
              published.status === 'rejected' &&
              ['publish_held', 'publish_conflict'].some((code) => isCode(published.reason, code));
            assert.ok(published.status === 'fulfilled' || isRefused);
            assert.deepEqual(stampsOf(await openLake(store).current('silver')), ['dag.r1', 'dag.r1']);
            await assertKeptVersionsWhole(store);
          },
        };
      },
      effort,
    ));

  test('two mirrors end equal to what is published, in every order of their requests', () =>
    inEveryOrder(
      withStore,
      async (store) => {
        const first = { run: 'r0', basedOn: null, tables: [{ table: 't', partitions: { x: 'old', y: 'old' } }] };
        await openMirrored(store).publish(await stageRequest(store, first));
        const one = await stageRequest(store, { run: 'r1', tables: [{ table: 't', partitions: { x: 'one' } }] });
        const removed = ['y'];
        const two = await stageRequest(store, {
          run: 'r2',
          tables: [{ table: 't', partitions: { x: 'two' }, removed }],
        });
        return {
          first: (meddle) => openMirrored(meddledStore(store, meddle)).publish(one),
          second: (meddle) => openMirrored(meddledStore(store, meddle)).publish(two),
          check: async (...outcomes) => {
            for (const outcome of outcomes) {
              assert.ok(outcome.status === 'fulfilled' || isCode(outcome.reason, 'publish_conflict'));
            }
            const current = await openLake(store).current('silver');
            const expected: Record<string, string> = {};
            for (const { value, files } of Object.values(current?.tables.t?.partitions ?? {})) {
              const object = await store.read(files[0]?.key ?? '');
              expected[`silver/t/p=${value}/part`] = Buffer.from(object?.body ?? []).toString();
            }
            assert.deepEqual(await mirrored(store), expected);
          },
        };
      },
      effort,
    ));
}

const isCode = (thrown: unknown, code: string): boolean => thrown instanceof PipelineError && thrown.code === code;

const HELD = { by: 'ada@desk', reason: 'figures look wrong' };

function holdLaws(withStore: WithStore, { orders, isSlow = false }: LawEffort): void {
  test('once a hold is placed readers see what it says, whatever publishers were about to do', () =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 3 }), (scheduler, count) =>
        withStore(async (store) => {
          await openLake(store).publish(await stageRequest(store, onePartition('r0', 'first')));
          const names = Array.from({ length: count }, (_, index) => `p${index}`);
          const requests = await stageAll(
            store,
            names.map((name) => onePartition(`run-${name}`, name)),
          );
          const lake = openLake(scheduled(scheduler, store));
          let heldAt = 0;
          const holding = lake.hold('silver', HELD).then(({ sequence }) => {
            heldAt = sequence;
          });
          const [, ...outcomes] = await settle<unknown>(scheduler, [
            holding,
            ...requests.map((request) => openLake(scheduled(scheduler, store)).publish(request)),
          ]);
          const published = outcomes.flatMap((outcome) =>
            outcome.status === 'fulfilled' ? [(outcome.value as PublicationRef).sequence] : [],
          );
          for (const outcome of outcomes)
            assert.ok(outcome.status === 'fulfilled' || isCode(outcome.reason, 'publish_held'));
          assert.equal((await openLake(store).current('silver'))?.sequence, heldAt);
          assert.equal(Math.max(1, ...published), heldAt);
          for (const request of requests) {
            await openLake(store)
              .publish(request)
              .catch((thrown) => assert.ok(isCode(thrown, 'publish_held')));
          }
          assert.equal((await openLake(store).current('silver'))?.sequence, heldAt);

          await openLake(store).release('silver');
          for (const request of requests) await openLake(store).publish(request);
          assert.deepEqual(await partitionsOfT(store), ['first', ...names]);
          assert.equal((await versionsOf(store)).length, count + 1);
        }),
      ),
      { numRuns: orders, endOnFailure: true },
    ));

  test('a rollback passes a hold, also over a version that was decided in the moment of the hold', () =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), (scheduler) =>
        withStore(async (store) => {
          for (const run of ['r1', 'r2'])
            await openLake(store).publish(
              await stageRequest(store, { ...stampedTables(run, null), basedOn: run === 'r1' ? null : 1 }),
            );
          const late = await stageRequest(store, stampedTables('r3', 2));
          const back = (async () => {
            const lake = openLake(scheduled(scheduler, store));
            await lake.hold('silver', HELD);
            return lake.rollback('silver', 1, BACK);
          })();
          const [undone, publishing] = await settle<unknown>(scheduler, [
            back,
            openLake(scheduled(scheduler, store)).publish(late),
          ]);
          assert.equal(undone?.status, 'fulfilled');
          if (publishing?.status === 'rejected')
            assert.ok(isCode(publishing.reason, 'publish_held') || isCode(publishing.reason, 'publish_conflict'));
          assert.deepEqual(stampsOf(await openLake(store).current('silver')), ['dag.r1', 'dag.r1']);
          assert.equal((await openLake(store).current('silver'))?.revertsTo, 1);
          await assertKeptVersionsWhole(store);
        }),
      ),
      { numRuns: orders, endOnFailure: true },
    ));

  for (const fault of FAULTS) {
    test(`a hold and its release whose request ${fault} are completed by a repeat, at every request`, () =>
      atEveryRequest(
        withStore,
        6,
        async (index, store) => {
          await openLake(store).publish(await stageRequest(store, onePartition('r0', 'x')));
          const faulty = faultAt(index, fault);
          const own = openLake(meddledStore(store, faulty.meddle));
          const twoSteps = async (lake: Publications) => {
            await lake.hold('silver', HELD);
            await lake.release('silver');
          };
          const failed = await twoSteps(own).then(
            () => false,
            () => true,
          );
          if (failed) {
            assert.equal((await openLake(store).hold('silver', HELD)).sequence, 1);
            const next = await stageRequest(store, onePartition('r1', 'y'));
            await assert.rejects(openLake(store).publish(next), (thrown) => isCode(thrown, 'publish_held'));
            await openLake(store).release('silver');
          }
          assert.equal(await openLake(store).held('silver'), null);
          await openLake(store).publish(await stageRequest(store, onePartition('r1', 'y')));
          assert.deepEqual(await partitionsOfT(store), ['x', 'y']);
          return faulty.sent();
        },
        strideOf(fault, isSlow),
      ));
  }
}

function rollbackLaws(withStore: WithStore, { isSlow = false }: LawEffort): void {
  for (const fault of FAULTS) {
    test(`a rollback whose request ${fault} is completed by a repeat and done once, at every request`, () =>
      atEveryRequest(
        withStore,
        10,
        async (index, store) => {
          await openLake(store).publish(await stageRequest(store, stampedTables('r1', null)));
          await openLake(store).publish(await stageRequest(store, stampedTables('r2', 1)));
          const faulty = faultAt(index, fault);
          await openLake(meddledStore(store, faulty.meddle))
            .rollback('silver', 1, BACK)
            .catch(() => {});
          assertUnmixed(await openLake(store).current('silver'));
          await openLake(store).rollback('silver', 1, { ...BACK, runId: 'back again' });
          assert.deepEqual(
            (await versionsOf(store)).map(({ revertsTo }) => revertsTo),
            [null, null, 1],
          );
          assert.deepEqual(stampsOf(await openLake(store).current('silver')), ['dag.r1', 'dag.r1']);
          return faulty.sent();
        },
        strideOf(fault, isSlow),
      ));
  }
}

const openMirrored = (store: ObjectStore): Publications =>
  openPublications({ store, pipeline: 'shop', clock: STILL_CLOCK, mirror: 'canonical' });

/** Contents by key of the plain folders. */
async function mirrored(store: ObjectStore): Promise<{ readonly [key: string]: string }> {
  const contents: Record<string, string> = {};
  for await (const { key } of store.list('silver/')) {
    if (key.startsWith('silver/_')) continue;
    contents[key] = Buffer.from((await store.read(key))?.body ?? []).toString();
  }
  return contents;
}

function mirrorLaws(withStore: WithStore, { isSlow = false }: LawEffort): void {
  for (const fault of FAULTS) {
    test(`a mirror whose request ${fault} is completed by a repeat, at every request`, () =>
      atEveryRequest(
        withStore,
        14,
        async (index, store) => {
          await openMirrored(store).publish(await stageRequest(store, stampedTables('r1', null)));
          const words = stampedTables('r2', 1);
          const tables = words.tables.map((table) => (table.table === 'a' ? { ...table, removed: ['r1'] } : table));
          const request = await stageRequest(store, { ...words, tables });
          const faulty = faultAt(index, fault);
          await openMirrored(meddledStore(store, faulty.meddle))
            .publish(request)
            .catch(() => {});
          await openMirrored(store).publish(request);
          assert.deepEqual(await mirrored(store), {
            'silver/a/p=all/part': 'r2',
            'silver/a/p=r2/part': 'x',
            'silver/b/p=all/part': 'r2',
          });
          return faulty.sent();
        },
        strideOf(fault, isSlow),
      ));
  }
}

function readerLaws(withStore: WithStore, { publishes }: LawEffort): void {
  test(`a reader that looks all the time during ${publishes} publishes sees whole versions only, each no older than the last`, () =>
    withStore(async (store) => {
      let isDone = false;
      const seen: number[] = [];
      const reader = (async () => {
        while (!isDone) seen.push(await readUnmixed(store));
      })();
      try {
        for (let index = 0; index < publishes; index += 1) {
          await openLake(store).publish(await stampedRequest(store, index));
        }
      } finally {
        isDone = true;
      }
      await reader;
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        seen,
      );
      assert.ok(new Set(seen).size > publishes / 20, `the reader met ${new Set(seen).size} of ${publishes} versions`);
    }));
}
