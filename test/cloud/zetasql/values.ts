/** Cells as text <-> ZetaSQL's value messages. */
import {
  type CanonicalType,
  dayText,
  instantText,
  listText,
  plainDecimal,
} from '../../fixtures-support/canonical-rows.ts';

/** A column type as GoogleSQL writes it: `INT64`, `NUMERIC`, `ARRAY<STRING>`, `STRUCT<x INT64, y STRING>`. */
export type GoogleType = string;

/** The message of a type; only what the driver needs of it. */
export interface TypeMessage {
  readonly typeKind: string;
  readonly arrayType?: { readonly elementType: TypeMessage };
  readonly structType?: { readonly field: readonly { readonly fieldName?: string; readonly fieldType: TypeMessage }[] };
}

export interface ValueMessage {
  readonly int64Value?: string | number;
  readonly boolValue?: boolean;
  readonly doubleValue?: number;
  readonly stringValue?: string;
  readonly bytesValue?: Uint8Array;
  readonly dateValue?: number;
  readonly timestampValue?: { readonly seconds?: string | number; readonly nanos?: number };
  readonly numericValue?: Uint8Array;
  readonly bignumericValue?: Uint8Array;
  readonly jsonValue?: string;
  readonly arrayValue?: { readonly element?: readonly ValueMessage[] };
  readonly structValue?: { readonly field?: readonly ValueMessage[] };
}

/** What one cell of an input table holds: text for every scalar type, a list for an array. */
export type InputCell = string | null | readonly (string | null)[];

export function typeMessage(type: GoogleType): TypeMessage {
  const element = /^ARRAY<(.+)>$/.exec(type)?.[1];
  if (element !== undefined) return { typeKind: 'TYPE_ARRAY', arrayType: { elementType: typeMessage(element) } };
  return { typeKind: type === 'FLOAT64' ? 'TYPE_DOUBLE' : `TYPE_${type}` };
}

export function valueMessage(cell: InputCell, type: GoogleType): ValueMessage {
  if (cell === null) return {};
  const element = /^ARRAY<(.+)>$/.exec(type)?.[1];
  if (element !== undefined) {
    if (typeof cell === 'string') throw new Error(`${type} is given as a list, not as ${cell}`);
    return { arrayValue: { element: cell.map((each) => valueMessage(each, element)) } };
  }
  if (typeof cell !== 'string') throw new Error(`${type} is given as text`);
  switch (type) {
    case 'INT64':
      return { int64Value: cell };
    case 'BOOL':
      return { boolValue: cell === 'true' };
    case 'FLOAT64':
      return { doubleValue: floatOf(cell) };
    case 'STRING':
      return { stringValue: cell };
    case 'DATE':
      return { dateValue: daysOf(cell) };
    case 'TIMESTAMP':
      return { timestampValue: instantOf(cell) };
    case 'NUMERIC':
      return { numericValue: scaledBytes(cell, 9) };
    default:
      throw new Error(`no input of type ${type} is known`);
  }
}

function floatOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  return Number(text === 'nan' ? Number.NaN : text);
}

/** `YYYY-MM-DD` -> days since 1970-01-01. */
function daysOf(day: string): number {
  const date = new Date(0);
  const [year = '', month = '', dayOfMonth = ''] = day.split('-');
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(dayOfMonth));
  return date.getTime() / 86_400_000;
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]` in UTC. */
function instantOf(text: string): { readonly seconds: string; readonly nanos: number } {
  const [day = '', clock = '00:00:00'] = text.split(' ');
  const [time = '', fraction = ''] = clock.split('.');
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  const whole = daysOf(day) * 86_400 + hours * 3600 + minutes * 60 + seconds;
  return { seconds: String(whole), nanos: Number(fraction.padEnd(9, '0')) };
}

/** A decimal text -> its units of 10^-scale as two's complement, lowest byte first, in as few bytes as hold it. */
function scaledBytes(text: string, scale: number): Uint8Array {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)\.?(\d*)$/.exec(text) ?? [];
  if (whole === '' || fraction.length > scale) throw new Error(`${text} is no decimal of ${scale} digits`);
  const magnitude = BigInt(whole + fraction.padEnd(scale, '0'));
  const value = sign === '-' ? -magnitude : magnitude;
  const bytes: number[] = [];
  let rest = value;
  while (true) {
    bytes.push(Number(BigInt.asUintN(8, rest)));
    rest >>= 8n;
    const isNegative = ((bytes.at(-1) ?? 0) & 0x80) !== 0;
    if ((rest === 0n && !isNegative) || (rest === -1n && isNegative)) return Uint8Array.from(bytes);
  }
}

function decimalOf(bytes: Uint8Array, scale: number): string {
  let value = 0n;
  for (const byte of [...bytes].reverse()) value = (value << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(bytes.length * 8, value);
  const digits = (signed < 0n ? -signed : signed).toString().padStart(scale + 1, '0');
  return plainDecimal(`${signed < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}

/** `ARRAY<STRING>`; the words of GoogleSQL. */
export function typeName(type: TypeMessage): CanonicalType {
  if (type.arrayType) return `ARRAY<${typeName(type.arrayType.elementType)}>`;
  if (type.structType) {
    const fields = type.structType.field.map(({ fieldName, fieldType }) =>
      `${fieldName ?? ''} ${typeName(fieldType)}`.trim(),
    );
    return `STRUCT<${fields.join(', ')}>`;
  }
  const name = type.typeKind.replace(/^TYPE_/, '');
  return { DOUBLE: 'FLOAT64', BIGNUMERIC: 'NUMERIC' }[name] ?? name;
}

/** A cell of a result as canonical text. */
export function cellText(value: ValueMessage, type: TypeMessage): string | null {
  if (Object.values(value).every((each) => each === undefined)) return null;
  switch (type.typeKind) {
    case 'TYPE_INT64':
      return String(value.int64Value);
    case 'TYPE_BOOL':
      return String(value.boolValue);
    case 'TYPE_DOUBLE':
      return String(value.doubleValue);
    case 'TYPE_STRING':
      return value.stringValue ?? '';
    case 'TYPE_DATE':
      return dayText(value.dateValue ?? 0);
    case 'TYPE_TIMESTAMP': {
      const { seconds = 0, nanos = 0 } = value.timestampValue ?? {};
      return instantText(BigInt(seconds) * 1_000_000n + BigInt(Math.trunc(nanos / 1000)));
    }
    case 'TYPE_NUMERIC':
      return decimalOf(value.numericValue ?? new Uint8Array(), 9);
    case 'TYPE_BIGNUMERIC':
      return decimalOf(value.bignumericValue ?? new Uint8Array(), 38);
    case 'TYPE_ARRAY': {
      const element = type.arrayType?.elementType ?? { typeKind: 'TYPE_INT64' };
      return listText((value.arrayValue?.element ?? []).map((each) => cellText(each, element)));
    }
    case 'TYPE_STRUCT': {
      const fields = type.structType?.field ?? [];
      return listText(fields.map((field, index) => cellText(value.structValue?.field?.[index] ?? {}, field.fieldType)));
    }
    default:
      throw new Error(`no canonical text is known for ${type.typeKind}: cast it in the statement`);
  }
}
