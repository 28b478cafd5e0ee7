/** Laws of the gate: what it may never let through, whatever stands beside it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CheckState, GateMode } from '../../core/types.ts';
import { gate } from '../../validation/gate.ts';
import { type MeasuredResult, measured, undecided } from '../../validation/measured-result.ts';
import fc from '../fixtures-support/properties.ts';

const TABLES = ['orders', 'returns', 'customers'] as const;
const head = (table: string, checkId: string) =>
  ({ checkId, table, severity: 'fail', description: '', expected: '', owner: '' }) as const;

const tableName = fc.constantFrom(...TABLES);
const state = fc.constantFrom<CheckState>('PASS', 'WARN', 'FAIL', 'NOT EVALUATED');
const mode = fc.constantFrom<GateMode>('strict', 'warning-only');

const resultIn = (states: readonly CheckState[]) =>
  fc
    .tuple(tableName, fc.stringMatching(/^[a-z]{1,6}$/), fc.constantFrom(...states))
    .map(([table, id, is]): MeasuredResult => measured(head(table, id), { state: is, observed: '' }));
const anyResult = resultIn(['PASS', 'WARN', 'FAIL', 'NOT EVALUATED']);
const harmless = resultIn(['PASS', 'WARN', 'NOT EVALUATED']);
const account = fc.record({ table: tableName, state });

function decide(results: readonly MeasuredResult[], rest: Partial<Parameters<typeof gate>[0]> = {}) {
  const tables = [...new Set(results.map((result) => result.table))];
  return gate({ layer: 'silver', mode: 'strict', tables, results, accounts: [], ...rest });
}

/** Puts a result anywhere among others. */
const among = (results: readonly MeasuredResult[], at: number, one: MeasuredResult) => [
  ...results.slice(0, at % (results.length + 1)),
  one,
  ...results.slice(at % (results.length + 1)),
];

describe('the gate', () => {
  test('is closed in strict mode by one failure among any others, and names it', () => {
    fc.assert(
      fc.property(fc.array(anyResult), fc.nat(), fc.array(account), (others, at, accounts) => {
        const failure = measured(head('orders', 'culprit'), { state: 'FAIL', observed: '' });
        const { decision } = decide(among(others, at, failure), { accounts });
        assert.equal(decision.verdict, 'FAIL');
        assert.equal(decision.mayPublish, false);
        assert.ok(decision.blockedBy.includes('silver.orders.culprit'));
      }),
    );
  });

  test('is closed in every mode by a check that could not be decided', () => {
    fc.assert(
      fc.property(fc.array(anyResult), fc.nat(), mode, (others, at, chosen) => {
        const open = undecided(head('orders', 'culprit'), 'no answer');
        const { decision } = decide(among(others, at, open), { mode: chosen });
        assert.equal(decision.verdict, 'FAIL');
        assert.equal(decision.mayPublish, false);
        assert.ok(decision.blockedBy.includes('silver.orders.culprit'));
      }),
    );
  });

  test('is closed in every mode by a table that nothing was measured of', () => {
    fc.assert(
      fc.property(fc.array(anyResult), mode, (results, chosen) => {
        const tables = [...new Set([...results.map((result) => result.table), 'unheard_of'])];
        const { decision, undecided: open } = decide(results, { tables, mode: chosen });
        assert.equal(decision.mayPublish, false);
        assert.ok(open.includes('silver.unheard_of'));
      }),
    );
  });

  test('is closed where there is no table at all', () => {
    fc.assert(
      fc.property(fc.array(anyResult), mode, (results, chosen) => {
        assert.equal(decide(results, { tables: [], mode: chosen }).decision.mayPublish, false);
      }),
    );
  });

  test('is closed in strict mode by a failed row account alone', () => {
    fc.assert(
      fc.property(fc.array(harmless, { minLength: 1 }), tableName, (results, table) => {
        const { decision } = decide(results, { accounts: [{ table, state: 'FAIL' }] });
        assert.equal(decision.mayPublish, false);
        assert.deepEqual(decision.blockedBy, [`silver.${table}.row_account`]);
      }),
    );
  });

  test('is open without a failure, and then says PASS only where every table had something evaluated and nothing warned', () => {
    fc.assert(
      fc.property(fc.array(harmless, { minLength: 1 }), mode, (results, chosen) => {
        const { decision } = decide(results, { mode: chosen });
        assert.equal(decision.mayPublish, true);
        assert.deepEqual(decision.blockedBy, []);
        const warned = results.some((result) => result.state === 'WARN');
        const passed = new Set(results.filter((result) => result.state === 'PASS').map((result) => result.table));
        const silent = results.some((result) => !passed.has(result.table));
        assert.equal(decision.verdict, warned || silent ? 'WARN' : 'PASS');
      }),
    );
  });

  test('never takes silence for a pass', () => {
    fc.assert(
      fc.property(fc.array(resultIn(['NOT EVALUATED']), { minLength: 1 }), mode, (results, chosen) => {
        assert.equal(decide(results, { mode: chosen }).decision.verdict, 'WARN');
      }),
    );
  });

  test('comes to the same decision in whatever order it hears', () => {
    const shuffled = fc
      .uniqueArray(anyResult, { minLength: 1, selector: (result) => `${result.table}.${result.checkId}` })
      .chain((results) => fc.tuple(fc.constant(results), fc.shuffledSubarray(results, { minLength: results.length })));
    fc.assert(
      fc.property(shuffled, mode, ([results, other], chosen) => {
        assert.deepEqual(
          decide(results, { mode: chosen, tables: TABLES }),
          decide(other, { mode: chosen, tables: TABLES }),
        );
      }),
    );
  });

  test('lets nothing through in strict mode that it stops in warning-only mode', () => {
    fc.assert(
      fc.property(fc.array(anyResult), fc.array(account), (results, accounts) => {
        const strict = decide(results, { accounts });
        const lenient = decide(results, { accounts, mode: 'warning-only' });
        assert.equal(strict.decision.verdict, lenient.decision.verdict);
        assert.ok(lenient.decision.mayPublish || !strict.decision.mayPublish);
      }),
    );
  });
});
