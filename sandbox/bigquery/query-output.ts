/** A DuckDB query -> the columns that BigQuery would give for it, and the same query with the types of a table. */
import { identifier } from '../../engine/sql-text.ts';
import type { Sql } from './database.ts';
import { columnType, type Field, fieldOfDuckDbType, isSameType } from './table-schema.ts';

export async function outputFields(sql: Sql, query: string): Promise<readonly Field[]> {
  return (await sql.describe(query)).map(({ name, type }) => fieldOfDuckDbType(name, type));
}

/** The query's columns by name as the types of `wanted`; NULL for those that it has not. */
export function castColumns(wanted: readonly Field[], given: readonly Field[], query: string): string {
  const columns = wanted.map((field) => {
    const source = given.find((each) => each.name.toLowerCase() === field.name.toLowerCase());
    const value = source ? identifier(source.name) : 'NULL';
    return `CAST(${value} AS ${columnType(field)}) AS ${identifier(field.name)}`;
  });
  return `SELECT ${columns.join(', ')} FROM (${query})`;
}

/**
 * @source GoogleSQL, "Conversion rules", coercion: INT64 to NUMERIC, BIGNUMERIC and FLOAT64; NUMERIC to BIGNUMERIC and FLOAT64
 */
export function isAssignable(source: Field, target: Field): boolean {
  if ((source.mode === 'REPEATED') !== (target.mode === 'REPEATED')) return false;
  const wider: { readonly [type: string]: readonly string[] } = {
    INTEGER: ['NUMERIC', 'BIGNUMERIC', 'FLOAT'],
    NUMERIC: ['BIGNUMERIC', 'FLOAT'],
    BIGNUMERIC: ['FLOAT'],
  };
  if (source.type === target.type) return isSameType({ ...source, name: target.name }, target);
  return source.mode !== 'REPEATED' && (wider[source.type]?.includes(target.type) ?? false);
}
