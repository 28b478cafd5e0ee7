/** Writing reports, and reading their list back. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Report } from '../../core/types.ts';
import { readNewestReports, readReports, readRunReports } from '../../validation/report/list-reports.ts';
import { writeReport } from '../../validation/report/write-report.ts';

const DIR = 'docs/validation_reports/shop';

function report(day: string, rest: Partial<Report> = {}): Report {
  return {
    formatVersion: 1,
    pipeline: 'shop',
    layer: 'gold',
    name: 'GOLD_QUALITY',
    interval: { from: day, to: day },
    mode: 'strict',
    decision: { verdict: 'PASS', mayPublish: true, blockedBy: [] },
    tables: [],
    results: [],
    currentPublication: null,
    settings: { dag: 'daily' },
    ...rest,
  };
}

const run = (day: string, runId: string) => ({
  dagId: 'daily',
  runId,
  interval: { startMs: Date.parse(day), endMs: Date.parse(day) + 86_400_000 },
  firstDay: day,
  runDate: day,
  conf: {},
});

async function inFolder(work: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'assay-reports-'));
  try {
    await work(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const shownDay = (root: string): string | undefined =>
  /2025-10-\d\d/.exec(readFileSync(join(root, DIR, 'GOLD_QUALITY.md'), 'utf8'))?.[0];

describe('a written report', () => {
  test('lies under its name and as a copy of the run, with run id and times only in the provenance', () =>
    inFolder(async (root) => {
      const ref = await writeReport(
        { root, reportDir: DIR },
        report('2025-10-08'),
        run('2025-10-08', 'manual__2025-10-09T06:00:00+00:00'),
      );
      const runDir = `${DIR}/runs/daily/manual__2025-10-09T06-00-00-00-00`;
      assert.deepEqual(readdirSync(join(root, runDir)).sort(), [
        'GOLD_QUALITY.html',
        'GOLD_QUALITY.junit.xml',
        'GOLD_QUALITY.md',
        'GOLD_QUALITY.results.json',
        'provenance.json',
      ]);
      assert.deepEqual(readdirSync(join(root, DIR)).sort(), [
        'GOLD_QUALITY.md',
        'GOLD_QUALITY.results.json',
        'intervals',
        'provenance.json',
        'runs',
      ]);
      assert.equal(ref.markdownPath, `${DIR}/GOLD_QUALITY.md`);
      assert.equal(ref.runMarkdownPath, `${runDir}/GOLD_QUALITY.md`);
      assert.equal(ref.resultsPath, `${runDir}/GOLD_QUALITY.results.json`);
      for (const name of ['GOLD_QUALITY.md', 'GOLD_QUALITY.results.json']) {
        const text = readFileSync(join(root, DIR, name), 'utf8');
        assert.equal(text, readFileSync(join(root, runDir, name), 'utf8'));
        assert.ok(!text.includes('manual__') && !text.includes(root));
      }
      assert.match(
        readFileSync(join(root, DIR, 'provenance.json'), 'utf8'),
        /"run_id": "manual__2025-10-09T06:00:00\+00:00"/,
      );
    }));

  test('under its own name is replaced by an interval as new or newer, never by an older one', () =>
    inFolder(async (root) => {
      const shown = [];
      for (const day of ['2025-10-08', '2025-10-10', '2025-10-09', '2025-10-10', '2025-10-11']) {
        await writeReport({ root, reportDir: DIR }, report(day), run(day, `r${day}`));
        shown.push(shownDay(root));
      }
      assert.deepEqual(shown, ['2025-10-08', '2025-10-10', '2025-10-10', '2025-10-10', '2025-10-11']);
      assert.equal(readdirSync(join(root, DIR, 'runs/daily')).length, 4);
    }));

  test('replaces one that does not read any more', () =>
    inFolder(async (root) => {
      await writeReport({ root, reportDir: DIR }, report('2025-10-10'), run('2025-10-10', 'a'));
      writeFileSync(join(root, DIR, 'GOLD_QUALITY.results.json'), '{"interval": ');
      await writeReport({ root, reportDir: DIR }, report('2025-10-08'), run('2025-10-08', 'b'));
      assert.equal(shownDay(root), '2025-10-08');
    }));

  test('leaves no temporary file behind', () =>
    inFolder(async (root) => {
      await writeReport({ root, reportDir: DIR }, report('2025-10-10'), run('2025-10-10', 'a'));
      const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
      assert.deepEqual(
        names.filter((name) => name.endsWith('.tmp')),
        [],
      );
    }));
});

describe('the list of reports', () => {
  test('has the newest of each name with the run that wrote it, and all runs, newest first', () =>
    inFolder(async (root) => {
      const place = { root, reportDir: DIR };
      await writeReport(place, report('2025-10-09'), run('2025-10-09', 'r9'));
      await writeReport(place, report('2025-10-08', { mode: 'warning-only' }), run('2025-10-08', 'r8'));
      const silver = report('2025-10-09', {
        name: 'SILVER_QUALITY',
        layer: 'silver',
        decision: { verdict: 'FAIL', mayPublish: false, blockedBy: ['silver.orders.pk_unique'] },
      });
      const ref = await writeReport(place, silver, run('2025-10-09', 'r9'));
      const list = await readReports(root, DIR);
      assert.deepEqual(
        list.map((entry) => [entry.name, entry.interval.to, entry.verdict, entry.mayPublish, entry.run?.runId]),
        [
          ['GOLD_QUALITY', '2025-10-09', 'PASS', true, 'r9'],
          ['SILVER_QUALITY', '2025-10-09', 'FAIL', false, 'r9'],
        ],
      );
      assert.deepEqual(
        list[0]?.runs.map((entry) => [entry.runId, entry.mode]),
        [
          ['r9', 'strict'],
          ['r8', 'warning-only'],
        ],
      );
      assert.equal(list[1]?.digest, ref.digest);
      assert.equal(list[1]?.runs[0]?.markdownPath, ref.runMarkdownPath);
      assert.deepEqual(list[1]?.blockedBy, ['silver.orders.pk_unique']);
    }));

  test('of one run, and of the newest, are read without the other runs', () =>
    inFolder(async (root) => {
      const place = { root, reportDir: DIR };
      await writeReport(place, report('2025-10-08'), run('2025-10-08', 'r8'));
      await writeReport(place, report('2025-10-09'), run('2025-10-09', 'r9'));
      const listed = (await readReports(root, DIR))[0]?.runs;
      assert.deepEqual(await readRunReports(place, 'daily', 'r8'), [listed?.[1]]);
      assert.deepEqual(await readRunReports(place, 'daily', 'r7'), []);
      const newest = async () =>
        (await readNewestReports(place)).map(({ name, interval, run: by }) => [name, interval.to, by?.runId]);
      // A copy that nobody needs to read.
      rmSync(join(root, DIR, 'runs/daily/r8'), { recursive: true });
      assert.deepEqual(await newest(), [['GOLD_QUALITY', '2025-10-09', 'r9']]);
      rmSync(join(root, DIR, 'intervals'), { recursive: true });
      assert.deepEqual(await newest(), [['GOLD_QUALITY', '2025-10-09', 'r9']]);
      rmSync(join(root, DIR, 'runs'), { recursive: true });
      assert.deepEqual(await newest(), [['GOLD_QUALITY', '2025-10-09', undefined]]);
    }));

  test('is empty before the first report, and passes over files that are none', () =>
    inFolder(async (root) => {
      assert.deepEqual(await readReports(root, DIR), []);
      await writeReport({ root, reportDir: DIR }, report('2025-10-09'), run('2025-10-09', 'r9'));
      writeFileSync(join(root, DIR, 'OTHER.results.json'), '[]');
      writeFileSync(join(root, DIR, 'BROKEN.results.json'), '{');
      assert.deepEqual(
        (await readReports(root, DIR)).map((entry) => entry.name),
        ['GOLD_QUALITY'],
      );
    }));
});
