/** The demo on a sandbox that fails by rule -> the gold of a sandbox that does not. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay } from '../fixtures-support/assay-cli.ts';
import { killAll, startGroup } from './sandbox-process.ts';
import { assertSameAsUndisturbed, SIZE, type Undisturbed, undisturbedDemo } from './sandbox-state.ts';

let base = '';
let undisturbed: Undisturbed;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-faults-'));
  undisturbed = await undisturbedDemo(join(base, 'local'));
});
after(async () => {
  await killAll();
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
});

/** Everything at once, and no answer to a write that names the right checksum: pointers and ledgers are among them. */
const RULES = [
  'storage:503:0.05',
  'storage:429:0.01',
  'storage:reset:0.02',
  'storage:lost-reply:0.02',
  'storage:wrong-checksum:1',
  'bigquery:backendError:0.05',
  'bigquery:rateLimitExceeded:0.01',
  'bigquery:reset:0.01',
  'bigquery:lost-reply:0.02',
  'bigquery:job.backendError:0.05',
];

describe('assay demo --env sandbox, while requests and jobs fail', () => {
  test('comes to the same gold, with every fault found and nothing done twice', async () => {
    const project = join(base, 'failing');
    assert.equal((await assay(['init', project])).code, 0);
    const rules = RULES.flatMap((rule) => ['--fault', rule]);
    const sandbox = startGroup(['sandbox', '--port', '0', ...rules], { cwd: project });
    await sandbox.said(/Sandbox on http/);
    const demo = await assay(['demo', project, ...SIZE, '--env', 'sandbox'], { cwd: base });
    assert.equal(demo.code, 0, demo.stdout + demo.stderr);
    assert.match(demo.stdout, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);

    sandbox.signal('SIGTERM');
    const { code, output } = await sandbox.ended;
    assert.equal(code, 0, output);
    const [, storage, bigquery] = /Failed by these rules: (\d+) of storage, (\d+) of bigquery\./.exec(output) ?? [];
    assert.ok(Number(storage) > 100 && Number(bigquery) > 10, output);
    await assertSameAsUndisturbed(project, undisturbed, join(base, 'cache'));
  });
});
