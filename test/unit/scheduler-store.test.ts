import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Kysely } from 'kysely';
import type { DagRun, TaskInstance } from '../../core/types.ts';
import { newRun, type OpenRun } from '../../scheduler/run-book.ts';
import type { TaskMove } from '../../scheduler/store/apply-changes.ts';
import { SCHEMA_VERSION } from '../../scheduler/store/migrations.ts';
import { RunStore } from '../../scheduler/store/run-store.ts';
import { LibsqlDialect } from '../../scheduler/store/sqlite-dialect.ts';
import type { StoreSchema } from '../../scheduler/store/store-schema.ts';
import { chainOf, dagOf, daily, NO_RETRY } from './scheduler-fixtures.ts';

const clock = { now: () => 1_760_000_000_000 };
const version = dagOf('orders', chainOf(2));
let folder = '';
let path = '';
let store: RunStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'assay-store-'));
  path = join(folder, 'runs.db');
  store = await RunStore.open(path, { clock });
  await store.registerDags([version], clock.now());
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function runOf(runId: string, logicalDateMs: number | null = null): OpenRun {
  const run: DagRun = {
    dagId: 'orders',
    runId,
    state: 'queued',
    runType: 'manual',
    triggeredBy: 'test',
    logicalDateMs,
    interval: { startMs: 0, endMs: 86_400_000 },
    runAfterMs: 5,
    queuedAtMs: 5,
    startedAtMs: null,
    endedAtMs: null,
    conf: { size: 'small', deep: [1, null, true] },
    note: 'by hand',
    dagFingerprint: version.dag.fingerprint,
  };
  return newRun(run, null, version, NO_RETRY);
}

const created = (open: OpenRun) => ({
  createdRuns: [{ run: open.run, parent: open.parent, instances: [...open.instances.values()] }],
});

async function instance(runId: string, taskId: string): Promise<TaskInstance> {
  const found = (await store.listInstances('orders', runId)).find((each) => each.taskId === taskId);
  return found ?? assert.fail(`no ${taskId}`);
}

function move(before: TaskInstance, path: TaskMove['path'], patch: Partial<TaskInstance> = {}): TaskMove {
  return { before, path, after: { ...before, ...patch, state: path.at(-1) ?? before.state } };
}

describe('the run store', () => {
  test('gives back what was put in', async () => {
    const open = runOf('r1', 86_400_000);
    await store.apply(created(open));
    assert.deepEqual((await store.findRun('orders', 'r1'))?.run, open.run);
    assert.deepEqual(await instance('r1', 't2'), open.instances.get('t2'));
    assert.deepEqual(await store.loadVersion('orders', version.dag.fingerprint), version);
  });

  test('survives being closed and opened again', async () => {
    await store.apply(created(runOf('r1')));
    await store.close();
    store = await RunStore.open(path, { clock });
    assert.equal((await store.findRun('orders', 'r1'))?.run.runId, 'r1');
  });

  test('has one run for an id, and one for a logical date', async () => {
    await store.apply(created(runOf('r1', 7)));
    await assert.rejects(store.apply(created(runOf('r1'))), { code: 'run_exists' });
    await assert.rejects(store.apply(created(runOf('r2', 7))), { code: 'run_exists' });
    // Two ids that would be the same folder are one.
    await store.apply(created(runOf('a:b')));
    await assert.rejects(store.apply(created(runOf('a-b'))), { code: 'run_exists' });
    await store.apply(created(runOf('r3')));
    await store.apply(created(runOf('r4')));
    assert.equal((await store.listRuns({})).total, 4);
  });

  test('refuses a move that its table does not know, and one that skips a state', async () => {
    await store.apply(created(runOf('r1')));
    const t1 = await instance('r1', 't1');
    await assert.rejects(store.apply({ taskMoves: [move(t1, ['running'])] }), /must not go none -> running/);
    await assert.rejects(store.apply({ taskMoves: [move(t1, ['success'])] }), /must not go/);
    assert.equal((await instance('r1', 't1')).state, 'none');
  });

  test('refuses what was decided on an older fence or state, and then writes nothing at all', async () => {
    await store.apply(created(runOf('r1')));
    const t1 = await instance('r1', 't1');
    await store.apply({ taskMoves: [move(t1, ['scheduled', 'queued', 'running'], { fence: 1, tryNumber: 1 })] });
    const running = await instance('r1', 't1');
    await store.apply({ clearedTasks: [{ before: running, after: { ...running, state: 'none', fence: 2 } }] });
    const late = move(running, ['success'], { output: { kind: 'nothing' } });
    const other = move(await instance('r1', 't2'), ['skipped']);
    await assert.rejects(store.apply({ taskMoves: [other, late] }), { code: 'stale_attempt' });
    assert.equal((await instance('r1', 't1')).state, 'none');
    assert.equal((await instance('r1', 't1')).output, null);
    assert.equal((await instance('r1', 't2')).state, 'none', 'the whole step is refused');
  });

  test('keeps an output with its task and drops it when the task is cleared', async () => {
    await store.apply(created(runOf('r1')));
    const t1 = await instance('r1', 't1');
    const output = { kind: 'branch', follow: ['t2'], because: 'test' } as const;
    const path = ['scheduled', 'queued', 'running', 'success'] as const;
    await store.apply({ taskMoves: [move(t1, path, { fence: 1, output })] });
    const done = await instance('r1', 't1');
    assert.deepEqual(done.output, output);
    const cleared = { ...done, state: 'none', fence: 2, output: null } as const;
    await assert.rejects(
      store.apply({ clearedTasks: [{ before: done, after: { ...cleared, fence: 1 } }] }),
      /raise its fence/,
    );
    await store.apply({ clearedTasks: [{ before: done, after: cleared }] });
    assert.equal((await instance('r1', 't1')).output, null);
  });

  test('reads from a second connection while the first one writes, and refuses to write there', async () => {
    await store.apply(created(runOf('r1')));
    await using reader = await RunStore.open(path, { clock, readOnly: true });
    await store.apply(created(runOf('r2')));
    assert.equal((await reader.listRuns({ dagId: 'orders' })).total, 2);
    await assert.rejects(reader.apply(created(runOf('r3'))), { code: 'storage_denied' });
  });

  test('says that nothing has run yet where there is no store to read', async () => {
    await assert.rejects(RunStore.open(join(folder, 'none.db'), { clock, readOnly: true }), {
      code: 'project_not_found',
    });
  });

  test('refuses a store that a later release has written', async () => {
    const db = new Kysely<StoreSchema>({ dialect: new LibsqlDialect(path, false) });
    await db
      .insertInto('schema_version')
      .values({ version: SCHEMA_VERSION + 1, name: 'later', applied_at_ms: 0 })
      .execute();
    await db.destroy();
    await assert.rejects(RunStore.open(path, { clock }), { code: 'store_too_new' });
    await assert.rejects(RunStore.open(path, { clock, readOnly: true }), { code: 'store_too_new' });
  });

  test('lists runs filtered, ordered and by page', async () => {
    for (const [runId, logicalDateMs] of [
      ['a', 30],
      ['b', 10],
      ['c', 20],
    ] as const) {
      await store.apply(created(runOf(runId, logicalDateMs)));
    }
    const ids = async (filter: Parameters<RunStore['listRuns']>[0]) =>
      (await store.listRuns(filter)).runs.map((run) => run.runId);
    assert.deepEqual(await ids({ orderBy: ['logical_date'] }), ['b', 'c', 'a']);
    assert.deepEqual(await ids({ orderBy: ['-logical_date'], limit: 2, offset: 1 }), ['c', 'b']);
    assert.deepEqual(await ids({ logicalDateFromMs: 20, logicalDateToMs: 30, orderBy: ['logical_date'] }), ['c', 'a']);
    assert.deepEqual(await ids({ states: ['running'] }), []);
    assert.equal((await store.listRuns({ limit: 1 })).total, 3);
    await assert.rejects(store.listRuns({ orderBy: ['colour'] }), { code: 'usage' });
  });

  test('keeps a DAG’s pause and schedule place over new versions, and begins anew with a new schedule', async () => {
    const place = async () => {
      const dag = (await store.findDag('orders')) ?? assert.fail();
      return [dag.isPaused, dag.isStale, dag.cursorMs];
    };
    const event = { atMs: 1, actor: 'test', action: 'pause', dagId: 'orders', runId: null, taskId: null, detail: '' };
    await store.setPaused('orders', true, event);
    await store.setPaused('orders', true, event);
    assert.equal((await store.listEvents('orders')).length, 1, 'pausing twice is one event');
    await store.apply({ cursors: [{ dagId: 'orders', cursorMs: 77 }] });
    await store.registerDags([dagOf('orders', chainOf(3))], 1000);
    assert.deepEqual(await place(), [true, false, 77]);
    await store.registerDags([dagOf('orders', chainOf(3), { schedule: daily() })], 2000);
    assert.deepEqual(await place(), [true, false, 2000]);
    await store.registerDags([], 3000);
    assert.deepEqual(await place(), [true, true, 2000]);
    await store.registerDags([dagOf('orders', chainOf(3), { schedule: daily() })], 4000);
    assert.deepEqual(await place(), [true, false, 4000], 'the time without the DAG is not caught up');
  });

  test('keeps the versions of DAGs in memory until an edit replaces them', async () => {
    const load = () => store.loadVersion('orders', version.dag.fingerprint);
    const first = await load();
    await store.registerDags([version], 1000);
    assert.equal(await load(), first);
    await store.registerDags([dagOf('orders', chainOf(3))], 2000);
    const again = await load();
    assert.notEqual(again, first);
    assert.deepEqual(again, first);
  });

  test('refuses a boolean where libsql would end the process', async () => {
    const db = new Kysely<StoreSchema>({ dialect: new LibsqlDialect(path, false) });
    const wrong = true as unknown as number;
    await assert.rejects(db.updateTable('dag').set({ is_paused: wrong }).execute(), /binds true/);
    await db.destroy();
  });
});
