/** The scored rows of a batch -> which of them are orphans, collide, or lose against another row of their key. */
import type { TableSpec } from '../../core/spec.ts';
import type { ColumnSchema } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier } from '../../engine/sql-text.ts';
import { type HeldSilver, heldRows, scanSilver } from './held-silver.ts';
import { markOrphans, rankKeys } from './plan-keys.ts';

export interface KeyFacts {
  readonly table: TableSpec;
  readonly output: readonly ColumnSchema[];
  readonly held: HeldSilver;
  readonly strictForeignKeys: boolean;
  /** Local paths of a parent's silver files as readers would see them after this run. */
  readonly parentPaths: (table: string) => Promise<readonly string[]>;
}

/** Foreign keys first, so that an orphan never wins over a sound row of the same key. Leaves the temporary table `beaten`. */
export async function judgeKeys(session: DuckDbSession, facts: KeyFacts): Promise<void> {
  const { table, output, held } = facts;
  for (const key of facts.strictForeignKeys ? table.foreignKeys : []) {
    const column = columnOf(output, key.column);
    if (key.references.table === table.name) {
      const parents = ownKeys(held, columnOf(output, key.references.column));
      await judgeSelfReference(session, markOrphans(key, column, parents));
    } else {
      const paths = await facts.parentPaths(key.references.table);
      await runAll(session, markOrphans(key, column, parentKeys(paths, key.references.column)));
    }
  }
  await runAll(
    session,
    table.primaryKey.length > 0
      ? rankKeys(table, output, held)
      : ['CREATE TEMP TABLE beaten (__held_file INTEGER, __held_row BIGINT, __winner_file INTEGER)'],
  );
}

function columnOf(output: readonly ColumnSchema[], name: string): ColumnSchema {
  const column = output.find((candidate) => candidate.name === name);
  if (!column) throw new Error(`the foreign key column ${name} is no column of the table`);
  return column;
}

/** A parent that was never built has no keys: in strict mode every row that names one is an orphan. */
function parentKeys(paths: readonly string[], column: string): string {
  if (paths.length === 0) return 'SELECT NULL::VARCHAR AS value WHERE false';
  return `SELECT ${identifier(column)} AS value FROM ${scanSilver(paths)}`;
}

function ownKeys(held: HeldSilver, column: ColumnSchema): string {
  const name = identifier(column.name);
  return `SELECT ${name} AS value FROM scored WHERE __reasons IS NULL UNION ALL SELECT ${name} FROM (${heldRows(held, [column])})`;
}

/** A row whose parent turns out to be an orphan is one too: repeats until none is added. */
async function judgeSelfReference(session: DuckDbSession, statements: readonly string[]): Promise<void> {
  const countValid = async () =>
    (await session.one('SELECT count(*) AS rows FROM scored WHERE __reasons IS NULL')).rows;
  let before: unknown;
  let after: unknown = await countValid();
  while (after !== before) {
    before = after;
    await runAll(session, statements);
    after = await countValid();
  }
}

async function runAll(session: DuckDbSession, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await session.run(statement);
}
