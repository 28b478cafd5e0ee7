/** Which objects of a bronze table are data, which are markers, and which lie astray. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sortBronzeObjects } from '../../transforms/bronze/bronze-folders.ts';
import { parseManifest, renderManifest } from '../../transforms/bronze/bronze-manifest.ts';

const objects = (...keys: string[]) => keys.map((key) => ({ key, sizeBytes: 10, generation: '1' }));
const DAYS = { first: '2025-10-08', last: '2025-10-09' };
const ORDERS = { table: 'orders', partitionKey: 'ingest_dt' };

describe('bronze folders', () => {
  test('data is Parquet directly in the folder of a wanted day, both ends included', () => {
    const { folders, strays } = sortBronzeObjects(
      ORDERS,
      objects(
        'orders/ingest_dt=2025-10-07/part-0000.parquet',
        'orders/ingest_dt=2025-10-09/part-0001.parquet',
        'orders/ingest_dt=2025-10-09/part-0000.parquet',
        'orders/ingest_dt=2025-10-08/part-0000.parquet',
        'orders/ingest_dt=2025-10-10/part-0000.parquet',
      ),
      DAYS,
    );
    assert.deepEqual(
      folders.map((folder) => [folder.partition, folder.files.map((file) => file.key)]),
      [
        ['ingest_dt=2025-10-08', ['orders/ingest_dt=2025-10-08/part-0000.parquet']],
        [
          'ingest_dt=2025-10-09',
          ['orders/ingest_dt=2025-10-09/part-0000.parquet', 'orders/ingest_dt=2025-10-09/part-0001.parquet'],
        ],
      ],
    );
    assert.deepEqual(strays, []);
  });

  test('markers, checksums, dot files and what lies under _temporary are neither data nor astray', () => {
    const { folders, strays } = sortBronzeObjects(
      ORDERS,
      objects(
        'orders/_SUCCESS',
        'orders/.DS_Store',
        'orders/_temporary/0/part-0000.parquet',
        'orders/ingest_dt=2025-10-08/_MANIFEST.json',
        'orders/ingest_dt=2025-10-08/_SUCCESS',
        'orders/ingest_dt=2025-10-08/.part-0000.parquet.crc',
        'orders/ingest_dt=2025-10-08/part-0000.parquet.crc',
        'orders/ingest_dt=2025-10-08/_temporary/attempt_1/part-0000.parquet',
        'orders/ingest_dt=2025-10-08/part-0000.parquet',
      ),
      DAYS,
    );
    assert.deepEqual(folders, [
      {
        partition: 'ingest_dt=2025-10-08',
        files: [{ key: 'orders/ingest_dt=2025-10-08/part-0000.parquet', sizeBytes: 10 }],
        manifestKey: 'orders/ingest_dt=2025-10-08/_MANIFEST.json',
      },
    ]);
    assert.deepEqual(strays, []);
  });

  test('Parquet where no partition is stands among the strays, and is not lost silently', () => {
    const { folders, strays } = sortBronzeObjects(
      ORDERS,
      objects(
        'orders/part-0000.parquet',
        'orders/date=2025-10-08/part-0000.parquet',
        'orders/ingest_dt=2025-02-30/part-0000.parquet',
        'orders/ingest_dt=yesterday/part-0000.parquet',
        'orders/ingest_dt=2025-10-08/hour=01/part-0000.parquet',
        'orders/ingest_dt=2025-10-08/rows.csv',
        'orders/ingest_dt=2025-10-20/hour=01/part-0000.parquet',
      ),
      DAYS,
    );
    assert.deepEqual(folders, []);
    assert.deepEqual(strays, [
      'orders/date=2025-10-08/part-0000.parquet',
      'orders/ingest_dt=2025-02-30/part-0000.parquet',
      'orders/ingest_dt=2025-10-08/hour=01/part-0000.parquet',
      'orders/ingest_dt=2025-10-08/rows.csv',
      'orders/ingest_dt=yesterday/part-0000.parquet',
      'orders/part-0000.parquet',
    ]);
  });

  test('without days every value of the key is a partition; without a key the table folder is', () => {
    const catalog = sortBronzeObjects(
      { table: 'catalog', partitionKey: 'category' },
      objects('catalog/category=Books/a.parquet', 'catalog/category=Home%20%26%20Garden/a.parquet'),
      null,
    );
    assert.deepEqual(
      catalog.folders.map((folder) => folder.partition),
      ['category=Books', 'category=Home%20%26%20Garden'],
    );
    const flat = sortBronzeObjects(
      { table: 'flat', partitionKey: null },
      objects('flat/a.parquet', 'flat/_MANIFEST.json', 'flat/old/b.parquet'),
      null,
    );
    assert.deepEqual(flat.folders, [
      { partition: '', files: [{ key: 'flat/a.parquet', sizeBytes: 10 }], manifestKey: 'flat/_MANIFEST.json' },
    ]);
    assert.deepEqual(flat.strays, ['flat/old/b.parquet']);
  });

  test('a folder with a manifest and no file is a partition with no file', () => {
    const { folders } = sortBronzeObjects(ORDERS, objects('orders/ingest_dt=2025-10-08/_MANIFEST.json'), DAYS);
    assert.deepEqual(folders, [
      { partition: 'ingest_dt=2025-10-08', files: [], manifestKey: 'orders/ingest_dt=2025-10-08/_MANIFEST.json' },
    ]);
  });
});

describe('bronze manifests', () => {
  test('a foreign manifest without sizes and with unknown members is read', () => {
    const text = JSON.stringify({
      batch_id: 'batch_1',
      checksums: ['aa'],
      created_at: '2025-10-13T02:15:00+00:00',
      files: [{ checksum: 'aa', path: 'orders/ingest_dt=2025-10-12/part-0000.parquet', rows: 613 }],
      generator_version: null,
      partition: 'ingest_dt=2025-10-12',
      schema_version: '0.1.0',
      table: 'orders',
      total_rows: 613,
    });
    assert.deepEqual(parseManifest(text), {
      state: 'read',
      manifest: {
        table: 'orders',
        partition: 'ingest_dt=2025-10-12',
        totalRows: 613,
        files: [{ path: 'orders/ingest_dt=2025-10-12/part-0000.parquet', rows: 613, sizeBytes: null, checksum: 'aa' }],
        batchId: 'batch_1',
        schemaFingerprint: null,
      },
    });
  });

  test('our own manifest says the same after it was written', () => {
    const file = { path: 'orders/part-0000.parquet', rows: 3, sizeBytes: 99, checksum: 'ff', batchId: 'batch_2' };
    const state = parseManifest(
      renderManifest({
        table: 'orders',
        partition: '',
        batchId: 'batch_2',
        createdAt: '2025-10-09T00:00:00.000Z',
        files: [file, { ...file, rows: 4 }],
        schemaFingerprint: 'abc',
        eventDays: null,
      }),
    );
    assert.equal(state.state, 'read');
    assert.equal(state.state === 'read' && state.manifest.totalRows, 7);
    assert.equal(state.state === 'read' && state.manifest.checksumKind, 'bytes');
    assert.equal(state.state === 'read' && state.manifest.schemaFingerprint, 'abc');
  });

  test('text that is no manifest is unreadable, with the place of the fault', () => {
    for (const [text, fault] of [
      ['{"table": "orders", "total_rows"', /no JSON/],
      ['', /no JSON/],
      ['[]', /document/],
      ['{"table": "orders", "total_rows": -1, "files": []}', /total_rows/],
      ['{"table": "orders", "total_rows": 1.5, "files": []}', /total_rows/],
      ['{"table": "orders", "total_rows": 1}', /files/],
      ['{"table": "orders", "files": [{"path": "a"}]}', /total_rows/],
      ['{"table": "orders", "total_rows": 1, "files": [{"rows": 1}]}', /files\.0\.path/],
    ] as const) {
      const state = parseManifest(text);
      assert.equal(state.state, 'unreadable', text);
      if (state.state === 'unreadable') assert.match(state.message, fault);
    }
  });
});
