/** GoogleSQL types, as far as they can be told from a query's text and the columns it reads. */
import type { ColumnType } from '../../core/types.ts';
import { identifier } from '../sql-text.ts';

export type SqlType =
  | {
      readonly kind:
        | 'STRING'
        | 'INT64'
        | 'FLOAT64'
        | 'BOOL'
        | 'DATE'
        | 'TIMESTAMP'
        /** Civil time, on the way only: no column of a spec has it. */
        | 'DATETIME'
        | 'INTERVAL'
        | 'BYTES'
        | 'NULL'
        | 'UNKNOWN';
    }
  /** `isBig`: a BIGNUMERIC, which divides with 38 digits. */
  | { readonly kind: 'NUMERIC'; readonly scale: number; readonly isBig: boolean }
  | { readonly kind: 'ARRAY'; readonly element: SqlType }
  | { readonly kind: 'STRUCT'; readonly fields: readonly StructField[] };

export interface StructField {
  /** `_field_2` where none is given. */
  readonly name: string;
  readonly type: SqlType;
}

export const STRING: SqlType = { kind: 'STRING' };
export const INT64: SqlType = { kind: 'INT64' };
export const FLOAT64: SqlType = { kind: 'FLOAT64' };
export const BOOL: SqlType = { kind: 'BOOL' };
export const DATE: SqlType = { kind: 'DATE' };
export const TIMESTAMP: SqlType = { kind: 'TIMESTAMP' };
export const DATETIME: SqlType = { kind: 'DATETIME' };
export const INTERVAL: SqlType = { kind: 'INTERVAL' };
export const BYTES: SqlType = { kind: 'BYTES' };
export const NULL: SqlType = { kind: 'NULL' };
export const UNKNOWN: SqlType = { kind: 'UNKNOWN' };
export const numeric = (scale: number, isBig = false): SqlType => ({ kind: 'NUMERIC', scale, isBig });
export const arrayOf = (element: SqlType): SqlType => ({ kind: 'ARRAY', element });

/** Digits after the point of a NUMERIC that names no scale, and the most before it. */
export const NUMERIC_SCALE = 9;
const NUMERIC_WHOLE_DIGITS = 29;

/** DuckDB text for a part of a query, and what is known of its value. */
export interface Sql {
  readonly text: string;
  readonly type: SqlType;
  /** The literal that it is: `0.5` and `'2025-10-15'` take the type of what they meet. */
  readonly literal?: { readonly kind: 'float' | 'string' | 'int'; readonly value: string };
  /** The fields of a struct that is written out: they take the names of the struct that it meets. */
  readonly fields?: readonly Sql[];
  /** Of a text that may be a number: the same where only the number counts, not how it is written. */
  readonly numberText?: string;
}

export const sql = (text: string, type: SqlType): Sql => ({ text, type });

export function sqlTypeOf(type: ColumnType): SqlType {
  switch (type) {
    case 'string':
      return STRING;
    case 'int64':
      return INT64;
    case 'float64':
      return FLOAT64;
    case 'bool':
      return BOOL;
    case 'date':
      return DATE;
    case 'timestamp':
      return TIMESTAMP;
    default: {
      const [precision = 0, scale = 0] = (type.match(/\d+/g) ?? []).map(Number);
      return numeric(scale, scale > NUMERIC_SCALE || precision - scale > NUMERIC_WHOLE_DIGITS);
    }
  }
}

/** DuckDB's name of a scalar type. @throws Error for one that is open or nested */
export function duckDbTypeOf(type: SqlType): string {
  const names: { readonly [kind in SqlType['kind']]?: string } = {
    STRING: 'VARCHAR',
    INT64: 'BIGINT',
    FLOAT64: 'DOUBLE',
    BOOL: 'BOOLEAN',
    DATE: 'DATE',
    TIMESTAMP: 'TIMESTAMPTZ',
    DATETIME: 'TIMESTAMP',
    BYTES: 'BLOB',
  };
  const name = type.kind === 'NUMERIC' ? `DECIMAL(38, ${type.scale})` : names[type.kind];
  if (name === undefined) throw new Error(`no column of a recursion is ${type.kind}`);
  return name;
}

export function isBig(type: SqlType): boolean {
  return type.kind === 'NUMERIC' && type.isBig;
}

/** A NUMERIC that was computed: past 29 digits before the point it is an error, as in GoogleSQL; DuckDB has room for more. */
export function ranged(text: string, type: SqlType): string {
  if (type.kind !== 'NUMERIC' || type.isBig) return text;
  return `CAST(${text} AS DECIMAL(${NUMERIC_WHOLE_DIGITS + type.scale}, ${type.scale}))`;
}

export function isNumber(type: SqlType): boolean {
  return type.kind === 'INT64' || type.kind === 'FLOAT64' || type.kind === 'NUMERIC';
}

/** Nothing is known, or nothing need be. */
export function isOpen(type: SqlType): boolean {
  return type.kind === 'UNKNOWN' || type.kind === 'NULL';
}

/**
 * The type that values come to where they meet: both sides of a comparison, branches of an IF, rows of a UNION.
 * Null where GoogleSQL would refuse to mix them.
 *
 * @source GoogleSQL, "Conversion rules", supertypes and literal coercion
 */
export function commonType(values: readonly Sql[]): SqlType | null {
  const typed = values.filter((value) => value.type.kind !== 'NULL');
  if (typed.length === 0) return NULL;
  if (typed.some((value) => value.type.kind === 'UNKNOWN')) return UNKNOWN;
  const firm = typed.filter((value) => value.literal?.kind !== 'float' && value.literal?.kind !== 'string');
  const kinds = new Set(firm.map((value) => value.type.kind));
  const meetsNumber =
    kinds.size === 0 ? typed.every((value) => isNumber(value.type)) : firm.every((value) => isNumber(value.type));
  if (meetsNumber) return typed.some((value) => value.literal?.kind === 'string') ? null : commonNumber(typed, kinds);
  if (firm.length === typed.length && (kinds.has('STRUCT') || kinds.has('ARRAY'))) return commonNested(typed);
  const [first] = firm.length > 0 ? firm : typed;
  if (!first || kinds.size > 1 || typed.some((value) => value.literal?.kind === 'float')) return null;
  const takesText = ['STRING', 'DATE', 'TIMESTAMP', 'DATETIME'].includes(first.type.kind);
  return takesText || typed.every((value) => value.literal === undefined || value.literal.kind === 'int')
    ? first.type
    : null;
}

/** Arrays and structs meet where their parts are of one kind; the first one names the fields. Those written out take a common type. */
function commonNested(values: readonly Sql[]): SqlType | null {
  const written = values.map((value) => value.fields ?? []);
  const first = values[0]?.type;
  const count = written[0]?.length ?? 0;
  if (first?.kind === 'STRUCT' && count > 0 && written.every((fields) => fields.length === count)) {
    const types = first.fields.map((_, index) => commonType(written.flatMap((fields) => fields[index] ?? [])));
    const fields = first.fields.flatMap(({ name }, index) => {
      const type = types[index];
      return type ? [{ name, type }] : [];
    });
    return fields.length === count ? { kind: 'STRUCT', fields } : null;
  }
  const shapes = new Set(values.map((value) => shapeOf(value.type)));
  return shapes.size === 1 ? (values[0]?.type ?? null) : null;
}

function shapeOf(type: SqlType): string {
  if (type.kind === 'ARRAY') return `[${shapeOf(type.element)}]`;
  if (type.kind === 'STRUCT') return `{${type.fields.map((field) => shapeOf(field.type)).join()}}`;
  return type.kind === 'NUMERIC' ? `NUMERIC ${type.scale} ${type.isBig}` : type.kind;
}

/** What neither engine orders or compares as the other does. */
export function isNested(type: SqlType): boolean {
  return type.kind === 'ARRAY' || type.kind === 'STRUCT';
}

export function structOf(fields: readonly { readonly name: string | null; readonly value: Sql }[]): Sql {
  const named = fields.map(({ name, value }, index) => ({ name: name ?? `_field_${index + 1}`, value }));
  const text = `struct_pack(${named.map(({ name, value }) => `${identifier(name)} := ${value.text}`).join(', ')})`;
  const type: SqlType = { kind: 'STRUCT', fields: named.map(({ name, value }) => ({ name, type: value.type })) };
  return { text, type, fields: named.map(({ value }) => value) };
}

function commonNumber(values: readonly Sql[], firmKinds: ReadonlySet<string>): SqlType {
  const hasFloatLiteral = values.some((value) => value.literal?.kind === 'float');
  if (firmKinds.has('FLOAT64') || (hasFloatLiteral && !firmKinds.has('NUMERIC'))) return FLOAT64;
  if (!firmKinds.has('NUMERIC')) return INT64;
  return numeric(
    Math.max(...values.map((value) => scaleOf(value))),
    values.some((value) => isBig(value.type)),
  );
}

/** Digits after the point that a value has as NUMERIC. */
export function scaleOf(value: Sql): number {
  if (value.literal?.kind === 'float')
    return Math.min(NUMERIC_SCALE, /\.(\d*)$/.exec(value.literal.value)?.[1]?.length ?? NUMERIC_SCALE);
  return value.type.kind === 'NUMERIC' ? value.type.scale : 0;
}

/** The value's text where a value of `target` is expected. */
export function coerced(value: Sql, target: SqlType): string {
  if (target.kind === 'UNKNOWN') return asWritten(value);
  if (target.kind === 'STRUCT' && value.fields)
    return structOf(
      value.fields.map((field, index) => {
        const { name = null, type = field.type } = target.fields[index] ?? {};
        return { name, value: sql(coerced(field, type), type) };
      }),
    ).text;
  if (value.literal?.kind === 'string' && target.kind === 'DATE') return `CAST(${value.text} AS DATE)`;
  if (value.literal?.kind === 'string' && target.kind === 'TIMESTAMP') return `CAST(${value.text} AS TIMESTAMPTZ)`;
  if (value.literal?.kind === 'string' && target.kind === 'DATETIME') return `CAST(${value.text} AS TIMESTAMP)`;
  // Of two wide DECIMALs DuckDB keeps the smaller scale, and rounds the other.
  if (target.kind === 'NUMERIC' && value.type.kind !== 'NULL') {
    const isOfScale = value.type.kind === 'NUMERIC' && value.type.scale === target.scale;
    return isOfScale ? value.text : `CAST(${asWritten(value)} AS DECIMAL(38, ${target.scale}))`;
  }
  if (target.kind === 'FLOAT64' && value.type.kind !== 'FLOAT64' && value.type.kind !== 'NULL')
    return `CAST(${value.text} AS DOUBLE)`;
  return value.text;
}

/** A FLOAT64 literal: DuckDB reads `0.5` as a DECIMAL. */
export function floatLiteral(value: string): Sql {
  // Without an exponent DuckDB reads a DECIMAL first, and from 16 digits on the cast of that is not the nearest FLOAT64.
  const isExact = /e/i.test(value) || value.replace(/[^0-9]/g, '').length <= 15;
  return {
    text: `CAST(${isExact ? value : `${value}e0`} AS DOUBLE)`,
    type: FLOAT64,
    literal: { kind: 'float', value },
  };
}

/** Next to what is of no known type, DuckDB decides what `0.5` is. */
export function asWritten(value: Sql): string {
  return value.literal?.kind === 'float' ? `(${value.literal.value})` : value.text;
}

/** `DECIMAL(18, 2)` of any width as NUMERIC computes it, so that products do not overflow the width of their factors. */
export function widened(value: Sql): string {
  return `CAST(${asWritten(value)} AS DECIMAL(38, ${scaleOf(value)}))`;
}
