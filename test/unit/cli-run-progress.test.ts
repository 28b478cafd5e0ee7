/** The lines that follow a run where there is no terminal: of one that began here, and of one that goes on. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { RunProgress } from '../../cli/run-progress.ts';
import type { DagRun, TaskInstance, TaskState } from '../../core/types.ts';
import type { SchedulerEvent } from '../../scheduler/control.ts';
import { dagOf, taskOf } from './scheduler-fixtures.ts';

const { dag: DAG } = dagOf('shop', [taskOf('first'), taskOf('second', ['first'])]);
const RUN = { dagId: 'shop', runId: 'r1', state: 'running', startedAtMs: 0, endedAtMs: null } as DagRun;
const instance = (taskId: string, state: TaskState): TaskInstance =>
  ({ dagId: 'shop', runId: 'r1', taskId, state, startedAtMs: 0, endedAtMs: 1_500, output: null }) as TaskInstance;
const became = (taskId: string, state: TaskState, previous: TaskState): SchedulerEvent => ({
  kind: 'task',
  instance: instance(taskId, state),
  previous,
});

function progress(): { readonly to: RunProgress; readonly lines: () => readonly string[] } {
  const out = new PassThrough();
  let said = '';
  out.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const to = new RunProgress({
    dags: new Map([['shop', DAG]]),
    clock: { now: () => 0 },
    out: out as unknown as NodeJS.WriteStream,
    live: false,
    colour: false,
  });
  return { to, lines: () => said.split('\n').slice(0, -1) };
}

describe('the lines of a run', () => {
  test('that an earlier process began tell where it stands and what happens from then on', () => {
    const { to, lines } = progress();
    to.takeUp(RUN);
    to.onEvent(became('second', 'running', 'queued'));
    to.know(instance('first', 'success'));
    to.know(instance('second', 'scheduled'));
    to.onEvent(became('second', 'success', 'running'));
    to.onEvent({ kind: 'run', run: { ...RUN, state: 'success' } });
    assert.deepEqual(lines(), [
      'shop  r1  running, taken up where it stopped',
      'shop  second  running',
      'shop  second  success  1.5 s',
      'shop  r1  success',
    ]);
  });

  test('that began here are told by events alone', () => {
    const { to, lines } = progress();
    to.onEvent({ kind: 'run', run: RUN });
    to.takeUp(RUN);
    to.know(instance('first', 'running'));
    to.onEvent(became('first', 'running', 'queued'));
    assert.deepEqual(lines(), ['shop  r1  running', 'shop  first  running']);
  });
});
