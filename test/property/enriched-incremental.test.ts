/** Tables built run by run, while rows come late, early, twice corrected or orphaned, equal the tables built at once from the last silver. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { BUILTIN_TRANSFORM_NAMES, loadBuiltin } from '../../transforms/enriched/registry.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { generatedSilver, ORACLE_MACROS } from '../fixtures-support/enriched-oracle.ts';
import { specOf, withEngine } from '../fixtures-support/enriched-tables.ts';
import { openMemoryStore } from '../fixtures-support/memory-store.ts';

/** Everything that arrived long before lies in one old partition, which no later run touches. */
const HISTORY = '2025-10-10';
const BEGIN = '2025-09-28';
const RUNS: readonly (readonly [firstDay: string, runDate: string])[] = [
  [BEGIN, '2025-10-20'],
  ['2025-10-21', '2025-10-21'],
  ['2025-10-22', '2025-10-22'],
  ['2025-10-23', '2025-10-26'],
];
const LAST_RUN = '2025-10-26';

interface Arrival {
  readonly key: string;
  /** The day a row would arrive if nothing was late. */
  readonly due: string;
  readonly correction: string;
}

const ARRIVALS: { readonly [table: string]: Arrival } = {
  orders: {
    key: 'order_id',
    due: 'CAST(order_date AS DATE)',
    correction: 'order_date + INTERVAL 1 DAY AS order_date, net_total + 1 AS net_total',
  },
  shopping_carts: {
    key: 'cart_id',
    due: 'CAST(created_at AS DATE)',
    correction: 'created_at + INTERVAL 3 HOUR AS created_at',
  },
  returns: {
    key: 'return_id',
    due: 'CAST(return_date AS DATE)',
    correction: 'return_date + INTERVAL 2 DAY AS return_date',
  },
  order_items: { key: 'order_id, product_id, quantity', due: 'ingestion_dt', correction: 'quantity + 1 AS quantity' },
  return_items: { key: 'return_id, product_id', due: 'ingestion_dt', correction: 'product_id + 1 AS product_id' },
  cart_items: { key: 'cart_id, product_id', due: 'ingestion_dt', correction: 'quantity + 1 AS quantity' },
};

/** Silver as of a day: what has arrived by then and was not replaced by then. */
async function createHistory(session: DuckDbSession, folder: string, seed: number): Promise<void> {
  for (const macro of ORACLE_MACROS) await session.run(macro);
  for (const [table, query] of Object.entries(generatedSilver(seed))) {
    const path = join(folder, `all-${table}.parquet`);
    await session.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`);
    await session.run(`CREATE VIEW ${table} AS SELECT * FROM read_parquet(${literal(path)})`);
    const arrival = ARRIVALS[table];
    if (!arrival) {
      await session.run(
        `CREATE TABLE history_${table} AS SELECT *, DATE '${HISTORY}' AS ingestion_dt, NULL::DATE AS gone FROM ${table}`,
      );
      continue;
    }
    const dice = (salt: string, sides: number) =>
      `rnd(${seed}, concat_ws('.', ${arrival.key}), '${table}${salt}', ${sides})`;
    const lateness = `CASE WHEN ${dice('late', 6)} = 0 THEN 1 + ${dice('days', 7)} WHEN ${dice('early', 20)} = 0 THEN -1 ELSE 0 END`;
    const replaced = `${dice('replaced', 9)} = 0 AND arrived > DATE '${HISTORY}'`;
    await session.run(`CREATE TABLE arriving AS
      SELECT *, greatest(DATE '${HISTORY}', ${arrival.due} + CAST(${lateness} AS INTEGER)) AS arrived
      FROM ${table} WHERE ${arrival.due} >= DATE '${BEGIN}'`);
    const lineage = table.endsWith('_items') ? 'arrived, ingestion_dt' : 'arrived';
    await session.run(`CREATE TABLE history_${table} AS
      SELECT * EXCLUDE (${lineage}), arrived AS ingestion_dt, CASE WHEN ${replaced} THEN arrived + 2 END AS gone FROM arriving
      UNION ALL
      SELECT * EXCLUDE (${lineage}) REPLACE (${arrival.correction}), arrived + 2, NULL FROM arriving WHERE ${replaced}`);
    await session.run('DROP TABLE arriving');
  }
}

const silverOn = (day: string): { readonly [table: string]: string } =>
  Object.fromEntries(
    ['customers', 'product_catalog', ...Object.keys(ARRIVALS)].map((table) => [
      table,
      `SELECT * EXCLUDE (gone) FROM history_${table} WHERE ingestion_dt <= DATE '${day}' AND (gone IS NULL OR gone > DATE '${day}')`,
    ]),
  );

async function lakeIn(session: DuckDbSession, folder: string, name: string): Promise<EnrichedLake> {
  await mkdir(join(folder, name));
  // Thousands of small partitions: syncing each to disk would take most of the time.
  return new EnrichedLake(session, join(folder, name), openMemoryStore(join(folder, name, 'objects')));
}

test('run by run equals all at once', async () => {
  await withEngine(async (session, folder) => {
    await createHistory(session, folder, 11);
    // Regions are dated as shipping is: they would add time and no case.
    const names = BUILTIN_TRANSFORM_NAMES.filter((name) => name !== 'int_regional_financials');
    const specs = await Promise.all(names.map(async (name) => specOf(await loadBuiltin(name))));
    const stepwise = await lakeIn(session, folder, 'stepwise');
    const rewritten = new Map<string, number>();
    for (const [firstDay, runDate] of RUNS) {
      await stepwise.publishTables('silver', silverOn(runDate));
      for (const spec of specs) {
        const staged = await stepwise.build(spec, runDate, { firstDay });
        rewritten.set(spec.name, staged.partitions.length);
      }
    }
    const atOnce = await lakeIn(session, folder, 'at-once');
    await atOnce.publishTables('silver', silverOn(LAST_RUN));
    const partly: string[] = [];
    for (const spec of specs) {
      const whole = await atOnce.build(spec, LAST_RUN, { firstDay: BEGIN });
      const isSnapshot = spec.window.kind === 'as_of' || spec.partitionKey === 'ingest_dt';
      const where = isSnapshot ? `WHERE ingest_dt = DATE '${LAST_RUN}'` : '';
      const [ours, theirs] = [await stepwise.published(spec.name), await atOnce.published(spec.name)].map(
        (query) => `(SELECT * EXCLUDE (ingest_dt) FROM (${query}) ${where})`,
      );
      const differences = await session.rows(
        `(SELECT 'stepwise' AS side, * FROM (FROM ${ours} EXCEPT ALL FROM ${theirs})) UNION ALL
           (SELECT 'at once', * FROM (FROM ${theirs} EXCEPT ALL FROM ${ours})) LIMIT 5`,
      );
      assert.deepEqual(differences, [], spec.name);
      if (!isSnapshot && (rewritten.get(spec.name) ?? 0) < whole.partitions.length) partly.push(spec.name);
    }
    assert.ok(partly.length >= 4, 'the last run rewrote a part only, else this compares a rebuild with itself');
  });
});
