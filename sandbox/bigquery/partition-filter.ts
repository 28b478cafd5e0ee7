/** A query's conditions -> which of them choose partitions of a table, and which table lacks one that must be there. */
import {
  type Expression,
  type FromItem,
  fromLeaves,
  operandsOf,
  type Query,
  type QueryBody,
  type Select,
  walkQuery,
} from '../../core/google-sql/ast.ts';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { renderExpression, type Scope } from '../../engine/dialect/expression.ts';
import { DATE, sql, TIMESTAMP, UNKNOWN } from '../../engine/dialect/types.ts';
import { identifier } from '../../engine/sql-text.ts';
import type { Table } from './catalog.ts';

type FindTable = (layer: string | null, name: string) => Table | null;

/** One reading of a table, with the conditions on its partition column that the query sets with constants. */
interface Reading {
  readonly table: Table;
  readonly conditions: readonly Expression[];
}

/**
 * The first table that demands a partition filter and is read without one.
 *
 * @source BigQuery, "Querying partitioned tables", require a partition filter: a condition that is true for whole partitions,
 *   joined by AND; one under OR counts where every branch has one
 */
export function unfilteredTable(query: Query, find: FindTable): Table | null {
  return (
    readingsOf(query, find).find(({ table, conditions }) => table.requirePartitionFilter && conditions.length === 0)
      ?.table ?? null
  );
}

/** A DuckDB condition for the rows whose partitions are read; null: all partitions. */
export function prunedPartitions(query: Query, text: string, table: Table, find: FindTable): string | null {
  const readings = readingsOf(query, find).filter((reading) => reading.table.physical === table.physical);
  const parts: string[] = [];
  for (const { conditions } of readings) {
    const rendered = conditions.flatMap((condition) => renderCondition(condition, text, table));
    if (rendered.length === 0) return null;
    parts.push(`(${rendered.join(' AND ')})`);
  }
  return parts.length === 0 ? null : parts.join(' OR ');
}

function renderCondition(condition: Expression, text: string, table: Table): readonly string[] {
  if (!namesOnly(condition, table.partitioning?.field ?? '')) return [];
  const type = table.fields.find((field) => field.name.toLowerCase() === table.partitioning?.field.toLowerCase())?.type;
  const column = sql(
    identifier(table.partitioning?.field ?? ''),
    type === 'DATE' ? DATE : type === 'TIMESTAMP' ? TIMESTAMP : UNKNOWN,
  );
  const scope: Scope = {
    text,
    parameters: {},
    column: () => column,
    subquery: () => {
      throw new Error('a partition condition has no subquery');
    },
  };
  try {
    return [renderExpression(condition, scope).text];
  } catch (thrown) {
    if (thrown instanceof SqlFaultError) return [];
    throw thrown;
  }
}

function namesOnly(expression: Expression, column: string): boolean {
  if (expression.kind === 'column') return same(expression.path.at(-1) ?? '', column);
  return operandsOf(expression).every((operand) => namesOnly(operand, column));
}

/** What the query around sets with constants on a column of this query's result. */
type Pushed = (column: string) => readonly Expression[];
const NOTHING: Pushed = () => [];
type Ctes = ReadonlyMap<string, Query>;

function readingsOf(query: Query, find: FindTable): readonly Reading[] {
  const readings: Reading[] = [];
  readQuery(query, NOTHING, new Map(), find, readings);
  return readings;
}

function readQuery(query: Query, pushed: Pushed, outer: Ctes, find: FindTable, readings: Reading[]): void {
  const ctes = new Map(outer);
  for (const cte of query.with) ctes.set(cte.name.toLowerCase(), cte.query);
  // A limit chooses rows before the outer condition does, so nothing may be pushed below it.
  readBody(query.body, query.limit === null ? pushed : NOTHING, ctes, find, readings);
}

function readBody(body: QueryBody, pushed: Pushed, ctes: Ctes, find: FindTable, readings: Reading[]): void {
  switch (body.kind) {
    case 'nested':
      readQuery(body.query, pushed, ctes, find, readings);
      return;
    case 'set':
      for (const input of body.inputs) readBody(input, pushed, ctes, find, readings);
      return;
    case 'select':
      readSelect(body, pushed, ctes, find, readings);
  }
}

function readSelect(select: Select, pushed: Pushed, ctes: Ctes, find: FindTable, readings: Reading[]): void {
  const leaves = fromLeaves(select.from);
  for (const leaf of leaves) {
    if (leaf.kind === 'unnest') continue;
    const name = leaf.kind === 'table' ? (leaf.path.at(-1) ?? '') : '';
    const alias = leaf.alias ?? name;
    const isOnly = leaves.length === 1;
    const conditions = [...conjuncts(select.where), ...joinConditions(select.from, leaf)];
    const on: Pushed = (column) => [
      ...conditions.filter((condition) => choosesBy(condition, column, alias)),
      ...pushedTo(select, column, alias, isOnly, pushed),
    ];
    if (leaf.kind === 'subquery') {
      readQuery(leaf.query, on, ctes, find, readings);
      continue;
    }
    const layer = leaf.path.length > 1 ? (leaf.path[0] ?? null) : null;
    const cte = layer === null ? ctes.get(name.toLowerCase()) : undefined;
    if (cte) {
      readQuery(cte, on, withoutCte(ctes, name), find, readings);
      continue;
    }
    const table = find(layer, name);
    if (table) readings.push({ table, conditions: table.partitioning ? on(table.partitioning.field) : [] });
  }
  readSubqueries(select, ctes, find, readings);
}

function withoutCte(ctes: Ctes, name: string): Ctes {
  const rest = new Map(ctes);
  rest.delete(name.toLowerCase());
  return rest;
}

/** Queries inside expressions stand by themselves. */
function readSubqueries(select: Select, ctes: Ctes, find: FindTable, readings: Reading[]): void {
  const bare: Query = {
    at: select.at,
    with: [],
    recursive: false,
    body: { kind: 'select', ...select, from: null },
    orderBy: [],
    limit: null,
    offset: null,
  };
  walkQuery(bare, {
    query: (inner) => {
      if (inner === bare) return true;
      readQuery(inner, NOTHING, ctes, find, readings);
      return false;
    },
  });
}

/** Conditions of the query around on a result column that is this table's column unchanged. */
function pushedTo(
  select: Select,
  column: string,
  alias: string,
  isOnly: boolean,
  pushed: Pushed,
): readonly Expression[] {
  return select.items.flatMap((item) => {
    if (item.kind === 'star') {
      const isMeant = item.qualifier === null ? isOnly : same(item.qualifier, alias);
      return isMeant ? pushed(column) : [];
    }
    if (item.expression.kind !== 'column' || !isColumn(item.expression, column, alias)) return [];
    return pushed(item.alias ?? column);
  });
}

function conjuncts(condition: Expression | null): readonly Expression[] {
  if (condition === null) return [];
  if (condition.kind === 'binary' && condition.operator === 'AND')
    return [...conjuncts(condition.left), ...conjuncts(condition.right)];
  return [condition];
}

/** ON filters both sides of an inner join, and of an outer one the side that may be missing. */
function joinConditions(from: FromItem | null, leaf: FromItem): readonly Expression[] {
  if (from?.kind !== 'join') return [];
  const isLeft = holds(from.left, leaf);
  const isFiltered = from.type === 'INNER' || (from.type === 'LEFT' && !isLeft) || (from.type === 'RIGHT' && isLeft);
  return [...joinConditions(isLeft ? from.left : from.right, leaf), ...(isFiltered ? conjuncts(from.on) : [])];
}

function holds(from: FromItem, leaf: FromItem): boolean {
  return from === leaf || (from.kind === 'join' && (holds(from.left, leaf) || holds(from.right, leaf)));
}

/** Does the condition compare the column itself with constants? */
function choosesBy(condition: Expression, column: string, alias: string): boolean {
  switch (condition.kind) {
    case 'binary': {
      if (condition.operator === 'OR' || condition.operator === 'AND') {
        const sides = [condition.left, condition.right].map((side) => choosesBy(side, column, alias));
        return condition.operator === 'OR' ? sides.every(Boolean) : sides.some(Boolean);
      }
      if (!['=', '<', '<=', '>', '>='].includes(condition.operator)) return false;
      const [left, right] = [condition.left, condition.right];
      return (
        (isColumn(left, column, alias) && isConstant(right)) || (isColumn(right, column, alias) && isConstant(left))
      );
    }
    case 'between':
      return (
        !condition.negated &&
        isColumn(condition.operand, column, alias) &&
        isConstant(condition.low) &&
        isConstant(condition.high)
      );
    case 'in': {
      if (condition.negated || !isColumn(condition.operand, column, alias)) return false;
      const { source } = condition;
      if (source.kind === 'list') return source.items.every(isConstant);
      return source.kind === 'unnest' && isConstant(source.array);
    }
    case 'is':
      return isColumn(condition.operand, column, alias) && condition.what === 'NULL';
    default:
      return false;
  }
}

function isColumn(expression: Expression, column: string, alias: string): boolean {
  if (expression.kind !== 'column') return false;
  const [first = '', second] = expression.path;
  return second === undefined ? same(first, column) : same(first, alias) && same(second, column);
}

function isConstant(expression: Expression): boolean {
  if (expression.kind === 'column' || expression.kind === 'subquery') return false;
  if (expression.kind === 'in' && expression.source.kind === 'query') return false;
  return operandsOf(expression).every(isConstant);
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
