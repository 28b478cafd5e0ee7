/** MERGE -> rows of the target updated, deleted and inserted as the source says, all decided on what was there before. */
import { identifier } from '../../engine/sql-text.ts';
import { physicalName, type Table } from './catalog.ts';
import { insertRows } from './insert-rows.ts';
import { faultAt, type Stretch } from './scan-sql.ts';
import type { Merge, MergeClause } from './sql-statements.ts';
import type { StatementOutcome, StatementRun } from './statement-run.ts';
import { columnType } from './table-schema.ts';
import { ROW_COLUMN, translateQuery } from './translate-query.ts';

type Piece = string | Stretch;

/**
 * @throws BigQueryError `invalidQuery` where two source rows would change one target row
 * @source GoogleSQL, "Data manipulation language", MERGE: the first clause whose condition holds applies to a row
 */
export async function runMerge(run: StatementRun, merge: Merge): Promise<StatementOutcome> {
  const table = await run.target(merge.table);
  const row = `\`${merge.table.alias}\`.\`${ROW_COLUMN}\``;
  const read = { bytes: 0, tables: 0 };
  const query = async (parts: readonly Piece[]): Promise<string> => {
    const translated = await translateQuery(run.sql, run.composed(parts), run.context, table);
    read.bytes = Math.max(read.bytes, translated.bytes);
    read.tables = Math.max(read.tables, translated.tables.length);
    return translated.sql;
  };
  const both: readonly Piece[] = [merge.table.withAlias, ' JOIN ', merge.source, ' ON ', merge.on];
  const matches = await query([`SELECT ${row} AS target_row FROM `, ...both]);
  const prepared = [];
  for (const [index, clause] of merge.clauses.entries())
    prepared.push(await prepare(run, merge, table, index, clause, query, matches));
  const changes = prepared
    .filter((each) => each.kind !== 'insert')
    .map((each) => `SELECT target_row FROM temp.${each.temp}`);
  await refuseDoubles(run, merge, changes);
  let rows = 0;
  for (const each of prepared) rows += await each.apply();
  for (const each of prepared) await run.sql.run(`DROP TABLE temp.${each.temp}`);
  await run.changed(table);
  return { type: 'MERGE', bytes: read.bytes, tablesRead: read.tables, result: null, dmlRows: rows };
}

interface Prepared {
  readonly kind: MergeClause['action']['kind'];
  readonly temp: string;
  readonly apply: () => Promise<number>;
}

/** The rows of one clause, kept aside before any is applied. */
async function prepare(
  run: StatementRun,
  merge: Merge,
  table: Table,
  index: number,
  clause: MergeClause,
  query: (parts: readonly Piece[]) => Promise<string>,
  matches: string,
): Promise<Prepared> {
  const temp = `merge_${index}`;
  const row = `\`${merge.table.alias}\`.\`${ROW_COLUMN}\``;
  const where = (condition: string): readonly Piece[] => [
    ` WHERE ${condition}`,
    ...(clause.condition ? [' AND (', clause.condition, ')'] : []),
    ...earlierConditions(merge, index),
  ];
  const from: readonly Piece[] =
    clause.matched === 'matched'
      ? [merge.table.withAlias, ' JOIN ', merge.source, ' ON ', merge.on, ...where('TRUE')]
      : clause.matched === 'not_matched'
        ? [merge.source, ' LEFT JOIN ', merge.table.withAlias, ' ON ', merge.on, ...where(`${row} IS NULL`)]
        : [merge.table.withAlias, ...where('TRUE')];
  const { action } = clause;
  if (action.kind === 'insert') {
    const columns = run.columnsNamed(table, action.columns, merge.on.at);
    const items: readonly Piece[] = action.values
      ? action.values.flatMap((value, at) => [at > 0 ? ', ' : '', value, ` AS c${at}`])
      : [columns.map((column, at) => `\`${sourceAlias(run, merge)}\`.\`${column.name}\` AS c${at}`).join(', ')];
    await keep(run, temp, await query(['SELECT ', ...items, ' FROM ', ...from]));
    return {
      kind: 'insert',
      temp,
      apply: () => insertRows(run, table, columns, `SELECT * FROM temp.${temp}`, merge.on.at),
    };
  }
  const set = action.kind === 'update' ? action.set : [];
  const items: readonly Piece[] = set.flatMap(({ value }, at) => [', ', value, ` AS c${at}`]);
  const selected = await query([`SELECT ${row} AS target_row`, ...items, ' FROM ', ...from]);
  const unmatched = clause.matched === 'not_matched_by_source' ? ` WHERE target_row NOT IN (${matches})` : '';
  await keep(run, temp, `SELECT * FROM (${selected})${unmatched}`);
  const columns = run.columnsNamed(
    table,
    set.map(({ column }) => column),
    merge.on.at,
  );
  const sets = columns.map((column, at) => `${identifier(column.name)} = CAST(change.c${at} AS ${columnType(column)})`);
  return {
    kind: action.kind,
    temp,
    apply: async () => {
      const target = physicalName(table);
      await run.sql.run(
        action.kind === 'delete'
          ? `DELETE FROM ${target} WHERE rowid IN (SELECT target_row FROM temp.${temp})`
          : `UPDATE ${target} SET ${sets.join(', ')} FROM temp.${temp} AS change WHERE ${target}.rowid = change.target_row`,
      );
      const { rows } = await run.sql.one(`SELECT count(*) AS rows FROM temp.${temp}`);
      return Number(rows);
    },
  };
}

/** A row is taken by the first clause of its kind that wants it. */
function earlierConditions(merge: Merge, index: number): readonly Piece[] {
  const { matched } = merge.clauses[index] ?? {};
  return merge.clauses.slice(0, index).flatMap((earlier): readonly Piece[] => {
    if (earlier.matched !== matched) return [];
    return earlier.condition ? [' AND NOT COALESCE((', earlier.condition, '), FALSE)'] : [' AND FALSE'];
  });
}

async function keep(run: StatementRun, temp: string, query: string): Promise<void> {
  await run.sql.run(`CREATE OR REPLACE TEMP TABLE ${temp} AS ${query}`);
}

async function refuseDoubles(run: StatementRun, merge: Merge, changes: readonly string[]): Promise<void> {
  if (changes.length === 0) return;
  const { rows } = await run.sql.one(
    `SELECT count(*) AS rows FROM (SELECT target_row FROM (${changes.join(' UNION ALL ')}) GROUP BY 1 HAVING count(*) > 1)`,
  );
  if (Number(rows) > 0)
    throw faultAt(
      run.context.script,
      merge.on.at,
      'UPDATE/MERGE must match at most one source row for each target row',
    );
}

/** The last name of what stands after USING: its alias, or the table's own name. */
function sourceAlias(run: StatementRun, merge: Merge): string {
  const text = run.context.script.slice(merge.source.at, merge.source.end);
  return /([A-Za-z_]\w*)`?\s*$/.exec(text)?.[1] ?? '';
}
