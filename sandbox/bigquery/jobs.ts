/** Jobs: taken once by their id, run one after another, remembered over restarts. */

import type { Clock, Logger } from '../../core/ports.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { BigQueryError, type ErrorProto, protoOf } from './bigquery-error.ts';
import type { Database, Sql, Writer } from './database.ts';
import type { JobRecord, JobResult } from './job-record.ts';

/** What a job has come to, to be stored in the transaction of its last writes. */
export interface Outcome {
  readonly statistics: object;
  readonly result: JobResult | null;
}

/** Runs in a transaction; a script may end it and begin others. What is open at its end commits with the job. */
export type Work = (writer: Writer) => Promise<Outcome>;

/** How long the rows of a query are kept. @source BigQuery, "Using cached query results": about 24 hours */
const RESULTS_KEPT_MS = 24 * 3_600_000;

const INTERRUPT_AGAIN_MS = 50;

export class Jobs {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #records = new Map<string, JobRecord>();
  readonly #finished = new Map<string, Promise<void>>();
  readonly #cancelled = new Set<string>();
  /** The job whose own statements are being run; not while its end is stored. */
  #working: string | null = null;

  private constructor(database: Database, clock: Clock, log: Logger) {
    this.#database = database;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * What was stored before. A job that had not ended is ended as `backendError`: of its writes nothing is there, since they commit with its end.
   * Results that are too old are dropped.
   */
  static async open(database: Database, clock: Clock, log: Logger): Promise<Jobs> {
    const jobs = new Jobs(database, clock, log);
    const nowMs = clock.now();
    await database.write(async (sql) => {
      for (const row of await sql.rows('SELECT body FROM meta.jobs ORDER BY created_ms, rowid')) {
        const job = JSON.parse(String(row.body)) as JobRecord;
        const known = job.state === 'DONE' ? await dropOldResult(sql, job, nowMs) : endedByRestart(job, nowMs);
        if (known !== job) await saveJob(sql, known);
        jobs.#records.set(keyOf(job), known);
      }
    });
    return jobs;
  }

  find(project: string, id: string): JobRecord | null {
    return this.#records.get(keyOf({ project, id })) ?? null;
  }

  /** Newest first. */
  list(project: string): readonly JobRecord[] {
    return [...this.#records.values()].filter((job) => job.project === project).reverse();
  }

  byRequestId(project: string, requestId: string): JobRecord | null {
    return this.list(project).find((job) => job.requestId === requestId) ?? null;
  }

  /**
   * Stores the job as PENDING, answers, and runs it when its turn comes.
   *
   * @throws BigQueryError `duplicate` where the id is taken, in whatever state that job is
   */
  async insert(job: JobRecord, work: Work): Promise<JobRecord> {
    const key = keyOf(job);
    if (this.#records.has(key))
      throw new BigQueryError('duplicate', `Already Exists: Job ${job.project}:${job.location}.${job.id}`);
    this.#records.set(key, job);
    try {
      await this.#database.append(`INSERT INTO meta.jobs VALUES (${jobValues(job)})`);
    } catch (thrown) {
      this.#records.delete(key);
      throw thrown;
    }
    this.#finished.set(
      key,
      this.#run(job, work).finally(() => this.#finished.delete(key)),
    );
    return job;
  }

  /** Until the job has ended or the time is over; the job as it is then. */
  async wait(job: JobRecord, timeoutMs: number): Promise<JobRecord> {
    const finished = this.#finished.get(keyOf(job));
    if (finished !== undefined) {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([finished, timeout]);
      clearTimeout(timer);
    }
    return this.find(job.project, job.id) ?? job;
  }

  /** Best effort, as in BigQuery: a job that has ended stays as it is. */
  cancel(job: JobRecord): void {
    const key = keyOf(job);
    if (this.find(job.project, job.id)?.state === 'DONE') return;
    this.#cancelled.add(key);
    // Between two statements there is nothing to interrupt, so it is asked for until one is.
    const interrupt = (): void => {
      if (this.#working !== key) return;
      this.#database.interrupt();
      setTimeout(interrupt, INTERRUPT_AGAIN_MS);
    };
    interrupt();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#finished.values()]);
  }

  async #run(job: JobRecord, work: Work): Promise<void> {
    const key = keyOf(job);
    try {
      await this.#database.exclusive(async (writer) => {
        const started = this.#update({ ...job, state: 'RUNNING', startedMs: this.#clock.now() });
        const ended = await this.#attempt(writer, started, work);
        this.#update(ended);
      });
    } catch (thrown) {
      this.#log.error('a job could not be stored', { job: job.id, error: String(thrown) });
      this.#update(endedByRestart(job, this.#clock.now()));
    } finally {
      this.#cancelled.delete(key);
    }
  }

  async #attempt(writer: Writer, job: JobRecord, work: Work): Promise<JobRecord> {
    try {
      this.#refuseCancelled(job);
      await writer.begin();
      this.#working = keyOf(job);
      const { statistics, result } = await work(writer);
      this.#working = null;
      this.#refuseCancelled(job);
      if (!writer.isInTransaction) await writer.begin();
      const ended: JobRecord = { ...job, state: 'DONE', endedMs: this.#clock.now(), statistics, result };
      await saveJob(writer, ended);
      await writer.commit();
      return ended;
    } catch (thrown) {
      this.#working = null;
      if (writer.isInTransaction) await writer.rollback();
      const error = this.#cancelled.has(keyOf(job)) ? STOPPED : this.#protoOf(job, thrown);
      const failed: JobRecord = { ...job, state: 'DONE', endedMs: this.#clock.now(), error };
      await writer.begin();
      await saveJob(writer, failed);
      await writer.commit();
      return failed;
    }
  }

  #refuseCancelled(job: JobRecord): void {
    if (this.#cancelled.has(keyOf(job))) throw new BigQueryError('stopped', STOPPED.message);
  }

  #protoOf(job: JobRecord, thrown: unknown): ErrorProto {
    if (thrown instanceof BigQueryError) return protoOf(thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const [first = ''] = message.split('\n');
    if (/^Out of Memory/i.test(first)) return { reason: 'resourcesExceeded', message: first };
    if (/^(Internal|Fatal|INTERNAL|FATAL)/.test(first) || !/^[A-Z][A-Za-z ]+ Error: /.test(first)) {
      this.#log.error('a job failed by a fault of the sandbox', { job: job.id, error: message });
      return { reason: 'jobInternalError', message: first };
    }
    if (job.kind === 'QUERY') return { reason: 'invalidQuery', location: 'query', message: first };
    return { reason: 'invalid', message: `Error while reading data, error message: ${first}` };
  }

  #update(job: JobRecord): JobRecord {
    this.#records.set(keyOf(job), job);
    return job;
  }
}

const STOPPED: ErrorProto = { reason: 'stopped', message: 'Job execution was cancelled: User requested cancellation' };

function keyOf(job: Pick<JobRecord, 'project' | 'id'>): string {
  return `${job.project}/${job.id}`;
}

function jobValues(job: JobRecord): string {
  return `${literal(job.project)}, ${literal(job.id)}, ${job.createdMs}, ${literal(JSON.stringify(job))}`;
}

async function saveJob(sql: Sql, job: JobRecord): Promise<void> {
  await sql.run(
    `UPDATE meta.jobs SET body = ${literal(JSON.stringify(job))} WHERE project = ${literal(job.project)} AND id = ${literal(job.id)}`,
  );
}

function endedByRestart(job: JobRecord, nowMs: number): JobRecord {
  const error: ErrorProto = {
    reason: 'backendError',
    message:
      'The sandbox was stopped before this job had ended; nothing of it was written. Run it again under a new job id.',
  };
  return { ...job, state: 'DONE', endedMs: nowMs, error };
}

async function dropOldResult(sql: Sql, job: JobRecord, nowMs: number): Promise<JobRecord> {
  if (job.result?.kind !== 'rows' || (job.endedMs ?? 0) + RESULTS_KEPT_MS > nowMs) return job;
  await sql.run(`DROP TABLE IF EXISTS results.${identifier(job.result.physical)}`);
  return { ...job, result: null };
}
