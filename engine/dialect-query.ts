/** A GoogleSQL query -> one DuckDB SELECT with the same rows: names resolved, order of NULL and division made equal. */

import { didYouMean } from '../core/did-you-mean.ts';
import {
  type Expression,
  type FromItem,
  operandsOf,
  type Pivot,
  type Query,
  type QueryBody,
  type Select,
  type SelectItem,
  type Unpivot,
  walkExpression,
  walkQuery,
} from '../core/google-sql-ast.ts';
import { portableFunction } from '../core/google-sql-functions.ts';
import { invalid, notPortable } from '../core/google-sql-lexer.ts';
import type { ColumnSchema } from '../core/types.ts';
import {
  fieldOf,
  type Parameters,
  refuse,
  renderCondition,
  renderExpression,
  renderOrderBy,
  renderWindow,
  type Scope,
} from './dialect-expression.ts';
import {
  coerced,
  commonType,
  duckDbTypeOf,
  INT64,
  isNested,
  NUMERIC_SCALE,
  numeric,
  type Sql,
  type SqlType,
  STRING,
  sql,
  sqlTypeOf,
  UNKNOWN,
} from './dialect-types.ts';
import { identifier, identifiers, literal } from './sql-text.ts';

export interface QueryTables {
  /** DuckDB relation text of a table; null where there is none of that name. `layer` and `project` are null where none is written. */
  table(layer: string | null, name: string, project: string | null): string | null;
  /** Its columns; null where they are not known. Known columns make types exact and misspelt names faults. */
  columns(layer: string | null, name: string, project: string | null): readonly ColumnSchema[] | null;
  /** For the hint where a table is not found. */
  readonly known: readonly string[];
}

interface Column {
  readonly name: string;
  readonly type: SqlType;
  /** `0.5` by itself: GoogleSQL may still make a NUMERIC of it. */
  readonly isFloatLiteral?: boolean;
}

/** Null: not known. */
type Columns = readonly Column[] | null;

interface Relation {
  readonly alias: string;
  readonly columns: Columns;
}

interface Environment {
  readonly text: string;
  readonly parameters: Parameters;
  readonly tables: QueryTables;
  readonly ctes: ReadonlyMap<string, Columns>;
  /** The scope around a subquery. */
  readonly outer: Scope | null;
}

interface Rendered {
  readonly text: string;
  readonly columns: Columns;
}

/** What FROM brings into scope. */
interface Sources {
  readonly text: string;
  readonly relations: readonly Relation[];
  /** Columns of USING, which have no qualifier; by lower-case name. */
  readonly merged: ReadonlyMap<string, Column>;
}

/** An output column of a SELECT as the later clauses see it. */
interface Output extends Column {
  readonly value: Sql;
  readonly expression: Expression;
}

/** @throws SqlFaultError */
export function renderStatement(query: Query, text: string, parameters: Parameters, tables: QueryTables): string {
  const rendered = renderQuery(query, { text, parameters, tables, ctes: new Map(), outer: null });
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

// -------------------------------------------------------------------- SELECT

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

// -------------------------------------------------------------------- FROM

function renderFrom(from: FromItem, environment: Environment): Sources {
  switch (from.kind) {
    case 'table':
      return renderTable(from, environment);
    case 'subquery': {
      const inner = renderQuery(from.query, environment);
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
      return renderPivot(from, environment);
    case 'unpivot':
      return renderUnpivot(from, environment);
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

/** What PIVOT and UNPIVOT read: one relation, whose columns must be known. */
function pivotSource(
  from: Pivot | Unpivot,
  environment: Environment,
): { readonly sources: Sources; readonly columns: readonly Column[] } {
  const sources = renderFrom(from.source, environment);
  const columns = sources.relations.length === 1 ? sources.relations[0]?.columns : null;
  if (columns) return { sources, columns };
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
function renderPivot(from: Extract<FromItem, { kind: 'pivot' }>, environment: Environment): Sources {
  const { sources, columns } = pivotSource(from, environment);
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
function renderUnpivot(from: Extract<FromItem, { kind: 'unpivot' }>, environment: Environment): Sources {
  const { sources, columns } = pivotSource(from, environment);
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

// -------------------------------------------------------------------- scopes

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function baseScope(environment: Environment, column: Scope['column']): Scope {
  const scope: Scope = {
    text: environment.text,
    parameters: environment.parameters,
    column,
    subquery: (query) => {
      const inner = renderQuery(query, { ...environment, outer: scope });
      const types = inner.columns?.map((each) => each.type);
      if (types && types.length !== 1)
        throw invalid(environment.text, query.at, `A subquery in an expression has one column, not ${types.length}.`);
      return { text: inner.text, type: types?.[0] ?? UNKNOWN };
    },
  };
  return scope;
}

/** Names mean columns of FROM, else of the query around. */
function sourceScope(sources: Sources, environment: Environment): Scope {
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

function unknownColumn(name: string, columns: readonly Column[], scope: Scope, at: number): Error {
  const names = columns.map((column) => column.name);
  const meant = didYouMean(name, names);
  const hint = meant ? `Did you mean ${meant}?` : names.length > 0 ? `There are ${names.join(', ')}.` : null;
  return invalid(scope.text, at, `There is no column “${name}” here.`, hint);
}

function unknownTable(name: string, sources: Sources, scope: Scope, at: number): Error {
  const aliases = sources.relations.map((relation) => relation.alias);
  const meant = didYouMean(name, aliases);
  const hint = meant ? `Did you mean ${meant}?` : aliases.length > 0 ? `FROM has ${aliases.join(', ')}.` : null;
  return invalid(scope.text, at, `“${name}” is no table of this FROM.`, hint);
}

/** HAVING and QUALIFY also see the names that SELECT gives, before columns of the same name; such a name stands for its expression. */
function aliasScope(outputs: readonly Output[], rows: Scope, environment: Environment): Scope {
  return baseScope(environment, (path, at) => {
    const [name = ''] = path;
    const output = path.length === 1 ? outputs.find((candidate) => sameName(candidate.name, name)) : undefined;
    return output ? notOrdinal(output.value) : rows.column(path, at);
  });
}

/** A name that stands for the literal 2 does not mean the second column. */
function notOrdinal(value: Sql): Sql {
  return value.literal?.kind === 'int' ? sql(`CAST(${value.text} AS BIGINT)`, value.type) : value;
}

/** In ORDER BY a name by itself is an output column first, for both engines. */
function orderScope(outputs: readonly Output[], aliased: Scope): Scope {
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
function distinctScope(
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
function outputScope(columns: Columns, environment: Environment): Scope {
  const scope = baseScope(environment, (path, at) => {
    const [name = ''] = path;
    const column = columns?.find((candidate) => sameName(candidate.name, name));
    if (columns && !column) throw unknownColumn(name, columns, scope, at);
    return sql(identifier(column?.name ?? name), column?.type ?? UNKNOWN);
  });
  return scope;
}
