/** Damaged bronze -> the check that names the damage. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import type { TableSpec } from '../../core/spec.ts';
import type { BronzePartition, CheckState, Publication, Report } from '../../core/types.ts';
import {
  columnSpec,
  columns,
  DAY,
  Lake,
  ordersSpec,
  pinned,
  pipelineSpec,
  publication,
  QUALITY,
  resultOf,
  SOURCE,
  validate,
} from './validation-lake.ts';

const PARTITION = `ingest_dt=${DAY}`;
const FOLDER = `bronze/orders/${PARTITION}`;
const FILE = `${FOLDER}/part-0000.parquet`;
const KEY = `orders/${PARTITION}/part-0000.parquet`;

/** 40 clean rows as an exporter writes them; each entry replaces one column. */
function rows(replaced: { readonly [column: string]: string | null } = {}, from = 0, count = 40): string {
  const base: { readonly [column: string]: string | null } = {
    order_id: `'ORD-' || i`,
    customer_id: `'CUST-' || (i % 7)`,
    order_date: `'${DAY} 10:00:00.5'`,
    net_total: 'i * 1.25::DOUBLE',
    items: 'i % 3',
    batch_id: `'batch_1'`,
    ingestion_ts: `'2025-10-09T02:15:00+00:00'`,
    event_id: `'evt_' || i`,
    source_file: `'gs://raw/orders'`,
    ...replaced,
  };
  const select = Object.entries(base)
    .filter(([, sql]) => sql !== null)
    .map(([name, sql]) => `${sql} AS "${name}"`);
  return `SELECT ${select.join(', ')} FROM range(${from}, ${from + count}) AS t(i)`;
}

interface Damage {
  readonly name: string;
  readonly check: string;
  readonly state: CheckState;
  /** What the result's text must name. */
  readonly says: RegExp;
  readonly spec?: Partial<TableSpec>;
  readonly inflict: (lake: Lake) => unknown;
  /** Partitions as pinned; default the one of the day. */
  readonly pin?: (lake: Lake) => readonly BronzePartition[];
  readonly publications?: readonly Publication[];
  readonly rest?: object;
  readonly firstDay?: string;
  readonly runDate?: string;
  /** Blocks even in `warning-only`. */
  readonly blocks?: boolean;
}

const clean = async (lake: Lake): Promise<void> => {
  await lake.parquet(FILE, rows());
  await lake.manifest('orders', PARTITION);
};

/** Rewrites the file and its manifest, as an exporter would that is itself at fault. */
const rewrite = (query: string) => async (lake: Lake) => {
  await lake.parquet(FILE, query);
  await lake.manifest('orders', PARTITION);
};

const secondFile = `${FOLDER}/part-0001.parquet`;
const NEXT = 'ingest_dt=2025-10-09';

const DAMAGES: readonly Damage[] = [
  {
    name: 'a missing manifest',
    check: 'manifest_present',
    state: 'FAIL',
    says: /orders\/ingest_dt=2025-10-08: no manifest/,
    inflict: (lake) => lake.remove(`${FOLDER}/_MANIFEST.json`),
  },
  {
    name: 'a manifest that is cut',
    check: 'manifest_readable',
    state: 'FAIL',
    says: /ingest_dt=2025-10-08\/_MANIFEST\.json/,
    inflict: (lake) => lake.write(`${FOLDER}/_MANIFEST.json`, '{"table": "orders", "fil'),
  },
  {
    name: 'a manifest without its files',
    check: 'manifest_readable',
    state: 'FAIL',
    says: /files/,
    inflict: (lake) => lake.write(`${FOLDER}/_MANIFEST.json`, '{"table": "orders", "total_rows": 40}'),
  },
  {
    name: 'a manifest of another table',
    check: 'manifest_identity',
    state: 'FAIL',
    says: /of table returns/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.table = 'returns';
      }),
  },
  {
    name: 'a manifest of another partition',
    check: 'manifest_identity',
    state: 'FAIL',
    says: /of partition ingest_dt=2025-10-07/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.partition = 'ingest_dt=2025-10-07';
      }),
  },
  {
    name: 'a manifest that lists a file of another partition',
    check: 'manifest_identity',
    state: 'FAIL',
    says: /lists orders\/ingest_dt=2025-10-07\/part-0000\.parquet/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        for (const file of manifest.files) file.path = file.path.replace('10-08', '10-07');
      }),
  },
  {
    name: 'fewer rows in a file than promised',
    check: 'manifest_rows',
    state: 'FAIL',
    says: /part-0000\.parquet: the manifest promises 40 rows, the file holds 31/,
    inflict: (lake) => lake.parquet(FILE, rows({}, 0, 31)),
  },
  {
    name: 'a total that its files do not add up to',
    check: 'manifest_rows',
    state: 'FAIL',
    says: /promises 41 rows in all, its files hold 40/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.total_rows = 41;
      }),
  },
  {
    name: 'a listed file that is not there',
    check: 'manifest_files',
    state: 'FAIL',
    says: /part-0001\.parquet: listed with 40 rows, but not there/,
    inflict: async (lake) => {
      await lake.parquet(secondFile, rows({}, 40));
      await lake.manifest('orders', PARTITION);
      lake.remove(secondFile);
    },
  },
  {
    name: 'a file that is listed twice',
    check: 'manifest_files',
    state: 'FAIL',
    says: /listed more than once/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.files.push(...manifest.files);
      }),
  },
  {
    name: 'a file that the manifest does not list',
    check: 'manifest_unlisted',
    state: 'FAIL',
    says: /part-0001\.parquet: not in the manifest \(40 rows\)/,
    inflict: (lake) => lake.parquet(secondFile, rows({}, 40)),
  },
  {
    name: 'a file of another size than promised',
    check: 'manifest_size',
    state: 'FAIL',
    says: /the manifest says 7/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        for (const file of manifest.files) file.size_bytes = 7;
      }),
  },
  {
    name: 'other bytes than the manifest was made of, by the manifest’s own kind',
    check: 'checksum',
    state: 'FAIL',
    says: /part-0000\.parquet: other bytes/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.checksum_kind = 'bytes';
      }),
  },
  {
    name: 'a checksum of rows',
    check: 'checksum',
    state: 'NOT EVALUATED',
    says: /of the rows as their writer serialized them/,
    inflict: () => {},
  },
  {
    name: 'a checksum of an unknown kind',
    check: 'checksum',
    state: 'NOT EVALUATED',
    says: /unknown kind \(blake3\)/,
    inflict: (lake) =>
      lake.manifest('orders', PARTITION, (manifest) => {
        manifest.checksum_kind = 'blake3';
      }),
  },
  {
    name: 'a file of no bytes',
    check: 'readable',
    state: 'FAIL',
    says: /part-0000\.parquet: the file is 0 bytes long/,
    inflict: (lake) => lake.write(FILE, ''),
    blocks: true,
  },
  {
    name: 'a file cut in half',
    check: 'readable',
    state: 'FAIL',
    says: /part-0000\.parquet: .*magic bytes/,
    inflict: (lake) => lake.write(FILE, lake.read(FILE).subarray(0, 700)),
    blocks: true,
  },
  {
    name: 'text under the name of a Parquet file',
    check: 'readable',
    state: 'FAIL',
    says: /part-0000\.parquet/,
    inflict: (lake) => lake.write(FILE, 'order_id,net_total\n1,2\n'),
    blocks: true,
  },
  {
    name: 'damage in the middle of a file whose footer is whole',
    check: 'readable',
    state: 'FAIL',
    says: /part-0000\.parquet/,
    inflict: async (lake) => {
      await lake.parquet(FILE, rows({ order_id: `'ORD-' || md5(i::VARCHAR)` }, 0, 5000));
      await lake.manifest('orders', PARTITION);
      lake.write(FILE, lake.read(FILE).fill(0xff, 4000, 4400));
    },
    blocks: true,
  },
  {
    name: 'a file that vanished after the pin',
    check: 'readable',
    state: 'FAIL',
    says: /gone since the run pinned it/,
    inflict: () => {},
    pin: (lake) => {
      const partition = lake.pin('orders', PARTITION);
      lake.remove(FILE);
      return [partition];
    },
    blocks: true,
  },
  {
    name: 'a file that was replaced after the pin',
    check: 'unchanged_since_pin',
    state: 'FAIL',
    says: /bytes, pinned at 1/,
    inflict: () => {},
    pin: (lake) => {
      const partition = lake.pin('orders', PARTITION);
      return [{ ...partition, files: partition.files.map((file) => ({ ...file, sizeBytes: 1 })) }];
    },
  },
  {
    name: 'a partition of no rows',
    check: 'partition_not_empty',
    state: 'FAIL',
    says: /ingest_dt=2025-10-08: 0 rows/,
    inflict: rewrite(rows({}, 0, 0)),
  },
  {
    name: 'a partition of no rows in a table that may be empty',
    check: 'partition_not_empty',
    state: 'WARN',
    says: /0 rows/,
    spec: { quality: { ...QUALITY, allowEmpty: true } },
    inflict: rewrite(rows({}, 0, 0)),
  },
  {
    name: 'a partition without a data file',
    check: 'partition_not_empty',
    state: 'FAIL',
    says: /no data file/,
    inflict: (lake) => lake.remove(FILE),
  },
  {
    name: 'a day without a partition',
    check: 'partition_present',
    state: 'FAIL',
    says: /1 of 2 days without partition: orders\/ingest_dt=2025-10-09/,
    inflict: () => {},
    runDate: '2025-10-09',
  },
  {
    name: 'a day without a partition in a table that may be empty',
    check: 'partition_present',
    state: 'NOT EVALUATED',
    says: /orders\/ingest_dt=2025-10-09; the table may be empty/,
    spec: { quality: { ...QUALITY, allowEmpty: true } },
    inflict: () => {},
    runDate: '2025-10-09',
  },
  {
    name: 'a table that is not there at all',
    check: 'table_present',
    state: 'FAIL',
    says: /no partition/,
    inflict: () => {},
    pin: () => [],
  },
  {
    name: 'a partition that silver was built of and that is gone',
    check: 'partition_vanished',
    state: 'FAIL',
    says: /ingest_dt=2025-10-09: gone since it was published/,
    inflict: () => {},
    pin: (lake) => [
      lake.pin('orders', PARTITION),
      { partition: NEXT, files: [], manifest: { state: 'missing' }, fingerprint: 'vanished' },
    ],
    publications: [
      publication('silver', 3, [
        {
          layer: 'silver',
          table: 'orders',
          columns: [],
          primaryKey: [],
          partitionKey: null,
          unchanged: false,
          partitions: [],
          removed: [],
          replacesAll: false,
          account: { input: 0, output: 0, quarantined: 0, duplicates: 0, filtered: 0, replaced: 0, byReason: {} },
          quarantine: [],
          buildCounts: {},
          inputs: {
            [NEXT]: {
              fingerprint: 'x',
              account: { input: 0, output: 0, quarantined: 0, duplicates: 0, filtered: 0, replaced: 0, byReason: {} },
              wrote: [],
            },
          },
          logicFingerprint: '',
          state: {},
        },
      ]),
    ],
    rest: { publications: { silver: 3 } },
    runDate: '2025-10-09',
  },
  {
    name: 'a date partition whose value is no day',
    check: 'partition_name',
    state: 'FAIL',
    says: /ingest_dt=2025-13-45: no calendar day/,
    spec: {
      source: { ...SOURCE, select: 'changed' },
      columns: [...ordersSpec().columns, columnSpec('ingest_dt', 'date')],
    },
    inflict: async (lake) => {
      await lake.parquet(`bronze/orders/ingest_dt=2025-13-45/part-0000.parquet`, rows());
      await lake.manifest('orders', 'ingest_dt=2025-13-45');
    },
    pin: (lake) => [lake.pin('orders', PARTITION), lake.pin('orders', 'ingest_dt=2025-13-45')],
  },
  {
    name: 'a required column that is missing',
    check: 'required_columns',
    state: 'FAIL',
    says: /part-0000\.parquet: no column net_total/,
    inflict: rewrite(rows({ net_total: null })),
  },
  {
    name: 'an optional column that is missing',
    check: 'missing_columns',
    state: 'WARN',
    says: /no column items/,
    inflict: rewrite(rows({ items: null })),
  },
  {
    name: 'a required amount that became text',
    check: 'column_types',
    state: 'FAIL',
    says: /part-0000\.parquet: column net_total is VARCHAR, expected number for decimal\(18,2\)/,
    inflict: rewrite(rows({ net_total: `'12,50'` })),
  },
  {
    name: 'a required key that became a number',
    check: 'column_types',
    state: 'FAIL',
    says: /column order_id is BIGINT, expected text for string/,
    inflict: rewrite(rows({ order_id: 'i' })),
  },
  {
    name: 'a required column that became a list',
    check: 'column_types',
    state: 'FAIL',
    says: /column customer_id is NESTED/,
    inflict: rewrite(rows({ customer_id: `['CUST-1']` })),
  },
  {
    name: 'an optional number that became a boolean',
    check: 'optional_column_types',
    state: 'WARN',
    says: /column items is BOOLEAN, expected number for int64/,
    inflict: rewrite(rows({ items: 'i % 2 = 0' })),
  },
  {
    name: 'two files of different columns and types',
    check: 'schema_drift',
    state: 'WARN',
    says: /part-0000\.parquet: differs from the other files: coupon besides, items is VARCHAR, elsewhere BIGINT/,
    inflict: async (lake) => {
      await lake.parquet(`bronze/orders/${NEXT}/part-0000.parquet`, rows({ items: `'3'`, coupon: `'x'` }, 40));
      await lake.manifest('orders', NEXT);
      await lake.parquet(`bronze/orders/${NEXT}/part-0001.parquet`, rows({}, 80));
    },
    pin: (lake) => [lake.pin('orders', PARTITION), lake.pin('orders', NEXT)],
  },
  {
    name: 'a column that the spec does not declare',
    check: 'undeclared_columns',
    state: 'WARN',
    says: /column coupon_code/,
    inflict: rewrite(rows({ coupon_code: `'X1'` })),
  },
  {
    name: 'lineage that is missing or null',
    check: 'lineage_columns',
    state: 'WARN',
    says: /no event_id; nulls in batch_id/,
    inflict: rewrite(rows({ event_id: null, batch_id: "CASE WHEN i > 3 THEN 'b' END" })),
  },
  {
    name: 'a partition column that disagrees with its folder',
    check: 'partition_agrees',
    state: 'FAIL',
    says: /part-0000\.parquet: 4 of 40 rows name another ingest_dt/,
    inflict: rewrite(rows({ ingest_dt: `CASE WHEN i < 4 THEN '2025-10-07' ELSE '${DAY}' END` })),
  },
  {
    name: 'a few keys that are null or say so in words',
    check: 'nulls_order_id',
    state: 'WARN',
    says: /2 of 40 rows \(5\.00 %\)/,
    inflict: rewrite(rows({ order_id: `CASE i WHEN 1 THEN NULL WHEN 2 THEN ' N/A ' ELSE 'ORD-' || i END` })),
  },
  {
    name: 'a required column of nothing but nulls',
    check: 'nulls_net_total',
    state: 'FAIL',
    says: /40 of 40 rows \(100\.00 %\)/,
    inflict: rewrite(rows({ net_total: 'NULL::DOUBLE' })),
  },
  {
    name: 'a few numbers that are none',
    check: 'finite_numbers',
    state: 'WARN',
    says: /2 of 40 rows \(5\.00 %\) in net_total/,
    inflict: rewrite(rows({ net_total: `CASE i WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN '-inf'::DOUBLE ELSE i END` })),
  },
  {
    name: 'rows from another month and from the future',
    check: 'event_time_order_date',
    state: 'WARN',
    says: /3 of 40 rows/,
    inflict: rewrite(
      rows({
        order_date: `CASE i WHEN 1 THEN '2025-08-01' WHEN 2 THEN '2025-10-10' WHEN 3 THEN '2031-01-01' ELSE '${DAY}' END`,
      }),
    ),
  },
  {
    name: 'the same file delivered twice',
    check: 'duplicate_content',
    state: 'WARN',
    says: /part-0001\.parquet: the same bytes as orders\/ingest_dt=2025-10-08\/part-0000\.parquet/,
    inflict: async (lake) => {
      lake.write(secondFile, lake.read(FILE));
      await lake.manifest('orders', PARTITION);
    },
  },
  {
    name: 'keys that are delivered twice',
    check: 'duplicate_keys',
    state: 'WARN',
    says: /10 of 40 rows \(25\.00 %\)/,
    inflict: rewrite(rows({ order_id: `'ORD-' || (i % 30)` })),
  },
  {
    name: 'a file that is no data of the table',
    check: 'stray_files',
    state: 'WARN',
    says: /orders\/ingest_dt=2025-10-08\/export\.csv: not read as data/,
    inflict: () => {},
    rest: { strays: { orders: [`orders/${PARTITION}/export.csv`] } },
  },
];

async function judge(
  lake: Lake,
  damage: Omit<Damage, 'name' | 'says' | 'check' | 'state'>,
): Promise<{ report: Report; thrown: unknown }> {
  await clean(lake);
  await damage.inflict(lake);
  const partitions = damage.pin ? damage.pin(lake) : [lake.pin('orders', PARTITION)];
  return validate(lake, {
    spec: pipelineSpec({ tables: [ordersSpec(damage.spec)] }),
    layer: 'bronze',
    tables: ['orders'],
    outputs: [pinned({ orders: partitions }, damage.rest)],
    publications: damage.publications ?? [],
    ...(damage.firstDay === undefined ? {} : { firstDay: damage.firstDay }),
    ...(damage.runDate === undefined ? {} : { runDate: damage.runDate }),
  });
}

describe('damaged bronze is named', () => {
  for (const damage of DAMAGES) {
    test(`${damage.name}: ${damage.check} is ${damage.state}`, async () => {
      await using lake = await Lake.open();
      const { report, thrown } = await judge(lake, damage);
      const result = resultOf(report, 'orders', damage.check);
      assert.equal(result.state, damage.state);
      assert.match(`${result.observed} ${result.note}`, damage.says);
      assert.equal(report.decision.mayPublish, damage.blocks !== true);
      assert.equal((thrown as { code?: string } | null)?.code, damage.blocks ? 'gate_undecided' : undefined);
      assert.ok(!JSON.stringify(report).includes(lake.root), 'a report names no folder of the machine');
    });
  }
});

describe('clean bronze', () => {
  test('passes, with only what cannot be evaluated left open', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, { inflict: () => {} });
    assert.equal(report.decision.verdict, 'PASS');
    const open = report.results.filter((result) => result.state !== 'PASS');
    assert.deepEqual(
      open.map((result) => [result.checkId, result.state]),
      [
        ['checksum', 'NOT EVALUATED'],
        ['manifest_size', 'NOT EVALUATED'],
      ],
    );
  });

  test('passes its checksum of bytes, also written with a prefix and in capitals', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, {
      inflict: (open) =>
        open.manifest('orders', PARTITION, (manifest) => {
          const hex = createHash('sha256').update(open.read(FILE)).digest('hex');
          manifest.checksum_kind = 'bytes';
          for (const file of manifest.files) file.checksum = `sha256:${hex.toUpperCase()}`;
        }),
    });
    assert.equal(resultOf(report, 'orders', 'checksum').state, 'PASS');
  });

  test('may have its columns in any order, null-typed, and text throughout', async () => {
    await using lake = await Lake.open();
    const text = `SELECT items::VARCHAR AS items, * EXCLUDE (items, net_total), net_total::VARCHAR AS net_total FROM (${rows()})`;
    const { report } = await judge(lake, { inflict: rewrite(text) });
    assert.equal(resultOf(report, 'orders', 'column_types').state, 'PASS');
    assert.equal(resultOf(report, 'orders', 'optional_column_types').state, 'PASS');
    const nulls = await judge(lake, { inflict: rewrite(rows({ items: 'NULL' })) });
    assert.equal(resultOf(nulls.report, 'orders', 'optional_column_types').state, 'PASS');
  });

  test('of a table without declared columns has no columns to miss', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, { inflict: () => {}, spec: { columns: [] } });
    assert.equal(resultOf(report, 'orders', 'required_columns').state, 'NOT EVALUATED');
    assert.equal(report.decision.verdict, 'PASS');
  });

  test('that is delivered only when it changes may bring nothing, and is judged by what still lies there', async () => {
    await using lake = await Lake.open();
    const known = DAMAGES.find((damage) => damage.check === 'partition_vanished');
    const { report } = await judge(lake, {
      inflict: () => {},
      spec: { source: { ...SOURCE, select: 'changed' } },
      pin: () => [],
      publications: known?.publications ?? [],
      rest: { publications: { silver: 3 } },
    });
    assert.equal(resultOf(report, 'orders', 'table_present').state, 'NOT EVALUATED');
    const evaluated = report.results.filter((result) => result.state !== 'NOT EVALUATED');
    assert.deepEqual(
      evaluated.map((result) => [result.checkId, result.state]),
      [['partition_vanished', 'PASS']],
    );
  });

  test('names one bad file among good ones and still measures the others', async () => {
    await using lake = await Lake.open();
    const { report } = await judge(lake, {
      inflict: async (open) => {
        await open.parquet(secondFile, rows({ order_id: `'ORD-' || 100` }, 40));
        await open.manifest('orders', PARTITION);
        open.write(secondFile, open.read(secondFile).subarray(0, 300));
      },
    });
    assert.match(
      resultOf(report, 'orders', 'readable').observed,
      /^orders\/ingest_dt=2025-10-08\/part-0001\.parquet: /,
    );
    assert.equal(resultOf(report, 'orders', 'nulls_order_id').totalRows, 40);
    assert.equal(report.tables[0]?.account.output, 40);
  });
});

test('a table that nobody pinned is refused, not passed', async () => {
  await using lake = await Lake.open();
  await assert.rejects(
    validate(lake, {
      spec: pipelineSpec({ tables: [ordersSpec()] }),
      layer: 'bronze',
      tables: ['orders'],
      outputs: [],
    }),
    { code: 'gate_undecided' },
  );
});

test('the pinned key is what reports name', async () => {
  await using lake = await Lake.open();
  const { report } = await judge(lake, { inflict: (open) => open.write(FILE, '') });
  assert.ok(resultOf(report, 'orders', 'readable').observed.startsWith(`${KEY}: `));
  assert.equal(columns('a string').length, 1);
});
