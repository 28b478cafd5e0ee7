/** CSV and TSV from the landing folder into bronze, once per content. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import { BaseLake, column, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

const base = tableSpec('customers');
const customers = tableSpec('customers', {
  columns: [column('id', 'int64', { required: true }), column('name', 'string')],
  source: {
    ...base.source,
    select: 'changed',
    landing: { path: 'customers.csv', format: 'csv', delimiter: ',', header: true },
  },
});
const spec = specOf([customers]);

async function land(lake: BaseLake, text: string | Uint8Array, name = 'customers.csv'): Promise<void> {
  await mkdir(join(lake.root, 'landing'), { recursive: true });
  await writeFile(join(lake.root, 'landing', name), text);
}

async function bronzeKeys(lake: BaseLake): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of lake.bronze.list('customers/')) keys.push(key);
  return keys;
}

const part = (lake: BaseLake, day: string, number = '0000') =>
  join(lake.root, 'bronze', `customers/ingest_dt=${day}/part-${number}.parquet`);

describe('ingest landing', () => {
  test('every column becomes text beside the lineage, in the order of the file', async () => {
    await using lake = await BaseLake.open();
    await land(lake, 'id,name\r\n007,"Smith, ""Jo"""\r\n2, Ann \r\n3,\r\n');
    await lake.pin(spec, '2025-10-08', '2025-10-08');
    const rows = await lake.session.rows(
      `SELECT id, name, ingestion_ts, source_file, row_number, event_id, batch_id FROM read_parquet('${part(lake, '2025-10-08')}')`,
    );
    assert.deepEqual(
      rows.map((row) => [row.id, row.name, row.row_number]),
      [
        ['007', 'Smith, "Jo"', 1],
        ['2', ' Ann ', 2],
        ['3', null, 3],
      ],
    );
    assert.deepEqual(new Set(rows.map((row) => row.ingestion_ts)), new Set(['2025-10-09T00:00:00.000Z']));
    assert.deepEqual(new Set(rows.map((row) => row.source_file)), new Set(['customers.csv']));
    const expected = createHash('sha256').update('customers\u001f007').digest('hex');
    assert.equal(rows[0]?.event_id, `evt_${expected}`);
    const file = await readFile(join(lake.root, 'landing', 'customers.csv'));
    assert.equal(rows[0]?.batch_id, `batch_${createHash('sha256').update(file).digest('hex').slice(0, 32)}`);
  });

  test('the manifest names the file with its rows, bytes and checksum', async () => {
    await using lake = await BaseLake.open();
    await land(lake, 'id,name\n1,a\n2,b\n');
    const [partition] = (await lake.pin(spec, '2025-10-08', '2025-10-08')).bronze.customers ?? [];
    const bytes = await readFile(part(lake, '2025-10-08'));
    assert.equal(partition?.manifest.state, 'read');
    if (partition?.manifest.state !== 'read') return;
    const { manifest } = partition.manifest;
    assert.deepEqual(
      [manifest.totalRows, manifest.checksumKind, manifest.partition],
      [2, 'bytes', 'ingest_dt=2025-10-08'],
    );
    assert.deepEqual(manifest.files, [
      {
        path: 'customers/ingest_dt=2025-10-08/part-0000.parquet',
        rows: 2,
        sizeBytes: bytes.length,
        checksum: createHash('sha256').update(bytes).digest('hex'),
      },
    ]);
  });

  test('the same content changes nothing, on the same day and on later ones', async () => {
    await using lake = await BaseLake.open();
    await land(lake, 'id,name\n1,a\n');
    await lake.pin(spec, '2025-10-08', '2025-10-08');
    const keys = await bronzeKeys(lake);
    const bytes = await readFile(part(lake, '2025-10-08'));
    await lake.pin(spec, '2025-10-08', '2025-10-08');
    await lake.pin(spec, '2025-10-09', '2025-10-09');
    assert.deepEqual(await bronzeKeys(lake), keys);
    assert.deepEqual(await readFile(part(lake, '2025-10-08')), bytes);
  });

  test('new content adds a file, and its rows win over those of the first', async () => {
    await using lake = await BaseLake.open();
    await land(lake, 'id,name\n1,old\n2,kept\n');
    await lake.run(spec, '2025-10-08');
    await land(lake, 'id,name\n1,new\n');
    const again = await lake.run(spec, '2025-10-08');
    assert.equal(again.customers?.account.input, 3);
    assert.deepEqual(await lake.silver('customers', 'id, name'), [
      { id: 1, name: 'new' },
      { id: 2, name: 'kept' },
    ]);
    await land(lake, 'id,name\n2,moved\n');
    await lake.run(spec, '2025-10-09');
    assert.deepEqual(await lake.silver('customers', 'id, name'), [
      { id: 1, name: 'new' },
      { id: 2, name: 'moved' },
    ]);
  });

  test('content that comes back after other content counts again, once', async () => {
    await using lake = await BaseLake.open();
    for (const day of ['2025-10-08', '2025-10-09']) {
      for (const name of ['first', 'other', 'first', 'first']) {
        await land(lake, `id,name\n1,${name}\n`);
        await lake.run(spec, day);
        assert.deepEqual(await lake.silver('customers', 'id, name'), [{ id: 1, name }]);
      }
    }
    const parts = (await bronzeKeys(lake)).filter((key) => key.endsWith('.parquet'));
    assert.deepEqual(
      parts.map((key) => key.replace('customers/ingest_dt=2025-10-', '')),
      [
        '08/part-0000.parquet',
        '08/part-0001.parquet',
        '08/part-0002.parquet',
        '09/part-0000.parquet',
        '09/part-0001.parquet',
      ],
    );
    await lake.pin(spec, '2025-10-08', '2025-10-08');
    assert.equal(
      (await bronzeKeys(lake)).length,
      parts.length + 2,
      'what a later day has is not delivered to an earlier one',
    );
  });

  test('a part without a manifest, left by a crash, is written again', async () => {
    await using lake = await BaseLake.open();
    await lake.writeObject('customers/ingest_dt=2025-10-08/part-0000.parquet', 'half a file');
    await land(lake, 'id,name\n1,a\n');
    await lake.run(spec, '2025-10-08');
    assert.deepEqual(await lake.silver('customers', 'id, name'), [{ id: 1, name: 'a' }]);
    assert.equal((await bronzeKeys(lake)).length, 2);
  });

  test('a header alone is an empty delivery; tabs and files without a header are read', async () => {
    await using lake = await BaseLake.open();
    await land(lake, '\uFEFFid,name\n');
    const staged = await lake.run(spec, '2025-10-08');
    assert.equal(staged.customers?.account.input, 0);
    await land(lake, '5\tx,y\n', 'bare.tsv');
    const landing = { path: 'bare.tsv', format: 'tsv', delimiter: '\t', header: false } as const;
    const bare = { ...customers, source: { ...customers.source, landing } };
    await lake.run(specOf([bare]), '2025-10-09');
    assert.deepEqual(await lake.silver('customers', 'id, name'), [{ id: 5, name: 'x,y' }]);
  });

  test('junk names file and line, and leaves bronze alone', async () => {
    await using lake = await BaseLake.open();
    for (const [content, fault] of [
      ['', /customers\.csv, the file is empty/],
      ['id,name\n1,a\n2\n3,c\n', /customers\.csv, line 3: Expected Number of Columns: 2 Found: 1/],
      ['id,name\n1,a,b\n', /line 2: Expected Number of Columns: 2 Found: 3/],
      ['id,name\n1,"abc\n2,d\n', /line 2: Value with unterminated quote/],
      ['id,id\n1,2\n', /line 1, column 2: “id” stands there twice/],
      ['id,\n1,2\n', /line 1, column 2: the header has no name/],
      [
        'name\nann\n',
        /line 1: the header has no column “id”, which silver\.customers requires\. It has: name\. Correct/,
      ],
      ['id;name\n1;a\n', /It has: id;name\. If “;” stands between values, set source\.landing\.delimiter: ";" in /],
      ['id,batch_id\n1,2\n', /“batch_id” is the name of a lineage column/],
      [Uint8Array.from([0x69, 0x64, 0x2c, 0x6e, 0x0a, 0x31, 0x2c, 0xe9, 0x0a]), /line 2: Invalid unicode/],
      [Uint8Array.from([0x1f, 0x8b, 0x08, 0x00, 0xff]), /line 1: (not UTF-8|binary content)/],
    ] as const) {
      await land(lake, content);
      await assert.rejects(lake.pin(spec, '2025-10-08', '2025-10-08'), (thrown: unknown) => {
        assert.ok(thrown instanceof PipelineError);
        assert.equal(thrown.code, 'landing_unreadable');
        assert.match(thrown.message, fault);
        return true;
      });
    }
    assert.deepEqual(await bronzeKeys(lake), []);
  });

  test('a file that is not there says where it was looked for', async () => {
    await using lake = await BaseLake.open();
    await assert.rejects(lake.pin(spec, '2025-10-08', '2025-10-08'), /customers\.csv is not in the landing folder/);
  });
});
