/** A table's keys and the silver rows that readers see -> the SQL that judges foreign keys, collisions and duplicates. Pure. */
import { PipelineError } from '../../core/errors.ts';
import type { ForeignKeySpec, TableSpec } from '../../core/spec.ts';
import type { ColumnSchema } from '../../core/types.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, identifiers, literal } from '../../engine/sql-text.ts';
import { type HeldSilver, heldRows } from './held-silver.ts';
import { REASON_SEPARATOR } from './plan-base.ts';

export const KEY_COLLISION = 'key_collision';

/**
 * Puts the reason on every row whose foreign key names no parent. A null is no orphan, an exempt value neither.
 * `parents` is SELECT text with one column, `value`.
 */
export function markOrphans(key: ForeignKeySpec, column: ColumnSchema, parents: string): readonly string[] {
  const name = identifier(key.column);
  const exempt = key.exempt === null ? '' : `AND CAST(${name} AS VARCHAR) NOT LIKE ${literal(key.exempt)}`;
  const reason = literal(key.reason);
  const marked = `list_contains(string_split(__reasons, ${literal(REASON_SEPARATOR)}), ${reason})`;
  return [
    `CREATE OR REPLACE TEMP TABLE orphans AS
     SELECT value FROM (SELECT DISTINCT ${name} AS value FROM scored WHERE ${name} IS NOT NULL ${exempt})
     ANTI JOIN (SELECT TRY_CAST(value AS ${duckDbType(column.type)}) AS value FROM (${parents})) USING (value)`,
    `UPDATE scored SET __reasons = concat_ws(${literal(REASON_SEPARATOR)}, __reasons, ${reason})
     WHERE ${name} IN (SELECT value FROM orphans) AND (__reasons IS NULL OR NOT ${marked})`,
  ];
}

/**
 * Makes the temporary table `ranked` and marks the losers: only keys that occur twice, in the batch or between batch and silver,
 * are compared. The key's first known identity stands: valid rows with another one become `key_collision`. Of the rest the first in
 * the table's order wins; a losing row of the batch is a duplicate, a losing row of silver is in `beaten`.
 */
export function rankKeys(table: TableSpec, output: readonly ColumnSchema[], held: HeldSilver): readonly string[] {
  const order = orderOf(table, output);
  const names = [
    ...new Set([...table.primaryKey, ...table.identity, ...order.map(({ name }) => name), 'bronze_partition']),
  ];
  const columns = output.filter((column) => names.includes(column.name));
  const selected = identifiers(columns.map((column) => column.name));
  const newest = [...order.map((term) => orderTerm(term)), 'bronze_partition', '__file', '__row'].join(', ');
  const oldest = [...order.map((term) => orderTerm(term, true)), 'bronze_partition DESC', '__file DESC', '__row DESC'];
  const key = identifiers(table.primaryKey);
  const isOther = table.identity.map((name) => `${identifier(name)} IS DISTINCT FROM ${identifier(`__known_${name}`)}`);
  const known = table.identity.map(
    (name) => `first_value(${identifier(name)}) OVER first_seen AS ${identifier(`__known_${name}`)}`,
  );
  return [
    `CREATE TEMP TABLE held AS
     SELECT ${selected}, __held_file, __held_row, hash(${key}) AS __key FROM (${heldRows(held, columns)})
     WHERE hash(${key}) IN (SELECT __key FROM scored WHERE __reasons IS NULL)`,
    `CREATE TEMP TABLE contenders AS
     SELECT ${selected}, __file, __row, NULL::INTEGER AS __held_file, NULL::BIGINT AS __held_row FROM scored
     WHERE __reasons IS NULL AND __key IN (
       SELECT __key FROM scored WHERE __reasons IS NULL GROUP BY __key HAVING count(*) > 1 UNION ALL SELECT __key FROM held)
     UNION ALL
     SELECT ${selected}, NULL AS __file, NULL AS __row, __held_file, __held_row FROM held`,
    ...(table.identity.length > 0
      ? [
          `CREATE TEMP TABLE collisions AS
           SELECT __file, __row FROM (
             SELECT *, ${known.join(', ')} FROM contenders
             WINDOW first_seen AS (PARTITION BY ${key} ORDER BY __file IS NULL DESC, ${oldest.join(', ')}))
           WHERE __file IS NOT NULL AND (${isOther.join(' OR ')})`,
          `UPDATE scored SET __reasons = ${literal(KEY_COLLISION)} FROM collisions c
           WHERE scored.__file = c.__file AND scored.__row = c.__row`,
          'DELETE FROM contenders USING collisions c WHERE contenders.__file = c.__file AND contenders.__row = c.__row',
        ]
      : []),
    `CREATE TEMP TABLE ranked AS
     SELECT __file, __row, __held_file, __held_row, row_number() OVER best AS __rank, first_value(__file) OVER best AS __winner_file
     FROM contenders WINDOW best AS (PARTITION BY ${key} ORDER BY ${newest})`,
    `UPDATE scored SET __duplicate = true FROM ranked r
     WHERE r.__rank > 1 AND scored.__file = r.__file AND scored.__row = r.__row`,
    `CREATE TEMP TABLE beaten AS
     SELECT __held_file, __held_row, __winner_file FROM ranked WHERE __rank > 1 AND __held_file IS NOT NULL`,
  ];
}

interface OrderTerm {
  readonly name: string;
  readonly isDescending: boolean;
}

const DEFAULT_ORDER = ['ingestion_ts desc', 'event_id desc'];

/** @throws PipelineError `spec_invalid` for an order that names no column */
function orderOf(table: TableSpec, output: readonly ColumnSchema[]): readonly OrderTerm[] {
  const written = table.orderBy.length > 0 ? table.orderBy : DEFAULT_ORDER;
  const terms = written.map((text) => {
    const [, name, direction] = /^\s*(\w+)(?:\s+(asc|desc))?\s*$/i.exec(text) ?? [];
    if (name !== undefined && output.some((column) => column.name === name)) {
      return { name, isDescending: direction?.toLowerCase() !== 'asc' };
    }
    throw new PipelineError(
      'spec_invalid',
      `silver.${table.name}: dedupe orders by “${text}”, which is no column followed by asc or desc. ` +
        `Correct ${table.location.file}:${table.location.line}.`,
      { context: { table: table.name } },
    );
  });
  return terms.some(({ name }) => name === 'event_id') ? terms : [...terms, { name: 'event_id', isDescending: true }];
}

function orderTerm({ name, isDescending }: OrderTerm, isReversed = false): string {
  const direction = isDescending === isReversed ? 'ASC' : 'DESC';
  return `${identifier(name)} ${direction} NULLS ${isReversed ? 'FIRST' : 'LAST'}`;
}
