import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { identify, isAlive } from '../../scheduler/process-identity.ts';
import { acquireProjectLock, readProjectLock } from '../../scheduler/project-lock.ts';

const clock = { now: () => Date.UTC(2025, 9, 15, 6) };
let stateDir = '';

beforeEach(() => {
  stateDir = join(mkdtempSync(join(tmpdir(), 'assay-lock-')), '.assay');
});

afterEach(() => rmSync(join(stateDir, '..'), { recursive: true, force: true }));

describe('the project lock', () => {
  test('names its holder to whoever comes second, and is free again after', () => {
    const lock = acquireProjectLock({ stateDir, clock });
    lock.announce('http://127.0.0.1:4600');
    assert.throws(
      () => acquireProjectLock({ stateDir, clock }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof PipelineError);
        assert.equal(thrown.code, 'project_locked');
        assert.match(thrown.message, new RegExp(`process ${process.pid}, since 2025-10-15T06:00:00.000Z`));
        assert.match(thrown.message, /http:\/\/127\.0\.0\.1:4600/);
        return true;
      },
    );
    const holder = { pid: process.pid, address: 'http://127.0.0.1:4600', startedAt: '2025-10-15T06:00:00.000Z' };
    assert.deepEqual(readProjectLock(stateDir), holder);
    lock.release();
    assert.equal(readProjectLock(stateDir), null);
    acquireProjectLock({ stateDir, clock }).release();
  });

  test('is not kept by the file of a process that was killed', () => {
    acquireProjectLock({ stateDir, clock }).release();
    const gone = { pid: 2 ** 22 - 3, address: null, startedAt: 'x', process: { pid: 2 ** 22 - 3, startedAt: '1' } };
    writeFileSync(join(stateDir, 'scheduler.lock'), JSON.stringify(gone));
    assert.equal(readProjectLock(stateDir), null);
    const lock = acquireProjectLock({ stateDir, clock });
    assert.match(readFileSync(join(stateDir, 'scheduler.lock'), 'utf8'), new RegExp(`"pid":${process.pid}`));
    lock.release();
    assert.ok(!existsSync(join(stateDir, 'scheduler.lock')));
  });

  test('is not taken for held where the holder’s id belongs to another process by now', () => {
    acquireProjectLock({ stateDir, clock }).release();
    const reused = {
      pid: process.pid,
      address: null,
      startedAt: 'x',
      process: { pid: process.pid, startedAt: 'earlier' },
    };
    writeFileSync(join(stateDir, 'scheduler.lock'), JSON.stringify(reused));
    assert.equal(readProjectLock(stateDir), null);
  });

  test('reads as free where the file is cut short', () => {
    acquireProjectLock({ stateDir, clock }).release();
    writeFileSync(join(stateDir, 'scheduler.lock'), '{"pid": 12');
    assert.equal(readProjectLock(stateDir), null);
  });
});

describe('a process', () => {
  test('is alive until it ends', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    const identity = identify(child.pid ?? assert.fail());
    assert.equal(isAlive(identity), true);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    assert.equal(isAlive(identity), false);
  });
});
