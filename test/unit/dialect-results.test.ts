/** GoogleSQL snippets with results worked out by hand from BigQuery's documentation -> what they give on DuckDB. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ColumnSchema } from '../../core/types.ts';
import { toDuckDbExpression, toDuckDbQuery } from '../../engine/dialect.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';

let session: DuckDbSession;

before(async () => {
  session = await DuckDbSession.open({ threads: 1 });
  await session.run(`
    CREATE TABLE sales(day DATE, product BIGINT, channel VARCHAR, amount DECIMAL(18, 2), cost DECIMAL(18, 2), units BIGINT);
    INSERT INTO sales VALUES
      ('2025-01-01', 1, 'web', 10.00, 3.00, 3), ('2025-01-01', 2, 'phone', 0.05, 0.00, 1),
      ('2025-01-02', 1, 'web', 20.00, 7.00, 4), ('2025-01-02', 2, NULL, NULL, 1.00, 0),
      ('2025-01-04', 1, 'phone', 5.00, 1.00, 2);
    CREATE TABLE stock(day DATE, product BIGINT, tier VARCHAR);
    INSERT INTO stock VALUES ('2025-01-01', 1, 'HIGH'), ('2025-01-03', 1, 'HEALTHY'), ('2025-01-02', 3, 'MODERATE');
    CREATE TABLE row_of_values(s VARCHAR, i BIGINT, n DECIMAL(18, 2), r DECIMAL(18, 6), f DOUBLE, b BOOLEAN, d DATE, t TIMESTAMPTZ, z VARCHAR);
    INSERT INTO row_of_values VALUES ('Héllo', 7, 2.50, 0.333333, 2.5, true, '2025-01-05', '2025-01-05 13:45:59.123456+00', NULL);
  `);
});

after(async () => {
  await session.close();
});

const VALUES: readonly ColumnSchema[] = [
  { name: 's', type: 'string' },
  { name: 'i', type: 'int64' },
  { name: 'n', type: 'decimal(18,2)' },
  { name: 'r', type: 'decimal(18,6)' },
  { name: 'f', type: 'float64' },
  { name: 'b', type: 'bool' },
  { name: 'd', type: 'date' },
  { name: 't', type: 'timestamp' },
  { name: 'z', type: 'string' },
];

const SCHEMAS: Readonly<Record<string, readonly ColumnSchema[]>> = {
  sales: [
    { name: 'day', type: 'date' },
    { name: 'product', type: 'int64' },
    { name: 'channel', type: 'string' },
    { name: 'amount', type: 'decimal(18,2)' },
    { name: 'cost', type: 'decimal(18,2)' },
    { name: 'units', type: 'int64' },
  ],
  stock: [
    { name: 'day', type: 'date' },
    { name: 'product', type: 'int64' },
    { name: 'tier', type: 'string' },
  ],
};

/** `row_of_values`: s 'Héllo', i 7, n 2.50, r 0.333333, f 2.5, b true, d Sunday 2025-01-05, t that day 13:45:59.123456 UTC, z NULL. */
const EXPRESSIONS: readonly (readonly [googleSql: string, expected: string | null])[] = [
  // literals and text
  [`"double quotes make a text"`, 'double quotes make a text'],
  [String.raw`'it\'s'`, "it's"],
  [String.raw`r'\d+'`, '\\d+'],
  [`'''two\nlines'''`, 'two\nlines'],
  [String.raw`'tab\tend \u00e9 \x41'`, 'tab\tend é A'],
  [`CONCAT('a', 'b', z)`, null],
  [`'a' || z`, null],
  [`CONCAT('Summer ', CAST(1923 AS STRING))`, 'Summer 1923'],
  [`LENGTH(s)`, '5'],
  [`UPPER(s)`, 'HÉLLO'],
  [`TRIM('\\t x\\u00a0\\n')`, 'x'],
  [`TRIM('xxaxbx', 'x')`, 'axb'],
  [`LTRIM('  a '), `.replace(', ', ''), 'a '],
  [`RTRIM(' a  ')`, ' a'],
  [`SUBSTR('apple', 2)`, 'pple'],
  [`SUBSTR('apple', 2, 2)`, 'pp'],
  [`SUBSTR('apple', -2)`, 'le'],
  [`SUBSTR('apple', 0, 2)`, 'ap'],
  [`SUBSTR('apple', -9, 2)`, 'ap'],
  [`STARTS_WITH('GUEST-1', 'GUEST-')`, 'true'],
  [`ENDS_WITH('GUEST-1', '-2')`, 'false'],
  [`CONTAINS_SUBSTR('The Blue House', 'blue house')`, 'true'],
  [`STRPOS('abc', 'c')`, '3'],
  [`REPLACE('aXbX', 'X', '')`, 'ab'],
  [`LPAD('7', 3, '0')`, '007'],
  [`RPAD('ab', 4)`, 'ab  '],
  [`REGEXP_CONTAINS('foo@example.com', r'@[a-z]+\\.')`.replaceAll('\\\\', '\\'), 'true'],
  [`REGEXP_EXTRACT('NY 10001 x', r'([A-Z]{2}) \\d{5}')`.replaceAll('\\\\', '\\'), 'NY'],
  [`REGEXP_EXTRACT('ab12', r'[0-9]+')`, '12'],
  [`REGEXP_EXTRACT('ab', r'[0-9]+')`, null],
  [`REGEXP_REPLACE('a1b22', r'[0-9]+', '#')`, 'a#b#'],
  [`'a_c' LIKE 'a\\\\_c'`, 'true'],
  [`'abc' LIKE 'a\\\\_c'`, 'false'],
  [`'abc' NOT LIKE 'a%'`, 'false'],
  // choosing and NULL
  [`IF(z IS NULL, 'none', z)`, 'none'],
  [`IF(NULL, 1, 2)`, '2'],
  [`IFNULL(z, 'other')`, 'other'],
  [`COALESCE(z, z, 'last')`, 'last'],
  [`NULLIF(i, 7)`, null],
  [`GREATEST(1, NULL, 3)`, null],
  [`LEAST(i, 3, 9)`, '3'],
  [`GREATEST(n, 2.75)`, '2.75'],
  [`CASE i WHEN 7 THEN 'seven' ELSE 'other' END`, 'seven'],
  [`CASE WHEN z = 'x' THEN 1 END`, null],
  [`z = 'x' OR TRUE`, 'true'],
  [`NOT (z = 'x')`, null],
  [`i IN (1, 7)`, 'true'],
  [`i NOT IN (1, NULL)`, null],
  [`i IN UNNEST([5, 6])`, 'false'],
  [`7 IN UNNEST(GENERATE_ARRAY(1, i))`, 'true'],
  [`z IS DISTINCT FROM NULL`, 'false'],
  [`b IS TRUE AND NOT (z IS NOT NULL)`, 'true'],
  [`i BETWEEN 7 AND 8`, 'true'],
  [`i != 7`, 'false'],
  // numbers
  [`i / 2`, '3.5'],
  [`7 / 2`, '3.5'],
  [`n / 3`, '0.833333333'],
  [`-n / 3`, '-0.833333333'],
  [`n / CAST(6 AS NUMERIC)`, '0.416666667'],
  [`ROUND(n / 3, 6)`, '0.833333'],
  [`SAFE_DIVIDE(n, 0)`, null],
  [`SAFE_DIVIDE(i, 2)`, '3.5'],
  [`SAFE_DIVIDE(NULL, n)`, null],
  [`DIV(-7, 2)`, '-3'],
  [`MOD(-7, 3)`, '-1'],
  [`ROUND(2.5)`, '3'],
  [`ROUND(-2.5)`, '-3'],
  [`ROUND(CAST(0.0000005 AS NUMERIC), 6)`, '0.000001'],
  [`ROUND(f)`, '3'],
  [`CAST(f AS INT64)`, '3'],
  [`CAST(-f AS INT64)`, '-3'],
  [`CAST(n AS INT64)`, '3'],
  [`n * r`, '0.83333250'],
  [`r * r`, '0.111110889'],
  [`n * 0.5`, '1.250'],
  [`n + i - 1`, '8.50'],
  [`2000000000 + 2000000000`, '4000000000'],
  [`TRUNC(-2.7)`, '-2'],
  [`CEIL(n)`, '3'],
  [`FLOOR(-f)`, '-3'],
  [`ABS(-i)`, '7'],
  [`SIGN(-n)`, '-1'],
  [`POW(2, 10)`, '1024'],
  [`1 + 2 * 3 - -4`, '11'],
  // casts
  [`CAST('12' AS INT64)`, '12'],
  [`SAFE_CAST('2.5' AS INT64)`, null],
  [`SAFE_CAST('2025/01/05' AS DATE)`, null],
  [`SAFE_CAST('2025-1-5' AS DATE)`, '2025-01-05'],
  [`SAFE_CAST('2025-02-30' AS DATE)`, null],
  [`SAFE_CAST('yes' AS BOOL)`, null],
  [`CAST('TRUE' AS BOOL)`, 'true'],
  [`CAST('1.2345678905' AS NUMERIC)`, '1.234567891'],
  [`CAST(n AS STRING)`, '2.5'],
  [`CAST(CAST(3 AS NUMERIC) AS STRING)`, '3'],
  [`CAST(1.005 AS NUMERIC(10, 2))`, '1.01'],
  [`CAST(b AS INT64)`, '1'],
  [`CAST(t AS DATE)`, '2025-01-05'],
  [`SAFE_CAST('abc' AS FLOAT64)`, null],
  [`CAST('2025-01-05 01:00:00+02' AS TIMESTAMP)`, '2025-01-04 23:00:00+00'],
  // days and instants
  [`DATE(t)`, '2025-01-05'],
  [`DATE(2025, 2, 28)`, '2025-02-28'],
  [`DATE(t, 'America/New_York') = DATE '2025-01-05'`, 'true'],
  [`DATE_ADD(DATE '2025-01-31', INTERVAL 1 MONTH)`, '2025-02-28'],
  [`DATE_SUB(d, INTERVAL 5 DAY)`, '2024-12-31'],
  [`DATE_ADD(d, INTERVAL i DAY)`, '2025-01-12'],
  [`DATE_ADD(d, INTERVAL 2 WEEK)`, '2025-01-19'],
  [`DATE_ADD('2025-01-05', INTERVAL 1 QUARTER)`, '2025-04-05'],
  [`d + 1`, '2025-01-06'],
  [`DATE_DIFF(DATE '2025-01-05', DATE '2025-01-04', WEEK)`, '1'],
  [`DATE_DIFF(DATE '2025-01-06', DATE '2025-01-05', WEEK)`, '0'],
  [`DATE_DIFF(DATE '2025-01-06', DATE '2025-01-05', ISOWEEK)`, '1'],
  [`DATE_DIFF(DATE '2025-01-06', DATE '2025-01-05', WEEK(MONDAY))`, '1'],
  [`DATE_DIFF(DATE '2025-02-01', DATE '2025-01-31', MONTH)`, '1'],
  [`DATE_DIFF(DATE '2024-12-31', d, DAY)`, '-5'],
  [`DATE_DIFF(DATE '2017-12-30', DATE '2014-12-30', ISOYEAR)`, '2'],
  [`DATE_TRUNC(DATE '2025-01-08', WEEK)`, '2025-01-05'],
  [`DATE_TRUNC(d, WEEK(MONDAY))`, '2024-12-30'],
  [`DATE_TRUNC(d, ISOWEEK)`, '2024-12-30'],
  [`DATE_TRUNC(DATE '2015-06-15', ISOYEAR)`, '2014-12-29'],
  [`DATE_TRUNC(DATE '2025-05-17', QUARTER)`, '2025-04-01'],
  [`LAST_DAY(DATE '2024-02-10')`, '2024-02-29'],
  [`LAST_DAY(d, WEEK)`, '2025-01-11'],
  [`EXTRACT(DAYOFWEEK FROM d)`, '1'],
  [`EXTRACT(DAYOFWEEK FROM DATE '2025-01-04')`, '7'],
  [`EXTRACT(ISOWEEK FROM d)`, '1'],
  [`EXTRACT(WEEK FROM DATE '2025-01-04')`, '0'],
  [`EXTRACT(WEEK FROM d)`, '1'],
  [`EXTRACT(WEEK(MONDAY) FROM d)`, '0'],
  [`EXTRACT(ISOYEAR FROM DATE '2024-12-30')`, '2025'],
  [`EXTRACT(QUARTER FROM d)`, '1'],
  [`EXTRACT(SECOND FROM t)`, '59'],
  [`EXTRACT(MILLISECOND FROM t)`, '123'],
  [`EXTRACT(MICROSECOND FROM t)`, '123456'],
  [`EXTRACT(HOUR FROM t AT TIME ZONE 'Europe/Paris')`, '14'],
  [`EXTRACT(DATE FROM t)`, '2025-01-05'],
  [`FORMAT_DATE('%Y-%m (%b) %a %j', d)`, '2025-01 (Jan) Sun 005'],
  [`FORMAT_DATE('%F %G-W%V', d)`, '2025-01-05 2025-W01'],
  [`FORMAT_TIMESTAMP('%F %T', t)`, '2025-01-05 13:45:59'],
  [`UNIX_DATE(DATE '1970-01-31')`, '30'],
  [`DATE_FROM_UNIX_DATE(1)`, '1970-01-02'],
  [`TIMESTAMP_DIFF(TIMESTAMP '2025-01-01 01:00:00', TIMESTAMP '2025-01-01 00:00:01', HOUR)`, '0'],
  [`TIMESTAMP_DIFF(TIMESTAMP '2025-01-01 00:00:00', TIMESTAMP '2025-01-02 12:00:00', DAY)`, '-1'],
  [`TIMESTAMP_ADD(TIMESTAMP '2025-01-01 00:00:00+00', INTERVAL 90 MINUTE)`, '2025-01-01 01:30:00+00'],
  [`TIMESTAMP_TRUNC(t, HOUR)`, '2025-01-05 13:00:00+00'],
  [`TIMESTAMP_TRUNC(t, ISOWEEK)`, '2024-12-30 00:00:00+00'],
  [`TIMESTAMP(d)`, '2025-01-05 00:00:00+00'],
  [`UNIX_SECONDS(TIMESTAMP '1969-12-31 23:59:59.5+00')`, '-1'],
  [`TIMESTAMP_SECONDS(60)`, '1970-01-01 00:01:00+00'],
  [`d >= '2025-01-05'`, 'true'],
  [`@window_start <= d AND d < @window_end`, 'true'],
  [`@minimum < n`, 'true'],
  // numbers of unlike digits: the more digits win
  [`IFNULL(SAFE_DIVIDE(n, 3), 0.5)`, '0.833333333'],
  [`COALESCE(n, NUMERIC '1.123456789')`, '2.500000000'],
  [`GREATEST(NUMERIC '99.99', 1.5)`, '99.990000000'],
  [`TRUNC(-n)`, '-2.00'],
  [`TRUNC(r, 2)`, '0.330000'],
  [`MOD(n, NUMERIC '0.3')`, '0.100000000'],
  [`DIV(n, NUMERIC '0.3')`, '8'],
  [`SIGN(-n)`, '-1'],
  [`0.5`, '0.5'],
  // 2.675 is 2.67499999999999982236431605997495353221893310546875
  [`ROUND(2.675, 2)`, '2.67'],
  [`ROUND(-2.675, 2)`, '-2.67'],
  [`ROUND(0.125, 2)`, '0.13'],
  [`ROUND(f * 1e300, 2) > 1e300`, 'true'],
  // texts of numbers and instants
  [`CAST('0x1F' AS INT64)`, '31'],
  [`SAFE_CAST('-0x10' AS FLOAT64)`, '-16'],
  [`0.010499999999999999 < CAST('0.0105' AS FLOAT64)`, 'true'],
  [`SAFE_CAST('2025-01-05 24:00:00' AS TIMESTAMP)`, null],
  [`CAST('2025-01-05 10:00:00-0800' AS TIMESTAMP)`, '2025-01-05 18:00:00+00'],
  [`CAST('2025-01-05 10:00:00+5' AS TIMESTAMP)`, '2025-01-05 05:00:00+00'],
  [`CAST('2025-01-05 23:59:60' AS TIMESTAMP)`, '2025-01-06 00:00:00+00'],
  [`SAFE.PARSE_DATE('%Y%m%d', '2025105')`, '2025-10-05'],
  [`SAFE.PARSE_DATE('%Y%m%d', '202511')`, null],
  [`PARSE_TIMESTAMP('%d.%m.%Y %H:%M', ' 5.1.2025  9:07 ')`, '2025-01-05 09:07:00+00'],
  [`LAST_DAY(d, ISOWEEK)`, '2025-01-05'],
  [`EXTRACT(HOUR FROM t AT TIME ZONE '-03:30')`, '10'],
  [`TIMESTAMP_TRUNC(t, DAY, '+10:00')`, '2025-01-04 14:00:00+00'],
  // structs, digests, pieces
  [`STRUCT(i AS a, STRUCT(s AS c) AS b).b.c`, 'Héllo'],
  [`TO_HEX(MD5('x'))`, '9dd4e461268c8034f5c8564e155c67a6'],
  [`LEFT(s, 2) || RIGHT(s, 2)`, 'Hélo'],
  [`SPLIT('a,,b')[SAFE_OFFSET(1)]`, ''],
  [`JSON_VALUE('{"a": [{"b": "x"}]}', '$.a[0].b')`, 'x'],
  [`JSON_VALUE('{"a": [1]}', '$.a')`, null],
  [`JSON_VALUE('{a', '$.a')`, null],
  [`CAST(JSON_VALUE('{"a": 1.50}', '$.a') AS NUMERIC)`, '1.500000000'],
  [`REGEXP_EXTRACT('ab', r'(x?)b')`, ''],
  // arrays
  [`[10, 20][OFFSET(1)]`, '20'],
  [`[10, 20][ORDINAL(1)]`, '10'],
  [`[10, 20][SAFE_OFFSET(2)]`, null],
  [`ARRAY_LENGTH(GENERATE_DATE_ARRAY(d, DATE_ADD(d, INTERVAL 6 DAY)))`, '7'],
];

const PARAMETERS = { window_start: '2025-01-05', window_end: '2025-01-06', minimum: 2.25 };

async function evaluate(googleSql: string, columns?: readonly ColumnSchema[]): Promise<string | null> {
  const { v } = await session.one(
    `SELECT ${toDuckDbExpression(googleSql, PARAMETERS, columns)} AS v FROM row_of_values`,
  );
  return v === null || v === undefined ? null : String(v);
}

describe('an expression gives on DuckDB what GoogleSQL says it is', () => {
  for (const [googleSql, expected] of EXPRESSIONS) {
    test(`${googleSql.replaceAll('\n', '⏎')} is ${expected}`, async () => {
      assert.equal(await evaluate(googleSql, VALUES), expected);
    });
  }
});

describe('an expression over columns of unknown type', () => {
  const CASES: readonly (readonly [string, string | null])[] = [
    ['CAST(f AS INT64)', '3'],
    ['SAFE_CAST(s AS INT64)', null],
    ['CAST(n AS STRING)', '2.5'],
    ['CAST(i AS STRING)', '7'],
    ["n >= 2.5 AND s <> 'x' AND d = '2025-01-05'", 'true'],
    ['i / 2', '3.5'],
    ['SAFE_DIVIDE(i, n - 2.5)', null],
    ['IFNULL(n, 0) + 1', '3.50'],
    ['DATE(t) = d', 'true'],
    ['n + 0.25', '2.75'],
    ['IFNULL(r, 0.5)', '0.333333'],
    ["JSON_VALUE(CONCAT('{\"a\": ', CAST(i AS STRING), '}'), '$.a')", '7'],
  ];
  for (const [googleSql, expected] of CASES) {
    test(`${googleSql} is ${expected}`, async () => {
      assert.equal(await evaluate(googleSql), expected);
    });
  }
});

describe('what is an error in GoogleSQL is an error on DuckDB', () => {
  const CASES: readonly (readonly [string, RegExp])[] = [
    ['i / (i - 7)', /division by zero/],
    ['n / 0', /division by zero/],
    ['DIV(i, 0)', /division by zero/],
    ['MOD(i, 0)', /division by zero/],
    ["CAST('2.5' AS INT64)", /Cannot read 2\.5 as INT64/],
    ['CAST(s AS DATE)', /Cannot read Héllo as DATE/],
    ['[1][OFFSET(i)]', /out of bounds/],
    ["SAFE_CAST('2025-01-05 10:00:00 America/New_York' AS TIMESTAMP)", /name of a time zone in a text/],
    [`JSON_VALUE('{"a": 1.50}', '$.a')`, /met a number such as 1\.50/],
    [`JSON_VALUE('[1.5, 1.50]', '$[0]')`, /met a number such as 1\.50/],
    ['POW(i - 7, -1)', /POW has no finite value/],
    ['EXP(i * 1000)', /EXP has no finite value/],
    ['REPEAT(s, 3 - i)', /REPEAT with a negative length/],
  ];
  for (const [googleSql, message] of CASES) {
    test(`${googleSql}`, async () => {
      await assert.rejects(evaluate(googleSql, VALUES), message);
    });
  }
});

type Rows = readonly (readonly (string | null)[])[];

async function rowsOf(googleSql: string, isTyped: boolean): Promise<Rows> {
  const duckSql = toDuckDbQuery(googleSql, {
    table: (layer, name) => (layer === 'shop' && SCHEMAS[name] ? name : null),
    parameters: PARAMETERS,
    columns: (_layer, name) => (isTyped ? (SCHEMAS[name] ?? null) : null),
    knownTables: Object.keys(SCHEMAS).map((name) => `shop.${name}`),
  });
  const rows = await session.rows(duckSql);
  return rows.map((row) => Object.values(row).map((value) => (value === null ? null : String(value))));
}

/** Table `sales`, by day: 01-01 web 10.00/3.00/3, phone 0.05/0.00/1; 01-02 web 20.00/7.00/4, NULL NULL/1.00/0; 01-04 phone 5.00/1.00/2. */
const QUERIES: readonly (readonly [name: string, googleSql: string, expected: Rows])[] = [
  [
    'NULL comes first when ascending and last when descending',
    'SELECT DISTINCT channel FROM shop.sales ORDER BY channel',
    [[null], ['phone'], ['web']],
  ],
  [
    'and by word where the query says so',
    'SELECT DISTINCT channel FROM shop.sales ORDER BY channel DESC NULLS FIRST',
    [[null], ['web'], ['phone']],
  ],
  [
    'aggregates pass over NULL, COUNT(*) does not',
    'SELECT COUNT(*), COUNT(amount), COUNT(DISTINCT channel), SUM(amount), MIN(amount), MAX(channel) FROM shop.sales',
    [['5', '4', '2', '35.05', '0.05', 'web']],
  ],
  [
    'COUNTIF, LOGICAL_OR',
    'SELECT COUNTIF(units > 1), LOGICAL_OR(units > 3), LOGICAL_AND(units >= 0) FROM shop.sales',
    [['3', 'true', 'true']],
  ],
  // 35.05 / 4 = 8.7625; 12 / 5 = 2.4
  [
    'AVG of NUMERIC is exact, AVG of INT64 is FLOAT64',
    'SELECT AVG(amount), AVG(cost) FROM shop.sales',
    [['8.762500000', '2.400000000']],
  ],
  // (10.00 + 0.05) / 2 = 5.025; a DOUBLE of it rounds down, a NUMERIC up.
  [
    'a mean rounds half away from zero',
    "SELECT ROUND(AVG(amount), 2) FROM shop.sales WHERE day = '2025-01-01'",
    [['5.03']],
  ],
  [
    'AVG over no rows is NULL',
    'SELECT AVG(amount), SUM(amount), COUNT(*) FROM shop.sales WHERE product = 9',
    [[null, null, '0']],
  ],
  [
    'ordinals and names of SELECT group alike',
    "SELECT FORMAT_DATE('%m-%d', day) AS d, SUM(units) AS total FROM shop.sales GROUP BY d ORDER BY total DESC, 1",
    [
      ['01-01', '4'],
      ['01-02', '4'],
      ['01-04', '2'],
    ],
  ],
  [
    'HAVING sees the names of SELECT',
    'SELECT product, SUM(units) AS total FROM shop.sales GROUP BY 1 HAVING total > 1 ORDER BY 1',
    [['1', '9']],
  ],
  [
    'a column keeps its meaning inside SELECT though a name of SELECT hides it later',
    'SELECT day, SUM(cost) AS amount, SUM(amount) AS cost FROM shop.sales GROUP BY 1 ORDER BY 1 LIMIT 1',
    [['2025-01-01', '3.00', '10.05']],
  ],
  [
    'QUALIFY keeps the first row of each product',
    'SELECT product, day FROM shop.sales QUALIFY ROW_NUMBER() OVER (PARTITION BY product ORDER BY day DESC) = 1 ORDER BY product',
    [
      ['1', '2025-01-04'],
      ['2', '2025-01-02'],
    ],
  ],
  [
    'a range frame over days counts days, not rows',
    'SELECT day, SUM(units) OVER (ORDER BY UNIX_DATE(day) RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS two_days FROM shop.sales WHERE product = 1 ORDER BY day',
    [
      ['2025-01-01', '3'],
      ['2025-01-02', '7'],
      ['2025-01-04', '2'],
    ],
  ],
  [
    'a named window, LAG with a default',
    'SELECT LAG(units, 1, 0) OVER w, FIRST_VALUE(units) OVER w FROM shop.sales WHERE product = 1 WINDOW w AS (ORDER BY day) ORDER BY day',
    [
      ['0', '3'],
      ['3', '3'],
      ['4', '3'],
    ],
  ],
  [
    'AVG OVER of NUMERIC is exact',
    "SELECT ROUND(AVG(amount) OVER (), 2) FROM shop.sales WHERE day = '2025-01-01' LIMIT 1",
    [['5.03']],
  ],
  [
    'MAX_BY keeps a NULL at the largest key',
    'SELECT MAX_BY(channel, cost), MAX_BY(amount, day), MIN_BY(amount, units) FROM shop.sales',
    [['web', '5.00', null]],
  ],
  [
    'STRING_AGG in the order that it says',
    "SELECT STRING_AGG(channel, '|' ORDER BY amount DESC) FROM shop.sales",
    [['web|web|phone|phone']],
  ],
  [
    'ARRAY_AGG, its first element',
    'SELECT ARRAY_AGG(channel IGNORE NULLS ORDER BY amount LIMIT 1)[OFFSET(0)] FROM shop.sales',
    [['phone']],
  ],
  ['ANY_VALUE is always the same', 'SELECT ANY_VALUE(channel) FROM shop.sales', [['phone']]],
  [
    'SELECT * EXCEPT and REPLACE',
    'SELECT * EXCEPT (cost, units) REPLACE (UPPER(channel) AS channel) FROM shop.sales WHERE units = 3',
    [['2025-01-01', '1', 'WEB', '10.00']],
  ],
  [
    'UNION ALL keeps doubles, UNION DISTINCT does not',
    'SELECT COUNT(*) FROM (SELECT 1 AS x UNION ALL SELECT 1) UNION ALL SELECT COUNT(*) FROM (SELECT 1 AS x UNION DISTINCT SELECT 1)',
    [['2'], ['1']],
  ],
  [
    'EXCEPT DISTINCT, INTERSECT DISTINCT',
    'SELECT product FROM shop.stock EXCEPT DISTINCT SELECT product FROM shop.sales',
    [['3']],
  ],
  [
    'a full join by USING gives the key of either side',
    'SELECT product, MAX(tier) AS tier, COUNT(units) FROM shop.sales FULL OUTER JOIN shop.stock USING (day, product) GROUP BY product ORDER BY product',
    [
      ['1', 'HIGH', '3'],
      ['2', null, '2'],
      ['3', 'MODERATE', '0'],
    ],
  ],
  [
    'the next snapshot, by a correlated subquery',
    'SELECT s.day, (SELECT MIN(k.day) FROM shop.stock AS k WHERE k.product = s.product AND k.day >= s.day) AS snapshot FROM shop.sales AS s WHERE s.product = 1 ORDER BY 1',
    [
      ['2025-01-01', '2025-01-01'],
      ['2025-01-02', '2025-01-03'],
      ['2025-01-04', null],
    ],
  ],
  [
    'EXISTS and IN (SELECT …)',
    'SELECT COUNT(*) FROM shop.sales AS s WHERE EXISTS (SELECT 1 FROM shop.stock AS k WHERE k.product = s.product) AND s.product IN (SELECT product FROM shop.stock)',
    [['3']],
  ],
  [
    'a calendar from UNNEST, days without rows included',
    "WITH days AS (SELECT day FROM UNNEST(GENERATE_DATE_ARRAY('2025-01-02', '2025-01-04')) AS day) SELECT days.day, COUNT(sales.units) FROM days LEFT JOIN shop.sales ON sales.day = days.day GROUP BY days.day ORDER BY 1",
    [
      ['2025-01-02', '2'],
      ['2025-01-03', '0'],
      ['2025-01-04', '1'],
    ],
  ],
  [
    'an array of one row next to it',
    'SELECT k.tier, later FROM shop.stock AS k, UNNEST(GENERATE_DATE_ARRAY(k.day, DATE_ADD(k.day, INTERVAL 1 DAY))) AS later WHERE k.product = 3 ORDER BY later',
    [
      ['MODERATE', '2025-01-02'],
      ['MODERATE', '2025-01-03'],
    ],
  ],
  ['the window of the run', 'SELECT COUNT(*) FROM shop.sales WHERE day >= @window_start', [['0']]],
  [
    'backticks name, comments are passed over',
    'SELECT `day` FROM `shop.sales` -- one\n# two\nWHERE /* three */ units = 2',
    [['2025-01-04']],
  ],
  [
    'a query in WITH may use the one before',
    'WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT y FROM b',
    [['2']],
  ],
  ['LIMIT and OFFSET', 'SELECT DISTINCT day FROM shop.sales ORDER BY day LIMIT 1 OFFSET 1', [['2025-01-02']]],
  // 20.00 / 7.00 = 2.857142857142…
  [
    'a quotient of sums is NUMERIC',
    'SELECT SUM(amount) / SUM(cost) FROM shop.sales WHERE units = 4',
    [['2.857142857']],
  ],
];

describe('a query gives on DuckDB what GoogleSQL says it does', () => {
  for (const [name, googleSql, expected] of QUERIES) {
    test(name, async () => {
      assert.deepEqual(await rowsOf(googleSql, true), expected);
    });
  }
});

test('without column types a query still runs, its quotients in floating point', async () => {
  assert.deepEqual(
    await rowsOf('SELECT product, SUM(units) / 2 FROM shop.sales GROUP BY product ORDER BY product', false),
    [
      ['1', '4.5'],
      ['2', '0.5'],
    ],
  );
});

test('unnamed columns are called as BigQuery calls them', async () => {
  const duckSql = toDuckDbQuery('SELECT 1, 2 AS two, 3', { table: () => null, parameters: {} });
  assert.deepEqual(Object.keys(await session.one(duckSql)), ['f0_', 'two', 'f1_']);
});
