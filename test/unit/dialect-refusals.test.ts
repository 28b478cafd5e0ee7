/** SQL that is wrong, or that engines read differently -> a fault that names line, column and what to write instead. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PORTABLE_FUNCTIONS } from '../../core/google-sql/functions.ts';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { columnsOf, lintExpression, lintQuery, tableOccurrences, tableReferences } from '../../core/google-sql.ts';
import type { ColumnSchema } from '../../core/types.ts';
import { RENDER } from '../../engine/dialect/functions.ts';
import { toDuckDbExpression, toDuckDbQuery } from '../../engine/dialect.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

type Place = `${number}:${number}`;

/** What is written, where the fault stands, what it says, what the hint says. */
const EXPRESSION_FAULTS: readonly (readonly [sql: string, at: Place, message: RegExp, hint: RegExp | null])[] = [
  ['', '1:1', /Expected an expression/, null],
  ['a +', '1:4', /Expected an expression where the text ends/, null],
  ['lower(email', '1:6', /“\(” is never closed/, /Add “\)”/],
  ['a > 1)', '1:6', /“\)” closes nothing/, /Remove it/],
  ["status = 'open", '1:10', /string is never closed/, /Close it with '/],
  ["'it''s'", '1:4', /doubled quote/, /Write \\'/],
  ['a /* b', '1:3', /comment is never closed/, null],
  ['`a', '1:1', /backtick is never closed/, null],
  ['a\n  ; b', '2:3', /semicolon/, null],
  ['total::int64 > 1', '1:6', /“::” is not portable/, /CAST\(value AS TYPE\)/],
  ['a // b', '1:3', /“\/\/” is not portable/, /DIV\(a, b\)/],
  ['a % 2 = 0', '1:3', /“%” is not portable/, /MOD\(a, b\)/],
  ['a == 1', '1:3', /“==”/, /Write =/],
  ["a ~ 'x'", '1:3', /“~”/, /REGEXP_CONTAINS/],
  ['x -> x + 1', '1:3', /“->”/, /Lambdas/],
  ["{'a': 1}", '1:1', /“\{”/, /Structs/],
  ['a = $1', '1:5', /“\$”/, /@window_start/],
  ["name ILIKE 'a%'", '1:6', /ILIKE is not GoogleSQL/, /LOWER/],
  ["name LIKE 'a!%' ESCAPE '!'", '1:17', /ESCAPE is not GoogleSQL/, /backslash/],
  ['a < b < c', '1:7', /follows another comparison/, /AND/],
  ['SUM(total) > 1', '1:1', /aggregate SUM has no place in an expression over one row/, null],
  ['ROW_NUMBER() OVER (ORDER BY a) = 1', '1:1', /window function has no place/, null],
  ['a IN (SELECT b FROM silver.c)', '1:3', /subquery has no place/, null],
  ['SAFE_DIVDE(a, b)', '1:1', /SAFE_DIVDE is not known to be portable/, /Did you mean SAFE_DIVIDE\?/],
  ['a = 1 AND\nstrlen(b) > 2', '2:1', /STRLEN is not known/, /LENGTH/],
  ['COUNT_IF(a)', '1:1', /COUNT_IF/, /COUNTIF/],
  ["DATE_TRUNC('month', day)", '1:12', /date part last/, /MONTH/],
  ['DATE_TRUNC(day, MONHT)', '1:17', /“MONHT” is no date part/, /Did you mean MONTH\?/],
  ['EXTRACT(EPOCH FROM t)', '1:9', /“EPOCH” is no date part/, null],
  ["day + INTERVAL '7 days'", '1:16', /interval in quotes/, /INTERVAL 7 DAY/],
  ['DATE_ADD(day, 7)', '1:15', /wants INTERVAL/, /INTERVAL 7 DAY/],
  ['TRY_CAST(a AS INT64)', '1:1', /TRY_CAST is not GoogleSQL/, /SAFE_CAST/],
  ['CAST(a AS VARCHAR)', '1:11', /“VARCHAR” is no type/, /Did you mean STRING\?/],
  ['CAST(a AS STRNG)', '1:11', /“STRNG” is no type/, /Did you mean STRING\?/],
  ['CAST(a AS NUMERIC(40, 2))', '1:11', /too large/, /29 digits/],
  ['signup < @windw_end', '1:10', /no parameter @windw_end/, /Did you mean @window_end\?/],
  ['day < CURRENT_DATE()', '1:7', /CURRENT_DATE/, /@window_end/],
  ['day < CURRENT_DATE', '1:7', /CURRENT_DATE/, /@window_end/],
  ['TRIM(a, b, c)', '1:1', /TRIM takes 1 to 2 arguments, not 3/, null],
  ['SAFE.LOWER(a)', '1:1', /SAFE\. prefix/, /SAFE_CAST/],
  ['STRUCT<INT64>(a)', '1:7', /type of a struct is not written/, /STRUCT\(a AS x/],
  ['ARRAY<INT64>[1]', '1:6', /type of an array is not written/, /\[a, b\]/],
  ['a.b.c = 1', '1:1', /too many parts/, null],
  ["DATE '2025-1'", '1:6', /is no DATE/, null],
  ["DATE '2025-02-29'", '1:6', /is no DATE/, null],
  ["TIMESTAMP '2025-04-31 00:00:00'", '1:11', /is no TIMESTAMP/, null],
  ['9223372036854775808', '1:1', /does not fit INT64/, /NUMERIC/],
  ["'\\q'", '1:2', /“\\q” is no escape/, /raw string/],
  ["b'x'", '1:1', /BYTES/, null],
  ['CASE WHEN a THEN b', '1:1', /CASE is never closed/, /END/],
  ['order = 1', '1:1', /Expected an expression/, /reserved word/],
];

describe('the linter of row expressions', () => {
  for (const [sql, at, message, hint] of EXPRESSION_FAULTS) {
    test(`refuses ${JSON.stringify(sql)} at ${at}`, () => {
      const [fault] = lintExpression(sql);
      assert.ok(fault, 'no fault was found');
      assert.equal(`${fault.line}:${fault.column}`, at);
      assert.match(fault.message, message);
      if (hint === null) return;
      assert.match(fault.hint ?? '', hint);
    });
  }

  test('tells several faults at once, in the order of the text', () => {
    const faults = lintExpression('FOO(a) > 1\n AND BAR(b) = @nothing');
    assert.deepEqual(
      faults.map(({ line, column }) => `${line}:${column}`),
      ['1:1', '2:6', '2:15'],
    );
  });

  test('knows parameters that the spec declares', () => {
    assert.deepEqual(
      lintExpression('cart_value <= @cart_abandoned_min_value', { parameters: ['cart_abandoned_min_value'] }),
      [],
    );
  });
});

const QUERY_FAULTS: readonly (readonly [sql: string, at: Place, message: RegExp, hint: RegExp | null])[] = [
  ['', '1:1', /no query/, /SELECT/],
  ['DELETE FROM gold.fct_x', '1:1', /DELETE is not allowed/, null],
  ['CREATE TABLE a AS SELECT 1', '1:1', /CREATE is not allowed/, null],
  ["COPY gold.fct_x TO 'x'", '1:1', /COPY is not allowed/, null],
  ['SELECT 1; SELECT 2', '1:9', /semicolon/, null],
  ['SELCT 1', '1:1', /Expected SELECT/, /Did you mean SELECT\?/],
  ['SELECT a FROM gold.t WHRE a', '1:27', /Unexpected “a”/, /Did you mean WHERE\?/],
  ['SELECT a FROM gold.t\nUNION SELECT a FROM gold.u', '2:1', /UNION alone/, /UNION ALL/],
  ['SELECT 1 UNION ALL SELECT 2 UNION DISTINCT SELECT 3', '1:29', /without parentheses/, null],
  ['SELECT 1 INTERSECT ALL SELECT 1', '1:10', /INTERSECT ALL/, /INTERSECT DISTINCT/],
  ['SELECT SUM(a) FILTER (WHERE b) FROM gold.t', '1:15', /FILTER is not GoogleSQL/, /COUNTIF/],
  ['SELECT * EXCLUDE (a) FROM gold.t', '1:10', /EXCLUDE is not GoogleSQL/, /EXCEPT/],
  ['SELECT DISTINCT ON (a) a FROM gold.t', '1:17', /DISTINCT ON/, /QUALIFY/],
  ["SELECT * FROM read_csv('/etc/passwd')", '1:15', /read_csv/, /layer|Name a table/],
  ["SELECT * FROM 'data.parquet'", '1:15', /Expected a table/, /no table/],
  ['SELECT a FROM `p.gold.t`', '1:15', /names a project/, /gold\.t/],
  ['SELECT a FROM my-project.gold.t', '1:15', /names a project/, /gold\.t/],
  ['SELECT a FROM a.b.c.d', '1:15', /names no table/, /layer\.table/],
  ['SELECT a FROM gold.t ASOF JOIN gold.u USING (a)', '1:22', /ASOF JOIN/, null],
  ['SELECT a FROM gold.t JOIN gold.u', '1:33', /Expected ON or USING/, /CROSS JOIN/],
  ['SELECT a FROM gold.t TABLESAMPLE (1 PERCENT)', '1:22', /TABLESAMPLE/, null],
  ['SELECT a FROM gold.t WHERE SUM(a) > 1 GROUP BY a', '1:28', /SUM has no place in WHERE/, null],
  ['SELECT SUM(COUNT(a)) FROM gold.t', '1:12', /COUNT has no place in the aggregate SUM/, null],
  ['SELECT a FROM gold.t GROUP BY ROLLUP (1)', '1:39', /ROLLUP takes no ordinals/, /names that SELECT gives/],
  ['SELECT a FROM gold.t GROUP BY GROUPING SETS ((a), CUBE (a))', '1:51', /CUBE inside/, /sets out/],
  ['SELECT SUM(a HAVING MAX b) FROM gold.t', '1:14', /HAVING inside SUM/, /ANY_VALUE/],
  ['SELECT PERCENTILE_CONT(a, 0.5 RESPECT NULLS) OVER () FROM gold.t', '1:8', /RESPECT NULLS/, /IFNULL/],
  ['SELECT a FROM gold.t, gold.u RIGHT JOIN gold.v ON TRUE', '1:30', /RIGHT JOIN cannot follow/, /CROSS JOIN/],
  ["SELECT a FROM gold.t WHERE a NOT LIKE ANY ('x')", '1:30', /read in two ways/, /NOT \(value/],
  ['SELECT a FROM gold.t UNPIVOT ((b, c) FOR d IN (e))', '1:31', /several columns/, /UNION ALL/],
  ['SELECT a FROM gold.t UNPIVOT (b FOR d IN (e AS 1))', '1:48', /label of UNPIVOT/, /AS 'label'/],
  [
    'SELECT a FROM gold.t PIVOT (b FOR SUM(c) IN (1 AS one))',
    '1:35',
    /aggregate SUM has no place in PIVOT … FOR/,
    null,
  ],
  ['SELECT RANK() OVER (PARTITION BY a) FROM gold.t', '1:8', /RANK needs an order/, /ORDER BY/],
  ['SELECT LAG(a) OVER w FROM gold.t WINDOW w AS (PARTITION BY b)', '1:8', /LAG needs an order/, /ORDER BY/],
  ['SELECT FIRST_VALUE(a) OVER () FROM gold.t', '1:8', /FIRST_VALUE needs an order/, /ORDER BY/],
  ['SELECT NTILE(2) OVER (ORDER BY a ROWS 1 PRECEDING) FROM gold.t', '1:8', /takes no frame/, null],
  ['SELECT LEAD(a IGNORE NULLS) OVER (ORDER BY b) FROM gold.t', '1:8', /takes no IGNORE NULLS/, null],
  ['SELECT LAG(a, -1) OVER (ORDER BY b) FROM gold.t', '1:15', /no negative number/, /LEAD/],
  ['SELECT COUNT(DISTINCT a) OVER (ORDER BY b) FROM gold.t', '1:8', /DISTINCT over a window/, /PARTITION BY/],
  ['SELECT 1 WHERE TRUE', '1:16', /WHERE needs a FROM/, null],
  ['SELECT ARRAY_AGG(a) FROM gold.t', '1:8', /order inside ARRAY_AGG/, /ORDER BY/],
  ["SELECT STRING_AGG(a, ',') FROM gold.t", '1:8', /order inside STRING_AGG/, /ORDER BY/],
  ['SELECT APPROX_COUNT_DISTINCT(a) FROM gold.t', '1:8', /APPROX_COUNT_DISTINCT/, /COUNT\(DISTINCT/],
  ['SELECT RANK() FROM gold.t', '1:8', /RANK needs OVER/, null],
  ['SELECT RAND() FROM gold.t', '1:8', /RAND/, /Chance/],
  ['SELECT SUM(*) FROM gold.t', '1:8', /SUM\(\*\)/, null],
  ['SELECT a AS "b" FROM gold.t', '1:13', /Expected a name/, /backticks/],
  ['SELECT AS VALUE a FROM gold.t', '1:8', /AS VALUE/, null],
];

describe('the linter of queries', () => {
  for (const [sql, at, message, hint] of QUERY_FAULTS) {
    test(`refuses ${JSON.stringify(sql)} at ${at}`, () => {
      const [fault] = lintQuery(sql);
      assert.ok(fault, 'no fault was found');
      assert.equal(`${fault.line}:${fault.column}`, at);
      assert.match(fault.message, message);
      if (hint === null) return;
      assert.match(fault.hint ?? '', hint);
    });
  }

  test('has nothing to say about a mart', () => {
    const mart = `SELECT order_dt AS order_date, COUNT(*) AS orders, ROUND(AVG(margin), 6) AS margin
      FROM enriched.int_shipping_economics WHERE order_dt >= @window_start AND order_dt < @window_end GROUP BY 1`;
    assert.deepEqual(lintQuery(mart), []);
  });
});

describe('what a text reads', () => {
  test('columns stand once, without qualifier, in the order of the text', () => {
    assert.deepEqual(columnsOf("IF(o.status = 'open', net_total, STATUS) > `gross total` + net_total"), [
      'status',
      'net_total',
      'gross total',
    ]);
  });

  test('a text with faults reads nothing', () => {
    assert.deepEqual(columnsOf('a +'), []);
    assert.deepEqual(tableReferences('SELECT'), []);
  });

  test('tables are found in joins, subqueries and WITH, names of WITH are not tables', () => {
    const sql = `WITH recent AS (SELECT * FROM enriched.orders),
  twice AS (SELECT * FROM recent)
SELECT * FROM twice JOIN \`dims.customers\` AS c USING (id)
WHERE id IN (SELECT id FROM silver.returns) AND EXISTS (SELECT 1 FROM recent JOIN enriched.orders AS o ON TRUE)`;
    assert.deepEqual(tableReferences(sql), [
      { project: null, layer: 'enriched', table: 'orders', line: 1, column: 31 },
      { project: null, layer: 'dims', table: 'customers', line: 3, column: 26 },
      { project: null, layer: 'silver', table: 'returns', line: 4, column: 29 },
    ]);
  });

  test('a name of WITH does not hide a table before it is given', () => {
    const sql = 'WITH orders AS (SELECT * FROM orders) SELECT * FROM orders';
    assert.deepEqual(tableReferences(sql), [{ project: null, layer: null, table: 'orders', line: 1, column: 31 }]);
  });

  test('every place of a table is told with its project, however it is written, so that another name can be put there', () => {
    const sql = `WITH t AS (SELECT * FROM \`my-project.gold.fct\` AS f)
SELECT * FROM t JOIN \`my-project\`.gold.\`fct\` AS g USING (id), my-project . gold.other
WHERE EXISTS (SELECT 1 FROM gold.t PIVOT (SUM(a) FOR b IN (1 AS one)) AS p) AND 't' <> \`gold.fct\`.x`;
    const written = tableOccurrences(sql).map(({ project, layer, table, at, end }) => [
      sql.slice(at, end),
      [project, layer, table].join('/'),
    ]);
    assert.deepEqual(written, [
      ['`my-project.gold.fct`', 'my-project/gold/fct'],
      ['`my-project`.gold.`fct`', 'my-project/gold/fct'],
      ['my-project . gold.other', 'my-project/gold/other'],
      ['gold.t', '/gold/t'],
    ]);
    assert.deepEqual(tableReferences(sql), [
      { project: 'my-project', layer: 'gold', table: 'fct', line: 1, column: 26 },
      { project: 'my-project', layer: 'gold', table: 'other', line: 2, column: 63 },
      { project: null, layer: 'gold', table: 't', line: 3, column: 29 },
    ]);
  });

  test('a statement with projects passes where it may have them, and its tables are looked for by all three names', () => {
    const sql = 'SELECT id FROM `my-project.gold.fct`';
    assert.deepEqual(lintQuery(sql, { projects: true }), []);
    const asked: string[] = [];
    const duckSql = toDuckDbQuery(sql, {
      table: (layer, name, project) => {
        asked.push(`${project}/${layer}/${name}`);
        return '"found"';
      },
      parameters: {},
      projects: true,
    });
    assert.deepEqual(asked, ['my-project/gold/fct']);
    assert.match(duckSql, /FROM "found" AS "fct"/);
  });
});

const COLUMNS: readonly ColumnSchema[] = [
  { name: 'day', type: 'date' },
  { name: 'moment', type: 'timestamp' },
  { name: 'name', type: 'string' },
  { name: 'total', type: 'decimal(18,2)' },
  { name: 'share', type: 'float64' },
];

describe('the dialect, which knows the types', () => {
  const CASES: readonly (readonly [sql: string, message: RegExp])[] = [
    ['day = moment', /DATE and TIMESTAMP cannot be compared/],
    ['name > 1', /STRING and INT64 cannot be compared/],
    ["name + '1'", /“\+” takes numbers/],
    ['name || total', /“\|\|” joins texts.*CAST/],
    ['day - DATE_SUB(day, INTERVAL 1 DAY)', /DATE_DIFF/],
    ['moment + INTERVAL 1 MONTH', /no fixed length/],
    ['name + INTERVAL 1 DAY = moment', /STRING and an interval/],
    ['TIMESTAMP_ADD(moment, INTERVAL 1 MONTH)', /takes no MONTH/],
    ['DATE_ADD(day, INTERVAL 1 HOUR)', /takes no HOUR/],
    ['CAST(name AS BIGNUMERIC) = 1', /BIGNUMERIC has 38 digits.*BIGNUMERIC\(38, 9\)/],
    ['CAST(total AS BIGNUMERIC) / 3 = 1', /more digits after the point/],
    ['SAFE_DIVIDE(CAST(total AS BIGNUMERIC), 3) = 1', /SAFE_DIVIDE of a BIGNUMERIC/],
    ["FORMAT('%x', total) = name", /“%x” is not covered for NUMERIC/],
    ["FORMAT('%s') = name", /no value for “%s”/],
    ["FORMAT('%d', total) = name", /“%d” is not covered for NUMERIC/],
    ["TRANSLATE(name, 'aa', 'b') = name", /each once/],
    ["TIMESTAMP(moment, 'UTC') = moment", /takes a DATE or DATETIME/],
    ['CAST(day AS INT64)', /CAST from DATE to INT64/],
    ['IF(total, 1, 2)', /takes BOOL/],
    ['total AND TRUE', /condition is expected/],
    ["IF(TRUE, total, 'x')", /mixes NUMERIC and STRING/],
    ['EXTRACT(HOUR FROM day) = 1', /takes TIMESTAMP or DATETIME, not DATE/],
    ["FORMAT_DATE('%O', day) = '1'", /“%O” is no format code/],
    ["FORMAT_TIMESTAMP('%Z', moment, 'Asia/Tokyo') = 'x'", /“%Z” is no format code/],
    ["FORMAT_DATE('%H', day) = '1'", /“%H” is no format code/],
    ["PARSE_DATE('%Y %j', name) = day", /“%j” is no format code/],
    ["PARSE_TIMESTAMP('%F %I', name) = moment", /“%I” is no format code/],
    ["PARSE_DATE('%Y-%m-%d %H', name) = day", /“%H” is no format code/],
    ['PARSE_DATE(name, name) = day', /format as a literal/],
    ["DATE(moment, 'PST') = day", /time zone is written out/],
    ['DATE(moment, name) = day', /time zone is written out/],
    ["REGEXP_EXTRACT(name, '(a)?b') = 'a'", /may take no part in a match/],
    ["REGEXP_EXTRACT(name, 'x|(?:(a)|b)') = 'a'", /may take no part in a match/],
    ["REGEXP_EXTRACT(name, '(a)(b)') = 'a'", /one group at most/],
    ["JSON_VALUE(name, '$[*].a') = 'a'", /plain path as a literal/],
    ['JSON_VALUE(name, name) = name', /plain path as a literal/],
    ['TO_HEX(name) = name', /TO_HEX takes BYTES/],
    ['SAFE_CAST(name AS NUMERIC(5, 2)) = 1', /error on one engine and NULL on the other/],
    ['ROUND(share, 12) = 1', /11 digits at most/],
    ['TRUNC(share, 1) = 1', /TRUNC takes NUMERIC/],
    ['STRUCT(name AS a) < STRUCT(name AS a)', /STRUCT cannot be compared/],
    ['[1] = [1]', /ARRAY cannot be compared/],
    ["name.first = 'a'", /no column “first”/],
    ['SAFE_ADD(share, 1) = 1', /SAFE_ADD takes INT64 or NUMERIC/],
    ["ARRAY_TO_STRING([1], ',') = name", /joins texts, not INT64/],
    ['LENGTH(total) = 1', /LENGTH takes STRING, not NUMERIC/],
    ['totl > 1', /no column “totl”.*Did you mean total\?/],
  ];
  for (const [sql, message] of CASES) {
    test(`refuses ${sql}`, () => {
      assert.throws(
        () => toDuckDbExpression(sql, {}, COLUMNS),
        (thrown) =>
          thrown instanceof SqlFaultError && thrown.code === 'sql_not_portable' && message.test(thrown.message),
      );
    });
  }

  const query = (sql: string) =>
    toDuckDbQuery(sql, {
      table: (layer, name) => (layer === 'gold' && name !== 'fct_none' ? `"${name}"` : null),
      parameters: {},
      columns: () => COLUMNS,
      knownTables: ['gold.fct_sales', 'gold.fct_stock'],
    });

  const QUERIES: readonly (readonly [sql: string, at: Place, message: RegExp])[] = [
    ['SELECT * FROM gold.fct_none', '1:15', /no table gold\.fct_none/],
    ['SELECT * FROM sales', '1:15', /no table sales/],
    ['SELECT totl FROM gold.fct_sales', '1:8', /no column “totl” here\. Did you mean total\?/],
    ['SELECT s.totl FROM gold.fct_sales AS s', '1:8', /Did you mean total\?/],
    ['SELECT x.total FROM gold.fct_sales AS s', '1:8', /“x” is no table of this FROM/],
    ['SELECT day FROM gold.fct_sales AS a JOIN gold.fct_stock AS b ON a.name = b.name', '1:8', /column of a and of b/],
    ['SELECT total * 2 AS twice FROM gold.fct_sales WHERE twice > 1', '1:53', /no column “twice”/],
    ['SELECT SUM(total) AS total FROM gold.fct_sales HAVING MAX(total) > 1', '1:55', /no other aggregate around it/],
    ['SELECT DATE(moment) AS d FROM gold.fct_sales GROUP BY DATE_TRUNC(d, MONTH)', '1:66', /no column “d” here/],
    ['SELECT DATETIME(day) AS at_day FROM gold.fct_sales', '1:1', /“at_day” is a DATETIME, which no table holds/],
    [
      'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT name FROM r CROSS JOIN gold.fct_sales) SELECT n FROM r',
      '1:16',
      /INT64 in “n” first and STRING in its steps/,
    ],
    ['WITH RECURSIVE r AS (SELECT n FROM r) SELECT n FROM r', '1:16', /first UNION ALL step/],
    ['SELECT name, name FROM gold.fct_sales', '1:1', /Two columns of the result are called “name”/],
    ['SELECT * EXCEPT (nme) FROM gold.fct_sales', '1:8', /no column “nme”/],
    ['SELECT 1 AS a UNION ALL SELECT 1, 2', '1:25', /different numbers of columns/],
    ["SELECT 1 AS a UNION ALL SELECT 'x'", '1:25', /several types/],
    ['SELECT (SELECT day, name FROM gold.fct_sales)', '1:9', /has one column, not 2/],
    ['SELECT ARRAY(SELECT total FROM gold.fct_sales)', '1:8', /order inside ARRAY is left open/],
    ['SELECT DISTINCT name FROM gold.fct_sales ORDER BY total', '1:51', /no column “total”/],
    ['SELECT DISTINCT [name] AS names FROM gold.fct_sales', '1:1', /DISTINCT cannot compare/],
    ['SELECT [name] AS names FROM gold.fct_sales GROUP BY names', '1:53', /ARRAY makes no groups/],
    ['SELECT name FROM gold.fct_sales ORDER BY STRUCT(name)', '1:42', /STRUCT has no order/],
    [
      'SELECT COUNT(*) OVER (PARTITION BY share) FROM gold.fct_sales',
      '1:36',
      /not partitioned by a value of type FLOAT64/,
    ],
    [
      'SELECT SUM(total) OVER (ORDER BY day RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM gold.fct_sales',
      '1:34',
      /ordered by a number, not by DATE/,
    ],
    ['SELECT total + NULL FROM gold.fct_sales', '1:16', /takes no NULL by itself/],
    ['SELECT STRUCT(1 AS a).b', '1:22', /no field “b”/],
    ['SELECT name.x.y FROM gold.fct_sales', '1:8', /STRING, not STRUCT/],
    ['SELECT 0.5 AS v UNION ALL SELECT total FROM gold.fct_sales', '1:27', /NUMERIC here/],
    ["SELECT * FROM gold.fct_sales PIVOT (SUM(total) FOR name IN ('a b'))", '1:61', /needs a name/],
    [
      "SELECT * FROM gold.fct_sales PIVOT (ARRAY_AGG(total ORDER BY total) FOR name IN ('a'))",
      '1:37',
      /passes over NULL/,
    ],
    ['SELECT * FROM gold.fct_sales UNPIVOT (v FOR n IN (total, name))', '1:30', /several types/],
    [
      'SELECT * FROM gold.fct_sales AS a JOIN gold.fct_stock AS b USING (name) ORDER BY 1',
      '1:1',
      /Two columns of the result are called “day”/,
    ],
  ];
  for (const [sql, at, message] of QUERIES) {
    test(`refuses ${sql} at ${at}`, () => {
      assert.throws(
        () => query(sql),
        (thrown) =>
          thrown instanceof SqlFaultError &&
          `${thrown.fault.line}:${thrown.fault.column}` === at &&
          message.test(thrown.message),
      );
    });
  }
});

test('every function that the linter lets pass can be rendered, and no other', () => {
  assert.deepEqual(Object.keys(RENDER).sort(), Object.keys(PORTABLE_FUNCTIONS).sort());
});

test('the reference page lists every function, and no other', () => {
  const page = readFileSync(join(packageRoot(), 'docs/reference/sql.md'), 'utf8');
  const table = page.slice(page.indexOf('| family |'), page.indexOf('`EXTRACT(part'));
  const listed = [...table.matchAll(/`([A-Z][A-Z0-9_]*)`/g)].map((match) => match[1]);
  assert.deepEqual(listed.sort(), Object.keys(PORTABLE_FUNCTIONS).sort());
});

test('a parameter without a value is a fault, not an empty text', () => {
  assert.throws(() => toDuckDbExpression('day < @window_end'), /@window_end has no value/);
  assert.throws(() => toDuckDbExpression('day < @window_end', { window_end: 'yesterday' }), /is a day, YYYY-MM-DD/);
});

test('a text parameter cannot break out of its quotes', () => {
  assert.equal(toDuckDbExpression('name = @who', { who: "x' OR TRUE --" }), `("name" = 'x'' OR TRUE --')`);
});
