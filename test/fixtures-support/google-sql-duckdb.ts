/** Typed tables and a DuckDB query -> its rows in canonical text; the DuckDB half of a comparison of two engines. */
import {
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListType,
  DuckDBListValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { type CanonicalRows, dayText, instantText, listText, plainDecimal } from './canonical-rows.ts';
import type { CorpusTable } from './google-sql-corpus.ts';

/** In memory, its time zone UTC. Use with `using`. */
export class DuckDbRows implements Disposable {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.#connection = connection;
  }

  static async open(tables: Readonly<Record<string, CorpusTable>>): Promise<DuckDbRows> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    for (const [name, { columns, rows }] of Object.entries(tables)) {
      const types = columns.map((column) => `${identifier(column.name)} ${duckDbType(column.type)}`);
      await connection.run(`CREATE TABLE ${identifier(name)} (${types.join(', ')})`);
      for (const row of rows) {
        const cells = row.map((cell) => (cell === null ? 'NULL' : literal(cell)));
        await connection.run(`INSERT INTO ${identifier(name)} VALUES (${cells.join(', ')})`);
      }
    }
    return new DuckDbRows(instance, connection);
  }

  async evaluate(duckSql: string): Promise<CanonicalRows> {
    const reader = await this.#connection.runAndReadAll(duckSql);
    return {
      types: reader.columnTypes().map(typeName),
      rows: reader.getRows().map((row) => row.map(cellText)),
    };
  }

  [Symbol.dispose](): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

function typeName(type: DuckDBType): string {
  if (type instanceof DuckDBListType) return `ARRAY<${typeName(type.valueType)}>`;
  if (type instanceof DuckDBStructType) {
    const fields = type.entryNames.map((name, index) => {
      const field = type.entryTypes[index];
      return `${name} ${field ? typeName(field) : ''}`;
    });
    return `STRUCT<${fields.join(', ')}>`;
  }
  const name = type.toString().replace(/\(.*/, '');
  const known: Readonly<Record<string, string>> = {
    VARCHAR: 'STRING',
    INTEGER: 'INT64',
    BIGINT: 'INT64',
    SQLNULL: 'INT64',
    DOUBLE: 'FLOAT64',
    DECIMAL: 'NUMERIC',
    BOOLEAN: 'BOOL',
    'TIMESTAMP WITH TIME ZONE': 'TIMESTAMP',
    TIMESTAMPTZ: 'TIMESTAMP',
    TIMESTAMP: 'civil time',
  };
  return known[name] ?? name;
}

function cellText(value: DuckDBValue): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof DuckDBDateValue) return dayText(value.days);
  if (value instanceof DuckDBTimestampTZValue) return instantText(value.micros);
  if (value instanceof DuckDBDecimalValue) return plainDecimal(value.toString());
  if (value instanceof DuckDBListValue) return listText(value.items.map(cellText));
  if (value instanceof DuckDBStructValue) return listText(Object.values(value.entries).map(cellText));
  return String(value);
}
