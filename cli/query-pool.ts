/** Query jobs -> answers in files, by child processes that are kept warm and are killed with a query that will not end. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Settings } from '../config/settings.ts';
import { ERROR_CODES, type ErrorCode, PipelineError } from '../core/errors.ts';
import type { QueryAnswer, QueryRequest } from '../serving/query/query-gold.ts';

/** What a child needs to know of one query; everything in it is plain JSON. */
export interface QueryJob
  extends Omit<QueryRequest, 'publications' | 'lake' | 'duckdb' | 'signal' | 'memory' | 'knownTags'> {
  readonly settings: Settings;
  readonly pipeline: string;
  readonly knownTags: readonly string[];
  /** May be spilled to; removed by the parent. */
  readonly tempDir: string;
}

export type ChildReply =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly answer: QueryAnswer }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

export interface QueryPoolOptions {
  /** Queries at once; further ones are turned away. */
  readonly slots: number;
  /** Children that wait for a query. */
  readonly keepWarm: number;
}

interface Worker {
  readonly child: ChildProcess;
  isBusy: boolean;
  /** Queries that it has answered. */
  served: number;
}

/** A child answers so many queries: what an engine never gives back ends with its process. */
const MAX_SERVED = 500;
const RETRY_AFTER_MS = 1_000;
/** Between the deadline inside the child and the end of the child. */
const KILL_GRACE_MS = 5_000;
/** For children beyond those that are kept warm. */
const IDLE_MS = 30_000;

export class QueryPool implements AsyncDisposable {
  readonly #options: QueryPoolOptions;
  readonly #workers = new Set<Worker>();
  #isClosed = false;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
  }

  /** Starts what a first query would wait for. */
  warm(): void {
    while (
      !this.#isClosed &&
      this.#idle().length < this.#options.keepWarm &&
      this.#living().length < this.#options.slots
    )
      this.#fork();
  }

  /**
   * @throws PipelineError what the query throws; `warehouse_quota` where all children are busy; `task_cancelled` by the
   *   signal, and where the pool is closed; `task_timeout`, `task_died` where the child does not end by itself, or ends too early
   */
  async run(job: QueryJob, signal: AbortSignal): Promise<QueryAnswer> {
    if (signal.aborted || this.#isClosed) throw cancelled();
    const worker = this.#take();
    try {
      return await ask(worker.child, job, signal, () => signal.aborted || this.#isClosed);
    } finally {
      this.#giveBack(worker);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(
      [...this.#workers].map(
        ({ child }) =>
          new Promise<void>((resolve) => {
            child.once('exit', () => resolve());
            child.kill('SIGKILL');
          }),
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One that was killed is still there until it has ended, but takes nothing more. */
  #living(): readonly Worker[] {
    return [...this.#workers].filter(({ child }) => !child.killed);
  }

  #idle(): readonly Worker[] {
    return this.#living().filter((worker) => !worker.isBusy);
  }

  #take(): Worker {
    const [idle] = this.#idle();
    if (!idle && this.#living().length >= this.#options.slots) {
      throw new PipelineError(
        'warehouse_quota',
        `${this.#options.slots} queries run already, and no more may at once. Ask again in a moment.`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    const worker = idle ?? this.#fork();
    worker.isBusy = true;
    return worker;
  }

  #giveBack(worker: Worker): void {
    worker.isBusy = false;
    worker.served += 1;
    if (worker.served >= MAX_SERVED) worker.child.kill('SIGKILL');
    setTimeout(() => {
      if (!worker.isBusy && this.#idle().length > this.#options.keepWarm) worker.child.kill('SIGKILL');
    }, IDLE_MS).unref();
  }

  #fork(): Worker {
    const child = fork(fileURLToPath(new URL('./query-child.js', import.meta.url)), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const worker: Worker = { child, isBusy: false, served: 0 };
    this.#workers.add(worker);
    const forget = (): void => {
      if (this.#workers.delete(worker) && worker.served > 0) this.warm();
    };
    child.once('exit', forget);
    child.once('error', forget);
    return worker;
  }
}

/** @param isCancelled is the end of the child what was wanted? */
async function ask(
  child: ChildProcess,
  job: QueryJob,
  signal: AbortSignal,
  isCancelled: () => boolean,
): Promise<QueryAnswer> {
  const kill = (): void => void child.kill('SIGKILL');
  let isTooLate = false;
  const timer = setTimeout(
    () => {
      isTooLate = true;
      kill();
    },
    job.maxSeconds * 1_000 + KILL_GRACE_MS,
  );
  signal.addEventListener('abort', kill);
  const listeners = new AbortController();
  try {
    return await new Promise<QueryAnswer>((resolve, reject) => {
      const onMessage = (message: unknown): void => {
        const reply = message as ChildReply;
        if (reply.type === 'answer') resolve(reply.answer);
        if (reply.type === 'failed')
          reject(new PipelineError(reply.code in ERROR_CODES ? (reply.code as ErrorCode) : 'internal', reply.message));
      };
      const onExit = (): void => reject(isCancelled() ? cancelled() : isTooLate ? timedOut(job) : died());
      child.on('message', onMessage);
      child.once('exit', onExit);
      child.once('error', reject);
      listeners.signal.addEventListener('abort', () => {
        child.off('message', onMessage);
        child.off('exit', onExit);
        child.off('error', reject);
      });
      child.send(job, (error) => error && reject(died()));
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    listeners.abort();
  }
}

const cancelled = (): PipelineError => new PipelineError('task_cancelled', 'The query was cancelled.');

const timedOut = ({ maxSeconds }: QueryJob): PipelineError =>
  new PipelineError(
    'task_timeout',
    `The query did not end within ${maxSeconds} s (query.max_seconds). Ask for fewer days or columns.`,
  );

const died = (): PipelineError =>
  new PipelineError(
    'task_died',
    'The process of the query ended before it had answered; maybe the machine ran out of memory. Ask again, or for less.',
  );
