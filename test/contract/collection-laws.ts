/** What garbage collection must hold on every ObjectStore: what a kept version references is there, whoever dies or races. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import type { CollectOptions } from '../../storage/collect-garbage.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { datedStore, FAULTS, faultAt, type Meddler, meddledStore } from '../fixtures-support/meddled-store.ts';
import fc from '../fixtures-support/properties.ts';
import { type RequestWords, stageRequest } from '../fixtures-support/staged-table.ts';
import type { WithStore } from './object-store-contract.ts';
import type { LawEffort } from './publish-laws.ts';
import {
  assertKeptVersionsWhole,
  atEveryRequest,
  filesOf,
  inEveryOrder,
  strideOf,
  versionsOf,
} from './published-lake.ts';

const HOUR_MS = 3_600_000;
const GRACE_HOURS = 48;
const FEW = { versions: 2, days: 0 };
const KEEP_TWO: CollectOptions = { policies: { silver: FEW, dims: FEW, enriched: FEW, gold: FEW } };

/** A lake on a clock that the test turns. */
interface Aging {
  readonly store: ObjectStore;
  readonly clock: { now(): number; advance(hours: number): void };
}

function aging(store: ObjectStore): Aging {
  let nowMs = Date.UTC(2025, 9, 1);
  const clock = {
    now: () => nowMs,
    advance: (hours: number) => {
      nowMs += hours * HOUR_MS;
    },
  };
  return { store: datedStore(store, clock), clock };
}

const open = ({ store, clock }: Aging, meddle: Meddler = (request) => request()): Publications =>
  openPublications({ store: meddledStore(store, meddle), pipeline: 'shop', clock, graceMs: GRACE_HOURS * HOUR_MS });

const scheduledBy =
  (scheduler: fc.Scheduler, inner: Meddler = (request) => request()): Meddler =>
  (request) =>
    scheduler.schedule(Promise.resolve()).then(() => inner(request));

const words = (run: string, partition = 'all'): RequestWords => ({
  run,
  tables: [{ table: 't', partitions: { [partition]: run, same: 'same' }, quarantine: `bad ${run}` }],
});

/** Five versions, a day apart, of which 4 and 5 are kept; an attempt that nobody published; all of it old; and a young attempt. */
async function fiveVersions(lake: Aging): Promise<void> {
  for (const run of ['r1', 'r2', 'r3', 'r4', 'r5']) {
    await open(lake).publish(await stageRequest(lake.store, words(run)));
    lake.clock.advance(24);
  }
  await stageRequest(lake.store, words('abandoned'));
  lake.clock.advance(GRACE_HOURS + 1);
  await stageRequest(lake.store, words('young'));
}

async function keysOf(store: ObjectStore, prefix = ''): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

export function collectionLaws(
  name: string,
  withStore: WithStore,
  { orders, isSlow = false }: Pick<LawEffort, 'orders' | 'isSlow'>,
): void {
  const withLake = (work: (lake: Aging) => Promise<void>) => withStore((store) => work(aging(store)));
  const parameters = { numRuns: orders, endOnFailure: true } as const;

  describe(`garbage collection of ${name}`, () => {
    test('removes the versions that retention lets go and what only they reference, and counts it', () =>
      withLake(async (lake) => {
        await fiveVersions(lake);
        const before = await keysOf(lake.store);
        const plan = await open(lake).collect({ ...KEEP_TWO, isDryRun: true });
        assert.deepEqual(await keysOf(lake.store), before);
        const done = await open(lake).collect(KEEP_TWO);
        assert.deepEqual({ ...plan, isDryRun: false }, done);
        const silver = { layer: 'silver', visible: 5, keptFrom: 4, keptVersions: 2, collectedVersions: 3 };
        assert.deepEqual(done.layers[0], silver);
        // all of r1, r2, r3 are of 2 bytes; 'same' is referenced from r1 alone and unreferenced in r2 to r5 and in the
        // attempt that nobody published; quarantine files stay referenced by the run that wrote them.
        assert.deepEqual(done.collected, { objects: 3 + 4 + 3, bytes: 3 * 2 + 4 * 4 + (9 + 4 + 13) });
        assert.deepEqual(done.spared, { objects: 3, bytes: 5 + 4 + 9 });
        const versions = await versionsOf(lake.store);
        const referenced = new Set(versions.flatMap((version) => [...filesOf(version)].map(({ key }) => key)));
        const staged = (await keysOf(lake.store)).filter((key) => key.includes('/_staging/') && !key.includes('young'));
        assert.deepEqual(staged, [...referenced].sort());
        await assertKeptVersionsWhole(lake.store);
        assert.deepEqual((await open(lake).collect(KEEP_TWO)).collected, { objects: 0, bytes: 0 });
        assert.deepEqual(await keysOf(lake.store, '_collect/'), []);
      }));

    test('says of a version that it removed that it is no longer kept, and refuses to roll back to it', () =>
      withLake(async (lake) => {
        await fiveVersions(lake);
        await open(lake).collect(KEEP_TWO);
        const gone = {
          code: 'publication_not_found',
          message: /no longer kept.*retention\.silver.*oldest that is kept is 4/,
        };
        await assert.rejects(open(lake).at('silver', 2), gone);
        await assert.rejects(open(lake).rollback('silver', 2, { dagId: 'cli', runId: 'x' }), gone);
        await assert.rejects(open(lake).at('silver', 9), { code: 'publication_not_found', message: /does not exist/ });
        assert.equal((await open(lake).rollback('silver', 4, { dagId: 'cli', runId: 'y' })).sequence, 6);
      }));

    test('keeps what readers saw until lately, however many versions came since', () =>
      withLake(async (lake) => {
        await open(lake).publish(await stageRequest(lake.store, words('r1')));
        lake.clock.advance(24 * 365);
        for (const run of ['r2', 'r3', 'r4']) await open(lake).publish(await stageRequest(lake.store, words(run)));
        lake.clock.advance(GRACE_HOURS - 1);
        assert.equal((await open(lake).collect(KEEP_TWO)).layers[0]?.keptFrom, 1);
        lake.clock.advance(2);
        assert.equal((await open(lake).collect(KEEP_TWO)).layers[0]?.keptFrom, 3);
      }));

    test('removes what a warehouse exported and nobody took up', () =>
      withLake(async (lake) => {
        await lake.store.write('_export/job-1/part-0.parquet', Buffer.from('old'), 'absent');
        lake.clock.advance(GRACE_HOURS + 1);
        await lake.store.write('_export/job-2/part-0.parquet', Buffer.from('young'), 'absent');
        assert.deepEqual((await open(lake).collect(KEEP_TWO)).collected, { objects: 1, bytes: 3 });
        assert.deepEqual(await keysOf(lake.store), ['_export/job-2/part-0.parquet']);
      }));

    test('of one layer alone leaves the versions and objects of all others', () =>
      withLake(async (lake) => {
        await fiveVersions(lake);
        const before = await keysOf(lake.store);
        const report = await open(lake).collect({ ...KEEP_TWO, layers: ['gold'] });
        assert.deepEqual([report.collected.objects, report.layers[0]?.collectedVersions], [0, 0]);
        assert.deepEqual(await keysOf(lake.store), before);
      }));

    test('ends without a deletion where a version that it has to know cannot be read', () =>
      withLake(async (lake) => {
        await fiveVersions(lake);
        await lake.store.write('silver/_history/000000000004.json', Buffer.from('{'));
        const before = await keysOf(lake.store);
        await assert.rejects(open(lake).collect(KEEP_TWO), { code: 'data_unreadable' });
        assert.deepEqual(await keysOf(lake.store), before);
      }));

    test('counts a version that is decided but not pointed to as kept', () =>
      withLake(async (lake) => {
        await fiveVersions(lake);
        const request = await stageRequest(lake.store, words('r6'));
        const pointer = await lake.store.read('silver/_latest.json');
        await open(lake).publish(request);
        await lake.store.write('silver/_latest.json', pointer?.body ?? new Uint8Array());
        lake.clock.advance(GRACE_HOURS * 3);
        await open(lake).collect(KEEP_TWO);
        await assertKeptVersionsWhole(lake.store);
        assert.equal((await open(lake).publish(request)).sequence, 6);
      }));

    for (const fault of FAULTS) {
      test(`whose request ${fault} leaves nothing referenced missing and is completed by the next, at every request`, async () => {
        let expected: readonly string[] = [];
        await withLake(async (lake) => {
          await fiveVersions(lake);
          await open(lake).collect(KEEP_TWO);
          expected = await keysOf(lake.store);
        });
        await atEveryRequest(
          withStore,
          40,
          async (index, store) => {
            const lake = aging(store);
            await fiveVersions(lake);
            const faulty = faultAt(index, fault);
            await open(lake, faulty.meddle)
              .collect(KEEP_TWO)
              .catch(() => {});
            await assertKeptVersionsWhole(lake.store);
            await open(lake).collect(KEEP_TWO);
            assert.deepEqual(await keysOf(lake.store), expected);
            await open(lake).rollback('silver', 4, { dagId: 'cli', runId: 'back' });
            await assertKeptVersionsWhole(lake.store);
            return faulty.sent();
          },
          strideOf(fault, isSlow),
        );
      });
    }

    for (const target of [1, 3, 4]) {
      test(`racing a rollback to version ${target} takes nothing that it makes visible, in every order of their requests`, () =>
        inEveryOrder(
          withStore,
          async (store) => {
            const lake = aging(store);
            await fiveVersions(lake);
            return {
              first: (meddle) => open(lake, meddle).rollback('silver', target, { dagId: 'cli', runId: 'back' }),
              second: (meddle) => open(lake, meddle).collect(KEEP_TWO),
              check: async (back, collected) => {
                assert.ok(
                  back.status === 'fulfilled' || isGone(back.reason),
                  String(back.status === 'rejected' && back.reason),
                );
                assert.equal(collected.status, 'fulfilled');
                await assertKeptVersionsWhole(lake.store);
              },
            };
          },
          { isSlow },
        ));
    }

    test('racing a publisher of old objects takes nothing that it makes visible, in every order of their requests', () =>
      inEveryOrder(
        withStore,
        async (store) => {
          const lake = aging(store);
          const late = await stageRequest(lake.store, words('late', 'other'));
          await fiveVersions(lake);
          return {
            first: (meddle) => open(lake, meddle).publish({ ...late, basedOn: 5 }),
            second: (meddle) => open(lake, meddle).collect(KEEP_TWO),
            check: async (published, collected) => {
              assert.ok(
                published.status === 'fulfilled' || isGone(published.reason),
                String(published.status === 'rejected' && published.reason),
              );
              assert.equal(collected.status, 'fulfilled');
              await assertKeptVersionsWhole(lake.store);
            },
          };
        },
        { isSlow },
      ));

    test('racing another collection does no harm, in every order of their requests', () =>
      inEveryOrder(
        withStore,
        async (store) => {
          const lake = aging(store);
          await fiveVersions(lake);
          return {
            first: (meddle) => open(lake, meddle).collect(KEEP_TWO),
            second: (meddle) => open(lake, meddle).collect(KEEP_TWO),
            check: async () => {
              await assertKeptVersionsWhole(lake.store);
              const { collected } = await open(lake).collect(KEEP_TWO);
              assert.equal((await versionsOf(lake.store)).length, 2, `${collected.objects} were left`);
              assert.deepEqual(await keysOf(lake.store, '_collect/'), []);
            },
          };
        },
        { isSlow },
      ));

    test('racing a rollback and a publisher of old objects takes nothing that either makes visible', () =>
      fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 5 }), (scheduler, target) =>
          withLake(async (lake) => {
            const late = await stageRequest(lake.store, words('late', 'other'));
            await fiveVersions(lake);
            const outcomes = Promise.allSettled([
              open(lake, scheduledBy(scheduler)).collect(KEEP_TWO),
              open(lake, scheduledBy(scheduler)).rollback('silver', target, { dagId: 'cli', runId: 'back' }),
              open(lake, scheduledBy(scheduler)).publish({ ...late, basedOn: null }),
            ]);
            await scheduler.waitFor(outcomes);
            for (const outcome of await outcomes)
              assert.ok(
                outcome.status === 'fulfilled' || isGone(outcome.reason),
                String(outcome.status === 'rejected' && outcome.reason),
              );
            await assertKeptVersionsWhole(lake.store);
            await open(lake).collect(KEEP_TWO);
            await assertKeptVersionsWhole(lake.store);
          }),
        ),
        parameters,
      ));

    test('dying while others publish, roll back and collect takes nothing that anyone made visible', () =>
      fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.nat({ max: 40 }),
          fc.constantFrom(...FAULTS),
          fc.integer({ min: 1, max: 5 }),
          (scheduler, index, fault, target) =>
            withLake(async (lake) => {
              const late = await stageRequest(lake.store, words('late', 'other'));
              await fiveVersions(lake);
              const fresh = await stageRequest(lake.store, words('fresh', 'more'));
              const outcomes = Promise.allSettled([
                open(lake, scheduledBy(scheduler, faultAt(index, fault).meddle)).collect(KEEP_TWO),
                open(lake, scheduledBy(scheduler)).collect(KEEP_TWO),
                open(lake, scheduledBy(scheduler)).rollback('silver', target, { dagId: 'cli', runId: 'back' }),
                open(lake, scheduledBy(scheduler)).publish({ ...late, basedOn: null }),
                open(lake, scheduledBy(scheduler)).publish(fresh),
              ]);
              await scheduler.waitFor(outcomes);
              await outcomes;
              await assertKeptVersionsWhole(lake.store);
              await open(lake).collect(KEEP_TWO);
              await assertKeptVersionsWhole(lake.store);
              assert.deepEqual(await keysOf(lake.store, '_collect/condemned'), []);
            }),
        ),
        parameters,
      ));

    test('between any publishes, rollbacks and crashes keeps every version that it keeps whole', () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), (steps) =>
          withLake(async (lake) => {
            for (const [index, one] of steps.entries()) {
              await take(lake, one, `r${index}`);
              if (one.act === 'collect') await assertKeptVersionsWhole(lake.store);
            }
            lake.clock.advance(GRACE_HOURS * 2);
            await open(lake).collect(KEEP_TWO);
            await assertKeptVersionsWhole(lake.store);
            const kept = await versionsOf(lake.store);
            assert.ok(kept.length <= 3, 'more is kept than the policy says');
          }),
        ),
        parameters,
      ));
  });
}

const isGone = (thrown: unknown): boolean =>
  thrown instanceof PipelineError &&
  ['publication_not_found', 'object_not_found', 'publish_conflict'].includes(thrown.code);

const step = fc.record({
  act: fc.constantFrom('stage', 'publish', 'publish late', 'roll back', 'collect'),
  hours: fc.constantFrom(0, 1, 30, 60),
  partition: fc.constantFrom('x', 'y', 'all'),
  index: fc.nat({ max: 60 }),
  fault: fc.constantFrom(...FAULTS),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(lake: Aging, { act, hours, partition, index, fault }: Step, run: string): Promise<void> {
  const dying = open(lake, faultAt(index, fault).meddle);
  switch (act) {
    case 'stage':
      await stageRequest(lake.store, words(run, partition));
      break;
    case 'publish':
      await dying.publish(await stageRequest(lake.store, words(run, partition))).catch(() => {});
      break;
    case 'publish late': {
      const request = await stageRequest(lake.store, words(run, partition));
      lake.clock.advance(hours);
      await open(lake).collect(KEEP_TWO);
      await dying.publish(request).catch(() => {});
      break;
    }
    case 'roll back':
      await dying.rollback('silver', 1 + (index % 6), { dagId: 'cli', runId: run }).catch(() => {});
      break;
    case 'collect':
      await dying.collect(KEEP_TWO).catch(() => {});
      break;
  }
  lake.clock.advance(hours);
}
