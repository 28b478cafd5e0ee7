/** A rendered call -> its arguments by type, or the refusal of one: what all families read. */
import type { Call } from '../../../core/google-sql/ast.ts';
import type { PortableFunction } from '../../../core/google-sql/functions.ts';
import { isBigNumeric } from '../numbers.ts';
import { coerced, commonType, DATE, DATETIME, isOpen, type Sql, type SqlType, sql, TIMESTAMP } from '../types.ts';

/** A call whose parts are DuckDB text already. */
export interface RenderedCall {
  readonly call: Call;
  readonly args: readonly Sql[];
  /** ` ORDER BY …` of the call itself, with its leading space, or nothing. */
  readonly orderBy: string;
  /** ` OVER (…)`, or nothing. */
  readonly over: string;
  readonly limit: string | null;
  /** The value that `HAVING MAX` goes by. */
  readonly having: Sql | null;
  /** Text of the amount of `INTERVAL n PART`. */
  readonly amount: string;
  /** Throws the fault. */
  refuse(message: string, hint?: string): never;
}

export type Render = (call: RenderedCall) => Sql;

export function arg(call: RenderedCall, index: number): Sql {
  const value = call.args[index];
  if (!value) throw new Error(`${call.call.name} was rendered without its argument ${index + 1}`);
  return value;
}

/** Argument types that a function takes; what is not known is taken on trust. */
export function expectKind(call: RenderedCall, index: number, kinds: readonly SqlType['kind'][], hint?: string): Sql {
  const value = arg(call, index);
  const isTextForDate =
    value.literal?.kind === 'string' && kinds.some((kind) => ['DATE', 'TIMESTAMP', 'DATETIME'].includes(kind));
  if (isOpen(value.type) || kinds.includes(value.type.kind) || isTextForDate) return value;
  return call.refuse(`${call.call.name} takes ${kinds.join(' or ')}, not ${value.type.kind}.`, hint);
}

export const text = (call: RenderedCall, index: number): string =>
  expectKind(call, index, ['STRING'], 'Write CAST(value AS STRING).').text;

export const whole = (call: RenderedCall, index: number): string => expectKind(call, index, ['INT64']).text;

export const day = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['DATE'], 'Write DATE(value).'), DATE);

export const civilOf = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['DATETIME'], 'Write DATETIME(value).'), DATETIME);

export const instant = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['TIMESTAMP'], 'Write TIMESTAMP(value).'), TIMESTAMP);

export const condition = (call: RenderedCall, index: number): string => expectKind(call, index, ['BOOL']).text;

export function common(
  call: RenderedCall,
  values: readonly Sql[],
): { readonly texts: readonly string[]; readonly type: SqlType } {
  const type = commonType(values);
  if (type === null) {
    return call.refuse(
      `${call.call.name} mixes ${[...new Set(values.map((value) => value.type.kind))].join(' and ')}.`,
      'Cast them to one type.',
    );
  }
  return { texts: values.map((value) => coerced(value, type)), type };
}

/** `NAME(a, b)` of DuckDB, NULL where any argument is. */
export const same =
  (name: string, type: SqlType, ...read: ((call: RenderedCall, index: number) => string)[]): Render =>
  (call) =>
    sql(
      `${name}(${call.args.map((value, index) => (read[index] ?? (() => value.text))(call, index)).join(', ')})`,
      type,
    );

/** Refuses a BIGNUMERIC, whose quotient has 38 digits after the point. */
export function withoutBig(call: RenderedCall): RenderedCall {
  if (isBigNumeric(...call.args))
    return call.refuse(
      `${call.call.name} of a BIGNUMERIC has 38 digits after the point, more than DuckDB keeps.`,
      'Write CAST(value AS NUMERIC).',
    );
  return call;
}

/** By name, of some family. */
export type Functions = { readonly [name in PortableFunction]?: Render };
