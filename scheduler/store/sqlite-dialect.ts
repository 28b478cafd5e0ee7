/** A SQLite file -> a Kysely dialect over libsql: WAL, durable commits, writers that lock at BEGIN, statements prepared once, a full disk named. */

import Database from 'libsql';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
} from './kysely.ts';
import { storeFault } from './store-fault.ts';

/** SQL texts differ by the number of rows and values; beyond this many the cache starts over. */
const MAX_STATEMENTS = 500;

export class LibsqlDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;

  /** `readOnly` refuses writes on this connection; the file must exist already. */
  constructor(path: string, readOnly: boolean) {
    const config = { database: openFile(path, readOnly) };
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#config);
  }
}

/** A deferred transaction that turns into a writer fails with SQLITE_BUSY at once, whatever the busy timeout. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  /** SQLite itself rolls back on a full disk; asking again would then hide the first error behind a second. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection);
    } catch (thrown) {
      if (!/no transaction is active/i.test(thrown instanceof Error ? thrown.message : '')) throw thrown;
    }
  }
}

function openFile(path: string, readOnly: boolean): SqliteDatabase {
  const named = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      throw storeFault(thrown, path);
    }
  };
  const database = named(() => connect(path, readOnly));
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => {
      statements.clear();
      database.close();
    },
    prepare: (sql) => {
      let statement = statements.get(sql);
      if (!statement) {
        if (statements.size >= MAX_STATEMENTS) statements.clear();
        statement = guarded(
          named(() => database.prepare(sql)),
          named,
        );
        statements.set(sql, statement);
      }
      return statement;
    },
  };
}

function connect(path: string, readOnly: boolean): Database.Database {
  const database = new Database(path);
  database.pragma('busy_timeout = 5000');
  database.pragma('foreign_keys = ON');
  if (readOnly) {
    database.pragma('query_only = ON');
  } else {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
  }
  return database;
}

function guarded(statement: Database.Statement, named: <T>(work: () => T) => T): SqliteStatement {
  return {
    reader: statement.reader,
    all: (values) => named(() => statement.all(bindable(values))),
    run: (values) => named(() => statement.run(bindable(values))),
    iterate: (values) => statement.iterate(bindable(values)) as IterableIterator<unknown>,
  };
}

/** libsql 0.5 aborts the whole process on a boolean, so one must never get there. */
function bindable(values: readonly unknown[]): unknown[] {
  for (const value of values) {
    if (typeof value === 'boolean' || value === undefined || Number.isNaN(value)) {
      throw new Error(`a query binds ${String(value)}: columns hold numbers, text and null`);
    }
  }
  return [...values];
}
