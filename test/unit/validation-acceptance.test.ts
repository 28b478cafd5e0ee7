/** A closed gate and a word that was given to it: what then passes, what is held back, and when the word does not count. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GateFailedError } from '../../core/errors.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { Acceptance, Report, StagedTable } from '../../core/types.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { writeAcceptance } from '../../storage/acceptance-file.ts';
import { descendants, tablesToHold } from '../../validation/held-tables.ts';
import { failuresDigest } from '../../validation/report/render-results.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import {
  columnSpec,
  columns,
  DAY,
  foreignKey,
  Lake,
  ordersSpec,
  pipelineSpec,
  staged,
  type ValidateRequest,
  validate,
} from './validation-lake.ts';

const table = (name: string, parents: readonly string[] = []) =>
  ordersSpec({
    name,
    primaryKey: ['id'],
    columns: [columnSpec('id', 'string', { required: true })],
    foreignKeys: parents.map((parent) => foreignKey('id', { table: parent, column: 'id' })),
  });
const spec = pipelineSpec({ tables: [table('bad'), table('child', ['bad']), table('good')] });
const NAMES = ['bad', 'child', 'good'];

/** Sound rows `0…` with quarantined ones beside them in the account. */
function stage(lake: Lake, name: string, output: number, quarantined: number): Promise<StagedTable> {
  return lake.stage(
    'silver',
    name,
    { [DAY]: `SELECT 'K-' || i AS id, DATE '${DAY}' AS ingestion_dt FROM range(${output}) AS t(i)` },
    {
      columns: columns('id string, ingestion_dt date'),
      primaryKey: ['id'],
      partitionKey: 'ingestion_dt',
      account: { ...EMPTY_ACCOUNT, input: output + quarantined, output, quarantined },
    },
  );
}

async function withGate(
  work: (judge: (rest?: Partial<ValidateRequest>) => ReturnType<typeof validate>, lake: Lake) => Promise<void>,
  quarantined = 90,
): Promise<void> {
  await using lake = await Lake.open();
  const tables = [
    await stage(lake, 'bad', 10, quarantined),
    await stage(lake, 'child', 10, 0),
    await stage(lake, 'good', 100, 0),
  ];
  const request: ValidateRequest = {
    spec,
    layer: 'silver',
    tables: NAMES,
    mode: 'strict',
    outputs: tables.map(staged),
  };
  await work((rest = {}) => validate(lake, { ...request, ...rest }), lake);
}

const say = (lake: Lake, report: Report, held: readonly string[], change: Partial<Acceptance> = {}): Promise<void> =>
  writeAcceptance(
    lake.store,
    {
      layer: 'silver',
      run: { dagId: 'shop_daily', runId: 'manual__1' },
      report: report.name,
      failures: failuresDigest(report),
    },
    { by: 'ada@db-7', because: 'known', held, ...change },
    '2025-10-09T00:00:00Z',
  );

const stateOf = (report: Report, checkId: string): string | undefined =>
  report.results.find((result) => result.checkId === checkId)?.state;

describe('a word given to a closed gate', () => {
  test('lets the layer pass as FAIL, and stands in the report and its name', () =>
    withGate(async (judge, lake) => {
      const closed = await judge();
      assert.ok(closed.thrown instanceof GateFailedError);
      assert.ok(!('accepted' in closed.report.decision));
      await say(lake, closed.report, []);
      const open = await judge();
      assert.equal(open.thrown, null);
      const { verdict, mayPublish, accepted, blockedBy } = open.report.decision;
      assert.deepEqual([verdict, mayPublish, accepted], ['FAIL', true, { by: 'ada@db-7', because: 'known', held: [] }]);
      assert.deepEqual(blockedBy, closed.report.decision.blockedBy);
      assert.match(open.markdown, /^# .* · FAIL, published all the same\n\n\*\*Published by ada@db-7: known\*\*/);
    }));

  test('on the rest lets only the rest pass, and a limit over all tables is asked of the rest', () =>
    withGate(async (judge, lake) => {
      const closed = await judge();
      // 90 of 210 rows are far beyond the 5 % allowed; without `bad` there is none.
      assert.equal(stateOf(closed.report, 'max_quarantine'), 'FAIL');
      await say(lake, closed.report, ['bad', 'child']);
      const { report, markdown, thrown } = await judge();
      assert.equal(thrown, null);
      assert.deepEqual([report.decision.verdict, report.decision.mayPublish], ['PASS', true]);
      assert.equal(stateOf(report, 'max_quarantine'), 'FAIL');
      assert.match(markdown, /PASS, published without bad, child\n/);
      assert.match(markdown, /`bad`, `child` stay as readers saw them before\./);
    }));

  test('on too little keeps the gate closed', () =>
    withGate(async (judge, lake) => {
      await say(lake, (await judge()).report, ['child']);
      const { thrown, report } = await judge();
      assert.ok(thrown instanceof GateFailedError);
      assert.ok(!('accepted' in report.decision));
    }));

  test('does not count for other failures, another run or an open gate', async () => {
    await withGate(async (judge, lake) => {
      const { report } = await judge();
      await say(lake, { ...report, results: report.results.slice(1) }, []);
      assert.ok((await judge()).thrown instanceof GateFailedError);
      await say(lake, report, []);
      assert.ok((await judge({ runId: 'manual__2' })).thrown instanceof GateFailedError);
      assert.equal((await judge()).thrown, null);
      const { report: lenient } = await judge({ mode: 'warning-only' });
      assert.ok(!('accepted' in lenient.decision));
    });
  });

  test('counts still where only what passed has changed', () =>
    withGate(async (judge, lake) => {
      await say(lake, (await judge()).report, []);
      const more = await stage(lake, 'good', 101, 0);
      const outputs = [await stage(lake, 'bad', 10, 90), await stage(lake, 'child', 10, 0), more].map(staged);
      const { report } = await judge({ outputs });
      // The limit over all tables sees the new row, so its failure is another one.
      assert.equal(report.decision.mayPublish, false);
      await say(lake, report, []);
      assert.equal((await judge({ outputs })).thrown, null);
    }));

  test('does not let pass what could not be decided, but lets the rest pass without it', () =>
    withGate(async (judge, lake) => {
      const outputs = [await stage(lake, 'child', 10, 0), await stage(lake, 'good', 100, 0)].map(staged);
      const { report, thrown } = await judge({ outputs });
      assert.ok(thrown instanceof GateFailedError);
      await say(lake, report, []);
      assert.ok((await judge({ outputs })).thrown instanceof GateFailedError);
      await say(lake, report, ['bad', 'child']);
      const rest = await judge({ outputs });
      assert.equal(rest.thrown, null);
      assert.equal(rest.report.decision.mayPublish, true);
    }));

  test('that cannot be read opens nothing and says so', () =>
    withGate(async (judge, lake) => {
      await say(lake, (await judge()).report, []);
      for await (const { key } of lake.store.list('silver/_accepted/')) await lake.store.write(key, Buffer.from('{'));
      const { thrown } = await judge();
      assert.match(String(thrown), /_accepted\/.* is no acceptance.*The gate stays closed/);
    }));
});

describe('gates.on_fail: hold_descendants', () => {
  test('holds what failed and what points to it, and publishes the rest', () =>
    withGate(async (judge) => {
      const { report, thrown } = await judge({ onFail: 'hold_descendants' });
      assert.equal(thrown, null);
      assert.deepEqual(report.decision.accepted, {
        by: 'gates.on_fail',
        because: 'hold_descendants',
        held: ['bad', 'child'],
      });
    }));

  test('holds the layer where no table would be left', () =>
    withGate(async (judge) => {
      const alone = { ...spec, tables: spec.tables.filter(({ name }) => name !== 'good') };
      const { thrown } = await judge({ onFail: 'hold_descendants', spec: alone, tables: ['bad', 'child'] });
      assert.ok(thrown instanceof GateFailedError);
    }));
});

describe('tables to hold', () => {
  test('of the reference pipeline are those that read the failed one, layer by layer', async () => {
    const { spec: reference } = readSpec({
      root: packageRoot(),
      folder: 'specs/ecommerce',
      environment: 'local',
      env: {},
    });
    assert.ok(reference);
    assert.deepEqual(descendants(reference, ['silver.shopping_carts']).slice(0, 3), [
      'silver.cart_items',
      'enriched.int_attributed_purchases',
      'enriched.int_cart_attribution',
    ]);
    assert.deepEqual(descendants(reference, ['gold.fct_daily_dashboard']), []);
    assert.deepEqual(descendants(reference, []), []);
  });

  test('are none where only a limit over all tables is broken', () =>
    withGate(async (judge) => {
      const { report } = await judge();
      const results = report.results.filter(({ table: name }) => name === '*' || name === 'good');
      const input = { layer: 'silver', mode: 'strict', tables: ['good'], results, accounts: [] } as const;
      assert.equal(tablesToHold(spec, 'silver', input), null);
    }));
});
