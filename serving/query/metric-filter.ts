/** One filter of a metric query -> a GoogleSQL condition; its values are checked by type, and texts never enter the SQL. */
import { PipelineError } from '../../core/errors.ts';
import type { MetricFilter } from '../../core/metric-query.ts';
import { isDay } from '../../core/partition.ts';
import type { MeasureSpec } from '../../core/spec.ts';
import type { JsonValue } from '../../core/types.ts';

export interface FilterField {
  readonly name: string;
  readonly sql: string;
  readonly type: MeasureSpec['type'];
}

/** Texts of the caller's, each under a name of ours. */
export class TextParameters {
  readonly #values: Record<string, string> = {};

  /** `@p0`, … */
  add(text: string): string {
    const name = `p${Object.keys(this.#values).length}`;
    this.#values[name] = text;
    return `@${name}`;
  }

  get values(): { readonly [name: string]: string } {
    return { ...this.#values };
  }
}

const MAX_LIST = 1_000;
const MAX_TEXT = 10_000;
const INT64_LIMIT = 2n ** 63n;
const INSTANT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * @param value GoogleSQL of what is compared
 * @throws PipelineError `usage`, naming the field and what it takes
 */
export function filterCondition(
  value: string,
  field: FilterField,
  filter: MetricFilter,
  parameters: TextParameters,
): string {
  const literal = (given: JsonValue): string => literalOf(field, given, parameters);
  const { op } = filter;
  switch (op) {
    case 'is_null':
    case 'is_not_null':
      if (filter.value !== undefined && filter.value !== null) throw refuse(field, `${op} takes no value`);
      return `${value} IS ${op === 'is_null' ? 'NULL' : 'NOT NULL'}`;
    case 'in':
    case 'not_in': {
      const list = listOf(filter.value);
      if (list === null || list.length === 0 || list.length > MAX_LIST)
        throw refuse(field, `${op} takes a list of 1 to ${MAX_LIST} values`);
      return `${value} ${op === 'in' ? 'IN' : 'NOT IN'} (${list.map(literal).join(', ')})`;
    }
    case 'between': {
      const [low, high, ...more] = listOf(filter.value) ?? [];
      if (low === undefined || high === undefined || more.length > 0)
        throw refuse(field, 'between takes a list of two values, both included');
      return `${value} BETWEEN ${literal(low)} AND ${literal(high)}`;
    }
    case 'like':
      if (field.type !== 'string') throw refuse(field, `like compares texts, and this is ${field.type}`);
      return `${value} LIKE ${literal(patternOf(field, filter.value ?? null))}`;
    case '=':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      if (field.type === 'bool' && op !== '=' && op !== '!=')
        throw refuse(field, `${op} does not compare true with false`);
      return `${value} ${op} ${literal(filter.value ?? null)}`;
  }
}

const listOf = (value: JsonValue | undefined): readonly JsonValue[] | null =>
  Array.isArray(value) ? (value as readonly JsonValue[]) : null;

function patternOf(field: FilterField, value: JsonValue): JsonValue {
  if (typeof value === 'string' && /(^|[^\\])(\\\\)*\\([^%_\\]|$)/.test(value)) {
    throw refuse(field, 'a backslash in a pattern stands before %, _ or another backslash');
  }
  return value;
}

/** GoogleSQL of a value of the field's type. */
function literalOf(field: FilterField, given: JsonValue, parameters: TextParameters): string {
  if (given === null) throw refuse(field, 'null is asked for with is_null or is_not_null');
  const wanted = (what: string): PipelineError =>
    refuse(field, `it takes ${what}, not ${JSON.stringify(given).slice(0, 100)}`);
  switch (field.type) {
    case 'string':
      return parameters.add(textOf(field, given, wanted));
    case 'bool':
      if (typeof given !== 'boolean') throw wanted('true or false');
      return given ? 'TRUE' : 'FALSE';
    case 'date':
      if (typeof given !== 'string' || !isDay(given)) throw wanted('a day, YYYY-MM-DD');
      return `DATE '${given}'`;
    case 'timestamp':
      if (typeof given !== 'string' || !INSTANT.test(given) || Number.isNaN(Date.parse(given.replace(' ', 'T'))))
        throw wanted('an instant with its offset, e.g. 2025-10-15T06:00:00Z');
      return `TIMESTAMP '${given}'`;
    case 'int64': {
      const digits = typeof given === 'number' && Number.isSafeInteger(given) ? String(given) : given;
      if (typeof digits !== 'string' || !/^-?\d{1,19}$/.test(digits)) throw wanted('a whole number');
      const whole = BigInt(digits);
      if (whole >= INT64_LIMIT || whole <= -INT64_LIMIT) throw wanted('a whole number of 64 bits');
      return `(${whole})`;
    }
    default:
      return numberLiteral(given, field.type, wanted);
  }
}

function textOf(field: FilterField, given: JsonValue, wanted: (what: string) => PipelineError): string {
  if (typeof given !== 'string') throw wanted('a text');
  if (given.length > MAX_TEXT) throw refuse(field, `a text has at most ${MAX_TEXT} characters`);
  if (given.includes('\0')) throw refuse(field, 'a text holds no NUL character');
  return given;
}

/** Decimals may be text, so that no digit is lost on the way. */
function numberLiteral(given: JsonValue, type: string, wanted: (what: string) => PipelineError): string {
  const text = typeof given === 'number' ? String(given) : given;
  if (typeof text !== 'string') throw wanted('a number');
  if (/^-?\d{1,29}(\.\d{1,9})?$/.test(text)) return /\d{19}/.test(text) ? `NUMERIC '${text}'` : `(${text})`;
  if (type === 'float64' && typeof given === 'number' && Number.isFinite(given)) return `(${given})`;
  throw wanted('a number with at most 29 digits before and 9 after the point');
}

function refuse(field: FilterField, message: string): PipelineError {
  return new PipelineError('usage', `The filter on ${field.name} cannot be used: ${message}.`);
}
