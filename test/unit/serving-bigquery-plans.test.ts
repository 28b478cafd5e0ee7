/** What is decided before BigQuery is asked: schemas and their changes, labels, quotas, a mart's query. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { assertWithinLimit, bytesText } from '../../serving/bigquery/costs.ts';
import { labelsOf, labelValue } from '../../serving/bigquery/labels.ts';
import { buildQuery, parametersOf, qualifyTables, tablesOf, windowsOf } from '../../serving/bigquery/mart-sql.ts';
import { inPartitions, partitionRef } from '../../serving/bigquery/names.ts';
import { jobsLeft, NOTHING_SPENT, refillMs, spend, updated, updatePauseMs } from '../../serving/bigquery/quota.ts';
import type { BigQueryTable, TableField } from '../../serving/bigquery/resources.ts';
import {
  columnTypeOfField,
  fieldOf,
  googleSqlType,
  mergedFields,
  tableChanges,
  tableResource,
} from '../../serving/bigquery/schema.ts';

const DEF: WarehouseTableDef = {
  dataset: 'gold',
  table: 'fct_sales',
  columns: [
    { name: 'day', type: 'date' },
    { name: 'shop', type: 'string', description: 'Where it was sold' },
    { name: 'amount', type: 'decimal(18,2)' },
  ],
  partitionKey: 'day',
  clusterBy: ['shop'],
  description: 'Sales of a day.',
  options: { labels: { team: 'sales' }, requirePartitionFilter: true, partitionExpirationDays: 30 },
};

const REF = { projectId: 'p', datasetId: 'gold', tableId: 'fct_sales' };

/** The table as BigQuery would give it back right after it was made. */
const liveOf = (def: WarehouseTableDef, changes: Partial<BigQueryTable> = {}): BigQueryTable => ({
  tableReference: REF,
  etag: 'e',
  creationTime: '1',
  ...(tableResource(def, { env: 'dev' }) as Partial<BigQueryTable>),
  ...changes,
});

const refused =
  (code: string, ...words: readonly RegExp[]) =>
  (thrown: unknown): boolean => {
    const error = asPipelineError(thrown);
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.match(error.message, word);
    return true;
  };

describe('types', () => {
  const TYPES: readonly (readonly [ours: string, rest: string, googleSql: string])[] = [
    ['string', 'STRING', 'STRING'],
    ['int64', 'INTEGER', 'INT64'],
    ['float64', 'FLOAT', 'FLOAT64'],
    ['bool', 'BOOLEAN', 'BOOL'],
    ['date', 'DATE', 'DATE'],
    ['timestamp', 'TIMESTAMP', 'TIMESTAMP'],
    ['decimal(18,2)', 'NUMERIC', 'NUMERIC(18, 2)'],
    ['decimal(38,9)', 'NUMERIC', 'NUMERIC(38, 9)'],
    ['decimal(29,0)', 'NUMERIC', 'NUMERIC(29, 0)'],
    ['decimal(30,0)', 'BIGNUMERIC', 'BIGNUMERIC(30, 0)'],
    ['decimal(20,10)', 'BIGNUMERIC', 'BIGNUMERIC(20, 10)'],
    ['decimal(38,0)', 'BIGNUMERIC', 'BIGNUMERIC(38, 0)'],
  ];
  for (const [ours, rest, googleSql] of TYPES) {
    test(`${ours} is ${googleSql}, and comes back as ${ours}`, () => {
      const field = fieldOf({ name: 'x', type: ours }, ours);
      assert.equal(field.type, rest);
      assert.equal(googleSqlType(ours), googleSql);
      assert.equal(columnTypeOfField(field), ours);
    });
  }
});

describe('a new table', () => {
  test('has partitioning, expiry, required filter, clustering, description, labels and column descriptions', () => {
    assert.deepEqual(tableResource(DEF, { env: 'dev' }), {
      schema: {
        fields: [
          { name: 'day', mode: 'NULLABLE', type: 'DATE' },
          { name: 'shop', mode: 'NULLABLE', type: 'STRING', description: 'Where it was sold' },
          { name: 'amount', mode: 'NULLABLE', type: 'NUMERIC', precision: '18', scale: '2' },
        ],
      },
      labels: { env: 'dev', team: 'sales' },
      description: 'Sales of a day.',
      timePartitioning: { type: 'DAY', field: 'day', expirationMs: '2592000000' },
      requirePartitionFilter: true,
      clustering: { fields: ['shop'] },
    });
  });

  test('whose key is no date is not partitioned but clustered by it', () => {
    const resource = tableResource({ ...DEF, partitionKey: 'shop', clusterBy: ['day'] }, {});
    assert.deepEqual((resource as BigQueryTable).clustering, { fields: ['shop', 'day'] });
    assert.equal('timePartitioning' in resource, false);
  });

  test('is refused where it is clustered by a float, an unknown column or five columns', () => {
    const columns = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, type: 'string' }));
    const def = { ...DEF, columns: [...DEF.columns, ...columns, { name: 'f', type: 'float64' }] };
    const by =
      (...clusterBy: string[]) =>
      () =>
        tableResource({ ...def, clusterBy }, {});
    assert.throws(by('f'), refused('warehouse_schema', /cluster_by f/, /FLOAT64/));
    assert.throws(by('nowhere'), refused('warehouse_schema', /cluster_by nowhere/));
    assert.throws(by('a', 'b', 'c', 'd', 'e'), refused('warehouse_schema', /cluster_by e/, /4 columns/));
  });

  test('has its descriptions cut to what BigQuery takes', () => {
    const def = {
      ...DEF,
      description: 'x'.repeat(20_000),
      columns: [{ name: 'day', type: 'date', description: 'y'.repeat(2_000) }],
      clusterBy: [],
    };
    const resource = tableResource(def, {}) as BigQueryTable;
    assert.equal(resource.description?.length, 16_384);
    assert.equal(resource.schema?.fields?.[0]?.description?.length, 1_024);
  });
});

describe('a table that exists', () => {
  test('is left alone where nothing differs', () => {
    assert.equal(tableChanges(DEF, liveOf(DEF), { env: 'dev' }), null);
  });

  test('gets new columns behind its own, and keeps columns, descriptions and policy tags that the spec does not know', () => {
    const tagged: TableField = {
      name: 'shop',
      mode: 'NULLABLE',
      type: 'STRING',
      description: 'By hand',
      policyTags: { names: ['tag'] },
    };
    const own: TableField = { name: 'note', mode: 'NULLABLE', type: 'STRING' };
    const plain = { ...DEF, columns: DEF.columns.map(({ name, type }) => ({ name, type })) };
    const live = liveOf(plain, { schema: { fields: [tagged, own, { name: 'day', mode: 'NULLABLE', type: 'DATE' }] } });
    assert.deepEqual(tableChanges(plain, live, {}), {
      schema: {
        fields: [
          tagged,
          own,
          { name: 'day', mode: 'NULLABLE', type: 'DATE' },
          { name: 'amount', mode: 'NULLABLE', type: 'NUMERIC', precision: '18', scale: '2' },
        ],
      },
    });
  });

  test('takes policy tags that the spec gives', () => {
    const columns = DEF.columns.map((column) => (column.name === 'shop' ? { ...column, policyTags: ['new'] } : column));
    const live = { name: 'shop', type: 'STRING', policyTags: { names: ['old'] } };
    const [shop] = mergedFields({ ...DEF, columns }, [live]);
    assert.deepEqual(shop?.policyTags, { names: ['new'] });
  });

  test('is never narrowed: another type is refused with both types named', () => {
    const columns = DEF.columns.map((column) => (column.name === 'amount' ? { ...column, type: 'int64' } : column));
    assert.throws(
      () => tableChanges({ ...DEF, columns }, liveOf(DEF), {}),
      refused('warehouse_schema', /gold\.fct_sales, column amount/, /decimal\(18,2\)/, /int64/, /drop the table/),
    );
  });

  test('is never partitioned anew', () => {
    assert.throws(
      () => tableChanges({ ...DEF, partitionKey: null }, liveOf(DEF), {}),
      refused('warehouse_schema', /is partitioned by day/),
    );
    assert.throws(
      () => tableChanges(DEF, liveOf(DEF, { timePartitioning: { type: 'MONTH', field: 'day' } }), {}),
      refused('warehouse_schema', /MONTH/),
    );
    const { timePartitioning: _, ...live } = liveOf(DEF, { rangePartitioning: { field: 'shop' } });
    assert.throws(
      () => tableChanges({ ...DEF, partitionKey: null }, live, {}),
      refused('warehouse_schema', /is partitioned by shop \(range\)/),
    );
  });

  test('is not taken for one where a view, or anything else, stands there', () => {
    assert.equal(tableChanges(DEF, liveOf(DEF, { type: 'TABLE' }), {}), null);
    assert.throws(
      () => tableChanges(DEF, liveOf(DEF, { type: 'VIEW' }), {}),
      refused('warehouse_schema', /gold\.fct_sales is no table/, /VIEW/, /Rename or drop it/),
    );
  });

  test('follows description, labels, clustering, filter and expiry; labels of others stay', () => {
    const live = liveOf(DEF, { labels: { env: 'dev', team: 'sales', own: 'x' } });
    const def: WarehouseTableDef = {
      ...DEF,
      description: 'New.',
      clusterBy: ['amount'],
      options: { labels: { team: 'shop' }, requirePartitionFilter: false, partitionExpirationDays: null },
    };
    assert.deepEqual(tableChanges(def, live, { env: 'dev' }), {
      description: 'New.',
      labels: { env: 'dev', team: 'shop', own: 'x' },
      clustering: { fields: ['amount'] },
      requirePartitionFilter: false,
      timePartitioning: { type: 'DAY', field: 'day', expirationMs: null },
    });
  });

  test('keeps what a definition without options does not speak of', () => {
    const { options: _, ...def } = DEF;
    assert.equal(tableChanges(def, liveOf(DEF), {}), null);
  });
});

describe('labels', () => {
  test('are lower case, of safe characters, and two long ones stay two', () => {
    assert.deepEqual(labelsOf({ run_id: 'manual__2025-10-15T00:00:00+00:00' }), {
      run_id: 'manual__2025-10-15t00_00_00_00_00',
    });
    const long = [`${'a'.repeat(80)}1`, `${'a'.repeat(80)}2`].map(labelValue);
    assert.deepEqual(
      long.map(({ length }) => length),
      [63, 63],
    );
    assert.notEqual(long[0], long[1]);
  });
});

describe('names', () => {
  test('a day of a table has a decorator', () => {
    assert.equal(partitionRef(REF, '2025-10-15').tableId, 'fct_sales$20251015');
  });

  test('partitions are named by constants; null has a condition of its own', () => {
    assert.equal(inPartitions(DEF, ['2025-01-01', '2025-01-02']), "`day` IN (DATE '2025-01-01', DATE '2025-01-02')");
    assert.equal(
      inPartitions(DEF, ['2025-01-01', '__HIVE_DEFAULT_PARTITION__']),
      "(`day` IN (DATE '2025-01-01') OR `day` IS NULL)",
    );
    assert.equal(
      inPartitions({ ...DEF, partitionKey: 'shop' }, ["O'Hara", 'a\\b']),
      "CAST(`shop` AS STRING) IN ('O\\'Hara', 'a\\\\b')",
    );
    assert.equal(inPartitions({ ...DEF, partitionKey: null }, ['']), 'TRUE');
  });
});

describe('quotas', () => {
  const HOUR = 3_600_000;
  const now = 1_000_000 * HOUR;
  const load = (nowMs: number, isPartitioned = true) => ({ kind: 'load' as const, isPartitioned, nowMs });

  test('1,500 loads a day into one table, wherever they go; they come back hour by hour', () => {
    const spent = spend(spend(NOTHING_SPENT, load(now), 1_000), load(now + HOUR), 400);
    assert.equal(jobsLeft(spent, load(now + HOUR)), 100);
    assert.equal(jobsLeft(spent, load(now + 26 * HOUR - 1)), 1_100);
    const full = spend(spent, load(now + HOUR), 100);
    assert.equal(jobsLeft(full, load(now + HOUR)), 0);
    const pause = refillMs(full, now + HOUR);
    assert.equal(jobsLeft(full, load(now + HOUR + pause)), 1_000);
    assert.equal(jobsLeft(full, load(now + HOUR + pause - 1)), 0);
  });

  test('copies count as changes of the table, 1,500 without partitions and 30,000 with', () => {
    const write = (isPartitioned: boolean) => ({ kind: 'write' as const, isPartitioned, nowMs: now });
    const spent = spend(NOTHING_SPENT, write(true), 1_500);
    assert.equal(jobsLeft(spent, write(false)), 0);
    assert.equal(jobsLeft(spent, write(true)), 28_500);
    assert.equal(jobsLeft(spent, load(now)), 1_500);
  });

  test('five changes in ten seconds, fifty with partitions; the next waits for the first to be ten seconds old', () => {
    let spent = NOTHING_SPENT;
    for (let change = 0; change < 5; change += 1) {
      assert.equal(updatePauseMs(spent, { isPartitioned: false, nowMs: now + change }), 0);
      spent = updated(spent, now + change);
    }
    assert.equal(updatePauseMs(spent, { isPartitioned: false, nowMs: now + 5 }), 9_995);
    assert.equal(updatePauseMs(spent, { isPartitioned: false, nowMs: now + 10_000 }), 0);
    assert.equal(updatePauseMs(spent, { isPartitioned: true, nowMs: now + 5 }), 0);
  });
});

describe("a mart's query", () => {
  const full = (layer: string, table: string) => (layer === 'nowhere' ? null : `\`p\`.\`ds_${layer}\`.\`${table}\``);

  test('names every table in full, wherever it stands, and nothing else', () => {
    const sql = `-- enriched.sales is read twice
WITH sales AS (SELECT * FROM enriched.sales AS s WHERE s.day >= @window_start)
SELECT 'enriched.sales' AS note, sales.day FROM sales
JOIN \`dims\`.calendar ON calendar.day = sales.day JOIN \`enriched.other\` USING (day)
WHERE sales.day IN (SELECT day FROM enriched . sales)`;
    assert.equal(
      qualifyTables(sql, full),
      `-- enriched.sales is read twice
WITH sales AS (SELECT * FROM \`p\`.\`ds_enriched\`.\`sales\` AS s WHERE s.day >= @window_start)
SELECT 'enriched.sales' AS note, sales.day FROM sales
JOIN \`p\`.\`ds_dims\`.\`calendar\` ON calendar.day = sales.day JOIN \`p\`.\`ds_enriched\`.\`other\` USING (day)
WHERE sales.day IN (SELECT day FROM \`p\`.\`ds_enriched\`.\`sales\`)`,
    );
    assert.deepEqual(
      tablesOf(sql)
        .map(({ layer, table }) => `${layer}.${table}`)
        .sort(),
      ['dims.calendar', 'enriched.other', 'enriched.sales'],
    );
  });

  test('tells a table of no layer with its place', () => {
    assert.throws(
      () => qualifyTables('SELECT 1 AS x\nFROM nowhere.sales', full),
      refused('sql_invalid', /line 2, column 6/, /nowhere\.sales/),
    );
  });

  const sql = 'SELECT day, shop, amount FROM enriched.sales WHERE day >= @window_start AND day < @window_end';
  const query = (days: readonly string[] | null) => {
    const windows = windowsOf(DEF, days);
    return {
      text: buildQuery(DEF, windows, (suffix) => qualifyTables(sql, full, suffix)),
      parameters: parametersOf(windows),
    };
  };

  test('of one day has its parameters as they are written, and each column cast to its declared type', () => {
    const { text, parameters } = query(['2025-01-31']);
    assert.match(text, /CAST\(q\.`amount` AS NUMERIC\(18, 2\)\) AS `amount`/);
    assert.match(text, /@window_start AS `_assay_window`/);
    assert.deepEqual(
      parameters.map(({ name, parameterType, parameterValue }) => [name, parameterType.type, parameterValue.value]),
      [
        ['window_start', 'DATE', '2025-01-31'],
        ['window_end', 'DATE', '2025-02-01'],
      ],
    );
  });

  test('of several days, also with gaps, computes each by itself with its own window', () => {
    const { text, parameters } = query(['2025-01-01', '2025-01-03']);
    assert.match(
      text,
      /day >= @window_start_0 AND day < @window_end_0.*UNION ALL.*day >= @window_start_1 AND day < @window_end_1/s,
    );
    assert.deepEqual(
      parameters.map(({ name, parameterValue }) => `${name}=${parameterValue.value}`),
      ['window_start_0=2025-01-01', 'window_end_0=2025-01-02', 'window_start_1=2025-01-03', 'window_end_1=2025-01-04'],
    );
  });

  test('without days goes over all time, and has no window column', () => {
    const { text, parameters } = query(null);
    assert.doesNotMatch(text, /_assay_window/);
    assert.deepEqual(
      parameters.map(({ parameterValue }) => parameterValue.value),
      ['0001-01-01', '9999-12-31'],
    );
  });

  test('that would read too much is refused with bytes and money', () => {
    assert.throws(
      () => assertWithinLimit('Mart fct_sales', 2 * 2 ** 40, 12.5, 2 ** 40),
      refused('warehouse_rejected', /2\.0 TiB/, /12\.50 USD/, /maximum_bytes_billed is 1\.0 TiB/),
    );
    assertWithinLimit('Mart fct_sales', 2 ** 40, 6.25, 2 ** 40);
    assertWithinLimit('Mart fct_sales', 2 ** 50, 6.25, null);
    assert.deepEqual([0, 1023, 1536, 5 * 2 ** 30].map(bytesText), ['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
  });
});
