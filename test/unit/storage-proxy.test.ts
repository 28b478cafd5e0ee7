/** Which requests of a store go through a proxy, on how many tunnels, and what is told where it does not let them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { proxyOf } from '../../cli/network.ts';
import { readSettings } from '../../config/settings.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { type HttpProxy, mayUseProxy } from '../../storage/cloud/proxy.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { openS3Store } from '../../storage/s3/store.ts';
import { type SandboxStore, withSandboxStore } from '../contract/sandbox-store.ts';
import { type ConnectProxy, withConnectProxy } from '../fixtures-support/connect-proxy.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

describe('a host that is asked without the proxy', () => {
  const address = 'https://storage.googleapis.com/storage/v1/b';
  for (const rule of [
    'storage.googleapis.com',
    '.googleapis.com',
    '*.googleapis.com',
    'https://storage.googleapis.com',
  ])
    test(`is named by ${rule}`, () => assert.equal(mayUseProxy(address, ['other', rule]), false));

  for (const rule of ['googleapis.com', '*', '', 'http://storage.googleapis.com', 'storage.googleapis.com:443'])
    test(`is not named by "${rule}", which Google’s clients do not read so`, () =>
      assert.equal(mayUseProxy(address, [rule]), true));
});

describe('the proxy that settings name', () => {
  const proxy = (env: Readonly<Record<string, string>>): Promise<HttpProxy | null> =>
    withTempFolder(async (root) => proxyOf(await readSettings({ root, env })));

  test('is none without a setting', async () => {
    assert.equal(await proxy({ NO_PROXY: 'a' }), null);
  });

  test('is never asked for this machine, nor for the metadata server', async () => {
    const { url, noProxy } =
      (await proxy({ HTTPS_PROXY: 'proxy:3128', no_proxy: 'a.example, .b.example' })) ?? assert.fail();
    assert.equal(url, 'http://proxy:3128');
    for (const host of ['localhost', '127.0.0.1:4610', '[::1]:4610', '169.254.169.254', 'a.example', 'x.b.example'])
      assert.equal(mayUseProxy(`http://${host}/`, noProxy), false, host);
    assert.equal(mayUseProxy('https://storage.googleapis.com/', noProxy), true);
  });

  test('is refused with the setting’s name where it does not speak HTTP, and without its password', async () => {
    for (const address of ['socks5://ada:s3cret@proxy:1080', 'proxy'])
      await assert.rejects(proxy({ HTTPS_PROXY: address }), (thrown: Error) => {
        assert.match(thrown.message, /^network\.proxy cannot be/);
        assert.doesNotMatch(thrown.message, /s3cret/);
        return true;
      });
  });
});

const gcsThrough = (proxy: HttpProxy, { folder, bucket }: SandboxStore): ObjectStore =>
  openGcsStore({
    bucket,
    prefix: '',
    cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
    projectId: null,
    keyFile: null,
    endpoint: 'http://gcs.test',
    proxy,
    patienceMs: 200,
  });

/** A store behind `gcs.test`, which only the proxy knows. */
function behindProxy(
  work: (made: SandboxStore, proxy: ConnectProxy) => Promise<void>,
  refuse: string | null = null,
): Promise<void> {
  return withSandboxStore({}, (made) =>
    withConnectProxy({ 'gcs.test:80': Number(new URL(made.url).port) }, (proxy) => work(made, proxy), refuse),
  );
}

describe('a store of Cloud Storage behind a proxy', () => {
  test('sends everything through one tunnel, as long as nothing happens at once', async () => {
    await behindProxy(async (made, { url, asked }) => {
      const store = gcsThrough({ url, noProxy: [] }, made);
      const body = randomBytes(9 * 1024 * 1024);
      const local = join(made.folder, 'large');
      await writeFile(local, body);
      await store.write('small', Buffer.from('a'), 'absent');
      await store.writeFile('large', local, 'absent');
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.stream('large')) chunks.push(chunk);
      assert.ok(Buffer.concat(chunks).equals(body));
      const keys: string[] = [];
      for await (const { key } of store.list('')) keys.push(key);
      assert.deepEqual(keys, ['large', 'small']);
      assert.deepEqual(asked, ['CONNECT gcs.test:80']);
    });
  });

  test('goes straight where the host is to be asked without it', async () => {
    await behindProxy(async (made, { url, asked }) => {
      const straight = openGcsStore({
        bucket: made.bucket,
        prefix: '',
        cache: { folder: join(made.folder, 'cache'), maxBytes: 1e9 },
        projectId: null,
        keyFile: null,
        endpoint: made.url,
        proxy: { url, noProxy: ['127.0.0.1'] },
      });
      await straight.write('a', Buffer.from('a'));
      assert.deepEqual(asked, []);
    });
  });

  test('whose proxy refuses is told so at once, not that the bucket does', async () => {
    for (const line of ['407 Proxy Authentication Required', '403 Forbidden'])
      await behindProxy(async (made, { url, asked }) => {
        await assert.rejects(gcsThrough({ url, noProxy: [] }, made).read('a'), {
          code: 'storage_denied',
          message: `Cannot read gs://${made.bucket}/a: the proxy refuses the connection (${line}); see network.proxy.`,
        });
        assert.equal(asked.length, 1);
      }, line);
  });

  test('whose proxy is in trouble is tried again', async () => {
    await behindProxy(async (made, { url, asked }) => {
      await assert.rejects(gcsThrough({ url, noProxy: [] }, made).read('a'), { code: 'storage_unavailable' });
      assert.ok(asked.length > 1);
    }, '502 Bad Gateway');
  });

  test('whose proxy is not there is unavailable', async () => {
    await withSandboxStore({}, async (made) => {
      const gone = createServer().listen(0, '127.0.0.1');
      await once(gone, 'listening');
      const { port } = gone.address() as AddressInfo;
      gone.close();
      await once(gone, 'close');
      const store = gcsThrough({ url: `http://127.0.0.1:${port}`, noProxy: [] }, made);
      await assert.rejects(store.read('a'), { code: 'storage_unavailable', message: /check the network, the proxy/ });
    });
  });
});

describe('a store of S3 behind a proxy', () => {
  test('goes through it', async () => {
    process.env.AWS_ACCESS_KEY_ID ??= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
    let requests = 0;
    const server = createServer((request, response) => {
      requests += 1;
      const isList = request.url?.includes('list-type=2') ?? false;
      const listing = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';
      response.writeHead(isList ? 200 : 404).end(isList ? listing : '');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      await withConnectProxy({ 's3.test:80': port }, async ({ url, asked }) => {
        const store = openS3Store({
          bucket: 'b',
          prefix: '',
          cache: { folder: '/nowhere', maxBytes: 0 },
          endpoint: 'http://s3.test',
          region: 'us-east-1',
          forcePathStyle: true,
          proxy: { url, noProxy: [] },
        });
        assert.equal(await store.stat('a'), null);
        assert.equal(await store.stat('b'), null);
        assert.deepEqual([...new Set(asked)], ['CONNECT s3.test:80']);
        assert.ok(asked.length < requests, `${asked.length} tunnels for ${requests} requests`);
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
