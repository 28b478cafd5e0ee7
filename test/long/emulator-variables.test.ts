/** Variables and settings that name other servers than Google's -> the servers that a run speaks to. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { assay } from '../fixtures-support/assay-cli.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const RUN = ['run', 'shop', '--date', '2025-01-02', '--warning-only'];
/** Port 9 is nobody's: whoever asks there fails. */
const NOBODY = '127.0.0.1:9';
const quiet = (): void => {};

interface Emulator {
  readonly project: string;
  /** `127.0.0.1:port` */
  readonly address: string;
  run(args: readonly string[], env: Readonly<Record<string, string>>): ReturnType<typeof assay>;
}

function withEmulator(bucket: string, work: (emulator: Emulator) => Promise<void>): Promise<void> {
  return withTempFolder(async (folder) => {
    const project = join(folder, 'project');
    assert.equal((await assay(['init', project])).code, 0);
    const sandbox = await startSandbox({
      folder: join(folder, 'emulator'),
      host: '127.0.0.1',
      port: 0,
      faults: createFaults([], 1),
      clock: { now: () => Date.now() },
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    try {
      const made = await fetch(`${sandbox.url}/storage/v1/b?project=p`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: bucket }),
      });
      assert.ok(made.ok, await made.text());
      await work({
        project,
        address: new URL(sandbox.url).host,
        run: (args, env) =>
          assay(args, {
            cwd: project,
            env: { NO_PROXY: '', no_proxy: '', GOOGLE_APPLICATION_CREDENTIALS: '', ...env },
          }),
      });
    } finally {
      await sandbox.close();
    }
  });
}

const both = (address: string): Readonly<Record<string, string>> => ({
  STORAGE_EMULATOR_HOST: address,
  BIGQUERY_EMULATOR_HOST: address,
});

/** A proxy that is not there: whatever is sent to this machine by it is lost. */
const DEAD_PROXY = { HTTPS_PROXY: `http://${NOBODY}`, HTTP_PROXY: `http://${NOBODY}` };

test('a run in prod goes to the emulators that the variables name, without credentials, and config explain says so', async () => {
  await withEmulator('shop-lake', async ({ run, address }) => {
    const place = ['--env', 'prod', '--set', 'lake.bucket=shop-lake', '--set', 'google.project=p'];
    for (const written of [address, `http://${address}`]) {
      const env = { ...both(written), ...DEAD_PROXY };
      const { code, stdout, stderr } = await run([...RUN, ...place, '--force'], env);
      assert.equal(code, 0, stdout + stderr);
      for (const key of ['gcs.endpoint', 'bigquery.endpoint']) {
        const explained = await run(['config', 'explain', key, ...place], env);
        assert.match(explained.stdout, new RegExp(`^${key} = http://${address}\n  set by   variable `));
      }
    }
  });
});

test('a setting that is stronger than the variables is what happens', async () => {
  await withEmulator('assay-sandbox', async ({ run, address }) => {
    const endpoints = [`gcs.endpoint=${address}`, `bigquery.endpoint=${address}`].flatMap((pair) => ['--set', pair]);
    const { code, stdout, stderr } = await run([...RUN, '--env', 'sandbox', ...endpoints], both(NOBODY));
    assert.equal(code, 0, stdout + stderr);
  });
});

test('the sandbox is spoken to directly where the machine has a proxy', async () => {
  await withEmulator('unused', async ({ run }) => {
    const { code, stdout, stderr } = await run([...RUN, '--env', 'sandbox'], { ...both(''), ...DEAD_PROXY });
    assert.equal(code, 0, stdout + stderr);
  });
});

test('an emulator for objects alone is refused in the sandbox, whose BigQuery could not load from it', async () => {
  await withEmulator('unused', async ({ run, address }) => {
    const { code, stderr } = await run([...RUN, '--env', 'sandbox'], { ...both(''), STORAGE_EMULATOR_HOST: address });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /gcs\.endpoint is http:.*variable STORAGE_EMULATOR_HOST.*set bigquery\.endpoint as well/);
  });
});
