/** INSERT -> the rows of its query or its VALUES in the table, in the types of the columns. */
import { identifier, identifiers } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { physicalName, type Table } from './catalog.ts';
import { isAssignable, outputFields } from './query-output.ts';
import { faultAt, type Stretch } from './scan-sql.ts';
import type { Statement } from './sql-statements.ts';
import type { StatementOutcome, StatementRun } from './statement-run.ts';
import { columnType, type Field, sqlName } from './table-schema.ts';
import { translateQuery } from './translate-query.ts';

export async function runInsert(
  run: StatementRun,
  statement: Extract<Statement, { kind: 'insert' }>,
): Promise<StatementOutcome> {
  const table = await run.target(statement.table);
  const columns = run.columnsNamed(table, statement.columns, statement.table.at);
  const { source } = statement;
  const composed =
    source.kind === 'query'
      ? run.composed([source.query])
      : run.composed(
          source.rows.flatMap((row, index) => [
            index > 0 ? ' UNION ALL SELECT ' : 'SELECT ',
            ...namedItems(run.context.script, row, columns),
          ]),
        );
  const translated = await translateQuery(run.sql, composed, run.context);
  run.spend(translated.bytes, translated.tables.length);
  const rows = await insertRows(run, table, columns, translated.sql, statement.table.at);
  return {
    type: 'INSERT',
    bytes: translated.bytes,
    tablesRead: translated.tables.length,
    result: null,
    dmlRows: rows,
  };
}

/** Rows of a DuckDB query by position into these columns, NULL into the others; how many. @throws BigQueryError `invalidQuery` */
export async function insertRows(
  run: StatementRun,
  table: Table,
  columns: readonly Field[],
  query: string,
  at: number,
): Promise<number> {
  const given = await outputFields(run.sql, query);
  if (given.length !== columns.length)
    throw faultAt(
      run.context.script,
      at,
      `Inserted row has wrong column count; Has ${given.length}, expected ${columns.length}`,
    );
  columns.forEach((column, index) => {
    const source = given[index];
    if (source && !isAssignable(source, column))
      throw faultAt(
        run.context.script,
        at,
        `Query column ${index + 1} has type ${sqlName(source)} which cannot be inserted into column ${column.name}, which has type ${sqlName(column)}`,
      );
  });
  const missing = table.fields.find((field) => field.mode === 'REQUIRED' && !columns.includes(field));
  if (missing) throw new BigQueryError('invalidQuery', `Required field ${missing.name} cannot be null`, 'query');
  const casts = columns.map((column, index) => `CAST(c${index} AS ${columnType(column)})`).join(', ');
  const aliases = columns.map((_, index) => `c${index}`).join(', ');
  const names = identifiers(columns.map((column) => column.name));
  await run.sql.run(`CREATE OR REPLACE TEMP TABLE inserted AS SELECT ${casts} FROM (${query}) AS source(${aliases})`);
  await refuseNulls(run, columns);
  await run.sql.run(`INSERT INTO ${physicalName(table)} (${names}) SELECT * FROM temp.inserted`);
  const { rows } = await run.sql.one('SELECT count(*) AS rows FROM temp.inserted');
  await run.sql.run('DROP TABLE temp.inserted');
  await run.changed(table);
  return Number(rows);
}

/** `(1, 'a')` as items of a SELECT with names of their own; literals take the type of their column. */
function namedItems(
  script: string,
  items: readonly Stretch[],
  columns: readonly Field[],
): readonly (string | Stretch)[] {
  return items.flatMap((item, index) => {
    const type = coercedLiteral(script.slice(item.at, item.end), columns[index]);
    const value = type === null ? [item] : ['CAST(', item, ` AS ${type})`];
    return [index > 0 ? ', ' : '', ...value, ` AS c${index}`];
  });
}

async function refuseNulls(run: StatementRun, columns: readonly Field[]): Promise<void> {
  const names = (await run.sql.describe('SELECT * FROM temp.inserted')).map((column) => column.name);
  for (const [index, column] of columns.entries()) {
    if (column.mode !== 'REQUIRED') continue;
    const { rows } = await run.sql.one(
      `SELECT count(*) AS rows FROM temp.inserted WHERE ${identifier(names[index] ?? '')} IS NULL`,
    );
    if (Number(rows) > 0)
      throw new BigQueryError('invalidQuery', `Required field ${column.name} cannot be null`, 'query');
  }
}

/** The type that a literal is to be read as; null where it has its own. @source GoogleSQL, "Conversion rules", literal coercion */
function coercedLiteral(text: string, column: Field | undefined): string | null {
  if (!column || column.mode === 'REPEATED') return null;
  const isNumber = /^-?\s*[\d.]+$/.test(text);
  const isText = /^['"]/.test(text);
  const fits =
    (isNumber && ['NUMERIC', 'BIGNUMERIC', 'FLOAT'].includes(column.type)) ||
    (isText && ['DATE', 'TIMESTAMP'].includes(column.type));
  return fits || text.toUpperCase() === 'NULL' ? sqlName(column) : null;
}
