/** A SELECT of a user's -> its rows, run in a process of its own that is killed when it takes too long. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { QueryAnswer } from '../api/ports.ts';
import type { Settings } from '../config/settings.ts';
import { ERROR_CODES, type ErrorCode, PipelineError } from '../core/errors.ts';
import type { Spec } from '../core/spec.ts';

export interface QueryJob {
  readonly settings: Settings;
  readonly pipeline: string;
  readonly sql: string;
  readonly maxRows: number;
  readonly maxSeconds: number;
}

export type QueryReply =
  | { readonly ok: true; readonly answer: QueryAnswer }
  | { readonly ok: false; readonly code: string; readonly message: string };

const MAX_SECONDS = 60;
const KILL_AFTER_MS = (MAX_SECONDS + 5) * 1_000;

/** @throws PipelineError `sql_invalid`, `sql_not_portable`, `task_timeout`, `task_cancelled` */
export async function runQuery(
  settings: Settings,
  spec: Pick<Spec, 'pipeline'>,
  sql: string,
  limits: { readonly maxRows: number; readonly signal: AbortSignal },
): Promise<QueryAnswer> {
  const child = fork(fileURLToPath(new URL('./query-child.js', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(kill, KILL_AFTER_MS);
  limits.signal.addEventListener('abort', kill);
  try {
    return await new Promise<QueryAnswer>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(diedError(limits.signal)));
      child.once('message', (message) => {
        const reply = message as QueryReply;
        if (reply.ok) resolve(reply.answer);
        else
          reject(new PipelineError(reply.code in ERROR_CODES ? (reply.code as ErrorCode) : 'internal', reply.message));
      });
      const job: QueryJob = {
        settings,
        pipeline: spec.pipeline,
        sql,
        maxRows: limits.maxRows,
        maxSeconds: MAX_SECONDS,
      };
      child.send(job);
    });
  } finally {
    clearTimeout(timer);
    limits.signal.removeEventListener('abort', kill);
    kill();
  }
}

function diedError(signal: AbortSignal): PipelineError {
  return signal.aborted
    ? new PipelineError('task_cancelled', 'The query was cancelled.')
    : new PipelineError(
        'task_timeout',
        `The query did not end within ${MAX_SECONDS} s. Ask for fewer days or columns.`,
      );
}
