/** What a name means at a place of a query: columns of FROM, of the query around, or of SELECT's own list. */
import { didYouMean } from '../../core/did-you-mean.ts';
import type { Expression, Query } from '../../core/google-sql/ast.ts';
import { invalid } from '../../core/google-sql/lexer.ts';
import type { ColumnSchema } from '../../core/types.ts';
import { identifier } from '../sql-text.ts';
import { fieldOf, type Parameters, type Scope } from './expression.ts';
import { type Sql, type SqlType, sql, UNKNOWN } from './types.ts';

export interface QueryTables {
  /** DuckDB relation text of a table; null where there is none of that name. `layer` and `project` are null where none is written. */
  table(layer: string | null, name: string, project: string | null): string | null;
  /** Its columns; null where they are not known. Known columns make types exact and misspelt names faults. */
  columns(layer: string | null, name: string, project: string | null): readonly ColumnSchema[] | null;
  /** For the hint where a table is not found. */
  readonly known: readonly string[];
}

export interface Column {
  readonly name: string;
  readonly type: SqlType;
  /** `0.5` by itself: GoogleSQL may still make a NUMERIC of it. */
  readonly isFloatLiteral?: boolean;
}

/** Null: not known. */
export type Columns = readonly Column[] | null;

export interface Relation {
  readonly alias: string;
  readonly columns: Columns;
}

export interface Environment {
  readonly text: string;
  readonly parameters: Parameters;
  readonly tables: QueryTables;
  readonly ctes: ReadonlyMap<string, Columns>;
  /** Of a query inside of another. */
  readonly render: (query: Query, environment: Environment) => Rendered;
  /** The scope around a subquery. */
  readonly outer: Scope | null;
}

export interface Rendered {
  readonly text: string;
  readonly columns: Columns;
}

/** What FROM brings into scope. */
export interface Sources {
  readonly text: string;
  readonly relations: readonly Relation[];
  /** Columns of USING, which have no qualifier; by lower-case name. */
  readonly merged: ReadonlyMap<string, Column>;
}

/** An output column of a SELECT as the later clauses see it. */
export interface Output extends Column {
  readonly value: Sql;
  readonly expression: Expression;
}

export function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function baseScope(environment: Environment, column: Scope['column']): Scope {
  const scope: Scope = {
    text: environment.text,
    parameters: environment.parameters,
    column,
    subquery: (query) => {
      const inner = environment.render(query, { ...environment, outer: scope });
      const types = inner.columns?.map((each) => each.type);
      if (types && types.length !== 1)
        throw invalid(environment.text, query.at, `A subquery in an expression has one column, not ${types.length}.`);
      return { text: inner.text, type: types?.[0] ?? UNKNOWN };
    },
  };
  return scope;
}

/** Names mean columns of FROM, else of the query around. */
export function sourceScope(sources: Sources, environment: Environment): Scope {
  const scope = baseScope(environment, (path, at) => {
    const found = findColumn(path, sources, scope, at);
    if (found) return found;
    if (environment.outer) return environment.outer.column(path, at);
    const [first = '', second] = path;
    if (second !== undefined && sources.relations.length > 0) throw unknownTable(first, sources, scope, at);
    const columns = sources.relations.flatMap((relation) => relation.columns ?? []);
    throw unknownColumn(first, columns, scope, at);
  });
  return scope;
}

function findColumn(path: readonly string[], sources: Sources, scope: Scope, at: number): Sql | null {
  const [first = '', second, ...fields] = path;
  const relation = sources.relations.find((candidate) => sameName(candidate.alias, first));
  if (second !== undefined && relation)
    return fieldsOf(columnOfRelation(relation, second, scope, at), fields, scope, at);
  if (second !== undefined) {
    const holdsStruct = sources.relations.some(({ columns }) => columns?.some(({ name }) => sameName(name, first)));
    const value = holdsStruct ? findColumn([first], sources, scope, at) : null;
    return value ? fieldsOf(value, [second, ...fields], scope, at) : null;
  }
  const merged = sources.merged.get(first.toLowerCase());
  if (merged) return sql(identifier(merged.name), merged.type);
  const holders = sources.relations.filter((relation) =>
    relation.columns?.some((column) => sameName(column.name, first)),
  );
  const [holder, other] = holders;
  if (holder && other) {
    throw invalid(
      scope.text,
      at,
      `“${first}” is a column of ${holder.alias} and of ${other.alias}.`,
      `Write ${holder.alias}.${first} or ${other.alias}.${first}.`,
    );
  }
  if (holder) return columnOfRelation(holder, first, scope, at);
  return sources.relations.some((relation) => relation.columns === null) ? sql(identifier(first), UNKNOWN) : null;
}

function fieldsOf(value: Sql, names: readonly string[], scope: Scope, at: number): Sql {
  return names.reduce((struct, name) => fieldOf(struct, name, scope, at), value);
}

function columnOfRelation(relation: Relation, name: string, scope: Scope, at: number): Sql {
  const column = relation.columns?.find((candidate) => sameName(candidate.name, name));
  if (!column && relation.columns) throw unknownColumn(name, relation.columns, scope, at);
  return sql(`${identifier(relation.alias)}.${identifier(column?.name ?? name)}`, column?.type ?? UNKNOWN);
}

export function unknownColumn(name: string, columns: readonly Column[], scope: Scope, at: number): Error {
  const names = columns.map((column) => column.name);
  const meant = didYouMean(name, names);
  const hint = meant ? `Did you mean ${meant}?` : names.length > 0 ? `There are ${names.join(', ')}.` : null;
  return invalid(scope.text, at, `There is no column “${name}” here.`, hint);
}

export function unknownTable(name: string, sources: Sources, scope: Scope, at: number): Error {
  const aliases = sources.relations.map((relation) => relation.alias);
  const meant = didYouMean(name, aliases);
  const hint = meant ? `Did you mean ${meant}?` : aliases.length > 0 ? `FROM has ${aliases.join(', ')}.` : null;
  return invalid(scope.text, at, `“${name}” is no table of this FROM.`, hint);
}

/** HAVING and QUALIFY also see the names that SELECT gives, before columns of the same name; such a name stands for its expression. */
export function aliasScope(outputs: readonly Output[], rows: Scope, environment: Environment): Scope {
  return baseScope(environment, (path, at) => {
    const [name = ''] = path;
    const output = path.length === 1 ? outputs.find((candidate) => sameName(candidate.name, name)) : undefined;
    return output ? notOrdinal(output.value) : rows.column(path, at);
  });
}

/** A name that stands for the literal 2 does not mean the second column. */
export function notOrdinal(value: Sql): Sql {
  return value.literal?.kind === 'int' ? sql(`CAST(${value.text} AS BIGINT)`, value.type) : value;
}

/** In ORDER BY a name by itself is an output column first, for both engines. */
export function orderScope(outputs: readonly Output[], aliased: Scope): Scope {
  return {
    ...aliased,
    column: (path, at) => {
      const output =
        path.length === 1 ? outputs.find((candidate) => sameName(candidate.name, path[0] ?? '')) : undefined;
      return output ? notOrdinal(output.value) : aliased.column(path, at);
    },
  };
}

/** After DISTINCT: the names that SELECT gives, and the columns that it selects by themselves. */
export function distinctScope(
  { columns, outputs }: { readonly columns: Columns; readonly outputs: readonly Output[] },
  environment: Environment,
): Scope {
  const named = outputScope(columns, environment);
  return baseScope(environment, (path, at) => {
    const isSame = ({ expression }: Output) =>
      expression.kind === 'column' && path.join('.').toLowerCase() === expression.path.join('.').toLowerCase();
    return outputs.find(isSame)?.value ?? named.column(path, at);
  });
}

/** After a set operation only output columns have names. */
export function outputScope(columns: Columns, environment: Environment): Scope {
  const scope = baseScope(environment, (path, at) => {
    const [name = ''] = path;
    const column = columns?.find((candidate) => sameName(candidate.name, name));
    if (columns && !column) throw unknownColumn(name, columns, scope, at);
    return sql(identifier(column?.name ?? name), column?.type ?? UNKNOWN);
  });
  return scope;
}
