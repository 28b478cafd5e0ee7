/** The demo's bronze, read as any other program would: does it hold together, and is the dirt in it what the plan says? */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { PipelineError } from '../../core/errors.ts';
import { BRONZE_TABLES, TABLE_NAMES, type TableName } from '../../demo/bronze-tables.ts';
import { cleanRows, type DemoPlan, type Expected, plantedFor } from '../../demo/demo-plan.ts';
import { FAULTS } from '../../demo/faults.ts';
import { type DemoOptions, demoPlanPath, generateDemo } from '../../demo/generate-demo.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const FIRST = '2025-10-01';
const THIRTEENTH = '2025-10-13';
const LAST = '2025-10-14';

const blankable = (column: string): string =>
  `(CASE WHEN lower(trim(${column})) IN ('', 'none', 'null', 'n/a', 'nan') THEN NULL ELSE trim(${column}) END)`;
const missing = (column: string): string => `${blankable(column)} IS NULL`;
const noTime = (column: string): string => `try_cast(${blankable(column)} AS TIMESTAMP) IS NULL`;
const notPositive = (column: string): string => `${column} IS NULL OR ${column} <= 0`;

/** The rules of the reference pipeline, written down a second time. */
const RULES: { readonly [table in TableName]: { readonly [reason: string]: string } } = {
  customers: {
    missing_customer_id: missing('customer_id'),
    invalid_email: `${missing('email')} OR email NOT LIKE '%@%.%' OR length(trim(email)) < 5`,
    missing_signup_date: missing('signup_date'),
  },
  product_catalog: {
    invalid_product_id: notPositive('product_id'),
    missing_product_name: missing('product_name'),
    missing_unit_price: 'unit_price IS NULL',
    negative_unit_price: 'unit_price < 0',
    negative_cost_price: 'cost_price < 0',
    negative_inventory: 'inventory_quantity < 0',
    unit_price_below_cost: 'unit_price < cost_price',
  },
  shopping_carts: {
    missing_cart_id: missing('cart_id'),
    missing_customer_id: missing('customer_id'),
    invalid_created_at: noTime('created_at'),
    negative_cart_total: 'cart_total < 0',
    updated_before_created: `try_cast(${blankable('updated_at')} AS TIMESTAMP) < try_cast(${blankable('created_at')} AS TIMESTAMP)`,
  },
  cart_items: {
    invalid_cart_item_id: notPositive('cart_item_id'),
    missing_cart_id: missing('cart_id'),
    invalid_product_id: notPositive('product_id'),
    invalid_quantity: notPositive('quantity'),
    missing_unit_price: 'unit_price IS NULL',
    negative_unit_price: 'unit_price < 0',
  },
  orders: {
    missing_order_id: missing('order_id'),
    missing_customer_id: missing('customer_id'),
    invalid_order_date: noTime('order_date'),
    missing_gross_total: 'gross_total IS NULL',
    missing_net_total: 'net_total IS NULL',
    negative_gross_total: 'gross_total < 0',
    negative_net_total: 'net_total < 0',
    negative_discount: 'total_discount_amount < 0',
    net_exceeds_gross: 'net_total > gross_total',
  },
  order_items: {
    missing_order_id: missing('order_id'),
    invalid_product_id: notPositive('product_id'),
    invalid_quantity: notPositive('quantity'),
    missing_unit_price: 'unit_price IS NULL',
    negative_unit_price: 'unit_price < 0',
    negative_discount: 'discount_amount < 0',
    negative_cost_price: 'cost_price < 0',
  },
  returns: {
    missing_return_id: missing('return_id'),
    missing_order_id: missing('order_id'),
    missing_customer_id: missing('customer_id'),
    invalid_return_date: noTime('return_date'),
    negative_refunded_amount: 'refunded_amount < 0',
  },
  return_items: {
    invalid_return_item_id: notPositive('return_item_id'),
    missing_return_id: missing('return_id'),
    missing_order_id: missing('order_id'),
    invalid_product_id: notPositive('product_id'),
    invalid_quantity_returned: notPositive('quantity_returned'),
    negative_unit_price: 'unit_price < 0',
    negative_cost_price: 'cost_price < 0',
    negative_refunded_amount: 'refunded_amount < 0',
  },
};

const KEYS: {
  readonly [table in TableName]: { readonly key: string; readonly duplicate: string; readonly identity?: string };
} = {
  customers: { key: 'customer_id', duplicate: 'duplicate_customer_id' },
  product_catalog: { key: 'product_id', duplicate: 'duplicate_product_id' },
  shopping_carts: { key: 'cart_id', duplicate: 'duplicate_cart_id', identity: 'customer_id' },
  cart_items: { key: 'cart_id, product_id, added_at', duplicate: 'duplicate_cart_item_line' },
  orders: { key: 'order_id', duplicate: 'duplicate_order_id', identity: 'customer_id' },
  order_items: { key: 'order_id, product_id', duplicate: 'duplicate_order_product' },
  returns: { key: 'return_id', duplicate: 'duplicate_return_id', identity: 'customer_id' },
  return_items: { key: 'return_id, product_id', duplicate: 'duplicate_return_item_line' },
};

const FOREIGN_KEYS: readonly [child: TableName, id: string, column: string, parent: TableName][] = [
  ['shopping_carts', 'fk_customer', 'customer_id', 'customers'],
  ['cart_items', 'fk_cart', 'cart_id', 'shopping_carts'],
  ['cart_items', 'fk_product', 'product_id', 'product_catalog'],
  ['orders', 'fk_customer', 'customer_id', 'customers'],
  ['order_items', 'fk_order', 'order_id', 'orders'],
  ['order_items', 'fk_product', 'product_id', 'product_catalog'],
  ['returns', 'fk_order', 'order_id', 'orders'],
  ['returns', 'fk_customer', 'customer_id', 'customers'],
  ['return_items', 'fk_return', 'return_id', 'returns'],
  ['return_items', 'fk_order', 'order_id', 'orders'],
  ['return_items', 'fk_product', 'product_id', 'product_catalog'],
];

const OPTIONAL_DATES: readonly [TableName, string][] = [
  ['customers', 'loyalty_enrollment_date'],
  ['shopping_carts', 'updated_at'],
];

/** `bronze_<t>`: rows as delivered, `day` = ingest day. `judged_<t>`: with reasons. `good_<t>`: every sound delivery. `silver_<t>`: the newest of each key. */
async function loadLake(session: DuckDbSession, bronzeDir: string): Promise<void> {
  for (const table of TABLE_NAMES) {
    const { partitionKey } = BRONZE_TABLES[table];
    const day = partitionKey === 'ingest_dt' ? 'CAST(ingest_dt AS VARCHAR)' : `'${FIRST}'`;
    const { key, identity } = KEYS[table];
    const reasons = Object.entries(RULES[table]).map(([reason, sql]) => `CASE WHEN ${sql} THEN '${reason}' END`);
    await session.run(`
      CREATE TABLE bronze_${table} AS
      SELECT *, ${day} AS day FROM read_parquet('${bronzeDir}/${table}/*/*.parquet', hive_partitioning = ${partitionKey === 'ingest_dt'});
      CREATE TABLE judged_${table} AS SELECT *, list_filter([${reasons.join(', ')}], lambda x: x IS NOT NULL) AS reasons FROM bronze_${table};
      CREATE TABLE sound_${table} AS
      SELECT *, ${identity ? `first_value(${identity}) OVER (PARTITION BY ${key} ORDER BY ingestion_ts, event_id) <> ${identity}` : 'false'} AS collides
      FROM judged_${table} WHERE len(reasons) = 0;
      CREATE TABLE good_${table} AS SELECT * FROM sound_${table} WHERE NOT collides;
      CREATE TABLE silver_${table} AS SELECT * FROM good_${table} QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY ingestion_ts DESC, event_id DESC) = 1`);
  }
}

async function measure(session: DuckDbSession, table: TableName, from: string, to: string): Promise<Expected> {
  const { key, duplicate } = KEYS[table];
  const isIn = `day BETWEEN '${from}' AND '${to}'`;
  const number = async (sql: string): Promise<number> => Number(Object.values(await session.one(sql))[0]);
  const input = await number(`SELECT count(*) FROM bronze_${table} WHERE ${isIn}`);
  const broken = await number(`SELECT count(*) FROM judged_${table} WHERE len(reasons) > 0 AND ${isIn}`);
  const collisions = await number(`SELECT count(*) FROM sound_${table} WHERE collides AND ${isIn}`);
  const duplicates = await number(`SELECT count(*) - count(DISTINCT (${key})) FROM good_${table} WHERE ${isIn}`);
  const replaced = await number(
    `SELECT count(*) FROM (SELECT DISTINCT ${key} FROM good_${table} WHERE ${isIn} INTERSECT SELECT DISTINCT ${key} FROM good_${table} WHERE day < '${from}')`,
  );
  const byReason: Record<string, number> = {};
  for (const row of await session.rows(
    `SELECT reason, count(*) AS rows FROM (SELECT unnest(reasons) AS reason FROM judged_${table} WHERE ${isIn}) GROUP BY ALL`,
  )) {
    byReason[String(row.reason)] = Number(row.rows);
  }
  if (collisions > 0) byReason.key_collision = collisions;
  if (duplicates > 0) byReason[duplicate] = duplicates;

  const orphans: Record<string, number> = {};
  for (const [child, id, column, parent] of FOREIGN_KEYS) {
    if (child !== table) continue;
    const rows = await number(
      `SELECT count(*) FROM silver_${child} WHERE ${isIn} AND ${column}::VARCHAR NOT LIKE 'GUEST-%' AND ${column} NOT IN (SELECT ${KEYS[parent].key} FROM silver_${parent})`,
    );
    if (rows > 0) orphans[id] = rows;
  }
  const badCasts: Record<string, number> = {};
  for (const [owner, column] of OPTIONAL_DATES) {
    if (owner !== table) continue;
    const rows = await number(
      `SELECT count(*) FROM good_${table} WHERE ${isIn} AND NOT (${missing(column)}) AND ${noTime(column)}`,
    );
    if (rows > 0) badCasts[`cast_${column}`] = rows;
  }
  const happened =
    table === 'orders'
      ? `SELECT day, order_date FROM good_orders QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY ingestion_ts) = 1`
      : table === 'order_items'
        ? `SELECT i.day, order_date FROM (FROM good_order_items QUALIFY row_number() OVER (PARTITION BY order_id, product_id ORDER BY ingestion_ts) = 1) i JOIN silver_orders USING (order_id)`
        : `SELECT '' AS day, '' AS order_date LIMIT 0`;
  const late = await number(`SELECT count(*) FROM (${happened}) WHERE ${isIn} AND left(order_date, 10) < day`);
  const quarantined = broken + collisions;
  const output = input - quarantined - duplicates;
  return { input, output, quarantined, duplicates, replaced, byReason, orphans, badCasts, late };
}

describe('the demo of fourteen days', () => {
  let plan: DemoPlan;
  let session: DuckDbSession;
  let folder: string;
  let release: () => void;
  let done: Promise<void>;

  before(async () => {
    await new Promise<void>((resolve, reject) => {
      done = withTempFolder(async (temporary) => {
        folder = temporary;
        plan = await generateDemo({ bronzeDir: join(folder, 'bronze') });
        session = await DuckDbSession.open();
        await loadLake(session, join(folder, 'bronze'));
        const held = new Promise<void>((free) => {
          release = free;
        });
        resolve();
        await held;
        await session.close();
      });
      done.catch(reject);
    });
  });

  after(async () => {
    release();
    await done;
  });

  const none = async (sql: string): Promise<void> => assert.deepEqual(await session.rows(`${sql} LIMIT 5`), []);

  for (const [from, to, words] of [
    [FIRST, LAST, 'all days'],
    [FIRST, THIRTEENTH, 'the first thirteen days'],
    [LAST, LAST, 'the fourteenth day'],
  ] as const) {
    test(`what an independent reading finds in ${words} is what was planted`, async () => {
      for (const table of TABLE_NAMES) {
        assert.deepEqual(plantedFor(plan, table, from, to), await measure(session, table, from, to), table);
      }
    });
  }

  test('every fault of the list was planted, and the clean rows are those of silver', async () => {
    for (const table of TABLE_NAMES) {
      const found = plantedFor(plan, table, FIRST, LAST);
      const names = [...Object.keys(found.byReason), ...Object.keys(found.orphans), ...Object.keys(found.badCasts)];
      for (const { effect } of FAULTS.filter((fault) => fault.table === table)) {
        const wanted =
          effect.kind === 'quarantined'
            ? effect.reasons[0]
            : effect.kind === 'duplicate'
              ? effect.reason
              : effect.kind === 'orphan'
                ? effect.foreignKey
                : effect.check;
        assert.ok(names.includes(wanted ?? ''), `${table}: ${wanted} was not planted`);
      }
      const { rows } = await session.one(`SELECT count(*) AS rows FROM silver_${table}`);
      assert.equal(cleanRows(plan, table), Number(rows), table);
    }
    assert.ok(plantedFor(plan, 'orders', FIRST, LAST).late > 0);
    assert.ok(plantedFor(plan, 'orders', LAST, LAST).replaced > 0, 'no row of an earlier run comes again');
  });

  test('no table loses more than its limit allows, in either run', () => {
    for (const table of TABLE_NAMES) {
      for (const [from, to] of [
        [FIRST, THIRTEENTH],
        [LAST, LAST],
      ] as const) {
        const { output, quarantined, orphans } = plantedFor(plan, table, from, to);
        if (output === 0) continue;
        const sla = table === 'product_catalog' ? 0.99 : table === 'customers' ? 0.98 : 0.95;
        assert.ok(output / (output + quarantined) >= sla, `${table} passes ${output} of ${output + quarantined}`);
        for (const rows of Object.values(orphans)) assert.ok(rows / output < 0.005, `${table}: ${rows} orphans`);
      }
    }
  });

  test('an order’s totals are those of its items, and net is gross less discount', async () => {
    await none(`
      SELECT order_id FROM silver_orders
      LEFT JOIN (SELECT order_id, sum(quantity * unit_price::DECIMAL(18,2)) AS total, sum(discount_amount::DECIMAL(18,2)) AS discount
                 FROM silver_order_items GROUP BY ALL) USING (order_id)
      WHERE gross_total::DECIMAL(18,2) IS DISTINCT FROM total OR total_discount_amount::DECIMAL(18,2) IS DISTINCT FROM discount
         OR net_total::DECIMAL(18,2) <> gross_total::DECIMAL(18,2) - total_discount_amount::DECIMAL(18,2)`);
  });

  test('a cart’s total is that of its items, and emptied carts have none', async () => {
    await none(`
      SELECT cart_id FROM silver_shopping_carts
      LEFT JOIN (SELECT cart_id, sum(quantity * unit_price::DECIMAL(18,2)) AS total FROM silver_cart_items GROUP BY ALL) USING (cart_id)
      WHERE cart_total::DECIMAL(18,2) <> coalesce(total, 0) OR (lower(trim(status)) = 'emptied') <> (total IS NULL)`);
  });

  test('a refund is the sum of what came back, which is no more than was bought, after it was bought', async () => {
    await none(`
      SELECT return_id FROM silver_returns
      LEFT JOIN (SELECT return_id, sum(refunded_amount::DECIMAL(18,2)) AS total FROM silver_return_items GROUP BY ALL) USING (return_id)
      WHERE refunded_amount::DECIMAL(18,2) <> coalesce(total, 0)`);
    await none(`
      SELECT r.order_id, r.product_id FROM silver_return_items r JOIN silver_order_items i USING (order_id, product_id)
      WHERE return_id IN (SELECT return_id FROM silver_returns) GROUP BY ALL HAVING sum(quantity_returned) > max(quantity)`);
    await none(
      `SELECT return_id FROM silver_returns JOIN silver_orders USING (order_id) WHERE return_date <= left(order_date, 10)`,
    );
    await none(`SELECT return_id FROM silver_returns WHERE return_date > '${LAST}'`);
  });

  test('nine orders of ten come from an earlier cart of the same customer with the same total', async () => {
    const { orders, matched } = await session.one(`
      SELECT count(*) AS orders, count(*) FILTER (EXISTS (
        SELECT 1 FROM silver_shopping_carts c WHERE c.customer_id = o.customer_id AND c.cart_total = o.gross_total
          AND c.created_at::TIMESTAMP < o.order_date::TIMESTAMP AND o.order_date::TIMESTAMP - c.created_at::TIMESTAMP <= INTERVAL 48 HOURS)) AS matched
      FROM silver_orders o`);
    const share = Number(matched) / Number(orders);
    assert.ok(share > 0.86 && share < 0.94, String(share));
  });

  test('customers order after they signed up, and children never come before their parents', async () => {
    for (const [child, time] of [
      ['orders', 'order_date'],
      ['shopping_carts', 'created_at'],
    ]) {
      await none(
        `SELECT ${time} FROM silver_${child} t JOIN silver_customers USING (customer_id) WHERE left(${time}, 10) <= signup_date`,
      );
    }
    for (const [child, parent, key] of [
      ['order_items', 'orders', 'order_id'],
      ['cart_items', 'shopping_carts', 'cart_id'],
      ['returns', 'orders', 'order_id'],
      ['return_items', 'returns', 'return_id'],
    ]) {
      await none(
        `SELECT c.${key} FROM good_${child} c JOIN good_${parent} p USING (${key}) GROUP BY ALL HAVING min(c.day) < min(p.day)`,
      );
    }
  });

  test('values are those of the real feed', async () => {
    const values = async (table: TableName, column: string): Promise<string[]> =>
      (await session.rows(`SELECT DISTINCT lower(trim(${column})) AS v FROM silver_${table} ORDER BY v`)).map(({ v }) =>
        String(v),
      );
    assert.deepEqual(await values('orders', 'order_channel'), ['ebay', 'newegg', 'phone', 'social media', 'web']);
    assert.deepEqual(await values('orders', 'payment_method'), [
      'ach',
      'apple pay',
      'credit card',
      'google pay',
      'paypal',
    ]);
    assert.deepEqual(await values('orders', 'shipping_speed'), ['overnight', 'standard', 'two-day']);
    assert.deepEqual(await values('shopping_carts', 'status'), ['abandoned', 'converted', 'emptied']);
    assert.deepEqual(await values('customers', 'loyalty_tier'), ['bronze', 'gold', 'platinum', 'silver']);
    assert.equal((await values('returns', 'reason')).length, 9);
    await none(
      `SELECT shipping_speed FROM silver_orders WHERE shipping_cost <> CASE lower(trim(shipping_speed)) WHEN 'standard' THEN 5 WHEN 'two-day' THEN 45 ELSE 80 END`,
    );
    await none(
      `SELECT product_id FROM silver_product_catalog WHERE cost_price::DECIMAL(18,2) NOT BETWEEN unit_price::DECIMAL(18,2) * 0.39 AND unit_price::DECIMAL(18,2) * 0.7`,
    );
    const { guests } = await session.one(`SELECT avg((customer_id LIKE 'GUEST-%')::INT) AS guests FROM silver_orders`);
    assert.ok(Math.abs(Number(guests) - 0.4) < 0.05, String(guests));
    const { padded } = await session.one(
      `SELECT avg((payment_method <> trim(payment_method))::INT) AS padded FROM silver_orders`,
    );
    assert.ok(Number(padded) > 0.01);
    for (const table of TABLE_NAMES) {
      for (const column of KEYS[table].key.split(', ').filter((name) => name !== 'product_id')) {
        await none(`SELECT ${column} FROM silver_${table} WHERE ${column} <> upper(trim(${column}))`);
      }
    }
  });

  test('every partition holds one file, a manifest that agrees with it, and a marker', async () => {
    for (const table of TABLE_NAMES) {
      const { partitionKey, columns } = BRONZE_TABLES[table];
      const folders = (await readdir(join(folder, 'bronze', table))).sort();
      assert.ok(folders.length >= 5 && folders.every((name) => name.startsWith(`${partitionKey}=`)), folders.join());
      for (const name of folders) {
        const path = join(folder, 'bronze', table, name);
        assert.deepEqual((await readdir(path)).sort(), ['_MANIFEST.json', '_SUCCESS', 'part-0000.parquet']);
        const bytes = await readFile(join(path, 'part-0000.parquet'));
        const manifest = JSON.parse(await readFile(join(path, '_MANIFEST.json'), 'utf8'));
        const { rows } = await session.one(`SELECT count(*) AS rows FROM read_parquet('${path}/*.parquet')`);
        assert.deepEqual(
          [manifest.table, manifest.partition, manifest.total_rows, manifest.files],
          [
            table,
            name,
            Number(rows),
            [
              {
                path: `${table}/${name}/part-0000.parquet`,
                rows: Number(rows),
                size_bytes: bytes.byteLength,
                checksum: createHash('sha256').update(bytes).digest('hex'),
              },
            ],
          ],
        );
      }
      const described = await session.describe(
        `SELECT * FROM read_parquet('${folder}/bronze/${table}/*/*.parquet', hive_partitioning = false)`,
      );
      assert.deepEqual(
        described.map(({ name, type }) => [name, type]),
        [...columns, ...['batch_id', 'ingestion_ts', 'event_id', 'source_file'].map((name) => [name, 'VARCHAR'])],
      );
    }
    assert.ok((await readdir(join(folder, 'bronze', 'customers'))).length <= 62);
  });

  test('rows arrive the day after, at a quarter past two or later the same morning', async () => {
    await none(`
      SELECT ingestion_ts FROM bronze_orders
      WHERE ingestion_ts NOT IN (strftime(day::DATE + 1, '%Y-%m-%dT02:15:00+00:00'), strftime(day::DATE + 1, '%Y-%m-%dT09:40:00+00:00'))`);
    await none(
      `SELECT event_id FROM bronze_orders WHERE event_id <> 'evt_' || sha256('orders|' || coalesce(order_id, ''))`,
    );
    await none(
      `SELECT customer_id FROM silver_customers WHERE left(ingestion_ts, 10) < '${FIRST}' OR left(ingestion_ts, 10) <= signup_date`,
    );
  });

  test('the plan on disk is the plan, and asking again writes nothing', async () => {
    const bronzeDir = join(folder, 'bronze');
    const planText = await readFile(demoPlanPath(bronzeDir), 'utf8');
    assert.deepEqual(JSON.parse(planText), plan);
    assert.deepEqual(await generateDemo({ bronzeDir }), plan);
    await assert.rejects(generateDemo({ bronzeDir, seed: 7 }), (thrown) => {
      assert.ok(thrown instanceof PipelineError);
      assert.equal(thrown.code, 'usage');
      assert.match(thrown.message, /seed 42.*--reset/);
      return true;
    });
    assert.deepEqual((await readdir(folder)).sort(), ['bronze', 'demo-plan.json']);
  });
});

describe('any demo', () => {
  const hashOf = async (folder: string): Promise<string> => {
    const hash = createHash('sha256');
    for (const path of (await readdir(folder, { recursive: true })).sort()) {
      if (/\.(parquet|json)$/.test(path)) hash.update(path).update(await readFile(join(folder, path)));
    }
    return hash.digest('hex');
  };
  const small: Omit<DemoOptions, 'bronzeDir'> = { days: 3, ordersPerDay: 12 };

  test('has the same bytes for the same arguments, in another time zone too, and others for another seed', () =>
    withTempFolder(async (folder) => {
      const at = (name: string): string => join(folder, name, 'bronze');
      await generateDemo({ bronzeDir: at('one'), ...small });
      const module = new URL('../../demo/generate-demo.js', import.meta.url).href;
      const code = `import(${JSON.stringify(module)}).then((m) => m.generateDemo(${JSON.stringify({ bronzeDir: at('two'), ...small })}))`;
      const env = { ...process.env, TZ: 'Pacific/Auckland', LC_ALL: 'tr_TR.UTF-8' };
      await promisify(execFile)(process.execPath, ['--eval', code], { env });
      await generateDemo({ bronzeDir: at('three'), ...small, seed: 43 });
      const [one, two, three] = await Promise.all(['one', 'two', 'three'].map((name) => hashOf(join(folder, name))));
      assert.equal(one, two);
      assert.notEqual(one, three);
    }));

  test('can be as small as one order on one day, and still knows what it planted', () =>
    withTempFolder(async (folder) => {
      const bronzeDir = join(folder, 'bronze');
      const plan = await generateDemo({ bronzeDir, days: 1, ordersPerDay: 1, firstDay: FIRST });
      await using session = await DuckDbSession.open();
      for (const table of ['orders', 'customers', 'product_catalog'] as const) {
        const { rows } = await session.one(
          `SELECT count(*) AS rows FROM read_parquet('${bronzeDir}/${table}/*/*.parquet')`,
        );
        assert.equal(plantedFor(plan, table, FIRST, FIRST).input, Number(rows));
      }
    }));

  test('leaves a folder alone that holds something else, and refuses sizes that make no sense', () =>
    withTempFolder(async (folder) => {
      const bronzeDir = join(folder, 'bronze');
      await mkdir(bronzeDir);
      await writeFile(join(bronzeDir, 'orders.parquet'), '');
      await assert.rejects(generateDemo({ bronzeDir, ...small }), /holds data that no demo made/);
      assert.deepEqual(await readdir(bronzeDir), ['orders.parquet']);
      await rm(join(bronzeDir, 'orders.parquet'));
      for (const wrong of [{ days: 0 }, { ordersPerDay: 1.5 }, { seed: -1 }, { firstDay: '2025-02-30' }]) {
        await assert.rejects(
          generateDemo({ bronzeDir, ...wrong }),
          (thrown) => (thrown as PipelineError).code === 'usage',
        );
      }
    }));
});
