/** Bronze that cannot be built: each fault names file or column, and what to do next. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { BaseLake, column, rule, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

const DAY = '2025-10-08';
const GOOD = `t/ingest_dt=${DAY}/part-0000.parquet`;
const BAD = `t/ingest_dt=${DAY}/part-0001.parquet`;
const ROWS = "SELECT range AS id, 'text ' || range AS v FROM range(2000)";
const table = tableSpec('t', { columns: [column('id', 'int64', { required: true }), column('v', 'string')] });

async function failure(work: Promise<unknown>): Promise<PipelineError> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof PipelineError, `expected a PipelineError, got ${String(thrown)}`);
  return thrown;
}

describe('base faults', () => {
  test('a Parquet file that is empty, cut, no Parquet, or damaged inside is named, whatever stands beside it', async () => {
    await using lake = await BaseLake.open();
    const path = await lake.writeBronze(GOOD, ROWS);
    const whole = await readFile(path);
    const damaged = Buffer.from(whole);
    damaged.fill(0x5a, 60, Math.floor(whole.length / 2));
    for (const [body, what] of [
      [Buffer.alloc(0), 'empty'],
      [whole.subarray(0, whole.length / 2), 'cut'],
      [Buffer.from('id,v\n1,no parquet at all\n'), 'text'],
      [damaged, 'damaged'],
    ] as const) {
      await lake.writeObject(BAD, body);
      const error = await failure(lake.build(specOf([table]), DAY));
      assert.equal(error.code, 'bronze_unreadable', what);
      assert.ok(error.message.startsWith(`bronze ${BAD} cannot be read as Parquet:`), error.message);
      assert.match(error.message, /Deliver the partition again/);
    }
  });

  test('a required column that one file lacks is named with table and file', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(GOOD, ROWS);
    await lake.writeBronze(BAD, "SELECT 1 AS order_number, 'x' AS v");
    const error = await failure(lake.build(specOf([table]), DAY));
    assert.equal(error.code, 'bronze_schema');
    assert.match(
      error.message,
      /part-0001\.parquet has no column “id”, which silver\.t requires\. It has: order_number, v\./,
    );
  });

  test('a file that was replaced or taken away after the pin is not half seen', async () => {
    await using lake = await BaseLake.open();
    const path = await lake.writeBronze(GOOD, ROWS);
    const pinned = await lake.pin(specOf([table]), DAY, DAY);
    await writeFile(path, Buffer.concat([await readFile(path), Buffer.from('x')]));
    const replaced = await failure(lake.build(specOf([table]), DAY, DAY, pinned));
    assert.equal(replaced.code, 'bronze_missing');
    assert.match(replaced.message, /part-0000\.parquet has \d+ bytes, but had \d+ when this run pinned it/);
    await rm(path);
    const gone = await failure(lake.build(specOf([table]), DAY, DAY, pinned));
    assert.equal(gone.code, 'bronze_missing');
    assert.match(gone.message, /part-0000\.parquet was there when this run pinned it, and is gone/);
  });

  test('a file that cannot be had now is not said to be gone', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(GOOD, ROWS);
    const pinned = await lake.pin(specOf([table]), DAY, DAY);
    const denied = new PipelineError('storage_denied', 'The account may not read it.');
    Object.assign(lake.bronze, { localPath: () => Promise.reject(denied) });
    assert.equal((await failure(lake.build(specOf([table]), DAY, DAY, pinned))).code, 'storage_denied');
  });

  test('a table without declared columns does not follow a column to another type by itself', async () => {
    await using lake = await BaseLake.open();
    const free = tableSpec('t');
    await lake.writeBronze(GOOD, 'SELECT 1 AS id, 2 AS amount');
    await lake.run(specOf([free]), DAY);
    const next = 't/ingest_dt=2025-10-09/part-0000.parquet';
    await lake.writeBronze(next, "SELECT 2 AS id, 'two' AS amount");
    const error = await failure(lake.build(specOf([free]), '2025-10-09'));
    assert.equal(error.code, 'bronze_schema');
    assert.ok(error.message.startsWith(`bronze ${next}: column “amount” is string there, but int64`), error.message);
  });

  test('a key that is no column, and an expression that does not fit, point at the spec', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(GOOD, ROWS);
    const key = await failure(lake.build(specOf([{ ...table, partitionKey: 'order_dt' }]), DAY));
    assert.equal(key.code, 'spec_invalid');
    assert.match(key.message, /“order_dt” is used as a key, but is no column.*tables\.yml:1/);
    const order = await failure(lake.build(specOf([{ ...table, orderBy: ['updated_at desc'] }]), DAY));
    assert.equal(order.code, 'spec_invalid');
    const expression = await failure(lake.build(specOf([{ ...table, rules: [rule('odd', 'id + v > 1')] }]), DAY));
    assert.equal(expression.code, 'sql_not_portable');
    assert.match(expression.message, /silver\.t, rule “odd” \(tables\.yml:1\): SQL line 1/);
    const value = await failure(lake.build(specOf([{ ...table, rules: [rule('odd', 'CAST(v AS INT64) > 1')] }]), DAY));
    assert.equal(value.code, 'sql_invalid');
    assert.match(
      value.message,
      /silver\.t: an expression of the spec cannot be computed.*Cannot read text 0 as INT64\. Check/,
    );
  });

  test('a bronze column with the name of a row’s place is refused', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(GOOD, 'SELECT 1 AS id, 7 AS file_row_number');
    const error = await failure(lake.build(specOf([table]), DAY));
    assert.equal(error.code, 'bronze_schema');
    assert.match(error.message, /“file_row_number”/);
  });

  test('after a failed build the same lake, mended, builds', async () => {
    await using lake = await BaseLake.open();
    await lake.writeBronze(GOOD, ROWS);
    await lake.writeObject(BAD, '');
    await failure(lake.run(specOf([table]), DAY));
    assert.equal(await lake.publications.current('silver'), null);
    await lake.bronze.delete(BAD);
    assert.equal((await lake.run(specOf([table]), DAY)).t?.account.output, 2000);
  });
});
