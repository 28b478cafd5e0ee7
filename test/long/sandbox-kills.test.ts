/** The demo on the sandbox, killed at moments that leave the most behind -> the same gold as undisturbed. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assay } from '../fixtures-support/assay-cli.ts';
import { killAll, type ProcessGroup, startGroup, taskProcesses } from './sandbox-process.ts';
import { assertSameAsUndisturbed, SIZE, type Undisturbed, undisturbedDemo } from './sandbox-state.ts';
import { type SeenRequest, startWiretap, type Wiretap } from './sandbox-wiretap.ts';

let base = '';
let undisturbed: Undisturbed;

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'assay-kills-'));
  undisturbed = await undisturbedDemo(join(base, 'local'));
});
after(async () => {
  await killAll();
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
});

const startDemo = (project: string, env: Readonly<Record<string, string>> = {}): ProcessGroup =>
  startGroup(['demo', project, ...SIZE, '--env', 'sandbox'], { cwd: base, env });

async function assertDone(demo: ProcessGroup): Promise<void> {
  const { code, output } = await demo.ended;
  assert.equal(code, 0, output);
  assert.match(output, /All \d+ planted faults of \d+ kinds were found, and nothing else\./);
}

describe('assay demo --env sandbox, killed together with the sandbox that it started', () => {
  test('goes on where it stopped, as often as it is killed, and comes to the same gold', async () => {
    const project = join(base, 'group');
    const moments = [
      /base_silver\.orders {2}running/,
      /load_to_bigquery\.int_inventory_risk {2}running/,
      /gold_marts_build\.fct_finance_revenue {2}running/,
      /publish_gold {2}running/,
    ];
    for (const moment of moments) {
      const demo = startDemo(project);
      await demo.said(moment);
      await demo.kill();
    }
    await assertDone(startDemo(project));
    await assertSameAsUndisturbed(project, undisturbed, join(base, 'cache'));
  });
});

type Victim = 'demo' | 'task processes' | 'sandbox';

interface Strike {
  readonly victim: Victim;
  readonly when: 'before' | 'after';
  readonly request: string;
  readonly is: (seen: SeenRequest) => boolean;
}

const upload =
  (name: string, body = '') =>
  (seen: SeenRequest): boolean =>
    seen.line.startsWith('POST /upload/') && seen.line.includes(name) && seen.body.includes(body);

const job =
  (...words: readonly string[]) =>
  ({ line, body }: SeenRequest): boolean =>
    line.startsWith('POST /bigquery/v2/') &&
    line.includes('/jobs?') &&
    !body.includes('"dryRun":true') &&
    words.every((word) => body.includes(word));

/** In the order in which the pipeline comes to them. */
const STRIKES: readonly Strike[] = [
  {
    victim: 'demo',
    when: 'after',
    request: 'the manifest that decides a version',
    is: upload('/silver/_history/000000000002.json'),
  },
  { victim: 'demo', when: 'after', request: 'the pointer', is: upload('/enriched/_latest.json') },
  { victim: 'demo', when: 'after', request: 'a load job', is: job('"load"', 'int_inventory_risk') },
  {
    victim: 'demo',
    when: 'before',
    request: 'the note of what was loaded',
    is: upload('/_warehouse/ecommerce_enriched/int_sales_velocity.json', '"jobId"'),
  },
  {
    victim: 'demo',
    when: 'after',
    request: 'the build of a mart',
    is: job('WRITE_TRUNCATE', 'build__fct_finance_revenue'),
  },
  { victim: 'demo', when: 'before', request: 'the pointer of gold', is: upload('/gold/_latest.json') },
  { victim: 'demo', when: 'after', request: 'the swap of the marts', is: job('BEGIN TRANSACTION') },
  {
    victim: 'task processes',
    when: 'after',
    request: 'a staged file',
    is: upload('/enriched/_staging/ecom_silver_to_gold_pipeline.manual__2025-10-03'),
  },
  { victim: 'sandbox', when: 'after', request: 'a load job', is: job('"load"', 'int_cart_attribution') },
  { victim: 'sandbox', when: 'after', request: 'the swap of the marts', is: job('BEGIN TRANSACTION') },
];

describe('assay demo --env sandbox, hit at chosen requests', () => {
  let wiretap: Wiretap;
  let sandbox: ProcessGroup;
  let url = 'http://127.0.0.1:0';
  const project = (): string => join(base, 'requests');

  async function serve(): Promise<void> {
    sandbox = startGroup(['sandbox', '--port', new URL(url).port || '0'], { cwd: project() });
    const [, address = ''] = await sandbox.said(/Sandbox on (http:\/\/127\.0\.0\.1:\d+)/);
    url = address;
  }

  before(async () => {
    assert.equal((await assay(['init', project()])).code, 0);
    await serve();
    const made = await fetch(`${url}/storage/v1/b?project=assay-sandbox`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'assay-sandbox' }),
    });
    assert.ok(made.ok, await made.text());
    wiretap = await startWiretap(() => url);
  });
  after(() => wiretap.close());

  const start = (): ProcessGroup =>
    startDemo(project(), {
      ASSAY_GCS_ENDPOINT: wiretap.url,
      ASSAY_BIGQUERY_ENDPOINT: wiretap.url,
      ASSAY_RETRIES_DELAY_SECONDS: '0',
    });

  async function kill(victim: Victim, demo: ProcessGroup): Promise<void> {
    switch (victim) {
      case 'demo':
        return demo.kill();
      case 'task processes':
        for (const pid of taskProcesses(join(project(), '.assay/sandbox'))) process.kill(pid, 'SIGKILL');
        return;
      case 'sandbox':
        await sandbox.kill();
        return serve();
      default:
        victim satisfies never;
    }
  }

  test('loses nothing and does nothing twice, whoever is killed before or after the request takes effect', async () => {
    const left = [...STRIKES];
    let demo = start();
    for (let strike = left.shift(); strike !== undefined; strike = left.shift()) {
      const { victim, when, request, is } = strike;
      const current = demo;
      await new Promise<void>((resolve, reject) => {
        let isStruck = false;
        void current.ended.then(({ output }) => {
          if (!isStruck) reject(new Error(`${request} was not sent:\n${output}`));
        });
        wiretap.tap = async (seen, now) => {
          if (now !== when || !is(seen)) return;
          isStruck = true;
          wiretap.tap = () => {};
          await kill(victim, current);
          resolve();
          throw new Error('nobody is there to be answered');
        };
      });
      if (victim === 'demo') demo = start();
    }
    await assertDone(demo);
    sandbox.signal('SIGTERM');
    assert.equal((await sandbox.ended).code, 0);
    await assertSameAsUndisturbed(project(), undisturbed, join(base, 'cache'));
  });
});
