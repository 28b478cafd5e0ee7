/** The run store: DAG versions, runs, task instances, attempts and events, written step by step and read by anyone. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { canonicalJson } from '../../core/fingerprint.ts';
import { keySafe } from '../../core/object-keys.ts';
import type { Clock } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type { Dag, DagRun, RunState, TaskInstance } from '../../core/types.ts';
import type { RunFilter } from '../control.ts';
import { applyChanges, logEvent, type StoreChanges, type StoreEvent } from './apply-changes.ts';
import { Kysely, sql } from './kysely.ts';
import { migrate, requireCurrentSchema } from './migrations.ts';
import { LibsqlDialect } from './sqlite-dialect.ts';
import { instanceOf, type ParentLink, parentOf, runOf } from './store-rows.ts';
import type { AttemptTable, DagRunTable, DagTable, EventLogTable, StoreSchema } from './store-schema.ts';

/** A DAG with the spec that it was compiled from. */
export interface DagVersion {
  readonly dag: Dag;
  readonly spec: Spec;
}

export interface StoredDag {
  readonly dagId: string;
  readonly fingerprint: string;
  readonly isPaused: boolean;
  readonly isStale: boolean;
  readonly cursorMs: number;
  readonly unpausedAtMs: number;
  readonly parsedAtMs: number;
}

export interface StoredRun {
  readonly run: DagRun;
  readonly parent: ParentLink | null;
}

export interface StoredAttempt extends Pick<AttemptTable, 'fence' | 'state' | 'pid'> {
  readonly tryNumber: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly logPath: string;
}

/** One process writes (it holds the project's lock); any number reads meanwhile. */
export class RunStore implements AsyncDisposable {
  readonly #db: Kysely<StoreSchema>;
  readonly #versions = new Map<string, DagVersion>();

  private constructor(db: Kysely<StoreSchema>) {
    this.#db = db;
  }

  /**
   * Opens the store and brings its schema up to date. `readOnly` changes nothing and works while a scheduler runs. Beyond
   * `maxPages` (of 4 KiB) it is as full as on a disk without room.
   *
   * @throws PipelineError `store_too_new`, `storage_full`; read-only also `project_not_found` (no store yet) and `state_conflict` (older schema)
   */
  static async open(
    path: string,
    options: { readonly clock: Clock; readonly readOnly?: boolean; readonly maxPages?: number },
  ): Promise<RunStore> {
    const readOnly = options.readOnly ?? false;
    if (readOnly && !existsSync(path)) {
      throw new PipelineError('project_not_found', 'Nothing has run in this project yet: it has no run store.');
    }
    mkdirSync(dirname(path), { recursive: true });
    const db = new Kysely<StoreSchema>({ dialect: new LibsqlDialect(path, readOnly) });
    try {
      if (readOnly) await requireCurrentSchema(db);
      else await migrate(db, options.clock.now());
      if (options.maxPages !== undefined) await sql.raw(`pragma max_page_count = ${options.maxPages}`).execute(db);
    } catch (thrown) {
      await db.destroy();
      throw thrown;
    }
    return new RunStore(db);
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ---------------------------------------------------------------- writing

  /**
   * Writes all changes or none.
   *
   * @throws PipelineError `stale_attempt` where a state or a fence is no longer what the change was decided on; `run_exists`;
   *   `storage_full`
   */
  async apply(changes: StoreChanges): Promise<void> {
    if (Object.values(changes).every((list: readonly unknown[]) => list.length === 0)) return;
    await this.#db.transaction().execute((tx) => applyChanges(tx, changes));
  }

  /**
   * Makes these the project's DAGs. New ones are not paused; those that are missing become stale; an unchanged one stays as
   * it is. A new or changed schedule counts ticks from now on.
   */
  async registerDags(versions: readonly DagVersion[], nowMs: number): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      const known = new Map((await tx.selectFrom('dag').selectAll().execute()).map((row) => [row.dag_id, row]));
      for (const { dag, spec } of versions) {
        const before = known.get(dag.id);
        known.delete(dag.id);
        if (before?.fingerprint !== dag.fingerprint) {
          // A server that lives long sees many edits; the few runs of an old version read it again.
          if (before) this.#versions.delete(versionKey(dag.id, before.fingerprint));
          await tx
            .insertInto('dag_version')
            .values({
              dag_id: dag.id,
              fingerprint: dag.fingerprint,
              dag_json: JSON.stringify(dag),
              spec_json: JSON.stringify(spec),
              created_at_ms: nowMs,
            })
            .onConflict((conflict) => conflict.doNothing())
            .execute();
        }
        await upsertDag(tx, dag, before, nowMs);
      }
      const missing = [...known.values()].filter((row) => row.is_stale === 0).map((row) => row.dag_id);
      if (missing.length > 0) {
        await tx.updateTable('dag').set({ is_stale: 1 }).where('dag_id', 'in', missing).execute();
      }
    });
  }

  /** Idempotent: a DAG that is so already stays untouched. */
  async setPaused(dagId: string, isPaused: boolean, event: StoreEvent): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable('dag')
        .set(isPaused ? { is_paused: 1 } : { is_paused: 0, unpaused_at_ms: event.atMs })
        .where('dag_id', '=', dagId)
        .where('is_paused', '=', isPaused ? 0 : 1)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) await logEvent(tx, event);
    });
  }

  // ---------------------------------------------------------------- reading

  /** By id; stale ones included. */
  async listDags(): Promise<readonly StoredDag[]> {
    const rows = await this.#db.selectFrom('dag').selectAll().orderBy('dag_id').execute();
    return rows.map(dagOf);
  }

  async findDag(dagId: string): Promise<StoredDag | null> {
    const row = await this.#db.selectFrom('dag').selectAll().where('dag_id', '=', dagId).executeTakeFirst();
    return row ? dagOf(row) : null;
  }

  /** @throws Error where the version was never registered: runs refer to stored versions only */
  async loadVersion(dagId: string, fingerprint: string): Promise<DagVersion> {
    const key = versionKey(dagId, fingerprint);
    const cached = this.#versions.get(key);
    if (cached) return cached;
    const row = await this.#db
      .selectFrom('dag_version')
      .select(['dag_json', 'spec_json'])
      .where('dag_id', '=', dagId)
      .where('fingerprint', '=', fingerprint)
      .executeTakeFirst();
    if (!row) throw new Error(`DAG ${dagId} has no version ${fingerprint} in the run store`);
    const version = { dag: JSON.parse(row.dag_json) as Dag, spec: JSON.parse(row.spec_json) as Spec };
    this.#versions.set(key, version);
    return version;
  }

  async findRun(dagId: string, runId: string): Promise<StoredRun | null> {
    const row = await this.#db
      .selectFrom('dag_run')
      .selectAll()
      .where('dag_id', '=', dagId)
      .where('run_id', '=', runId)
      .executeTakeFirst();
    return row ? { run: runOf(row), parent: parentOf(row) } : null;
  }

  /** A run that would share the id, the id's spelling in folders, or the logical date; null where the place is free. */
  async findRival(dagId: string, runId: string, logicalDateMs: number | null): Promise<DagRun | null> {
    const row = await this.#db
      .selectFrom('dag_run')
      .selectAll()
      .where('dag_id', '=', dagId)
      .where((where) =>
        where.or([
          where('run_key', '=', keySafe(runId)),
          ...(logicalDateMs === null ? [] : [where('logical_date_ms', '=', logicalDateMs)]),
        ]),
      )
      .executeTakeFirst();
    return row ? runOf(row) : null;
  }

  /** Runs that are queued or running, in the order in which they start. */
  async listOpenRuns(): Promise<readonly StoredRun[]> {
    const open: RunState[] = ['queued', 'running'];
    const rows = await this.#db
      .selectFrom('dag_run')
      .selectAll()
      .where('state', 'in', open)
      .orderBy('run_after_ms')
      .orderBy('queued_at_ms')
      .orderBy('run_id')
      .execute();
    return rows.map((row) => ({ run: runOf(row), parent: parentOf(row) }));
  }

  /** @throws PipelineError `usage` for an order that does not exist */
  async listRuns(filter: RunFilter): Promise<{ readonly runs: readonly DagRun[]; readonly total: number }> {
    const order = (filter.orderBy ?? ['-run_after']).map(orderOf);
    let query = this.#db.selectFrom('dag_run');
    if (filter.dagId !== undefined) query = query.where('dag_id', '=', filter.dagId);
    if (filter.states !== undefined) query = query.where('state', 'in', [...filter.states]);
    if (filter.logicalDateFromMs !== undefined) query = query.where('logical_date_ms', '>=', filter.logicalDateFromMs);
    if (filter.logicalDateToMs !== undefined) query = query.where('logical_date_ms', '<=', filter.logicalDateToMs);
    const { total } = await query
      .select((select) => select.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    let page = query.selectAll();
    for (const { column, direction } of order) page = page.orderBy(column, direction);
    const rows = await page
      .orderBy('queued_at_ms', 'desc')
      .orderBy('dag_id')
      .orderBy('run_id')
      .limit(filter.limit ?? 100)
      .offset(filter.offset ?? 0)
      .execute();
    return { runs: rows.map(runOf), total: Number(total) };
  }

  /** In no particular order: the DAG version of the run has it. */
  async listInstances(dagId: string, runId: string): Promise<readonly TaskInstance[]> {
    const rows = await this.#db
      .selectFrom('task_instance as instance')
      .leftJoin('task_output as output', (join) =>
        join
          .onRef('output.dag_id', '=', 'instance.dag_id')
          .onRef('output.run_id', '=', 'instance.run_id')
          .onRef('output.task_id', '=', 'instance.task_id')
          .onRef('output.map_index', '=', 'instance.map_index'),
      )
      .selectAll('instance')
      .select('output.output_json')
      .where('instance.dag_id', '=', dagId)
      .where('instance.run_id', '=', runId)
      .execute();
    return rows.map(instanceOf);
  }

  /** By try number. */
  async listAttempts(dagId: string, runId: string, taskId: string): Promise<readonly StoredAttempt[]> {
    const rows = await this.#db
      .selectFrom('attempt')
      .selectAll()
      .where('dag_id', '=', dagId)
      .where('run_id', '=', runId)
      .where('task_id', '=', taskId)
      .orderBy('try_number')
      .execute();
    return rows.map((row) => ({
      tryNumber: row.try_number,
      fence: row.fence,
      state: row.state,
      pid: row.pid,
      startedAtMs: row.started_at_ms,
      endedAtMs: row.ended_at_ms,
      error: row.error_json === null ? null : (JSON.parse(row.error_json) as { code: string; message: string }),
      logPath: row.log_path,
    }));
  }

  /** Who did what when, oldest first; of one DAG, or of all. */
  async listEvents(dagId: string | null): Promise<readonly Omit<EventLogTable, 'event_id'>[]> {
    let query = this.#db.selectFrom('event_log').selectAll();
    if (dagId !== null) query = query.where('dag_id', '=', dagId);
    return query.orderBy('event_id').execute();
  }

  /** True where the store answers. */
  async isHealthy(): Promise<boolean> {
    try {
      await sql`select 1`.execute(this.#db);
      return true;
    } catch {
      return false;
    }
  }
}

const versionKey = (dagId: string, fingerprint: string): string => `${dagId}\n${fingerprint}`;

async function upsertDag(
  tx: Kysely<StoreSchema>,
  dag: Dag,
  before: DagTable | undefined,
  nowMs: number,
): Promise<void> {
  if (before?.fingerprint === dag.fingerprint && before.is_stale === 0) return;
  const scheduleJson = canonicalJson(dag.schedule);
  if (!before) {
    await tx
      .insertInto('dag')
      .values({
        dag_id: dag.id,
        fingerprint: dag.fingerprint,
        is_paused: 0,
        is_stale: 0,
        schedule_json: scheduleJson,
        schedule_cursor_ms: nowMs,
        unpaused_at_ms: nowMs,
        parsed_at_ms: nowMs,
      })
      .execute();
    return;
  }
  const isSameSchedule = before.schedule_json === scheduleJson && before.is_stale === 0;
  await tx
    .updateTable('dag')
    .set({
      fingerprint: dag.fingerprint,
      is_stale: 0,
      schedule_json: scheduleJson,
      schedule_cursor_ms: isSameSchedule ? before.schedule_cursor_ms : nowMs,
      parsed_at_ms: nowMs,
    })
    .where('dag_id', '=', dag.id)
    .execute();
}

function dagOf(row: DagTable): StoredDag {
  return {
    dagId: row.dag_id,
    fingerprint: row.fingerprint,
    isPaused: row.is_paused === 1,
    isStale: row.is_stale === 1,
    cursorMs: row.schedule_cursor_ms,
    unpausedAtMs: row.unpaused_at_ms,
    parsedAtMs: row.parsed_at_ms,
  };
}

const ORDER_COLUMNS: Readonly<Record<string, keyof DagRunTable>> = {
  logical_date: 'logical_date_ms',
  data_interval_start: 'interval_start_ms',
  data_interval_end: 'interval_end_ms',
  run_after: 'run_after_ms',
  queued_at: 'queued_at_ms',
  start_date: 'started_at_ms',
  end_date: 'ended_at_ms',
  state: 'state',
  run_type: 'run_type',
  dag_id: 'dag_id',
  dag_run_id: 'run_id',
  run_id: 'run_id',
  id: 'queued_at_ms',
};

function orderOf(text: string): { readonly column: keyof DagRunTable; readonly direction: 'asc' | 'desc' } {
  const name = text.replace(/^-/, '');
  const column = Object.hasOwn(ORDER_COLUMNS, name) ? ORDER_COLUMNS[name] : undefined;
  if (!column) {
    throw new PipelineError(
      'usage',
      `Runs cannot be ordered by "${name}". Known: ${Object.keys(ORDER_COLUMNS).join(', ')}; "-" before a name turns it round.`,
    );
  }
  return { column, direction: text.startsWith('-') ? 'desc' : 'asc' };
}
