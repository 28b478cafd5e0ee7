/** PIVOT and UNPIVOT -> DuckDB text by plain aggregates and rows of constants. */
import { type Expression, type Pivot, type Unpivot, walkExpression } from '../../core/google-sql/ast.ts';
import { identifier, literal } from '../sql-text.ts';
import { refuse, renderExpression, type Scope } from './expression.ts';
import { type Column, type Environment, type Sources, sameName, sourceScope } from './scopes.ts';
import { type Sql, STRING } from './types.ts';

/** PIVOT and UNPIVOT read one relation, whose columns must be known. */
function knownColumns(from: Pivot | Unpivot, sources: Sources, environment: Environment): readonly Column[] {
  const columns = sources.relations.length === 1 ? sources.relations[0]?.columns : null;
  if (columns) return columns;
  throw refuse(
    sourceScope(sources, environment),
    from.at,
    sources.relations.length === 1
      ? 'The columns of what is turned are not known here.'
      : 'Several tables cannot be turned at once.',
    'Turn a subquery that names its columns.',
  );
}

/** Aggregates that pass over NULL, so that a value of another group can be hidden as NULL. */
const PIVOT_AGGREGATES = new Set([
  'COUNT',
  'COUNTIF',
  'SUM',
  'AVG',
  'MIN',
  'MAX',
  'ANY_VALUE',
  'LOGICAL_AND',
  'LOGICAL_OR',
  'STRING_AGG',
  'STDDEV',
  'STDDEV_SAMP',
  'STDDEV_POP',
  'VARIANCE',
  'VAR_SAMP',
  'VAR_POP',
]);

/** One group for each combination of the columns that PIVOT does not name; one column for each value and aggregate. */
export function renderPivot(from: Pivot, sources: Sources, environment: Environment): Sources {
  const columns = knownColumns(from, sources, environment);
  const scope = sourceScope(sources, environment);
  const used = new Set<string>();
  for (const expression of [from.input, ...from.aggregates.map((each) => each.expression)]) {
    walkExpression(expression, {
      expression: (inner) => {
        if (inner.kind === 'column') used.add((inner.path.at(-1) ?? '').toLowerCase());
        return true;
      },
    });
  }
  const groups = columns.filter((column) => !used.has(column.name.toLowerCase()));
  const alias = from.alias ?? `pivot_${from.at}`;
  const pivoted = from.values.flatMap((value) =>
    from.aggregates.map((aggregate) => {
      const name = pivotName(value, aggregate.alias, from.aggregates.length, scope);
      return { name, value: pivotCell(aggregate.expression, from.input, value.expression, scope) };
    }),
  );
  const names = groups.map(({ name }) => `${identifier(sources.relations[0]?.alias ?? '')}.${identifier(name)}`);
  const texts = [
    ...groups.map(({ name }, index) => `${names[index]} AS ${identifier(name)}`),
    ...pivoted.map(({ name, value }) => `${value.text} AS ${identifier(name)}`),
  ];
  const grouping = names.length > 0 ? ` GROUP BY ${names.join(', ')}` : '';
  const text = `(SELECT ${texts.join(', ')} FROM ${sources.text}${grouping}) AS ${identifier(alias)}`;
  const turned = pivoted.map(({ name, value }) => ({ name, type: value.type }));
  return { text, relations: [{ alias, columns: [...groups, ...turned] }], merged: new Map() };
}

/** The value's name, behind the aggregate's where that has one. */
function pivotName(value: Pivot['values'][number], aggregate: string | null, count: number, scope: Scope): string {
  const { expression, alias } = value;
  const own = alias ?? (expression.kind === 'literal' && expression.type === 'STRING' ? expression.value : null);
  if (own === null || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(own))
    throw refuse(scope, expression.at, 'This value of PIVOT needs a name for its column.', "Write 'value' AS name.");
  if (aggregate === null && count > 1)
    throw refuse(scope, expression.at, 'Of several aggregates in PIVOT each needs a name.', 'Write SUM(x) AS name.');
  return aggregate === null ? own : `${aggregate}_${own}`;
}

function pivotCell(aggregate: Expression, input: Expression, value: Expression, scope: Scope): Sql {
  const { at } = aggregate;
  if (aggregate.kind !== 'call' || !PIVOT_AGGREGATES.has(aggregate.name))
    throw refuse(scope, at, 'PIVOT takes an aggregate that passes over NULL.', 'Write SUM, COUNT, MAX ….');
  const isValue: Expression = { kind: 'distinct_from', left: input, right: value, negated: true, at };
  const hidden = (expression: Expression): Expression => ({
    kind: 'case',
    operand: null,
    branches: [{ when: isValue, result: expression }],
    otherwise: null,
    at,
  });
  const one: Expression = { kind: 'literal', type: 'INT64', value: '1', at };
  const [first = one, ...rest] = aggregate.args;
  return renderExpression({ ...aggregate, star: false, args: [hidden(first), ...rest] }, scope);
}

/** One row for each row and column that is named; without those that are NULL, unless they are wanted. */
export function renderUnpivot(from: Unpivot, sources: Sources, environment: Environment): Sources {
  const columns = knownColumns(from, sources, environment);
  const scope = sourceScope(sources, environment);
  const turned = from.columns.map(({ name, text, at }) => ({ value: scope.column([name], at), text, at }));
  const [first] = turned;
  const kinds = new Set(turned.map(({ value }) => JSON.stringify(value.type)));
  if (!first || kinds.size > 1)
    throw refuse(scope, from.at, 'The columns of UNPIVOT have several types.', 'Cast them to one type in a subquery.');
  const kept = columns.filter(({ name }) => !from.columns.some((column) => sameName(column.name, name)));
  const alias = from.alias ?? `unpivot_${from.at}`;
  const source = sources.relations[0]?.alias ?? '';
  const rows = turned.map(({ value, text }) => `(${value.text}, ${literal(text)})`).join(', ');
  const texts = kept.map(({ name }) => `${identifier(source)}.${identifier(name)} AS ${identifier(name)}`);
  const pair = `${identifier(from.value)}, ${identifier(from.label)}`;
  const list = [...texts, pair].join(', ');
  const filter = from.includeNulls ? '' : ` WHERE ${identifier(from.value)} IS NOT NULL`;
  const text = `(SELECT ${list} FROM ${sources.text}, (VALUES ${rows}) AS "unpivoted"(${pair})${filter}) AS ${identifier(alias)}`;
  const all = [...kept, { name: from.value, type: first.value.type }, { name: from.label, type: STRING }];
  return { text, relations: [{ alias, columns: all }], merged: new Map() };
}
