/** A clean shop -> the same shop with every fault planted, as tables `delivered_<name>`. */
import type { DuckDbSession } from '../engine/duckdb-session.ts';
import { identifier } from '../engine/sql-text.ts';
import { BRONZE_TABLES, TABLE_NAMES, type TableName } from './bronze-tables.ts';
import { choosePlaces, type Place, type SoundRows } from './choose-places.ts';
import { FAULTS, type Fault } from './faults.ts';
import type { ShopSize } from './shop-sql.ts';

const MARKS = ['__day', '__at', '__no', '__again', '__late'] as const;
/** Planted rows are numbered beyond all sound ones. */
const FIRST_PLANTED_NO = 1_000_000_000_000;

/** Reads the tables `clean_<name>`, whose sound rows it changes where a fault says so. Gives what it planted, in order. */
export async function plantDirt(session: DuckDbSession, size: ShopSize): Promise<readonly Place[]> {
  const { sound, orders } = await countSound(session);
  const places = choosePlaces(orders, size.days, sound);
  await session.run('CREATE MACRO variant(choices, n) AS choices[(n - 1) % len(choices) + 1]');
  for (const table of TABLE_NAMES) {
    const own = places.filter((place) => place.fault.table === table);
    await session.run(templatesTable(table, Math.max(0, ...own.map(({ fromRow }) => fromRow)), size.seed));
    await session.run(`CREATE TABLE planted_${table} AS FROM clean_${table} LIMIT 0`);
  }
  for (const fault of FAULTS) {
    const own = places.filter((place) => place.fault === fault);
    if (own.length === 0) continue;
    for (const statement of plantStatements(fault, own)) await session.run(statement);
  }
  for (const table of TABLE_NAMES) {
    await session.run(`CREATE VIEW delivered_${table} AS FROM clean_${table} UNION ALL BY NAME FROM planted_${table}`);
  }
  return places;
}

async function countSound(session: DuckDbSession): Promise<{ sound: SoundRows; orders: number }> {
  const counts: [TableName, ReadonlyMap<number, number>][] = [];
  for (const table of TABLE_NAMES) {
    const rows = await session.rows(
      `SELECT __day AS day, count(*) AS rows FROM clean_${table} WHERE NOT __late GROUP BY ALL`,
    );
    counts.push([table, new Map(rows.map(({ day, rows }) => [Number(day), Number(rows)]))]);
  }
  const { orders } = await session.one('SELECT count(*) AS orders FROM clean_orders');
  return { sound: Object.fromEntries(counts) as SoundRows, orders: Number(orders) };
}

/** The first rows of each day in a shuffle that the seed fixes. */
function templatesTable(table: TableName, rowsPerDay: number, seed: number): string {
  // Ranked by number alone: the rows are wide and only a handful of them is wanted.
  return `
CREATE TABLE templates_${table} AS
SELECT * FROM clean_${table} JOIN (
  SELECT __no, row_number() OVER (PARTITION BY __day ORDER BY hash(${seed}::BIGINT, __no), __no) AS __row
  FROM clean_${table} WHERE NOT __late QUALIFY __row <= ${rowsPerDay}) USING (__no)`;
}

function plantStatements(fault: Fault, places: readonly Place[]): readonly string[] {
  const { table } = fault;
  const values = places.map(({ n, fromDay, fromRow, day }) => `(${n}, ${fromDay}, ${fromRow}, ${day})`);
  const from = `templates_${table} t JOIN (VALUES ${values.join(', ')}) p(n, from_day, from_row, day) ON t.__day = from_day AND t.__row = from_row`;
  if (fault.way === 'altered') {
    const set = Object.entries(fault.set).map(([column, sql]) => `${identifier(column)} = ${sql}`);
    return [`UPDATE clean_${table} SET ${set.join(', ')} FROM (SELECT n, t.__no AS no FROM ${from}) WHERE __no = no`];
  }
  const marks = ['p.day', 't.__at', `${FIRST_PLANTED_NO} + n`, String(fault.way === 'again'), 'false'];
  const columns = BRONZE_TABLES[table].columns.map(([name, type]) => {
    const sql = fault.set[name];
    return `${sql === undefined ? `t.${identifier(name)}` : `(${sql})::${type}`} AS ${identifier(name)}`;
  });
  const insert = `INSERT INTO planted_${table} BY NAME
    SELECT ${[...columns, ...MARKS.map((mark, index) => `${marks[index]} AS ${mark}`)].join(', ')} FROM ${from}`;
  return isOrderWithoutCustomer(fault) ? [insert, itemsOfPlantedOrders(from, fault)] : [insert];
}

/** A sound order, but for its customer, has items that its totals are the sum of. */
function isOrderWithoutCustomer(fault: Fault): boolean {
  return fault.table === 'orders' && fault.way === 'new' && fault.effect.kind === 'orphan';
}

function itemsOfPlantedOrders(from: string, fault: Fault): string {
  return `
INSERT INTO planted_order_items BY NAME
SELECT i.* REPLACE (o.new_id AS order_id, ${2 * FIRST_PLANTED_NO} + i.__no AS __no)
FROM clean_order_items i JOIN (SELECT t.order_id AS old_id, ${fault.set.order_id} AS new_id FROM ${from}) o ON i.order_id = o.old_id`;
}
