/** Identity, life and death of jobs in the BigQuery stand-in. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { messageOf, PROJECT, reasonOf, tableRef, type World, withBigQuery } from './bigquery-world.ts';

const SELECT_ONE = { query: { query: 'SELECT 1 AS x', useLegacySql: false } };
/** Long enough to be found running, for a test that ends it. */
const ENDLESS =
  'SELECT COUNT(*) AS n FROM UNNEST(GENERATE_ARRAY(1, 100000)) AS a CROSS JOIN UNNEST(GENERATE_ARRAY(1, 100000)) AS b WHERE MOD(a * b, 7) = 3';

async function insert(world: World, configuration: object, jobId: string, location?: string) {
  return world.call('POST', '/jobs', {
    jobReference: { projectId: PROJECT, jobId, ...(location ? { location } : {}) },
    configuration,
  });
}

describe('a job id', () => {
  test('is taken once: a repeat is 409 duplicate and nothing runs again (bigquery-gcs.md 3.3; emulators.md 3.3 ran it again)', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop');
      const uri = await world.parquet('a.parquet', 'SELECT 1::BIGINT AS id');
      const load = { load: { sourceUris: [uri], sourceFormat: 'PARQUET', destinationTable: tableRef('t') } };
      await world.job(load, 'load-1');
      for (const configuration of [load, SELECT_ONE]) {
        const again = await insert(world, configuration, 'load-1');
        assert.deepEqual([again.status, again.body.error.errors[0].reason], [409, 'duplicate']);
        assert.match(again.body.error.message, /Already Exists: Job test-project:US\.load-1/);
      }
      assert.deepEqual(await world.rows('SELECT id FROM shop.t'), [['1']]);
    }));

  test('of four that come at once is taken by one', () =>
    withBigQuery(async (world) => {
      const answers = await Promise.all([1, 2, 3, 4].map(() => insert(world, SELECT_ONE, 'same')));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
    }));

  test('stays taken when its job has failed, and after a restart', () =>
    withBigQuery(async (world) => {
      const failed = await world.job({ query: { query: 'SELECT nothing', useLegacySql: false } }, 'q1');
      assert.equal(reasonOf(failed), 'invalidQuery');
      assert.equal((await insert(world, SELECT_ONE, 'q1')).status, 409);
      await world.restart();
      assert.equal((await insert(world, SELECT_ONE, 'q1')).status, 409);
      assert.equal(reasonOf((await world.call('GET', '/jobs/q1')).body), 'invalidQuery');
    }));

  test('with other characters than letters, digits, _ and - is 400', () =>
    withBigQuery(async (world) => {
      for (const id of ['a b', 'a.b', 'ä', 'a:b'])
        assert.deepEqual([(await insert(world, SELECT_ONE, id)).status, id], [400, id]);
    }));

  test('may be left out, and is then told', () =>
    withBigQuery(async (world) => {
      const { body } = await world.call('POST', '/jobs', { configuration: SELECT_ONE });
      assert.match(body.jobReference.jobId, /^[A-Za-z0-9_-]+$/);
      assert.equal(body.status.state, 'PENDING');
    }));
});

describe('the location of a job', () => {
  test('must be told to find it outside of US; another is notFound (bigquery-gcs.md 3.3)', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('europe', { location: 'EU' });
      await world.job(SELECT_ONE, 'eu-1', 'EU');
      const status = async (query: string) => (await world.call('GET', `/jobs/eu-1${query}`)).status;
      assert.deepEqual([await status('?location=EU'), await status('?location=eu')], [200, 200]);
      assert.deepEqual([await status(''), await status('?location=US')], [404, 404]);
      assert.equal((await world.call('GET', '/queries/eu-1')).status, 404);
    }));

  test('is that of its dataset where the caller does not say; a job elsewhere does not find the dataset', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('europe', { location: 'EU' });
      await world.job({ query: { query: 'CREATE TABLE europe.t AS SELECT 1 AS x', useLegacySql: false } });
      const query = { query: { query: 'SELECT x FROM europe.t', useLegacySql: false } };
      const found = await world.job(query);
      assert.deepEqual([found.jobReference.location, reasonOf(found)], ['EU', undefined]);
      const elsewhere = await world.job(query, 'us-1', 'US');
      assert.equal(reasonOf(elsewhere), 'notFound');
      assert.match(messageOf(elsewhere), /was not found in location US/);
    }));
});

describe('a job resource', () => {
  test('repeats its configuration with labels and tells times and statistics', () =>
    withBigQuery(async (world) => {
      const configuration = { ...SELECT_ONE, labels: { run_id: 'r1', layer: 'gold' } };
      const job = await world.job(configuration, 'j1');
      assert.deepEqual(job.configuration, { ...configuration, jobType: 'QUERY' });
      assert.equal(job.id, 'test-project:US.j1');
      const { creationTime, startTime, endTime } = job.statistics;
      assert.deepEqual(
        [creationTime, startTime, endTime],
        [1, 1, 1].map(() => String(world.clock.nowMs)),
      );
      assert.deepEqual([job.statistics.query.statementType, job.statistics.query.cacheHit], ['SELECT', false]);
    }));

  test('is not found under an unknown id', () =>
    withBigQuery(async (world) => {
      const { status, body } = await world.call('GET', '/jobs/none');
      assert.deepEqual([status, body.error.errors[0].reason], [404, 'notFound']);
    }));

  test('refuses settings that the sandbox does not imitate by name', () =>
    withBigQuery(async (world) => {
      const { status, body } = await insert(world, { query: { ...SELECT_ONE.query, createSession: true } }, 'j1');
      assert.equal(status, 501);
      assert.match(body.error.message, /configuration\.query\.createSession/);
      assert.equal((await insert(world, { query: { query: 'SELECT 1' } }, 'j2')).status, 501);
      assert.equal((await insert(world, {}, 'j3')).status, 400);
      assert.equal((await insert(world, { labels: { Bad: 'x' }, ...SELECT_ONE }, 'j4')).status, 400);
    }));

  test('is listed newest first, in pages, by state and by time', () =>
    withBigQuery(async (world) => {
      await world.job(SELECT_ONE, 'a');
      world.clock.nowMs += 1000;
      const middle = world.clock.nowMs;
      await world.job(SELECT_ONE, 'b');
      await world.job(SELECT_ONE, 'c');
      const ids = async (query: string) => {
        const { body } = await world.call('GET', `/jobs?${query}`);
        return {
          ids: body.jobs.map((job: { jobReference: { jobId: string } }) => job.jobReference.jobId),
          next: body.nextPageToken,
        };
      };
      const first = await ids('maxResults=2');
      assert.deepEqual(first.ids, ['c', 'b']);
      assert.deepEqual((await ids(`maxResults=2&pageToken=${first.next}`)).ids, ['a']);
      assert.deepEqual((await ids(`minCreationTime=${middle}`)).ids, ['c', 'b']);
      assert.deepEqual((await ids('stateFilter=running')).ids, []);
      assert.deepEqual((await ids('stateFilter=done')).ids, ['c', 'b', 'a']);
    }));
});

describe('a cancelled job', () => {
  test('ends as stopped, whether it runs or waits, and the next one runs', () =>
    withBigQuery(async (world) => {
      await insert(world, { query: { query: ENDLESS, useLegacySql: false } }, 'long');
      await insert(world, SELECT_ONE, 'waiting');
      for (;;) {
        const { body } = await world.call('GET', '/jobs/long');
        if (body.status.state === 'RUNNING') break;
      }
      assert.equal((await world.call('GET', '/jobs/waiting')).body.status.state, 'PENDING');
      const answer = await world.call('POST', '/jobs/waiting/cancel');
      assert.equal(answer.body.kind, 'bigquery#jobCancelResponse');
      await world.call('POST', '/jobs/long/cancel');
      for (;;) {
        const { body } = await world.call('GET', '/jobs/long');
        if (body.status.state === 'DONE') break;
      }
      assert.equal(reasonOf((await world.call('GET', '/jobs/long')).body), 'stopped');
      await world.job(SELECT_ONE, 'next');
      assert.equal(reasonOf((await world.call('GET', '/jobs/waiting')).body), 'stopped');
      assert.equal(reasonOf((await world.call('GET', '/jobs/next')).body), undefined);
    }));

  test('that had ended before stays as it was', () =>
    withBigQuery(async (world) => {
      await world.job(SELECT_ONE, 'done');
      await world.call('POST', '/jobs/done/cancel');
      assert.equal(reasonOf((await world.call('GET', '/jobs/done')).body), undefined);
    }));
});

describe('an injected fault', () => {
  test('ends the job with its reason, and nothing is written (bigquery-gcs.md 3.3: run again under a new id)', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop');
      const uri = await world.parquet('a.parquet', 'SELECT 1::BIGINT AS id');
      const load = { load: { sourceUris: [uri], sourceFormat: 'PARQUET', destinationTable: tableRef('t') } };
      world.faults.set('job.load', { kind: 'reason', reason: 'backendError', inJob: true });
      const failed = await world.job(load, 'l');
      assert.deepEqual([failed.status.state, reasonOf(failed)], ['DONE', 'backendError']);
      assert.equal((await world.call('GET', '/datasets/shop/tables/t')).status, 404);
      assert.equal((await insert(world, load, 'l')).status, 409);
      assert.equal(reasonOf(await world.job(load, 'l-r1')), undefined);
      assert.deepEqual(await world.rows('SELECT id FROM shop.t'), [['1']]);
    }));
});

describe('the state on disk', () => {
  test('outlives a restart: datasets, tables, rows, jobs and results', () =>
    withBigQuery(async (world) => {
      await world.client.createDataset('shop', { labels: { a: 'b' } });
      await world.rows('CREATE TABLE shop.t AS SELECT 1 AS x UNION ALL SELECT 2');
      await world.job({ query: { query: 'SELECT x FROM shop.t ORDER BY x', useLegacySql: false } }, 'q');
      await world.restart();
      assert.deepEqual((await world.call('GET', '/datasets/shop')).body.labels, { a: 'b' });
      assert.deepEqual(await world.rows('SELECT x FROM shop.t ORDER BY x'), [['1'], ['2']]);
      const { body } = await world.call('GET', '/queries/q');
      assert.deepEqual(body.rows, [{ f: [{ v: '1' }] }, { f: [{ v: '2' }] }]);
    }));

  test('keeps results for a day', () =>
    withBigQuery(async (world) => {
      await world.job(SELECT_ONE, 'q');
      world.clock.nowMs += 86_400_001;
      await world.restart();
      assert.equal((await world.call('GET', '/queries/q')).status, 404);
      assert.equal((await world.call('GET', '/jobs/q')).body.status.state, 'DONE');
    }));

  test('after kill -9 has what was done, nothing of what ran, and that job as backendError', async () =>
    withBigQuery(async (world) => {
      const folder = join(world.folder, 'killed');
      const first = await startChild(folder);
      await call(first.url, 'POST', '/datasets', { datasetReference: { datasetId: 'shop' } });
      await finished(first.url, 'CREATE TABLE shop.t AS SELECT 1 AS x', 'made');
      const script = `BEGIN TRANSACTION; INSERT INTO shop.t (x) SELECT 2; CREATE TEMP; COMMIT TRANSACTION;`.replace(
        'CREATE TEMP',
        `INSERT INTO shop.t (x) ${ENDLESS}`,
      );
      await call(first.url, 'POST', '/jobs', {
        jobReference: { jobId: 'killed' },
        configuration: { query: { query: script, useLegacySql: false } },
      });
      for (;;) {
        const { body } = await call(first.url, 'GET', '/jobs/killed');
        if (body.status.state === 'RUNNING') break;
      }
      first.child.kill('SIGKILL');
      await once(first.child, 'exit');
      const second = await startChild(folder);
      try {
        const { body } = await call(second.url, 'GET', '/jobs/killed');
        assert.deepEqual([body.status.state, reasonOf(body)], ['DONE', 'backendError']);
        assert.equal((await call(second.url, 'GET', '/jobs/made')).body.status.errorResult, undefined);
        const rows = await call(second.url, 'GET', '/datasets/shop/tables/t/data');
        assert.deepEqual(rows.body.rows, [{ f: [{ v: '1' }] }]);
      } finally {
        second.child.kill('SIGKILL');
        await once(second.child, 'exit');
      }
    }));
});

async function startChild(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const program = join(import.meta.dirname, 'bigquery-child.js');
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: `http://127.0.0.1:${port.toString().trim()}/bigquery/v2/projects/${PROJECT}` };
}

// biome-ignore lint/suspicious/noExplicitAny: a JSON answer.
async function call(url: string, method: string, path: string, body?: object): Promise<{ body: any }> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const response = await fetch(`${url}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  return { body: await response.json() };
}

async function finished(url: string, query: string, jobId: string): Promise<void> {
  await call(url, 'POST', '/jobs', {
    jobReference: { jobId },
    configuration: { query: { query, useLegacySql: false } },
  });
  for (;;) {
    const { body } = await call(url, 'GET', `/jobs/${jobId}`);
    if (body.status.state === 'DONE') return;
  }
}
