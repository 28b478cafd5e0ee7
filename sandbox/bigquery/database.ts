/** One DuckDB file -> one writer at a time, and readers that each see one committed state. */
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';

export type Cell = string | number | boolean | null;
export type Row = { readonly [column: string]: Cell };

/** SQL on one connection. Integers beyond 2^53 and all that is no plain value come as text. */
export interface Sql {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly Row[]>;
  one(sql: string): Promise<Row>;
  /** Column names and DuckDB types of a query, without running it. */
  describe(query: string): Promise<readonly { readonly name: string; readonly type: string }[]>;
}

/** The writer with its transactions in the caller's hand, for scripts. */
export interface Writer extends Sql {
  readonly isInTransaction: boolean;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #writer: Connection;
  readonly #journal: Connection;
  #writing: Promise<unknown> = Promise.resolve();
  #journaling: Promise<unknown> = Promise.resolve();

  private constructor(instance: DuckDBInstance, writer: Connection, journal: Connection) {
    this.#instance = instance;
    this.#writer = writer;
    this.#journal = journal;
  }

  static async open(path: string): Promise<Database> {
    const instance = await DuckDBInstance.create(path, {
      memory_limit: '1GB',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    return new Database(instance, await Connection.open(instance), await Connection.open(instance));
  }

  /** The writer alone, in the order of the calls. What is left open of a transaction is rolled back. */
  async exclusive<T>(work: (writer: Writer) => Promise<T>): Promise<T> {
    const turn = this.#writing.then(async () => {
      try {
        return await work(this.#writer);
      } finally {
        if (this.#writer.isInTransaction) await this.#writer.rollback();
      }
    });
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  /** All that `work` does, or nothing of it. */
  async write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.exclusive(async (writer) => {
      await writer.begin();
      const result = await work(writer);
      await writer.commit();
      return result;
    });
  }

  /** What `work` would do, and none of it. */
  async dry<T>(work: (writer: Writer) => Promise<T>): Promise<T> {
    return this.exclusive(async (writer) => {
      await writer.begin();
      return work(writer);
    });
  }

  /** One statement beside a writer at work, durable when it returns; only for rows that no writer touches. */
  async append(sql: string): Promise<void> {
    const turn = this.#journaling.then(() => this.#journal.run(sql));
    this.#journaling = turn.catch(() => undefined);
    return turn;
  }

  /** Reads one committed state, never waits for the writer. */
  async read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = await Connection.open(this.#instance);
    try {
      await connection.run('BEGIN TRANSACTION READ ONLY');
      return await work(connection);
    } finally {
      connection.close();
    }
  }

  /** Ends the statement that the writer is at. */
  interrupt(): void {
    this.#writer.interrupt();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#journaling;
    this.#writer.close();
    this.#journal.close();
    this.#instance.closeSync();
  }
}

class Connection implements Writer {
  readonly #connection: DuckDBConnection;
  isInTransaction = false;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(instance: DuckDBInstance): Promise<Connection> {
    const connection = new Connection(await instance.connect());
    await connection.run("SET TimeZone = 'UTC'");
    return connection;
  }

  async run(sql: string): Promise<void> {
    await this.#connection.run(sql);
  }

  async rows(sql: string): Promise<readonly Row[]> {
    const reader = await this.#connection.runAndReadAll(sql);
    const names = reader.deduplicatedColumnNames();
    return reader
      .getRows()
      .map((values) =>
        Object.fromEntries(values.map((value, index) => [names[index] ?? String(index), cellOf(value)])),
      );
  }

  async one(sql: string): Promise<Row> {
    const [row] = await this.rows(sql);
    if (!row) throw new Error(`expected one row from: ${sql.slice(0, 200)}`);
    return row;
  }

  async describe(query: string): Promise<readonly { readonly name: string; readonly type: string }[]> {
    const rows = await this.rows(`DESCRIBE ${query}`);
    return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  }

  async begin(): Promise<void> {
    await this.run('BEGIN TRANSACTION');
    this.isInTransaction = true;
  }

  async commit(): Promise<void> {
    await this.run('COMMIT');
    this.isInTransaction = false;
  }

  async rollback(): Promise<void> {
    this.isInTransaction = false;
    await this.run('ROLLBACK');
  }

  interrupt(): void {
    this.#connection.interrupt();
  }

  close(): void {
    this.#connection.closeSync();
  }
}

function cellOf(value: DuckDBValue): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') {
    const isSafe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
    return isSafe ? Number(value) : String(value);
  }
  return value.toString();
}
