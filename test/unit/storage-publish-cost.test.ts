/** How much a publish asks of the store: what it changes decides, not what is published. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openPublications } from '../../storage/publications.ts';
import { type Meddler, meddledStore } from '../fixtures-support/meddled-store.ts';
import { openMemoryStore } from '../fixtures-support/memory-store.ts';
import { stageRequest } from '../fixtures-support/staged-table.ts';

const clock = { now: () => 0 };

/** Requests, and objects listed, of publishing one changed partition of so many. */
async function costOf(count: number): Promise<{ readonly requests: number; readonly listed: number }> {
  const store = openMemoryStore('');
  const partitions = Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, `v${index}`]));
  const first = await stageRequest(store, { run: 'r1', basedOn: null, tables: [{ table: 't', partitions }] });
  await openPublications({ store, pipeline: 'shop', clock }).publish(first);
  const words = { run: 'r2', basedOn: 1, tables: [{ table: 't', partitions: { p0: 'new' } }] };
  const request = await stageRequest(store, words);
  let requests = 0;
  let listed = 0;
  const counting: Meddler = async (send) => {
    requests += 1;
    const answer = await send();
    if (Array.isArray(answer)) listed += answer.length;
    return answer;
  };
  const lake = openPublications({ store: meddledStore(store, counting), pipeline: 'shop', clock });
  const ref = await lake.publish(request);
  assert.deepEqual(ref.touched, { t: ['p0'] });
  return { requests, listed };
}

describe('publishing one changed partition', () => {
  test('of a thousand takes the same few requests as of ten, and looks at no file of the others', async () => {
    const [few, many] = [await costOf(10), await costOf(1_000)];
    assert.deepEqual(many, few);
    // Pointer, manifest, the number after it; the staged files; hold; manifest; pointer, hold, pointer.
    assert.deepEqual(many, { requests: 9, listed: 1 });
  });
});

describe('reading what is visible', () => {
  test('looks at the pointer each time, and reads the manifest of a version once', async () => {
    const store = openMemoryStore('');
    const publishIt = async (run: string, basedOn: number | null, content: string): Promise<void> => {
      const tables = [{ table: 't', partitions: { p0: content } }];
      const request = await stageRequest(store, { run, basedOn, tables });
      await openPublications({ store, pipeline: 'shop', clock }).publish(request);
    };
    let requests = 0;
    const counting: Meddler = (send) => {
      requests += 1;
      return send();
    };
    const reader = openPublications({ store: meddledStore(store, counting), pipeline: 'shop', clock });
    const costOfReading = async (): Promise<{ readonly sequence: number | undefined; readonly requests: number }> => {
      requests = 0;
      const publication = await reader.current('silver');
      return { sequence: publication?.sequence, requests };
    };
    await publishIt('r1', null, 'a');
    assert.deepEqual(await costOfReading(), { sequence: 1, requests: 2 });
    assert.deepEqual(await costOfReading(), { sequence: 1, requests: 1 });
    await publishIt('r2', 1, 'b');
    assert.deepEqual(await costOfReading(), { sequence: 2, requests: 2 });
    assert.deepEqual(await costOfReading(), { sequence: 2, requests: 1 });
  });
});
