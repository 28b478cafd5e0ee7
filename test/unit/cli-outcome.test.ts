/** What a command says of ended runs and tasks, in words and as its exit code. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exitCodeOf, outcomeLines, type RunOutcome } from '../../cli/follow-run.ts';
import { outputFact } from '../../cli/task-words.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { DagRun, LoadReceipt, RunState, TaskInstance, TaskOutput } from '../../core/types.ts';
import { dagOf, taskOf } from './scheduler-fixtures.ts';

const { dag: DAG } = dagOf('shop', [taskOf('first')]);

const failed = (taskId: string, code: ErrorCode, message = `${taskId} broke`): TaskInstance =>
  ({ taskId, state: 'failed', output: null, error: { code, message } }) as TaskInstance;
const held = (taskId: string): TaskInstance =>
  ({ taskId, state: 'upstream_failed', output: null, error: null }) as TaskInstance;

function ended(state: RunState, ...instances: readonly TaskInstance[]): RunOutcome {
  const run = { dagId: 'shop', runId: 'r1', state, startedAtMs: 0, endedAtMs: 4_000 } as DagRun;
  return { run: { ...run, interval: { startMs: 0, endMs: 86_400_000 } }, instances, isNoop: false };
}

describe('the exit code of ended runs', () => {
  const CASES: readonly (readonly [what: string, outcomes: readonly RunOutcome[], code: number])[] = [
    ['success', [ended('success')], 0],
    ['gates', [ended('failed', failed('a', 'gate_failed'), failed('b', 'gate_undecided'))], 4],
    ['one backend', [ended('failed', failed('a', 'storage_unavailable'), failed('b', 'warehouse_quota'))], 8],
    ['a hold', [ended('failed', failed('a', 'publish_held'))], 7],
    ['a broken task', [ended('failed', failed('a', 'task_died'))], 5],
    ['several kinds', [ended('failed', failed('a', 'gate_failed'), failed('b', 'storage_unavailable'))], 5],
    [
      'several kinds in two runs',
      [ended('failed', failed('a', 'gate_failed')), ended('failed', failed('a', 'task_died'))],
      5,
    ],
    ['a run without a failed task', [ended('failed')], 5],
    ['a success before it', [ended('success'), ended('failed', failed('a', 'gate_failed'))], 4],
    ['a code of a later version', [ended('failed', failed('a', 'not_known_here' as ErrorCode))], 1],
  ];
  for (const [what, outcomes, code] of CASES) {
    test(`of ${what} is ${code}`, () => assert.equal(exitCodeOf(outcomes), code));
  }
});

describe('the lines of an ended run', () => {
  test('tell two failures of a kind each by itself', () => {
    const outcome = ended('failed', failed('a', 'task_died'), failed('b', 'task_died'), held('c'));
    assert.deepEqual(outcomeLines(DAG, outcome), [
      'shop for 1970-01-01: failed in 4.0 s',
      '  failed: a (task_died)',
      '    a broke',
      "    log: assay logs shop 'r1' a",
      '  failed: b (task_died)',
      '    b broke',
      "    log: assay logs shop 'r1' b",
      '  1 task did not run because of that. What was published before is still what readers see.',
    ]);
  });

  test('tell the first of many failures of a kind, and name the others', () => {
    const many = ['a', 'b', 'c'].map((taskId) => failed(taskId, 'storage_unavailable'));
    assert.deepEqual(outcomeLines(DAG, ended('failed', ...many, failed('d', 'gate_failed'))), [
      'shop for 1970-01-01: failed in 4.0 s',
      '  failed: a (storage_unavailable)',
      '    a broke',
      "    log: assay logs shop 'r1' a",
      '  failed likewise (storage_unavailable): b, c',
      '  failed: d (gate_failed)',
      '    d broke',
      "    log: assay logs shop 'r1' d",
    ]);
  });

  test("name the run's own copy of a report, because the newest may be of a later day", () => {
    const report = {
      kind: 'report',
      report: {
        decision: { verdict: 'WARN', blockedBy: [] },
        markdownPath: 'reports/SILVER_QUALITY.md',
        runMarkdownPath: 'reports/runs/shop/r1/SILVER_QUALITY.md',
      },
    } as unknown as TaskOutput;
    const outcome = ended('success', { taskId: 'v', state: 'success', output: report, error: null } as TaskInstance);
    assert.equal(outcomeLines(DAG, outcome)[1], '  WARN: reports/runs/shop/r1/SILVER_QUALITY.md');
    assert.equal(outputFact(report), 'WARN · reports/runs/shop/r1/SILVER_QUALITY.md');
  });
});

describe('what a task did', () => {
  const receipt = (rows: number): LoadReceipt => ({ rows, changed: true }) as LoadReceipt;
  const loaded = (...receipts: readonly LoadReceipt[]): TaskOutput => ({ kind: 'loaded', receipts }) as TaskOutput;

  test('is said in the singular of one, in the plural of none and of many', () => {
    assert.equal(outputFact(loaded(receipt(1))), '1 row · 1 partition');
    assert.equal(outputFact(loaded(receipt(0))), '0 rows · 1 partition');
    assert.equal(outputFact(loaded(receipt(1_000), receipt(234))), '1,234 rows · 2 partitions');
  });
});
