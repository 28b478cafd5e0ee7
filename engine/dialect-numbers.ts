/** Arithmetic of GoogleSQL -> DuckDB text: NUMERIC stays exact, a division by zero is an error, half is rounded away from zero. */
import {
  coerced,
  FLOAT64,
  INT64,
  isNumber,
  NUMERIC_SCALE,
  numeric,
  type Sql,
  type SqlType,
  scaleOf,
  sql,
  widened,
} from './dialect-types.ts';

type ByZero = 'error' | 'null';

const DIVISION_BY_ZERO = "error('division by zero; SAFE_DIVIDE gives NULL instead')";

/** The kind of number that two operands make; null where nothing is known of one of them. */
function numberType(left: Sql, right: Sql): SqlType | null {
  if (!isNumber(left.type) || !isNumber(right.type)) return null;
  const operands = [left, right];
  const isDecimal = operands.some((operand) => operand.type.kind === 'NUMERIC');
  const isFloat = operands.some((operand) => operand.type.kind === 'FLOAT64' && !(isDecimal && operand.literal));
  if (isFloat) return FLOAT64;
  return isDecimal ? numeric(Math.max(...operands.map(scaleOf))) : INT64;
}

export function add(left: Sql, right: Sql, operator: '+' | '-'): Sql {
  const type = numberType(left, right);
  if (type === null) return sql(`(${left.text} ${operator} ${right.text})`, openType(left, right));
  return sql(`(${operandText(left, type)} ${operator} ${operandText(right, type)})`, type);
}

export function multiply(left: Sql, right: Sql): Sql {
  const type = numberType(left, right);
  if (type === null) return sql(`(${left.text} * ${right.text})`, openType(left, right));
  if (type.kind !== 'NUMERIC') return sql(`(${operandText(left, type)} * ${operandText(right, type)})`, type);
  const scale = scaleOf(left) + scaleOf(right);
  const product = `(${widened(left)} * ${widened(right)})`;
  if (scale <= NUMERIC_SCALE) return sql(product, numeric(scale));
  return sql(`CAST(${product} AS DECIMAL(38, ${NUMERIC_SCALE}))`, numeric(NUMERIC_SCALE));
}

/**
 * INT64 by INT64 is FLOAT64; with NUMERIC on either side and no FLOAT64 it is NUMERIC with nine digits.
 *
 * @source GoogleSQL, "Operators", result types of division
 */
export function divide(left: Sql, right: Sql, byZero: ByZero): Sql {
  const type = numberType(left, right);
  if (type?.kind === 'NUMERIC')
    return sql(exactQuotient(widened(left), widened(right), byZero), numeric(NUMERIC_SCALE));
  const isOpen = type === null;
  const quotient = isOpen
    ? `(${left.text} / ${right.text})`
    : `(${coerced(left, FLOAT64)} / ${coerced(right, FLOAT64)})`;
  return sql(guarded(right, byZero, quotient), isOpen ? openType(left, right) : FLOAT64);
}

/** The mean as GoogleSQL has it: of NUMERIC it is NUMERIC, where DuckDB would answer in floating point. */
export function mean(sumText: string, countText: string, argument: SqlType): Sql | null {
  if (argument.kind !== 'NUMERIC') return null;
  return sql(
    exactQuotient(`CAST(${sumText} AS DECIMAL(38, ${argument.scale}))`, countText, 'null'),
    numeric(NUMERIC_SCALE),
  );
}

/** Quotient of whole numbers, cut toward zero. */
export function integerQuotient(left: Sql, right: Sql): Sql {
  return sql(guarded(right, 'error', `(${operandText(left, INT64)} // ${right.text})`), INT64);
}

/** Remainder with the sign of the dividend. */
export function remainder(left: Sql, right: Sql): Sql {
  const type = numberType(left, right) ?? openType(left, right);
  return sql(guarded(right, 'error', `(${operandText(left, type)} % ${operandText(right, type)})`), type);
}

function guarded(divisor: Sql, byZero: ByZero, quotient: string): string {
  const isPlainlyNotZero = divisor.literal !== undefined && Number(divisor.literal.value) !== 0;
  if (isPlainlyNotZero) return quotient;
  return `(CASE WHEN ${divisor.text} = 0 THEN ${byZero === 'error' ? DIVISION_BY_ZERO : 'NULL'} ELSE ${quotient} END)`;
}

/**
 * Nine digits after the point, half away from zero, in whole numbers of 128 bits: DuckDB would divide as DOUBLE.
 * Operands of 10^19 and more overflow, with an error.
 */
function exactQuotient(dividend: string, divisor: string, byZero: ByZero): string {
  const units = (value: string) => `CAST(abs(CAST(${value} AS DECIMAL(38, 9))) * 1000000000 AS HUGEINT)`;
  const quotient = `((2000000000 * ${units(dividend)} + ${units(divisor)}) // (2 * ${units(divisor)}))`;
  const sign = `(CASE WHEN (${dividend} < 0) <> (${divisor} < 0) THEN -1 ELSE 1 END)`;
  const exact = `CAST(${sign} * ${quotient} AS DECIMAL(29, 0)) * CAST(0.000000001 AS DECIMAL(9, 9))`;
  return `(CASE WHEN ${divisor} = 0 THEN ${byZero === 'error' ? DIVISION_BY_ZERO : 'NULL'} ELSE ${exact} END)`;
}

/** DuckDB computes small literals in 32 bits, where GoogleSQL has INT64 only. */
function operandText(operand: Sql, type: SqlType): string {
  if (type.kind === 'INT64') return `CAST(${operand.text} AS BIGINT)`;
  return coerced(operand, type);
}

function openType(left: Sql, right: Sql): SqlType {
  const isFloat = [left, right].some((operand) => operand.type.kind === 'FLOAT64' && !operand.literal);
  return isFloat ? FLOAT64 : { kind: 'UNKNOWN' };
}
