/** Calls over many rows, COUNT to ARRAY_AGG -> DuckDB text. */
import { mean } from '../numbers.ts';
import { arrayOf, BOOL, FLOAT64, INT64, isNested, isNumber, ranged, STRING, sql, UNKNOWN } from '../types.ts';
import {
  arg,
  condition,
  expectKind,
  type Functions,
  type Render,
  type RenderedCall,
  text,
  withoutBig,
} from './call.ts';

const distinctly = (call: RenderedCall): string => (call.call.distinct ? 'DISTINCT ' : '');

const sum: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const total = `sum(${distinctly(call)}${value.text})${call.over}`;
  return value.type.kind === 'INT64'
    ? sql(`CAST(${total} AS BIGINT)`, INT64)
    : sql(ranged(total, value.type), value.type);
};

const average: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  withoutBig(call);
  const over = (name: string) => `${name}(${distinctly(call)}${value.text})${call.over}`;
  return mean(over('sum'), over('count'), value.type) ?? sql(over('avg'), isNumber(value.type) ? FLOAT64 : UNKNOWN);
};

export const count: Render = (call) => {
  if (call.call.star) return sql(`count(*)${call.over}`, INT64);
  return sql(`count(${distinctly(call)}${arg(call, 0).text})${call.over}`, INT64);
};

const extremeOf =
  (name: 'min' | 'max'): Render =>
  (call) => {
    const { text: value, type } = arg(call, 0);
    if (isNested(type)) return call.refuse(`A value of type ${type.kind} has no order.`);
    return sql(`${name}(${value})${call.over}`, type);
  };

/** In floating point, as GoogleSQL has it also for NUMERIC. */
const deviation =
  (name: 'stddev_samp' | 'stddev_pop' | 'var_samp' | 'var_pop'): Render =>
  (call) => {
    const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
    return sql(`${name}(${distinctly(call)}CAST(${value.text} AS DOUBLE))${call.over}`, FLOAT64);
  };

/** The value, NULL included, at the largest or smallest `by`; of equals the largest or smallest value, so that it never depends on the order of rows. */
const valueBy =
  (name: 'arg_max_null' | 'arg_min_null'): Render =>
  (call) => {
    const [value, by] = [arg(call, 0), arg(call, 1)];
    return sql(
      `${name}(${value.text}, row(${by.text}, ${value.text})) FILTER (WHERE ${by.text} IS NOT NULL)${call.over}`,
      value.type,
    );
  };

/** Any value will do; the smallest is the same at every run. */
const anyValue: Render = (call) => {
  const { having } = call;
  if (having === null) return extremeOf('min')(call);
  const name = call.call.having?.extreme === 'MIN' ? 'arg_min_null' : 'arg_max_null';
  return valueBy(name)({ ...call, args: [arg(call, 0), having] });
};

/** Over pairs of which neither is NULL, in floating point. */
const paired =
  (name: 'corr' | 'covar_samp' | 'covar_pop'): Render =>
  (call) => {
    const [one, other] = [0, 1].map(
      (index) => `CAST(${expectKind(call, index, ['INT64', 'FLOAT64', 'NUMERIC']).text} AS DOUBLE)`,
    );
    const value = `${name}(${one}, ${other})${call.over}`;
    // Of one pair alone DuckDB says that it is no number.
    return sql(
      name === 'corr' ? `(CASE WHEN regr_count(${one}, ${other})${call.over} > 1 THEN ${value} END)` : value,
      FLOAT64,
    );
  };

const joined: Render = (call) => {
  const separator = call.args.length > 1 ? text(call, 1) : "','";
  if (call.limit !== null) {
    const value = text(call, 0);
    const list = `array_agg(${distinctly(call)}${value}${call.orderBy}) FILTER (WHERE ${value} IS NOT NULL)${call.over}`;
    return sql(`array_to_string((${list})[1:${call.limit}], ${separator})`, STRING);
  }
  return sql(`string_agg(${distinctly(call)}${text(call, 0)}, ${separator}${call.orderBy})${call.over}`, STRING);
};

const collected: Render = (call) => {
  const value = arg(call, 0);
  const filter = call.call.nulls === 'IGNORE' ? ` FILTER (WHERE ${value.text} IS NOT NULL)` : '';
  const list = `array_agg(${distinctly(call)}${value.text}${call.orderBy})${filter}${call.over}`;
  return sql(call.limit === null ? list : `(${list})[1:${call.limit}]`, arrayOf(value.type));
};

export const AGGREGATES = {
  COUNT: count,
  COUNTIF: (call) => sql(`count(CASE WHEN ${condition(call, 0)} THEN 1 END)${call.over}`, INT64),
  SUM: sum,
  AVG: average,
  MIN: extremeOf('min'),
  MAX: extremeOf('max'),
  ANY_VALUE: anyValue,
  LOGICAL_AND: (call) => sql(`bool_and(${condition(call, 0)})${call.over}`, BOOL),
  LOGICAL_OR: (call) => sql(`bool_or(${condition(call, 0)})${call.over}`, BOOL),
  MAX_BY: valueBy('arg_max_null'),
  MIN_BY: valueBy('arg_min_null'),
  STDDEV: deviation('stddev_samp'),
  STDDEV_SAMP: deviation('stddev_samp'),
  STDDEV_POP: deviation('stddev_pop'),
  VARIANCE: deviation('var_samp'),
  VAR_SAMP: deviation('var_samp'),
  VAR_POP: deviation('var_pop'),
  CORR: paired('corr'),
  COVAR_SAMP: paired('covar_samp'),
  COVAR_POP: paired('covar_pop'),
  GROUPING: (call) => sql(`CAST(grouping(${arg(call, 0).text}) AS BIGINT)`, INT64),
  STRING_AGG: joined,
  ARRAY_AGG: collected,
} satisfies Functions;
