/**
 * Kysely as the store uses it. Required, not imported: its 262 ES modules take three times as long to link as its CommonJS
 * ones to load, and every command that looks at a run waits for them.
 */
import { createRequire } from 'node:module';
import type * as Module from 'kysely';

export type {
  DatabaseConnection,
  Driver,
  Generated,
  SqliteDatabase,
  SqliteDialectConfig,
  SqliteStatement,
} from 'kysely';
export type Kysely<Schema> = Module.Kysely<Schema>;

export const { CompiledQuery, Kysely, SqliteDialect, SqliteDriver, sql } = createRequire(import.meta.url)(
  'kysely',
) as typeof Module;
