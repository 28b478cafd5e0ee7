/** A GoogleSQL query -> one DuckDB SELECT with the same rows: names resolved, order of NULL and division made equal. */
import {
  type Expression,
  operandsOf,
  type Query,
  type QueryBody,
  type Select,
  type SelectItem,
  walkExpression,
  walkQuery,
} from '../../core/google-sql/ast.ts';
import { portableFunction } from '../../core/google-sql/functions.ts';
import { invalid, notPortable } from '../../core/google-sql/lexer.ts';
import { identifier, identifiers } from '../sql-text.ts';
import {
  type Parameters,
  refuse,
  renderCondition,
  renderExpression,
  renderOrderBy,
  renderWindow,
  type Scope,
} from './expression.ts';
import {
  aliasScope,
  type Column,
  type Columns,
  distinctScope,
  type Environment,
  notOrdinal,
  type Output,
  orderScope,
  outputScope,
  type QueryTables,
  type Relation,
  type Rendered,
  type Sources,
  sameName,
  sourceScope,
  unknownColumn,
  unknownTable,
} from './scopes.ts';
import { renderFrom } from './sources.ts';
import {
  coerced,
  commonType,
  duckDbTypeOf,
  isNested,
  NUMERIC_SCALE,
  numeric,
  type Sql,
  type SqlType,
  sql,
  UNKNOWN,
} from './types.ts';

/** @throws SqlFaultError */
export function renderStatement(query: Query, text: string, parameters: Parameters, tables: QueryTables): string {
  const rendered = renderQuery(query, { text, parameters, tables, ctes: new Map(), render: renderQuery, outer: null });
  refuseDoubleNames(rendered.columns, text, query);
  const civil = rendered.columns?.find((column) => column.type.kind === 'DATETIME');
  if (civil)
    throw notPortable(
      text,
      query.at,
      `The column “${civil.name}” is a DATETIME, which no table holds.`,
      "Write TIMESTAMP(value), DATE(value) or FORMAT_DATETIME('%F %T', value).",
    );
  return rendered.text;
}

function refuseDoubleNames(columns: Columns, text: string, query: Query): void {
  const seen = new Set<string>();
  for (const { name } of columns ?? []) {
    if (seen.has(name.toLowerCase())) {
      throw invalid(text, query.at, `Two columns of the result are called “${name}”.`, 'Name one of them with AS.');
    }
    seen.add(name.toLowerCase());
  }
}

function renderQuery(query: Query, around: Environment): Rendered {
  const ctes = new Map(around.ctes);
  const withs = query.with.map((cte) => {
    const inner = { ...around, ctes: new Map(ctes) };
    const rendered = query.recursive && readsItself(cte) ? renderRecursion(cte, inner) : renderQuery(cte.query, inner);
    ctes.set(cte.name.toLowerCase(), rendered.columns);
    return `${identifier(cte.name)} AS (${rendered.text})`;
  });
  const environment = { ...around, ctes };
  const body = renderBody(query.body, environment);
  const scope = body.orderScope;
  const parts = [
    withs.length > 0 ? `WITH ${query.recursive ? 'RECURSIVE ' : ''}${withs.join(', ')} ` : '',
    body.text,
    renderOrderBy(query.orderBy, scope),
    query.limit ? ` LIMIT ${renderExpression(query.limit, scope).text}` : '',
    query.offset ? ` OFFSET ${renderExpression(query.offset, scope).text}` : '',
  ];
  return { text: parts.join(''), columns: body.columns };
}

type Cte = Query['with'][number];

function readsItself({ name, query }: Cte): boolean {
  let found = false;
  walkQuery(query, {
    table: ({ path }) => {
      if (path.length === 1 && sameName(path[0] ?? '', name)) found = true;
    },
  });
  return found;
}

/**
 * `first UNION ALL step`, where only the step reads the name. Both give the types of the first; a NUMERIC has nine digits, since
 * DuckDB would round each step to the digits of the first.
 */
function renderRecursion({ name, query, at }: Cte, environment: Environment): Rendered {
  const fault = (message: string, hint: string) => notPortable(environment.text, at, `${name} ${message}`, hint);
  const { body } = query;
  const step = body.kind === 'set' ? body.inputs.at(-1) : undefined;
  const isPlain = query.orderBy.length === 0 && query.limit === null && query.with.length === 0;
  if (body.kind !== 'set' || !body.operator.startsWith('UNION') || step === undefined || !isPlain)
    throw fault('reads itself in another way than “first UNION ALL step”.', 'Order and limit where it is read.');
  const [only, ...others] = body.inputs.slice(0, -1);
  const first = renderBody(
    others.length === 0 && only ? only : { ...body, inputs: body.inputs.slice(0, -1) },
    environment,
  );
  if (first.columns === null) throw fault('has columns that are not known here.', 'Name them in a subquery.');
  const columns = first.columns.map((column) => {
    const { type } = column;
    if (type.kind === 'NULL' || type.kind === 'UNKNOWN' || isNested(type) || (type.kind === 'NUMERIC' && type.isBig))
      throw fault(`has a column “${column.name}” of no plain type.`, 'Cast it: CAST(NULL AS STRING).');
    return { name: column.name, type: type.kind === 'NUMERIC' ? numeric(NUMERIC_SCALE) : type };
  });
  const ctes = new Map(environment.ctes).set(name.toLowerCase(), columns);
  const next = renderBody(step, { ...environment, ctes });
  const isOther = columns.findIndex((column, index) => {
    const type = next.columns?.[index]?.type;
    const isTaken =
      column.type.kind === 'FLOAT64' || column.type.kind === 'NUMERIC'
        ? ['INT64', column.type.kind]
        : [column.type.kind];
    return type === undefined || !['NULL', ...isTaken].includes(type.kind);
  });
  if (next.columns?.length !== columns.length)
    throw fault('has steps with other columns than its first rows.', 'Select the same columns.');
  if (isOther >= 0)
    throw fault(
      `has ${columns[isOther]?.type.kind} in “${columns[isOther]?.name}” first and ${next.columns[isOther]?.type.kind} in its steps.`,
      'Cast both to one type.',
    );
  const operator = body.operator === 'UNION ALL' ? 'UNION ALL' : 'UNION';
  return { text: `${castInput(first, columns)} ${operator} ${castInput(next, columns)}`, columns };
}

/** Each column in its very type: DuckDB holds small numbers in 32 bits. */
function castInput({ text }: Rendered, columns: readonly Column[]): string {
  const names = columns.map((_, index) => identifier(`column_${index}`));
  const values = columns.map(
    ({ name, type }, index) => `CAST(${names[index]} AS ${duckDbTypeOf(type)}) AS ${identifier(name)}`,
  );
  return `(SELECT ${values.join(', ')} FROM (${text}) AS "input"(${names.join(', ')}))`;
}

function renderBody(body: QueryBody, environment: Environment): Rendered & { readonly orderScope: Scope } {
  switch (body.kind) {
    case 'select':
      return renderSelect(body, environment);
    case 'nested': {
      const inner = renderQuery(body.query, environment);
      return { text: `(${inner.text})`, columns: inner.columns, orderScope: outputScope(inner.columns, environment) };
    }
    case 'set': {
      const inputs = body.inputs.map((input) => renderBody(input, environment));
      const columns = combineColumns(
        inputs.map((input) => input.columns),
        body,
        environment,
      );
      const operator = {
        'UNION ALL': 'UNION ALL',
        'UNION DISTINCT': 'UNION',
        'INTERSECT DISTINCT': 'INTERSECT',
        'EXCEPT DISTINCT': 'EXCEPT',
      }[body.operator];
      return {
        text: inputs.map((input) => `(${alignedInput(input, columns)})`).join(` ${operator} `),
        columns,
        orderScope: outputScope(columns, environment),
      };
    }
  }
}

/** An input of a UNION with its numbers in the digits of the whole: DuckDB would keep the fewest of any input. */
function alignedInput({ text, columns: own }: Rendered, columns: Columns): string {
  const isAligned = columns?.every((column, index) => {
    const type = own?.[index]?.type;
    return column.type.kind !== 'NUMERIC' || (type?.kind === 'NUMERIC' && type.scale === column.type.scale);
  });
  if (columns === null || isAligned) return text;
  const names = columns.map((_, index) => identifier(`column_${index}`));
  const values = columns.map((column, index) => {
    const value = sql(names[index] ?? '', own?.[index]?.type ?? UNKNOWN);
    return `${coerced(value, column.type)} AS ${identifier(column.name)}`;
  });
  return `SELECT ${values.join(', ')} FROM (${text}) AS "input"(${names.join(', ')})`;
}

/** The columns of a UNION: names of the first input, types common to all. */
function combineColumns(inputs: readonly Columns[], body: QueryBody, environment: Environment): Columns {
  const [first, ...others] = inputs;
  if (!first || others.some((columns) => columns === null)) return null;
  const at = body.kind === 'set' && body.inputs[1]?.kind === 'select' ? body.inputs[1].at : 0;
  return first.map((column, index) => {
    const types = inputs.map((columns) => columns?.[index]?.type);
    if (inputs.some((columns) => columns?.length !== first.length)) {
      throw invalid(environment.text, at, 'The parts of this set operation have different numbers of columns.');
    }
    const type = commonType(types.map((each) => sql('', each ?? UNKNOWN)));
    const isFloatLiteral = inputs.some((columns) => columns?.[index]?.isFloatLiteral);
    if (isFloatLiteral && types.some((each) => each?.kind === 'NUMERIC'))
      throw refuse(
        outputScope(null, environment),
        at,
        `The column “${column.name}” is NUMERIC here and a number with a point there.`,
        "Write NUMERIC '0.5'.",
      );
    if (type === null)
      throw refuse(
        outputScope(null, environment),
        at,
        `The column “${column.name}” has several types here.`,
        'Cast them to one type.',
      );
    return { name: column.name, type };
  });
}

function renderSelect(select: Select, environment: Environment): Rendered & { readonly orderScope: Scope } {
  const sources = select.from ? renderFrom(select.from, environment) : { text: '', relations: [], merged: new Map() };
  const scope = sourceScope(sources, environment);
  const items = renderItems(select.items, sources, scope);
  const nested = select.distinct ? items.columns?.find((column) => isNested(column.type)) : undefined;
  if (nested) throw refuse(scope, select.at, `“${nested.name}” is ${nested.type.kind}, which DISTINCT cannot compare.`);
  const aliased = aliasScope(items.outputs, scope, environment);
  for (const expression of [select.having, select.qualify])
    if (expression) refuseNestedAggregates(expression, items.outputs, scope);
  const condition = (clause: string, expression: Expression | null, inScope: Scope): string =>
    expression ? ` ${clause} ${renderCondition(expression, inScope).text}` : '';
  if (select.asStruct && (items.columns === null || select.distinct))
    throw refuse(
      scope,
      select.at,
      select.distinct ? 'DISTINCT compares no structs.' : 'The fields of this struct are not known here.',
      'Name the columns in a subquery.',
    );
  const struct = select.asStruct ? structOfItems(items.texts, items.columns ?? []) : null;
  const parts = [
    `SELECT ${select.distinct ? 'DISTINCT ' : ''}${struct?.text ?? items.texts.map(({ text }) => text).join(', ')}`,
    sources.text === '' ? '' : ` FROM ${sources.text}`,
    condition('WHERE', select.where, scope),
    renderGroupBy(select, scope, items.outputs),
    condition('HAVING', select.having, aliased),
    renderWindows(select.windows, scope),
    condition('QUALIFY', select.qualify, aliased),
  ];
  // After DISTINCT only what is selected can be ordered by.
  const ordered = select.distinct && items.columns ? distinctScope(items, environment) : aliased;
  return {
    text: parts.join(''),
    columns: struct ? [{ name: 'struct', type: struct.type }] : items.columns,
    orderScope: orderScope(items.outputs, ordered),
  };
}

/** SELECT AS STRUCT: the columns as fields of one value. */
function structOfItems(values: readonly ItemText[], columns: readonly Column[]): Sql {
  const fields = values.flatMap(({ columns: own }) => own);
  const texts = columns.map(({ name }, index) => `${identifier(name)} := ${fields[index]}`);
  const type: SqlType = { kind: 'STRUCT', fields: columns.map(({ name, type: own }) => ({ name, type: own })) };
  return sql(`struct_pack(${texts.join(', ')}) AS "struct"`, type);
}

/** A name by itself is one that SELECT gives, if it gives that; inside of an expression names are columns. */
function renderGroupBy({ groupBy, grouping }: Select, scope: Scope, outputs: readonly Output[]): string {
  if (groupBy === 'all') return ' GROUP BY ALL';
  if (groupBy.length === 0) return '';
  const groups = groupBy.map((expression) => {
    const name = expression.kind === 'column' && expression.path.length === 1 ? (expression.path[0] ?? '') : null;
    const output = name === null ? undefined : outputs.find((candidate) => sameName(candidate.name, name));
    const { text, type } = output ? notOrdinal(output.value) : renderExpression(expression, scope);
    if (isNested(type)) throw refuse(scope, expression.at, `A value of type ${type.kind} makes no groups.`);
    return text;
  });
  if (grouping === null) return ` GROUP BY ${groups.join(', ')}`;
  if (grouping.kind !== 'SETS') return ` GROUP BY ${grouping.kind} (${groups.join(', ')})`;
  const sets = grouping.sets.map((set) => `(${set.map((place) => groups[place]).join(', ')})`);
  return ` GROUP BY GROUPING SETS (${sets.join(', ')})`;
}

/** In HAVING and QUALIFY a name that SELECT gives is that, also inside of an aggregate: the sum of a sum. */
function refuseNestedAggregates(condition: Expression, outputs: readonly Output[], scope: Scope): void {
  const isAggregate = (expression: Expression): boolean =>
    expression.kind === 'call' && expression.over === null && portableFunction(expression.name)?.kind === 'aggregate';
  walkExpression(condition, {
    expression: (expression) => {
      if (isAggregate(expression)) for (const operand of operandsOf(expression)) refuseIn(operand, expression);
      return true;
    },
    query: () => false,
  });

  function refuseIn(operand: Expression, aggregate: Expression): void {
    walkExpression(operand, {
      expression: (inner) => {
        const name = inner.kind === 'column' && inner.path.length === 1 ? (inner.path[0] ?? '') : null;
        const output = name === null ? undefined : outputs.find((candidate) => sameName(candidate.name, name));
        if (output && holds(output.expression, isAggregate))
          throw refuse(
            scope,
            aggregate.at,
            `“${name}” is here what SELECT calls so, an aggregate, and has no other aggregate around it.`,
            `Write ${name} alone, or give it another name in SELECT.`,
          );
        return true;
      },
      query: () => false,
    });
  }
}

function holds(expression: Expression, test: (inner: Expression) => boolean): boolean {
  return test(expression) || operandsOf(expression).some((operand) => holds(operand, test));
}

function renderWindows(windows: Select['windows'], scope: Scope): string {
  if (windows.length === 0) return '';
  return ` WINDOW ${windows.map(({ name, spec }) => `${identifier(name)} AS (${renderWindow(spec, scope)})`).join(', ')}`;
}

/** One item of SELECT, and the value of each column that it gives. */
interface ItemText {
  readonly text: string;
  readonly columns: readonly string[];
}

function renderItems(
  items: readonly SelectItem[],
  sources: Sources,
  scope: Scope,
): { readonly texts: readonly ItemText[]; readonly columns: Columns; readonly outputs: readonly Output[] } {
  const texts: ItemText[] = [];
  const columns: Column[] = [];
  const outputs: Output[] = [];
  let isKnown = true;
  let unnamed = 0;
  for (const item of items) {
    if (item.kind === 'star') {
      const star = renderStar(item, sources, scope);
      texts.push({ text: star.text, columns: star.values });
      if (star.columns === null) isKnown = false;
      else columns.push(...star.columns);
      continue;
    }
    const value = renderExpression(item.expression, scope);
    // BigQuery's names for columns without one.
    const name =
      item.alias ?? (item.expression.kind === 'column' ? (item.expression.path.at(-1) ?? '') : `f${unnamed++}_`);
    texts.push({ text: `${value.text} AS ${identifier(name)}`, columns: [value.text] });
    columns.push({ name, type: value.type, isFloatLiteral: value.literal?.kind === 'float' });
    outputs.push({ name, type: value.type, value, expression: item.expression });
  }
  return { texts, columns: isKnown ? columns : null, outputs };
}

function renderStar(
  item: Extract<SelectItem, { kind: 'star' }>,
  sources: Sources,
  scope: Scope,
): Rendered & { readonly values: readonly string[] } {
  const { qualifier, except, replace, at } = item;
  const relations =
    qualifier === null
      ? sources.relations
      : sources.relations.filter((relation) => sameName(relation.alias, qualifier));
  if (relations.length === 0) throw unknownTable(qualifier ?? '*', sources, scope, at);
  const columns = starColumns(relations, qualifier === null ? sources.merged : new Map());
  for (const name of [...except, ...replace.map((each) => each.name)]) {
    if (columns !== null && !columns.some((column) => sameName(column.name, name)))
      throw unknownColumn(name, columns, scope, at);
  }
  const replaced = replace.map(({ expression, name }) => ({ name, value: renderExpression(expression, scope) }));
  const text = columns
    ? null
    : [
        qualifier === null ? '*' : `${identifier(relations[0]?.alias ?? '')}.*`,
        except.length > 0 ? ` EXCLUDE (${identifiers(except)})` : '',
        replaced.length > 0
          ? ` REPLACE (${replaced.map(({ name, value }) => `${value.text} AS ${identifier(name)}`).join(', ')})`
          : '',
      ].join('');
  const kept = columns?.filter((column) => !except.some((name) => sameName(name, column.name)));
  const typed = kept?.map((column) => ({
    name: column.name,
    type: replaced.find(({ name }) => sameName(name, column.name))?.value.type ?? column.type,
  }));
  if (text !== null && qualifier === null && sources.merged.size > 0)
    throw refuse(scope, at, 'The order of the columns of * after USING is not known here.', 'Name the columns.');
  // Each column by itself: engines order those of USING differently.
  const values = (kept ?? []).map(
    ({ name, text: own }) => replaced.find((each) => sameName(each.name, name))?.value.text ?? own,
  );
  const named = (kept ?? []).map(({ name }, index) => `${values[index]} AS ${identifier(name)}`);
  return { text: text ?? named.join(', '), columns: typed ?? null, values };
}

interface StarColumn extends Column {
  /** DuckDB text of its value. */
  readonly text: string;
}

/** Columns of USING stand once, before all others. */
function starColumns(
  relations: readonly Relation[],
  merged: ReadonlyMap<string, Column>,
): readonly StarColumn[] | null {
  const columns: StarColumn[] = [...merged.values()].map((column) => ({ ...column, text: identifier(column.name) }));
  for (const { alias, columns: own } of relations) {
    if (own === null) return null;
    for (const column of own) {
      if (merged.has(column.name.toLowerCase())) continue;
      columns.push({ ...column, text: `${identifier(alias)}.${identifier(column.name)}` });
    }
  }
  return columns;
}
