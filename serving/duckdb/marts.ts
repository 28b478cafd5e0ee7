/** A mart's GoogleSQL and the loaded tables -> its touched partitions in a table beside the target, unseen by readers. */
import { PipelineError } from '../../core/errors.ts';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { addDays } from '../../core/partition.ts';
import type { BuiltMart, MartBuild, WarehouseTableDef } from '../../core/ports.ts';
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { numericOfFloat } from '../../engine/dialect/numbers.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { columnTypeOf, duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, identifiers, literal } from '../../engine/sql-text.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import { rememberBuilds } from './ledger.ts';
import { buildTableName, columnDefinitions, partitionValueOf } from './tables.ts';

/** The day whose window made a row; tells a mart that writes into days it was not asked for. */
const WINDOW_COLUMN = '_assay_window';

type Tables = ReadonlyMap<string, readonly ColumnSchema[]>;

/** One run of the mart's query: a day's window, or no day and all rows. */
interface Window {
  readonly day: string | null;
  readonly parameters: { readonly [name: string]: string };
}

/**
 * To be called inside of a transaction. Each day is computed by itself, so that its rows depend on its inputs alone and not
 * on which other days are touched. A partitioned mart without days is computed whole, over all time.
 *
 * @throws PipelineError `sql_not_portable`, `sql_invalid`, `warehouse_schema` where columns are not as declared, `warehouse_rejected` where the query fails
 */
export async function buildMartTable(session: DuckDbSession, build: MartBuild): Promise<BuiltMart> {
  const { def } = build;
  const tables = await loadedTables(session);
  const target = buildTableName(def);
  await session.run(`CREATE SCHEMA IF NOT EXISTS ${identifier(def.dataset)}`);
  await session.run(
    `CREATE OR REPLACE TABLE ${target} (${columnDefinitions(columnSchemas(def))}, ${identifier(WINDOW_COLUMN)} DATE)`,
  );
  let given: readonly GivenColumn[] | null = null;
  for (const window of windowsOf(build)) {
    const query = translate(build, window, tables);
    given ??= await checkColumns(session, def, query);
    await insertRows(session, def, query, given, window);
  }
  await assertOwnDays(session, build);
  const rowsByPartition = await countBuilt(session, build);
  await rememberBuilds(
    session,
    def.table,
    Object.entries(rowsByPartition).map(([partition, rows]) => ({
      partition,
      rows,
      fingerprint: build.fingerprints[partition] ?? build.fingerprints[''] ?? '',
    })),
  );
  return { table: def.table, rowsByPartition };
}

function windowsOf({ def, days }: MartBuild): readonly Window[] {
  if (days !== null)
    return days.map((day) => ({ day, parameters: { window_start: day, window_end: addDays(day, 1) } }));
  const allTime = { window_start: '0001-01-01', window_end: '9999-12-31' };
  return [{ day: null, parameters: def.partitionKey === null ? {} : allTime }];
}

/** Columns of every table that a mart may read, by `layer.table`. */
async function loadedTables(session: DuckDbSession): Promise<Tables> {
  const rows = await session.rows(
    `SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
     WHERE database_name = current_database() AND schema_name IN ('enriched', 'silver', 'dims', 'gold') AND table_name NOT LIKE '\\_build\\_%' ESCAPE '\\'
     ORDER BY schema_name, table_name, column_index`,
  );
  const tables = new Map<string, ColumnSchema[]>();
  for (const row of rows) {
    const key = `${row.schema_name}.${row.table_name}`;
    const columns = tables.get(key) ?? [];
    columns.push({ name: String(row.column_name), type: columnTypeOf(String(row.data_type)) ?? 'string' });
    tables.set(key, columns);
  }
  return tables;
}

function translate(build: MartBuild, window: Window, tables: Tables): string {
  try {
    return toDuckDbQuery(build.sql, {
      parameters: window.parameters,
      table: (layer, name) =>
        tables.has(`${layer}.${name}`) ? `${identifier(layer ?? '')}.${identifier(name)}` : null,
      columns: (layer, name) => tables.get(`${layer}.${name}`) ?? null,
      knownTables: [...tables.keys()],
    });
  } catch (thrown) {
    if (!(thrown instanceof SqlFaultError)) throw thrown;
    throw new PipelineError(thrown.code, `Mart ${build.def.table}: ${thrown.message}`, {
      context: thrown.context,
      cause: thrown,
    });
  }
}

/** A column as the query gives it, in DuckDB's words. */
interface GivenColumn {
  readonly name: string;
  readonly type: string;
}

async function checkColumns(
  session: DuckDbSession,
  def: WarehouseTableDef,
  query: string,
): Promise<readonly GivenColumn[]> {
  const found = await rejecting(def, null, () => session.describe(query));
  const declared = columnSchemas(def);
  const extra = found.map(({ name }) => name).filter((name) => !declared.some((column) => column.name === name));
  if (extra.length > 0)
    throw mismatch(
      def,
      extra.join(', '),
      'given by the query, and not declared by the header',
      'Declare it, or leave it out of SELECT.',
    );
  for (const { name, type } of declared) {
    const column = found.find((candidate) => candidate.name === name);
    if (!column)
      throw mismatch(def, name, `declared as ${type}, but the query does not give it`, 'Select it under that name.');
    if (!becomes(column.type, type)) {
      throw mismatch(
        def,
        name,
        `declared as ${type}, the query gives ${column.type}`,
        'Cast it in the query, or declare its type.',
      );
    }
  }
  return found;
}

/** Numbers may gain digits or be rounded to the declared ones; anything else must be what it is declared. */
function becomes(found: string, declared: ColumnType): boolean {
  if (found === 'NULL' || found === '"NULL"') return true;
  const actual = columnTypeOf(found);
  if (actual === null) return false;
  const isInteger = actual === 'int64' || actual === 'decimal(38,0)';
  if (declared === 'int64') return isInteger;
  if (declared === 'float64' || declared.startsWith('decimal'))
    return isInteger || actual === 'float64' || actual.startsWith('decimal');
  return actual === declared;
}

function mismatch(def: WarehouseTableDef, column: string, what: string, next: string): PipelineError {
  return new PipelineError('warehouse_schema', `Mart ${def.table}, column ${column}: ${what}. ${next}`, {
    context: { table: displayName(def), column },
  });
}

async function insertRows(
  session: DuckDbSession,
  def: WarehouseTableDef,
  query: string,
  given: readonly GivenColumn[],
  window: Window,
): Promise<void> {
  const columns = columnSchemas(def);
  const values = columns.map(({ name, type }) => {
    const isFloat = given.some((column) => column.name === name && column.type === 'DOUBLE');
    const value = `q.${identifier(name)}`;
    const exact = isFloat && type.startsWith('decimal') ? numericOfFloat(value, false) : value;
    return `CAST(${exact} AS ${duckDbType(type)})`;
  });
  const names = [...columns.map(({ name }) => name), WINDOW_COLUMN];
  const day = window.day === null ? 'NULL' : `DATE ${literal(window.day)}`;
  await rejecting(def, window.day, () =>
    session.run(
      `INSERT INTO ${buildTableName(def)} (${identifiers(names)}) SELECT ${values.join(', ')}, ${day} FROM (${query}) AS q`,
    ),
  );
}

/** What a query of a user's makes fail is the user's to read, not a bug of ours. */
async function rejecting<T>(def: WarehouseTableDef, day: string | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof PipelineError) throw thrown;
    const message = thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown);
    const when = day === null ? '' : ` on ${day}`;
    throw new PipelineError(
      'warehouse_rejected',
      `Mart ${def.table} failed${when}: ${message}. Correct its query, or the data that it reads.`,
      {
        context: { table: displayName(def), ...(day === null ? {} : { partition: day }) },
        cause: thrown,
      },
    );
  }
}

async function assertOwnDays(session: DuckDbSession, { def, days }: MartBuild): Promise<void> {
  if (days === null || def.partitionKey === null) return;
  const key = identifier(def.partitionKey);
  const window = identifier(WINDOW_COLUMN);
  const [stray] = await session.rows(
    `SELECT CAST(${window} AS VARCHAR) AS day, ${partitionValueOf(key)} AS value, count(*) AS rows FROM ${buildTableName(def)}
     WHERE ${key} IS DISTINCT FROM ${window} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 1`,
  );
  if (!stray) return;
  throw new PipelineError(
    'warehouse_rejected',
    `Mart ${def.table}: asked for ${def.partitionKey} = ${stray.day}, its query gave ${stray.rows} rows of ${stray.value}. ` +
      `Filter ${def.partitionKey} by @window_start and @window_end (exclusive).`,
    { context: { table: displayName(def), partition: String(stray.day) } },
  );
}

/** Every day that was asked for, also those without rows. */
async function countBuilt(session: DuckDbSession, { def, days }: MartBuild): Promise<Record<string, number>> {
  const key = def.partitionKey === null ? "''" : partitionValueOf(identifier(def.partitionKey));
  const rows = await session.rows(
    `SELECT ${key} AS value, count(*) AS rows FROM ${buildTableName(def)} GROUP BY 1 ORDER BY 1`,
  );
  const asked = days ?? (def.partitionKey === null ? [''] : []);
  const counted = new Map<string, number>([
    ...asked.map((day) => [day, 0] as const),
    ...rows.map((row) => [String(row.value), Number(row.rows)] as const),
  ]);
  return Object.fromEntries([...counted.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
}
