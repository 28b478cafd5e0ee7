/**
 * Resumable uploads.
 *
 * @source Cloud Storage, "Resumable uploads" and "Perform resumable uploads": 308 with Range while bytes are missing, chunks in
 *   multiples of 256 KiB, status query `bytes *` + `/*`, 499 on cancel, sessions of one week (read 2026-11-21)
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { objectPath, type Reply, refusalOf, type SandboxTest, startUpload, withSandbox } from './gcs-server.ts';

const KIB = 1024;
const QUANTUM = 256 * KIB;

/** Bytes in which no two places look alike. */
const bytesOf = (length: number): Buffer => {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => createHash('sha256').update(`${i}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
};

async function send(
  box: SandboxTest,
  session: string,
  all: Buffer,
  from: number,
  to: number,
  total: number | '*',
): Promise<Reply> {
  const headers = { 'content-range': `bytes ${from}-${to - 1}/${total}` };
  return box.call('PUT', session, { headers, body: all.subarray(from, to) });
}

const askStatus = async (box: SandboxTest, session: string, total: number | '*' = '*'): Promise<Reply> =>
  box.call('PUT', session, { headers: { 'content-range': `bytes */${total}` } });

const bodyOf = async (box: SandboxTest, name: string): Promise<Buffer> =>
  (await box.call('GET', `${objectPath(name)}?alt=media`)).bytes;

describe('a resumable upload', () => {
  test('takes chunks, says how far it is, and shows the object with its last byte', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(2 * QUANTUM + 1000);
      const session = await startUpload(box, 'big');
      const first = await send(box, session, all, 0, QUANTUM, '*');
      assert.deepEqual([first.status, first.headers.get('range')], [308, `bytes=0-${QUANTUM - 1}`]);
      const second = await send(box, session, all, QUANTUM, 2 * QUANTUM, '*');
      assert.deepEqual([second.status, second.headers.get('range')], [308, `bytes=0-${2 * QUANTUM - 1}`]);
      assert.equal((await box.call('GET', objectPath('big'))).status, 404);
      const last = await send(box, session, all, 2 * QUANTUM, all.length, all.length);
      assert.equal(last.status, 200);
      assert.equal(last.json().md5Hash, createHash('md5').update(all).digest('base64'));
      assert.ok((await bodyOf(box, 'big')).equals(all));
    });
  });

  test('answers a status query in the middle with 308 and makes no object', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(2 * QUANTUM);
      const session = await startUpload(box, 'big');
      const none = await askStatus(box, session);
      assert.deepEqual([none.status, none.headers.get('range')], [308, null]);
      await send(box, session, all, 0, QUANTUM, '*');
      for (const total of ['*', all.length] as const) {
        const status = await askStatus(box, session, total);
        assert.deepEqual([status.status, status.headers.get('range')], [308, `bytes=0-${QUANTUM - 1}`]);
      }
      assert.equal((await box.call('GET', objectPath('big'))).status, 404);
      assert.equal((await send(box, session, all, QUANTUM, all.length, all.length)).status, 200);
      assert.ok((await bodyOf(box, 'big')).equals(all));
    });
  });

  test('answers a status query after the end with the object', async () => {
    await withSandbox(async (box) => {
      const session = await startUpload(box, 'small');
      const made = (await box.call('PUT', session, { body: 'abc' })).json();
      const again = await askStatus(box, session);
      assert.deepEqual([again.status, again.json()], [200, made]);
    });
  });

  test('ends when the client learns the length only after its last byte', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(QUANTUM);
      const session = await startUpload(box, 'exact');
      assert.equal((await send(box, session, all, 0, QUANTUM, '*')).status, 308);
      assert.equal((await askStatus(box, session, QUANTUM)).status, 200);
      assert.ok((await bodyOf(box, 'exact')).equals(all));
    });
  });

  test('may be one request, with or without a length, and may be empty', async () => {
    await withSandbox(async (box) => {
      for (const range of [undefined, 'bytes 0-*/*', 'bytes 0-*/5', 'bytes 0-4/5']) {
        const session = await startUpload(box, 'small');
        const headers = range === undefined ? {} : { 'content-range': range };
        assert.equal((await box.call('PUT', session, { headers, body: 'hello' })).status, 200, range);
      }
      for (const range of ['bytes */0', 'bytes 0--1/0']) {
        const session = await startUpload(box, 'empty');
        const made = await box.call('PUT', session, { headers: { 'content-range': range } });
        assert.deepEqual([made.status, made.json().size], [200, '0'], range);
      }
    });
  });

  test('keeps a multiple of 256 KiB of a request that broke off, and goes on from there', async () => {
    const faults = [`storage/objects.insert.chunk:cut-upload@${QUANTUM + 70_000}:#1`];
    await withSandbox(
      async (box) => {
        const all = bytesOf(3 * QUANTUM);
        const session = await startUpload(box, 'big');
        await assert.rejects(send(box, session, all, 0, all.length, all.length));
        const status = await askStatus(box, session);
        assert.deepEqual([status.status, status.headers.get('range')], [308, `bytes=0-${QUANTUM - 1}`]);
        assert.equal((await send(box, session, all, QUANTUM, all.length, all.length)).status, 200);
        assert.ok((await bodyOf(box, 'big')).equals(all));
      },
      { faults },
    );
  });

  test('passes over bytes that it has already', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(2 * QUANTUM + 5);
      const session = await startUpload(box, 'big');
      await send(box, session, all, 0, QUANTUM, '*');
      assert.equal((await send(box, session, all, 0, all.length, all.length)).status, 200);
      assert.ok((await bodyOf(box, 'big')).equals(all));
    });
  });

  test('goes on under a new server', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(2 * QUANTUM + 5);
      const session = await startUpload(box, 'big', '', { body: '{"contentType":"text/x-test"}' });
      await send(box, session, all, 0, QUANTUM, '*');
      await box.restart();
      assert.equal((await askStatus(box, session)).headers.get('range'), `bytes=0-${QUANTUM - 1}`);
      const made = await send(box, session, all, QUANTUM, all.length, all.length);
      assert.equal(made.json().md5Hash, createHash('md5').update(all).digest('base64'));
      assert.equal(made.json().contentType, 'text/x-test');
      await box.restart();
      assert.deepEqual((await askStatus(box, session)).json().generation, made.json().generation);
    });
  });

  test('refuses a chunk that is not a multiple of 256 KiB, one with a gap before it, and a wrong length', async () => {
    await withSandbox(async (box) => {
      const all = bytesOf(2 * QUANTUM);
      const headers = { 'x-upload-content-length': String(all.length) };
      const session = await startUpload(box, 'big', '', { headers });
      assert.equal(refusalOf(await send(box, session, all, 0, 1000, '*')), '400 invalid');
      assert.equal(refusalOf(await send(box, session, all, QUANTUM, 2 * QUANTUM, all.length)), '400 invalid');
      assert.equal(refusalOf(await send(box, session, all, 0, QUANTUM, all.length + 1)), '400 invalid');
      const short = { headers: { 'content-range': `bytes 0-${QUANTUM - 1}/*` }, body: all.subarray(0, 1000) };
      assert.equal(refusalOf(await box.call('PUT', session, short)), '400 invalid');
      assert.equal((await askStatus(box, session)).headers.get('range'), null);
      assert.equal((await send(box, session, all, 0, all.length, all.length)).status, 200);
    });
  });

  test('refuses bytes that are not what the client said, and keeps the old object', async () => {
    await withSandbox(async (box) => {
      await box.put('small', 'old');
      const claimed = await startUpload(box, 'small', '', { body: '{"md5Hash":"AAAAAAAAAAAAAAAAAAAAAA=="}' });
      assert.equal(refusalOf(await box.call('PUT', claimed, { body: 'new' })), '400 invalid');
      const said = await startUpload(box, 'small');
      const headers = { 'x-goog-hash': 'crc32c=AAAAAA==' };
      assert.equal(refusalOf(await box.call('PUT', said, { headers, body: 'new' })), '400 invalid');
      assert.equal((await bodyOf(box, 'small')).toString(), 'old');
    });
  });

  test('can be cancelled, and then is gone', async () => {
    await withSandbox(async (box) => {
      const session = await startUpload(box, 'small');
      assert.equal((await box.call('DELETE', session)).status, 499);
      assert.equal(refusalOf(await box.call('PUT', session, { body: 'abc' })), '404 notFound');
      assert.equal((await box.call('GET', objectPath('small'))).status, 404);
    });
  });

  test('is gone a week after its start', async () => {
    await withSandbox(async (box) => {
      const [held, dropped] = [await startUpload(box, 'held'), await startUpload(box, 'dropped')];
      box.nowMs += 7 * 86_400_000;
      assert.equal((await askStatus(box, held)).status, 308);
      box.nowMs += 1;
      assert.equal((await askStatus(box, held)).status, 410);
      await box.restart();
      assert.equal((await askStatus(box, dropped)).status, 404);
    });
  });

  test('answers an unknown session with 404', async () => {
    await withSandbox(async (box) => {
      for (const id of ['x', '../../lake', '00000000-0000-0000-0000-000000000000']) {
        const path = `/upload/storage/v1/b/lake/o?uploadType=resumable&upload_id=${encodeURIComponent(id)}`;
        assert.equal(refusalOf(await box.call('PUT', path, { body: 'x' })), '404 notFound');
      }
    });
  });
});
