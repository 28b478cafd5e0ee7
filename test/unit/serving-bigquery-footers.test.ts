/** Objects that must not be loaded are found by their footers alone, before any job is started. */
import assert from 'node:assert/strict';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { LakeObjects, WarehouseTableDef } from '../../core/ports.ts';
import type { DataPartition } from '../../core/types.ts';
import { checkTails } from '../../serving/parquet/check-remote-footers.ts';
import { writePartition } from '../contract/warehouse-files.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const DEF: WarehouseTableDef = {
  dataset: 'enriched',
  table: 'sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'product', type: 'int64' },
    { name: 'amount', type: 'decimal(18,2)' },
    { name: 'sold_at', type: 'timestamp' },
    { name: 'note', type: 'string' },
  ],
  partitionKey: 'day',
  clusterBy: [],
  description: '',
};

const GOOD: { readonly [column: string]: string } = {
  day: "DATE '2025-01-01'",
  product: '1::BIGINT',
  amount: '1.00::DECIMAL(18,2)',
  sold_at: "TIMESTAMPTZ '2025-01-01 10:00:00+00'",
  note: "'x'",
};

const rowWith = (changes: { readonly [column: string]: string | null }): string =>
  `SELECT ${Object.entries({ ...GOOD, ...changes })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${value} AS ${name}`)
    .join(', ')}`;

/** A lake whose keys are paths; what is read of it is counted. */
function countingLake() {
  const read = { tailBytes: 0, whole: 0 };
  const lake: LakeObjects = {
    localPaths: async (files) => {
      read.whole += files.length;
      return files.map(({ key }) => key);
    },
    uri: ({ key }) => `gs://lake${key}`,
    tail: async ({ key }, bytes) => {
      const { size } = await stat(key);
      const length = Math.min(bytes, size);
      read.tailBytes += length;
      const handle = await open(key);
      try {
        const buffer = Buffer.alloc(length);
        await handle.read(buffer, 0, length, size - length);
        return buffer;
      } finally {
        await handle.close();
      }
    },
  };
  return { lake, read };
}

const check = (
  folder: string,
  partitions: readonly DataPartition[],
  lake: LakeObjects,
  def: WarehouseTableDef = DEF,
): Promise<void> =>
  checkTails(def, partitions, { lake, tempDir: join(folder, 'tails'), signal: new AbortController().signal });

describe('footers', () => {
  test('of a large file decide everything with a small read, and the file itself is not fetched', async () => {
    await withTempFolder(async (folder) => {
      const many = `SELECT DATE '2025-01-01' AS day, i::BIGINT AS product, 1.00::DECIMAL(18,2) AS amount,
        TIMESTAMPTZ '2025-01-01 10:00:00+00' AS sold_at, md5(i::VARCHAR) AS note FROM range(300000) AS t(i)`;
      const { partition } = await writePartition(folder, DEF, '2025-01-01', many);
      const { lake, read } = countingLake();
      await check(folder, [partition], lake);
      assert.equal(read.whole, 0);
      assert.ok(partition.sizeBytes > 5_000_000);
      assert.ok(read.tailBytes <= 64 * 1024, `${read.tailBytes} bytes were read`);
    });
  });

  test('longer than the first read are read whole', async () => {
    await withTempFolder(async (folder) => {
      const names = Array.from({ length: 2_000 }, (_, index) => `column_with_a_long_name_${index}`);
      const def = { ...DEF, columns: [...DEF.columns, ...names.map((name) => ({ name, type: 'int64' }))] };
      const query = `${rowWith({})}, ${names.map((name) => `1::BIGINT AS ${name}`).join(', ')}`;
      const { partition } = await writePartition(folder, def, '2025-01-01', query);
      const { lake, read } = countingLake();
      await check(folder, [partition], lake, def);
      assert.ok(read.tailBytes > 2 * 64 * 1024);
    });
  });

  const REFUSALS: readonly (readonly [
    name: string,
    changes: { readonly [column: string]: string | null },
    column: string,
    words: readonly RegExp[],
  ])[] = [
    [
      'a HUGEINT, which Parquet holds as DOUBLE',
      { product: 'sum(1)' },
      'product',
      [/expected int64, found DOUBLE/, /cast it to BIGINT/],
    ],
    [
      'a civil timestamp',
      { sold_at: "TIMESTAMP '2025-01-01 10:00:00'" },
      'sold_at',
      [/expected timestamp, found TIMESTAMP/, /TIMESTAMPTZ/],
    ],
    ['nanoseconds', { sold_at: "TIMESTAMP_NS '2025-01-01 10:00:00'" }, 'sold_at', [/found TIMESTAMP_NS/]],
    ['a UUID, which Parquet holds as bytes', { note: 'uuid()' }, 'note', [/expected string, found/, /VARCHAR/]],
    ['bytes', { note: "'x'::BLOB" }, 'note', [/found BLOB/, /VARCHAR/]],
    ['unsigned 64 bit integers', { product: '1::UBIGINT' }, 'product', [/found UBIGINT/]],
    ['an interval', { note: 'INTERVAL 1 DAY' }, 'note', [/found INTERVAL/]],
    [
      'a date with a time',
      { day: "DATE '2025-01-01' + INTERVAL 0 DAY" },
      'day',
      [/expected date, found TIMESTAMP/, /cast it to DATE/],
    ],
    ['the partition column left to the folder', { day: null }, 'day', [/expected a column of type date, found none/]],
    ['rows of another partition', { day: "DATE '2025-01-02'" }, 'day', [/day = 2025-01-02.*day = 2025-01-01/]],
    ['rows of no partition', { day: 'NULL::DATE' }, 'day', [/__HIVE_DEFAULT_PARTITION__/]],
  ];
  for (const [name, changes, column, words] of REFUSALS) {
    test(`${name}: refused with object, column, what was found and what to do`, async () => {
      await withTempFolder(async (folder) => {
        const written = await writePartition(folder, DEF, '2025-01-01', rowWith(changes));
        const { lake, read } = countingLake();
        await assert.rejects(check(folder, [written.partition], lake), (thrown) => {
          const error = asPipelineError(thrown);
          assert.equal(error.code, 'warehouse_schema', error.message);
          for (const word of words) assert.match(error.message, word);
          assert.equal(error.context.column, column);
          assert.equal(error.context.file, `gs://lake${written.localPath}`);
          assert.match(error.message, /Build the table again/);
          return true;
        });
        assert.equal(read.whole, 0);
      });
    });
  }

  test('that promise other rows than the manifest are refused', async () => {
    await withTempFolder(async (folder) => {
      const { partition } = await writePartition(folder, DEF, '2025-01-01', rowWith({}));
      const { lake } = countingLake();
      await assert.rejects(check(folder, [{ ...partition, rows: 2 }], lake), /promises 2 rows, the files have 1/);
    });
  });

  test('of two row groups tell a stray row in the second', async () => {
    await withTempFolder(async (folder) => {
      const query = `SELECT IF(i < 122880, DATE '2025-01-01', DATE '2025-01-02') AS day, i::BIGINT AS product, 1.00::DECIMAL(18,2) AS amount,
        TIMESTAMPTZ '2025-01-01 10:00:00+00' AS sold_at, 'x' AS note FROM range(122881) AS t(i)`;
      const { partition } = await writePartition(folder, DEF, '2025-01-01', query);
      await assert.rejects(check(folder, [partition], countingLake().lake), /day = 2025-01-02/);
    });
  });

  test('of an empty file, and of the null partition, are right', async () => {
    await withTempFolder(async (folder) => {
      const empty = await writePartition(folder, DEF, '2025-01-01', `SELECT * FROM (${rowWith({})}) WHERE FALSE`);
      const nulls = await writePartition(folder, DEF, '__HIVE_DEFAULT_PARTITION__', rowWith({ day: 'NULL::DATE' }));
      await check(folder, [empty.partition, nulls.partition], countingLake().lake);
      const stray = await writePartition(folder, DEF, '__HIVE_DEFAULT_PARTITION__', rowWith({}));
      await assert.rejects(check(folder, [stray.partition], countingLake().lake), /day = 2025-01-01/);
    });
  });

  test('without statistics leave it to the column itself, which is then read', async () => {
    await withTempFolder(async (folder) => {
      // Statistics hold the beginning of a long text only.
      const key = 'k'.repeat(5_000);
      const def: WarehouseTableDef = { ...DEF, partitionKey: 'note', columns: DEF.columns };
      const { partition } = await writePartition(folder, def, key, rowWith({ note: `'${key}'` }));
      const { lake, read } = countingLake();
      await check(folder, [partition], lake, def);
      assert.equal(read.whole, 1);
      const stray = await writePartition(folder, def, key, rowWith({ note: `'${key}x'` }));
      await assert.rejects(check(folder, [stray.partition], lake, def), /column note/);
    });
  });

  test('that are cut off or no Parquet are unreadable, by the object’s name', async () => {
    await withTempFolder(async (folder) => {
      const { partition, localPath } = await writePartition(folder, DEF, '2025-01-01', rowWith({}));
      const bytes = await readFile(localPath);
      for (const body of [
        bytes.subarray(0, bytes.length - 20),
        Buffer.from('cut in half'),
        Buffer.from('PAR1\xff\xff\xff\x7fPAR1', 'latin1'),
      ]) {
        await writeFile(localPath, body);
        await assert.rejects(check(folder, [partition], countingLake().lake), (thrown) => {
          const error = asPipelineError(thrown);
          assert.equal(error.code, 'data_unreadable');
          assert.match(error.message, new RegExp(`gs://lake${localPath}`));
          return true;
        });
      }
    });
  });
});
