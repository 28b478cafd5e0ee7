/** What the store for S3 makes of servers that do not keep to S3's rules, and of answers that are none. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { openS3Store } from '../../storage/s3/store.ts';

interface Served {
  readonly store: ObjectStore;
  /** `PUT /b/lake/k If-None-Match`, in the order of their arrival. */
  readonly requests: readonly string[];
  readonly stored: ReadonlyMap<string, Buffer>;
}

interface Server {
  /** Conditions that it knows; it passes over the others. */
  readonly knows?: readonly string[];
  /** True where it has answered in its own way. */
  readonly misbehaves?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** As much of S3 as single writes need. */
async function withServer(
  { knows = ['if-none-match', 'if-match'], misbehaves = () => false }: Server,
  work: (served: Served) => Promise<void>,
): Promise<void> {
  process.env.AWS_ACCESS_KEY_ID = 'test';
  process.env.AWS_SECRET_ACCESS_KEY = 'test';
  const stored = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      const asked = ['if-none-match', 'if-match'].filter((name) => request.headers[name] !== undefined);
      requests.push([request.method, path, ...asked].join(' '));
      if (misbehaves(request, response)) return;
      const found = stored.get(path);
      if (request.method === 'PUT') {
        const { 'if-none-match': none, 'if-match': match } = request.headers;
        const fails =
          (none === '*' && found !== undefined && knows.includes('if-none-match')) ||
          (match !== undefined && (found === undefined || etagOf(found) !== match) && knows.includes('if-match'));
        if (fails) return void response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>');
        const body = Buffer.concat(chunks);
        stored.set(path, body);
        return void response.writeHead(200, { etag: etagOf(body) }).end();
      }
      if (found === undefined) return void response.writeHead(404).end();
      response.writeHead(200, {
        etag: etagOf(found),
        'content-length': found.byteLength,
        'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT',
      });
      response.end(request.method === 'HEAD' ? undefined : found);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const store = openS3Store({
      bucket: 'b',
      prefix: 'lake/',
      cache: { folder: '/nowhere', maxBytes: 0 },
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      patienceMs: 200,
      silenceMs: 100,
    });
    await work({ store, requests, stored });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const etagOf = (body: Buffer): string => `"${createHash('md5').update(body).digest('hex')}"`;
const text = (body: string): Uint8Array => Buffer.from(body);
const withCode = (code: string) => (thrown: unknown) => thrown instanceof PipelineError && thrown.code === code;

describe('a server that speaks S3', () => {
  test('and does not answer, or stops in the middle of it, is not waited for without end', () =>
    withServer(
      {
        misbehaves: ({ method }, response) => {
          if (method === 'GET') response.writeHead(200, { etag: '"a"', 'content-length': 1_000 }).write('rows');
          return true;
        },
      },
      async ({ store }) => {
        await assert.rejects(store.stat('k'), withCode('storage_unavailable'));
        await assert.rejects(store.read('k'), withCode('storage_unavailable'));
        await assert.rejects(store.write('k', text('1')), withCode('storage_unavailable'));
      },
    ));

  test('and passes over If-None-Match is refused before anything is written under a condition', () =>
    withServer({ knows: ['if-match'] }, async ({ store, stored }) => {
      for (const write of [
        () => store.write('_latest.json', text('1'), 'absent'),
        () => store.write('_latest.json', text('1'), { generation: '"a"' }),
      ]) {
        await assert.rejects(write, (thrown) => {
          assert.ok(withCode('storage_denied')(thrown), String(thrown));
          assert.match((thrown as Error).message, /If-None-Match: \*/);
          return true;
        });
      }
      assert.deepEqual([...stored.keys()], ['/b/lake/.conditional-write']);
    }));

  test('and passes over If-Match is refused as well', () =>
    withServer({ knows: ['if-none-match'] }, async ({ store, stored }) => {
      await assert.rejects(store.write('_latest.json', text('1'), 'absent'), /said If-Match/);
      assert.deepEqual([...stored.keys()], ['/b/lake/.conditional-write']);
    }));

  test('and keeps to both is asked once a process, by requests that it must refuse', () =>
    withServer({}, async ({ store, requests, stored }) => {
      await store.write('a', text('1'), 'absent');
      const probes = requests.filter((request) => request.includes('.conditional-write'));
      assert.deepEqual(probes, [
        'PUT /b/lake/.conditional-write if-none-match',
        'HEAD /b/lake/.conditional-write',
        'PUT /b/lake/.conditional-write if-none-match',
        'PUT /b/lake/.conditional-write if-match',
      ]);
      await Promise.all(['b', 'c'].map((key) => store.write(key, text('1'), 'absent')));
      await store.write('a', text('2'), { generation: etagOf(Buffer.from('1')) });
      assert.equal(requests.filter((request) => request.includes('.conditional-write')).length, probes.length);
      assert.equal(stored.get('/b/lake/a')?.toString(), '2');
    }));

  test('and was in trouble as it was asked is asked again', () => {
    let hasFailed = false;
    const misbehaves = (_: IncomingMessage, response: ServerResponse): boolean => {
      if (hasFailed) return false;
      hasFailed = true;
      response.writeHead(503).end();
      return true;
    };
    return withServer({ misbehaves }, async ({ store, stored }) => {
      await store.write('a', text('1'), 'absent');
      assert.equal(stored.get('/b/lake/a')?.toString(), '1');
    });
  });

  test('is not asked where nothing depends on a condition', () =>
    withServer({ knows: [] }, async ({ store, stored }) => {
      await store.write('a', text('1'));
      assert.deepEqual([...stored.keys()], ['/b/lake/a']);
    }));

  test('and says that it does not implement what it is asked for is not asked again and again', () => {
    let asked = 0;
    const misbehaves = (_: IncomingMessage, response: ServerResponse): boolean => {
      asked += 1;
      response.writeHead(501).end('<Error><Code>NotImplemented</Code></Error>');
      return true;
    };
    return withServer({ misbehaves }, async ({ store }) => {
      await assert.rejects(store.write('a', text('1'), 'absent'), withCode('storage_denied'));
      assert.equal(asked, 1);
    });
  });
});

const PAGE = '<html><body><h1>Sign in</h1><br></body></html>';

/** What proxies, load balancers and broken connections make of an answer. */
const STRANGE: { readonly [what: string]: (response: ServerResponse) => void } = {
  'a page of a proxy, with 200': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
  'a page of a load balancer, with 502': (response) => response.writeHead(502).end(PAGE),
  'nothing, with 200': (response) => response.writeHead(200).end(),
  'nothing, with 503': (response) => response.writeHead(503).end(),
  'half an XML document, with 500': (response) => response.writeHead(500).end('<Error><Code>Inter'),
  'half a listing': (response) => response.writeHead(200).end('<ListBucketResult><Name>b</Na'),
  'a listing that goes on nowhere': (response) =>
    response.writeHead(200).end('<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'),
};

describe('an answer of S3', () => {
  for (const [what, answer] of Object.entries(STRANGE)) {
    test(`that is ${what} is trouble that may pass, never data`, () => {
      const misbehaves = (_: IncomingMessage, response: ServerResponse): boolean => {
        answer(response);
        return true;
      };
      return withServer({ misbehaves }, async ({ store }) => {
        const requests: { readonly [name: string]: () => Promise<unknown> } = {
          read: () => store.read('k'),
          stat: () => store.stat('k'),
          stream: () => store.stream('k')[Symbol.asyncIterator]().next(),
          list: () => store.list('')[Symbol.asyncIterator]().next(),
          write: () => store.write('k', text('1')),
          create: () => store.write('k', text('1'), 'absent'),
          copy: () => store.copy('k', 'l'),
          delete: () => store.delete('k'),
        };
        for (const [name, request] of Object.entries(requests)) {
          await assert.rejects(request, (thrown) => {
            assert.ok(withCode('storage_unavailable')(thrown), `${name}: ${String(thrown)}`);
            return true;
          });
        }
      });
    });
  }
});
