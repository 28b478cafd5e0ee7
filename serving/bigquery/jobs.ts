/** A job's configuration and derived id -> the finished job: started, adopted or run again, waited for, paid for, cancelled with the task. */
import { PipelineError } from '../../core/errors.ts';
import type { WarehouseUse } from '../../core/ports.ts';
import type { WarehouseJob } from '../../core/types.ts';
import type { BigQueryClient } from './client.ts';
import { BigQueryFaultError, decideFault } from './errors.ts';
import { nextJobId } from './job-ids.ts';
import type { Labels } from './labels.ts';
import type { BigQueryJob } from './resources.ts';
import type { OpenWork, TimeoutHold } from './timeout-hold.ts';

export interface JobRequest {
  readonly jobId: string;
  readonly kind: WarehouseJob['kind'];
  /** `dataset.table` for messages and costs. */
  readonly table: string;
  /** For messages: `load enriched.sales, partition 2025-01-01`. */
  readonly what: string;
  /** `{load: …}`, `{query: …}`, … */
  readonly configuration: object;
  /** May the result of a job that an earlier try finished still be used? Asked of adopted ones alone; default yes. */
  readonly isUsable?: (job: BigQueryJob) => Promise<boolean>;
}

export interface FinishedJob {
  /** The one that did it: the request's, or one with `-r1`, `-r2` behind. */
  readonly jobId: string;
  readonly job: BigQueryJob;
  /** 0 for what is no query. */
  readonly bytesBilled: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

export interface JobOptions {
  readonly client: BigQueryClient;
  readonly use: Pick<WarehouseUse, 'log'>;
  readonly hold: TimeoutHold;
  readonly labels: Labels;
  readonly reservation: string | null;
  readonly pricePerTib: number;
  /** First pause between two looks at a running job. Default 25 ms; it grows to 5 s. */
  readonly firstPollMs?: number;
}

const TIB = 2 ** 40;
/** Small jobs end within a blink; nine looks bring a long one to a look every second and less. */
const FIRST_POLL_MS = 25;
const POLL_GROWTH = 1.6;
const MAX_POLL_MS = 5_000;
/** Runs of one job in one call: transient failures within finished jobs. */
const MAX_RUNS = 6;
/** Spent ids of earlier tries that are passed over. */
const MAX_SPENT_IDS = 100;

export class BigQueryJobs {
  readonly #options: JobOptions;
  readonly #done: WarehouseJob[] = [];

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /** What was run or adopted so far, in the order of their ends. */
  list(): readonly WarehouseJob[] {
    return [...this.#done];
  }

  /** US dollars on demand. */
  costOf(bytes: number): number {
    return (bytes / TIB) * this.#options.pricePerTib;
  }

  link(jobId: string): string {
    const { projectId, location } = this.#options.client;
    const job = `bq:${location}:${jobId}`;
    return `https://console.cloud.google.com/bigquery?project=${projectId}&j=${job}&page=queryresults`;
  }

  /**
   * Does the job once, however often this is called: a job under the same id that an earlier try started is waited for and
   * its result taken. One that an earlier try saw fail is spent: it is run again under the next id.
   *
   * @throws BigQueryFaultError; `task_cancelled` after the job was cancelled in BigQuery
   */
  async run(request: JobRequest): Promise<FinishedJob> {
    const open = this.#options.hold.open('working');
    try {
      return await this.#runOnce(request, open);
    } finally {
      open.close();
    }
  }

  async #runOnce(request: JobRequest, open: OpenWork): Promise<FinishedJob> {
    const { client, use } = this.#options;
    let runs = 0;
    for (let attempt = 0; attempt < MAX_SPENT_IDS; attempt += 1) {
      const jobId = nextJobId(request.jobId, attempt);
      const started = await this.#start(request, jobId, open);
      const wasOver = started.wasAdopted && started.job.status?.state === 'DONE';
      const job = await this.#finish(request, jobId, started.job, open);
      const failure = job.status?.errorResult;
      if (failure === undefined) {
        if (wasOver && request.isUsable && !(await request.isUsable(job))) continue;
        this.#account(request, jobId, job, started.wasAdopted);
        return finished(jobId, job);
      }
      this.#account(request, jobId, job, started.wasAdopted);
      if (wasOver) continue;
      runs += 1;
      const fault = { reason: failure.reason ?? 'invalid', message: failure.message ?? '', httpStatus: null };
      if (decideFault(fault, 'job').kind !== 'new_job' || runs === MAX_RUNS) {
        const about = { what: request.what, location: client.location, link: this.link(jobId) };
        throw new BigQueryFaultError(fault, about, { place: 'job' });
      }
      use.log.warn(`BigQuery: ${request.what}: ${fault.reason}, run again`, { jobId, message: fault.message });
      await client.backOff(runs, request.jobId);
    }
    throw new PipelineError(
      'warehouse_rejected',
      `BigQuery: ${request.what} has failed ${MAX_SPENT_IDS} times. See ${this.link(request.jobId)} and the jobs with -r1, -r2, … behind.`,
      { context: { jobId: request.jobId } },
    );
  }

  async #start(request: JobRequest, jobId: string, open: OpenWork): Promise<{ job: BigQueryJob; wasAdopted: boolean }> {
    const { client, labels, reservation, use } = this.#options;
    client.assertNotCancelled();
    const configuration = {
      ...request.configuration,
      labels,
      ...(reservation === null ? {} : { reservation }),
    };
    try {
      return { job: await client.insertJob(request.what, jobId, configuration), wasAdopted: false };
    } catch (thrown) {
      // The cancel came between two sends: the first may have been taken.
      if (thrown instanceof PipelineError && thrown.code === 'task_cancelled') await this.#cancel(request, jobId, open);
      const isTaken = thrown instanceof BigQueryFaultError && decideFault(thrown.fault, 'request').kind === 'adopt';
      if (!isTaken) throw thrown;
      // Sent more than once: the first may have been taken and its answer lost.
      const isOwn = thrown.sends > 1;
      if (!isOwn) use.log.info(`BigQuery: ${request.what}: an earlier try started it; its result is taken`, { jobId });
      return { job: await client.getJob(request.what, jobId), wasAdopted: !isOwn };
    }
  }

  async #finish(request: JobRequest, jobId: string, started: BigQueryJob, open: OpenWork): Promise<BigQueryJob> {
    const { client, firstPollMs } = this.#options;
    let job = started;
    try {
      for (
        let pauseMs = firstPollMs ?? FIRST_POLL_MS;
        job.status?.state !== 'DONE';
        pauseMs = Math.min(pauseMs * POLL_GROWTH, MAX_POLL_MS)
      ) {
        open.turnsTo(job.status?.state === 'PENDING' ? 'waiting' : 'working');
        await client.pause(pauseMs);
        job = await client.getJob(request.what, jobId);
      }
      open.turnsTo('working');
      return job;
    } catch (thrown) {
      if (thrown instanceof PipelineError && thrown.code === 'task_cancelled') await this.#cancel(request, jobId, open);
      throw thrown;
    }
  }

  async #cancel(request: JobRequest, jobId: string, open: OpenWork): Promise<void> {
    const { client, use } = this.#options;
    // Asks for the time that a cancel may take before the process is ended.
    open.turnsTo('waiting');
    try {
      await client.cancelJob(`cancel: ${request.what}`, jobId);
      use.log.info(`BigQuery: ${request.what}: cancelled`, { jobId });
    } catch (thrown) {
      // The task ends either way; the job then runs to its end, and a retry adopts it.
      use.log.warn(`BigQuery: ${request.what} could not be cancelled`, { jobId, error: String(thrown) });
    }
  }

  #account(request: JobRequest, jobId: string, job: BigQueryJob, wasAdopted: boolean): void {
    const { statistics } = job;
    const isQuery = request.kind === 'query';
    const bytesBilled = isQuery ? numberOf(statistics?.query?.totalBytesBilled) : 0;
    this.#done.push({
      kind: request.kind,
      jobId,
      location: job.jobReference?.location ?? this.#options.client.location,
      table: request.table,
      bytesProcessed: numberOf(
        isQuery
          ? (statistics?.query?.totalBytesProcessed ?? statistics?.totalBytesProcessed)
          : (statistics?.load?.inputFileBytes ?? statistics?.totalBytesProcessed),
      ),
      bytesBilled,
      slotMs: numberOf(statistics?.totalSlotMs ?? statistics?.query?.totalSlotMs),
      costUsd: this.costOf(bytesBilled),
      wasAdopted,
      link: this.link(jobId),
    });
  }
}

function finished(jobId: string, job: BigQueryJob): FinishedJob {
  const endedAtMs = numberOf(job.statistics?.endTime);
  const bytesBilled = numberOf(job.statistics?.query?.totalBytesBilled);
  return { jobId, job, bytesBilled, endedAtMs, startedAtMs: numberOf(job.statistics?.startTime) || endedAtMs };
}

function numberOf(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isFinite(value) ? value : 0;
}
