import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../core/types.ts';
import type { LogLine } from '../../scheduler/control.ts';
import { AttemptLog, readAttemptLog } from '../../scheduler/executors/attempt-log.ts';
import type { AttemptOutcome } from '../../scheduler/executors/executor.ts';
import { LocalExecutor } from '../../scheduler/executors/local.ts';
import { identify, isAlive } from '../../scheduler/process-identity.ts';
import { silentLog, specOf, systemClock, taskOf } from './scheduler-fixtures.ts';

let stateDir = '';
let executor: LocalExecutor;
let count = 0;

function open(settings: JsonObject = {}, heldGraceMs = 60_000): void {
  executor = new LocalExecutor({
    modulePath: fileURLToPath(new URL('./scheduler-child.js', import.meta.url)),
    settings,
    env: { PATH: process.env.PATH },
    slots: 2,
    stateDir,
    clock: systemClock,
    log: silentLog,
    cancelGraceMs: 50,
    heldGraceMs,
  });
}

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'assay-executor-'));
  open();
});

afterEach(async () => {
  await executor.close();
  rmSync(stateDir, { recursive: true, force: true });
});

interface Started {
  readonly attemptId: string;
  readonly outcome: Promise<AttemptOutcome>;
  readonly lines: readonly LogLine[];
  readonly logPath: string;
}

function start(params: JsonObject, rest: { timeoutMs?: number; tryNumber?: number } = {}): Started {
  count += 1;
  const attemptId = `d/r/t/-1/${count}`;
  const logPath = join(stateDir, 'logs', `${count}.jsonl`);
  const lines: LogLine[] = [];
  const outcome = executor.start({
    attemptId,
    run: {
      dagId: 'd',
      runId: 'r',
      interval: { startMs: 0, endMs: 86_400_000 },
      firstDay: '1970-01-01',
      runDate: '1970-01-01',
      conf: {},
    },
    task: taskOf('t', [], { params }),
    tryNumber: rest.tryNumber ?? 1,
    outputs: { above: { kind: 'nothing' } },
    spec: specOf(),
    timeoutMs: rest.timeoutMs ?? 30_000,
    logPath,
    onLog: (line) => lines.push(line),
  });
  return { attemptId, outcome, lines, logPath };
}

/** Resolves once the attempt has logged the line. */
async function said({ lines }: Started, event: string): Promise<void> {
  while (!lines.some((line) => line.event === event)) await new Promise((resolve) => setImmediate(resolve));
}

async function failure(started: Started) {
  const outcome = await started.outcome;
  return outcome.kind === 'failed' ? outcome : assert.fail('it succeeded');
}

describe('a task child', () => {
  test('gets the task, the spec, the run’s facts and the outputs, and a folder of its own that goes with the attempt', async () => {
    const outcome = await start({ do: 'tell' }).outcome;
    assert.ok(outcome.kind === 'done' && outcome.output.kind === 'branch');
    assert.deepEqual(outcome.output.follow, ['shop', '1970-01-01', '16', 'above']);
    const [pid, tempDir = ''] = outcome.output.because.split(' ');
    assert.equal(Number(pid), outcome.pid);
    assert.notEqual(Number(pid), process.pid);
    assert.ok(tempDir.startsWith(join(stateDir, 'tmp')));
    await executor.close();
    assert.ok(!existsSync(tempDir));
  });

  test('is kept warm and used again', async () => {
    const pids = [];
    for (let n = 0; n < 4; n += 1) pids.push((await start({}).outcome).pid);
    assert.equal(new Set(pids).size, 1);
  });

  test('loads ahead of its first task where work is expected, and only then', async () => {
    const isWarm = async (): Promise<string | null> => {
      const outcome = await start({ do: 'say whether warm' }).outcome;
      return outcome.kind === 'done' && outcome.output.kind === 'branch' ? outcome.output.because : null;
    };
    assert.equal(await isWarm(), 'false');
    executor.warm();
    assert.equal(await isWarm(), 'true');
  });

  test('runs beside others, one attempt each', async () => {
    const waiting = [start({ do: 'wait' }), start({ do: 'wait' })];
    while (readdirSync(join(stateDir, 'workers')).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    for (const { attemptId } of waiting) executor.cancel(attemptId, 'enough');
    const ended = await Promise.all(waiting.map(failure));
    assert.equal(new Set(ended.map(({ pid }) => pid)).size, 2);
  });

  test('has its log lines and its output in the attempt’s log, in JSON lines', async () => {
    const { outcome, lines, logPath } = start({ do: 'log' });
    assert.equal((await outcome).kind, 'done');
    await executor.close();
    const stored = await readAttemptLog(logPath);
    const said = stored.map(({ level, event, rows, stream }) => ({
      level,
      event,
      ...(rows ? { rows } : {}),
      ...(stream ? { stream } : {}),
    }));
    assert.equal(said.length, 3);
    for (const line of [
      { level: 'info', event: 'counted', rows: '3' },
      { level: 'info', event: 'plain line', stream: 'stdout' },
      { level: 'warn', event: 'plain fault', stream: 'stderr' },
    ]) {
      assert.ok(
        said.some((each) => JSON.stringify(each) === JSON.stringify(line)),
        line.event,
      );
    }
    assert.equal(lines[0]?.event, 'counted');
  });
});

describe('an attempt that fails', () => {
  test('by a known error keeps its code; by a bug is internal; both are logged with their stack', async () => {
    const refused = start({ do: 'refuse' });
    assert.deepEqual((await failure(refused)).error, {
      code: 'bronze_missing',
      message: 'no manifest for 2025-10-15',
      retryable: false,
    });
    const bug = await failure(start({ do: 'bug' }));
    assert.equal(bug.error.code, 'internal');
    assert.match(bug.stack ?? '', /TypeError: undefined is not a function\n\s+at /);
    await executor.close();
    const [line] = await readAttemptLog(refused.logPath);
    assert.equal(line?.event, 'no manifest for 2025-10-15');
    assert.equal(line?.level, 'error');
  });

  test('by returning what is no JSON is told so', async () => {
    const { error } = await failure(start({ do: 'bigint' }));
    assert.equal(error.code, 'internal');
    assert.match(error.message, /no JSON.*BigInt/);
  });

  test('with its process is task_died, with the signal or the exit code and the last words', async () => {
    const killed = await failure(start({ do: 'die' }));
    assert.equal(killed.error.code, 'task_died');
    assert.equal(killed.error.retryable, true);
    assert.match(killed.error.message, /SIGSEGV.*about to fall/);
    const exited = await failure(start({ do: 'exit' }));
    assert.match(exited.error.message, /exit code 3/);
    assert.equal((await start({}).outcome).kind, 'done', 'the pool has filled up again');
  });

  test('because the child cannot start says why', async () => {
    open({ broken: true });
    const { error } = await failure(start({}));
    assert.equal(error.code, 'task_died');
    assert.match(error.message, /the settings are broken/);
  });
});

describe('an attempt that has to end', () => {
  test('at its timeout is ended even in a busy loop, and its process is gone', async () => {
    const warm = await start({}).outcome;
    const { error, pid } = await failure(start({ do: 'spin' }, { timeoutMs: 60 }));
    assert.equal(error.code, 'task_timeout');
    assert.equal(pid, warm.pid);
    assert.equal(isAlive(identify(pid ?? assert.fail())), false);
    assert.equal((await start({}).outcome).kind, 'done');
  });

  test('by cancel ends as cancelled, and cancelling it again, or one that is over, does nothing', async () => {
    const waiting = start({ do: 'wait' });
    executor.cancel(waiting.attemptId, 'the run was cancelled');
    executor.cancel(waiting.attemptId, 'again');
    const { error } = await failure(waiting);
    assert.deepEqual([error.code, error.retryable], ['task_cancelled', false]);
    assert.match(error.message, /the run was cancelled/);
    executor.cancel(waiting.attemptId, 'late');
  });

  test('because the executor closes ends as cancelled, and nothing starts after', async () => {
    const waiting = start({ do: 'wait' });
    await executor.close();
    assert.equal((await failure(waiting)).error.code, 'task_cancelled');
    assert.equal((await failure(start({}))).error.code, 'task_cancelled');
    assert.deepEqual(readdirSync(join(stateDir, 'workers')), []);
  });
});

describe('an attempt that holds its timeout', () => {
  test('is given that time on top, and what it had left before', async () => {
    await start({}).outcome;
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    try {
      const file = join(stateDir, 'go-on');
      const held = start({ do: 'hold', file }, { timeoutMs: 1500 });
      await said(held, 'held');
      mock.timers.tick(60_000);
      writeFileSync(file, '');
      await said(held, 'going on');
      mock.timers.tick(1499);
      assert.equal(await Promise.race([held.outcome, 'under way']), 'under way');
      mock.timers.tick(1);
      assert.equal((await failure(held)).error.code, 'task_timeout');
    } finally {
      mock.timers.reset();
    }
  });

  test('has a longer grace, in which it can take back what it asked of another machine', async () => {
    const file = join(stateDir, 'taken-back');
    const held = start({ do: 'take back', held: true, ms: 200, file });
    await said(held, 'waiting');
    executor.cancel(held.attemptId, 'the run was cancelled');
    assert.equal((await failure(held)).error.code, 'task_cancelled');
    assert.ok(existsSync(file));
  });

  test('is killed all the same when that is over, and at once where it holds nothing', async () => {
    open({}, 200);
    const file = join(stateDir, 'taken-back');
    for (const isHeld of [true, false]) {
      const stubborn = start({ do: 'take back', held: isHeld, ms: 60_000, file });
      await said(stubborn, 'waiting');
      executor.cancel(stubborn.attemptId, 'the run was cancelled');
      const { error, pid } = await failure(stubborn);
      assert.equal(error.code, 'task_cancelled');
      assert.equal(isAlive(identify(pid ?? assert.fail())), false);
    }
    assert.ok(!existsSync(file));
  });
});

describe('a disk that takes no more', () => {
  test('fails the attempt whose process cannot be registered, and its process is gone', async () => {
    writeFileSync(join(stateDir, 'workers'), 'no folder');
    const { error } = await failure(start({}));
    assert.match(error.message, /workers/);
    rmSync(join(stateDir, 'workers'));
    assert.equal((await start({}).outcome).kind, 'done');
  });

  test('fails the attempt whose folder cannot be made, not its process', async () => {
    const warm = await start({}).outcome;
    rmSync(join(stateDir, 'tmp'), { recursive: true, force: true });
    writeFileSync(join(stateDir, 'tmp'), 'no folder');
    const { error, pid } = await failure(start({}));
    assert.match(error.message, /tmp/);
    assert.equal(pid, warm.pid);
    rmSync(join(stateDir, 'tmp'));
  });
});

describe('what an earlier scheduler left', () => {
  test('is ended and removed before the first attempt', async () => {
    const { pid } = await start({}).outcome;
    const worker = identify(pid ?? assert.fail());
    const leftover = start({ do: 'spin' });
    const successor = new LocalExecutor({
      ...{ modulePath: 'unused', settings: {}, env: {}, slots: 1, stateDir },
      clock: systemClock,
      log: silentLog,
    });
    assert.equal(isAlive(worker), true);
    await successor.prepare();
    assert.equal(isAlive(worker), false);
    assert.ok(!existsSync(join(stateDir, 'tmp')));
    assert.equal((await failure(leftover)).error.code, 'task_died');
    await successor.close();
  });
});

describe('the log of an attempt', () => {
  const line = (event: string): LogLine => ({ timestamp: '2025-10-15T00:00:00.000Z', level: 'info', event });

  test('stops growing at its limit and says so', async () => {
    const path = join(stateDir, 'logs', 'long.jsonl');
    const log = new AttemptLog(path);
    for (let n = 0; n < 300; n += 1) log.write(line('x'.repeat(60_000)));
    await log.close();
    assert.ok(statSync(path).size < 9 * 1024 * 1024);
    assert.match((await readAttemptLog(path)).at(-1)?.event ?? '', /The log ends here/);
  });

  test('is read without the line that a killed writer left half', async () => {
    const path = join(stateDir, 'cut.jsonl');
    const log = new AttemptLog(path);
    log.write(line('whole'));
    await log.close();
    appendFileSync(path, '{"timestamp":"2025');
    assert.deepEqual(await readAttemptLog(path), [line('whole')]);
  });
});
