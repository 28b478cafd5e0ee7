/** An empty or older database -> the schema of `store-schema.ts`, by numbered steps that are never edited once released. */

import { PipelineError } from '../../core/errors.ts';
import type { Kysely } from './kysely.ts';
import type { StoreSchema } from './store-schema.ts';

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: (db: Kysely<StoreSchema>) => Promise<void>;
}

const MIGRATIONS: readonly Migration[] = [{ version: 1, name: 'runs', up: createRuns }];

export const SCHEMA_VERSION = Math.max(...MIGRATIONS.map((migration) => migration.version));

/**
 * Brings the schema up to date; run again, it changes nothing.
 *
 * @throws PipelineError `store_too_new` where a later release has written the database
 */
export async function migrate(db: Kysely<StoreSchema>, nowMs: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('applied_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    const version = await readVersion(tx);
    refuseNewer(version);
    for (const migration of MIGRATIONS) {
      if (migration.version <= version) continue;
      await migration.up(tx);
      await tx
        .insertInto('schema_version')
        .values({ version: migration.version, name: migration.name, applied_at_ms: nowMs })
        .execute();
    }
  });
}

/** For readers, which must not change the schema: it has to be exactly ours. */
export async function requireCurrentSchema(db: Kysely<StoreSchema>): Promise<void> {
  const version = await readVersion(db);
  refuseNewer(version);
  if (version < SCHEMA_VERSION) {
    throw new PipelineError(
      'state_conflict',
      `The run store has schema ${version}, this release reads ${SCHEMA_VERSION}. Start the scheduler once to bring it up to date.`,
    );
  }
}

async function readVersion(db: Kysely<StoreSchema>): Promise<number> {
  const row = await db
    .selectFrom('schema_version')
    .select((select) => select.fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}

function refuseNewer(version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new PipelineError(
    'store_too_new',
    `The run store has schema ${version}, and this release knows up to ${SCHEMA_VERSION}. Use the release that wrote it, or a later one.`,
    { context: { found: version, known: SCHEMA_VERSION } },
  );
}

async function createRuns(db: Kysely<StoreSchema>): Promise<void> {
  await db.schema
    .createTable('dag')
    .addColumn('dag_id', 'text', (column) => column.primaryKey())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('is_paused', 'integer', (column) => column.notNull())
    .addColumn('is_stale', 'integer', (column) => column.notNull())
    .addColumn('schedule_json', 'text', (column) => column.notNull())
    .addColumn('schedule_cursor_ms', 'bigint', (column) => column.notNull())
    .addColumn('unpaused_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('parsed_at_ms', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('dag_version')
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('dag_json', 'text', (column) => column.notNull())
    .addColumn('spec_json', 'text', (column) => column.notNull())
    .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('dag_version_pk', ['dag_id', 'fingerprint'])
    .execute();
  await db.schema
    .createTable('dag_run')
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('run_key', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('run_type', 'text', (column) => column.notNull())
    .addColumn('triggered_by', 'text', (column) => column.notNull())
    .addColumn('logical_date_ms', 'bigint')
    .addColumn('interval_start_ms', 'bigint', (column) => column.notNull())
    .addColumn('interval_end_ms', 'bigint', (column) => column.notNull())
    .addColumn('run_after_ms', 'bigint', (column) => column.notNull())
    .addColumn('queued_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('started_at_ms', 'bigint')
    .addColumn('ended_at_ms', 'bigint')
    .addColumn('conf_json', 'text', (column) => column.notNull())
    .addColumn('note', 'text')
    .addColumn('dag_fingerprint', 'text', (column) => column.notNull())
    .addColumn('parent_dag_id', 'text')
    .addColumn('parent_run_id', 'text')
    .addColumn('parent_task_id', 'text')
    .addPrimaryKeyConstraint('dag_run_pk', ['dag_id', 'run_id'])
    .addUniqueConstraint('dag_run_key', ['dag_id', 'run_key'])
    .addUniqueConstraint('dag_run_logical_date', ['dag_id', 'logical_date_ms'])
    .addForeignKeyConstraint('dag_run_version', ['dag_id', 'dag_fingerprint'], 'dag_version', ['dag_id', 'fingerprint'])
    .execute();
  await db.schema.createIndex('dag_run_state').on('dag_run').columns(['state', 'dag_id']).execute();
  await db.schema.createIndex('dag_run_order').on('dag_run').columns(['run_after_ms', 'queued_at_ms']).execute();
  await db.schema
    .createTable('task_instance')
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('task_id', 'text', (column) => column.notNull())
    .addColumn('map_index', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('try_number', 'integer', (column) => column.notNull())
    .addColumn('max_tries', 'integer', (column) => column.notNull())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('scheduled_at_ms', 'bigint')
    .addColumn('queued_at_ms', 'bigint')
    .addColumn('started_at_ms', 'bigint')
    .addColumn('ended_at_ms', 'bigint')
    .addColumn('next_retry_at_ms', 'bigint')
    .addColumn('error_json', 'text')
    .addPrimaryKeyConstraint('task_instance_pk', ['dag_id', 'run_id', 'task_id', 'map_index'])
    .addForeignKeyConstraint('task_instance_run', ['dag_id', 'run_id'], 'dag_run', ['dag_id', 'run_id'])
    .execute();
  await db.schema
    .createTable('task_output')
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('task_id', 'text', (column) => column.notNull())
    .addColumn('map_index', 'integer', (column) => column.notNull())
    .addColumn('output_json', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('task_output_pk', ['dag_id', 'run_id', 'task_id', 'map_index'])
    .execute();
  await db.schema
    .createTable('attempt')
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('task_id', 'text', (column) => column.notNull())
    .addColumn('map_index', 'integer', (column) => column.notNull())
    .addColumn('try_number', 'integer', (column) => column.notNull())
    .addColumn('fence', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('started_at_ms', 'bigint', (column) => column.notNull())
    .addColumn('ended_at_ms', 'bigint')
    .addColumn('error_json', 'text')
    .addColumn('log_path', 'text', (column) => column.notNull())
    .addColumn('pid', 'integer')
    .addPrimaryKeyConstraint('attempt_pk', ['dag_id', 'run_id', 'task_id', 'map_index', 'try_number'])
    .execute();
  await db.schema
    .createTable('event_log')
    .addColumn('event_id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('dag_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text')
    .addColumn('task_id', 'text')
    .addColumn('detail', 'text', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('event_log_run').on('event_log').columns(['dag_id', 'run_id']).execute();
}
