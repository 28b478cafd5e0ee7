/** What the stores in clouds decide, and what they do with answers that break off. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import { CloudFault, kindOfStatus, parseRetryAfter } from '../../storage/cloud/fault.ts';
import type { CacheOptions } from '../../storage/cloud/object-cache.ts';
import { createRetry, pauseMs } from '../../storage/cloud/retry.ts';
import { resolveRange } from '../../storage/cloud/stream.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { openGcsStore } from '../../storage/gcs/store.ts';
import { spansOf } from '../../storage/s3/multipart.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const MIB = 1024 * 1024;

describe('a pause before a repeat', () => {
  test('doubles, is shortened by at most half, and has an upper end', () => {
    assert.equal(pauseMs(1, null, 0), 50);
    assert.equal(pauseMs(2, null, 0), 100);
    assert.equal(pauseMs(4, null, 1), 200);
    assert.equal(pauseMs(40, null, 0), 10_000);
  });

  test('is never shorter than the server asked for', () => {
    assert.equal(pauseMs(1, 7_000, 1), 7_000);
    assert.equal(pauseMs(40, 7_000, 0), 10_000);
  });

  test('reads seconds, and dates against the date of the answer itself', () => {
    assert.equal(parseRetryAfter('3', undefined), 3_000);
    const at = 'Sat, 21 Nov 2026 12:00:00 GMT';
    assert.equal(parseRetryAfter('Sat, 21 Nov 2026 12:00:30 GMT', at), 30_000);
    assert.equal(parseRetryAfter('Sat, 21 Nov 2026 11:00:00 GMT', at), 0);
    assert.equal(parseRetryAfter('Sat, 21 Nov 2026 12:00:30 GMT', undefined), null);
    assert.equal(parseRetryAfter(undefined, at), null);
  });
});

describe('a repeat', () => {
  test('is made for what may pass, and for nothing else', async () => {
    const retry = createRetry(10_000);
    for (const kind of ['precondition', 'missing', 'missing_bucket', 'denied', 'rejected'] as const) {
      let tries = 0;
      const work = async (): Promise<never> => {
        tries += 1;
        throw new CloudFault(kind, 'no');
      };
      await assert.rejects(retry(work), { kind });
      assert.equal(tries, 1, kind);
    }
    let tries = 0;
    const work = async (): Promise<number> => {
      tries += 1;
      if (tries < 4) throw new CloudFault('transient', 'not yet');
      return tries;
    };
    assert.equal(await retry(work), 4);
  });

  test('of bytes that arrive wrong is made twice', async () => {
    let tries = 0;
    const work = async (): Promise<never> => {
      tries += 1;
      throw new CloudFault('corrupt', 'wrong');
    };
    await assert.rejects(createRetry(10_000)(work), { kind: 'corrupt' });
    assert.equal(tries, 3);
  });

  test('of bytes that arrive wrong is not shortened by other faults before', async () => {
    const faults = ['transient', 'transient', 'corrupt', 'transient', 'corrupt'] as const;
    let tries = 0;
    const work = async (): Promise<string> => {
      const kind = faults[tries];
      tries += 1;
      if (kind !== undefined) throw new CloudFault(kind, 'not yet');
      return 'rows';
    };
    assert.equal(await createRetry(10_000)(work), 'rows');
  });

  test('is not made where the server asks for more patience than there is, which is passed on', async () => {
    const work = async (): Promise<never> => {
      throw new CloudFault('transient', 'busy', { retryAfterMs: 60_000 });
    };
    await assert.rejects(createRetry(1_000)(work), { kind: 'transient', retryAfterMs: 60_000, mayRepeat: false });
  });

  test('is worth it by status: overload and faults of the server, not refusals', () => {
    for (const status of [408, 409, 429, 500, 502, 503, 504]) assert.equal(kindOfStatus(status), 'transient');
    assert.equal(kindOfStatus(412), 'precondition');
    assert.equal(kindOfStatus(304), 'precondition');
    assert.equal(kindOfStatus(404), 'missing');
    assert.equal(kindOfStatus(401), 'denied');
    assert.equal(kindOfStatus(403), 'denied');
    assert.equal(kindOfStatus(400), 'rejected');
    assert.equal(kindOfStatus(501), 'rejected');
  });
});

describe('a range', () => {
  test('is that of Array.slice, whatever its ends', () => {
    const array = [0, 1, 2, 3, 4];
    for (let start = -7; start <= 7; start += 1) {
      for (const end of [undefined, 0, 2, 5, 9]) {
        const range = end === undefined ? { start } : { start, end };
        const resolved = resolveRange(range, array.length);
        assert.deepEqual(array.slice(resolved.start, resolved.end), array.slice(start, end), JSON.stringify(range));
        assert.ok(resolved.end >= resolved.start);
      }
    }
  });
});

describe('parts of an upload', () => {
  test('cover the file without gap or overlap', () => {
    for (const size of [1, 8 * MIB, 8 * MIB + 1, 24_000_004]) {
      const spans = spansOf(size, 8 * MIB);
      let at = 0;
      for (const [index, span] of spans.entries()) {
        assert.equal(span.number, index + 1);
        assert.equal(span.start, at);
        assert.ok(span.end - span.start <= 8 * MIB && span.end > span.start);
        at = span.end;
      }
      assert.equal(at, size);
    }
  });

  test('grow where there would be more than ten thousand', () => {
    const spans = spansOf(500 * 1024 ** 3, 8 * MIB);
    assert.ok(spans.length <= 10_000);
    assert.equal(spans.at(-1)?.end, 500 * 1024 ** 3);
  });
});

/** A server that answers as told, and the store that talks to it. */
async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  work: (store: ObjectStore) => Promise<void>,
  cache: CacheOptions = { folder: '/nowhere', maxBytes: 0 },
  times: { readonly answerMs?: number; readonly patienceMs?: number } = {},
): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const options = { bucket: 'b', prefix: '', cache, projectId: null, keyFile: null, endpoint, patienceMs: 2_000 };
    await work(openGcsStore({ ...options, ...times }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const resource = (body: Uint8Array): string =>
  JSON.stringify({
    name: 'k',
    size: String(body.byteLength),
    generation: '7',
    timeCreated: '2025-10-15T00:00:00Z',
    crc32c: crc32cOf(body),
  });

describe('an answer of Cloud Storage', () => {
  test('that breaks off before its announced end is asked for again', async () => {
    const body = Buffer.alloc(300_000, 'abc');
    let media = 0;
    await withServer(
      (request, response) => {
        const isMedia = request.url?.includes('alt=media') ?? false;
        media += isMedia ? 1 : 0;
        const whole = isMedia ? body : Buffer.from(resource(body));
        response.writeHead(200, { 'content-length': whole.byteLength, 'x-goog-generation': '7' });
        if (!isMedia || media % 2 === 0) response.end(whole);
        else response.write(whole.subarray(0, 1_000), () => response.socket?.destroy());
      },
      async (store) => {
        assert.deepEqual((await store.read('k'))?.body, body);
        const chunks: Uint8Array[] = [];
        for await (const chunk of store.stream('k')) chunks.push(chunk);
        assert.deepEqual(Buffer.concat(chunks), body);
        assert.equal(media, 4);
      },
    );
  });

  test('is never unpacked: an object that is stored as gzip is the bytes that its size and checksum are of', async () => {
    const body = gzipSync('a,b\n1,2\n');
    await withServer(
      (request, response) => {
        if (!request.url?.includes('alt=media')) return void response.end(resource(body));
        assert.equal(request.headers['accept-encoding'], 'gzip');
        response.writeHead(200, {
          'content-encoding': 'gzip',
          'x-goog-generation': '7',
          'x-goog-hash': `crc32c=${crc32cOf(body)},md5=x`,
        });
        response.end(body);
      },
      async (store) => {
        assert.deepEqual((await store.read('k'))?.body, body);
        for await (const chunk of store.stream('k')) assert.deepEqual(chunk, body);
      },
    );
  });

  test('with bytes that are not those of its checksum is an error, not data', async () => {
    await withServer(
      (request, response) => {
        const isMedia = request.url?.includes('alt=media') ?? false;
        response.writeHead(200, { 'x-goog-generation': '7', 'x-goog-hash': `crc32c=${crc32cOf(Buffer.from('rows'))}` });
        response.end(isMedia ? 'rowz' : resource(Buffer.from('rows')));
      },
      async (store) => {
        await assert.rejects(store.read('k'), { code: 'data_unreadable' });
        const read = async (): Promise<void> => {
          for await (const _ of store.stream('k'));
        };
        await assert.rejects(read(), { code: 'data_unreadable' });
      },
    );
  });

  const requestsTo = (store: ObjectStore): { readonly [name: string]: () => Promise<unknown> } => ({
    read: () => store.read('k'),
    stat: () => store.stat('k'),
    stream: () => store.stream('k')[Symbol.asyncIterator]().next(),
    write: () => store.write('k', Buffer.from('rows'), 'absent'),
    copy: () => store.copy('k', 'l'),
    delete: () => store.delete('k'),
    list: () => store.list('')[Symbol.asyncIterator]().next(),
  });

  test('that is a redirection is refused, never followed nor taken for success', async () => {
    for (const status of [301, 307, 308]) {
      await withServer(
        (_, response) => response.writeHead(status, { location: 'http://127.0.0.1:1/', range: 'bytes=0-3' }).end(),
        async (store) => {
          for (const [name, request] of Object.entries(requestsTo(store))) {
            await assert.rejects(request, { code: 'storage_denied' }, `${name}, ${status}`);
          }
        },
      );
    }
  });

  for (const body of ['{}', 'null', '"rows"', '<html><body>Sign in</body></html>', '']) {
    test(`that is ${body === '' ? 'empty' : body} where an object is expected is trouble that may pass, never data`, () =>
      withServer(
        (_, response) => response.end(body),
        async (store) => {
          await Promise.all(
            Object.entries(requestsTo(store)).map(([name, request]) =>
              assert.rejects(request, { code: 'storage_unavailable' }, name),
            ),
          );
        },
      ));
  }

  test('that does not come, or stops in its middle, is not waited for without end, whatever was asked', () =>
    withServer(
      (request, response) => {
        if (request.method !== 'GET') return;
        response.writeHead(200, { 'content-length': 1_000, 'x-goog-generation': '7' });
        response.write('{');
      },
      async (store) => {
        await Promise.all(
          Object.entries(requestsTo(store)).map(([name, request]) =>
            assert.rejects(
              request,
              (thrown) => {
                assert.match((thrown as Error).message, /not a byte went or came for 50 ms|no whole answer within/);
                return (thrown as PipelineError).code === 'storage_unavailable';
              },
              name,
            ),
          ),
        );
      },
      undefined,
      { answerMs: 50, patienceMs: 10 },
    ));

  test('to a chunk of an upload that does not come costs as long as any other, and the upload goes on', () =>
    withTempFolder(async (folder) => {
      const size = 9 * MIB;
      const local = `${folder}/big`;
      await writeFile(local, Buffer.alloc(size));
      const ranges: string[] = [];
      let stored = 0;
      await withServer(
        (request, response) => {
          const range = request.headers['content-range'];
          if (range === undefined && request.method === 'POST')
            return void response.writeHead(200, { location: `http://${request.headers.host}/session` }).end();
          if (range === undefined) return void response.writeHead(404).end();
          ranges.push(range);
          const last = /-(\d+)\//.exec(range)?.[1];
          // The first chunk is taken, and nothing said of it.
          stored = last === undefined ? stored : Number(last) + 1;
          if (ranges.length === 1) return;
          if (stored < size) return void response.writeHead(308, { range: `bytes=0-${stored - 1}` }).end();
          response.end(JSON.stringify({ ...JSON.parse(resource(Buffer.alloc(size))) }));
        },
        async (store) => {
          assert.equal((await store.writeFile('k', local, 'absent')).sizeBytes, size);
          const end = 8 * MIB;
          assert.deepEqual(ranges, [
            `bytes 0-${end - 1}/${size}`,
            `bytes */${size}`,
            `bytes ${end}-${size - 1}/${size}`,
          ]);
        },
        undefined,
        { answerMs: 1_000 },
      );
    }));

  test('that claims more bytes of an upload than were sent is trouble that may pass', () =>
    withTempFolder(async (folder) => {
      const local = `${folder}/big`;
      await writeFile(local, Buffer.alloc(9 * MIB));
      await withServer(
        (request, response) => {
          if (request.method === 'PUT') return void response.writeHead(308, { range: 'bytes=0-99999999' }).end();
          if (request.method === 'GET') return void response.writeHead(404).end();
          response.writeHead(200, { location: `http://${request.headers.host}/session` }).end();
        },
        (store) => assert.rejects(store.writeFile('k', local, 'absent'), { code: 'storage_unavailable' }),
        undefined,
        { patienceMs: 100 },
      );
    }));

  test('to a listing that leads back to a page before is trouble that may pass, not a listing without end', async () => {
    const page = (names: readonly string[], nextPageToken: string): string =>
      JSON.stringify({
        kind: 'storage#objects',
        items: names.map((name) => ({ name, generation: '7' })),
        nextPageToken,
      });
    const LISTINGS: { readonly [what: string]: (token: string | null) => string } = {
      'the token of the same page': () => page([], 'a'),
      'a circle of tokens': (token) => page([], token === 'a' ? 'b' : 'a'),
      'the first page under a new token': () => page(['k', 'l'], 'a'),
    };
    for (const [what, answer] of Object.entries(LISTINGS)) {
      await withServer(
        (request, response) => response.end(answer(new URL(`http://x${request.url}`).searchParams.get('pageToken'))),
        async (store) => {
          const listed = async (): Promise<void> => {
            for await (const _ of store.list(''));
          };
          await assert.rejects(listed, { code: 'storage_unavailable' }, what);
        },
        undefined,
        { patienceMs: 100 },
      );
    }
  });

  test('to a listing in an order of its own is taken as it comes', () =>
    withServer(
      (request, response) => {
        const isSecond = new URL(`http://x${request.url}`).searchParams.has('pageToken');
        const items = (isSecond ? ['a', 'b'] : ['y', 'x']).map((name) => ({ name, generation: '7' }));
        response.end(
          JSON.stringify({ kind: 'storage#objects', items, ...(isSecond ? {} : { nextPageToken: 'second' }) }),
        );
      },
      async (store) => {
        const names: string[] = [];
        for await (const { key } of store.list('')) names.push(key);
        assert.deepEqual(names, ['y', 'x', 'a', 'b']);
      },
    ));

  test('410 to a look says nothing of the object: it is unknown, not absent', () =>
    withServer(
      (_, response) => response.writeHead(410).end(),
      async (store) => {
        await assert.rejects(store.stat('k'), { code: 'storage_unavailable' });
        await assert.rejects(store.read('k'), { code: 'storage_unavailable' });
      },
      undefined,
      { patienceMs: 100 },
    ));

  test('that is a page with an error is told by its words', () =>
    withServer(
      (_, response) => response.writeHead(403).end('<html><h1>Blocked</h1>\n<p>by the proxy</p></html>'),
      (store) => assert.rejects(store.stat('k'), /403: Blocked by the proxy\. The account/),
    ));

  test('to a delete is believed where it is 204, and else looked after', async () => {
    for (const [status, deleted] of [
      [200, true],
      [200, false],
      [404, true],
      [404, false],
      [204, true],
    ] as const) {
      let isThere = true;
      let looks = 0;
      const doDelete = (response: ServerResponse): void => {
        isThere = !deleted;
        response.writeHead(status).end();
      };
      await withServer(
        (request, response) => {
          if (request.method === 'DELETE') return doDelete(response);
          looks += 1;
          response.writeHead(isThere ? 200 : 404).end(isThere ? resource(Buffer.from('rows')) : '');
        },
        async (store) => {
          if (!deleted) return assert.rejects(store.delete('k'), { code: 'storage_unavailable' });
          assert.equal(await store.delete('k'), true);
          assert.equal(looks, status === 204 ? 1 : 2);
        },
      );
    }
  });

  test('comes without credentials having been sent to a server other than Google’s', async () => {
    const headers: unknown[] = [];
    await withServer(
      (request, response) => {
        headers.push(request.headers.authorization);
        response.end(resource(Buffer.from('rows')));
      },
      async (store) => {
        assert.equal((await store.stat('k'))?.generation, '7');
        assert.deepEqual(headers, [undefined]);
      },
    );
  });

  test('for an object that was replaced while it was read ends the stream with an error', async () => {
    await withServer(
      (request, response) => {
        if (request.url?.includes('alt=media')) response.writeHead(404).end('Not Found');
        else response.end(resource(Buffer.from('rows')));
      },
      async (store) => {
        await assert.rejects(
          async () => {
            for await (const _ of store.stream('k'));
          },
          { code: 'object_not_found' },
        );
      },
    );
  });
});

/** A server with the object `k`, and what is asked of it there: `look`, or bytes of a generation. */
function objectServer(body: () => Buffer | null) {
  const requests: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server');
    if (pathname.endsWith('/o')) return void response.end('{"kind": "storage#objects"}');
    const found = body();
    const isMedia = searchParams.get('alt') === 'media';
    const [, start, end] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    requests.push(isMedia ? `${start}-${end} of ${searchParams.get('generation') ?? 'any'}` : 'look');
    if (found === null) return void response.writeHead(404).end('Not Found');
    if (!isMedia) return void response.end(resource(found));
    const piece = found.subarray(Number(start), Number(end) + 1);
    response.writeHead(206, { 'content-length': piece.byteLength, 'x-goog-generation': '7' }).end(piece);
  };
  return { requests, answer };
}

test('a local copy is right although one look told a wrong checksum, or bytes arrived wrong once', () =>
  withTempFolder(async (folder) => {
    const body = Buffer.from('rows');
    for (const wrong of ['look', 'media']) {
      let isStruck = false;
      await withServer(
        (request, response) => {
          const isMedia = request.url?.includes('alt=media') ?? false;
          const strikes = !isStruck && isMedia === (wrong === 'media');
          isStruck ||= strikes;
          const bytes = strikes ? Buffer.from('rowz') : body;
          response.writeHead(isMedia ? 206 : 200, { 'x-goog-generation': '7' }).end(isMedia ? bytes : resource(bytes));
        },
        async (store) => assert.equal(await readFile(await store.localPath('k'), 'utf8'), 'rows', wrong),
        { folder: `${folder}/${wrong}`, maxBytes: 1e8 },
      );
      assert.ok(isStruck);
    }
  }));

describe('an object whose content is known', () => {
  const contentOf = (body: Buffer) => ({ sizeBytes: body.byteLength, crc32c: crc32cOf(body) });

  test('is brought by one request and then asked for no more, neither by this store nor by the next', () =>
    withTempFolder(async (folder) => {
      const body = Buffer.from('rows');
      const { requests, answer } = objectServer(() => body);
      const readIt = async (store: ObjectStore): Promise<void> => {
        assert.deepEqual(await readFile(await store.localPath('k', contentOf(body))), body);
        assert.deepEqual(await readFile(await store.localPath('k', contentOf(body))), body);
      };
      await withServer(answer, readIt, { folder, maxBytes: 1e8 });
      await withServer(answer, readIt, { folder, maxBytes: 1e8 });
      assert.deepEqual(requests, ['0-3 of any']);
    }));

  test('is read to its end in the generation in which it was begun', () =>
    withTempFolder(async (folder) => {
      const body = Buffer.alloc(4 * MIB + 5, 'abc');
      const { requests, answer } = objectServer(() => body);
      await withServer(
        answer,
        async (store) => assert.deepEqual(await readFile(await store.localPath('k', contentOf(body))), body),
        { folder, maxBytes: 1e8 },
      );
      assert.deepEqual(requests, [`0-${4 * MIB - 1} of any`, `${4 * MIB}-${4 * MIB + 4} of 7`]);
    }));

  test('gives its last bytes by one request', async () => {
    const body = Buffer.from('rows PAR1');
    const { requests, answer } = objectServer(() => body);
    await withServer(answer, async (store) => {
      for await (const chunk of store.stream('k', { start: -4 }, contentOf(body)))
        assert.equal(chunk.toString(), 'PAR1');
    });
    assert.deepEqual(requests, ['5-8 of any']);
  });

  test('is never taken from other bytes, which are told apart from a missing object and are not kept', () =>
    withTempFolder(async (folder) => {
      let body: Buffer | null = null;
      const { answer } = objectServer(() => body);
      await withServer(
        answer,
        async (store) => {
          const content = contentOf(Buffer.from('rows'));
          const refused = (code: string, ...says: readonly RegExp[]) =>
            assert.rejects(store.localPath('k', content), (thrown) => {
              assert.ok(thrown instanceof PipelineError);
              assert.equal(thrown.code, code);
              for (const pattern of says) assert.match(thrown.message, pattern);
              return true;
            });
          await refused('object_not_found', /gs:\/\/b\/k/);
          body = Buffer.from('rowz');
          await refused('data_unreadable', /its bytes have the crc32c .*, it was written with/);
          body = Buffer.from('ro');
          await refused('data_unreadable', /it has 2 bytes, but 4 were written/);
          body = Buffer.from('other rows');
          await refused('data_unreadable', /it has 10 bytes, but 4 were written/);
          body = Buffer.from('rows');
          assert.equal(await readFile(await store.localPath('k', content), 'utf8'), 'rows');
          body = null;
          assert.equal(await readFile(await store.localPath('k', content), 'utf8'), 'rows');
        },
        { folder, maxBytes: 1e8 },
      );
    }));
});
