/** Which earlier report a run's is compared with, and what the comparison says. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { CheckState, Interval, Report } from '../../core/types.ts';
import { type ComparedReport, compareReports } from '../../validation/report/compare-reports.ts';
import { readEarlierReport, runFolder } from '../../validation/report/earlier-report.ts';
import { rerunCommand } from '../../validation/report/rerun-command.ts';
import { writeReport } from '../../validation/report/write-report.ts';

const DIR = 'docs/validation_reports/shop';
const HOUR = 3_600_000;

function report(from: string, to = from, rest: Partial<Report> = {}): Report {
  return {
    formatVersion: 1,
    pipeline: 'shop',
    layer: 'gold',
    name: 'GOLD_QUALITY',
    interval: { from, to },
    mode: 'strict',
    decision: { verdict: 'PASS', mayPublish: true, blockedBy: [] },
    tables: [],
    results: [],
    currentPublication: null,
    settings: { dag: 'daily' },
    ...rest,
  };
}

const days = (from: string, to = from): Interval => ({
  startMs: Date.parse(from),
  endMs: Date.parse(to) + 24 * HOUR,
});

const run = (runId: string, interval: Interval, dagId = 'daily') => ({
  dagId,
  runId,
  interval,
  firstDay: '',
  runDate: '',
  conf: {},
});

async function inProject(work: (place: { root: string; reportDir: string }) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'assay-since-'));
  try {
    await work({ root, reportDir: DIR });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const write = (place: { root: string; reportDir: string }, runId: string, from: string, to = from) =>
  writeReport(place, report(from, to), run(runId, days(from, to)));

const coveredBy = (earlier: ComparedReport | { readonly because: string }): string =>
  'because' in earlier ? earlier.because : `${earlier.interval.from}..${earlier.interval.to}`;

describe('the earlier report', () => {
  test('is that of the newest interval that ended before this one began, whenever it was written', () =>
    inProject(async (place) => {
      await write(place, 'r4', '2025-10-04');
      await write(place, 'r6', '2025-10-06');
      await write(place, 'r1', '2025-10-01', '2025-10-03');
      const before = async (from: string, to = from) =>
        coveredBy(await readEarlierReport(place, 'GOLD_QUALITY', run('x', days(from, to))));
      assert.equal(await before('2025-10-07'), '2025-10-06..2025-10-06');
      assert.equal(await before('2025-10-06'), '2025-10-04..2025-10-04');
      assert.equal(await before('2025-10-05', '2025-10-09'), '2025-10-04..2025-10-04');
      assert.equal(await before('2025-10-04'), '2025-10-01..2025-10-03');
      const none = 'no earlier interval of `daily` has a `GOLD_QUALITY`.';
      assert.equal(await before('2025-10-03'), none, 'an interval that overlaps is not earlier');
      assert.equal(await before('2025-10-01', '2025-10-03'), none, 'nor is the interval itself');
    }));

  test('is the one that was written last, where an interval was run again', () =>
    inProject(async (place) => {
      await write(place, 'first', '2025-10-04');
      const again = report('2025-10-04', '2025-10-04', { mode: 'warning-only' });
      await writeReport(place, again, run('second', days('2025-10-04')));
      const earlier = await readEarlierReport(place, 'GOLD_QUALITY', run('x', days('2025-10-05')));
      assert.equal('because' in earlier ? null : earlier.mode, 'warning-only');
    }));

  test('has the same name and DAG', () =>
    inProject(async (place) => {
      await write(place, 'r4', '2025-10-04');
      const silver = await readEarlierReport(place, 'SILVER_QUALITY', run('x', days('2025-10-05')));
      assert.match(coveredBy(silver), /^no earlier interval of `daily` has a `SILVER_QUALITY`/);
      const other = await readEarlierReport(place, 'GOLD_QUALITY', run('x', days('2025-10-05'), 'hourly'));
      assert.match(coveredBy(other), /^no earlier interval of `hourly` has/);
    }));

  test('is told apart by hours, and a run without length never meets itself', () =>
    inProject(async (place) => {
      const start = Date.parse('2025-10-04T00:00:00Z');
      const hour = (n: number): Interval => ({ startMs: start + n * HOUR, endMs: start + (n + 1) * HOUR });
      for (const n of [0, 1, 2]) {
        const own = report('2025-10-04', '2025-10-04', { settings: { n } });
        await writeReport(place, own, run(`h${n}`, hour(n)));
      }
      const settings = async (interval: Interval) => {
        const earlier = await readEarlierReport(place, 'GOLD_QUALITY', run('x', interval));
        return 'because' in earlier ? null : earlier.settings;
      };
      assert.deepEqual(await settings(hour(2)), { n: 1 });
      assert.equal(await settings(hour(0)), null);
      const instant = { startMs: start, endMs: start };
      await writeReport(place, report('2025-10-04'), run('now', instant));
      assert.equal(await settings(instant), null);
    }));

  test('that is gone is said to be gone, and none before it stands in for it', () =>
    inProject(async (place) => {
      await write(place, 'r3', '2025-10-03');
      await write(place, 'r4', '2025-10-04');
      rmSync(join(place.root, runFolder(place, 'daily', 'r4')), { recursive: true });
      const earlier = await readEarlierReport(place, 'GOLD_QUALITY', run('x', days('2025-10-05')));
      assert.match(coveredBy(earlier), /interval that ended at 2025-10-05.* is gone or does not read/);
    }));
});

describe('the comparison', () => {
  const states = (all: { readonly [check: string]: CheckState }, expected = '0 rows', observed = 'n rows') =>
    Object.entries(all).map(([checkId, state]) => ({ table: 'orders', checkId, state, expected, observed }));
  const before = (results: ComparedReport['results'], rest: Partial<ComparedReport> = {}): ComparedReport => ({
    interval: { from: '2025-10-07', to: '2025-10-07' },
    mode: 'strict',
    decision: { verdict: 'FAIL', mayPublish: false },
    settings: {},
    results,
    ...rest,
  });
  const compare = (earlier: ComparedReport, results: ComparedReport['results'], settings: Report['settings'] = {}) => {
    const change = compareReports(earlier, { layer: 'silver', mode: 'strict', settings, results });
    assert.ok(change.kind === 'compared');
    return change;
  };

  test('puts each check that failed or fails, warns or fell silent, in one list', () => {
    const change = compare(
      before(
        states({
          a_passed: 'PASS',
          b_warned: 'WARN',
          c_failed: 'FAIL',
          d_failed: 'FAIL',
          e_failed: 'FAIL',
          f_failed: 'FAIL',
          g_removed: 'FAIL',
          h_silent: 'NOT EVALUATED',
          readable: 'FAIL',
        }),
      ),
      states({
        a_passed: 'FAIL',
        b_warned: 'FAIL',
        c_failed: 'FAIL',
        d_failed: 'PASS',
        e_failed: 'WARN',
        f_failed: 'NOT EVALUATED',
        h_silent: 'WARN',
        i_added: 'FAIL',
        j_added: 'WARN',
      }),
    );
    const named = (ids: readonly string[]) => ids.map((id) => `silver.orders.${id}`);
    assert.deepEqual(change.newFailures, named(['a_passed', 'b_warned', 'i_added']));
    assert.deepEqual(
      change.stillFailing.map(({ check }) => check),
      named(['c_failed']),
    );
    // `readable` has a result only where a file did not read.
    assert.deepEqual(change.fixed, named(['d_failed', 'e_failed', 'readable']));
    assert.deepEqual(change.newWarnings, named(['h_silent', 'j_added']));
    assert.deepEqual(change.silent, named(['f_failed']));
    assert.deepEqual(change.dropped, named(['g_removed']));
  });

  test('does not take a table for sound of which nothing was evaluated', () => {
    const change = compare(before(states({ readable: 'FAIL' })), states({ row_count: 'NOT EVALUATED' }));
    assert.deepEqual([change.fixed, change.dropped], [[], ['silver.orders.readable']]);
  });

  test('says of what still fails how it was before', () => {
    const change = compare(
      before(states({ fk_order: 'FAIL' }, '≥ 99 %', '97.00 %')),
      states({ fk_order: 'FAIL' }, '≥ 99 %', '98.00 %'),
    );
    assert.deepEqual(change.stillFailing, [
      { check: 'silver.orders.fk_order', observed: '98.00 %', before: '97.00 %' },
    ]);
  });

  test('tells findings of schema checks that are new or other than before, and not as warnings again', () => {
    const finding = (checkId: string, observed: string) => states({ [checkId]: 'WARN' }, 'no change', observed);
    const change = compare(
      before([...finding('schema_drift', 'old.parquet: no note'), ...finding('missing_columns', 'note')]),
      [
        ...finding('schema_drift', 'old.parquet: no note'),
        ...finding('missing_columns', 'note, tag'),
        ...finding('schema_change', 'new tag'),
      ],
    );
    assert.deepEqual(change.schemaDrift, [
      { check: 'silver.orders.missing_columns', observed: 'note, tag' },
      { check: 'silver.orders.schema_change', observed: 'new tag' },
    ]);
    assert.deepEqual(change.newWarnings, []);
  });

  test('tells settings and limits that were changed, and no count of data', () => {
    const change = compare(
      before([...states({ pass_rate: 'PASS' }, '≥ 95 %'), ...states({ rows_as_staged: 'PASS' }, '5 rows')], {
        mode: 'warning-only',
        settings: { dag: 'daily', strict_foreign_keys: false, gone: 1 },
      }),
      [
        ...states({ pass_rate: 'PASS' }, '≥ 90 %'),
        ...states({ rows_as_staged: 'PASS' }, '7 rows'),
        ...states({ added: 'PASS' }, '≥ 1 %'),
      ],
      { dag: 'daily', strict_foreign_keys: true },
    );
    assert.deepEqual(change.settings, [
      { name: 'gone', from: '1', to: 'not set' },
      { name: 'mode', from: 'warning-only', to: 'strict' },
      { name: 'strict_foreign_keys', from: 'false', to: 'true' },
      { name: 'silver.orders.pass_rate', from: '≥ 95 %', to: '≥ 90 %' },
    ]);
  });

  test('does not depend on the order of results', () => {
    const [earlier, now] = [states({ a: 'FAIL', b: 'PASS', c: 'FAIL' }), states({ a: 'PASS', b: 'FAIL', c: 'PASS' })];
    assert.deepEqual(compare(before(earlier), now), compare(before([...earlier].reverse()), [...now].reverse()));
  });
});

describe('the command that runs an interval again', () => {
  test('names whole days of the zone', () => {
    assert.equal(rerunCommand(run('r', days('2025-10-04')), 'UTC'), 'assay run daily --date 2025-10-04');
    assert.equal(
      rerunCommand(run('r', days('2025-10-01', '2025-10-03')), 'UTC'),
      'assay run daily --from 2025-10-01 --to 2025-10-03 --as-one-run',
    );
    // The day on which Berlin puts its clocks back is 25 hours long.
    const longDay = { startMs: Date.parse('2025-10-25T22:00:00Z'), endMs: Date.parse('2025-10-26T23:00:00Z') };
    assert.equal(rerunCommand(run('r', longDay), 'Europe/Berlin'), 'assay run daily --date 2025-10-26');
  });

  test('does not exist for hours, or for days of another zone', () => {
    const start = Date.parse('2025-10-04T00:00:00Z');
    assert.equal(rerunCommand(run('r', { startMs: start, endMs: start + HOUR }), 'UTC'), null);
    assert.equal(rerunCommand(run('r', days('2025-10-04')), 'Europe/Berlin'), null);
  });
});
