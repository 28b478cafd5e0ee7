/** One job as it is stored, and as the API answers it. */
import type { ErrorProto } from './bigquery-error.ts';
import { etagOf, type TableName } from './catalog.ts';
import type { JobSettings } from './job-configuration.ts';
import type { Field } from './table-schema.ts';

/** Where the rows of a query are to be read; for a destination table, whatever it holds by then. */
export type JobResult =
  | { readonly kind: 'rows'; readonly physical: string; readonly fields: readonly Field[]; readonly rows: number }
  | { readonly kind: 'table'; readonly table: TableName; readonly rows: number }
  /** DML, DDL: no rows at all. */
  | { readonly kind: 'none'; readonly dmlRows: number | null };

export interface JobRecord {
  readonly project: string;
  readonly id: string;
  readonly location: string;
  readonly kind: JobSettings['kind'];
  /** As the caller wrote it. */
  readonly configuration: object;
  /** Of `jobs.query`: a repeat with it is the same job. */
  readonly requestId: string | null;
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly state: 'PENDING' | 'RUNNING' | 'DONE';
  readonly error: ErrorProto | null;
  /** `{load: {…}}`, `{query: {…}}` and what stands beside them. */
  readonly statistics: object;
  readonly result: JobResult | null;
}

export function jobReference(job: JobRecord): object {
  return { projectId: job.project, jobId: job.id, location: job.location };
}

export function jobResource(job: JobRecord, baseUrl: string): object {
  return {
    kind: 'bigquery#job',
    etag: etagOf(job),
    id: `${job.project}:${job.location}.${job.id}`,
    selfLink: `${baseUrl}/bigquery/v2/projects/${job.project}/jobs/${job.id}?location=${job.location}`,
    user_email: 'sandbox@localhost',
    jobReference: jobReference(job),
    configuration: { ...job.configuration, jobType: job.kind },
    status: {
      state: job.state,
      ...(job.error ? { errorResult: job.error, errors: [job.error] } : {}),
    },
    statistics: {
      creationTime: String(job.createdMs),
      ...(job.startedMs === null ? {} : { startTime: String(job.startedMs) }),
      ...(job.endedMs === null ? {} : { endTime: String(job.endedMs) }),
      ...job.statistics,
    },
  };
}
