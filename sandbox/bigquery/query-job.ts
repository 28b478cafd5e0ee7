/** A query job -> its script run, its rows kept for whoever asks. */

import type { Writer } from './database.ts';
import type { QuerySettings } from './job-configuration.ts';
import type { JobContext } from './job-context.ts';
import type { Outcome, Work } from './jobs.ts';
import { ScriptRun } from './run-script.ts';

export interface QueryJobOptions {
  readonly project: string;
  readonly job: JobContext;
  /** Name of the DuckDB table in schema `results` for the rows of the last SELECT. */
  readonly resultName: string;
}

/** @throws BigQueryError `invalidQuery` with line and column, `notFound`, `bytesBilledLimitExceeded`, and what a destination refuses */
export function queryJob(settings: QuerySettings, options: QueryJobOptions): Work {
  return async (writer) => new ScriptRun(writer, { settings, ...options }).run();
}

/** In a transaction that the caller rolls back. */
export async function dryRun(writer: Writer, settings: QuerySettings, options: QueryJobOptions): Promise<Outcome> {
  return new ScriptRun(writer, { settings, ...options }).dryRun();
}
