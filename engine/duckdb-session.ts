/** Limits and SQL text -> one DuckDB connection with its time zone at UTC, no network, cancellable, and rows as plain values. */
import { type DuckDBConnection, DuckDBInstance, DuckDBTimestampTZValue, type DuckDBValue } from '@duckdb/node-api';
import { asPipelineError, PipelineError } from '../core/errors.ts';
import { literal } from './sql-text.ts';

// Instants become text here, not in DuckDB: by default with the offset that this machine has today.
DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0;

export interface DuckDbOptions {
  /** Database file; default in memory. A file admits one process at a time. */
  readonly path?: string;
  /** `1GB` by default; beyond it DuckDB spills to `tempDir`. */
  readonly memoryLimit?: string;
  readonly threads?: number;
  readonly tempDir?: string;
  readonly signal?: AbortSignal;
  /** Shut off every file and network access of SQL that follows; for SQL that users wrote. */
  readonly lockedDown?: boolean;
}

/** A cell as JavaScript holds it: BIGINT and DECIMAL as text where a number would lose digits. */
export type Cell = string | number | bigint | boolean | null;
export type Row = Record<string, Cell>;

/**
 * Use with `await using`: closing ends the connection and frees the file.
 *
 * @throws PipelineError `data_unreadable` for files that are no Parquet, `out_of_memory`, `storage_full`, `task_cancelled`; other SQL faults are bugs
 */
export class DuckDbSession implements AsyncDisposable {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, signal: AbortSignal | undefined) {
    this.#instance = instance;
    this.#connection = connection;
    this.#signal = signal;
    this.#onAbort = () => connection.interrupt();
    signal?.addEventListener('abort', this.#onAbort);
  }

  static async open(options: DuckDbOptions = {}): Promise<DuckDbSession> {
    const config: Record<string, string> = {
      memory_limit: options.memoryLimit ?? '1GB',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    };
    if (options.threads !== undefined) config.threads = String(options.threads);
    if (options.tempDir !== undefined) config.temp_directory = options.tempDir;
    const instance = await DuckDBInstance.create(options.path ?? ':memory:', config);
    const connection = await instance.connect();
    const session = new DuckDbSession(instance, connection, options.signal);
    await session.run("SET TimeZone = 'UTC'");
    if (options.lockedDown) await session.run('SET enable_external_access = false; SET lock_configuration = true');
    return session;
  }

  /** Runs one or more statements for their effect. */
  async run(sql: string): Promise<void> {
    await this.#guard(sql, async () => {
      await this.#connection.run(sql);
    });
  }

  /** All rows of a small result, in the query's order. */
  async rows<T extends Row = Row>(sql: string): Promise<T[]> {
    return this.#guard(sql, async () => {
      const reader = await this.#connection.runAndReadAll(sql);
      const names = reader.deduplicatedColumnNames();
      return reader.getRows().map((values) => {
        const row: Row = {};
        values.forEach((value, index) => {
          row[names[index] ?? String(index)] = cellOf(value);
        });
        return row as T;
      });
    });
  }

  /** The only row of a result, e.g. of an aggregate. */
  async one<T extends Row = Row>(sql: string): Promise<T> {
    const [row, ...more] = await this.rows<T>(sql);
    if (!row || more.length > 0) throw new Error(`expected one row from: ${sql.slice(0, 200)}`);
    return row;
  }

  /** Column names and DuckDB type names of a query, without running it. */
  async describe(query: string): Promise<readonly { readonly name: string; readonly type: string }[]> {
    const rows = await this.rows(`DESCRIBE ${query}`);
    return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #guard<T>(sql: string, work: () => Promise<T>): Promise<T> {
    if (this.#signal?.aborted) throw new PipelineError('task_cancelled', 'The task was cancelled.');
    try {
      return await work();
    } catch (thrown) {
      throw this.#translate(thrown, sql);
    }
  }

  #translate(thrown: unknown, sql: string): PipelineError | Error {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (this.#signal?.aborted) return new PipelineError('task_cancelled', 'The task was cancelled.', { cause: thrown });
    if (/Out of Memory/i.test(message)) {
      return new PipelineError(
        'out_of_memory',
        `DuckDB ran out of memory: ${message}. Raise engine.duckdb.memory_limit or free disk space for spilling.`,
        { cause: thrown },
      );
    }
    if (/No space left|disk full|could not write/i.test(message)) {
      return new PipelineError(
        'storage_full',
        `The disk is full: ${message}. Free some space, then clear the failed task.`,
        {
          cause: thrown,
        },
      );
    }
    if (/parquet|No magic bytes|Invalid Input Error: File|IO Error|thrift|snappy|zstd|page header/i.test(message)) {
      return new PipelineError('data_unreadable', message, { cause: thrown });
    }
    const known = asPipelineError(thrown);
    if (known.code !== 'internal') return known;
    return new Error(`${message}\n  in SQL: ${sql.length > 2000 ? `${sql.slice(0, 2000)} …` : sql}`, { cause: thrown });
  }
}

/** A comma-separated list of file literals for `read_parquet([...])`. */
export function fileList(paths: readonly string[]): string {
  return `[${paths.map(literal).join(', ')}]`;
}

function cellOf(value: DuckDBValue): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') {
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }
  return value.toString();
}
