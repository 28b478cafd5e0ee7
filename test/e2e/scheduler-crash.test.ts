import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { lostInARow, MOST_LOST_IN_A_ROW } from '../../scheduler/retry.ts';
import { RunStore } from '../../scheduler/store/run-store.ts';
import { systemClock } from '../unit/scheduler-fixtures.ts';
import { heldFile } from './held-file.ts';

let folder = '';
const running = new Set<ChildProcess>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-crash-'));
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface SchedulerProcess {
  readonly lines: readonly string[];
  /** Resolves when the line has been printed, or the process has ended. */
  said(line: string): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

function launch(dagId = 'parent'): SchedulerProcess {
  const module = fileURLToPath(new URL('./scheduler-crash-process.js', import.meta.url));
  const child = spawn(process.execPath, [module, folder, dagId], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    waiting.get(line)?.();
  });
  const ended = new Promise<number | string | null>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(signal ?? code);
    });
  });
  return {
    lines,
    said: async (line) => {
      if (lines.includes(line)) return;
      const printed = new Promise<void>((resolve) => waiting.set(line, resolve));
      await Promise.race([printed, ended]);
    },
    signal: (name) => child.kill(name),
    ended,
  };
}

/** What must hold once the run is over, however often its scheduler was killed. */
async function assertWhole(kills: number): Promise<void> {
  await using store = await RunStore.open(join(folder, '.assay', 'runs.db'), { clock: systemClock, readOnly: true });
  const { runs } = await store.listRuns({ orderBy: ['dag_id'] });
  assert.deepEqual(
    runs.map((run) => [run.dagId, run.state]),
    [
      ['child', 'success'],
      ['parent', 'success'],
    ],
    'one run of each, none doubled',
  );
  const effects = readFileSync(join(folder, 'effects.txt'), 'utf8').replace(/\n$/, '').split('\n');
  for (const run of runs) {
    for (const instance of await store.listInstances(run.dagId, run.runId)) {
      const name = `${run.dagId}/${instance.taskId}`;
      assert.equal(instance.state, 'success', name);
      const attempts = await store.listAttempts(run.dagId, run.runId, instance.taskId);
      assert.deepEqual(
        attempts.map(({ tryNumber }) => tryNumber),
        attempts.map((_, index) => index + 1),
        `${name}: tries are counted without gaps`,
      );
      assert.equal(attempts.at(-1)?.state, 'success', name);
      for (const lost of attempts.slice(0, -1)) assert.equal(lost.state, 'lost', name);
      assert.ok(attempts.length <= kills + 1, `${name} was tried ${attempts.length} times`);
      if (instance.taskId === 'call') continue;
      assert.equal(effects.filter((line) => line.startsWith(`end ${name} ${instance.tryNumber} `)).length, 1, name);
    }
  }
  for (const line of effects) assert.match(line, / $/, 'no attempt ran beside an earlier one of its task');
  const workers = join(folder, '.assay', 'workers');
  assert.deepEqual(existsSync(workers) ? readdirSync(workers) : [], []);
  assert.equal(readProjectLock(join(folder, '.assay')), null);
}

describe('a scheduler that is killed', () => {
  test('at one moment after the other leaves each time a run that the next one goes on with, and the last one ends', async () => {
    const moments = [
      'parent running',
      'parent/spin running',
      'child/work running',
      'child/more running',
      'parent/right running',
      'parent/last running',
    ];
    for (const moment of moments) {
      // The run does not end before the kill comes, however late that is.
      const held = heldFile(folder, moment.split(' ')[0] ?? '');
      writeFileSync(held, '');
      const victim = launch();
      await victim.said(moment);
      victim.signal('SIGKILL');
      assert.equal(await victim.ended, 'SIGKILL', `it ended before "${moment}": ${victim.lines.join('; ')}`);
      rmSync(held);
    }
    const last = launch();
    assert.equal(await last.ended, 0);
    assert.ok(last.lines.includes('ended success'), last.lines.join('; '));
    await assertWhole(moments.length);
  });
});

describe('a task that takes its scheduler down', () => {
  test('is tried eight times, then fails by name, and has used up no more than that when it is cleared', async () => {
    for (let life = 1; life <= MOST_LOST_IN_A_ROW; life += 1)
      assert.equal(await launch('deadly').ended, 'SIGKILL', `life ${life}`);
    const last = launch('deadly');
    assert.equal(await last.ended, 0);
    assert.ok(last.lines.includes('ended failed'), last.lines.join('; '));
    await using store = await RunStore.open(join(folder, '.assay', 'runs.db'), { clock: systemClock, readOnly: true });
    const states = (await store.listInstances('deadly', 'r')).map((one) => [one.taskId, one.state, one.error?.code]);
    assert.deepEqual(
      new Map(states.map(([task, ...rest]) => [task, rest])),
      new Map([
        ['kills', ['failed', 'task_died']],
        ['after', ['upstream_failed', undefined]],
      ]),
    );
    const attempts = await store.listAttempts('deadly', 'r', 'kills');
    assert.deepEqual(
      attempts.map(({ state }) => state),
      [...Array<string>(MOST_LOST_IN_A_ROW - 1).fill('lost'), 'failed'],
    );
    assert.match(attempts.at(-1)?.error?.message ?? '', /each of the last 8 times that the scheduler died/);
    assert.equal(lostInARow(attempts), 0);
  });
});

describe('a scheduler that is asked to stop', () => {
  test('stops within its grace and leaves a run that the next one finishes', async () => {
    const first = launch();
    await first.said('parent/spin running');
    first.signal('SIGTERM');
    assert.equal(await first.ended, 0);
    assert.ok(first.lines.includes('state_conflict') && first.lines.includes('stopped'), first.lines.join('; '));
    const second = launch();
    assert.equal(await second.ended, 0);
    assert.ok(second.lines.includes('ended success'));
    await assertWhole(1);
  });
});

describe('a second scheduler on the same project', () => {
  test('is refused by name, and the first one is not disturbed', async () => {
    const first = launch();
    await first.said('parent/spin running');
    const second = launch();
    assert.equal(await second.ended, 7);
    assert.match(second.lines.join('\n'), /^project_locked Another scheduler runs this project: process \d+/);
    first.signal('SIGKILL');
    await first.ended;
    const third = launch();
    assert.equal(await third.ended, 0, 'a killed holder keeps nobody out');
    await assertWhole(1);
  });
});
