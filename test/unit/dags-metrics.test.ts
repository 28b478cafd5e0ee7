/** Metrics and warehouse options of a spec: what they become, and every fault in them at its place. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SpecIssue } from '../../core/errors.ts';
import type { MartSpec } from '../../core/spec.ts';
import { brief, issuesOf, readTexts, SHOP, specOf } from '../fixtures-support/spec-folder.ts';

const QUERY = 'SELECT order_date AS day, customer_id AS customer, total, 1.5 AS weight FROM silver.orders';

/** A mart file; `keys` begin at line 9. */
const martFile = (keys: string): string => `/* @assay
grain: [day]
partition_key: day
columns:
  - {name: day, type: date}
  - {name: customer, type: string, description: who bought}
  - {name: total, type: "decimal(18,2)"}
  - {name: weight, type: float64}
${keys}@assay */
${QUERY}
`;

const withMart = (keys: string) => ({ 'shop.yml': SHOP, 'marts/fct_sales.sql': martFile(keys) });

async function martOf(keys: string): Promise<MartSpec> {
  const [mart] = (await specOf(withMart(keys))).marts;
  return mart ?? assert.fail('the spec has no mart');
}

async function faultsOf(keys: string): Promise<readonly SpecIssue[]> {
  return (await issuesOf(withMart(keys))).filter(({ severity }) => severity === 'error');
}

const places = async (keys: string): Promise<readonly string[]> =>
  brief(await faultsOf(keys)).map((line) => line.replace('error ', '').replace('marts/fct_sales.sql:', ''));

describe('metrics', () => {
  test('become SQL, types and descriptions; a dimension is the column of its name unless it says otherwise', async () => {
    const mart = await martOf(`metrics:
  time: day
  measures:
    - {name: total, sql: SUM(total), format: "0.00"}
    - {name: last_day, sql: MAX(day), type: date, description: the newest}
  dimensions:
    - {name: customer}
    - {name: buyer, column: customer}
    - {name: size, sql: "IF(total > 100, 'large', 'small')"}
    - {name: cents, sql: CAST(total * 100 AS INT64), type: int64}
`);
    assert.deepEqual(mart.metrics, {
      time: 'day',
      measures: [
        { name: 'total', sql: 'SUM(total)', type: 'number', description: '', format: '0.00' },
        { name: 'last_day', sql: 'MAX(day)', type: 'date', description: 'the newest', format: null },
      ],
      dimensions: [
        { name: 'customer', sql: '`customer`', type: 'string', description: 'who bought' },
        { name: 'buyer', sql: '`customer`', type: 'string', description: 'who bought' },
        { name: 'size', sql: "IF(total > 100, 'large', 'small')", type: 'string', description: '' },
        { name: 'cents', sql: 'CAST(total * 100 AS INT64)', type: 'int64', description: '' },
      ],
    });
  });

  test('are null where the mart declares none', async () => {
    assert.equal((await martOf('')).metrics, null);
  });

  test('take the pipeline’s parameters, and a misspelt one is named', async () => {
    const texts = {
      'shop.yml': `params: {large: 100}\n${SHOP}`,
      'marts/fct_sales.sql': martFile(
        'metrics:\n  measures:\n    - {name: large_sales, sql: COUNTIF(total > @large)}\n',
      ),
    };
    assert.equal((await specOf(texts)).marts[0]?.metrics?.measures[0]?.sql, 'COUNTIF(total > 100)');
    const wrong = {
      ...texts,
      'marts/fct_sales.sql': martFile('metrics:\n  measures:\n    - {name: n, sql: COUNTIF(total > @larg)}\n'),
    };
    assert.deepEqual(
      brief(await issuesOf(wrong)).filter((line) => line.startsWith('error')),
      ['error unknown_param marts/fct_sales.sql:11:38'],
    );
  });

  const one = (sql: string): string => `metrics:\n  measures:\n    - {name: m, sql: "${sql}"}\n`;
  /** The measure's SQL begins at line 11, column 22, behind its quote at 21. */
  const MEASURES: readonly (readonly [string, string, RegExp])[] = [
    ['SUM(totl)', 'unknown_column 11:27', /did you mean "total"/],
    ['total', 'bad_metric 11:23', /SUM\(total\)/],
    ['SUM(total) / weight', 'bad_metric 11:36', /SUM\(weight\)/],
    ['1', 'bad_metric 11:23', /COUNT/],
    ['SUM(total) OVER (PARTITION BY customer)', 'bad_metric 11:23', /leave OVER out/],
    ['SUM(total) + (SELECT COUNT(*) FROM silver.orders)', 'bad_metric 11:36', /query of the mart/],
    ['MEDIAN(total)', 'bad_expression 11:23', /MEDIAN is not known to be portable/],
    ['SUM(total', 'bad_expression 11:26', /./],
    ['SUM(SUM(total))', 'bad_expression 11:27', /./],
    ['SUM(total) AS x', 'bad_expression 11:34', /./],
    ['SUM(total), COUNT(*)', 'bad_expression 11:33', /./],
    ['SUM(total::INT64)', 'bad_expression 11:32', /CAST/],
  ];
  for (const [sql, place, said] of MEASURES) {
    test(`a measure is not ${sql}`, async () => {
      const faults = await faultsOf(one(sql));
      assert.deepEqual(await places(one(sql)), [place]);
      assert.match(`${faults[0]?.message} ${faults[0]?.expected} ${faults[0]?.hint}`, said);
    });
  }

  test('may be any aggregate of columns, and arithmetic between aggregates', async () => {
    for (const sql of [
      'SAFE_DIVIDE(SUM(total), COUNT(DISTINCT customer))',
      'COUNT(*)',
      'MAX(IF(total > 1, day, NULL))',
      'ROUND(AVG(total), 2) + 1',
    ])
      assert.deepEqual(await places(one(sql)), [], sql);
  });

  test('have names of their own, apart from those of the time', async () => {
    const keys = `metrics:
  measures:
    - {name: customer, sql: COUNT(*)}
    - {name: Month, sql: COUNT(*)}
    - {name: again, sql: COUNT(*)}
    - {name: again, sql: COUNT(*)}
  dimensions:
    - {name: customer}
    - {name: time, column: day}
`;
    assert.deepEqual(await places(keys), [
      'reserved_name 12:14',
      'duplicate_name 14:14',
      'duplicate_name 16:14',
      'reserved_name 17:14',
    ]);
  });

  test('name columns that there are, with the type that is needed, and say one thing', async () => {
    const keys = `metrics:
  time: customer
  measures: []
  dimensions:
    - {name: custmer}
    - {name: a, column: totl}
    - {name: b, column: total, sql: total * 2}
    - {name: c, sql: SUM(total)}
    - {name: d, sql: totl * 2}
`;
    assert.deepEqual(await places(keys), [
      'missing_key 10:3',
      'bad_metric 10:9',
      'unknown_column 13:14',
      'unknown_column 14:25',
      'bad_metric 15:7',
      'bad_expression 16:22',
      'unknown_column 17:22',
    ]);
    const time = (await faultsOf(keys)).find(({ code }) => code === 'bad_metric');
    assert.equal(time?.expected, 'one of day');
  });

  test('an overlay changes one by its name', async () => {
    const texts = {
      ...withMart(one('SUM(total)')),
      'overlays/prod.yml':
        'gold:\n  marts:\n    - name: fct_sales\n      metrics:\n        measures:\n          - {name: m, description: in production}\n',
    };
    const { spec } = await readTexts(texts, { environment: 'prod' });
    assert.deepEqual(
      spec.marts[0]?.metrics?.measures.map(({ sql, description }) => [sql, description]),
      [['SUM(total)', 'in production']],
    );
  });
});

describe('warehouse options', () => {
  test('reach marts, transforms and tables; what is left out has its default', async () => {
    const spec = await specOf({
      'shop.yml': SHOP.replace(
        '    - name: orders\n',
        '    - name: orders\n      warehouse: {cluster_by: [customer_id], partition_expiration_days: 30}\n',
      ).replace('{name: total,', '{name: total, policy_tags: [projects/p/locations/eu/taxonomies/1/policyTags/2],'),
      'enriched.yml': `enriched_silver:
  transforms:
    - name: mine
      file: ./mine.ts
      description: Our own.
      depends_on: [orders]
      partition_key: day
      primary_key: [day]
      columns: [{name: day, description: the day}]
      warehouse: {labels: {team: data}}
`,
      'mine.ts': '',
      'marts/fct_sales.sql': martFile(
        'warehouse: {cluster_by: [customer], labels: {domain: sales}, require_partition_filter: true}\n',
      ),
    });
    assert.deepEqual(spec.tables[1]?.warehouse, {
      clusterBy: ['customer_id'],
      options: { labels: {}, requirePartitionFilter: false, partitionExpirationDays: 30 },
    });
    assert.deepEqual(spec.tables[1]?.columns.at(-1)?.policyTags, ['projects/p/locations/eu/taxonomies/1/policyTags/2']);
    assert.equal(spec.tables[0]?.warehouse, null);
    const [transform] = spec.transforms;
    assert.deepEqual(
      [transform?.description, transform?.columns, transform?.warehouse?.options.labels],
      ['Our own.', [{ name: 'day', description: 'the day' }], { team: 'data' }],
    );
    const [mart] = spec.marts;
    assert.deepEqual(
      [mart?.clusterBy, mart?.warehouse],
      [['customer'], { labels: { domain: 'sales' }, requirePartitionFilter: true, partitionExpirationDays: null }],
    );
  });

  const FAULTS: readonly (readonly [string, readonly string[]])[] = [
    ['cluster_by: [weight]', ['bad_warehouse 9:14']],
    ['cluster_by: [customer, Customer]', ['bad_warehouse 9:24']],
    ['warehouse: {cluster_by: [custmer]}', ['unknown_column 9:26']],
    ['warehouse: {cluster_by: [a, b, c, d, e]}', ['bad_value 9:25']],
    ['warehouse: {partition_expiration_days: 0}', ['bad_value 9:40']],
    ['warehouse: {partition_expiration_days: 1.5}', ['bad_type 9:40']],
    ['warehouse: {labels: {Team: data}}', ['bad_warehouse 9:22']],
    ['warehouse: {labels: {team: "The Data Team"}}', ['bad_warehouse 9:28']],
    [`warehouse: {labels: {team: ${'x'.repeat(64)}}}`, ['bad_warehouse 9:28']],
    ['warehouse: {labels: {team: 5}}', ['bad_type 9:28']],
    ['warehouse: {require_filter: true}', ['unknown_key 9:13']],
    ['cluster_by: [customer]\nwarehouse: {cluster_by: [customer]}', ['duplicate_key 10:13']],
  ];
  for (const [keys, expected] of FAULTS) {
    test(`are not ${keys.slice(0, 60)}`, async () => {
      assert.deepEqual(await places(`${keys}\n`), expected);
    });
  }

  test('on partitions need partitions', async () => {
    const text = martFile('warehouse: {require_partition_filter: true, partition_expiration_days: 9}\n').replace(
      'partition_key: day\n',
      '',
    );
    const faults = (await issuesOf({ 'shop.yml': SHOP, 'marts/fct_sales.sql': text })).filter(
      ({ severity }) => severity === 'error',
    );
    assert.deepEqual(brief(faults), [
      'error bad_warehouse marts/fct_sales.sql:8:13',
      'error bad_warehouse marts/fct_sales.sql:8:45',
    ]);
  });

  test('a policy tag is a resource name, one a column', async () => {
    const tag = 'projects/p/locations/eu/taxonomies/1/policyTags/2';
    const column = (tags: string): string =>
      martFile('').replace('{name: weight, ', `{name: weight, policy_tags: ${tags}, `);
    const faults = async (tags: string) =>
      brief(
        (await issuesOf({ 'shop.yml': SHOP, 'marts/fct_sales.sql': column(tags) })).filter(
          ({ severity }) => severity === 'error',
        ),
      );
    assert.deepEqual(await faults(`["${tag}"]`), []);
    assert.deepEqual(await faults('[secret]'), ['error bad_value marts/fct_sales.sql:8:34']);
    assert.deepEqual(await faults(`["${tag}", "${tag}"]`), ['error bad_value marts/fct_sales.sql:8:33']);
  });
});
