/** Arithmetic, rounding, powers and logarithms -> DuckDB text. */
import { add, divide, integerQuotient, multiply, remainder, roundedFloat, truncatedNumeric } from '../numbers.ts';
import {
  BOOL,
  coerced,
  FLOAT64,
  INT64,
  isBig,
  isOpen,
  NUMERIC_SCALE,
  numeric,
  ranged,
  type Sql,
  sql,
  UNKNOWN,
} from '../types.ts';
import { arg, expectKind, type Functions, type Render, withoutBig } from './call.ts';

const rounded: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const digits = call.args[1];
  if (digits !== undefined && digits.literal?.kind !== 'int')
    return call.refuse('ROUND takes its digits as a literal.');
  const isExact = value.type.kind === 'NUMERIC' || value.type.kind === 'UNKNOWN' || value.type.kind === 'NULL';
  if (value.type.kind === 'FLOAT64' && Number(digits?.literal?.value ?? 0) > 0) {
    if (Number(digits?.literal?.value) > 11)
      return call.refuse('ROUND of a FLOAT64 takes 11 digits at most.', 'Write ROUND(CAST(value AS NUMERIC), digits).');
    return sql(roundedFloat(value.text, Number(digits?.literal?.value)), FLOAT64);
  }
  const operand = isExact ? value.text : coerced(value, FLOAT64);
  const scale = Math.max(0, Number(digits?.literal?.value ?? 0));
  const type =
    value.type.kind === 'NUMERIC'
      ? numeric(Math.min(scale, value.type.scale), isBig(value.type))
      : isExact
        ? value.type
        : FLOAT64;
  return sql(ranged(`round(${operand}${digits ? `, ${digits.text}` : ''})`, type), type);
};

const toWhole =
  (name: 'trunc' | 'ceil' | 'floor'): Render =>
  (call) => {
    const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
    if (isOpen(value.type)) return sql(`${name}(${value.text})`, UNKNOWN);
    const isExact = value.type.kind === 'NUMERIC';
    return sql(
      `${name}(${isExact ? value.text : coerced(value, FLOAT64)})`,
      isExact ? numeric(0, isBig(value.type)) : FLOAT64,
    );
  };

/** With digits: of NUMERIC only, where a power of ten is exact. DuckDB's own `trunc` answers in floating point. */
const truncated: Render = (call) => {
  withoutBig(call);
  const digits = call.args[1];
  const value = arg(call, 0);
  if (digits === undefined && value.type.kind !== 'NUMERIC') return toWhole('trunc')(call);
  expectKind(call, 0, ['NUMERIC'], 'Write TRUNC(CAST(value AS NUMERIC), digits).');
  const places = digits === undefined ? 0 : Number(digits.literal?.kind === 'int' ? digits.literal.value : Number.NaN);
  if (!(Math.abs(places) <= NUMERIC_SCALE)) return call.refuse('TRUNC takes its digits as a literal, nine at most.');
  if (value.type.kind !== 'NUMERIC') return call.refuse('TRUNC with digits wants to know that its value is NUMERIC.');
  return places >= value.type.scale ? value : truncatedNumeric(value, places);
};

/** A sum, difference or product of whole or exact numbers; NULL where it does not fit. */
const safely =
  (compute: (left: Sql, right: Sql) => Sql): Render =>
  (call) => {
    withoutBig(call);
    const operands = call.args.map((_, index) => expectKind(call, index, ['INT64', 'NUMERIC']));
    const [left, right] = [operands[0] ?? arg(call, 0), operands[1] ?? { text: '0', type: INT64 }];
    const open = operands.find((operand) => isOpen(operand.type));
    if (open) return call.refuse(`${call.call.name} wants to know the types of its numbers.`, 'Cast them.');
    const isWhole = operands.every((operand) => operand.type.kind === 'INT64');
    if (!isWhole) {
      const exact = compute(left, right);
      return sql(`TRY(CAST(${exact.text} AS DECIMAL(38, ${NUMERIC_SCALE})))`, numeric(NUMERIC_SCALE));
    }
    const wide = (value: Sql): Sql => ({ text: `CAST(${value.text} AS HUGEINT)`, type: UNKNOWN });
    return sql(`TRY_CAST(${compute(wide(left), wide(right)).text} AS BIGINT)`, INT64);
  };

/** Infinite or no number where the divisor is 0, never an error. */
const ieeeDivide: Render = (call) => {
  const [a, b] = [0, 1].map((index) => `CAST(${expectKind(call, index, ['INT64', 'FLOAT64']).text} AS DOUBLE)`);
  const byZero = `CASE WHEN ${a} = 0 OR isnan(${a}) THEN 'nan' WHEN ${a} > 0 THEN 'inf' ELSE '-inf' END`;
  return sql(
    `(CASE WHEN ${a} IS NULL OR ${b} <> 0 THEN ${a} / ${b} WHEN ${b} = 0 THEN CAST(${byZero} AS DOUBLE) END)`,
    FLOAT64,
  );
};

/** LOG of one argument is the natural one. */
const logarithm: Render = (call) => {
  const { text: value } = floating('ln')({ ...call, args: call.args.slice(0, 1) });
  if (call.args.length === 1) return sql(value, FLOAT64);
  return sql(`(${value} / ${floating('ln')({ ...call, args: call.args.slice(1) }).text})`, FLOAT64);
};

const floating =
  (name: string): Render =>
  (call) => {
    for (const index of call.args.keys())
      expectKind(
        call,
        index,
        ['INT64', 'FLOAT64'],
        'NUMERIC is computed differently by the engines: write CAST(value AS FLOAT64).',
      );
    const operands = call.args.map((value) => `CAST(${value.text} AS DOUBLE)`);
    const value = `${name}(${operands.join(', ')})`;
    // What has no finite value is an error, where DuckDB may answer with infinity or NaN.
    const finite = operands.map((operand) => `isfinite(${operand})`);
    const isOutside = [`NOT isfinite(${value})`, ...finite].join(' AND ');
    return sql(
      `(CASE WHEN ${isOutside} THEN error('${call.call.name} has no finite value here') ELSE ${value} END)`,
      FLOAT64,
    );
  };

const absolute: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  return sql(`abs(${value.text})`, value.type);
};

const signOf: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const sign = `CAST(sign(${value.text}) AS BIGINT)`;
  if (value.type.kind === 'NUMERIC') return sql(`CAST(${sign} AS DECIMAL(38, 0))`, numeric(0));
  return value.type.kind === 'FLOAT64' ? sql(`CAST(${sign} AS DOUBLE)`, FLOAT64) : sql(sign, INT64);
};

export const NUMBERS = {
  SAFE_DIVIDE: (call) => withoutBig(call) && divide(arg(call, 0), arg(call, 1), 'null'),
  DIV: (call) =>
    withoutBig(call) &&
    integerQuotient(expectKind(call, 0, ['INT64', 'NUMERIC']), expectKind(call, 1, ['INT64', 'NUMERIC'])),
  MOD: (call) =>
    withoutBig(call) && remainder(expectKind(call, 0, ['INT64', 'NUMERIC']), expectKind(call, 1, ['INT64', 'NUMERIC'])),
  ABS: absolute,
  SIGN: signOf,
  ROUND: rounded,
  TRUNC: truncated,
  CEIL: toWhole('ceil'),
  CEILING: toWhole('ceil'),
  FLOOR: toWhole('floor'),
  POW: floating('pow'),
  POWER: floating('pow'),
  SQRT: floating('sqrt'),
  EXP: floating('exp'),
  LN: floating('ln'),
  LOG: logarithm,
  LOG10: floating('log10'),
  SAFE_ADD: safely((left, right) => add(left, right, '+')),
  SAFE_SUBTRACT: safely((left, right) => add(left, right, '-')),
  SAFE_MULTIPLY: safely(multiply),
  SAFE_NEGATE: safely((value) => ({ ...value, text: `(-${value.text})` })),
  IEEE_DIVIDE: ieeeDivide,
  IS_NAN: (call) => sql(`isnan(${coerced(expectKind(call, 0, ['FLOAT64', 'INT64']), FLOAT64)})`, BOOL),
  IS_INF: (call) => sql(`isinf(${coerced(expectKind(call, 0, ['FLOAT64', 'INT64']), FLOAT64)})`, BOOL),
} satisfies Functions;
