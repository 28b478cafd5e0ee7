/** Buckets, uploads in one request, reads, listings, changes, copies and refusals, each as the document at its test says. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { crc32cOf } from '../../storage/crc32c.ts';
import {
  multipartBody,
  objectPath,
  type Reply,
  type Resource,
  refusalOf,
  type SandboxTest,
  uploadPath,
  withSandbox,
} from './gcs-server.ts';

const md5Of = (body: string | Uint8Array): string => createHash('md5').update(body).digest('base64');
const media = async (box: SandboxTest, name: string, headers: Record<string, string> = {}): Promise<Reply> =>
  box.call('GET', `${objectPath(name)}?alt=media`, { headers });
const multipart = { 'content-type': 'multipart/related; boundary="b0"' };

describe('buckets', () => {
  test('are made once, told and listed, and removed when they are empty', async () => {
    // JSON API, "Buckets: insert" 409 conflict; "Buckets: delete" 409 where it holds objects.
    await withSandbox(async (box) => {
      const make = async (name: string): Promise<Reply> =>
        box.call('POST', '/storage/v1/b?project=p', { body: JSON.stringify({ name, location: 'eu' }) });
      assert.equal(refusalOf(await make('lake')), '409 conflict');
      assert.deepEqual([(await make('other')).status, (await make('Capital')).status], [200, 400]);
      const told = (await box.call('GET', '/storage/v1/b/other')).json();
      assert.deepEqual(
        [told.kind, told.name, told.location, told.metageneration],
        ['storage#bucket', 'other', 'EU', '1'],
      );
      const list = (await box.call('GET', '/storage/v1/b?project=p')).json();
      assert.deepEqual(
        list.items?.map(({ name }) => name),
        ['lake', 'other'],
      );
      await box.put('x', 'x');
      assert.equal(refusalOf(await box.call('DELETE', '/storage/v1/b/lake')), '409 conflict');
      assert.equal((await box.call('DELETE', '/storage/v1/b/other')).status, 204);
      assert.equal(refusalOf(await box.call('GET', '/storage/v1/b/other')), '404 notFound');
    });
  });

  test('that do not exist are 404 for every verb', async () => {
    await withSandbox(async (box) => {
      const path = objectPath('x', 'nowhere');
      assert.equal(refusalOf(await box.call('GET', path)), '404 notFound');
      assert.equal(refusalOf(await box.call('DELETE', path)), '404 notFound');
      assert.equal(refusalOf(await box.call('GET', '/storage/v1/b/nowhere/o')), '404 notFound');
      const upload = '/upload/storage/v1/b/nowhere/o?uploadType=media&name=x';
      assert.equal(refusalOf(await box.call('POST', upload, { body: 'x' })), '404 notFound');
    });
  });
});

describe('an upload in one request', () => {
  test('tells size, checksums, first metageneration and times', async () => {
    // JSON API, "Objects": the resource. e3069283 is the check value of CRC-32C, that of "123456789".
    await withSandbox(async (box) => {
      const object = (await box.put('nine', '123456789')).json();
      assert.equal(object.crc32c, Buffer.from('e3069283', 'hex').toString('base64'));
      assert.equal(object.md5Hash, Buffer.from('25f9e794323b453885f5181f1b624d0b', 'hex').toString('base64'));
      assert.deepEqual([object.size, object.metageneration, object.bucket], ['9', '1', 'lake']);
      assert.equal(object.id, `lake/nine/${object.generation}`);
      assert.equal(object.timeCreated, '2026-01-01T00:00:00.000Z');
    });
  });

  test('by multipart keeps type, cache control, custom time and metadata', async () => {
    await withSandbox(async (box) => {
      const settings = {
        contentType: 'application/x-test',
        cacheControl: 'no-store',
        contentLanguage: 'en',
        customTime: '2026-01-02T03:04:05Z',
        metadata: { run: 'r1' },
      };
      const body = multipartBody({ name: 'm', ...settings }, 'body');
      const reply = await box.call('POST', '/upload/storage/v1/b/lake/o?uploadType=multipart', {
        headers: multipart,
        body,
      });
      assert.equal(reply.status, 200);
      const told = (await box.call('GET', objectPath('m'))).json();
      for (const [field, value] of Object.entries(settings)) assert.deepEqual(told[field], value);
      assert.equal((await media(box, 'm')).bytes.toString(), 'body');
    });
  });

  test('by multipart finds the boundary wherever the pieces of the body are cut', async () => {
    // RFC 2046, 5.1.1. A body as big as many reads, full of starts of a boundary.
    await withSandbox(async (box) => {
      for (const length of [0, 1, 65_530, 300_000]) {
        const content = Buffer.from('\r\n--b\r\n-'.repeat(Math.ceil(length / 8)).slice(0, length));
        const body = multipartBody({ name: 'm' }, content);
        const path = '/upload/storage/v1/b/lake/o?uploadType=multipart';
        assert.equal((await box.call('POST', path, { headers: multipart, body })).status, 200);
        assert.ok((await media(box, 'm')).bytes.equals(content), `${length} bytes`);
      }
    });
  });

  test('by multipart without its end makes nothing', async () => {
    await withSandbox(async (box) => {
      const whole = multipartBody({ name: 'm' }, 'body');
      const body = whole.subarray(0, whole.length - 6);
      const path = '/upload/storage/v1/b/lake/o?uploadType=multipart';
      assert.equal(refusalOf(await box.call('POST', path, { headers: multipart, body })), '400 invalid');
      assert.equal((await media(box, 'm')).status, 404);
    });
  });

  test('whose bytes are not what it claims is refused, and the old object stays', async () => {
    // "Data validation": the service refuses an upload whose MD5 or CRC32C is not that of the request.
    await withSandbox(async (box) => {
      await box.put('m', 'old');
      const right = { md5Hash: md5Of('new'), crc32c: crc32cOf(Buffer.from('new')) };
      const attempt = async (metadata: object, headers = {}): Promise<Reply> =>
        box.call('POST', '/upload/storage/v1/b/lake/o?uploadType=multipart', {
          headers: { ...multipart, ...headers },
          body: multipartBody({ name: 'm', ...metadata }, 'new'),
        });
      assert.equal(refusalOf(await attempt({ ...right, md5Hash: md5Of('other') })), '400 invalid');
      assert.equal(refusalOf(await attempt({ ...right, crc32c: 'AAAAAA==' })), '400 invalid');
      assert.equal(refusalOf(await attempt({}, { 'x-goog-hash': `md5=${md5Of('other')}` })), '400 invalid');
      assert.equal((await media(box, 'm')).bytes.toString(), 'old');
      assert.equal((await attempt(right)).status, 200);
    });
  });

  test('needs a name that an object can have', async () => {
    // "About Cloud Storage objects: naming".
    await withSandbox(async (box) => {
      assert.equal(refusalOf(await box.call('POST', '/upload/storage/v1/b/lake/o?uploadType=media')), '400 required');
      for (const name of ['a\nb', '.', '..', 'x'.repeat(1025), '.well-known/acme-challenge/x'])
        assert.equal(refusalOf(await box.put(name, 'x')), '400 invalid', name);
      for (const name of ['x'.repeat(1024), 'ä b+c%20?#.json', 'a//b/', '😀', '../../up', 'con:', 'a\\b']) {
        await box.put(name, name);
        assert.equal((await media(box, name)).bytes.toString(), name);
        assert.equal((await box.call('GET', objectPath(name))).json().name, name);
      }
    });
  });

  test('gives generations that grow, however fast and whatever the clock does', async () => {
    await withSandbox(async (box) => {
      let last = 0;
      for (let round = 0; round < 200; round += 1) {
        if (round === 100) box.nowMs -= 60_000;
        const generation = Number((await box.put('x', `${round}`)).json().generation);
        assert.ok(generation > last);
        last = generation;
      }
    });
  });
});

describe('a read', () => {
  test('tells generation, checksums and type in its headers', async () => {
    await withSandbox(async (box) => {
      const object = (await box.put('x', 'hello')).json();
      const { headers, bytes } = await media(box, 'x');
      assert.equal(bytes.toString(), 'hello');
      assert.equal(headers.get('x-goog-generation'), object.generation);
      assert.equal(headers.get('x-goog-metageneration'), '1');
      assert.equal(headers.get('x-goog-hash'), `crc32c=${object.crc32c},md5=${object.md5Hash}`);
      assert.equal(headers.get('x-goog-stored-content-encoding'), 'identity');
      assert.equal(headers.get('content-length'), '5');
      assert.equal(headers.get('etag'), object.etag);
      const { mediaLink } = object;
      assert.equal(await (await fetch(String(mediaLink))).text(), 'hello');
    });
  });

  test('may be of a range', async () => {
    // RFC 9110, 14.2; "Objects: get" with alt=media.
    await withSandbox(async (box) => {
      await box.put('x', '0123456789');
      const ranged = async (range: string): Promise<readonly (string | number | null)[]> => {
        const reply = await media(box, 'x', { range });
        return [reply.status, reply.bytes.toString(), reply.headers.get('content-range')];
      };
      assert.deepEqual(await ranged('bytes=2-4'), [206, '234', 'bytes 2-4/10']);
      assert.deepEqual(await ranged('bytes=7-'), [206, '789', 'bytes 7-9/10']);
      assert.deepEqual(await ranged('bytes=7-99'), [206, '789', 'bytes 7-9/10']);
      assert.deepEqual(await ranged('bytes=-3'), [206, '789', 'bytes 7-9/10']);
      assert.deepEqual(await ranged('bytes=-99'), [206, '0123456789', 'bytes 0-9/10']);
      assert.deepEqual(await ranged('lines=1-2'), [200, '0123456789', null]);
      assert.equal(refusalOf(await media(box, 'x', { range: 'bytes=10-' })), '416 requestedRangeNotSatisfiable');
      await box.put('empty', '');
      assert.equal((await media(box, 'empty')).bytes.length, 0);
      assert.equal((await media(box, 'empty', { range: 'bytes=0-' })).status, 416);
    });
  });

  test('of a gzipped object gives what is stored to a client that takes gzip, and unpacks it for any other', async () => {
    // "Transcoding of gzip-compressed files".
    await withSandbox(async (box) => {
      const text = 'many words '.repeat(1000);
      const zipped = gzipSync(text);
      const object = (await box.put('g', zipped, 'contentEncoding=gzip')).json();
      assert.deepEqual([object.contentEncoding, object.size], ['gzip', String(zipped.length)]);
      const raw = await rawGet(box, 'g', { 'accept-encoding': 'gzip' });
      assert.equal(raw.headers['content-encoding'], 'gzip');
      assert.ok(raw.bytes.equals(zipped));
      const plain = await rawGet(box, 'g', { 'accept-encoding': 'identity', range: 'bytes=0-3' });
      assert.deepEqual([plain.status, plain.headers['content-encoding']], [200, undefined]);
      assert.equal(plain.bytes.toString(), text);
      const part = await rawGet(box, 'g', { 'accept-encoding': 'gzip', range: 'bytes=0-1' });
      assert.deepEqual([part.status, [...part.bytes]], [206, [0x1f, 0x8b]]);
      await box.call('PATCH', objectPath('g'), { body: '{"cacheControl":"no-transform"}' });
      const kept = await rawGet(box, 'g', { 'accept-encoding': 'identity' });
      assert.equal(gunzipSync(kept.bytes).toString(), text);
    });
  });

  test('may ask for some fields alone', async () => {
    // "Performance tips: partial response".
    await withSandbox(async (box) => {
      await box.put('a', '1');
      const { generation } = (await box.put('b', '22')).json();
      const one = await box.call('GET', `${objectPath('b')}?fields=generation,size`);
      assert.deepEqual(one.json(), { generation, size: '2' });
      const list = await box.call(
        'GET',
        `/storage/v1/b/lake/o?fields=${encodeURIComponent('items(name,size),nextPageToken')}`,
      );
      assert.deepEqual(list.json(), {
        items: [
          { name: 'a', size: '1' },
          { name: 'b', size: '2' },
        ],
      });
      const nested = await box.call('GET', '/storage/v1/b/lake/o?fields=items/name&maxResults=1');
      assert.deepEqual(nested.json(), { items: [{ name: 'a' }] });
      assert.equal(refusalOf(await box.call('GET', `${objectPath('b')}?fields=a(`)), '400 invalid');
    });
  });
});

/** Without the unpacking that `fetch` does by itself. */
async function rawGet(box: SandboxTest, name: string, headers: Record<string, string>) {
  const { request } = await import('node:http');
  const { hostname, port } = new URL(box.url());
  return new Promise<{ status: number; headers: Record<string, unknown>; bytes: Buffer }>((resolve, reject) => {
    const asked = request({ hostname, port, path: `${objectPath(name)}?alt=media`, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }),
      );
    });
    asked.on('error', reject).end();
  });
}

describe('a listing', () => {
  const listPath = (query: Record<string, string>): string => `/storage/v1/b/lake/o?${new URLSearchParams(query)}`;
  /** All pages: names and prefixes of each. */
  const pages = async (box: SandboxTest, query: Record<string, string>): Promise<readonly (readonly string[])[]> => {
    const found: string[][] = [];
    let pageToken: string | undefined;
    do {
      const page: Resource = (await box.call('GET', listPath({ ...query, ...(pageToken && { pageToken }) }))).json();
      found.push([...(page.prefixes ?? []), ...(page.items ?? []).map(({ name }) => name)]);
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    return found;
  };
  const fill = async (box: SandboxTest, names: readonly string[]): Promise<void> => {
    for (const name of names) await box.put(name, '');
  };

  test('comes in pages of at most 1,000, also where more are asked for', async () => {
    // JSON API, "Objects: list": maxResults, at most 1,000 items and prefixes together.
    await withSandbox(async (box) => {
      const names = Array.from({ length: 2345 }, (_, i) => `n${String(i).padStart(5, '0')}`);
      for (let at = 0; at < names.length; at += 50)
        await Promise.all(names.slice(at, at + 50).map((n) => box.put(n, '')));
      for (const [query, sizes] of [
        [{}, [1000, 1000, 345]],
        [{ maxResults: '5000' }, [1000, 1000, 345]],
        [{ maxResults: '800' }, [800, 800, 745]],
      ] as const) {
        const found = await pages(box, query);
        assert.deepEqual(
          found.map((page) => page.length),
          sizes,
        );
        assert.deepEqual(found.flat(), names);
      }
    });
  });

  test('counts prefixes and names together when it is cut by a delimiter', async () => {
    await withSandbox(async (box) => {
      await fill(box, ['a/1', 'a/2', 'b', 'c/1', 'c/d/1', 'd', 'e/1', 'fold', 'fold/x', 'g']);
      const all = await pages(box, { delimiter: '/' });
      assert.deepEqual(all, [['a/', 'c/', 'e/', 'fold/', 'b', 'd', 'fold', 'g']]);
      const cut = await pages(box, { delimiter: '/', maxResults: '3' });
      assert.deepEqual(cut, [
        ['a/', 'c/', 'b'],
        ['e/', 'd', 'fold'],
        ['fold/', 'g'],
      ]);
      const one = await pages(box, { delimiter: '/', maxResults: '1' });
      assert.deepEqual(one.flat(), ['a/', 'b', 'c/', 'd', 'e/', 'fold', 'fold/', 'g']);
      assert.deepEqual(await pages(box, { delimiter: '/', prefix: 'c/' }), [['c/d/', 'c/1']]);
      assert.deepEqual(await pages(box, { delimiter: '/', prefix: 'c' }), [['c/']]);
    });
  });

  test('keeps to prefix, offsets and glob', async () => {
    // "Objects: list": startOffset inclusive, endOffset exclusive. "List objects using a glob pattern".
    await withSandbox(async (box) => {
      await fill(box, ['a.json', 'b/1.json', 'b/1.txt', 'b/c/2.json', 'd.json']);
      const names = async (query: Record<string, string>): Promise<readonly string[]> =>
        (await pages(box, query)).flat();
      assert.deepEqual(await names({ prefix: 'b/' }), ['b/1.json', 'b/1.txt', 'b/c/2.json']);
      assert.deepEqual(await names({ startOffset: 'b/1.txt', endOffset: 'd.json' }), ['b/1.txt', 'b/c/2.json']);
      assert.deepEqual(await names({ prefix: 'b/', startOffset: 'a' }), ['b/1.json', 'b/1.txt', 'b/c/2.json']);
      assert.deepEqual(await names({ matchGlob: '*.json' }), ['a.json', 'd.json']);
      assert.deepEqual(await names({ matchGlob: '**.json' }), ['a.json', 'b/1.json', 'b/c/2.json', 'd.json']);
      assert.deepEqual(await names({ matchGlob: 'b/?.{json,txt}', maxResults: '1' }), ['b/1.json', 'b/1.txt']);
      assert.deepEqual(await names({ matchGlob: '[!a-c].json' }), ['d.json']);
      assert.deepEqual(await names({ prefix: 'zzz' }), []);
    });
  });

  test('is in the order of UTF-8 bytes, and shows each write at once', async () => {
    await withSandbox(async (box) => {
      // U+FF5E is ef bd 9e and U+1F600 is f0 9f 98 80, though its first UTF-16 unit, d83d, is the smaller one.
      await fill(box, ['\u{1f600}', '\uff5e', 'z', 'Z', 'ä']);
      assert.deepEqual(await pages(box, {}), [['Z', 'z', 'ä', '\uff5e', '\u{1f600}']]);
      assert.deepEqual((await pages(box, { maxResults: '1' })).flat(), ['Z', 'z', 'ä', '\uff5e', '\u{1f600}']);
      await box.call('DELETE', objectPath('ä'));
      assert.deepEqual(await pages(box, {}), [['Z', 'z', '\uff5e', '\u{1f600}']]);
    });
  });

  test('of all versions has the live ones, because there are no others', async () => {
    // "Object versioning": without it, replaced and deleted objects leave no noncurrent version.
    await withSandbox(async (box) => {
      await fill(box, ['a', 'a', 'b', 'c']);
      await box.call('DELETE', objectPath('b'));
      assert.deepEqual(await pages(box, { versions: 'true' }), [['a', 'c']]);
    });
  });

  test('goes on behind a name that was removed between two pages', async () => {
    await withSandbox(async (box) => {
      await fill(box, ['a', 'b', 'c']);
      const first = (await box.call('GET', listPath({ maxResults: '1' }))).json();
      await box.call('DELETE', objectPath('a'));
      const next = (await box.call('GET', listPath({ pageToken: String(first.nextPageToken) }))).json();
      assert.deepEqual(
        next.items?.map(({ name }) => name),
        ['b', 'c'],
      );
      assert.equal(refusalOf(await box.call('GET', listPath({ pageToken: '%' }))), '400 invalid');
    });
  });
});

describe('a change of settings', () => {
  test('keeps bytes and generation, and counts the metageneration up', async () => {
    await withSandbox(async (box) => {
      const before = (await box.put('x', 'x')).json();
      const patch = async (body: object): Promise<Resource> =>
        (await box.call('PATCH', objectPath('x'), { body: JSON.stringify(body) })).json();
      box.nowMs += 1000;
      const first = await patch({ metadata: { a: '1', b: '2' }, contentType: 'text/csv' });
      assert.deepEqual([first.generation, first.metageneration], [before.generation, '2']);
      assert.deepEqual([first.timeCreated, first.updated], [before.timeCreated, '2026-01-01T00:00:01.000Z']);
      assert.notEqual(first.etag, before.etag);
      const second = await patch({ metadata: { a: null, c: '3' } });
      assert.deepEqual([second.metadata, second.contentType], [{ b: '2', c: '3' }, 'text/csv']);
      assert.equal((await media(box, 'x')).headers.get('x-goog-metageneration'), '3');
    });
  });

  test('by update clears what it does not name', async () => {
    await withSandbox(async (box) => {
      await box.put('x', 'x');
      await box.call('PATCH', objectPath('x'), { body: '{"metadata":{"a":"1"},"cacheControl":"no-store"}' });
      const after = (await box.call('PUT', objectPath('x'), { body: '{"contentType":"text/csv"}' })).json();
      assert.deepEqual([after.metadata, after.cacheControl, after.contentType], [undefined, undefined, 'text/csv']);
    });
  });

  test('moves a custom time forward only', async () => {
    // "Object metadata: Custom-Time": it cannot be removed, nor set to an earlier time.
    await withSandbox(async (box) => {
      await box.put('x', 'x');
      const set = async (customTime: string | null): Promise<Reply> =>
        box.call('PATCH', objectPath('x'), { body: JSON.stringify({ customTime }) });
      assert.equal((await set('2026-01-02T00:00:00Z')).status, 200);
      assert.equal(refusalOf(await set('2026-01-01T00:00:00Z')), '400 invalid');
      assert.equal(refusalOf(await set(null)), '400 invalid');
      assert.equal(refusalOf(await set('tomorrow')), '400 invalid');
      assert.equal((await set('2026-01-03T00:00:00Z')).json().customTime, '2026-01-03T00:00:00Z');
    });
  });
});

describe('a copy', () => {
  test('has the bytes, type and metadata of its source, and outlives it', async () => {
    // JSON API, "Objects: copy" and "Objects: rewrite": without a body the source's metadata is applied.
    await withSandbox(async (box) => {
      const source = (await box.put('from', 'bytes')).json();
      await box.call('PATCH', objectPath('from'), { body: '{"metadata":{"a":"1"}}' });
      for (const verb of ['copy', 'rewrite']) {
        const reply = (await box.call('POST', `${objectPath('from')}/${verb}To/b/lake/o/${verb}`)).json();
        const made = reply.resource ?? reply;
        assert.deepEqual([made.crc32c, made.md5Hash, made.metadata], [source.crc32c, source.md5Hash, { a: '1' }]);
        assert.deepEqual([made.metageneration, Number(made.generation) > Number(source.generation)], ['1', true]);
      }
      await box.put('from', 'other');
      await box.call('DELETE', objectPath('from'));
      for (const name of ['copy', 'rewrite']) assert.equal((await media(box, name)).bytes.toString(), 'bytes');
    });
  });

  test('takes what the request says instead of what the source has', async () => {
    await withSandbox(async (box) => {
      await box.put('from', 'bytes');
      await box.call('PATCH', objectPath('from'), { body: '{"metadata":{"a":"1"},"cacheControl":"no-store"}' });
      const body = '{"contentType":"text/csv","metadata":{"b":"2"}}';
      const made = (await box.call('POST', `${objectPath('from')}/rewriteTo/b/lake/o/to`, { body })).json().resource;
      assert.deepEqual([made?.contentType, made?.metadata, made?.cacheControl], ['text/csv', { b: '2' }, undefined]);
    });
  });

  test('onto itself is a new generation', async () => {
    await withSandbox(async (box) => {
      const { generation } = (await box.put('x', 'bytes')).json();
      await box.call('POST', `${objectPath('x')}/rewriteTo/b/lake/o/x?ifGenerationMatch=${generation}`);
      assert.equal((await media(box, 'x')).bytes.toString(), 'bytes');
      assert.notEqual((await box.call('GET', objectPath('x'))).json().generation, generation);
    });
  });

  test('of a big object takes several calls, and shows with the last', async () => {
    // "Objects: rewrite": rewriteToken until done; later calls may leave out what the first one said.
    const mebibyte = 1024 * 1024;
    await withSandbox(
      async (box) => {
        await box.put('from', Buffer.alloc(2 * mebibyte + 1, 7));
        await box.put('to', 'old');
        const { generation } = (await box.call('GET', objectPath('to'))).json();
        const path = `${objectPath('from')}/rewriteTo/b/lake/o/to`;
        const first = (await box.call('POST', `${path}?ifGenerationMatch=${generation}`)).json();
        assert.deepEqual(
          [first.done, first.totalBytesRewritten, first.objectSize],
          [false, String(mebibyte), String(2 * mebibyte + 1)],
        );
        const second = (await box.call('POST', `${path}?rewriteToken=${first.rewriteToken}`)).json();
        assert.deepEqual([second.done, second.totalBytesRewritten], [false, String(2 * mebibyte)]);
        assert.equal((await media(box, 'to')).bytes.toString(), 'old');
        const last = `${path}?rewriteToken=${second.rewriteToken}`;
        await box.put('to', 'quicker');
        assert.equal(refusalOf(await box.call('POST', last)), '412 conditionNotMet');
        const again = (await box.call('POST', path)).json();
        const rest = (
          await box.call('POST', `${path}?rewriteToken=${again.rewriteToken}&maxBytesRewrittenPerCall=${2 * mebibyte}`)
        ).json();
        assert.deepEqual(
          [rest.done, rest.resource?.size, rest.rewriteToken],
          [true, String(2 * mebibyte + 1), undefined],
        );
        assert.equal(refusalOf(await box.call('POST', `${path}2?rewriteToken=${again.rewriteToken}`)), '400 invalid');
        assert.equal(refusalOf(await box.call('POST', `${path}?rewriteToken=abc`)), '400 invalid');
        const other = `${path}?rewriteToken=${again.rewriteToken}&ifGenerationMatch=1`;
        assert.equal(refusalOf(await box.call('POST', other)), '400 invalid');
        assert.equal(refusalOf(await box.call('POST', `${path}?maxBytesRewrittenPerCall=1000`)), '400 invalid');
        await box.put('from', 'changed');
        assert.equal(refusalOf(await box.call('POST', `${path}?rewriteToken=${again.rewriteToken}`)), '404 notFound');
      },
      { maxBytesRewrittenPerCall: mebibyte },
    );
  });
});

describe('a composition', () => {
  const compose = async (box: SandboxTest, names: readonly string[], into = 'all', extra = {}): Promise<Reply> =>
    box.call('POST', `${objectPath(into)}/compose`, {
      body: JSON.stringify({ sourceObjects: names.map((name) => ({ name })), ...extra }),
    });

  test('has the bytes of its sources in order, a CRC, no MD5 and a count of its parts', async () => {
    // "Composite objects": no MD5, a component count that adds up; 1 to 32 sources.
    await withSandbox(async (box) => {
      await box.put('a', 'one ');
      await box.put('b', 'two ');
      const made = (await compose(box, ['a', 'b', 'a'], 'all', { destination: { contentType: 'text/plain' } })).json();
      assert.deepEqual([made.size, made.componentCount, made.md5Hash], ['12', 3, undefined]);
      assert.equal(made.crc32c, crc32cOf(Buffer.from('one two one ')));
      const read = await media(box, 'all');
      assert.equal(read.bytes.toString(), 'one two one ');
      assert.equal(read.headers.get('content-type'), 'text/plain');
      assert.equal(read.headers.get('x-goog-hash'), `crc32c=${made.crc32c}`);
      assert.equal((await compose(box, ['all', 'b'], 'all')).json().componentCount, 4);
      assert.equal((await media(box, 'all')).bytes.toString(), 'one two one two ');
    });
  });

  test('takes at most 32 sources, and at least one, and all of them must exist', async () => {
    await withSandbox(async (box) => {
      await box.put('a', 'x');
      assert.equal((await compose(box, Array<string>(32).fill('a'))).json().componentCount, 32);
      assert.equal(refusalOf(await compose(box, Array<string>(33).fill('a'))), '400 invalid');
      assert.equal(refusalOf(await compose(box, [])), '400 required');
      assert.equal(refusalOf(await compose(box, ['a', 'missing'])), '404 notFound');
      assert.equal((await media(box, 'all')).bytes.length, 32);
    });
  });
});

describe('what the sandbox does not implement', () => {
  test('is refused with 501 and its name', async () => {
    await withSandbox(async (box) => {
      await box.put('x', 'x');
      const calls: readonly (readonly [string, string, string | undefined, RegExp])[] = [
        ['PATCH', '/storage/v1/b/lake', '{}', /PATCH \/storage\/v1\/b\/lake\b/],
        ['GET', '/storage/v1/b/lake/acl', undefined, /GET \/storage\/v1\/b\/lake\/acl/],
        ['GET', '/storage/v1/b/lake/iam', undefined, /\/iam/],
        ['POST', `${objectPath('x')}/restore`, undefined, /\/restore/],
        ['POST', '/batch/storage/v1', 'x', /POST \/batch\/storage\/v1/],
        ['GET', '/lake/x', undefined, /GET \/lake\/x/],
        ['POST', uploadPath('y', 'kmsKeyName=k'), 'x', /the parameter kmsKeyName of objects\.insert/],
        ['GET', `${objectPath('x')}?softDeleted=true`, undefined, /the parameter softDeleted of objects\.get/],
        ['PATCH', objectPath('x'), '{"temporaryHold":true}', /the field temporaryHold/],
        ['POST', '/storage/v1/b?project=p', '{"name":"new","versioning":{"enabled":true}}', /the field versioning/],
      ];
      for (const [method, path, body, message] of calls) {
        const reply = await box.call(method, path, body === undefined ? {} : { body });
        assert.equal(refusalOf(reply), '501 notImplemented', path);
        assert.match(reply.json().error?.message ?? '', message);
      }
    });
  });

  test('leaves the connection usable where it refuses a body unread', async () => {
    await withSandbox(async (box) => {
      const big = Buffer.alloc(3 * 1024 * 1024);
      for (let round = 0; round < 5; round += 1) {
        assert.equal((await box.call('POST', uploadPath('x', 'kmsKeyName=k'), { body: big })).status, 501);
        assert.equal((await box.put('y', 'fine')).status, 200);
      }
    });
  });
});
