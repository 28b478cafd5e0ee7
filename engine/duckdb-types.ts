/** Column types of a spec <-> DuckDB's type names. */
import type { ColumnType } from '../core/types.ts';

/** The DuckDB type that a file column of this type has. */
export function duckDbType(type: ColumnType): string {
  switch (type) {
    case 'string':
      return 'VARCHAR';
    case 'int64':
      return 'BIGINT';
    case 'float64':
      return 'DOUBLE';
    case 'bool':
      return 'BOOLEAN';
    case 'date':
      return 'DATE';
    case 'timestamp':
      return 'TIMESTAMPTZ';
    default:
      return type.toUpperCase();
  }
}

/** The spec type that holds a DuckDB column without loss; null for one that no file of ours may hold (lists, structs, blobs). */
export function columnTypeOf(duckDbTypeName: string): ColumnType | null {
  const name = duckDbTypeName.toUpperCase();
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(name);
  if (decimal) return `decimal(${Number(decimal[1])},${Number(decimal[2])})`;
  if (/^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/.test(name)) return 'int64';
  if (/^(UBIGINT|HUGEINT|UHUGEINT)$/.test(name)) return 'decimal(38,0)';
  if (/^(FLOAT|DOUBLE)$/.test(name)) return 'float64';
  if (name === 'BOOLEAN') return 'bool';
  if (name === 'DATE') return 'date';
  if (name.startsWith('TIMESTAMP')) return 'timestamp';
  if (/^(VARCHAR|UUID|ENUM.*|TIME.*|INTERVAL|JSON|"NULL"|NULL)$/.test(name)) return 'string';
  return null;
}
