/** A project that somebody else owns: what may not be written is named as such, and is no bug. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay, type CliResult } from '../fixtures-support/assay-cli.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
let base = '';
let shop = '';
/** Why the tests cannot run here. */
let unreachable: string | undefined;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-no-rights-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
  assert.equal((await assay(['run', 'shop', '--date', '2025-01-02'], { cwd: shop })).code, 0);
  await setMode(0o555, 0o444);
  if ((await asStranger('--version')).code !== 0) unreachable = 'run by root from a folder that nobody else may read';
});
after(async () => {
  await setMode(0o755, 0o644);
  await rm(base, { recursive: true, force: true });
});

async function setMode(folders: number, files: number): Promise<void> {
  await chmod(base, 0o755);
  await chmod(shop, folders | 0o200);
  for (const entry of await readdir(shop, { recursive: true, withFileTypes: true }))
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? folders : files);
  await chmod(shop, folders);
}

/** Rights do not bind root: it becomes nobody. */
function asStranger(...args: string[]): Promise<CliResult> {
  return new Promise((resolve) => {
    const command = [join(packageRoot(), 'dist/cli/main.js'), '--project', shop, ...args];
    const env = { ...process.env, CI: 'true', HOME: base };
    const who = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
    const child = execFile(process.execPath, command, { cwd: '/', env, ...who }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe('a project that this user may only read', () => {
  test('shows what is published', async (t) => {
    if (unreachable) return t.skip(unreachable);
    const { code, stdout, stderr } = await asStranger('ls');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /gold\.fct_daily_orders/);
  });

  for (const args of [['status'], ['run', 'shop', '--date', '2025-01-03'], ['server', '--port', '0']]) {
    test(`says what may not be written: assay ${args.join(' ')}`, async (t) => {
      if (unreachable) return t.skip(unreachable);
      const { code, stderr } = await asStranger(...args);
      assert.equal(code, 8, stderr);
      assert.match(stderr, /^This user may not .*\.assay\/.*\n\(storage_denied\)\n$/);
    });
  }
});
