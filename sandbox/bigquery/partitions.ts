/** A table's time partitioning and a decorator `$20251015` -> the rows that are meant, as DuckDB conditions. */
import { identifier, literal } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import type { Field } from './table-schema.ts';

export type Grain = 'HOUR' | 'DAY' | 'MONTH' | 'YEAR';

/** By a column; tables that are partitioned by the time of loading are not imitated. */
export interface TimePartitioning {
  readonly type: Grain;
  readonly field: string;
  readonly expirationMs?: number;
}

/** Digits of a decorator by grain, and the format that makes them. */
const DECORATOR: { readonly [grain in Grain]: { readonly digits: number; readonly format: string } } = {
  YEAR: { digits: 4, format: '%Y' },
  MONTH: { digits: 6, format: '%Y%m' },
  DAY: { digits: 8, format: '%Y%m%d' },
  HOUR: { digits: 10, format: '%Y%m%d%H' },
};

/**
 * @throws BigQueryError `invalid` where no such partitioning can be
 * @source BigQuery, "Introduction to partitioned tables": DATE columns by day, month or year; TIMESTAMP and DATETIME also by hour
 */
export function checkPartitioning(partitioning: TimePartitioning, fields: readonly Field[]): void {
  const field = fields.find((each) => each.name.toLowerCase() === partitioning.field.toLowerCase());
  if (!field)
    throw new BigQueryError(
      'invalid',
      `The field specified for partitioning cannot be found in the schema: ${partitioning.field}`,
    );
  const types = partitioning.type === 'HOUR' ? ['TIMESTAMP', 'DATETIME'] : ['DATE', 'TIMESTAMP', 'DATETIME'];
  if (!types.includes(field.type) || field.mode === 'REPEATED')
    throw new BigQueryError(
      'invalid',
      `The field specified for ${partitioning.type} partitioning must be a ${types.join(', ')} column, but ${field.name} is ${field.type}.`,
    );
}

/** `orders$20251015` -> `orders` and `20251015`. */
export function splitDecorator(tableId: string): { readonly table: string; readonly decorator: string | null } {
  const at = tableId.indexOf('$');
  return at < 0
    ? { table: tableId, decorator: null }
    : { table: tableId.slice(0, at), decorator: tableId.slice(at + 1) };
}

/** @source BigQuery, "Introduction to partitioned tables": what is before 1960 or after 2159 lies in `__UNPARTITIONED__` */
const isInRange = (decorator: string): boolean => {
  const year = Number(decorator.slice(0, 4));
  return year >= 1960 && year <= 2159;
};

/**
 * True for the rows of one partition.
 *
 * @throws BigQueryError `invalid` for a table without partitions and for a decorator of another grain
 * @source BigQuery, "Managing partitioned table data": `$YYYY`, `$YYYYMM`, `$YYYYMMDD`, `$YYYYMMDDHH`, `$__NULL__`
 */
export function partitionCondition(
  table: string,
  partitioning: TimePartitioning | null,
  fields: readonly Field[],
  decorator: string,
): string {
  if (!partitioning)
    throw new BigQueryError('invalid', `Cannot use a partition decorator on table ${table}, which is not partitioned.`);
  const column = identifier(partitioning.field);
  if (decorator === '__NULL__') return `${column} IS NULL`;
  const { digits } = DECORATOR[partitioning.type];
  const isWritten = decorator.length === digits && /^\d+$/.test(decorator) && isInRange(decorator);
  const start = isWritten ? startOf(decorator) : null;
  if (start === null)
    throw new BigQueryError(
      'invalid',
      `Invalid partition decorator $${decorator}: table ${table} is partitioned by ${partitioning.type}, so $${'YYYYMMDDHH'.slice(0, digits)} is expected.`,
    );
  const type = fields.find((field) => field.name.toLowerCase() === partitioning.field.toLowerCase())?.type;
  const cast = type === 'DATE' ? 'DATE' : type === 'DATETIME' ? 'TIMESTAMP' : 'TIMESTAMPTZ';
  const zone = type === 'TIMESTAMP' ? '+00' : '';
  const from = `CAST(${literal(start.replace('T', ' ') + zone)} AS ${cast})`;
  const end = `CAST(${from} + INTERVAL 1 ${partitioning.type} AS ${cast})`;
  return `(${column} >= ${from} AND ${column} < ${end})`;
}

/** Null where the digits are no time. */
function startOf(digits: string): string | null {
  const [year, month = '01', day = '01', hour = '00'] = [digits.slice(0, 4), ...(digits.slice(4).match(/../g) ?? [])];
  const text = `${year}-${month}-${day}T${hour}:00:00`;
  const ms = Date.parse(`${text}Z`);
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text) ? null : text;
}

/** The partition id of each row as text, NULL for the rows without one. */
export function partitionId(partitioning: TimePartitioning): string {
  return `strftime(${identifier(partitioning.field)}, ${literal(DECORATOR[partitioning.type].format)})`;
}

/**
 * True for rows whose partition has not expired. A partition ends `expirationMs` after its start.
 *
 * @source BigQuery, "Managing partitioned tables", partition expiration
 */
export function unexpiredCondition(partitioning: TimePartitioning | null, nowMs: number): string | null {
  if (partitioning?.expirationMs === undefined) return null;
  const column = identifier(partitioning.field);
  const start = `epoch_ms(date_trunc(${literal(partitioning.type.toLowerCase())}, ${column}))`;
  return `(${column} IS NULL OR ${start} + ${partitioning.expirationMs} > ${nowMs})`;
}

export function samePartitioning(one: TimePartitioning | null, other: TimePartitioning | null): boolean {
  if (one === null || other === null) return one === other;
  return one.type === other.type && one.field.toLowerCase() === other.field.toLowerCase();
}

export function partitioningText(partitioning: TimePartitioning | null): string {
  return partitioning ? `interval(type:${partitioning.type.toLowerCase()},field:${partitioning.field})` : 'none';
}
