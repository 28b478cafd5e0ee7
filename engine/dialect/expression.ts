/** A GoogleSQL expression -> DuckDB text with the same value. */
import type {
  BinaryOperator,
  Expression,
  ExpressionOf,
  OrderItem,
  Query,
  WindowFrame,
  WindowSpec,
} from '../../core/google-sql/ast.ts';
import { DATE_PARTS, type PortableFunction } from '../../core/google-sql/functions.ts';
import { invalid, notPortable, type SqlFaultError } from '../../core/google-sql/lexer.ts';
import { isDay } from '../../core/partition.ts';
import { identifier, literal } from '../sql-text.ts';
import { renderCast } from './casts.ts';
import { civilTime, extractPart, hasFixedLength, inCalendar, interval, ZONE_FAULT } from './dates.ts';
import { RENDER } from './functions.ts';
import { add, divide, isBigNumeric, multiply, productScale } from './numbers.ts';
import {
  arrayOf,
  BOOL,
  coerced,
  commonType,
  DATE,
  DATETIME,
  floatLiteral,
  INT64,
  INTERVAL,
  isNested,
  isNumber,
  isOpen,
  NULL,
  NUMERIC_SCALE,
  numeric,
  type Sql,
  type SqlType,
  STRING,
  sql,
  structOf,
  TIMESTAMP,
  UNKNOWN,
} from './types.ts';

export type Parameters = Readonly<Record<string, string | number>>;

/** Where an expression stands: what its names mean there. */
export interface Scope {
  /** The whole GoogleSQL text, for the place of a fault. */
  readonly text: string;
  readonly parameters: Parameters;
  column(path: readonly string[], at: number): Sql;
  /** A query inside an expression; its columns may be those of this scope. */
  subquery(query: Query): { readonly text: string; readonly type: SqlType };
}

export function refuse(scope: Scope, at: number, message: string, hint: string | null = null): SqlFaultError {
  return notPortable(scope.text, at, message, hint);
}

export function renderExpression(expression: Expression, scope: Scope): Sql {
  switch (expression.kind) {
    case 'literal':
      return renderLiteral(expression);
    case 'parameter':
      return renderParameter(expression, scope);
    case 'column':
      return scope.column(expression.path, expression.at);
    case 'unary':
      return renderUnary(expression, scope);
    case 'binary':
      return renderBinary(expression, scope);
    case 'is': {
      const operand =
        expression.what === 'NULL'
          ? renderExpression(expression.operand, scope)
          : renderCondition(expression.operand, scope);
      return sql(`(${operand.text} IS ${expression.negated ? 'NOT ' : ''}${expression.what})`, BOOL);
    }
    case 'distinct_from': {
      const [left, right] = renderComparable([expression.left, expression.right], scope, expression.at);
      return sql(`(${left} IS ${expression.negated ? 'NOT ' : ''}DISTINCT FROM ${right})`, BOOL);
    }
    case 'between': {
      const [value, low, high] = renderComparable(
        [expression.operand, expression.low, expression.high],
        scope,
        expression.at,
      );
      return sql(`(${value} ${expression.negated ? 'NOT ' : ''}BETWEEN ${low} AND ${high})`, BOOL);
    }
    case 'like':
      return renderLike(expression, scope);
    case 'in':
      return renderIn(expression, scope);
    case 'case':
      return renderCase(expression, scope);
    case 'cast': {
      const cast = renderCast(renderExpression(expression.operand, scope), expression.type, expression.safe);
      if ('refused' in cast) throw refuse(scope, expression.at, cast.refused, cast.hint);
      return cast;
    }
    case 'extract':
      return renderExtract(expression, scope);
    case 'interval':
      return sql(interval(renderExpression(expression.amount, scope).text, expression.part), INTERVAL);
    case 'array':
      return renderArray(expression, scope);
    case 'element':
      return renderElement(expression, scope);
    case 'struct':
      return renderStruct(expression, scope);
    case 'field':
      return fieldOf(renderExpression(expression.operand, scope), expression.name, scope, expression.at);
    case 'subquery':
      return renderSubquery(expression, scope);
    case 'call':
      return renderCall(expression, scope);
  }
}

/** An expression that must be true or false. */
export function renderCondition(expression: Expression, scope: Scope): Sql {
  const condition = renderExpression(expression, scope);
  if (condition.type.kind === 'BOOL' || isOpen(condition.type)) return condition;
  throw refuse(
    scope,
    expression.at,
    `A condition is expected here, not a value of type ${condition.type.kind}.`,
    'Compare it with something.',
  );
}

/** ` ORDER BY …` with its leading space; NULL comes first when ascending and last when descending, as in GoogleSQL. */
export function renderOrderBy(items: readonly OrderItem[], scope: Scope): string {
  if (items.length === 0) return '';
  const parts = items.map((item) => {
    const nulls = item.nulls ?? (item.descending ? 'LAST' : 'FIRST');
    const value = renderExpression(item.expression, scope);
    if (isNested(value.type))
      throw refuse(scope, item.expression.at, `A value of type ${value.type.kind} has no order.`);
    return `${value.text} ${item.descending ? 'DESC' : 'ASC'} NULLS ${nulls}`;
  });
  return ` ORDER BY ${parts.join(', ')}`;
}

/** The inside of OVER (…). */
export function renderWindow(window: WindowSpec, scope: Scope): string {
  const parts = [
    window.base === null ? '' : identifier(window.base),
    window.partitionBy.length > 0
      ? `PARTITION BY ${window.partitionBy.map((expression) => renderPartition(expression, scope)).join(', ')}`
      : '',
    renderOrderBy(window.orderBy, scope).trim(),
    window.frame === null ? '' : renderFrame(window, window.frame, scope),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function renderPartition(expression: Expression, scope: Scope): string {
  const { text, type } = renderExpression(expression, scope);
  if (type.kind === 'FLOAT64' || isNested(type))
    throw refuse(
      scope,
      expression.at,
      `A window is not partitioned by a value of type ${type.kind}.`,
      'Cast it first.',
    );
  return text;
}

function renderFrame(window: WindowSpec, frame: WindowFrame, scope: Scope): string {
  const [key] = window.orderBy;
  const counts = [frame.start, frame.end].some((edge) => edge?.kind === 'preceding' || edge?.kind === 'following');
  if (frame.unit === 'RANGE' && counts && key) {
    const { type } = renderExpression(key.expression, scope);
    if (!isNumber(type) && !isOpen(type))
      throw refuse(
        scope,
        key.expression.at,
        `A RANGE with bounds is ordered by a number, not by ${type.kind}.`,
        'Order by UNIX_DATE(day) and count days.',
      );
  }
  const bound = (edge: WindowFrame['start']): string => {
    if (edge.kind === 'preceding' || edge.kind === 'following') {
      return `${renderExpression(edge.amount, scope).text} ${edge.kind.toUpperCase()}`;
    }
    return edge.kind.replace('_', ' ').toUpperCase();
  };
  return `${frame.unit} BETWEEN ${bound(frame.start)} AND ${frame.end ? bound(frame.end) : 'CURRENT ROW'}`;
}

function renderLiteral(expression: ExpressionOf<'literal'>): Sql {
  const { type, value } = expression;
  switch (type) {
    case 'STRING':
      return { text: literal(value), type: STRING, literal: { kind: 'string', value } };
    case 'INT64':
      return { text: value, type: INT64, literal: { kind: 'int', value } };
    case 'FLOAT64':
      return floatLiteral(value);
    case 'BOOL':
      return sql(value, BOOL);
    case 'NULL':
      return sql('NULL', NULL);
    case 'DATE':
      return sql(`CAST(${literal(value)} AS DATE)`, DATE);
    case 'TIMESTAMP':
      return sql(`CAST(${literal(value)} AS TIMESTAMPTZ)`, TIMESTAMP);
    case 'DATETIME':
      return sql(`CAST(${literal(value)} AS TIMESTAMP)`, DATETIME);
    case 'NUMERIC':
      return sql(`CAST(${literal(value.trim())} AS DECIMAL(38, ${NUMERIC_SCALE}))`, numeric(NUMERIC_SCALE));
  }
}

/** The window's parameters are dates; a number or a text is a literal of its kind. */
function renderParameter({ name, at }: ExpressionOf<'parameter'>, scope: Scope): Sql {
  const value = Object.hasOwn(scope.parameters, name) ? scope.parameters[name] : undefined;
  if (value === undefined) throw invalid(scope.text, at, `@${name} has no value here.`);
  if (name === 'window_start' || name === 'window_end') {
    if (!isDay(String(value))) throw invalid(scope.text, at, `@${name} is a day, YYYY-MM-DD, not “${value}”.`);
    return sql(`CAST(${literal(String(value))} AS DATE)`, DATE);
  }
  if (typeof value === 'string') return { text: literal(value), type: STRING, literal: { kind: 'string', value } };
  if (!Number.isFinite(value)) throw invalid(scope.text, at, `@${name} is no number.`);
  if (!Number.isSafeInteger(value)) return floatLiteral(String(value));
  return {
    text: value < 0 ? `(${value})` : String(value),
    type: INT64,
    literal: { kind: 'int', value: String(value) },
  };
}

function renderUnary(expression: ExpressionOf<'unary'>, scope: Scope): Sql {
  if (expression.operator === 'NOT') return sql(`(NOT ${renderCondition(expression.operand, scope).text})`, BOOL);
  const operand = renderExpression(expression.operand, scope);
  requireNumbers([operand], expression.operator, expression.at, scope);
  if (expression.operator === '+') return operand;
  const negative = { text: `(-${operand.text})`, type: operand.type };
  if (operand.literal === undefined || operand.literal.kind === 'string') return negative;
  const { kind, value } = operand.literal;
  return { ...negative, literal: { kind, value: value.startsWith('-') ? value.slice(1) : `-${value}` } };
}

function renderBinary(expression: ExpressionOf<'binary'>, scope: Scope): Sql {
  const { operator, at } = expression;
  if (operator === 'AND' || operator === 'OR') {
    const [left, right] = [renderCondition(expression.left, scope), renderCondition(expression.right, scope)];
    return sql(`(${left.text} ${operator} ${right.text})`, BOOL);
  }
  if (operator === '=' || operator === '<>') {
    const equal = equalFields([expression.left, expression.right], scope, at);
    if (equal) return sql(operator === '=' ? equal : `(NOT ${equal})`, BOOL);
  }
  if (isComparison(operator)) {
    const [left, right] = renderComparable([expression.left, expression.right], scope, at);
    return sql(`(${left} ${operator} ${right})`, BOOL);
  }
  for (const side of [expression.left, expression.right]) {
    if (operator !== '||' && side.kind === 'literal' && side.type === 'NULL')
      throw invalid(scope.text, side.at, `“${operator}” takes no NULL by itself.`, 'Write CAST(NULL AS INT64).');
  }
  const [left, right] = [renderExpression(expression.left, scope), renderExpression(expression.right, scope)];
  const isMonths = expression.right.kind === 'interval' && !hasFixedLength(expression.right.part);
  if (isMonths && left.type.kind === 'TIMESTAMP')
    throw refuse(scope, at, 'Months and years have no fixed length.', 'Write DATE_ADD(DATE(instant), INTERVAL …).');
  if (operator === '||') return renderConcatenation(left, right, at, scope);
  const shifted = operator === '+' || operator === '-' ? shiftInTime(left, right, operator, at, scope) : null;
  if (shifted) return shifted;
  requireNumbers([left, right], operator, at, scope);
  switch (operator) {
    case '+':
    case '-':
      return add(left, right, operator);
    case '*':
      if (isBigNumeric(left, right) && productScale(left, right) > 38)
        throw refuse(scope, at, BIG_FAULT, 'Round the factors: CAST(value AS BIGNUMERIC(38, 9)).');
      return multiply(left, right);
    case '/':
      if (isBigNumeric(left, right)) throw refuse(scope, at, BIG_FAULT, 'Write CAST(value AS NUMERIC).');
      return divide(left, right, 'error');
  }
}

const BIG_FAULT = 'This BIGNUMERIC would have more digits after the point than DuckDB keeps.';

function isComparison(operator: BinaryOperator): operator is '=' | '<>' | '<' | '<=' | '>' | '>=' {
  return ['=', '<>', '<', '<=', '>', '>='].includes(operator);
}

function requireNumbers(values: readonly Sql[], operator: string, at: number, scope: Scope): void {
  for (const { type } of values) {
    if (['INT64', 'FLOAT64', 'NUMERIC', 'NULL', 'UNKNOWN'].includes(type.kind)) continue;
    const hint = type.kind === 'STRING' ? 'Write CAST(text AS NUMERIC) or CAST(text AS INT64).' : null;
    throw refuse(scope, at, `“${operator}” takes numbers, not ${type.kind}.`, hint);
  }
}

function renderConcatenation(left: Sql, right: Sql, at: number, scope: Scope): Sql {
  const other = [left, right].find((value) => value.type.kind !== 'STRING' && !isOpen(value.type));
  if (other) throw refuse(scope, at, `“||” joins texts, not ${other.type.kind}.`, 'Write CAST(value AS STRING).');
  return sql(`(${left.text} || ${right.text})`, STRING);
}

/** DATE ± days and TIMESTAMP ± INTERVAL; null where neither side is a time. */
function shiftInTime(left: Sql, right: Sql, operator: '+' | '-', at: number, scope: Scope): Sql | null {
  if (right.type.kind === 'INTERVAL') {
    const shifted = (value: string): string => `(${value} ${operator} ${right.text})`;
    if (left.type.kind === 'TIMESTAMP') return sql(inCalendar(shifted(left.text), 'TIMESTAMPTZ'), TIMESTAMP);
    if (left.type.kind === 'DATETIME' || left.type.kind === 'DATE')
      return sql(inCalendar(shifted(`CAST(${left.text} AS TIMESTAMP)`), 'TIMESTAMP'), DATETIME);
    const name = operator === '+' ? 'ADD' : 'SUB';
    throw refuse(
      scope,
      at,
      `What ${left.type.kind} and an interval make is not known here.`,
      `Write DATE_${name}(day, INTERVAL …) or TIMESTAMP_${name}(instant, INTERVAL …).`,
    );
  }
  if (left.type.kind !== 'DATE') return null;
  if (right.type.kind === 'DATE')
    throw refuse(
      scope,
      at,
      'The difference of two days is not portable like this.',
      'Write DATE_DIFF(later, earlier, DAY).',
    );
  if (right.type.kind !== 'INT64' && !isOpen(right.type)) return null;
  return sql(inCalendar(`(${left.text} ${operator} CAST(${right.text} AS INTEGER))`, 'DATE'), DATE);
}

/** Whether the first struct has the fields of any other, where all are written out, as in `(a, b) IN ((1, 'x'), (2, 'y'))`. */
function equalFields(expressions: readonly Expression[], scope: Scope, at: number): string | null {
  if (!expressions.every((each) => each.kind === 'struct')) return null;
  const [first, ...others] = expressions.map((each) => each.fields);
  if (!first || others.some((fields) => fields.length !== first.length))
    throw invalid(scope.text, at, 'These structs have different numbers of fields.');
  const equal = others.map((fields) => {
    const pairs = first.map((field, index) => {
      const other = fields[index] ?? field;
      const [left, right] = renderComparable([field.expression, other.expression], scope, at);
      return `${left} = ${right}`;
    });
    return `(${pairs.join(' AND ')})`;
  });
  return `(${equal.join(' OR ')})`;
}

/** Values that are compared with each other, in one type. */
function renderComparable(expressions: readonly Expression[], scope: Scope, at: number): readonly string[] {
  const values = expressions.map((expression) => renderExpression(expression, scope));
  const nested = values.find((value) => isNested(value.type));
  if (nested) throw refuse(scope, at, `A value of type ${nested.type.kind} cannot be compared.`, 'Compare its parts.');
  const type = commonType(values);
  if (type === null) {
    const kinds = [...new Set(values.map((value) => value.type.kind))];
    throw refuse(scope, at, `${kinds.join(' and ')} cannot be compared.`, 'Cast one to the type of the other.');
  }
  return values.map((value) => coerced(value, type));
}

/** A backslash escapes in GoogleSQL; DuckDB wants to be told. */
function renderLike(expression: ExpressionOf<'like'>, scope: Scope): Sql {
  const [value, pattern] = [renderExpression(expression.operand, scope), renderExpression(expression.pattern, scope)];
  for (const { type } of [value, pattern]) {
    if (type.kind !== 'STRING' && !isOpen(type))
      throw refuse(scope, expression.at, `LIKE takes texts, not ${type.kind}.`, 'Write CAST(value AS STRING).');
  }
  const escaping = pattern.literal && !pattern.literal.value.includes('\\') ? '' : " ESCAPE '\\'";
  return sql(`(${value.text} ${expression.negated ? 'NOT ' : ''}LIKE ${pattern.text}${escaping})`, BOOL);
}

function renderIn(expression: ExpressionOf<'in'>, scope: Scope): Sql {
  const { source, at } = expression;
  const not = expression.negated ? 'NOT ' : '';
  const items =
    source.kind === 'list'
      ? source.items
      : source.kind === 'unnest' && source.array.kind === 'array'
        ? source.array.items
        : null;
  if (items !== null) {
    if (items.length === 0) return sql(expression.negated ? 'TRUE' : 'FALSE', BOOL);
    const equal = equalFields([expression.operand, ...items], scope, at);
    if (equal) return sql(`(${not}${equal})`, BOOL);
    const [value, ...list] = renderComparable([expression.operand, ...items], scope, at);
    return sql(`(${value} ${not}IN (${list.join(', ')}))`, BOOL);
  }
  const value = renderExpression(expression.operand, scope);
  // DuckDB takes structs by the names of their fields, and NULL in them for equal.
  if (isNested(value.type))
    throw refuse(
      scope,
      at,
      `A value of type ${value.type.kind} is looked for only in a list that is written out.`,
      'Write EXISTS (SELECT 1 FROM … WHERE a = … AND b = …).',
    );
  if (source.kind === 'query') {
    const query = scope.subquery(source.query);
    const type = commonType([value, sql('', query.type)]);
    if (type === null)
      throw refuse(
        scope,
        at,
        `${value.type.kind} and ${query.type.kind} cannot be compared.`,
        'Cast one to the type of the other.',
      );
    return sql(`(${coerced(value, type)} ${not}IN (${query.text}))`, BOOL);
  }
  if (source.kind === 'unnest')
    return sql(`(${not}(${value.text} = ANY(${renderExpression(source.array, scope).text})))`, BOOL);
  throw new Error('IN has a source of no known kind');
}

function renderCase(expression: ExpressionOf<'case'>, scope: Scope): Sql {
  const { operand, branches, otherwise, at } = expression;
  const results = [...branches.map((branch) => branch.result), ...(otherwise ? [otherwise] : [])].map((result) =>
    renderExpression(result, scope),
  );
  const type = commonType(results);
  if (type === null) {
    throw refuse(
      scope,
      at,
      `The branches of this CASE mix ${[...new Set(results.map((result) => result.type.kind))].join(' and ')}.`,
      'Cast them to one type.',
    );
  }
  const tests = operand
    ? renderComparable([operand, ...branches.map((branch) => branch.when)], scope, at)
    : ['', ...branches.map((branch) => renderCondition(branch.when, scope).text)];
  const whens = branches.map((_, index) => {
    const result = results[index];
    return ` WHEN ${tests[index + 1]} THEN ${result ? coerced(result, type) : 'NULL'}`;
  });
  const last = results[branches.length];
  return sql(
    `(CASE${operand ? ` ${tests[0]}` : ''}${whens.join('')}${last ? ` ELSE ${coerced(last, type)}` : ''} END)`,
    type,
  );
}

function renderExtract({ part, operand, zone, at }: ExpressionOf<'extract'>, scope: Scope): Sql {
  const value = renderExpression(operand, scope);
  const isTimePart = !DATE_PARTS.includes(part.name) && !['DAYOFWEEK', 'DAYOFYEAR'].includes(part.name);
  const allowed = zone ? ['TIMESTAMP'] : isTimePart ? ['TIMESTAMP', 'DATETIME'] : ['DATE', 'TIMESTAMP', 'DATETIME'];
  if (!isOpen(value.type) && !allowed.includes(value.type.kind)) {
    throw refuse(
      scope,
      at,
      `EXTRACT(${part.name} FROM …) takes ${allowed.join(' or ')}, not ${value.type.kind}.`,
      value.type.kind === 'STRING' ? 'Cast the text first.' : null,
    );
  }
  const local = zone ? localTime(value.text, renderExpression(zone, scope), scope, at) : value.text;
  return sql(extractPart(local, part), part.name === 'DATE' ? DATE : INT64);
}

/** The civil time of an instant in a zone that is written out. */
function localTime(instant: string, zone: Sql, scope: Scope, at: number): string {
  const civil = civilTime(instant, zone);
  if (civil !== null) return civil;
  throw refuse(scope, at, ZONE_FAULT.message, ZONE_FAULT.hint);
}

function renderArray({ items, at }: ExpressionOf<'array'>, scope: Scope): Sql {
  const values = items.map((item) => renderExpression(item, scope));
  const type = commonType(values);
  if (type === null)
    throw refuse(scope, at, 'The elements of this array have several types.', 'Cast them to one type.');
  return sql(`[${values.map((value) => coerced(value, type)).join(', ')}]`, arrayOf(type));
}

function renderStruct({ fields, at }: ExpressionOf<'struct'>, scope: Scope): Sql {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (name !== null && seen.has(name.toLowerCase()))
      throw invalid(scope.text, at, `Two fields are called “${name}”.`);
    if (name !== null) seen.add(name.toLowerCase());
  }
  return structOf(fields.map(({ name, expression }) => ({ name, value: renderExpression(expression, scope) })));
}

/** @throws SqlFaultError where the value is no struct, or has no such field */
export function fieldOf(value: Sql, name: string, scope: Scope, at: number): Sql {
  if (value.type.kind !== 'STRUCT')
    throw refuse(scope, at, `“.${name}” asks for a field of what is ${value.type.kind}, not STRUCT.`);
  const field = value.type.fields.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
  if (!field) {
    const names = value.type.fields.map((each) => each.name).join(', ');
    throw invalid(scope.text, at, `This struct has no field “${name}”.`, `It has ${names}.`);
  }
  return sql(`(${value.text}).${identifier(field.name)}`, field.type);
}

function renderSubquery({ form, query, at }: ExpressionOf<'subquery'>, scope: Scope): Sql {
  if (form === 'array' && query.orderBy.length === 0)
    throw refuse(scope, at, 'The order inside ARRAY is left open.', 'Write ARRAY(SELECT … ORDER BY …).');
  const { text, type } = scope.subquery(query);
  if (form === 'exists') return sql(`EXISTS (${text})`, BOOL);
  return form === 'array' ? sql(`ARRAY(${text})`, arrayOf(type)) : sql(`(${text})`, type);
}

/** An index outside of the array is an error, or NULL where it is SAFE. */
function renderElement(expression: ExpressionOf<'element'>, scope: Scope): Sql {
  const array = renderExpression(expression.array, scope);
  const index = renderExpression(expression.index, scope).text;
  const first = expression.mode.endsWith('OFFSET') ? 0 : 1;
  const outside = expression.mode.startsWith('SAFE') ? 'NULL' : "error('array index out of bounds')";
  const isOutside = `${index} < ${first} OR ${index} >= len(${array.text}) + ${first}`;
  const type = array.type.kind === 'ARRAY' ? array.type.element : UNKNOWN;
  return sql(`(CASE WHEN ${isOutside} THEN ${outside} ELSE (${array.text})[${index} + ${1 - first}] END)`, type);
}

function renderCall(expression: ExpressionOf<'call'>, scope: Scope): Sql {
  const interval = expression.args.find((argument) => argument.kind === 'interval');
  const amount = interval?.kind === 'interval' ? renderExpression(interval.amount, scope) : null;
  if (amount && amount.type.kind !== 'INT64' && !isOpen(amount.type)) {
    throw refuse(
      scope,
      expression.at,
      `An interval counts whole parts, not ${amount.type.kind}.`,
      'Write CAST(value AS INT64).',
    );
  }
  const overText = expression.over === null ? '' : overClause(expression.over, scope);
  return RENDER[expression.name as PortableFunction]({
    call: expression,
    args: expression.args
      .filter((argument) => argument.kind !== 'interval')
      .map((argument) => renderExpression(argument, scope)),
    orderBy: renderOrderBy(expression.orderBy, scope),
    over: overText,
    limit: expression.limit ? renderExpression(expression.limit, scope).text : null,
    having: expression.having ? renderExpression(expression.having.by, scope) : null,
    amount: amount?.text ?? '',
    refuse: (message, hint) => {
      throw refuse(scope, expression.at, message, hint ?? null);
    },
  });
}

function overClause(window: WindowSpec, scope: Scope): string {
  const isNameAlone =
    window.base !== null && window.partitionBy.length === 0 && window.orderBy.length === 0 && !window.frame;
  return isNameAlone ? ` OVER ${identifier(window.base ?? '')}` : ` OVER (${renderWindow(window, scope)})`;
}
