/** Snapshots of silver as of a run's date, which one a run reads, and when they count as fresh. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDim } from '../../core/dim-snapshot.ts';
import { PipelineError } from '../../core/errors.ts';
import type { DimSpec } from '../../core/spec.ts';
import type { JsonObject, StagedTable, TaskOutput } from '../../core/types.ts';
import { createBuildDimsHandler } from '../../transforms/dims/build-dims.ts';
import { createDimsFreshHandler, staleDims } from '../../transforms/dims/dims-fresh.ts';
import { createPinDimsHandler } from '../../transforms/dims/pin-dims.ts';
import { BaseLake, column, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

const customers = tableSpec('customers', {
  primaryKey: ['id'],
  columns: [column('id', 'string', { required: true }), column('signup_dt', 'date', { required: true })],
  source: { ...tableSpec('customers').source, select: 'changed', partitionKey: 'batch' },
  partitionKey: 'signup_dt',
});
const dim: DimSpec = {
  name: 'customers',
  snapshotPartitionKey: 'snapshot_dt',
  primaryKey: ['id'],
  freshnessHours: 24,
  where: 'signup_dt < @window_end',
  checks: [],
  location: { file: 'dims.yml', line: 1, column: 1 },
};
const spec = specOf([customers], [dim]);

const PEOPLE = `SELECT * FROM (VALUES ('c2', '2025-10-08'), ('c1', '2025-10-07'), ('c3', '2025-10-09')) t(id, signup_dt)`;

async function snapshot(lake: BaseLake, day: string, outputs: Record<string, TaskOutput> = {}): Promise<StagedTable> {
  const handler = createBuildDimsHandler({
    publications: lake.publications,
    lake: lake.publications.files,
    duckdb: { memoryLimit: '1GB', threads: 1 },
  });
  const task = { id: 'snapshot_dims.customers', kind: 'build', layer: 'dims', tables: ['customers'] } as const;
  const output = await handler(await lake.context(spec, day, day, task, outputs));
  if (output.kind !== 'staged') throw new Error(output.kind);
  return output.staged;
}

const idsOf = async (lake: BaseLake, staged: StagedTable) =>
  (
    await lake.rowsOf(
      staged.partitions.flatMap(({ files }) => files),
      '*',
      'id',
    )
  ).map((row) => row.id);

describe('dims snapshots', () => {
  test('a snapshot holds who was known by the end of the run’s date, with that date twice', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    const staged = await snapshot(lake, '2025-10-08');
    assert.deepEqual(staged.columns.map(({ name }) => name).slice(-2), ['snapshot_dt', 'as_of_dt']);
    const [file] = staged.partitions[0]?.files ?? [];
    assert.ok(file?.key.endsWith('/customers/snapshot_dt=2025-10-08/part-00000.parquet'));
    assert.ok(file);
    assert.deepEqual(await lake.rowsOf([file], 'id, signup_dt, snapshot_dt, as_of_dt', 'id'), [
      { id: 'c1', signup_dt: '2025-10-07', snapshot_dt: '2025-10-08', as_of_dt: '2025-10-08' },
      { id: 'c2', signup_dt: '2025-10-08', snapshot_dt: '2025-10-08', as_of_dt: '2025-10-08' },
    ]);
    const { input, output, filtered } = staged.account;
    assert.deepEqual([input, output, filtered], [3, 2, 1]);
    assert.deepEqual(staged.state, { snapshot_dt: '2025-10-08' });
  });

  test('silver that this run staged lies over what is published', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    await lake.writeBronze('customers/batch=2/part-0.parquet', "SELECT 'c0' AS id, '2025-10-07' AS signup_dt");
    const built = (await lake.build(spec, '2025-10-08')).customers;
    assert.ok(built);
    const staged = await snapshot(lake, '2025-10-08', { refresh: { kind: 'staged', staged: built } });
    assert.deepEqual(await idsOf(lake, staged), ['c0', 'c1', 'c2']);
  });

  test('the same silver makes no second snapshot of a day; other silver does', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    const first = await snapshot(lake, '2025-10-08');
    lake.publications.merge('dims', [first]);
    const again = await snapshot(lake, '2025-10-08');
    assert.equal(again.unchanged, true);
    assert.deepEqual(
      [again.partitions, again.account, again.columns],
      [first.partitions, first.account, first.columns],
    );
    assert.equal((await snapshot(lake, '2025-10-09')).unchanged, false);
    await lake.writeBronze('customers/batch=1/part-0.parquet', `${PEOPLE} WHERE id <> 'c1'`);
    await lake.run(spec, '2025-10-08');
    const changed = await snapshot(lake, '2025-10-08');
    assert.equal(changed.unchanged, false);
    assert.deepEqual(await idsOf(lake, changed), ['c2']);
  });

  test('an empty snapshot is a file without rows, for validation to refuse', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    const staged = await snapshot(lake, '2025-10-01');
    assert.deepEqual(
      staged.partitions.map(({ value, rows, files }) => [value, rows, files.length]),
      [['2025-10-01', 0, 1]],
    );
  });

  test('an older date never moves the newest snapshot back', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    lake.publications.merge('dims', [await snapshot(lake, '2025-10-09')]);
    assert.deepEqual((await snapshot(lake, '2025-10-08')).state, { snapshot_dt: '2025-10-09' });
  });

  test('without silver the fault says what to run', async () => {
    await using lake = await BaseLake.open();
    await assert.rejects(snapshot(lake, '2025-10-08'), (thrown: unknown) => {
      assert.ok(thrown instanceof PipelineError);
      return thrown.code === 'bronze_missing' && /silver\.customers, which has never been built/.test(thrown.message);
    });
  });
});

describe('reading dims', () => {
  test('a run reads the newest snapshot of its past, and before the first one the earliest, as bootstrap', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    for (const day of ['2025-10-08', '2025-10-10']) lake.publications.merge('dims', [await snapshot(lake, day)]);
    const publication = await lake.publications.current('dims');
    const read = (day: string) => {
      const found = readDim(publication, 'customers', day);
      return found && [found.day, found.partition.value, found.isBootstrap];
    };
    assert.deepEqual(read('2025-10-08'), ['2025-10-08', '2025-10-08', false]);
    assert.deepEqual(read('2025-10-09'), ['2025-10-08', '2025-10-08', false]);
    assert.deepEqual(read('2025-12-31'), ['2025-10-10', '2025-10-10', false]);
    assert.deepEqual(read('2025-10-01'), ['2025-10-08', '2025-10-08', true]);
    assert.equal(readDim(publication, 'products', '2025-10-08'), null);
    assert.equal(readDim(null, 'customers', '2025-10-08'), null);
  });

  test('fresh is a snapshot less than freshness_hours before the run’s date, and never one after it', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    assert.deepEqual(staleDims(null, [], '2025-10-08'), []);
    assert.equal(staleDims(null, [dim], '2025-10-08').length, 1);
    lake.publications.merge('dims', [await snapshot(lake, '2025-10-08')]);
    const publication = await lake.publications.current('dims');
    const isFresh = (day: string, freshnessHours: number) =>
      staleDims(publication, [{ ...dim, freshnessHours }], day).length === 0;
    assert.deepEqual(
      [isFresh('2025-10-08', 24), isFresh('2025-10-09', 24), isFresh('2025-10-09', 25), isFresh('2025-10-07', 240)],
      [true, false, true, false],
    );
  });

  test('the gate follows the branch for fresh or stale dims, and the pin names both publications', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze('customers/batch=1/part-0.parquet', PEOPLE);
    await lake.run(spec, '2025-10-08');
    const gate = createDimsFreshHandler(lake);
    const params = JSON.parse('{"if": "dims_fresh", "then": "skip", "else": "trigger"}') as JsonObject;
    const ask = async (day: string) => {
      const output = await gate(await lake.context(spec, day, day, { id: 'gate', kind: 'branch', params }));
      return output.kind === 'branch' ? output.follow : output.kind;
    };
    const pin = async () => {
      const output = await createPinDimsHandler(lake)(await lake.context(spec, '2025-10-08', '2025-10-08', {}));
      return output.kind === 'pinned' ? output.pinned.publications : output.kind;
    };
    assert.deepEqual(await ask('2025-10-08'), ['trigger']);
    assert.deepEqual(await pin(), { dims: null, silver: 1 });
    lake.publications.merge('dims', [await snapshot(lake, '2025-10-08')]);
    assert.deepEqual(await ask('2025-10-08'), ['skip']);
    assert.deepEqual(await ask('2025-10-09'), ['trigger']);
    assert.deepEqual(await pin(), { dims: 1, silver: 1 });
  });
});
