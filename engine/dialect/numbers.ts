/** Arithmetic of GoogleSQL -> DuckDB text: NUMERIC stays exact, a division by zero is an error, half is rounded away from zero. */
import {
  asWritten,
  coerced,
  FLOAT64,
  INT64,
  isBig,
  isNumber,
  NUMERIC_SCALE,
  numeric,
  ranged,
  type Sql,
  type SqlType,
  scaleOf,
  sql,
  widened,
} from './types.ts';

type ByZero = 'error' | 'null';

/** NULL divided by zero is NULL; anything else is an error, or NULL too. */
function dividedByZero(dividend: string, byZero: ByZero): string {
  if (byZero === 'null') return 'NULL';
  return `CASE WHEN ${dividend} IS NOT NULL THEN error('division by zero; SAFE_DIVIDE gives NULL instead') END`;
}

/** The kind of number that two operands make; null where nothing is known of one of them. */
function numberType(left: Sql, right: Sql): SqlType | null {
  if (!isNumber(left.type) || !isNumber(right.type)) return null;
  const operands = [left, right];
  const isDecimal = operands.some((operand) => operand.type.kind === 'NUMERIC');
  const isFloat = operands.some((operand) => operand.type.kind === 'FLOAT64' && !(isDecimal && operand.literal));
  if (isFloat) return FLOAT64;
  if (!isDecimal) return INT64;
  return numeric(Math.max(...operands.map(scaleOf)), isBigNumeric(left, right));
}

/** Whether a number computed of these is a BIGNUMERIC. */
export function isBigNumeric(...operands: readonly Sql[]): boolean {
  const isFloat = operands.some((operand) => operand.type.kind === 'FLOAT64' && !operand.literal);
  return !isFloat && operands.some((operand) => isBig(operand.type));
}

/** Digits after the point of a product; more than a DECIMAL holds where it is over 38. */
export function productScale(left: Sql, right: Sql): number {
  return scaleOf(left) + scaleOf(right);
}

export function add(left: Sql, right: Sql, operator: '+' | '-'): Sql {
  const type = numberType(left, right);
  if (type === null) return sql(`(${asWritten(left)} ${operator} ${asWritten(right)})`, openType(left, right));
  return sql(ranged(`(${operandText(left, type)} ${operator} ${operandText(right, type)})`, type), type);
}

export function multiply(left: Sql, right: Sql): Sql {
  const type = numberType(left, right);
  if (type === null) return sql(`(${asWritten(left)} * ${asWritten(right)})`, openType(left, right));
  if (type.kind !== 'NUMERIC') return sql(`(${operandText(left, type)} * ${operandText(right, type)})`, type);
  const scale = productScale(left, right);
  const product = `(${widened(left)} * ${widened(right)})`;
  if (scale <= NUMERIC_SCALE || type.isBig) {
    const exact = numeric(scale, type.isBig);
    return sql(ranged(product, exact), exact);
  }
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
    ? `(${asWritten(left)} / ${asWritten(right)})`
    : `(${coerced(left, FLOAT64)} / ${coerced(right, FLOAT64)})`;
  return sql(guarded(left, right, byZero, quotient), isOpen ? openType(left, right) : FLOAT64);
}

/** The mean as GoogleSQL has it: of NUMERIC it is NUMERIC, where DuckDB would answer in floating point. */
export function mean(sumText: string, countText: string, argument: SqlType): Sql | null {
  if (argument.kind !== 'NUMERIC') return null;
  return sql(
    exactQuotient(`CAST(${sumText} AS DECIMAL(38, ${argument.scale}))`, countText, 'null'),
    numeric(NUMERIC_SCALE),
  );
}

/** Quotient cut toward zero. */
export function integerQuotient(left: Sql, right: Sql): Sql {
  if (numberType(left, right)?.kind !== 'NUMERIC')
    return sql(guarded(left, right, 'error', `(${operandText(left, INT64)} // ${right.text})`), INT64);
  const units = (value: Sql) => `CAST(CAST(${value.text} AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)`;
  return sql(guarded(left, right, 'error', `CAST(${units(left)} // ${units(right)} AS DECIMAL(38, 0))`), numeric(0));
}

/** Remainder with the sign of the dividend; of NUMERIC in one width, since DuckDB would else answer in floating point. */
export function remainder(left: Sql, right: Sql): Sql {
  const type = numberType(left, right) ?? openType(left, right);
  const operands = [left, right].map((operand) =>
    type.kind === 'NUMERIC' ? `CAST(${operand.text} AS DECIMAL(38, ${type.scale}))` : operandText(operand, type),
  );
  return sql(guarded(left, right, 'error', `(${operands.join(' % ')})`), type);
}

/** A NUMERIC cut toward zero at a digit after the point, or before it where `places` is negative. */
export function truncatedNumeric(value: Sql, places: number): Sql {
  const scale = scaleOf(value);
  const exact = `CAST(${value.text} AS DECIMAL(38, ${scale}))`;
  const unit = places < 0 ? `1${'0'.repeat(-places)}` : (10 ** -places).toFixed(places);
  return sql(`(${exact} - ${exact} % CAST(${unit} AS DECIMAL(38, ${scale})))`, numeric(scale));
}

/**
 * A FLOAT64 to some digits after the point, half away from zero by its exact value: 2.675, which is a little less, gives 2.67.
 * DuckDB multiplies and rounds, and takes the product's own rounding for a half. Where the product is exactly a half, the part
 * that was lost in it decides; it is exact for up to 11 digits, since 5^11 has 26 bits and so has each half of the value.
 *
 * @source T. J. Dekker, "A floating-point technique for extending the available precision" (1971)
 */
export function roundedFloat(value: string, digits: number): string {
  const rounded = `CASE WHEN abs(v) * ${power(digits)} < 4503599627370496 THEN (${unitsOf('v', digits)}) / ${power(digits)} ELSE v END`;
  return `list_transform([CAST(${value} AS DOUBLE)], lambda v: ${rounded})[1]`;
}

/**
 * A FLOAT64 as the NUMERIC nearest to its exact value. DuckDB multiplies by 10^9 in floating point, which from 10^7 on spoils the
 * digits; so whole part and fraction, both exact, go each by itself.
 */
export function numericOfFloat(value: string, safe: boolean): string {
  const cast = safe ? 'TRY_CAST' : 'CAST';
  const whole = `${cast}(${cast}(trunc(v) AS HUGEINT) AS DECIMAL(38, ${NUMERIC_SCALE}))`;
  const units = `${cast}(${unitsOf('(v - trunc(v))', NUMERIC_SCALE)} AS DECIMAL(10, 0))`;
  const exact = `${whole} + ${units} * CAST(0.000000001 AS DECIMAL(9, 9))`;
  return `list_transform([CAST(${value} AS DOUBLE)], lambda v: ${exact})[1]`;
}

const power = (digits: number): string => `CAST(1e${digits} AS DOUBLE)`;

/** The whole number nearest to v · 10^digits, half away from zero. */
function unitsOf(v: string, digits: number): string {
  const by = power(digits);
  const high = `(134217729 * ${v} - (134217729 * ${v} - ${v}))`;
  const lost = `((${high} * ${by} - ${v} * ${by}) + (${v} - ${high}) * ${by})`;
  const isFalseHalf = `abs(${v} * ${by} - trunc(${v} * ${by})) = 0.5 AND ${lost} * sign(${v}) < 0`;
  return `CASE WHEN ${isFalseHalf} THEN trunc(${v} * ${by}) ELSE round(${v} * ${by}) END`;
}

function guarded(dividend: Sql, divisor: Sql, byZero: ByZero, quotient: string): string {
  const isPlainlyNotZero = divisor.literal !== undefined && Number(divisor.literal.value) !== 0;
  if (isPlainlyNotZero) return quotient;
  return `(CASE WHEN ${divisor.text} = 0 THEN ${dividedByZero(dividend.text, byZero)} ELSE ${quotient} END)`;
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
  return `(CASE WHEN ${divisor} = 0 THEN ${dividedByZero(dividend, byZero)} ELSE ${exact} END)`;
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
