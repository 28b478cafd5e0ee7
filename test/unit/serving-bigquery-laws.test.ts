/** Laws of job ids and of the ledger: a repeat is adopted, anything else is a new job, and nothing is called loaded that is not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobIdOf, nextJobId } from '../../serving/bigquery/job-ids.ts';
import {
  loadedFingerprints,
  newLedger,
  type Outcome,
  ofTable,
  presentPartitions,
  type TableLedger,
  turnOf,
  withOutcomes,
} from '../../serving/bigquery/ledger-entries.ts';
import fc from '../fixtures-support/properties.ts';

const OF = { project: 'p', dataset: 'd', table: 't' };
const DAY = '2025-01-01';

const idFor = (ledger: TableLedger, content: string | null): string =>
  jobIdOf({
    kind: 'load',
    project: 'p',
    location: 'EU',
    table: `d.t@${ledger.tableCreated}`,
    turns: [turnOf(ledger, DAY)],
    content,
    words: ['d', 't', DAY],
  });

const outcome = (jobId: string, content: string | null, at: number): Outcome => ({
  partition: DAY,
  fingerprint: content,
  isRemoved: content === null,
  rows: 1,
  sizeBytes: 1,
  jobId,
  startedAtMs: at,
  endedAtMs: at + 1,
});

/** What may happen to one partition, in turn. */
type Event =
  | { readonly kind: 'load'; readonly content: string; readonly crash: 'before the job' | 'after the job' | 'never' }
  | { readonly kind: 'remove' }
  | { readonly kind: 'drop the table' }
  | { readonly kind: 'lose the ledger' };

const events = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('load' as const),
        content: fc.constantFrom('A', 'B', 'C'),
        crash: fc.constantFrom('before the job' as const, 'after the job' as const, 'never' as const),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'remove' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'drop the table' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'lose the ledger' as const }) },
  ),
  { maxLength: 25 },
);

/** BigQuery in short: a job id works once; one that is known changes nothing. */
class Service {
  readonly #done = new Map<string, number>();
  content: string | null = null;
  created = 1;
  now = 0;

  run(jobId: string, content: string | null): number {
    const before = this.#done.get(jobId);
    if (before !== undefined) return before;
    this.now += 10;
    this.content = content;
    this.#done.set(jobId, this.now);
    return this.now;
  }

  drop(): void {
    this.created += 1;
    this.content = null;
  }
}

describe('job ids', () => {
  test('after any history the table holds what was asked for last, and the ledger never says otherwise', () => {
    fc.assert(
      fc.property(events, (history: readonly Event[]) => {
        const service = new Service();
        let ledger = newLedger(OF, 'first');
        let lost = 0;
        const load = (content: string | null): void => {
          ledger = ofTable(ledger, String(service.created));
          if (loadedFingerprints(ledger.partitions).get(DAY) === content && content !== null) return;
          const jobId = idFor(ledger, content);
          const at = service.run(jobId, content);
          ledger = withOutcomes(ledger, ledger, [outcome(jobId, content, at)]);
        };
        for (const event of history) {
          switch (event.kind) {
            case 'load': {
              if (event.crash !== 'never') {
                const begun = ofTable(ledger, String(service.created));
                const isNeeded = loadedFingerprints(begun.partitions).get(DAY) !== event.content;
                // The ledger of the beginning is written before the job; the one of the end is not.
                ledger = begun;
                if (isNeeded && event.crash === 'after the job')
                  service.run(idFor(begun, event.content), event.content);
              }
              load(event.content);
              assert.equal(service.content, event.content);
              break;
            }
            case 'remove':
              if (presentPartitions(ofTable(ledger, String(service.created)).partitions).has(DAY)) load(null);
              break;
            case 'drop the table':
              service.drop();
              break;
            case 'lose the ledger':
              lost += 1;
              ledger = newLedger(OF, `lost ${lost}`);
              break;
          }
          const believed = loadedFingerprints(ofTable(ledger, String(service.created)).partitions).get(DAY);
          if (believed !== undefined) assert.equal(believed, service.content);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the same work on the same ledger has the same id; other content, partition, project or place has another', () => {
    const ledger = ofTable(newLedger(OF, 'first'), '1');
    const base = {
      kind: 'load' as const,
      project: 'p',
      location: 'EU',
      table: 'd.t@1',
      turns: [turnOf(ledger, DAY)],
      content: ['A'],
      words: ['d', 't', DAY],
    };
    assert.equal(jobIdOf(base), jobIdOf({ ...base }));
    const others = [
      { ...base, content: ['B'] },
      { ...base, project: 'q' },
      { ...base, location: 'US' },
      { ...base, table: 'd.t@2' },
      { ...base, kind: 'copy' as const },
      { ...base, turns: [{ ...turnOf(ledger, DAY), after: 'x' }] },
    ];
    assert.equal(new Set([base, ...others].map(jobIdOf)).size, others.length + 1);
  });

  test('ids say what they are for, in characters that BigQuery takes', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), fc.nat(), (words, attempt) => {
        const id = nextJobId(
          jobIdOf({ kind: 'load', project: 'p', location: 'EU', table: 't', turns: [], content: null, words }),
          attempt,
        );
        assert.match(id, /^assay_load_[A-Za-z0-9_-]{1,1000}$/);
      }),
    );
    const id = jobIdOf({
      kind: 'load',
      project: 'p',
      location: 'EU',
      table: 't',
      turns: [],
      content: null,
      words: ['enriched', 'sales', DAY],
    });
    assert.match(id, /^assay_load_enriched_sales_2025-01-01_[0-9a-f]{24}$/);
    assert.equal(nextJobId(id, 0), id);
    assert.equal(nextJobId(id, 2), `${id}-r2`);
  });
});

describe('two tasks that load the same partition', () => {
  const begun = ofTable(newLedger(OF, 'first'), '1');
  const job = (jobId: string, content: string, startedAtMs: number, endedAtMs: number): Outcome => ({
    ...outcome(jobId, content, startedAtMs),
    endedAtMs,
  });
  const believed = (...outcomes: readonly Outcome[]): string | undefined =>
    loadedFingerprints(outcomes.reduce((ledger, each) => withOutcomes(ledger, begun, [each]), begun).partitions).get(
      DAY,
    );

  test('one after the other: the later job tells what is there, whoever notes first', () => {
    assert.equal(believed(job('a', 'A', 0, 10), job('b', 'B', 10, 20)), 'B');
    assert.equal(believed(job('b', 'B', 10, 20), job('a', 'A', 0, 10)), 'B');
  });

  test('at the same time with other content: nobody knows, so nothing counts as loaded but the partition may hold rows', () => {
    assert.equal(believed(job('a', 'A', 0, 15), job('b', 'B', 10, 20)), undefined);
    assert.equal(believed(job('b', 'B', 10, 20), job('a', 'A', 0, 15)), undefined);
    const ledger = withOutcomes(withOutcomes(begun, begun, [job('a', 'A', 0, 15)]), begun, [job('b', 'B', 10, 20)]);
    assert.deepEqual([...presentPartitions(ledger.partitions)], [DAY]);
  });

  test('at the same time with the same content, or the same job adopted: it is loaded', () => {
    assert.equal(believed(job('a', 'A', 0, 15), job('b', 'A', 10, 20)), 'A');
    assert.equal(believed(job('a', 'A', 0, 15), job('a', 'A', 0, 15)), 'A');
  });

  test('what was loaded into a table that was dropped since is not noted', () => {
    const anew = ofTable(begun, '2');
    assert.deepEqual(withOutcomes(anew, begun, [job('a', 'A', 0, 1)]).partitions, {});
  });
});
