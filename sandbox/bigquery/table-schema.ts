/** The schema of a request -> checked fields; fields -> DuckDB columns, and the rules by which a schema may change. */
import { identifier } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';

/** The names of BigQuery's REST API, which are those of its older dialect. */
export type FieldType =
  | 'STRING'
  | 'BYTES'
  | 'INTEGER'
  | 'FLOAT'
  | 'BOOLEAN'
  | 'NUMERIC'
  | 'BIGNUMERIC'
  | 'DATE'
  | 'TIMESTAMP'
  | 'DATETIME'
  | 'TIME'
  | 'JSON'
  | 'RECORD';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly mode: 'NULLABLE' | 'REQUIRED' | 'REPEATED';
  readonly description?: string;
  readonly policyTags?: readonly string[];
  readonly precision?: number;
  readonly scale?: number;
  readonly fields?: readonly Field[];
}

const TYPES: { readonly [written: string]: FieldType } = {
  STRING: 'STRING',
  BYTES: 'BYTES',
  INTEGER: 'INTEGER',
  INT64: 'INTEGER',
  FLOAT: 'FLOAT',
  FLOAT64: 'FLOAT',
  BOOLEAN: 'BOOLEAN',
  BOOL: 'BOOLEAN',
  NUMERIC: 'NUMERIC',
  DECIMAL: 'NUMERIC',
  BIGNUMERIC: 'BIGNUMERIC',
  BIGDECIMAL: 'BIGNUMERIC',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  DATETIME: 'DATETIME',
  TIME: 'TIME',
  JSON: 'JSON',
  RECORD: 'RECORD',
  STRUCT: 'RECORD',
};

/** The names of GoogleSQL, for messages and for `[x:TYPE]`. */
const SQL_NAMES: { readonly [type in FieldType]: string } = {
  STRING: 'STRING',
  BYTES: 'BYTES',
  INTEGER: 'INT64',
  FLOAT: 'FLOAT64',
  BOOLEAN: 'BOOL',
  NUMERIC: 'NUMERIC',
  BIGNUMERIC: 'BIGNUMERIC',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  DATETIME: 'DATETIME',
  TIME: 'TIME',
  JSON: 'JSON',
  RECORD: 'STRUCT',
};

/** A column as requests write it. */
export interface FieldRequest {
  readonly name: string;
  readonly type: string;
  readonly mode?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly policyTags?: { readonly names?: readonly string[] | undefined } | null | undefined;
  readonly precision?: string | number | null | undefined;
  readonly scale?: string | number | null | undefined;
  readonly fields?: readonly FieldRequest[] | null | undefined;
}

const RESERVED_PREFIX = /^(_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER)/i;

/**
 * @throws BigQueryError `invalid` naming the field; `notImplemented` for types that the sandbox does not hold
 * @source BigQuery, "Specifying a schema": names of columns, limits of descriptions
 */
export function parseFields(written: readonly FieldRequest[]): readonly Field[] {
  const seen = new Set<string>();
  return written.map((field) => {
    if (!/^[\p{L}\p{M}\p{N}_&%=+:'<>#| -]{1,300}$/u.test(field.name) || RESERVED_PREFIX.test(field.name)) {
      throw new BigQueryError('invalid', `Invalid field name "${field.name}".`, field.name);
    }
    if (seen.has(field.name.toLowerCase()))
      throw new BigQueryError('invalid', `Duplicate field name "${field.name}".`, field.name);
    seen.add(field.name.toLowerCase());
    return parseField(field);
  });
}

function parseField(field: FieldRequest): Field {
  const type = TYPES[field.type.toUpperCase()];
  if (!type)
    throw new BigQueryError(
      'notImplemented',
      `The sandbox has no type ${field.type} (field ${field.name}).`,
      field.name,
    );
  const mode = (field.mode ?? 'NULLABLE').toUpperCase();
  if (mode !== 'NULLABLE' && mode !== 'REQUIRED' && mode !== 'REPEATED')
    throw new BigQueryError('invalid', `Invalid mode ${mode} of field ${field.name}.`, field.name);
  if ((field.description ?? '').length > 1024)
    throw new BigQueryError('invalid', `The description of field ${field.name} is longer than 1024 characters.`);
  const tags = field.policyTags?.names ?? [];
  if (tags.length > 1)
    throw new BigQueryError('invalid', `Field ${field.name} has more than one policy tag.`, field.name);
  if (type === 'RECORD' && !field.fields?.length)
    throw new BigQueryError('invalid', `Field ${field.name} is type RECORD but has no schema`, field.name);
  return {
    name: field.name,
    type,
    mode,
    ...(field.description ? { description: field.description } : {}),
    ...(tags.length > 0 ? { policyTags: tags } : {}),
    ...precisionOf(field, type),
    ...(type === 'RECORD' ? { fields: parseFields(field.fields ?? []) } : {}),
  };
}

/**
 * A NUMERIC without precision has 29 digits before the point and 9 after it; the sandbox keeps at most 38 digits in all.
 *
 * @source GoogleSQL, "Data types", parameterized decimal types
 */
function precisionOf(field: FieldRequest, type: FieldType): { readonly precision?: number; readonly scale?: number } {
  if (field.precision === undefined || field.precision === null) {
    if (type === 'BIGNUMERIC')
      throw new BigQueryError('notImplemented', `The sandbox wants a precision for BIGNUMERIC field ${field.name}.`);
    return {};
  }
  const precision = Number(field.precision);
  const scale = Number(field.scale ?? 0);
  const [digits, decimals] = type === 'BIGNUMERIC' ? [38, 38] : [29, 9];
  const isSound =
    Number.isInteger(precision) && Number.isInteger(scale) && scale >= 0 && precision >= Math.max(1, scale);
  if (!isSound || scale > decimals || precision - scale > digits)
    throw new BigQueryError('invalid', `Invalid precision or scale of field ${field.name}: ${precision}, ${scale}.`);
  if (precision > 38)
    throw new BigQueryError('notImplemented', `The sandbox holds at most 38 digits (field ${field.name}).`);
  return { precision, scale };
}

/** As the API answers it. */
export function fieldResource(field: Field): object {
  return {
    name: field.name,
    type: field.type,
    mode: field.mode,
    ...(field.description === undefined ? {} : { description: field.description }),
    ...(field.policyTags === undefined ? {} : { policyTags: { names: field.policyTags } }),
    ...(field.precision === undefined ? {} : { precision: String(field.precision) }),
    ...(field.scale ? { scale: String(field.scale) } : {}),
    ...(field.fields === undefined ? {} : { fields: field.fields.map(fieldResource) }),
  };
}

export function sqlName(field: Field): string {
  const name = SQL_NAMES[field.type];
  const full = field.precision === undefined ? name : `${name}(${field.precision}, ${field.scale ?? 0})`;
  return field.mode === 'REPEATED' ? `ARRAY<${full}>` : full;
}

/** DuckDB's type of a column. */
export function columnType(field: Field): string {
  const scalar = scalarType(field);
  return field.mode === 'REPEATED' ? `${scalar}[]` : scalar;
}

function scalarType(field: Field): string {
  switch (field.type) {
    case 'STRING':
      return 'VARCHAR';
    case 'BYTES':
      return 'BLOB';
    case 'INTEGER':
      return 'BIGINT';
    case 'FLOAT':
      return 'DOUBLE';
    case 'BOOLEAN':
      return 'BOOLEAN';
    case 'NUMERIC':
    case 'BIGNUMERIC':
      return `DECIMAL(${field.precision ?? 38}, ${field.precision === undefined ? 9 : (field.scale ?? 0)})`;
    case 'DATE':
      return 'DATE';
    case 'TIMESTAMP':
      return 'TIMESTAMPTZ';
    case 'DATETIME':
      return 'TIMESTAMP';
    case 'TIME':
      return 'TIME';
    case 'JSON':
      return 'JSON';
    case 'RECORD':
      return `STRUCT(${(field.fields ?? []).map((inner) => `${identifier(inner.name)} ${columnType(inner)}`).join(', ')})`;
  }
}

/**
 * The column of a query's result. NULL alone is INT64, as in GoogleSQL.
 *
 * @throws BigQueryError `invalidQuery` for types that are no column types
 */
export function fieldOfDuckDbType(name: string, type: string): Field {
  const nullable = { name, mode: 'NULLABLE' as const };
  if (type.endsWith('[]')) {
    const element = fieldOfDuckDbType(name, type.slice(0, -2));
    if (element.mode === 'REPEATED') throw new BigQueryError('invalidQuery', `Column ${name} is an array of arrays.`);
    return { ...element, mode: 'REPEATED' };
  }
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  if (decimal) {
    const scale = Number(decimal[2]);
    return scale <= 9
      ? { ...nullable, type: 'NUMERIC' }
      : { ...nullable, type: 'BIGNUMERIC', precision: Number(decimal[1]), scale };
  }
  if (type.startsWith('STRUCT(')) return { ...nullable, type: 'RECORD', fields: structFields(type) };
  const known = DUCKDB_TYPES[type];
  if (!known)
    throw new BigQueryError('invalidQuery', `Column ${name} has type ${type}, which no table column may have.`);
  return { ...nullable, type: known };
}

const DUCKDB_TYPES: { readonly [type: string]: FieldType } = {
  VARCHAR: 'STRING',
  BLOB: 'BYTES',
  TINYINT: 'INTEGER',
  SMALLINT: 'INTEGER',
  INTEGER: 'INTEGER',
  BIGINT: 'INTEGER',
  HUGEINT: 'INTEGER',
  UINTEGER: 'INTEGER',
  '"NULL"': 'INTEGER',
  FLOAT: 'FLOAT',
  DOUBLE: 'FLOAT',
  BOOLEAN: 'BOOLEAN',
  DATE: 'DATE',
  'TIMESTAMP WITH TIME ZONE': 'TIMESTAMP',
  TIMESTAMP: 'DATETIME',
  TIME: 'TIME',
  JSON: 'JSON',
};

/** `STRUCT("a" INTEGER, b VARCHAR)` -> its fields. */
function structFields(type: string): readonly Field[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  let isQuoted = false;
  for (const letter of type.slice('STRUCT('.length, -1)) {
    if (letter === '"') isQuoted = !isQuoted;
    if (!isQuoted && letter === '(') depth++;
    if (!isQuoted && letter === ')') depth--;
    if (letter === ',' && depth === 0 && !isQuoted) {
      parts.push(part.trim());
      part = '';
    } else part += letter;
  }
  parts.push(part.trim());
  return parts.map((each) => {
    const [, quoted, plain, inner] = /^(?:"((?:[^"]|"")+)"|(\S+))\s+(.+)$/s.exec(each) ?? [];
    return fieldOfDuckDbType(quoted?.replaceAll('""', '"') ?? plain ?? '', inner ?? '');
  });
}

/** What a job may do to the schema of the table that it adds to. */
export interface SchemaUpdates {
  readonly addition: boolean;
  readonly relaxation: boolean;
}

/**
 * The table's fields after `incoming` has been let in: old ones in their order, new ones behind them.
 * Descriptions and policy tags stay those of the table. `missing: 'refuse'` where the incoming schema must name every field.
 *
 * @throws BigQueryError `invalid` naming table and field
 * @source BigQuery, "Modifying table schemas": columns may be added and relaxed by a job, nothing else
 */
export function mergeSchemas(
  table: string,
  existing: readonly Field[],
  incoming: readonly Field[],
  updates: SchemaUpdates,
  missing: 'refuse' | 'allow',
): readonly Field[] {
  const refuse = (what: string): BigQueryError =>
    new BigQueryError('invalid', `Provided Schema does not match Table ${table}. ${what}`);
  const byName = new Map(incoming.map((field) => [field.name.toLowerCase(), field]));
  const kept = existing.map((field) => {
    const other = byName.get(field.name.toLowerCase());
    if (!other) {
      if (missing === 'refuse') throw refuse(`Field ${field.name} is missing in new schema`);
      return field;
    }
    if (!isSameType(field, other))
      throw refuse(`Field ${field.name} has changed type from ${sqlName(field)} to ${sqlName(other)}`);
    if (field.mode === other.mode) return field;
    const isRelaxed = field.mode === 'REQUIRED' && other.mode === 'NULLABLE';
    const isStricter = field.mode === 'NULLABLE' && other.mode === 'REQUIRED';
    if (isRelaxed && updates.relaxation) return { ...field, mode: 'NULLABLE' as const };
    if (isStricter && missing === 'allow') return field;
    throw refuse(`Field ${field.name} has changed mode from ${field.mode} to ${other.mode}`);
  });
  const names = new Set(existing.map((field) => field.name.toLowerCase()));
  const added = incoming.filter((field) => !names.has(field.name.toLowerCase()));
  for (const field of added) {
    if (!updates.addition) throw refuse(`Cannot add fields (field: ${field.name})`);
    if (field.mode === 'REQUIRED')
      throw refuse(`Cannot add required fields to an existing schema. (field: ${field.name})`);
  }
  return [...kept, ...added];
}

/** NUMERIC with and without precision are one type; how many digits there are is checked on the values. */
export function isSameType(one: Field, other: Field): boolean {
  if (one.type !== other.type) return false;
  if ((one.mode === 'REPEATED') !== (other.mode === 'REPEATED')) return false;
  const [mine, theirs] = [one.fields ?? [], other.fields ?? []];
  if (mine.length !== theirs.length) return false;
  return mine.every((field) => {
    const same = theirs.find((candidate) => candidate.name.toLowerCase() === field.name.toLowerCase());
    return same !== undefined && isSameType(field, same);
  });
}

/**
 * The fields that `tables.patch` makes of a table's fields.
 *
 * @throws BigQueryError `invalid` naming table and field
 * @source BigQuery, "Modifying table schemas": add a column, relax a mode, change a description; nothing else without SQL
 */
export function patchedSchema(table: string, existing: readonly Field[], wanted: readonly Field[]): readonly Field[] {
  const merged = mergeSchemas(table, existing, wanted, { addition: true, relaxation: true }, 'refuse');
  return merged.map((field) => {
    const now = wanted.find((candidate) => candidate.name.toLowerCase() === field.name.toLowerCase()) ?? field;
    if (now.precision !== field.precision || (now.scale ?? 0) !== (field.scale ?? 0))
      throw new BigQueryError(
        'invalid',
        `Provided Schema does not match Table ${table}. Field ${field.name} has changed type from ${sqlName(field)} to ${sqlName(now)}`,
      );
    const { description, policyTags, ...rest } = field;
    return {
      ...rest,
      ...(now.description === undefined ? {} : { description: now.description }),
      ...(now.policyTags === undefined ? {} : { policyTags: now.policyTags }),
      ...(now.fields === undefined ? {} : { fields: now.fields }),
    };
  });
}
