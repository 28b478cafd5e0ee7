/** A metric query -> the rows that its words promise, whatever stands in its filters. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { MetricFilter, MetricQuery } from '../../core/metric-query.ts';
import type { MartSpec } from '../../core/spec.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { compileMetricQuery } from '../../serving/query/metric-sql.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { martOf } from '../fixtures-support/gold-lake.ts';
import { queryRows } from '../fixtures-support/query-rows.ts';

/** Texts that would end a string, begin a comment or a statement, or stand for something else where they are not bound. */
const HOSTILE: readonly string[] = [
  "'",
  "''",
  '"',
  '`',
  '\\',
  "\\'",
  "\\\\'",
  "' OR 1 = 1 --",
  "') OR TRUE; DROP VIEW gold.fct_sales; --",
  '/* */',
  '*/ UNION ALL SELECT 1 /*',
  '@p0',
  '@window_start',
  '{x}',
  '$1',
  '?',
  '%',
  '_',
  'a\nb',
  'a\r\nb',
  '\t',
  '\u2028',
  '𝄞',
  'ß',
  ';',
  '--',
  '#',
  '\x01',
  'NULL',
  'x'.repeat(5_000),
];

const ROWS = [
  // Wednesday, Sunday and Monday around the turn of a year and of an ISO week.
  "(DATE '2024-12-29', 'web', 'a', 10.00, 2, TRUE, 9007199254740993)",
  "(DATE '2024-12-30', 'web', 'b', 20.00, 3, FALSE, 1)",
  "(DATE '2025-01-01', 'phone', 'a', 5.50, 1, TRUE, 2)",
  "(DATE '2025-01-05', 'web', NULL, 1.25, 0, NULL, 3)",
  "(DATE '2025-01-06', NULL, 'a', 100.00, 4, TRUE, NULL)",
  "(DATE '2025-04-01', 'phone', 'a', 7.00, 1, FALSE, 4)",
];

const mart: MartSpec = martOf({
  name: 'fct_sales',
  grain: ['day', 'channel', 'segment'],
  partitionKey: 'sold_on',
  columns: [
    { name: 'sold_on', type: 'date', description: '' },
    { name: 'channel', type: 'string', description: '' },
    { name: 'segment', type: 'string', description: '' },
    { name: 'net_revenue', type: 'decimal(18,2)', description: '' },
    { name: 'orders', type: 'int64', description: '' },
    { name: 'is_new', type: 'bool', description: '' },
    { name: 'ticket', type: 'int64', description: '' },
  ],
  sql: '',
  inputs: [],
  metrics: {
    time: 'sold_on',
    measures: [
      { name: 'net_revenue', sql: 'SUM(net_revenue)', type: 'number', description: '', format: null },
      { name: 'orders', sql: 'SUM(orders) -- of all kinds', type: 'number', description: '', format: null },
      {
        name: 'aov',
        sql: 'SAFE_DIVIDE(SUM(net_revenue), SUM(orders))',
        type: 'number',
        description: '',
        format: null,
      },
      { name: 'lines', sql: 'COUNT(*)', type: 'number', description: '', format: null },
      { name: 'last_sale', sql: 'MAX(sold_on)', type: 'date', description: '', format: null },
    ],
    dimensions: [
      { name: 'channel', sql: '`channel`', type: 'string', description: '' },
      { name: 'segment', sql: '`segment`', type: 'string', description: '' },
      { name: 'kind', sql: "IF(is_new, 'new', 'old')", type: 'string', description: '' },
      { name: 'is_new', sql: '`is_new`', type: 'bool', description: '' },
      { name: 'ticket', sql: '`ticket`', type: 'int64', description: '' },
    ],
  },
});

const ask = (words: Partial<MetricQuery>): MetricQuery => ({
  mart: 'fct_sales',
  measures: ['lines'],
  dimensions: [],
  time: null,
  filters: [],
  orderBy: [],
  limit: null,
  ...words,
});

let session: DuckDbSession;
let lake: EnrichedLake;
const folder = mkdtempSync(join(tmpdir(), 'assay-test-'));

before(async () => {
  session = await DuckDbSession.open({ threads: 1 });
  lake = new EnrichedLake(session, folder);
  const names = 'sold_on, channel, segment, net_revenue, orders, is_new, ticket';
  const sales = `SELECT sold_on, channel, segment, CAST(net_revenue AS DECIMAL(18,2)) AS net_revenue, CAST(orders AS BIGINT) AS orders, is_new, CAST(ticket AS BIGINT) AS ticket FROM (VALUES ${ROWS.join(', ')}) AS t(${names})`;
  const words = `SELECT DATE '2025-01-01' AS day, word FROM (VALUES ${HOSTILE.map((word) => `(${literal(word)})`).join(', ')}) AS t(word)`;
  await lake.publishTables('gold', { fct_sales: sales, fct_words: words }, (table) =>
    table === 'fct_sales' ? 'sold_on' : 'day',
  );
});
after(async () => {
  await session.close();
  rmSync(folder, { recursive: true, force: true });
});

async function rowsOf(
  query: MetricQuery,
  marts: readonly MartSpec[] = [mart],
): Promise<readonly (readonly unknown[])[]> {
  const { columns, rows } = await answerOf(query, marts);
  return [columns.map(({ name }) => name), ...rows];
}

function answerOf(query: MetricQuery, marts: readonly MartSpec[] = [mart]) {
  const { sql, parameters } = compileMetricQuery(marts, query);
  return queryRows({
    publications: lake.publications,
    lake: lake.files,
    sql,
    parameters,
    maxRows: 1_000,
    maxSeconds: 30,
  });
}

/** The number of rows that pass. */
async function passing(...filters: readonly MetricFilter[]): Promise<unknown> {
  return (await rowsOf(ask({ filters })))[1]?.[0];
}

function refusal(words: Partial<MetricQuery>, marts: readonly MartSpec[] = [mart]): string {
  try {
    compileMetricQuery(marts, ask(words));
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown);
    return `${code}: ${message}`;
  }
  return 'it was compiled';
}

describe('a metric query', () => {
  test('without a dimension is one row; a measure may be called like the column that it sums', async () => {
    assert.deepEqual(await rowsOf(ask({ measures: ['net_revenue', 'orders'] })), [
      ['net_revenue', 'orders'],
      ['143.75', 11],
    ]);
  });

  test('by dimensions is sorted by them, NULL first', async () => {
    assert.deepEqual(await rowsOf(ask({ measures: ['net_revenue'], dimensions: ['channel'] })), [
      ['channel', 'net_revenue'],
      [null, '100.00'],
      ['phone', '12.50'],
      ['web', '31.25'],
    ]);
    assert.deepEqual(await rowsOf(ask({ measures: ['orders'], dimensions: ['kind'] })), [
      ['kind', 'orders'],
      ['new', 7],
      ['old', 4],
    ]);
  });

  test('a ratio is computed over the group, not as a mean of ratios', async () => {
    // phone: 12.50 / 2; web: 31.25 / 5; null: 100 / 4
    assert.deepEqual((await rowsOf(ask({ measures: ['aov'], dimensions: ['channel'] }))).slice(1), [
      [null, '25.000000000'],
      ['phone', '6.250000000'],
      ['web', '6.250000000'],
    ]);
  });

  const GRAINS: readonly (readonly [MetricQuery['time'] & object, readonly (readonly unknown[])[]])[] = [
    [
      { grain: 'week' },
      [
        ['2024-12-23', 1],
        ['2024-12-30', 3],
        ['2025-01-06', 1],
        ['2025-03-31', 1],
      ],
    ],
    [
      { grain: 'month' },
      [
        ['2024-12-01', 2],
        ['2025-01-01', 3],
        ['2025-04-01', 1],
      ],
    ],
    [
      { grain: 'quarter' },
      [
        ['2024-10-01', 2],
        ['2025-01-01', 3],
        ['2025-04-01', 1],
      ],
    ],
    [
      { grain: 'year' },
      [
        ['2024-01-01', 2],
        ['2025-01-01', 4],
      ],
    ],
    [
      { grain: 'day', from: '2024-12-30', to: '2025-01-05' },
      [
        ['2024-12-30', 1],
        ['2025-01-01', 1],
        ['2025-01-05', 1],
      ],
    ],
  ];
  for (const [time, expected] of GRAINS) {
    test(`by ${time.grain} begins each on its first day`, async () => {
      const [names, ...rows] = await rowsOf(ask({ time }));
      assert.deepEqual([names, rows], [[time.grain, 'lines'], expected]);
      assert.equal((await answerOf(ask({ time }))).columns[0]?.type, 'date');
    });
  }

  test('a time without a grain only bounds, both days included', async () => {
    assert.deepEqual((await rowsOf(ask({ time: { from: '2025-01-05', to: '2025-01-06' } }))).slice(1), [[2]]);
  });

  test('is ordered as asked, then by time and dimension, and cut after that', async () => {
    const query = ask({ measures: ['aov'], dimensions: ['channel'], orderBy: ['-aov'], limit: 2 });
    assert.deepEqual((await rowsOf(query)).slice(1), [
      [null, '25.000000000'],
      ['phone', '6.250000000'],
    ]);
    const newest = ask({ time: { grain: 'year' }, orderBy: ['-time'] });
    assert.deepEqual((await rowsOf(newest)).slice(1), [
      ['2025-01-01', 4],
      ['2024-01-01', 2],
    ]);
  });

  test('names may be written in any case, and the mart with its layer', async () => {
    const query = ask({ mart: 'gold.FCT_SALES', measures: ['Lines'], dimensions: ['KIND'] });
    assert.deepEqual((await rowsOf(query))[0], ['kind', 'lines']);
  });
});

describe('a filter', () => {
  const COUNTS: readonly (readonly [MetricFilter, number])[] = [
    [{ field: 'channel', op: '=', value: 'web' }, 3],
    [{ field: 'channel', op: '!=', value: 'web' }, 2],
    [{ field: 'channel', op: '<', value: 'q' }, 2],
    [{ field: 'channel', op: 'in', value: ['web', 'phone'] }, 5],
    [{ field: 'channel', op: 'not_in', value: ['phone'] }, 3],
    [{ field: 'channel', op: 'between', value: ['a', 'q'] }, 2],
    [{ field: 'channel', op: 'like', value: '%e%' }, 5],
    [{ field: 'channel', op: 'like', value: '\\%' }, 0],
    [{ field: 'channel', op: 'is_null' }, 1],
    [{ field: 'channel', op: 'is_not_null' }, 5],
    [{ field: 'kind', op: '=', value: 'old' }, 3],
    [{ field: 'is_new', op: '=', value: true }, 3],
    [{ field: 'is_new', op: '!=', value: true }, 2],
    [{ field: 'ticket', op: '=', value: '9007199254740993' }, 1],
    [{ field: 'ticket', op: '=', value: '9007199254740992' }, 0],
    [{ field: 'ticket', op: '>=', value: 3 }, 3],
    [{ field: 'ticket', op: 'in', value: [1, '2', -5] }, 2],
    [{ field: 'time', op: '>=', value: '2025-01-01' }, 4],
    [{ field: 'time', op: 'between', value: ['2024-12-29', '2024-12-30'] }, 2],
  ];
  for (const [filter, expected] of COUNTS) {
    test(`${filter.field} ${filter.op} ${JSON.stringify(filter.value) ?? ''} lets ${expected} of 6 rows pass`, async () => {
      assert.equal(await passing(filter), expected);
    });
  }

  test('several must all hold', async () => {
    assert.equal(await passing({ field: 'channel', op: '=', value: 'web' }, { field: 'is_new', op: 'is_not_null' }), 2);
  });

  test('on a measure holds for groups, also where the measure is not shown', async () => {
    const groups = async (filter: MetricFilter) =>
      (await rowsOf(ask({ measures: ['orders'], dimensions: ['channel'], filters: [filter] }))).slice(1);
    assert.deepEqual(await groups({ field: 'net_revenue', op: '>', value: 12.5 }), [
      [null, 4],
      ['web', 5],
    ]);
    assert.deepEqual(await groups({ field: 'net_revenue', op: '>=', value: '31.250000001' }), [[null, 4]]);
    assert.deepEqual(await groups({ field: 'orders', op: 'between', value: [1, 2] }), [['phone', 2]]);
    assert.deepEqual(await groups({ field: 'last_sale', op: '=', value: '2025-04-01' }), [['phone', 2]]);
    assert.deepEqual(await groups({ field: 'net_revenue', op: '<', value: '12345678901234567890123' }), [
      [null, 4],
      ['phone', 2],
      ['web', 5],
    ]);
  });
});

describe('what cannot be asked is refused with what can', () => {
  const REFUSALS: readonly (readonly [string, Partial<MetricQuery>, RegExp])[] = [
    ['a mart that is not there', { mart: 'fct_sale' }, /There is no mart fct_sale\. Did you mean fct_sales\?/],
    ['no measure', { measures: [] }, /Say which measures of fct_sales are meant: net_revenue, orders, aov/],
    [
      'a misspelt measure',
      { measures: ['net_revenu'] },
      /fct_sales has no measure net_revenu\. Did you mean net_revenue\? It has measures: net_revenue, .*; dimensions: channel/,
    ],
    ['a dimension as a measure', { measures: ['channel'] }, /channel is a dimension of fct_sales, not a measure/],
    [
      'the time as a dimension',
      { dimensions: ['month'] },
      /month is a time of fct_sales, not a dimension\. Ask for it with time/,
    ],
    ['a measure twice', { measures: ['aov', 'AOV'] }, /measures names AOV twice/],
    [
      'an unknown field',
      { filters: [{ field: 'chanel', op: '=', value: 'x' }] },
      /nothing called chanel to filter by\. Did you mean channel\?/,
    ],
    [
      'a column that is no field',
      { filters: [{ field: 'sold_on', op: '=', value: '2025-01-01' }] },
      /nothing called sold_on/,
    ],
    [
      'a number for a text',
      { filters: [{ field: 'channel', op: '=', value: 5 }] },
      /filter on channel cannot be used: it takes a text, not 5/,
    ],
    ['a text for a number', { filters: [{ field: 'ticket', op: '=', value: '1 OR 1=1' }] }, /it takes a whole number/],
    [
      'a fraction for a whole number',
      { filters: [{ field: 'ticket', op: '=', value: 1.5 }] },
      /it takes a whole number/,
    ],
    [
      'a number beyond 64 bits',
      { filters: [{ field: 'ticket', op: '=', value: '9223372036854775808' }] },
      /of 64 bits/,
    ],
    ['a day that is none', { filters: [{ field: 'time', op: '=', value: '2025-02-30' }] }, /it takes a day/],
    ['SQL for a day', { time: { from: "2025-01-01' OR TRUE" } }, /time\.from is a day/],
    ['days the wrong way round', { time: { from: '2025-01-02', to: '2025-01-01' } }, /lies after/],
    ['null as a value', { filters: [{ field: 'channel', op: '=', value: null }] }, /is_null/],
    ['an empty list', { filters: [{ field: 'channel', op: 'in', value: [] }] }, /a list of 1 to 1000 values/],
    ['three bounds', { filters: [{ field: 'ticket', op: 'between', value: [1, 2, 3] }] }, /a list of two values/],
    ['a value for is_null', { filters: [{ field: 'channel', op: 'is_null', value: 1 }] }, /is_null takes no value/],
    ['a pattern on a number', { filters: [{ field: 'ticket', op: 'like', value: '1%' }] }, /like compares texts/],
    [
      'a pattern that ends in a backslash',
      { filters: [{ field: 'channel', op: 'like', value: 'a\\' }] },
      /a backslash in a pattern/,
    ],
    [
      'more or less than true',
      { filters: [{ field: 'is_new', op: '>', value: false }] },
      /does not compare true with false/,
    ],
    ['a NUL in a text', { filters: [{ field: 'channel', op: '=', value: 'a\0b' }] }, /no NUL/],
    [
      'an order by what is not shown',
      { orderBy: ['-net_revenue'] },
      /cannot be ordered by net_revenue, which it does not hold\. It holds: lines/,
    ],
  ];
  for (const [name, words, expected] of REFUSALS) {
    test(name, () => {
      const said = refusal(words);
      assert.match(said, /^usage: /);
      assert.match(said, expected);
    });
  }

  test('a mart without metrics, or without time', () => {
    const bare = martOf({ ...mart, name: 'fct_bare', metrics: null });
    assert.match(refusal({ mart: 'fct_bare' }, [bare, mart]), /declares no metrics\. .*ask one of: fct_sales/);
    const timeless = martOf({ ...mart, metrics: { ...(mart.metrics ?? assert.fail()), time: null } });
    assert.match(refusal({ time: { grain: 'day' } }, [timeless]), /has no time/);
  });
});

describe('a text in a filter is a text, whatever it says', () => {
  const words: MartSpec = martOf({
    name: 'fct_words',
    grain: ['word'],
    partitionKey: 'day',
    columns: [
      { name: 'day', type: 'date', description: '' },
      { name: 'word', type: 'string', description: '' },
    ],
    sql: '',
    inputs: [],
    metrics: {
      time: 'day',
      measures: [
        { name: 'lines', sql: 'COUNT(*)', type: 'number', description: '', format: null },
        { name: 'greatest', sql: 'MAX(word)', type: 'string', description: '', format: null },
      ],
      dimensions: [{ name: 'word', sql: '`word`', type: 'string', description: '' }],
    },
  });
  const found = async (op: MetricFilter['op'], value: MetricFilter['value']): Promise<readonly unknown[]> => {
    const query = ask({
      mart: 'fct_words',
      dimensions: ['word'],
      filters: [{ field: 'word', op, value: value ?? null }],
    });
    return (await rowsOf(query, [words])).slice(1).map((row) => row[0]);
  };

  test('it finds itself alone, by =, by in, by like with its wildcards escaped, and as a measure', async () => {
    for (const word of HOSTILE) {
      assert.deepEqual(await found('=', word), [word]);
      assert.deepEqual(await found('in', [word]), [word]);
      assert.deepEqual(await found('like', word.replace(/[\\%_]/g, '\\$&')), [word]);
      const byMeasure = ask({
        mart: 'fct_words',
        dimensions: ['word'],
        filters: [{ field: 'greatest', op: '=', value: word }],
      });
      assert.deepEqual((await rowsOf(byMeasure, [words])).slice(1), [[word, 1]]);
    }
  });

  test('all but itself are what differs from it', async () => {
    for (const word of HOSTILE) assert.equal((await found('!=', word)).length, HOSTILE.length - 1);
  });

  test('all of them at once, in any mixture', async () => {
    assert.equal((await found('in', HOSTILE)).length, HOSTILE.length);
    assert.deepEqual(await found('not_in', HOSTILE), []);
    // Pieces that are harmless apart may not be so joined.
    let seed = 7;
    const pick = (): string => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return HOSTILE[seed % (HOSTILE.length - 1)] ?? '';
    };
    for (let round = 0; round < 60; round += 1) {
      const joined = pick() + pick() + pick();
      const expected = HOSTILE.includes(joined) ? [joined] : [];
      assert.deepEqual(await found('=', joined), expected, JSON.stringify(joined));
    }
  });

  test('its text never stands in the SQL', () => {
    for (const word of HOSTILE) {
      const { sql, parameters } = compileMetricQuery(
        [words],
        ask({ mart: 'fct_words', filters: [{ field: 'word', op: '=', value: word }] }),
      );
      assert.deepEqual(parameters, { p0: word });
      assert.match(sql, /`word` = @p0/);
    }
  });
});
