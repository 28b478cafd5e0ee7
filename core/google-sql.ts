/** GoogleSQL text of specs and marts -> its faults with line and column, its columns, its tables. */
import { didYouMean } from './did-you-mean.ts';
import {
  type Call,
  type Expression,
  expressionsOf,
  type FromItem,
  fromLeaves,
  operandsOf,
  type Query,
  type QueryBody,
  type Select,
  type WindowSpec,
  walkExpression,
  walkQuery,
} from './google-sql/ast.ts';
import { type FunctionRow, PORTABLE_FUNCTIONS, portableFunction, REFUSED_FUNCTIONS } from './google-sql/functions.ts';
import { positionOf, type SqlFault, SqlFaultError } from './google-sql/lexer.ts';
import { parseExpression, parseQuery } from './google-sql/parser.ts';

export type { SqlFault } from './google-sql/lexer.ts';

/** Parameters that every expression and mart may use: the dates `[@window_start, @window_end)` of the run. */
export const WINDOW_PARAMETERS: readonly string[] = ['window_start', 'window_end'];

export interface LintOptions {
  /** Names of further parameters, e.g. the spec's `params`. */
  readonly parameters?: readonly string[];
  /** Tables may be written with their project. In specs they may not: projects and datasets are the configuration's. */
  readonly projects?: boolean;
}

export interface TableReference {
  /** Null where none is written. */
  readonly project: string | null;
  /** Null where only a name is written. */
  readonly layer: string | null;
  readonly table: string;
  readonly line: number;
  readonly column: number;
}

/** One place where a table is named, written from offset `at` up to `end` of the text, backticks included. */
export interface TableOccurrence extends TableReference {
  readonly at: number;
  readonly end: number;
}

/** Faults of an expression over one row (`when`, `where`, `expr`, `sql`); empty where it may be used on every engine. */
export function lintExpression(text: string, options: LintOptions = {}): readonly SqlFault[] {
  return collect(text, (report) => {
    const expression = parseExpression(text);
    checkExpression(expression, ROW, report, parametersOf(options));
    walkExpression(expression, {
      expression: (inner) => {
        if (inner.kind === 'column' && inner.path.length > 2)
          report(inner.at, `“${inner.path.join('.')}” has too many parts.`, 'Write alias.column.');
        const isQuery = inner.kind === 'subquery' || (inner.kind === 'in' && inner.source.kind === 'query');
        if (isQuery) report(inner.at, 'A subquery has no place in an expression over one row.');
        return !isQuery;
      },
    });
  });
}

/** Faults of a mart or of an analyst's query; empty where it may be run on every engine. */
export function lintQuery(text: string, options: LintOptions = {}): readonly SqlFault[] {
  return collect(text, (report) => {
    const parameters = parametersOf(options);
    walkQuery(parseQuery(text), {
      query: (query) => {
        checkQuery(query, report, parameters);
        return true;
      },
    });
    if (options.projects) return;
    for (const { project, layer, table, at } of tableOccurrences(text)) {
      if (project !== null)
        report(
          at,
          `“${project}.${layer}.${table}” names a project.`,
          `Write ${layer}.${table}; projects and datasets are config’s.`,
        );
    }
  });
}

/** Names of the columns that an expression reads, each once, in order; a qualifier is left out. Empty for text with faults. */
export function columnsOf(text: string): readonly string[] {
  const expression = parsed(() => parseExpression(text));
  return expression === null ? [] : columnsIn(expression);
}

function columnsIn(expression: Expression): readonly string[] {
  const names = new Map<string, string>();
  walkExpression(expression, {
    expression: (inner) => {
      const name = inner.kind === 'column' ? inner.path.at(-1) : undefined;
      if (name !== undefined && !names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
      return true;
    },
  });
  return [...names.values()];
}

/** Tables that a query reads, each once, in order; names that WITH gives are left out. Empty for text with faults. */
export function tableReferences(text: string): readonly TableReference[] {
  const found = new Map<string, TableReference>();
  for (const { at: _at, end: _end, ...reference } of tableOccurrences(text)) {
    const key = JSON.stringify([reference.project, reference.layer, reference.table]);
    if (!found.has(key)) found.set(key, reference);
  }
  return [...found.values()];
}

/**
 * Every place where a query names a table, in the order of the text; names that WITH gives are left out. To put another name
 * there, replace from the last one backwards. Empty for text with faults.
 */
export function tableOccurrences(text: string): readonly TableOccurrence[] {
  const query = parsed(() => parseQuery(text));
  if (query === null) return [];
  const found: TableOccurrence[] = [];
  collectTables(query, new Set(), ({ path, at, end }) => {
    const [table = '', layer = null, project = null] = [...path].reverse();
    found.push({ project, layer, table, ...positionOf(text, at), at, end });
  });
  return found.sort((one, other) => one.at - other.at);
}

/**
 * Names of the columns that a query compares with `@window_start` or `@window_end`, in lower case: those that bind it to the days
 * of a run. Empty for text with faults.
 */
export function windowColumnsOf(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  const query = parsed(() => parseQuery(text));
  if (query === null) return names;
  walkQuery(query, {
    expression: (expression) => {
      const isComparison =
        (expression.kind === 'binary' && ['=', '<', '<=', '>', '>='].includes(expression.operator)) ||
        expression.kind === 'between';
      if (isComparison && mentionsWindow(expression))
        for (const name of columnsIn(expression)) names.add(name.toLowerCase());
      return true;
    },
  });
  return names;
}

function mentionsWindow(expression: Expression): boolean {
  let found = false;
  walkExpression(expression, {
    expression: (inner) => {
      if (inner.kind === 'parameter' && WINDOW_PARAMETERS.includes(inner.name)) found = true;
      return true;
    },
  });
  return found;
}

/** The parsed tree, or null for text that does not parse: those faults are the linter's to tell. */
function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof SqlFaultError) return null;
    throw thrown;
  }
}

type Report = (at: number, message: string, hint?: string | null) => void;

function collect(text: string, check: (report: Report) => void): readonly SqlFault[] {
  const faults: (SqlFault & { at: number })[] = [];
  try {
    check((at, message, hint = null) => faults.push({ message, hint, ...positionOf(text, at), at }));
  } catch (thrown) {
    if (!(thrown instanceof SqlFaultError)) throw thrown;
    return [thrown.fault];
  }
  return faults.sort((a, b) => a.at - b.at).map(({ message, hint, line, column }) => ({ message, hint, line, column }));
}

function parametersOf(options: LintOptions): ReadonlySet<string> {
  return new Set([...WINDOW_PARAMETERS, ...(options.parameters ?? [])]);
}

/** What an expression may hold where it stands. */
interface Place {
  readonly name: string;
  readonly aggregates: boolean;
  readonly windows: boolean;
  /** Windows of the WINDOW clause, by lower-case name. */
  readonly named?: ReadonlyMap<string, WindowSpec>;
}

const ROW: Place = { name: 'an expression over one row', aggregates: false, windows: false };
const WHERE: Place = { name: 'WHERE', aggregates: false, windows: false };
const ON: Place = { name: 'a join condition', aggregates: false, windows: false };
const UNNEST: Place = { name: 'UNNEST', aggregates: false, windows: false };
const GROUP_BY: Place = { name: 'GROUP BY', aggregates: false, windows: false };
const HAVING: Place = { name: 'HAVING', aggregates: true, windows: false };
const PIVOT: Place = { name: 'PIVOT', aggregates: true, windows: false };
const PIVOT_VALUE: Place = { name: 'PIVOT … FOR', aggregates: false, windows: false };
const ANYWHERE: Place = { name: 'the query', aggregates: true, windows: true };

function checkQuery(query: Query, report: Report, parameters: ReadonlySet<string>): void {
  for (const item of query.orderBy) checkExpression(item.expression, ANYWHERE, report, parameters);
  checkBody(query.body, report, parameters);
}

function checkBody(body: QueryBody, report: Report, parameters: ReadonlySet<string>): void {
  if (body.kind === 'set') for (const input of body.inputs) checkBody(input, report, parameters);
  if (body.kind === 'select') checkSelect(body, report, parameters);
}

function checkSelect(select: Select, report: Report, parameters: ReadonlySet<string>): void {
  const named = new Map(select.windows.map(({ name, spec }) => [name.toLowerCase(), spec]));
  const check = (expression: Expression | null, place: Place) => {
    if (expression) checkExpression(expression, { ...place, named }, report, parameters);
  };
  for (const item of select.items) {
    if (item.kind === 'expression') check(item.expression, ANYWHERE);
    else for (const { expression } of item.replace) check(expression, ANYWHERE);
    if (item.kind === 'star' && select.from === null) report(item.at, 'SELECT * needs a FROM.');
  }
  for (const [clause, expression] of [
    ['WHERE', select.where],
    ['HAVING', select.having],
    ['QUALIFY', select.qualify],
  ] as const) {
    if (select.from === null && expression) report(expression.at, `${clause} needs a FROM.`);
  }
  if (select.from) checkFrom(select.from, check);
  check(select.where, WHERE);
  if (select.groupBy !== 'all') for (const expression of select.groupBy) check(expression, GROUP_BY);
  check(select.having, HAVING);
  check(select.qualify, ANYWHERE);
}

function checkFrom(from: FromItem, check: (expression: Expression | null, place: Place) => void): void {
  if (from.kind === 'unnest') check(from.array, UNNEST);
  if (from.kind === 'pivot' || from.kind === 'unpivot') checkFrom(from.source, check);
  if (from.kind === 'pivot') {
    for (const { expression } of from.aggregates) check(expression, PIVOT);
    for (const { expression } of from.values) check(expression, PIVOT_VALUE);
    check(from.input, PIVOT_VALUE);
  }
  if (from.kind !== 'join') return;
  checkFrom(from.left, check);
  checkFrom(from.right, check);
  check(from.on, ON);
}

function checkExpression(expression: Expression, place: Place, report: Report, parameters: ReadonlySet<string>): void {
  if (expression.kind === 'parameter' && !parameters.has(expression.name)) {
    const meant = didYouMean(expression.name, parameters);
    const known = [...parameters].map((name) => `@${name}`).join(', ');
    report(
      expression.at,
      `There is no parameter @${expression.name}.`,
      meant ? `Did you mean @${meant}?` : `Known: ${known}.`,
    );
  }
  const clock =
    expression.kind === 'column' && expression.path.length === 1 ? expression.path[0]?.toUpperCase() : undefined;
  if (clock?.startsWith('CURRENT_') && REFUSED_FUNCTIONS[clock])
    report(expression.at, `${clock} is not portable.`, REFUSED_FUNCTIONS[clock]);
  const inner = expression.kind === 'call' ? checkCall(expression, place, report) : place;
  for (const operand of operandsOf(expression)) checkExpression(operand, inner, report, parameters);
}

/** Checks one call and says what its arguments may hold. */
function checkCall(call: Call, place: Place, report: Report): Place {
  const row = portableFunction(call.name);
  if (row === null) {
    report(call.at, `The function ${call.name} is not known to be portable.`, unknownFunctionHint(call.name));
    return place;
  }
  checkArguments(call, row, report);
  const isWindow = call.over !== null;
  if (row.kind === 'window' && !isWindow) report(call.at, `${call.name} needs OVER (…).`);
  if (row.kind === 'scalar' && isWindow) report(call.at, `${call.name} takes no OVER.`);
  if (isWindow && !place.windows)
    report(call.at, `A window function has no place in ${place.name}.`, 'Use QUALIFY, or a subquery.');
  if (call.over) checkWindow(call, call.over, place, report);
  if (row.kind !== 'aggregate' || isWindow)
    return isWindow ? { ...place, windows: false, name: 'a window function' } : place;
  if (!place.aggregates) report(call.at, `The aggregate ${call.name} has no place in ${place.name}.`);
  return { name: `the aggregate ${call.name}`, aggregates: false, windows: false };
}

/** Functions over the whole partition in its order, which all but the first need: no part of it can be framed. */
const FRAMELESS = ['ROW_NUMBER', 'RANK', 'DENSE_RANK', 'PERCENT_RANK', 'CUME_DIST', 'NTILE', 'LAG', 'LEAD'];

/** @source GoogleSQL, "Window function calls": what each function wants of its window */
function checkWindow(call: Call, over: WindowSpec, place: Place, report: Report): void {
  const base = over.base === null ? null : (place.named?.get(over.base.toLowerCase()) ?? null);
  const isOrdered = over.orderBy.length > 0 || (base !== null && base.orderBy.length > 0);
  const isFramed = over.frame !== null || (base !== null && base.frame !== null);
  const isRank = FRAMELESS.includes(call.name);
  const isOrderedOne = [...FRAMELESS.slice(1), 'FIRST_VALUE', 'LAST_VALUE', 'NTH_VALUE'].includes(call.name);
  if (isOrderedOne && !isOrdered)
    report(call.at, `${call.name} needs an order in its window.`, 'Write OVER (… ORDER BY …).');
  if (portableFunction(call.name)?.orderBy === 'required') {
    const hint = 'Write OVER (… ORDER BY …).';
    if (call.orderBy.length > 0 || call.limit !== null)
      report(call.at, `${call.name} over a window takes no ORDER BY and no LIMIT of its own.`, hint);
    else if (!isOrdered) report(call.at, `The order inside ${call.name} is left open.`, hint);
  }
  if (isRank && isFramed) report(call.at, `${call.name} takes no frame of rows.`);
  const shift = call.args[1];
  if (['LAG', 'LEAD'].includes(call.name) && shift?.kind === 'unary' && shift.operator === '-')
    report(shift.at, `${call.name} takes no negative number of rows.`, 'LAG looks back, LEAD ahead.');
  if (call.distinct && (isOrdered || isFramed))
    report(call.at, 'DISTINCT over a window takes no order and no frame.', 'Write OVER (PARTITION BY …).');
}

function unknownFunctionHint(name: string): string {
  const refused = REFUSED_FUNCTIONS[name];
  if (refused !== undefined) return refused;
  const meant = didYouMean(name, Object.keys(PORTABLE_FUNCTIONS));
  return meant ? `Did you mean ${meant}?` : 'docs/reference/sql.md lists the functions that are.';
}

function checkArguments(call: Call, row: FunctionRow, report: Report): void {
  const { name, at } = call;
  if (call.star) {
    if (name !== 'COUNT') report(at, `${name}(*) has no meaning.`, 'Only COUNT takes *.');
    return;
  }
  const { length } = call.args;
  if (length < row.minArgs || length > row.maxArgs) {
    report(at, `${name} takes ${argumentCount(row)}, not ${length}.`);
  }
  if (row.part === 'required' && call.part === null && length <= row.maxArgs) {
    report(at, `${name} needs a date part.`, `Write ${name}(…, DAY).`);
  }
  for (const [index, argument] of call.args.entries()) {
    const wants = row.interval === true && index === (name.startsWith('GENERATE_') ? 2 : 1);
    if (wants && argument.kind !== 'interval')
      report(argument.at, `${name} wants INTERVAL n PART here.`, 'Write INTERVAL 7 DAY.');
    if (!wants && argument.kind === 'interval') report(argument.at, `${name} takes no interval here.`);
  }
  const isAggregate = row.kind === 'aggregate';
  if (
    call.distinct &&
    (!isAggregate || ['COUNTIF', 'MAX_BY', 'MIN_BY', 'CORR', 'COVAR_SAMP', 'COVAR_POP', 'GROUPING'].includes(name))
  )
    report(at, `${name} takes no DISTINCT.`);
  const isOrdered = row.orderBy === 'required';
  if (isOrdered && call.orderBy.length === 0 && call.over === null) {
    report(
      at,
      `The order inside ${name} is left open.`,
      `Write ${name}(… ORDER BY …), so that every engine gives the same.`,
    );
  }
  if (!isOrdered && call.orderBy.length > 0) report(at, `${name} takes no ORDER BY.`);
  if (call.limit !== null && !isOrdered) report(at, `LIMIT inside ${name} is not covered.`);
  const isPercentile = ['PERCENTILE_CONT', 'PERCENTILE_DISC'].includes(name);
  const maySkipNulls = name === 'ARRAY_AGG' || ['FIRST_VALUE', 'LAST_VALUE', 'NTH_VALUE'].includes(name);
  if (call.nulls === 'IGNORE' && !maySkipNulls && !isPercentile) report(at, `${name} takes no IGNORE NULLS.`);
  if (call.nulls === 'RESPECT' && !maySkipNulls)
    report(
      at,
      `${name} with RESPECT NULLS is not covered.`,
      'Leave RESPECT NULLS out, or give NULL a value with IFNULL.',
    );
}

function argumentCount(row: FunctionRow): string {
  const { minArgs, maxArgs } = row;
  if (minArgs === maxArgs) return `${minArgs} argument${minArgs === 1 ? '' : 's'}`;
  return maxArgs === Number.POSITIVE_INFINITY ? `${minArgs} arguments or more` : `${minArgs} to ${maxArgs} arguments`;
}

/** Calls back for every table in FROM that is no WITH name in force there. */
function collectTables(
  query: Query,
  outer: ReadonlySet<string>,
  found: (table: Extract<FromItem, { kind: 'table' }>) => void,
): void {
  const names = new Set(outer);
  for (const cte of query.with) {
    const own = cte.name.toLowerCase();
    collectTables(cte.query, query.recursive ? new Set([...names, own]) : new Set(names), found);
    names.add(own);
  }
  const nested = {
    query: (inner: Query) => {
      collectTables(inner, names, found);
      return false;
    },
  };
  const inBody = (body: QueryBody): void => {
    if (body.kind === 'nested') collectTables(body.query, names, found);
    if (body.kind === 'set') for (const input of body.inputs) inBody(input);
    if (body.kind !== 'select') return;
    for (const leaf of fromLeaves(body.from)) {
      if (leaf.kind === 'subquery') collectTables(leaf.query, names, found);
      if (leaf.kind !== 'table') continue;
      const isCte = leaf.path.length === 1 && names.has((leaf.path[0] ?? '').toLowerCase());
      if (!isCte) found(leaf);
    }
    for (const expression of expressionsOf(body)) walkExpression(expression, nested);
  };
  inBody(query.body);
  for (const item of query.orderBy) walkExpression(item.expression, nested);
}
