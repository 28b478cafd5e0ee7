import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RunStore } from '../../scheduler/store/run-store.ts';
import { systemClock } from '../unit/scheduler-fixtures.ts';
import { heldFile } from './held-file.ts';

/** A file system of four megabytes, gone with the test; null, with a word, where this user may mount none. */
function smallDisk(context: TestContext): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'assay-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true, force: true });
    context.skip('mounting a small file system takes root on Linux; the run store’s own limit is tested in unit tests');
    return null;
  }
  context.after(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function fill(path: string): void {
  try {
    while (true) appendFileSync(path, Buffer.alloc(4096));
  } catch (thrown) {
    assert.equal((thrown as NodeJS.ErrnoException).code, 'ENOSPC');
  }
}

interface Ended {
  readonly code: number | string | null;
  readonly lines: readonly string[];
}

/** Runs a scheduler process to its end; `onLine` sees what it says. */
async function schedule(folder: string, onLine: (line: string) => void): Promise<Ended> {
  const module = fileURLToPath(new URL('./scheduler-crash-process.js', import.meta.url));
  const child = spawn(process.execPath, [module, folder, 'child'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    onLine(line);
  });
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code: signal ?? code, lines })));
}

describe('a scheduler on a disk that runs full', () => {
  test('stops by itself, leaves no process behind, and goes on once there is room', async (context) => {
    const folder = smallDisk(context);
    if (folder === null) return;
    const ballast = join(folder, 'ballast');
    const held = heldFile(folder, 'child/work');
    writeFileSync(held, '');
    const first = await schedule(folder, (line) => {
      if (line !== 'child/work running' || !existsSync(held)) return;
      fill(ballast);
      // An empty file: its end gives no room.
      rmSync(held);
    });
    assert.equal(first.code, 0, first.lines.join('; '));
    assert.ok(first.lines.includes('storage_full'), first.lines.join('; '));
    assert.deepEqual(readdirSync(join(folder, '.assay', 'workers')), []);
    const stuck = await schedule(folder, () => {});
    assert.ok(!stuck.lines.includes('ended success'), 'there is no room yet');
    rmSync(ballast);
    const last = await schedule(folder, () => {});
    assert.ok(last.lines.includes('ended success'), last.lines.join('; '));
    await using store = await RunStore.open(join(folder, '.assay', 'runs.db'), { clock: systemClock, readOnly: true });
    const states = (await store.listInstances('child', 'r')).map(({ state }) => state);
    assert.deepEqual(states, ['success', 'success']);
    assert.match(readFileSync(join(folder, 'effects.txt'), 'utf8'), /end child\/more /);
  });
});
