/** Columns of a table -> a DuckDB expression for the bytes that BigQuery would bill for them. */
import { identifier } from '../../engine/sql-text.ts';
import type { Field } from './table-schema.ts';

/**
 * Bytes of all rows of a relation in these columns, as an aggregate.
 *
 * @source BigQuery, "Pricing", data size calculation: 8 bytes a number or instant, 16 a NUMERIC, 32 a BIGNUMERIC, 1 a BOOL,
 *   2 and its UTF-8 length a STRING, nothing a NULL
 */
export function storedBytes(fields: readonly Field[]): string {
  if (fields.length === 0) return 'CAST(0 AS BIGINT)';
  const sums = fields.map((field) => `coalesce(sum(${bytesOf(field, identifier(field.name))}), 0)`);
  return `CAST(${sums.join(' + ')} AS BIGINT)`;
}

function bytesOf(field: Field, value: string, depth = 0): string {
  if (field.mode === 'REPEATED') {
    const item = `item_${depth}`;
    const inner = bytesOf({ ...field, mode: 'NULLABLE' }, item, depth + 1);
    return `coalesce(list_sum(list_transform(${value}, lambda ${item}: ${inner})), 0)`;
  }
  return `CASE WHEN ${value} IS NULL THEN 0 ELSE ${scalarBytes(field, value, depth)} END`;
}

function scalarBytes(field: Field, value: string, depth: number): string {
  switch (field.type) {
    case 'STRING':
      return `2 + strlen(${value})`;
    case 'JSON':
      return `strlen(CAST(${value} AS VARCHAR))`;
    case 'BYTES':
      return `2 + octet_length(${value})`;
    case 'BOOLEAN':
      return '1';
    case 'NUMERIC':
      return '16';
    case 'BIGNUMERIC':
      return '32';
    case 'INTEGER':
    case 'FLOAT':
    case 'DATE':
    case 'TIMESTAMP':
    case 'DATETIME':
    case 'TIME':
      return '8';
    case 'RECORD': {
      const parts = (field.fields ?? []).map((inner) => bytesOf(inner, `${value}.${identifier(inner.name)}`, depth));
      return `(${parts.join(' + ')})`;
    }
  }
}
