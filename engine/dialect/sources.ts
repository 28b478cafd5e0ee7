/** FROM -> DuckDB text, and what it brings into scope. */
import { didYouMean } from '../../core/did-you-mean.ts';
import type { FromItem } from '../../core/google-sql/ast.ts';
import { invalid } from '../../core/google-sql/lexer.ts';
import { identifier, identifiers } from '../sql-text.ts';
import { renderCondition, renderExpression, type Scope } from './expression.ts';
import { renderPivot, renderUnpivot } from './pivots.ts';
import { type Environment, type Relation, type Sources, sourceScope } from './scopes.ts';
import { commonType, INT64, type SqlType, sqlTypeOf, UNKNOWN } from './types.ts';

export function renderFrom(from: FromItem, environment: Environment): Sources {
  switch (from.kind) {
    case 'table':
      return renderTable(from, environment);
    case 'subquery': {
      const inner = environment.render(from.query, environment);
      const alias = from.alias ?? `subquery_${from.at}`;
      return {
        text: `(${inner.text}) AS ${identifier(alias)}`,
        relations: [{ alias, columns: inner.columns }],
        merged: new Map(),
      };
    }
    case 'unnest':
      return renderUnnest(from, sourceScope({ text: '', relations: [], merged: new Map() }, environment));
    case 'join':
      return renderJoin(from, environment);
    case 'pivot':
      return renderPivot(from, renderFrom(from.source, environment), environment);
    case 'unpivot':
      return renderUnpivot(from, renderFrom(from.source, environment), environment);
  }
}

function renderTable(from: Extract<FromItem, { kind: 'table' }>, environment: Environment): Sources {
  const [name = '', layer = null, project = null] = [...from.path].reverse();
  const alias = from.alias ?? name;
  const cte = layer === null ? environment.ctes.get(name.toLowerCase()) : undefined;
  if (cte !== undefined) {
    return {
      text: `${identifier(name)} AS ${identifier(alias)}`,
      relations: [{ alias, columns: cte }],
      merged: new Map(),
    };
  }
  const relation = environment.tables.table(layer, name, project);
  if (relation === null) {
    const written = from.path.join('.');
    const meant =
      didYouMean(written, environment.tables.known) ??
      environment.tables.known.find((known) => known.endsWith(`.${name}`));
    throw invalid(
      environment.text,
      from.at,
      `There is no table ${written}.`,
      meant ? `Did you mean ${meant}?` : knownTablesHint(environment.tables.known),
    );
  }
  const columns =
    environment.tables
      .columns(layer, name, project)
      ?.map((column) => ({ name: column.name, type: sqlTypeOf(column.type) })) ?? null;
  return { text: `${relation} AS ${identifier(alias)}`, relations: [{ alias, columns }], merged: new Map() };
}

function knownTablesHint(known: readonly string[]): string | null {
  return known.length === 0 ? null : `There are ${known.join(', ')}.`;
}

/** Elements as rows; those of structs as columns, one a field. */
function renderUnnest(from: Extract<FromItem, { kind: 'unnest' }>, scope: Scope): Sources {
  const array = renderExpression(from.array, scope);
  const alias = from.alias ?? `unnest_${from.at}`;
  const type = array.type.kind === 'ARRAY' ? array.type.element : UNKNOWN;
  if (from.offset === null && type.kind !== 'STRUCT') {
    const text = `unnest(${array.text}) AS ${identifier(alias)}(${identifier(alias)})`;
    return { text, relations: [{ alias, columns: [{ name: alias, type }] }], merged: new Map() };
  }
  const elements = type.kind === 'STRUCT' ? type.fields : [{ name: alias, type }];
  const depth = type.kind === 'STRUCT' ? ', max_depth := 2' : '';
  const places = from.offset === null ? '' : `, unnest(range(len(${array.text})))`;
  const columns = [...elements, ...(from.offset === null ? [] : [{ name: from.offset, type: INT64 }])];
  const text = `(SELECT unnest(${array.text}${depth})${places}) AS ${identifier(alias)}(${identifiers(columns.map(({ name }) => name))})`;
  return { text, relations: [{ alias, columns }], merged: new Map() };
}

function renderJoin(from: Extract<FromItem, { kind: 'join' }>, environment: Environment): Sources {
  const left = renderFrom(from.left, environment);
  // An array may be made of columns of what stands left of it.
  const right =
    from.right.kind === 'unnest'
      ? renderUnnest(from.right, sourceScope(left, environment))
      : renderFrom(from.right, environment);
  const relations = [...left.relations, ...right.relations];
  refuseDoubleAliases(relations, from.at, environment);
  const merged = new Map([...left.merged, ...right.merged]);
  for (const name of from.using)
    merged.set(name.toLowerCase(), { name, type: mergedType(name, left, right, from.at, environment) });
  const sources = { relations, merged, text: '' };
  const condition = from.on
    ? ` ON ${renderCondition(from.on, sourceScope(sources, environment)).text}`
    : from.using.length > 0
      ? ` USING (${identifiers(from.using)})`
      : from.type === 'CROSS'
        ? ''
        : ' ON TRUE';
  const nested = from.right.kind === 'join' ? `(${right.text})` : right.text;
  return { ...sources, text: `${left.text} ${from.type} JOIN ${nested}${condition}` };
}

function refuseDoubleAliases(relations: readonly Relation[], at: number, environment: Environment): void {
  const seen = new Set<string>();
  for (const { alias } of relations) {
    if (seen.has(alias.toLowerCase()))
      throw invalid(
        environment.text,
        at,
        `FROM has two tables called “${alias}”.`,
        'Give one of them another name with AS.',
      );
    seen.add(alias.toLowerCase());
  }
}

function mergedType(name: string, left: Sources, right: Sources, at: number, environment: Environment): SqlType {
  const sides = [left, right].map((side) => sourceScope(side, { ...environment, outer: null }).column([name], at));
  return commonType(sides) ?? UNKNOWN;
}
