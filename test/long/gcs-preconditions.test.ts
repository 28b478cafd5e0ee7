/**
 * Every verb under every condition.
 *
 * @source Cloud Storage, "Request preconditions": match that fails 412, not-match that fails 304; generation 0 is "no live
 *   object"; JSON API, parameters of Objects: get, insert, delete, patch, update, compose, copy, rewrite (read 2026-11-21)
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  multipartBody,
  objectPath,
  type Reply,
  refusalOf,
  type SandboxTest,
  startUpload,
  uploadPath,
  withSandbox,
} from './gcs-server.ts';

/** Does the verb to the object `target`, under the conditions of the query. */
type Verb = (box: SandboxTest, query: string) => Promise<Reply>;

const compose = JSON.stringify({ sourceObjects: [{ name: 'source' }, { name: 'source' }] });

const WRITES: { readonly [verb: string]: Verb } = {
  'media upload': (box, query) => box.call('POST', uploadPath('target', query), { body: 'new' }),
  'multipart upload': (box, query) =>
    box.call('POST', `/upload/storage/v1/b/lake/o?uploadType=multipart&${query}`, {
      headers: { 'content-type': 'multipart/related; boundary=b0' },
      body: multipartBody({ name: 'target' }, 'new'),
    }),
  'resumable upload': async (box, query) => {
    const start = await box.call('POST', `/upload/storage/v1/b/lake/o?uploadType=resumable&name=target&${query}`);
    if (start.status !== 200) return start;
    const { pathname, search } = new URL(start.headers.get('location') ?? '');
    return box.call('PUT', pathname + search, { body: 'new' });
  },
  copy: (box, query) => box.call('POST', `${objectPath('source')}/copyTo/b/lake/o/target?${query}`),
  rewrite: (box, query) => box.call('POST', `${objectPath('source')}/rewriteTo/b/lake/o/target?${query}`),
  compose: (box, query) => box.call('POST', `${objectPath('target')}/compose?${query}`, { body: compose }),
};

const CHANGES: { readonly [verb: string]: Verb } = {
  patch: (box, query) => box.call('PATCH', `${objectPath('target')}?${query}`, { body: '{"cacheControl":"no-store"}' }),
  update: (box, query) => box.call('PUT', `${objectPath('target')}?${query}`, { body: '{"cacheControl":"no-store"}' }),
  delete: (box, query) => box.call('DELETE', `${objectPath('target')}?${query}`),
};

const READS: { readonly [verb: string]: Verb } = {
  'metadata read': (box, query) => box.call('GET', `${objectPath('target')}?${query}`),
  'media read': (box, query) => box.call('GET', `${objectPath('target')}?alt=media&${query}`),
};

/** The object exists, with generation G and metageneration 2. `ok` or the refusal, by condition. */
const EXISTING: { readonly [query: string]: string } = {
  'ifGenerationMatch=G': 'ok',
  'ifGenerationMatch=0': '412 conditionNotMet',
  'ifGenerationMatch=1': '412 conditionNotMet',
  'ifGenerationNotMatch=1': 'ok',
  'ifGenerationNotMatch=0': 'ok',
  'ifGenerationNotMatch=G': '304',
  'ifMetagenerationMatch=2': 'ok',
  'ifMetagenerationMatch=1': '412 conditionNotMet',
  'ifMetagenerationNotMatch=1': 'ok',
  'ifMetagenerationNotMatch=2': '304',
  'ifGenerationMatch=G&ifMetagenerationMatch=1': '412 conditionNotMet',
  'ifGenerationMatch=x': '400 invalid',
};

const MISSING: { readonly [query: string]: string } = {
  'ifGenerationMatch=0': 'ok',
  'ifGenerationMatch=1': '412 conditionNotMet',
  'ifMetagenerationMatch=1': '412 conditionNotMet',
  'ifGenerationNotMatch=0': '304',
  'ifGenerationNotMatch=1': '304',
};

const outcome = (reply: Reply): string => (reply.status < 300 ? 'ok' : refusalOf(reply));

describe('conditions on an object that exists', () => {
  for (const [verb, act] of Object.entries({ ...WRITES, ...CHANGES, ...READS })) {
    test(`${verb} does as they say, and a refusal changes nothing`, async () => {
      await withSandbox(async (box) => {
        await box.put('source', 'source');
        for (const [query, expected] of Object.entries(EXISTING)) {
          await box.put('target', 'old');
          const before = (await box.call('PATCH', objectPath('target'), { body: '{"metadata":{"k":"v"}}' })).json();
          const reply = await act(box, query.replace('=G', `=${before.generation}`));
          assert.equal(outcome(reply), expected, query);
          if (expected === 'ok') continue;
          assert.deepEqual((await box.call('GET', objectPath('target'))).json(), before, query);
          assert.equal((await box.call('GET', `${objectPath('target')}?alt=media`)).bytes.toString(), 'old');
        }
      });
    });
  }
});

describe('conditions on an object that does not exist', () => {
  for (const [verb, act] of Object.entries(WRITES)) {
    test(`${verb} makes it under generation 0 alone`, async () => {
      await withSandbox(async (box) => {
        await box.put('source', 'source');
        for (const [query, expected] of Object.entries(MISSING)) {
          await box.call('DELETE', objectPath('target'));
          assert.equal(outcome(await act(box, query)), expected, query);
          const { status } = await box.call('GET', objectPath('target'));
          assert.equal(status, expected === 'ok' ? 200 : 404, query);
        }
      });
    });
  }

  for (const [verb, act] of Object.entries({ ...CHANGES, ...READS })) {
    test(`${verb} finds nothing, whatever the condition`, async () => {
      await withSandbox(async (box) => {
        for (const query of Object.keys(MISSING)) assert.equal(refusalOf(await act(box, query)), '404 notFound', query);
      });
    });
  }
});

describe('conditions on the source of a copy', () => {
  for (const verb of ['copy', 'rewrite']) {
    test(`${verb} refuses where they do not hold, and makes nothing`, async () => {
      await withSandbox(async (box) => {
        const { generation } = (await box.put('source', 'source')).json();
        const act = async (query: string): Promise<string> =>
          outcome(await box.call('POST', `${objectPath('source')}/${verb}To/b/lake/o/target?${query}`));
        assert.equal(await act('ifSourceGenerationMatch=1'), '412 conditionNotMet');
        assert.equal(await act('ifSourceMetagenerationMatch=2'), '412 conditionNotMet');
        assert.equal(await act(`ifSourceGenerationNotMatch=${generation}`), '304');
        assert.equal(await act('ifSourceMetagenerationNotMatch=1'), '304');
        assert.equal(await act('sourceGeneration=1'), '404 notFound');
        assert.equal((await box.call('GET', objectPath('target'))).status, 404);
        assert.equal(await act(`ifSourceGenerationMatch=${generation}&sourceGeneration=${generation}`), 'ok');
      });
    });
  }

  test('compose takes a generation and a condition for each source', async () => {
    await withSandbox(async (box) => {
      const { generation } = (await box.put('source', 'source')).json();
      const act = async (source: object): Promise<string> => {
        const body = JSON.stringify({ sourceObjects: [{ name: 'source' }, { name: 'source', ...source }] });
        return outcome(await box.call('POST', `${objectPath('target')}/compose`, { body }));
      };
      assert.equal(await act({ objectPreconditions: { ifGenerationMatch: '1' } }), '412 conditionNotMet');
      assert.equal(await act({ generation: '1' }), '404 notFound');
      assert.equal(await act({ generation, objectPreconditions: { ifGenerationMatch: generation } }), 'ok');
    });
  });
});

test('a resumable upload checks its condition again as it ends', async () => {
  // JSON API, "Objects: insert": the conditions hold for the object as it is made.
  await withSandbox(async (box) => {
    const session = await startUpload(box, 'target', 'ifGenerationMatch=0');
    await box.put('target', 'quicker');
    assert.equal(refusalOf(await box.call('PUT', session, { body: 'slower' })), '412 conditionNotMet');
    assert.equal((await box.call('GET', `${objectPath('target')}?alt=media`)).bytes.toString(), 'quicker');
  });
});

test('a read, patch or delete may name the generation that it is about', async () => {
  await withSandbox(async (box) => {
    const first = (await box.put('target', 'first')).json().generation;
    const second = (await box.put('target', 'second')).json().generation;
    for (const [verb, act] of Object.entries({ ...READS, ...CHANGES })) {
      // Without object versioning a replaced generation is gone.
      assert.equal(refusalOf(await act(box, `generation=${first}`)), '404 notFound', verb);
      assert.equal(outcome(await act(box, `generation=${second}`)), 'ok', verb);
    }
  });
});

test('the metageneration of a bucket is 1 and can be asked for', async () => {
  await withSandbox(async (box) => {
    assert.equal((await box.call('GET', '/storage/v1/b/lake?ifMetagenerationMatch=1')).status, 200);
    assert.equal(refusalOf(await box.call('GET', '/storage/v1/b/lake?ifMetagenerationMatch=2')), '412 conditionNotMet');
    assert.equal((await box.call('GET', '/storage/v1/b/lake?ifMetagenerationNotMatch=1')).status, 304);
    assert.equal(
      refusalOf(await box.call('DELETE', '/storage/v1/b/lake?ifMetagenerationMatch=2')),
      '412 conditionNotMet',
    );
  });
});

describe('races', () => {
  const bodyOf = async (box: SandboxTest, name: string): Promise<string> =>
    (await box.call('GET', `${objectPath(name)}?alt=media`)).bytes.toString();
  const statuses = (replies: readonly Reply[]): readonly number[] => replies.map(({ status }) => status).sort();

  for (const verb of ['media upload', 'multipart upload', 'resumable upload', 'compose', 'rewrite'] as const) {
    test(`of two that overwrite the same generation by ${verb}, one wins, a hundred times over`, async () => {
      await withSandbox(async (box) => {
        await box.put('source', 'source');
        let { generation } = (await box.put('target', 'old')).json();
        for (let round = 0; round < 100; round += 1) {
          const act = WRITES[verb] as Verb;
          const query = `ifGenerationMatch=${generation}`;
          assert.deepEqual(statuses(await Promise.all([act(box, query), act(box, query)])), [200, 412]);
          const now = (await box.call('GET', objectPath('target'))).json();
          assert.ok(Number(now.generation) > Number(generation));
          generation = now.generation;
        }
      });
    });
  }

  test("the body is the winner's, a hundred times over", async () => {
    await withSandbox(async (box) => {
      let { generation } = (await box.put('pointer', 'old')).json();
      for (let round = 0; round < 100; round += 1) {
        const bodies = [`a${round}`, `b${round}`];
        const replies = await Promise.all(
          bodies.map((body) => box.put('pointer', body, `ifGenerationMatch=${generation}`)),
        );
        assert.deepEqual(statuses(replies), [200, 412]);
        const winner = replies.findIndex(({ status }) => status === 200);
        assert.equal(await bodyOf(box, 'pointer'), bodies[winner]);
        ({ generation } = (replies[winner] as Reply).json());
      }
    });
  });

  test('of eight that make a fresh name, one wins, a hundred times over', async () => {
    await withSandbox(async (box) => {
      for (let round = 0; round < 100; round += 1) {
        const writers = Array.from({ length: 8 }, (_, writer) =>
          box.put(`fresh-${round}`, `${writer}`, 'ifGenerationMatch=0'),
        );
        const replies = await Promise.all(writers);
        assert.deepEqual(statuses(replies), [200, 412, 412, 412, 412, 412, 412, 412]);
        assert.equal(await bodyOf(box, `fresh-${round}`), `${replies.findIndex(({ status }) => status === 200)}`);
      }
    });
  });

  test('of a delete and an overwrite of one generation, one wins, a hundred times over', async () => {
    await withSandbox(async (box) => {
      for (let round = 0; round < 100; round += 1) {
        const { generation } = (await box.put('target', 'old')).json();
        const query = `ifGenerationMatch=${generation}`;
        const [gone, written] = await Promise.all([
          box.call('DELETE', `${objectPath('target')}?${query}`),
          box.put('target', 'new', query),
        ]);
        const now = await box.call('GET', objectPath('target'));
        if (gone.status === 204) assert.deepEqual([written.status, now.status], [412, 404]);
        else assert.deepEqual([gone.status, written.status, now.status], [412, 200, 200]);
      }
    });
  });

  test('a reader sees the old body or the new one, whole, while writers replace it', async () => {
    await withSandbox(async (box) => {
      const body = (round: number): string => String(round % 10).repeat(200_000 + round);
      await box.put('target', body(0));
      let isWriting = true;
      const reader = async (): Promise<number> => {
        let reads = 0;
        while (isWriting) {
          const text = await bodyOf(box, 'target');
          assert.equal(text, body(text.length - 200_000));
          reads += 1;
        }
        return reads;
      };
      const readers = [reader(), reader()];
      for (let round = 1; round < 50; round += 1) await box.put('target', body(round));
      isWriting = false;
      for (const reads of await Promise.all(readers)) assert.ok(reads > 0);
    });
  });
});
