/** The address that a sandbox leaves in its folder -> the sandbox that runs, or none. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { addressFile, runningSandbox } from '../../cli/sandbox-connection.ts';
import { serveSandbox } from '../../cli/serve-sandbox.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('the sandbox of a folder', () => {
  test('is found while it serves, and not after', () =>
    withTempFolder(async (folder) => {
      assert.equal(await runningSandbox(folder), null);
      const served = await serveSandbox({ folder, port: 0, faults: [], seed: 1, log: LOG });
      assert.deepEqual(await runningSandbox(folder), { url: served.url, pid: process.pid });
      await served.close();
      assert.equal(await runningSandbox(folder), null);
    }));

  test('is not whoever has the address and the process id of a killed one by now', () =>
    withTempFolder(async (folder) => {
      const other = createServer((_request, response) => response.end('something else'));
      await new Promise<void>((resolve) => {
        other.listen(0, '127.0.0.1', resolve);
      });
      try {
        const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
        await writeFile(addressFile(folder), JSON.stringify({ url, pid: process.pid }));
        assert.equal(await runningSandbox(folder), null);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    }));
});
