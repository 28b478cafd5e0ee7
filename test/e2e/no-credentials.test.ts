/** Google Cloud asked for by somebody who has no credentials: one sentence that says what to do, and nothing else. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay } from '../fixtures-support/assay-cli.ts';

let base = '';
let shop = '';
/** Drops every connection, as a gateway may in the place of a metadata server. */
const metadata = createServer((request) => request.socket.destroy());

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-no-credentials-'));
  shop = join(base, 'shop');
  assert.equal((await assay(['init', shop])).code, 0);
  await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  metadata.close();
  await rm(base, { recursive: true, force: true });
});

describe('an environment in the cloud, without credentials', () => {
  const cloud = ['--env', 'dev', '--set', 'lake.bucket=lake', '--set', 'google.project=shop'];
  const lonely = () => ({
    cwd: shop,
    env: {
      HOME: base,
      CLOUDSDK_CONFIG: base,
      GOOGLE_APPLICATION_CREDENTIALS: '',
      GCE_METADATA_HOST: `127.0.0.1:${(metadata.address() as AddressInfo).port}`,
      METADATA_SERVER_DETECTION: 'ping-only',
    },
  });

  test('is refused in a command with one sentence on stderr', async () => {
    const { code, stdout, stderr } = await assay(['ls', ...cloud], lonely());
    assert.equal(code, 8);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^Cannot read gs:\/\/lake\/.*no Google credentials can be used .*google\.key_file\.\n\(storage_denied\)\n$/,
    );
  });

  test('is refused in a task likewise', async () => {
    const { code, stdout, stderr } = await assay(['run', 'shop', '--date', '2025-01-02', ...cloud], lonely());
    assert.equal(code, 8);
    assert.match(stdout, /no Google credentials can be used/);
    assert.doesNotMatch(stderr, /Warning/);
  });
});
