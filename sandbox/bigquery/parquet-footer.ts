/** A Parquet file -> the columns that BigQuery would see in it. */
import { literal } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import type { Row, Sql } from './database.ts';
import type { Field, FieldType } from './table-schema.ts';

/** A column of a file; `physical` is the name that messages call its type. */
export interface FileColumn {
  readonly name: string;
  readonly field: Field;
  readonly physical: string;
  /** How DuckDB reads it, where that is not yet the value: nanoseconds as a number, UUID as bytes. */
  readonly readAs: 'plain' | 'nanos' | 'uuid';
}

export interface ReadOptions {
  /** Without it a list is a RECORD with `list.element`. */
  readonly enableListInference: boolean;
  readonly enumAsString: boolean;
}

interface Node {
  readonly row: Row;
  readonly children: readonly Node[];
}

/**
 * @throws BigQueryError `invalid` for files that are no Parquet and for types without a counterpart
 * @source BigQuery, "Loading Parquet data from Cloud Storage", Parquet conversions
 */
export async function readFooter(
  sql: Sql,
  localPath: string,
  uri: string,
  options: ReadOptions,
): Promise<readonly FileColumn[]> {
  let rows: readonly Row[];
  try {
    rows = await sql.rows(`SELECT * FROM parquet_schema(${literal(localPath)})`);
  } catch {
    throw new BigQueryError(
      'invalid',
      `Error while reading data, error message: Input file is not in Parquet format. File: ${uri}`,
      uri,
    );
  }
  const [root] = treeOf(rows, 0);
  return root.children.map((node) => fileColumn(node, uri, options));
}

/** `parquet_schema` lists the tree from the top down, with the number of children of each node. */
function treeOf(rows: readonly Row[], at: number): readonly [node: Node, next: number] {
  const row = rows[at];
  if (!row) throw new Error('a Parquet schema ends within a group');
  const children: Node[] = [];
  let next = at + 1;
  for (let count = Number(row.num_children ?? 0); count > 0; count--) {
    const [child, after] = treeOf(rows, next);
    children.push(child);
    next = after;
  }
  return [{ row, children }, next];
}

function fileColumn(node: Node, uri: string, options: ReadOptions): FileColumn {
  const name = String(node.row.name);
  const field = fieldOf(node, uri, options);
  const isLeaf = node.children.length === 0;
  const logical = String(node.row.logical_type ?? '');
  const isNanos = isLeaf && logical.startsWith('TimestampType') && !/NANOS=<null>/.test(logical);
  const readAs = isNanos ? 'nanos' : logical === 'UUIDType()' ? 'uuid' : 'plain';
  return { name, field, physical: physicalText(node), readAs };
}

/** `INT64 (TIMESTAMP_MICROS)` */
function physicalText(node: Node): string {
  const { type, converted_type: converted } = node.row;
  if (type === null) return String(converted ?? 'GROUP');
  return converted === null ? String(type) : `${type} (${converted})`;
}

function fieldOf(node: Node, uri: string, options: ReadOptions): Field {
  const { row } = node;
  const name = String(row.name);
  if (node.children.length > 0) return groupField(node, name, uri, options);
  const mode =
    row.repetition_type === 'REQUIRED' ? 'REQUIRED' : row.repetition_type === 'REPEATED' ? 'REPEATED' : 'NULLABLE';
  const type = leafType(row, uri, options);
  if (type !== 'NUMERIC' && type !== 'BIGNUMERIC') return { name, type, mode };
  return { name, type, mode, precision: Number(row.precision), scale: Number(row.scale ?? 0) };
}

function groupField(node: Node, name: string, uri: string, options: ReadOptions): Field {
  const mode = node.row.repetition_type === 'REQUIRED' ? 'REQUIRED' : 'NULLABLE';
  const element = node.children[0]?.children[0];
  if (node.row.converted_type === 'LIST' && element) {
    if (options.enableListInference) return { ...fieldOf(element, uri, options), name, mode: 'REPEATED' };
    const inner: Field = { name: 'list', type: 'RECORD', mode: 'REPEATED', fields: [fieldOf(element, uri, options)] };
    return { name, type: 'RECORD', mode, fields: [inner] };
  }
  const fields = node.children.map((child) => fieldOf(child, uri, options));
  return { name, type: 'RECORD', mode, fields };
}

function leafType(row: Row, uri: string, options: ReadOptions): FieldType {
  const converted = String(row.converted_type ?? '');
  const logical = String(row.logical_type ?? '');
  const unsupported = (): BigQueryError =>
    new BigQueryError(
      'invalid',
      `Error while reading data, error message: Parquet column '${row.name}' has type ${row.type} (${converted || logical}), which BigQuery does not load. File: ${uri}`,
      uri,
    );
  if (converted === 'DECIMAL' || logical.startsWith('DecimalType')) return decimalType(row);
  switch (String(row.type)) {
    case 'BOOLEAN':
      return 'BOOLEAN';
    case 'INT32':
      return converted === 'DATE' ? 'DATE' : converted.startsWith('TIME_') ? 'TIME' : 'INTEGER';
    case 'INT64':
      if (converted.startsWith('TIME_') || logical.startsWith('TimeType')) return 'TIME';
      if (logical.startsWith('TimestampType')) return instantType(logical);
      return converted.startsWith('TIMESTAMP_') ? 'TIMESTAMP' : 'INTEGER';
    case 'INT96':
      return 'TIMESTAMP';
    case 'FLOAT':
    case 'DOUBLE':
      return 'FLOAT';
    case 'BYTE_ARRAY':
      if (converted === 'UTF8' || logical.startsWith('StringType')) return 'STRING';
      if (converted === 'JSON' || logical.startsWith('JsonType')) return 'STRING';
      return converted === 'ENUM' && options.enumAsString ? 'STRING' : 'BYTES';
    case 'FIXED_LEN_BYTE_ARRAY':
      if (converted === 'INTERVAL') throw unsupported();
      return 'BYTES';
    default:
      throw unsupported();
  }
}

/** Nanoseconds are no documented conversion and arrive as INT64; a time without zone is civil. */
function instantType(logical: string): FieldType {
  if (!/NANOS=<null>/.test(logical)) return 'INTEGER';
  return /isAdjustedToUTC=1/.test(logical) ? 'TIMESTAMP' : 'DATETIME';
}

/** NUMERIC where it fits in 29 digits before the point and 9 after it. */
function decimalType(row: Row): FieldType {
  const [precision, scale] = [Number(row.precision), Number(row.scale ?? 0)];
  return scale <= 9 && precision - scale <= 29 ? 'NUMERIC' : 'BIGNUMERIC';
}
