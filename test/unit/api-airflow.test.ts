/** The part of Airflow's API that Assay serves, held against what its official clients need. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createWorld,
  DIM_REFRESH,
  reportOutput,
  runToGate,
  SILVER_TO_GOLD,
  START_MS,
  type World,
} from '../fixtures-support/api-world.ts';

const DAGS = '/api/v2/dags';
const RUNS = `${DAGS}/${SILVER_TO_GOLD}/dagRuns`;

type Json = Record<string, unknown>;

/** The answer's body, after its status and exact content type have been checked. */
async function get(world: World, path: string, status = 200, init: RequestInit = {}): Promise<Json> {
  const response = await world.request(path, init);
  const text = await response.text();
  assert.equal(response.status, status, `${path}: ${text}`);
  assert.equal(response.headers.get('content-type'), 'application/json');
  return JSON.parse(text) as Json;
}

const send = (world: World, method: string, path: string, body: unknown, status = 200): Promise<Json> =>
  get(world, path, status, {
    method,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
  });

const list = (body: Json, key: string): Json[] => body[key] as Json[];

function hasKeys(body: Json, keys: string): void {
  const missing = keys.split(' ').filter((key) => !(key in body));
  assert.deepEqual(missing, []);
}

/** Required keys of Airflow 3.2.1's schemas; those after the bar may be null, the others may not. */
const REQUIRED = {
  dag: 'dag_id dag_display_name is_paused is_stale fileloc timetable_partitioned tags max_active_tasks max_consecutive_failed_dag_runs has_task_concurrency_limits has_import_errors owners file_token',
  details: 'catchup render_template_as_native_obj concurrency',
  task: 'depends_on_past wait_for_downstream retry_exponential_backoff extra_links',
  run: 'dag_run_id dag_id run_after run_type state dag_versions dag_display_name',
  instance:
    'id task_id dag_id dag_run_id map_index run_after try_number max_tries task_display_name dag_display_name pool pool_slots executor_config',
  attempt:
    'task_id dag_id dag_run_id map_index try_number max_tries task_display_name dag_display_name pool pool_slots executor_config',
  pool: 'name slots include_deferred occupied_slots running_slots queued_slots scheduled_slots open_slots deferred_slots',
} as const;

function isComplete(body: Json, kind: keyof typeof REQUIRED): void {
  hasKeys(body, REQUIRED[kind]);
  for (const key of REQUIRED[kind].split(' ')) assert.notEqual(body[key], null, `${kind}.${key} is null`);
}

const TASK_STATES = new Set([
  null,
  'removed',
  'scheduled',
  'queued',
  'running',
  'success',
  'restarting',
  'failed',
  'up_for_retry',
  'up_for_reschedule',
  'upstream_failed',
  'skipped',
  'deferred',
]);

describe('DAGs as Airflow’s clients read them', () => {
  test('a list has every required key, lists instead of nulls, and an integer total', async () => {
    const body = await get(createWorld(), DAGS);
    assert.equal(body.total_entries, 2);
    const dags = list(body, 'dags');
    assert.deepEqual(
      dags.map((dag) => dag.dag_id),
      [DIM_REFRESH, SILVER_TO_GOLD],
    );
    for (const dag of dags) {
      isComplete(dag, 'dag');
      assert.ok(Array.isArray(dag.owners) && Array.isArray(dag.tags));
      assert.ok(Number.isInteger(dag.max_active_tasks));
    }
  });

  test('a DAG says its next tick, its schedule in words and its limits', async () => {
    const dag = await get(createWorld(), `${DAGS}/${SILVER_TO_GOLD}`);
    // 09:00 on the 18th: the next 06:00 is on the 19th and covers the 18th.
    assert.equal(dag.next_dagrun_run_after, '2025-10-19T06:00:00.000Z');
    assert.equal(dag.next_dagrun_data_interval_start, '2025-10-18T00:00:00.000Z');
    assert.equal(dag.next_dagrun_data_interval_end, '2025-10-19T00:00:00.000Z');
    assert.equal(dag.timetable_summary, '0 6 * * *');
    assert.equal(dag.timetable_periodic, true);
    assert.equal(dag.is_backfillable, true);
    assert.equal(dag.timetable_description, 'every day at 06:00 UTC, covers the day before');
    // Two slots of the default pool and one of the warehouse's.
    assert.equal(dag.max_active_tasks, 3);
    assert.deepEqual(dag.tags, [
      { name: 'ecommerce', dag_id: SILVER_TO_GOLD, dag_display_name: SILVER_TO_GOLD },
      { name: 'daily', dag_id: SILVER_TO_GOLD, dag_display_name: SILVER_TO_GOLD },
    ]);
  });

  test('details add what the details schema requires, and the spec’s parameters', async () => {
    const dag = await get(createWorld(), `${DAGS}/${SILVER_TO_GOLD}/details`);
    isComplete(dag, 'dag');
    isComplete(dag, 'details');
    assert.deepEqual(dag.params, { attribution_tolerance_hours: 48 });
    assert.equal(dag.catchup, false);
    assert.equal(dag.concurrency, 3);
    assert.equal(dag.active_runs_count, 0);
  });

  test('tags, paused and patterns filter; order_by turns round; limit and offset cut', async () => {
    const world = createWorld();
    await world.scheduler.setPaused(DIM_REFRESH, true);
    const ids = async (query: string): Promise<unknown[]> =>
      list(await get(world, `${DAGS}?${query}`), 'dags').map((dag) => dag.dag_id);
    assert.deepEqual(await ids('tags=dims'), [DIM_REFRESH]);
    assert.deepEqual(await ids('tags=dims&tags=daily'), [DIM_REFRESH, SILVER_TO_GOLD]);
    assert.deepEqual(await ids('tags=dims&tags=daily&tags_match_mode=all'), []);
    assert.deepEqual(await ids('paused=true'), [DIM_REFRESH]);
    assert.deepEqual(await ids('paused=False'), [SILVER_TO_GOLD]);
    assert.deepEqual(await ids('dag_id_pattern=%25SILVER%25'), [SILVER_TO_GOLD]);
    assert.deepEqual(await ids('order_by=-dag_id'), [SILVER_TO_GOLD, DIM_REFRESH]);
    assert.deepEqual(await ids('limit=1&offset=1'), [SILVER_TO_GOLD]);
    assert.equal((await get(world, `${DAGS}?limit=1`)).total_entries, 2);
  });

  test('pausing needs a body and accepts only is_paused', async () => {
    const world = createWorld();
    const path = `${DAGS}/${SILVER_TO_GOLD}`;
    assert.equal((await send(world, 'PATCH', `${path}?update_mask=is_paused`, { is_paused: true })).is_paused, true);
    assert.equal((await get(world, path)).is_paused, true);
    assert.equal((await send(world, 'PATCH', path, { is_paused: false })).is_paused, false);
    await send(world, 'PATCH', `${path}?update_mask=tags`, { is_paused: true }, 400);
    await send(world, 'PATCH', path, { is_paused: true, owner: 'me' }, 422);
    assert.equal((await get(world, path)).is_paused, false);
  });

  test('tasks come in topological order with durations as Airflow writes them', async () => {
    const world = createWorld();
    const body = await get(world, `${DAGS}/${SILVER_TO_GOLD}/tasks`);
    const tasks = list(body, 'tasks');
    assert.equal(body.total_entries, 6);
    for (const task of tasks) isComplete(task, 'task');
    assert.equal(tasks[0]?.task_id, 'setup_pipeline_config');
    assert.deepEqual(tasks[0]?.downstream_task_ids, ['base_silver.orders', 'base_silver.returns']);
    const load = await get(world, `${DAGS}/${SILVER_TO_GOLD}/tasks/load_to_bigquery`);
    // 90 061.5 s are one day, one hour, one minute and 1.5 s.
    assert.deepEqual(load.execution_timeout, { __type: 'TimeDelta', days: 1, seconds: 3661, microseconds: 500_000 });
    assert.deepEqual(load.retry_delay, { __type: 'TimeDelta', days: 0, seconds: 30, microseconds: 0 });
    assert.equal(load.retries, 2);
    await get(world, `${DAGS}/${SILVER_TO_GOLD}/tasks/nope`, 404);
  });

  test('the source is the YAML: plain on request, wrapped otherwise, 404 when the file is gone', async () => {
    const world = createWorld();
    const plain = await world.request(`/api/v2/dagSources/${SILVER_TO_GOLD}`, { headers: { accept: 'text/plain' } });
    assert.match(plain.headers.get('content-type') ?? '', /^text\/plain/);
    assert.equal(await plain.text(), 'version: 1\npipeline: ecommerce\n');
    const wrapped = await get(world, `/api/v2/dagSources/${SILVER_TO_GOLD}`);
    assert.equal(wrapped.content, 'version: 1\npipeline: ecommerce\n');
    hasKeys(wrapped, 'dag_id dag_display_name');
    const gone = createWorld({ specs: { source: async () => null, issues: async () => [] } });
    assert.match(String((await get(gone, `/api/v2/dagSources/${SILVER_TO_GOLD}`, 404)).detail), /pipeline\.yml/);
  });

  test('tags and statistics count what there is', async () => {
    const world = createWorld();
    await runToGate(world, '2025-10-16', 'PASS');
    await runToGate(world, '2025-10-17', 'FAIL');
    assert.deepEqual((await get(world, '/api/v2/dagTags')).tags, ['daily', 'dims', 'ecommerce']);
    const stats = list(await get(world, `/api/v2/dagStats?dag_ids=${SILVER_TO_GOLD}`), 'dags');
    assert.deepEqual(stats[0]?.stats, [
      { state: 'queued', count: 0 },
      { state: 'running', count: 0 },
      { state: 'success', count: 1 },
      { state: 'failed', count: 1 },
    ]);
  });
});

describe('triggering a run', () => {
  test('accepts what the official client sends for an empty body: logical_date null', async () => {
    const world = createWorld();
    const run = await send(world, 'POST', RUNS, { logical_date: null });
    isComplete(run, 'run');
    assert.equal(run.state, 'queued');
    assert.equal(run.run_type, 'manual');
    assert.equal(run.triggered_by, 'rest_api');
    assert.equal(run.logical_date, null);
    // 09:00 on the 18th: the last window that is over is the 17th.
    assert.equal(run.data_interval_start, '2025-10-17T00:00:00.000Z');
    assert.equal(run.data_interval_end, '2025-10-18T00:00:00.000Z');
    assert.deepEqual(run.dag_versions, []);
  });

  test('accepts what airflowctl sends: every field, all null, and an empty conf', async () => {
    const body = {
      dag_run_id: null,
      logical_date: null,
      data_interval_start: null,
      data_interval_end: null,
      run_after: null,
      conf: {},
      note: null,
      partition_key: null,
    };
    assert.equal((await send(createWorld(), 'POST', RUNS, body)).state, 'queued');
  });

  test('a logical date covers its day; an interval, conf, note and id are kept as given', async () => {
    const world = createWorld();
    const day = await send(world, 'POST', RUNS, { logical_date: '2025-10-15T00:00:00Z' });
    assert.equal(day.data_interval_start, '2025-10-15T00:00:00.000Z');
    assert.equal(day.data_interval_end, '2025-10-16T00:00:00.000Z');
    const given = await send(world, 'POST', RUNS, {
      dag_run_id: 'from-ticket:42',
      data_interval_start: '2025-10-01T02:00:00+02:00',
      data_interval_end: '2025-10-08T00:00:00.000000Z',
      conf: { reason: 'late file' },
      note: 'asked by finance',
    });
    assert.equal(given.dag_run_id, 'from-ticket:42');
    assert.equal(given.data_interval_start, '2025-10-01T00:00:00.000Z');
    assert.equal(given.data_interval_end, '2025-10-08T00:00:00.000Z');
    assert.deepEqual(given.conf, { reason: 'late file' });
    assert.equal(given.note, 'asked by finance');
    assert.deepEqual(await get(world, `${RUNS}/${encodeURIComponent('from-ticket:42')}`), given);
  });

  test('an unknown key is refused with its place, and nothing is started', async () => {
    const world = createWorld();
    const body = await send(world, 'POST', RUNS, { confg: {} }, 422);
    assert.deepEqual(body.detail, [
      { loc: ['body', 'confg'], msg: 'Extra inputs are not permitted', type: 'extra_forbidden' },
    ]);
    assert.equal((await get(world, RUNS)).total_entries, 0);
  });

  test('a wrong type, half an interval, an interval backwards and an unsafe id are refused', async () => {
    const world = createWorld();
    for (const [body, place] of [
      [{ logical_date: 'yesterday' }, 'logical_date'],
      [{ logical_date: '2025-10-15T00:00:00' }, 'logical_date'],
      [{ conf: 'text' }, 'conf'],
      [{ data_interval_start: '2025-10-15T00:00:00Z' }, 'data_interval_end'],
      [{ data_interval_start: '2025-10-15T00:00:00Z', data_interval_end: '2025-10-15T00:00:00Z' }, 'data_interval_end'],
      [{ dag_run_id: '../../etc' }, 'dag_run_id'],
      [{ dag_run_id: '..' }, 'dag_run_id'],
    ] as const) {
      const detail = (await send(world, 'POST', RUNS, body, 422)).detail as {
        loc: string[];
        msg: string;
        type: string;
      }[];
      assert.deepEqual(detail[0]?.loc, ['body', place], JSON.stringify(body));
      assert.ok(detail[0].msg.length > 0 && detail[0].type.length > 0);
    }
    assert.equal((await get(world, RUNS)).total_entries, 0);
  });

  test('a second run of the same id or logical date is a conflict, an unknown DAG is not found', async () => {
    const world = createWorld();
    await send(world, 'POST', RUNS, { dag_run_id: 'one', logical_date: '2025-10-15T00:00:00Z' });
    const conflict = await send(world, 'POST', RUNS, { dag_run_id: 'one' }, 409);
    assert.equal(typeof conflict.detail, 'string');
    assert.equal(conflict.code, 'run_exists');
    await send(world, 'POST', RUNS, { dag_run_id: 'two', logical_date: '2025-10-15T00:00:00Z' }, 409);
    assert.match(String((await send(world, 'POST', `${DAGS}/nope/dagRuns`, {}, 404)).detail), /nope/);
  });

  test('what cannot be honoured is said instead of ignored', async () => {
    const world = createWorld();
    await send(world, 'POST', RUNS, { partition_key: 'p1' }, 501);
    await send(world, 'POST', RUNS, { run_after: '2030-01-01T00:00:00Z' }, 501);
    assert.equal((await send(world, 'POST', RUNS, { run_after: '2020-01-01T00:00:00Z' })).state, 'queued');
  });
});

describe('runs as Airflow’s clients read them', () => {
  test('a list filters by state, pattern and dates, orders, and counts all that match', async () => {
    const world = createWorld();
    for (const day of ['2025-10-13', '2025-10-14', '2025-10-15']) await runToGate(world, day, 'PASS');
    await runToGate(world, '2025-10-16', 'FAIL');
    const days = async (query: string): Promise<unknown[]> =>
      list(await get(world, `${RUNS}?${query}`), 'dag_runs').map((run) => String(run.logical_date).slice(8, 10));
    assert.deepEqual(await days(''), ['13', '14', '15', '16']);
    assert.deepEqual(await days('order_by=-run_after&limit=2'), ['16', '15']);
    assert.deepEqual(await days('state=failed'), ['16']);
    assert.deepEqual(await days('state=failed&state=success&order_by=logical_date&offset=2'), ['15', '16']);
    assert.deepEqual(await days('logical_date_gte=2025-10-14T00:00:00Z&logical_date_lt=2025-10-16T00:00:00Z'), [
      '14',
      '15',
    ]);
    assert.deepEqual(await days('run_id_pattern=%252025-10-13%25'), ['13']);
    assert.deepEqual(await days('run_type=manual'), []);
    assert.deepEqual(await days('order_by=duration&order_by=-logical_date&limit=1'), ['16']);
    const page = await get(world, `${RUNS}?limit=1&state=success`);
    assert.equal(page.total_entries, 3);
    for (const run of list(await get(world, RUNS), 'dag_runs')) isComplete(run, 'run');
    await get(world, `${RUNS}?state=upstream_failed`, 400);
    await get(world, `${RUNS}?order_by=colour`, 400);
    await get(world, `${RUNS}?limit=-1`, 422);
    await get(world, `${DAGS}/nope/dagRuns`, 404);
  });

  test('a page holds 50 unless asked otherwise, and never more than 100', async () => {
    const world = createWorld();
    for (let n = 0; n < 120; n++) {
      await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: `r${n}`, triggeredBy: 'test' });
    }
    const path = `${DAGS}/${DIM_REFRESH}/dagRuns`;
    assert.equal(list(await get(world, path), 'dag_runs').length, 50);
    assert.equal(list(await get(world, `${path}?limit=1000`), 'dag_runs').length, 100);
    assert.equal(list(await get(world, `${path}?limit=0`), 'dag_runs').length, 50);
    assert.equal((await get(world, path)).total_entries, 120);
    // A filter that the store does not know is held against every run, not only the first page of them.
    assert.equal((await get(world, `${path}?run_id_pattern=r%25`)).total_entries, 120);
    // airflowctl pages by offset alone and relies on 50.
    assert.equal(list(await get(world, `${path}?offset=100`), 'dag_runs').length, 20);
  });

  test('~ means all DAGs, in lists and in the batch form', async () => {
    const world = createWorld();
    await runToGate(world, '2025-10-16', 'PASS');
    await world.scheduler.trigger({ dagId: DIM_REFRESH, triggeredBy: 'test' });
    assert.equal((await get(world, `${DAGS}/~/dagRuns`)).total_entries, 2);
    const batch = (body: Json): Promise<Json> => send(world, 'POST', `${DAGS}/~/dagRuns/list`, body);
    assert.equal((await batch({})).total_entries, 2);
    assert.equal((await batch({ dag_ids: [DIM_REFRESH] })).total_entries, 1);
    assert.equal((await batch({ states: ['success'], order_by: '-run_after', page_limit: 5 })).total_entries, 1);
    assert.equal((await batch({ logical_date_gte: '2025-10-17T00:00:00Z' })).total_entries, 0);
    await send(world, 'POST', `${DAGS}/~/dagRuns/list`, { dag_id: 'x' }, 422);
  });

  test('patching to failed cancels; other states and notes are refused, never faked', async () => {
    const world = createWorld();
    const { runId } = await world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(SILVER_TO_GOLD, runId, 'setup_pipeline_config');
    await send(world, 'PATCH', `${RUNS}/r`, { state: 'success' }, 501);
    await send(world, 'PATCH', `${RUNS}/r`, { note: 'hm' }, 501);
    await send(world, 'PATCH', `${RUNS}/r`, { state: 'paused' }, 422);
    assert.equal((await get(world, `${RUNS}/r`)).state, 'running');
    assert.equal(
      (await send(world, 'PATCH', `${RUNS}/r?update_mask=state`, { state: 'failed', note: null })).state,
      'failed',
    );
    await send(world, 'PATCH', `${RUNS}/r`, { state: 'failed' }, 409);
    await send(world, 'PATCH', `${RUNS}/nope`, { state: 'failed' }, 404);
  });

  test('wait answers once, with JSON, when the run has ended', async () => {
    const world = createWorld();
    const run = await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'w', triggeredBy: 'test' });
    world.scheduler.start(DIM_REFRESH, run.runId, 'snapshot_dims');
    const path = `${DAGS}/${DIM_REFRESH}/dagRuns/w/wait`;
    const waiting = get(world, `${path}?interval=60`);
    setImmediate(() => world.scheduler.finish(DIM_REFRESH, 'w', 'snapshot_dims', { state: 'success' }));
    assert.deepEqual(await waiting, { state: 'success' });
    assert.equal(world.scheduler.listeners, 0);
    await get(world, path, 422);
    await get(world, `${path}?interval=0`, 422);
    await get(world, `${DAGS}/${DIM_REFRESH}/dagRuns/nope/wait?interval=1`, 404);
  });

  test('wait says every look when asked for NDJSON', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'w', triggeredBy: 'test' });
    world.scheduler.start(DIM_REFRESH, 'w', 'snapshot_dims');
    const response = await world.request(`${DAGS}/${DIM_REFRESH}/dagRuns/w/wait?interval=60`, {
      headers: { accept: 'application/x-ndjson' },
    });
    assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
    setImmediate(() => world.scheduler.finish(DIM_REFRESH, 'w', 'snapshot_dims', { state: 'success' }));
    assert.equal(await response.text(), '{"state":"running"}\n{"state":"success"}\n');
    assert.equal(world.scheduler.listeners, 0);
  });

  test('wait forgets who leaves before the end', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'w', triggeredBy: 'test' });
    const path = `${DAGS}/${DIM_REFRESH}/dagRuns/w/wait?interval=60`;
    const response = await world.request(path, { headers: { accept: 'application/x-ndjson' } });
    const reader = response.body?.getReader();
    await reader?.read();
    assert.equal(world.scheduler.listeners, 1);
    await reader?.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(world.scheduler.listeners, 0);
  });
});

describe('task instances as Airflow’s clients read them', () => {
  test('a failed gate reads failed, what is below it upstream_failed, and every key is there', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    const path = `${RUNS}/${encodeURIComponent(runId)}/taskInstances`;
    const body = await get(world, path);
    assert.equal(body.total_entries, 6);
    const instances = list(body, 'task_instances');
    assert.deepEqual(
      instances.map((instance) => [instance.task_id, instance.state]),
      [
        ['setup_pipeline_config', 'success'],
        ['base_silver.orders', 'success'],
        ['base_silver.returns', 'success'],
        ['validate_silver_quality', 'failed'],
        ['promote_silver_base', 'upstream_failed'],
        ['load_to_bigquery', 'upstream_failed'],
      ],
    );
    for (const instance of instances) {
      isComplete(instance, 'instance');
      assert.match(String(instance.id), /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(instance.executor_config, '{}');
      assert.equal(instance.map_index, -1);
      assert.ok(TASK_STATES.has(instance.state as string | null));
    }
    assert.equal(instances[1]?.duration, 2.34);
    assert.equal(instances[5]?.pool, 'warehouse');
  });

  test('a task that nobody has looked at has state null, and can be asked for as none', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(SILVER_TO_GOLD, 'r', 'setup_pipeline_config');
    const path = `${RUNS}/r/taskInstances`;
    assert.equal((await get(world, `${path}/promote_silver_base`)).state, null);
    assert.equal((await get(world, `${path}?state=none`)).total_entries, 5);
    assert.equal((await get(world, `${path}?state=running`)).total_entries, 1);
    assert.equal((await get(world, `${path}?task_group_id=base_silver`)).total_entries, 2);
    assert.equal((await get(world, `${path}?task_display_name_pattern=%25silver%25&limit=1`)).total_entries, 4);
    assert.equal((await get(world, `${DAGS}/~/dagRuns/~/taskInstances?limit=2`)).total_entries, 6);
    const batch = await send(world, 'POST', `${DAGS}/~/dagRuns/~/taskInstances/list`, { state: ['running'] });
    assert.equal(batch.total_entries, 1);
  });

  test('map index -1 is the task itself, any other does not exist', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'r', triggeredBy: 'test' });
    const path = `${RUNS}/r/taskInstances/load_to_bigquery`;
    assert.deepEqual(await get(world, `${path}/-1`), await get(world, path));
    await get(world, `${path}/0`, 404);
    await get(world, `${path}/x`, 422);
    await get(world, `${RUNS}/r/taskInstances/nope`, 404);
  });

  test('every try is kept with its own times', async () => {
    const world = createWorld();
    const { scheduler, clock } = world;
    await scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'test' });
    scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    clock.move(1500);
    const error = { code: 'storage_unavailable', message: 'no answer', retryable: true };
    scheduler.finish(DIM_REFRESH, 'r', 'snapshot_dims', { state: 'up_for_retry', error });
    clock.move(30_000);
    scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    const path = `${DAGS}/${DIM_REFRESH}/dagRuns/r/taskInstances/snapshot_dims/tries`;
    const tries = list(await get(world, path), 'task_instances');
    for (const attempt of tries) isComplete(attempt, 'attempt');
    assert.deepEqual(
      tries.map((attempt) => [attempt.try_number, attempt.state, attempt.duration]),
      [
        [1, 'failed', 1.5],
        [2, 'running', null],
      ],
    );
    assert.equal((await get(world, `${path}/1`)).end_date, new Date(START_MS + 1500).toISOString());
    await get(world, `${path}/3`, 404);
  });

  test('logs are JSON records, or NDJSON for who asks', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'PASS');
    const path = `${RUNS}/${encodeURIComponent(runId)}/taskInstances/base_silver.orders/logs`;
    const body = await get(world, `${path}/1?full_content=true`, 200, { headers: { accept: 'application/json' } });
    assert.deepEqual(body, {
      content: [
        {
          timestamp: new Date(START_MS + 120).toISOString(),
          level: 'info',
          event: 'base_silver.orders begins',
          rows: 2054,
        },
      ],
      continuation_token: null,
    });
    const lines = await world.request(`${path}/1`, { headers: { accept: 'application/x-ndjson' } });
    assert.equal(lines.headers.get('content-type'), 'application/x-ndjson');
    assert.equal((JSON.parse(await lines.text()) as Json).event, 'base_silver.orders begins');
    assert.deepEqual((await get(world, `${path}/7`)).content, []);
    await get(world, `${RUNS}/${encodeURIComponent(runId)}/taskInstances/nope/logs/1`, 404);
  });
});

describe('clearing', () => {
  test('is a dry run by default and then clears exactly what it named', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    const path = `${DAGS}/${SILVER_TO_GOLD}/clearTaskInstances`;
    const names = (body: Json): unknown[] => list(body, 'task_instances').map((instance) => instance.task_id);
    const failed = ['validate_silver_quality', 'promote_silver_base', 'load_to_bigquery'];
    assert.deepEqual(names(await send(world, 'POST', path, { dag_run_id: runId })), failed);
    assert.equal((await get(world, `${RUNS}/${runId}`)).state, 'failed');
    assert.deepEqual(names(await send(world, 'POST', path, { dag_run_id: runId, dry_run: false })), failed);
    assert.equal((await get(world, `${RUNS}/${runId}`)).state, 'queued');
  });

  test('takes names, groups and [task, -1] pairs, and reaches by dates', async () => {
    const world = createWorld();
    for (const day of ['2025-10-15', '2025-10-16', '2025-10-17']) await runToGate(world, day, 'PASS');
    const clear = (body: Json): Promise<Json> =>
      send(world, 'POST', `${DAGS}/${SILVER_TO_GOLD}/clearTaskInstances`, { only_failed: false, ...body });
    const range = { start_date: '2025-10-15T00:00:00Z', end_date: '2025-10-16T00:00:00Z' };
    assert.equal((await clear({ ...range, task_ids: ['base_silver'] })).total_entries, 4);
    assert.equal((await clear({ ...range, task_ids: [['load_to_bigquery', -1]] })).total_entries, 2);
    assert.equal((await clear({ task_ids: ['promote_silver_base'], include_downstream: true })).total_entries, 6);
  });

  test('refuses what it cannot do, and an empty wish for a running task', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(SILVER_TO_GOLD, 'r', 'setup_pipeline_config');
    const path = `${DAGS}/${SILVER_TO_GOLD}/clearTaskInstances`;
    const body = { dag_run_id: 'r', only_failed: false, dry_run: false };
    await send(world, 'POST', path, { ...body, include_future: true }, 501);
    await send(world, 'POST', path, { ...body, task_ids: [['load_to_bigquery', 3]] }, 404);
    await send(world, 'POST', path, { ...body, task_ids: ['nope'] }, 404);
    await send(world, 'POST', path, { ...body, prevent_running_task: true }, 409);
    assert.equal((await get(world, `${RUNS}/r/taskInstances/setup_pipeline_config`)).state, 'running');
  });

  test('of a run answers task instances when dry, else the run', async () => {
    const world = createWorld();
    const runId = await runToGate(world, '2025-10-17', 'FAIL');
    assert.equal(
      (await send(world, 'POST', `${RUNS}/${runId}/clear`, { dry_run: true, only_failed: false, only_new: false }))
        .total_entries,
      6,
    );
    assert.equal((await send(world, 'POST', `${RUNS}/${runId}/clear`, { only_failed: true })).total_entries, 3);
    const run = await send(world, 'POST', `${RUNS}/${runId}/clear`, { dry_run: false, only_failed: true });
    isComplete(run, 'run');
    assert.equal(run.state, 'queued');
  });
});

describe('the server about itself', () => {
  test('version names Airflow’s API and ours', async () => {
    assert.deepEqual(await get(createWorld(), '/api/v2/version'), { version: '3.2.1', git_version: 'assay 0.1.0' });
  });

  test('health turns when the heartbeat grows old or the store does not answer', async () => {
    const world = createWorld();
    const status = async (part: string): Promise<unknown> =>
      ((await get(world, '/api/v2/monitor/health'))[part] as Json).status;
    assert.equal(await status('scheduler'), 'healthy');
    assert.equal(await status('metadatabase'), 'healthy');
    world.clock.move(31_000);
    assert.equal(await status('scheduler'), 'unhealthy');
    world.scheduler.health = () => Promise.reject(new Error('locked'));
    assert.equal(await status('metadatabase'), 'unhealthy');
    hasKeys(await get(world, '/api/v2/monitor/health'), 'metadatabase scheduler triggerer');
  });

  test('import errors are the faults of specs, and mark their DAGs', async () => {
    const world = createWorld();
    world.issues.push({
      pipeline: 'ecommerce',
      foundAtMs: START_MS,
      issue: {
        severity: 'error',
        code: 'unknown_key',
        message: 'shedule is no key of a DAG',
        expected: 'one of id, schedule, tasks',
        hint: 'schedule',
        location: { file: 'specs/ecommerce/pipeline.yml', line: 12, column: 5 },
        lineText: '    shedule: x',
      },
    });
    const body = await get(world, '/api/v2/importErrors');
    const [error] = list(body, 'import_errors');
    assert.ok(error);
    hasKeys(error, 'import_error_id timestamp filename stack_trace');
    assert.match(String(error.stack_trace), /pipeline\.yml:12:5: unknown_key: shedule/);
    assert.deepEqual(await get(world, '/api/v2/importErrors/1'), error);
    await get(world, '/api/v2/importErrors/2', 404);
    assert.equal((await get(world, `${DAGS}/${SILVER_TO_GOLD}`)).has_import_errors, true);
    assert.equal((await get(world, `${DAGS}?has_import_errors=false`)).total_entries, 0);
  });

  test('pools say how full they are', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: SILVER_TO_GOLD, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(SILVER_TO_GOLD, 'r', 'setup_pipeline_config');
    const pools = list(await get(world, '/api/v2/pools'), 'pools');
    for (const pool of pools) isComplete(pool, 'pool');
    assert.deepEqual(
      pools.map((pool) => [pool.name, pool.slots, pool.running_slots, pool.open_slots]),
      [
        ['default', 2, 1, 1],
        ['warehouse', 1, 0, 1],
      ],
    );
    await get(world, '/api/v2/pools/nope', 404);
  });

  test('jobs, events, warnings and providers tell what there is', async () => {
    const world = createWorld();
    await send(world, 'POST', RUNS, { dag_run_id: 'r' });
    const [event] = list(await get(world, `/api/v2/eventLogs?dag_id=${SILVER_TO_GOLD}`), 'event_logs');
    assert.ok(event);
    hasKeys(event, 'event_log_id when event');
    assert.deepEqual([event.event, event.run_id, event.owner], ['trigger', 'r', 'rest_api']);
    assert.equal((await get(world, '/api/v2/eventLogs?event=pause')).total_entries, 0);
    assert.equal(list(await get(world, '/api/v2/jobs'), 'jobs')[0]?.job_type, 'SchedulerJob');
    world.scheduler.heartbeatMs = null;
    assert.equal((await get(world, '/api/v2/jobs')).total_entries, 0);
    assert.deepEqual(await get(world, '/api/v2/dagWarnings'), { dag_warnings: [], total_entries: 0 });
    assert.deepEqual(await get(world, '/api/v2/providers'), { providers: [], total_entries: 0 });
  });

  test('what Assay does not have answers 501 and names what to use, never a success', async () => {
    const world = createWorld();
    for (const [method, path] of [
      ['GET', '/api/v2/assets'],
      ['GET', '/api/v2/assets/3/queuedEvents'],
      ['POST', '/api/v2/backfills'],
      ['POST', '/api/v2/backfills/1/pause'],
      ['PUT', '/api/v2/backfills/1/pause'],
      ['GET', '/api/v2/connections'],
      ['GET', '/api/v2/variables/x'],
      ['GET', '/api/v2/config'],
      ['DELETE', `${DAGS}/${SILVER_TO_GOLD}`],
      ['GET', `${DAGS}/${SILVER_TO_GOLD}/dagVersions/1`],
      ['DELETE', `${RUNS}/r`],
      ['PATCH', `${RUNS}/r/taskInstances/t`],
      ['PATCH', `${RUNS}/r/taskInstances/t/-1/dry_run`],
      ['GET', `${RUNS}/r/taskInstances/t/listMapped`],
      ['GET', `${RUNS}/r/taskInstances/t/dependencies`],
      ['GET', `${RUNS}/r/taskInstances/t/xcomEntries`],
      ['POST', '/api/v2/pools'],
      ['GET', '/api/v2/plugins'],
    ] as const) {
      const body = await get(world, path, 501, { method });
      assert.match(String(body.detail), /^Assay does not serve .+\. .+/, `${method} ${path}`);
    }
  });

  test('a report’s task keeps its place in Airflow’s enums whatever the verdict', async () => {
    const world = createWorld();
    await world.scheduler.trigger({ dagId: DIM_REFRESH, runId: 'r', triggeredBy: 'test' });
    world.scheduler.start(DIM_REFRESH, 'r', 'snapshot_dims');
    const output = reportOutput('DIMS_QUALITY', { verdict: 'WARN', mayPublish: true, blockedBy: [] });
    world.scheduler.finish(DIM_REFRESH, 'r', 'snapshot_dims', { state: 'success', output });
    const [run] = list(await get(world, `${DAGS}/${DIM_REFRESH}/dagRuns`), 'dag_runs');
    assert.equal(run?.state, 'success');
  });
});
