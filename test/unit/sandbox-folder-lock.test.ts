/** At most one sandbox on a folder, and no dead one in the way. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import { lockFolder } from '../../sandbox/folder-lock.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const inFolder = (work: (folder: string) => void): Promise<void> => withTempFolder(async (folder) => work(folder));
const isLocked = (thrown: unknown): boolean => asPipelineError(thrown).code === 'project_locked';

/** A process that has ended, as it would have written itself down. */
function dead(token: string): string {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  return JSON.stringify({ pid, startedAt: '1', token });
}

describe('the lock of a sandbox folder', () => {
  test('is had by one at a time and given back', () =>
    inFolder((folder) => {
      const unlock = lockFolder(folder);
      assert.throws(() => lockFolder(folder), isLocked);
      unlock();
      lockFolder(folder)();
      assert.deepEqual(readdirSync(folder), []);
    }));

  test('passes from a dead holder to the next', () =>
    inFolder((folder) => {
      writeFileSync(join(folder, 'lock'), dead('a'));
      lockFolder(folder)();
      assert.deepEqual(readdirSync(folder), []);
    }));

  test('passes on also where one died as it took the lock over, be it twice', () =>
    inFolder((folder) => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'lock'), dead('a'));
      writeFileSync(join(folder, 'lock-after-a'), dead('b'));
      writeFileSync(join(folder, 'lock-after-b'), dead('c'));
      const unlock = lockFolder(folder);
      assert.throws(() => lockFolder(folder), isLocked);
      unlock();
      assert.deepEqual(readdirSync(folder), []);
    }));

  test('does not pass on while one that lives is taking it over', () =>
    inFolder((folder) => {
      writeFileSync(join(folder, 'lock'), dead('a'));
      writeFileSync(join(folder, 'lock-after-a'), JSON.stringify({ pid: process.pid, startedAt: '', token: 'b' }));
      assert.throws(() => lockFolder(folder), isLocked);
    }));
});
