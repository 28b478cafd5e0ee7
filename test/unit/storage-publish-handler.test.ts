/** The publish task: what it collects from the tasks above it, and when it refuses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { heldTables } from '../../core/pinned-inputs.ts';
import type { PublishRequest, TaskContext } from '../../core/ports.ts';
import type { Decision, PublicationRef, ReportRef, TaskOutput } from '../../core/types.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications } from '../../storage/publications.ts';
import { createPublishHandler } from '../../storage/publish-handler.ts';
import { stageRequest } from '../fixtures-support/staged-table.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const PASSED: Decision = { verdict: 'PASS', mayPublish: true, blockedBy: [] };
const FAILED: Decision = { verdict: 'FAIL', mayPublish: false, blockedBy: ['silver.orders.fk_customer'] };

const report = (name: string, decision: Decision): TaskOutput => {
  const ref: ReportRef = {
    name,
    digest: `digest of ${name}`,
    decision,
    markdownPath: `docs/validation_reports/${name}.md`,
    runMarkdownPath: '',
    resultsPath: '',
  };
  return { kind: 'report', report: ref };
};

const pinned = (publications: { silver?: number | null }): TaskOutput => ({
  kind: 'pinned',
  pinned: { layer: 'bronze', bronze: {}, publications },
});

interface Setting {
  readonly outputs: { readonly [taskId: string]: TaskOutput };
  readonly upstream?: readonly string[];
  readonly tables?: readonly string[];
  readonly signal?: AbortSignal;
  /** What the builds saw of the layer; left out: they do not say. */
  readonly basedOn?: number | null;
}

/** Runs the handler against a store that records the request; two staged tables wait there. */
async function handle(setting: Setting): Promise<{ output: TaskOutput; request: PublishRequest | undefined }> {
  return withTempFolder(async (root) => {
    const store = openLocalStore({ root });
    const publications = openPublications({ store, pipeline: 'shop', clock: { now: () => 0 } });
    const staged = await stageRequest(store, {
      run: 'run',
      tables: [
        { table: 'orders', partitions: { '01': 'a' } },
        { table: 'returns', unchanged: true },
      ],
    });
    let request: PublishRequest | undefined;
    const handler = createPublishHandler({
      publications: {
        ...publications,
        publish: (asked): Promise<PublicationRef> => {
          request = asked;
          return publications.publish(asked);
        },
      },
    });
    const outputs: Record<string, TaskOutput> = { ...setting.outputs };
    const seen = setting.basedOn === undefined ? {} : { basedOn: setting.basedOn };
    for (const table of staged.tables) outputs[`base.${table.table}`] = { kind: 'staged', staged: table, ...seen };
    const context = {
      task: {
        id: 'promote',
        layer: 'silver',
        tables: setting.tables ?? ['orders', 'returns'],
        upstream: setting.upstream ?? ['validate'],
      },
      run: { dagId: 'dag', runId: 'run', interval: { startMs: 0, endMs: 1 } },
      outputs,
      signal: setting.signal ?? new AbortController().signal,
      log: { info: () => {} },
    } as unknown as TaskContext;
    return { output: await handler(context), request };
  });
}

const withCode = (code: string, pattern: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof PipelineError, String(thrown));
  assert.equal(thrown.code, code);
  assert.match(thrown.message, pattern);
  return true;
};

describe('the publish task', () => {
  test('publishes the staged tables with the report that let them pass', async () => {
    const { output, request } = await handle({
      outputs: { pin: pinned({ silver: 0 }), validate: report('SILVER_QUALITY', PASSED) },
    });
    assert.deepEqual(output, {
      kind: 'published',
      publication: {
        layer: 'silver',
        sequence: 1,
        touched: { orders: ['01'] },
        moved: true,
      },
    });
    assert.deepEqual([request?.reportDigest, request?.verdict], ['digest of SILVER_QUALITY', 'PASS']);
  });

  test('leaves out what is held back, and says so to the tasks after it', async () => {
    const accepted = { by: 'ada@db-7', because: 'known', held: ['returns'] };
    const { output, request } = await handle({
      outputs: { validate: report('SILVER_QUALITY', { ...FAILED, mayPublish: true, accepted }) },
    });
    assert.deepEqual(
      request?.tables.map(({ table }) => table),
      ['orders'],
    );
    assert.deepEqual(request?.accepted, accepted);
    assert.deepEqual(output.kind === 'published' && output.publication.held, ['returns']);
    assert.deepEqual([...heldTables({ promote: output })], ['silver.returns']);
  });

  test('says which version the build read, and that silver was deduplicated against its own tables', async () => {
    const { request } = await handle({ outputs: { pin: pinned({ silver: null }) } });
    assert.equal(request?.basedOn, null);
    assert.deepEqual(request?.reads, ['orders']);
    const unpinned = await handle({ outputs: {} });
    assert.ok(unpinned.request && !('basedOn' in unpinned.request));
    assert.equal(unpinned.request.verdict, null);
  });

  test('says which version the builds saw where no pin tells', async () => {
    assert.equal((await handle({ outputs: {}, basedOn: null })).request?.basedOn, null);
    await assert.rejects(
      handle({ outputs: {}, basedOn: 3 }),
      withCode('publish_conflict', /version 3, on which it was built/),
    );
    const both = await handle({ outputs: { pin: pinned({ silver: null }) }, basedOn: 3 });
    assert.equal(both.request?.basedOn, null);
  });

  test('takes the report of its own layer, not one of another', async () => {
    const { request } = await handle({
      upstream: [],
      outputs: {
        bronze: report('BRONZE_QUALITY', FAILED),
        silver: report('SILVER_DIMS_QUALITY', PASSED),
        enriched: report('ENRICHED_QUALITY', FAILED),
      },
    });
    assert.equal(request?.reportDigest, 'digest of SILVER_DIMS_QUALITY');
  });

  test('refuses what the gate blocked, naming the checks and the report', () =>
    assert.rejects(
      handle({ outputs: { validate: report('SILVER_QUALITY', FAILED) } }),
      withCode('gate_failed', /silver\.orders\.fk_customer.*docs\/validation_reports\/SILVER_QUALITY\.md/),
    ));

  test('refuses a table that no task staged', () =>
    assert.rejects(
      handle({ outputs: {}, tables: ['orders', 'carts'] }),
      withCode('state_conflict', /staged silver\.carts/),
    ));

  test('publishes nothing once it was cancelled', () =>
    assert.rejects(handle({ outputs: {}, signal: AbortSignal.abort() }), withCode('task_cancelled', /promote/)));
});
