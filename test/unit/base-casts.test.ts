/** What becomes of single bronze values, by their bronze type and the type that the spec wants. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ColumnSpec } from '../../core/spec.ts';
import { BaseLake, column, specOf, tableSpec } from '../fixtures-support/base-lake.ts';

/** Bronze SQL -> the silver value as text, `∅` for a missing one, `✗` for one that does not cast. */
async function castAll(
  lake: BaseLake,
  type: ColumnSpec['type'],
  values: readonly string[],
  more: { readonly timezone?: string; readonly column?: Partial<ColumnSpec> } = {},
): Promise<string[]> {
  const table = tableSpec('t', {
    columns: [
      column('id', 'int64'),
      column('v', type, { missingReason: 'missing', invalidReason: 'invalid', ...more.column }),
    ],
  });
  const name = 't/ingest_dt=2025-10-08/part-0000.parquet';
  const rows = values.map((value, index) => `SELECT ${index} AS id, ${value} AS v`);
  await lake.writeBronze(name, rows.join(' UNION ALL '));
  const staged = (await lake.build(specOf([table], [], more.timezone), '2025-10-08')).t;
  if (!staged) throw new Error('nothing was staged');
  const good = await lake.rowsOf(
    staged.partitions.flatMap(({ files }) => files),
    'id, CAST(v AS VARCHAR) AS v',
  );
  const bad = await lake.rowsOf(staged.quarantine, 'CAST(id AS INTEGER) AS id, _reasons');
  await lake.bronze.delete(name);
  return values.map((_value, id) => {
    const row = good.find((candidate) => candidate.id === id);
    if (row) return String(row.v);
    return bad.find((candidate) => candidate.id === id)?._reasons === 'missing' ? '∅' : '✗';
  });
}

const texts = (...values: string[]) => values.map((value) => `'${value}'`);

describe('base casts', () => {
  test('text is trimmed of every blank and nulled; what the spec asks for is lower or upper case', async () => {
    await using lake = await BaseLake.open();
    const values = [
      "'  Credit Card '",
      "E'\\tTab\\n'",
      "'N/A '",
      "' NONE'",
      "'null'",
      "'NaN'",
      "''",
      "'  '",
      'NULL',
      "'0'",
    ];
    assert.deepEqual(await castAll(lake, 'string', values), [
      'Credit Card',
      'Tab',
      ...['∅', '∅', '∅', '∅', '∅', '∅', '∅'],
      '0',
    ]);
    const lower = await castAll(lake, 'string', values.slice(0, 3), { column: { clean: 'lower' } });
    assert.deepEqual(lower, ['credit card', 'tab', '∅']);
    const upper = await castAll(lake, 'string', values.slice(0, 1), { column: { clean: 'upper' } });
    assert.deepEqual(upper, ['CREDIT CARD']);
    const asIs = await castAll(lake, 'string', values.slice(0, 3), { column: { clean: 'none' } });
    assert.deepEqual(asIs, ['  Credit Card ', '\tTab\n', '∅']);
  });

  test('numbers that lie as floats become text without a decimal point', async () => {
    await using lake = await BaseLake.open();
    assert.deepEqual(await castAll(lake, 'string', ['123.0::DOUBLE', '1.5::DOUBLE', 'NULL']), ['123', '1.5', '∅']);
    assert.deepEqual(await castAll(lake, 'string', ['42::BIGINT', 'NULL']), ['42', '∅']);
  });

  test('a fractional text is no integer, nor is an exponent, a separator or what overflows', async () => {
    await using lake = await BaseLake.open();
    const values = texts(
      '7',
      ' +7 ',
      '-7',
      '2.5',
      '2.0',
      '1e3',
      '1_000',
      '0x10',
      '1,000',
      'abc',
      '9223372036854775807',
    );
    assert.deepEqual(await castAll(lake, 'int64', [...values, "'9223372036854775808'"]), [
      ...['7', '7', '-7', '✗', '✗', '✗', '✗', '✗', '✗', '✗'],
      '9223372036854775807',
      '✗',
    ]);
  });

  test('a whole float is an integer; fractions, NaN, infinity and overflow are not', async () => {
    await using lake = await BaseLake.open();
    const values = ['2.0', '-3.0', '2.5', "'NaN'", "'Infinity'", '1e19', 'NULL'].map((value) => `${value}::DOUBLE`);
    assert.deepEqual(await castAll(lake, 'int64', values), ['2', '-3', '✗', '✗', '✗', '✗', '∅']);
    assert.deepEqual(await castAll(lake, 'int64', ['2.00::DECIMAL(9,2)', '2.50::DECIMAL(9,2)']), ['2', '✗']);
    assert.deepEqual(await castAll(lake, 'int64', ['5::UTINYINT']), ['5']);
    assert.deepEqual(await castAll(lake, 'int64', ['18446744073709551615::UBIGINT', '5::UBIGINT']), ['✗', '5']);
  });

  test('money is rounded to its scale; what is no number or out of range is invalid', async () => {
    await using lake = await BaseLake.open();
    const floats = ['19.99', '0.1 + 0.2', '19.996', '-0.005', "'NaN'", "'-Infinity'", '1e17'];
    assert.deepEqual(
      await castAll(
        lake,
        'decimal(18,2)',
        floats.map((value) => `(${value})::DOUBLE`),
      ),
      ['19.99', '0.30', '20.00', '-0.01', '✗', '✗', '✗'],
    );
    const values = texts('19.99', '20', '.5', '1e2', '$5', '1,234.50', '12345678901234567.00', 'inf', '1_0');
    assert.deepEqual(await castAll(lake, 'decimal(18,2)', values), [
      ...['19.99', '20.00', '0.50', '100.00', '✗', '✗', '✗', '✗', '✗'],
    ]);
    assert.deepEqual(await castAll(lake, 'decimal(18,2)', ['7::INTEGER', '8::INTEGER']), ['7.00', '8.00']);
    assert.deepEqual(await castAll(lake, 'float64', texts('2.5', '1e999', 'x')), ['2.5', '✗', '✗']);
  });

  test('booleans are words or 0 and 1', async () => {
    await using lake = await BaseLake.open();
    assert.deepEqual(await castAll(lake, 'bool', texts('True', 'f', 'YES', 'no', '1', '0', 'maybe', '2')), [
      ...['true', 'false', 'true', 'false', 'true', 'false', '✗', '✗'],
    ]);
    assert.deepEqual(
      await castAll(
        lake,
        'bool',
        ['1', '0', '2'].map((v) => `${v}::BIGINT`),
      ),
      ['true', 'false', '✗'],
    );
    assert.deepEqual(
      await castAll(
        lake,
        'bool',
        ['1', '0.5'].map((v) => `${v}::DOUBLE`),
      ),
      ['true', '✗'],
    );
    assert.deepEqual(await castAll(lake, 'bool', ['true', 'NULL']), ['true', '∅']);
  });

  test('an offset moves the instant; text without one is UTC unless the spec names a zone', async () => {
    await using lake = await BaseLake.open();
    const values = texts(
      '2025-10-08',
      '2025-10-08 00:04:06.122236',
      '2025-10-08T00:00:12',
      '2025-10-08 02:15',
      '2025-10-08T02:15:00+00:00',
      '2025-10-08T02:15:00Z',
      '2025-10-08 02:15:00+0230',
      '2025-10-08 02:15:00 -05:00',
      '2025-10-08 02:15:00 UTC',
    );
    assert.deepEqual(await castAll(lake, 'timestamp', values), [
      '2025-10-08 00:00:00+00',
      '2025-10-08 00:04:06.122236+00',
      '2025-10-08 00:00:12+00',
      '2025-10-08 02:15:00+00',
      '2025-10-08 02:15:00+00',
      '2025-10-08 02:15:00+00',
      '2025-10-07 23:45:00+00',
      '2025-10-08 07:15:00+00',
      '2025-10-08 02:15:00+00',
    ]);
    assert.deepEqual(
      await castAll(lake, 'timestamp', texts('2025-07-01 12:00:00', '2025-12-01 12:00:00', '2025-07-01T12:00:00Z'), {
        timezone: 'Europe/Paris',
      }),
      ['2025-07-01 10:00:00+00', '2025-12-01 11:00:00+00', '2025-07-01 12:00:00+00'],
    );
  });

  test('days, times and words that are no instant of a business are invalid', async () => {
    await using lake = await BaseLake.open();
    const junk = texts(
      'not-a-date',
      '2025-13-45',
      '2025-02-30',
      '2025-10-08 25:00:00',
      '08.10.2025',
      '1696723200',
      'infinity',
      'epoch',
      '0001-01-01',
      '9999-12-31',
      '2025-10-08 foo',
    );
    assert.deepEqual(
      await castAll(lake, 'timestamp', junk),
      junk.map(() => '✗'),
    );
    assert.deepEqual(
      await castAll(lake, 'date', junk),
      junk.map(() => '✗'),
    );
    assert.deepEqual(await castAll(lake, 'timestamp', ['1696723200::BIGINT', '5::BIGINT']), ['✗', '✗']);
  });

  test('a date is the civil day that the text shows, or the zone’s day of an instant', async () => {
    await using lake = await BaseLake.open();
    const values = texts('2025-10-08', '2025-10-08 23:59:59', '2025-10-08T23:30:00-05:00');
    assert.deepEqual(await castAll(lake, 'date', values), ['2025-10-08', '2025-10-08', '2025-10-09']);
    assert.deepEqual(await castAll(lake, 'date', texts('2025-10-08T23:30:00Z'), { timezone: 'Europe/Paris' }), [
      '2025-10-09',
    ]);
    const format = { column: { format: '%d/%m/%Y' } };
    assert.deepEqual(await castAll(lake, 'date', texts('08/10/2025', '2025-10-08', '31/02/2025'), format), [
      ...['2025-10-08', '✗', '✗'],
    ]);
    assert.deepEqual(await castAll(lake, 'date', ["TIMESTAMP_NS '2025-10-08 10:00:00'"]), ['2025-10-08']);
    assert.deepEqual(await castAll(lake, 'timestamp', ["DATE '2025-10-08'"]), ['2025-10-08 00:00:00+00']);
    assert.deepEqual(await castAll(lake, 'timestamp', ["TIMESTAMPTZ '2025-10-08 00:00:00+02'"]), [
      '2025-10-07 22:00:00+00',
    ]);
  });

  test('a list where a number is wanted is a bad value, not a crash', async () => {
    await using lake = await BaseLake.open();
    assert.deepEqual(await castAll(lake, 'int64', ['[1, 2]']), ['✗']);
    assert.deepEqual(await castAll(lake, 'string', ['[1, 2]']), ['[1, 2]']);
  });
});
