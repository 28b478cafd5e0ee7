/** The metrics of a mart -> whether each can be asked for: real columns, portable SQL, aggregates, names of their own. */

import { walkExpression } from '../core/google-sql/ast.ts';
import { portableFunction } from '../core/google-sql/functions.ts';
import { positionOf, SqlFaultError } from '../core/google-sql/lexer.ts';
import { parseExpression } from '../core/google-sql/parser.ts';
import { lintQuery, type SqlFault } from '../core/google-sql.ts';
import { RESERVED_METRIC_NAMES } from '../core/metric-query.ts';
import type { MartSpec } from '../core/spec.ts';
import { parametersIn } from './bind-params.ts';
import { type CheckContext, reportMissing, valueAt } from './check-context.ts';
import { checkExpression, checkNamesIn, type ExpressionScope, inText, reportFaults } from './check-expressions.ts';
import { checkName } from './check-names.ts';
import type { RawMetrics } from './spec-schema.ts';
import { nodeAt, type TreePath } from './yaml-tree.ts';

/** `martPath` leads to the mart. */
export function checkMetrics(
  context: CheckContext,
  mart: MartSpec,
  raw: RawMetrics | undefined,
  martPath: TreePath,
): void {
  if (raw === undefined || mart.metrics === null) return;
  const path = [...martPath, 'metrics'];
  const what = `mart ${mart.name}`;
  const columns = mart.columns.length === 0 ? null : mart.columns.map((column) => column.name);
  const scope = { columns, of: what, params: context.spec.params, hasWindow: false };
  const measures = raw.measures ?? [];
  if (measures.length === 0) {
    reportMissing(context, path, `metrics of ${mart.name}`, 'measures', '[{name: revenue, sql: SUM(revenue)}]');
  }
  if (raw.time !== undefined) checkTime(context, mart, [...path, 'time'], raw.time, columns);
  for (const [index, measure] of measures.entries()) {
    const at = [...path, 'measures', index];
    checkMetricName(context, [...at, 'name'], measure.name);
    if (measure.sql === undefined) reportMissing(context, at, `measure ${measure.name}`, 'sql', 'SUM(…)');
    checkMeasure(context, [...at, 'sql'], measure.name, scope);
  }
  for (const [index, dimension] of (raw.dimensions ?? []).entries()) {
    const at = [...path, 'dimensions', index];
    checkMetricName(context, [...at, 'name'], dimension.name);
    if (measures.some((measure) => measure.name.toLowerCase() === dimension.name.toLowerCase())) {
      context.log.error({
        code: 'duplicate_name',
        at: valueAt(context, [...at, 'name']),
        message: `a measure of ${mart.name} is called ${dimension.name} already`,
        expected: 'one name for one thing',
      });
    }
    if (dimension.sql === undefined) {
      checkName(
        context,
        dimension.column === undefined ? [...at, 'name'] : [...at, 'column'],
        dimension.column ?? dimension.name,
        columns,
        what,
      );
      continue;
    }
    if (dimension.column !== undefined) {
      context.log.error({
        code: 'bad_metric',
        at: valueAt(context, at),
        message: `dimension ${dimension.name} says both column and sql`,
        expected: 'one of them',
      });
    }
    checkExpression(context, [...at, 'sql'], scope);
  }
}

function checkTime(
  context: CheckContext,
  mart: MartSpec,
  path: TreePath,
  time: string,
  columns: readonly string[] | null,
): void {
  if (!checkName(context, path, time, columns, `mart ${mart.name}`)) return;
  const type = mart.columns.find((column) => column.name.toLowerCase() === time.toLowerCase())?.type;
  if (type === undefined || type === 'date') return;
  const dates = mart.columns.filter((column) => column.type === 'date').map((column) => column.name);
  context.log.error({
    code: 'bad_metric',
    at: valueAt(context, path),
    message: `${time} is ${type}, not date`,
    expected: dates.length > 0 ? `one of ${dates.join(', ')}` : 'a date column',
  });
}

function checkMetricName(context: CheckContext, path: TreePath, name: string): void {
  if (!RESERVED_METRIC_NAMES.includes(name.toLowerCase())) return;
  context.log.error({
    code: 'reserved_name',
    at: valueAt(context, path),
    message: `${name} names the time in queries`,
    expected: `a name besides ${RESERVED_METRIC_NAMES.join(', ')}`,
  });
}

function checkMeasure(context: CheckContext, path: TreePath, name: string, scope: ExpressionScope): void {
  const scalar = nodeAt(context.tree, path);
  if (scalar?.kind !== 'scalar' || typeof scalar.value !== 'string') return;
  const text = scalar.value;
  const place = inText(context, path);
  const faults = lintAggregate(text, parametersIn(text));
  reportFaults(context, faults, place, 'bad_expression', 'a GoogleSQL aggregate, e.g. SUM(revenue)');
  checkNamesIn(context, path, text, scope, faults.length === 0);
  if (faults.length > 0) return;
  reportFaults(context, aggregateFaults(text, name), place, 'bad_metric', 'every column inside an aggregate');
}

const SELECT = 'SELECT ';

/** Aggregates may stand in a SELECT alone, so the text is linted as its only column. */
function lintAggregate(text: string, parameters: readonly string[]): readonly SqlFault[] {
  try {
    parseExpression(text);
  } catch (thrown) {
    if (thrown instanceof SqlFaultError) return [thrown.fault];
    throw thrown;
  }
  return lintQuery(`${SELECT}${text}`, { parameters }).map((fault) =>
    fault.line === 1 ? { ...fault, column: Math.max(1, fault.column - SELECT.length) } : fault,
  );
}

/** Why an expression has not one value for many rows. */
function aggregateFaults(text: string, name: string): readonly SqlFault[] {
  const faults: SqlFault[] = [];
  let hasAggregate = false;
  const report = (at: number, message: string, hint: string | null) =>
    faults.push({ message, hint, ...positionOf(text, at) });
  walkExpression(parseExpression(text), {
    expression: (inner) => {
      if (inner.kind === 'subquery' || (inner.kind === 'in' && inner.source.kind === 'query')) {
        report(inner.at, 'A subquery has no place in a measure', 'put it into the query of the mart');
        return false;
      }
      if (inner.kind === 'column') {
        const column = inner.path.join('.');
        report(
          inner.at,
          `${column} stands outside of an aggregate`,
          `write SUM(${column}), MAX(${column}) or the like`,
        );
      }
      if (inner.kind !== 'call') return true;
      if (inner.over !== null) {
        report(inner.at, `${inner.name} OVER is no aggregate: it has a value for every row`, 'leave OVER out');
        return false;
      }
      const isAggregate = portableFunction(inner.name)?.kind === 'aggregate';
      if (isAggregate) hasAggregate = true;
      return !isAggregate;
    },
  });
  if (!hasAggregate && faults.length === 0)
    report(0, `measure ${name} aggregates nothing`, 'write SUM(…), COUNT(*) or the like');
  return faults;
}
