/** Rules for faults, and what they do to requests over real connections. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { createFaults, parseFaults } from '../../sandbox/faults.ts';
import type { Faults } from '../../sandbox/ports.ts';
import { bigQueryOperation } from '../../sandbox/serve-bigquery.ts';
import { objectPath, refusalOf, withSandbox } from './gcs-server.ts';

const kinds = (faults: Faults, operation: string, times: number): readonly (string | null)[] =>
  Array.from({ length: times }, () => faults.next('storage', operation)?.kind ?? null);

describe('a rule', () => {
  test('names service, operation, fault and how often', () => {
    const rules = parseFaults([
      'storage:503:0.05',
      'storage/objects.insert:reset:#2',
      'storage:cut-upload@300000:1',
      'storage:wrong-checksum:.5',
      'bigquery/jobs.query:lost-reply:0',
      'bigquery:rateLimitExceeded:0.1',
      'bigquery:job.backendError:0.1',
    ]);
    assert.deepEqual(rules, [
      { service: 'storage', operation: null, fault: { kind: 'status', status: 503 }, when: { rate: 0.05 } },
      { service: 'storage', operation: 'objects.insert', fault: { kind: 'reset' }, when: { nth: 2 } },
      { service: 'storage', operation: null, fault: { kind: 'cut_upload', afterBytes: 300_000 }, when: { rate: 1 } },
      { service: 'storage', operation: null, fault: { kind: 'wrong_checksum' }, when: { rate: 0.5 } },
      { service: 'bigquery', operation: 'jobs.query', fault: { kind: 'lost_reply' }, when: { rate: 0 } },
      {
        service: 'bigquery',
        operation: null,
        fault: { kind: 'reason', reason: 'rateLimitExceeded', inJob: false },
        when: { rate: 0.1 },
      },
      {
        service: 'bigquery',
        operation: null,
        fault: { kind: 'reason', reason: 'backendError', inJob: true },
        when: { rate: 0.1 },
      },
    ]);
  });

  test('that is wrong is a usage error which names it and says what a right one looks like', () => {
    const wrong = [
      ['storage:503', /three parts/],
      ['storage:503:1:2', /three parts/],
      ['s3:503:1', /neither storage nor bigquery/],
      ['storage/:503:1', /not a service and an operation/],
      ['storage/objects insert:503:1', /not an operation/],
      ['storage:200:1', /not the status of an error/],
      ['storage:999:1', /not the status of an error/],
      ['storage:resett:1', /Did you mean reset\?/],
      ['storage:backendError:1', /no fault of storage/],
      ['storage:cut-upload:1', /needs a number of bytes/],
      ['bigquery:wrong-checksum:1', /neither a fault nor a reason/],
      ['bigquery:backenderor:1', /neither a fault nor a reason/],
      ['storage:503:1.5', /neither a share/],
      ['storage:503:5%', /neither a share/],
      ['storage:503:#0', /neither a share/],
    ] as const;
    for (const [text, why] of wrong) {
      assert.throws(
        () => parseFaults(['storage:503:0.1', text]),
        (thrown) =>
          thrown instanceof PipelineError &&
          thrown.code === 'usage' &&
          thrown.message.includes(`"${text}"`) &&
          why.test(thrown.message) &&
          thrown.message.includes('storage:503:0.05'),
        text,
      );
    }
  });
});

describe('a fault', () => {
  test('strikes exactly the n-th matching request', () => {
    const faults = createFaults(parseFaults(['storage/objects.insert:503:#3']), 1);
    assert.deepEqual(kinds(faults, 'objects.get', 3), [null, null, null]);
    assert.deepEqual(kinds(faults, 'objects.insert', 5), [null, null, 'status', null, null]);
  });

  test('strikes always at 1, never at 0, and about as often as said between', () => {
    const strikes = (rate: string): number =>
      kinds(createFaults(parseFaults([`storage:503:${rate}`]), 7), 'objects.get', 10_000).filter(
        (kind) => kind !== null,
      ).length;
    assert.equal(strikes('1'), 10_000);
    assert.equal(strikes('0'), 0);
    // Five standard deviations of a binomial around 500 of 10,000 at 0.05: 500 ± 109.
    assert.ok(Math.abs(strikes('0.05') - 500) < 109, `${strikes('0.05')}`);
  });

  test('strikes the same requests for a seed, and others for another', () => {
    const run = (seed: number): string =>
      kinds(createFaults(parseFaults(['storage:503:0.5', 'storage:reset:0.5']), seed), 'objects.get', 200).join();
    assert.equal(run(1), run(1));
    assert.notEqual(run(1), run(2));
  });

  test('of one rule does not move those of another', () => {
    const strikes = (rules: readonly string[]): readonly boolean[] =>
      kinds(createFaults(parseFaults(rules), 3), 'objects.get', 200).map((kind) => kind === 'status');
    const alone = strikes(['storage:503:0.3']);
    const joined = strikes(['storage:503:0.3', 'storage:reset:0.5']);
    assert.deepEqual(joined, alone);
  });

  test('stands for all steps of an operation, and bytes are cut only where there are some', () => {
    const insert = createFaults(parseFaults(['storage/objects.insert:503:1']), 1);
    for (const operation of ['objects.insert', 'objects.insert.start', 'objects.insert.chunk', 'objects.insert.status'])
      assert.deepEqual(kinds(insert, operation, 1), ['status']);
    assert.deepEqual(kinds(insert, 'objects.insertion', 1), [null]);
    for (const rule of ['storage:cut-upload@1:1', 'storage:wrong-checksum:1']) {
      const faults = createFaults(parseFaults([rule]), 1);
      assert.deepEqual(kinds(faults, 'objects.insert.start', 1), [null]);
      assert.deepEqual(kinds(faults, 'objects.get', 1), [null]);
      assert.notDeepEqual(kinds(faults, 'objects.insert.chunk', 1), [null]);
    }
  });

  test('of a job comes at its end alone', () => {
    const inJob = createFaults(parseFaults(['bigquery:job.backendError:1']), 1);
    assert.equal(inJob.next('bigquery', 'jobs.insert'), null);
    assert.deepEqual(inJob.next('bigquery', 'job.load'), { kind: 'reason', reason: 'backendError', inJob: true });
    const loads = createFaults(parseFaults(['bigquery/job.load:job.backendError:1']), 1);
    assert.equal(loads.next('bigquery', 'job.query'), null);
    const requests = createFaults(parseFaults(['bigquery:503:1']), 1);
    assert.equal(requests.next('bigquery', 'job.load'), null);
    assert.equal(requests.next('storage', 'objects.get'), null);
  });
});

describe('over a connection', () => {
  test('a status is answered instead of the request being done', async () => {
    const faults = ['storage/objects.insert:503:#1', 'storage/objects.insert:429:#2', 'storage/objects.delete:403:#1'];
    await withSandbox(
      async (box) => {
        assert.equal(refusalOf(await box.put('x', 'x')), '503 backendError');
        assert.equal(refusalOf(await box.put('x', 'x')), '429 rateLimitExceeded');
        assert.equal((await box.call('GET', objectPath('x'))).status, 404);
        assert.equal((await box.put('x', 'x')).status, 200);
        assert.equal(refusalOf(await box.call('DELETE', objectPath('x'))), '403 forbidden');
        assert.equal((await box.call('DELETE', objectPath('x'))).status, 204);
      },
      { faults },
    );
  });

  test('a reset comes before the request is done, a lost reply after it', async () => {
    await withSandbox(
      async (box) => {
        await assert.rejects(box.put('x', 'x'));
        assert.equal((await box.call('GET', objectPath('x'))).status, 404);
        await assert.rejects(box.put('x', 'x'));
        assert.equal((await box.call('GET', objectPath('x'))).status, 200);
        await assert.rejects(box.call('GET', `${objectPath('x')}?alt=media`));
        assert.equal((await box.call('GET', `${objectPath('x')}?alt=media`)).bytes.toString(), 'x');
      },
      {
        faults: [
          'storage/objects.insert:reset:#1',
          'storage/objects.insert:lost-reply:#2',
          'storage/objects.get:lost-reply:#3',
        ],
      },
    );
  });

  test('a cut upload makes nothing', async () => {
    await withSandbox(
      async (box) => {
        await assert.rejects(box.put('x', Buffer.alloc(100_000)));
        assert.equal((await box.call('GET', objectPath('x'))).status, 404);
      },
      { faults: ['storage:cut-upload@50000:#1'] },
    );
  });

  test('a wrong checksum is told of right bytes', async () => {
    await withSandbox(
      async (box) => {
        const told = (await box.put('x', 'x')).json();
        const stored = (await box.call('GET', objectPath('x'))).json();
        assert.deepEqual([told.generation, told.size], [stored.generation, '1']);
        assert.notEqual(told.crc32c, stored.crc32c);
        assert.notEqual(told.md5Hash, stored.md5Hash);
        assert.equal((await box.call('GET', `${objectPath('x')}?alt=media`)).bytes.toString(), 'x');
      },
      { faults: ['storage:wrong-checksum:#1'] },
    );
  });

  test('BigQuery answers a reason with the status of its error table, and loses replies after the work', async () => {
    const faults = [
      'bigquery/datasets.get:503:#1',
      'bigquery/datasets.get:quotaExceeded:#2',
      'bigquery/datasets.get:reset:#3',
      'bigquery/datasets.insert:lost-reply:#1',
    ];
    await withSandbox(
      async (box) => {
        const path = '/bigquery/v2/projects/p/datasets';
        assert.equal(refusalOf(await box.call('GET', `${path}/d`)), '503 backendError');
        assert.equal(refusalOf(await box.call('GET', `${path}/d`)), '403 quotaExceeded');
        await assert.rejects(box.call('GET', `${path}/d`));
        assert.equal(refusalOf(await box.call('GET', `${path}/d`)), '404 notFound');
        const body = JSON.stringify({ datasetReference: { projectId: 'p', datasetId: 'd' } });
        const headers = { 'content-type': 'application/json' };
        await assert.rejects(box.call('POST', path, { body, headers }));
        assert.equal((await box.call('GET', `${path}/d`)).status, 200);
      },
      { faults },
    );
  });

  test('requests to BigQuery are named as in its reference', () => {
    const base = '/bigquery/v2/projects/p';
    const named = [
      ['POST', 'jobs', 'jobs.insert'],
      ['POST', 'queries', 'jobs.query'],
      ['GET', 'queries/j1', 'jobs.getQueryResults'],
      ['POST', 'jobs/j1/cancel', 'jobs.cancel'],
      ['PATCH', 'datasets/d/tables/t', 'tables.patch'],
      ['GET', 'datasets/d/tables/t$20260101/data', 'tabledata.list'],
      ['POST', 'datasets/d/models', 'other'],
    ] as const;
    for (const [method, path, operation] of named)
      assert.equal(bigQueryOperation(method, `${base}/${path}`), operation);
  });
});
