/** Whole numbers, money and ratios as Polars expressions that lose no digit. */
import pl, { type Expr } from 'nodejs-polars';
import type { Day } from '../../core/types.ts';

const MONEY = pl.Decimal(18, 2);

/**
 * Eighteen digits behind the point, from which the write rounds to six, half away from zero. Polars itself rounds half to even,
 * and only once here: for a denominator below 10^12 no quotient comes so near a tie that the eighteenth digit could make it one.
 */
const RATIO = pl.Decimal(38, 18);

/** Polars takes every JavaScript number for a Float64. */
export const int = (value: number): Expr => pl.lit(value).cast(pl.Int64);

/** `0.8` exactly, by way of its text. */
export const decimal = (value: number): Expr => pl.lit(String(value)).cast(RATIO);

export const date = (day: Day): Expr => pl.lit(day).cast(pl.Date);

export const nothing = (): Expr => pl.lit(null);

/** An amount in whole units of currency. */
export const money = (units: number): Expr => pl.lit(String(units)).cast(MONEY);

/** Adds amounts or counts up; no rows, or only nulls, are zero. */
export const total = (column: string): Expr => pl.col(column).sum();

/** Rows of a group as Int64; Polars counts in UInt32. */
export const rowCount = (): Expr => pl.len().cast(pl.Int64);

/** numerator / denominator, exact to 18 digits; null where either is null or the denominator is zero. */
export function ratio(numerator: Expr, denominator: Expr): Expr {
  // A Decimal divided by zero fails the whole query, also in a branch that is not taken.
  const divisor = pl
    .when(denominator.eq(int(0)))
    .then(nothing())
    .otherwise(denominator);
  return numerator.cast(RATIO).div(divisor);
}

/** The nearest value within the bounds; null stays null. */
export function clamp(value: Expr, least: number, most: number): Expr {
  return pl
    .when(value.lt(decimal(least)))
    .then(decimal(least))
    .when(value.gt(decimal(most)))
    .then(decimal(most))
    .otherwise(value);
}

/**
 * An amount with up to eight digits behind the point -> whole cents, half a cent away from zero; for amounts that others are
 * computed from (the rest is rounded when written). Amounts up to 90 thousand million units.
 */
export function roundToCents(amount: Expr): Expr {
  // A Decimal cast to Int64 is rounded half to even, so it is made whole first; a quotient of Int64 is rounded down.
  const fine = amount.cast(pl.Decimal(38, 8)).mul(int(100_000_000)).cast(pl.Int64);
  const rounded = fine.abs().add(int(500_000)).div(int(1_000_000));
  const cents = pl
    .when(fine.lt(int(0)))
    .then(rounded.mul(int(-1)))
    .otherwise(rounded);
  return cents.cast(pl.Decimal(38, 2)).div(int(100));
}

/** Calendar days from a date or timestamp column to the day; negative where it lies ahead. */
export function daysUntil(day: Day, column: string): Expr {
  const dayNumber = (expr: Expr) => expr.cast(pl.Date).cast(pl.Int32).cast(pl.Int64);
  return dayNumber(date(day)).sub(dayNumber(pl.col(column)));
}

/** Instants as whole microseconds. */
export const microseconds = (column: string): Expr => pl.col(column).cast(pl.Int64);

export const HOUR_MICROSECONDS = 3_600_000_000;
