/** Rows of a relation -> the `{f: [{v}]}` of BigQuery's REST API. */
import { identifier } from '../../engine/sql-text.ts';
import type { Cell, Sql } from './database.ts';
import type { Field } from './table-schema.ts';

export interface WireRow {
  readonly f: readonly { readonly v: unknown }[];
}

export interface Page {
  /** Number of the first row, from 0. */
  readonly start: number;
  readonly maxRows: number | null;
  /** Instants as microseconds; else as seconds with a fraction, the API's default. */
  readonly int64Timestamps: boolean;
}

/** What one answer holds at most: rows by our choice, bytes by BigQuery's, "Paging through table data". */
const MOST_ROWS = 50_000;
const MOST_BYTES = 10_000_000;

/**
 * One page, in the order in which the rows were written. `next` is the number of the row after it, null at the end.
 */
export async function readPage(
  sql: Sql,
  relation: string,
  fields: readonly Field[],
  page: Page,
): Promise<{ readonly rows: readonly WireRow[]; readonly next: number | null }> {
  const limit = Math.min(page.maxRows ?? MOST_ROWS, MOST_ROWS);
  const columns = fields.map((field, index) => `${wireText(field, identifier(field.name))} AS c${index}`).join(', ');
  const found = await sql.rows(`SELECT ${columns} FROM ${relation} LIMIT ${limit + 1} OFFSET ${page.start}`);
  const rows: WireRow[] = [];
  let bytes = 0;
  for (const row of found.slice(0, limit)) {
    const cells = fields.map((field, index) => ({ v: decode(field, row[`c${index}`] ?? null, page) }));
    bytes += JSON.stringify(cells).length;
    if (rows.length > 0 && bytes > MOST_BYTES) break;
    rows.push({ f: cells });
  }
  return { rows, next: rows.length < found.length ? page.start + rows.length : null };
}

/** Text or JSON of a value in DuckDB; NULL stays NULL. */
function wireText(field: Field, value: string): string {
  const isNested = field.mode === 'REPEATED' || field.type === 'RECORD';
  const text = wireValue(field, value, 0);
  return isNested ? `CAST(to_json(${text}) AS VARCHAR)` : text;
}

function wireValue(field: Field, value: string, depth: number): string {
  if (field.mode === 'REPEATED') {
    const item = `item_${depth}`;
    return `list_transform(${value}, lambda ${item}: ${wireValue({ ...field, mode: 'NULLABLE' }, item, depth + 1)})`;
  }
  switch (field.type) {
    case 'STRING':
      return value;
    case 'BYTES':
      return `base64(${value})`;
    case 'INTEGER':
    case 'BOOLEAN':
    case 'DATE':
    case 'TIME':
    case 'JSON':
      return `CAST(${value} AS VARCHAR)`;
    case 'FLOAT':
      return `CASE WHEN isinf(${value}) THEN if(${value} > 0, 'Infinity', '-Infinity') WHEN isnan(${value}) THEN 'NaN' ELSE CAST(${value} AS VARCHAR) END`;
    case 'NUMERIC':
    case 'BIGNUMERIC': {
      const text = `CAST(${value} AS VARCHAR)`;
      return `CASE WHEN contains(${text}, '.') THEN rtrim(rtrim(${text}, '0'), '.') ELSE ${text} END`;
    }
    case 'TIMESTAMP':
      return `CAST(epoch_us(${value}) AS VARCHAR)`;
    case 'DATETIME':
      return `replace(CAST(${value} AS VARCHAR), ' ', 'T')`;
    case 'RECORD': {
      const inner = (field.fields ?? []).map(
        (each) => `${identifier(each.name)} := ${wireValue(each, `${value}.${identifier(each.name)}`, depth)}`,
      );
      return `CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${inner.join(', ')}) END`;
    }
  }
}

function decode(field: Field, value: Cell, page: Page): unknown {
  const isNested = field.mode === 'REPEATED' || field.type === 'RECORD';
  const plain: unknown = isNested && value !== null ? JSON.parse(String(value)) : value;
  return wireCell(field, plain, page);
}

function wireCell(field: Field, value: unknown, page: Page): unknown {
  // An array is never NULL for a reader.
  if (field.mode === 'REPEATED') {
    const items = Array.isArray(value) ? (value as readonly unknown[]) : [];
    return items.map((item) => ({ v: wireCell({ ...field, mode: 'NULLABLE' }, item, page) }));
  }
  if (value === null || value === undefined) return null;
  if (field.type === 'RECORD') {
    const record = value as { readonly [name: string]: unknown };
    return { f: (field.fields ?? []).map((inner) => ({ v: wireCell(inner, record[inner.name], page) })) };
  }
  if (field.type === 'TIMESTAMP' && !page.int64Timestamps) return secondsOf(String(value));
  return String(value);
}

/** `1760486400000000` -> `1760486400.000000`. */
function secondsOf(micros: string): string {
  const sign = micros.startsWith('-') ? '-' : '';
  const digits = micros.replace('-', '').padStart(7, '0');
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** `q7_<row number>`; opaque to callers, and only good for what it was made for. */
export function pageToken(subject: string, next: number): string {
  return Buffer.from(JSON.stringify([subject, next])).toString('base64url');
}

/** Null where the token is none of this subject's. */
export function rowOfToken(subject: string, token: string): number | null {
  try {
    const [of, next] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as [unknown, unknown];
    return of === subject && typeof next === 'number' ? next : null;
  } catch {
    return null;
  }
}
