/** Every built-in transform gives the rows that an independent SQL statement of the same definition gives on the same silver. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { columnTypeOf, duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import type { LocalTable } from '../../transforms/enriched/input-query.ts';
import { BUILTIN_TRANSFORM_NAMES, loadBuiltin } from '../../transforms/enriched/registry.ts';
import { generatedSilver, ORACLE, ORACLE_MACROS } from '../fixtures-support/enriched-oracle.ts';
import { runOn, withEngine } from '../fixtures-support/enriched-tables.ts';

const RUN_DATE = '2025-10-24';

async function silverTables(
  session: DuckDbSession,
  folder: string,
  seed: number,
): Promise<{ readonly [table: string]: LocalTable }> {
  const tables: Record<string, LocalTable> = {};
  for (const [name, query] of Object.entries(generatedSilver(seed))) {
    const path = join(folder, `silver-${name}.parquet`);
    await session.run(`COPY (${query}) TO ${literal(path)} (FORMAT parquet)`);
    await session.run(`CREATE VIEW ${name} AS SELECT * FROM read_parquet(${literal(path)})`);
    const columns = (await session.describe(`SELECT * FROM ${name}`)).map((column) => {
      const type = columnTypeOf(column.type);
      if (!type) throw new Error(`${name}.${column.name} is ${column.type}`);
      return { name: column.name, type };
    });
    tables[name] = { columns, paths: [path] };
  }
  return tables;
}

for (const seed of [1, 2, 3]) {
  test(`all ten tables equal their SQL statements on silver made of seed ${seed}`, async () => {
    await withEngine(async (session, folder) => {
      for (const macro of ORACLE_MACROS) await session.run(macro);
      const tables = await silverTables(session, folder, seed);
      for (const name of BUILTIN_TRANSFORM_NAMES) {
        const definition = await loadBuiltin(name);
        const { query } = await runOn(session, folder, definition, tables, { runDate: RUN_DATE });
        const statement = ORACLE[name]?.replaceAll('$run', `DATE ${literal(RUN_DATE)}`) ?? '';
        const compared = (await session.describe(statement)).map((column) => column.name);
        const typed = definition.columns
          .filter((column) => compared.includes(column.name))
          .map(
            (column) => `CAST(${identifier(column.name)} AS ${duckDbType(column.type)}) AS ${identifier(column.name)}`,
          )
          .join(', ');
        await session.run(`CREATE OR REPLACE TABLE ours AS SELECT ${typed} FROM (${query})`);
        await session.run(`CREATE OR REPLACE TABLE theirs AS SELECT ${typed} FROM (${statement})`);
        const differences = await session.rows(
          `(SELECT 'ours' AS side, * FROM (FROM ours EXCEPT ALL FROM theirs)) UNION ALL (SELECT 'theirs', * FROM (FROM theirs EXCEPT ALL FROM ours)) LIMIT 6`,
        );
        assert.deepEqual(differences, [], name);
        const { rows } = await session.one('SELECT count(*) AS rows FROM ours');
        assert.ok(Number(rows) > 0, `${name} has rows`);
      }
    });
  });
}

test('the made-up silver holds the cases that the definitions turn on', async () => {
  await withEngine(async (session, folder) => {
    for (const macro of ORACLE_MACROS) await session.run(macro);
    await silverTables(session, folder, 1);
    const kinds = await session.one(`WITH
      pairs AS (SELECT o.order_id, c.cart_id, o.order_date - c.created_at AS lag FROM orders o JOIN shopping_carts c
        ON c.customer_id = o.customer_id AND c.created_at <= o.order_date)
      SELECT count(*) FILTER (lag = INTERVAL 48 HOUR) AS on_the_edge,
        (SELECT max(n) FROM (SELECT count(*) AS n FROM pairs WHERE lag <= INTERVAL 48 HOUR GROUP BY order_id)) AS carts_of_an_order,
        (SELECT max(n) FROM (SELECT count(*) AS n FROM pairs WHERE lag <= INTERVAL 48 HOUR GROUP BY cart_id)) AS orders_of_a_cart,
        (SELECT count(*) FROM order_items WHERE order_id NOT IN (SELECT order_id FROM orders)) AS lines_without_order
      FROM pairs`);
    assert.ok(Number(kinds.on_the_edge) > 5);
    assert.ok(Number(kinds.carts_of_an_order) > 1);
    assert.ok(Number(kinds.orders_of_a_cart) > 1);
    assert.ok(Number(kinds.lines_without_order) > 5);
  });
});
