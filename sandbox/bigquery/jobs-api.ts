/** Requests for jobs and queries -> jobs taken, followed and read by the rules of BigQuery's REST API. */
import { randomUUID } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { BigQueryError } from './bigquery-error.ts';
import { etagOf } from './catalog.ts';
import { parseConfiguration, queryParameters } from './job-configuration.ts';
import { type JobRecord, jobResource } from './job-record.ts';
import { answerResults } from './query-answers.ts';
import { flag, integer, labels, parseBody } from './request-body.ts';
import { checkJobId } from './resource-names.ts';
import {
  jsonBody,
  notImitated,
  numberQuery,
  pageOf,
  pageStart,
  type Service,
  wantsInt64Timestamps,
} from './service.ts';
import { answerDryRun, type DryRunJob, type NewJob, startJob } from './start-job.ts';

const PATH = '/bigquery/v2/projects/:project';

const jobBody = z.strictObject({
  jobReference: z
    .strictObject({ projectId: z.string().optional(), jobId: z.string().optional(), location: z.string().nullish() })
    .optional(),
  configuration: z.unknown().optional(),
  kind: z.unknown().optional(),
});

const queryBody = z.strictObject({
  query: z.string(),
  useLegacySql: flag.nullish(),
  defaultDataset: z.unknown().optional(),
  parameterMode: z.unknown().optional(),
  queryParameters: queryParameters.nullish(),
  maximumBytesBilled: integer.nullish(),
  useQueryCache: flag.nullish(),
  labels: labels.nullish(),
  dryRun: flag.nullish(),
  location: z.string().nullish(),
  maxResults: integer.nullish(),
  timeoutMs: integer.nullish(),
  requestId: z.string().max(36).nullish(),
  formatOptions: z.strictObject({ useInt64Timestamp: flag.nullish() }).nullish(),
  jobCreationMode: z
    .enum(['JOB_CREATION_REQUIRED', 'JOB_CREATION_OPTIONAL', 'JOB_CREATION_MODE_UNSPECIFIED'])
    .nullish(),
  preserveNulls: flag.nullish(),
  reservation: z.string().nullish(),
  kind: z.unknown().optional(),
});

/** @source BigQuery, jobs.query and jobs.getQueryResults references, `timeoutMs` */
const DEFAULT_TIMEOUT_MS = 10_000;
const MOST_TIMEOUT_MS = 200_000;

export function jobRoutes(app: Hono, service: Service): void {
  const { jobs } = service;

  app.post(`${PATH}/jobs`, async (context) => {
    const project = context.req.param('project');
    const body = parseBody(jobBody, await jsonBody(context), 'job');
    const id = body.jobReference?.jobId ?? newJobId();
    checkJobId(id);
    const configuration = (body.configuration ?? {}) as object;
    const { settings, dryRun: isDryRun } = parseConfiguration(configuration, project);
    const job = { id, location: body.jobReference?.location ?? null, configuration, settings, requestId: null };
    if (isDryRun) return context.json(await answerDryRun(service, project, job));
    return context.json(jobResource(await startJob(service, project, job), service.baseUrl()));
  });

  app.get(`${PATH}/jobs`, (context) => {
    const project = context.req.param('project');
    const states = context.req.queries('stateFilter')?.map((state) => state.toUpperCase());
    const since = numberQuery(context, 'minCreationTime') ?? 0;
    const until = numberQuery(context, 'maxCreationTime') ?? Number.MAX_SAFE_INTEGER;
    const found = jobs
      .list(project)
      .filter((job) => states === undefined || states.includes(job.state))
      .filter((job) => job.createdMs >= since && job.createdMs <= until);
    const { items, ...next } = pageOf(context, `jobs ${project}`, found);
    const listed = items.map((job) => ({
      ...jobResource(job, service.baseUrl()),
      state: job.state,
      ...(job.error ? { errorResult: job.error } : {}),
    }));
    return context.json({ kind: 'bigquery#jobList', etag: etagOf(listed), jobs: listed, ...next });
  });

  app.get(`${PATH}/jobs/:job`, (context) => context.json(jobResource(findJob(service, context), service.baseUrl())));

  app.post(`${PATH}/jobs/:job/cancel`, async (context) => {
    const job = findJob(service, context);
    jobs.cancel(job);
    const now = jobs.find(job.project, job.id) ?? job;
    return context.json({ kind: 'bigquery#jobCancelResponse', job: jobResource(now, service.baseUrl()) });
  });

  app.delete(`${PATH}/jobs/:job/delete`, () => notImitated('jobs.delete'));

  app.post(`${PATH}/queries`, async (context) => {
    const project = context.req.param('project');
    const body = parseBody(queryBody, await jsonBody(context), 'query');
    const job = queryJobOf(project, body);
    if (body.dryRun) return context.json(dryRunAnswer(await answerDryRun(service, project, job)));
    const known = job.requestId === null ? null : jobs.byRequestId(project, job.requestId);
    const started = known ?? (await startJob(service, project, job));
    const ended = await jobs.wait(started, timeoutOf(body.timeoutMs ?? null));
    const page = {
      start: 0,
      maxRows: body.maxResults ?? null,
      int64Timestamps: body.formatOptions?.useInt64Timestamp ?? false,
    };
    return context.json({ kind: 'bigquery#queryResponse', ...(await answerResults(service, ended, page)) });
  });

  app.get(`${PATH}/queries/:job`, async (context) => {
    const found = findJob(service, context);
    if (found.kind !== 'QUERY') throw new BigQueryError('invalid', `Job ${found.id} is no query job.`);
    const start = pageStart(context, `results ${found.id}`);
    const ended = await jobs.wait(found, timeoutOf(numberQuery(context, 'timeoutMs')));
    const page = { start, maxRows: numberQuery(context, 'maxResults'), int64Timestamps: wantsInt64Timestamps(context) };
    return context.json({ kind: 'bigquery#getQueryResultsResponse', ...(await answerResults(service, ended, page)) });
  });
}

function timeoutOf(wanted: number | null): number {
  return Math.min(wanted ?? DEFAULT_TIMEOUT_MS, MOST_TIMEOUT_MS);
}

function newJobId(): string {
  return `job_${randomUUID().replaceAll('-', '')}`;
}

/**
 * A job is found at its own location alone; one outside of US is not found without it.
 *
 * @source BigQuery, jobs.get reference, `location`
 */
function findJob(service: Service, context: Context): JobRecord {
  const { project = '', job: id = '' } = context.req.param() as { readonly [name: string]: string };
  const location = context.req.query('location') || 'US';
  const job = service.jobs.find(project, id);
  if (!job || job.location.toUpperCase() !== location.toUpperCase())
    throw new BigQueryError('notFound', `Not found: Job ${project}:${location}.${id}`);
  return job;
}

function queryJobOf(project: string, body: z.infer<typeof queryBody>): NewJob {
  const { query, useLegacySql, defaultDataset, parameterMode, maximumBytesBilled, useQueryCache } = body;
  const settings = {
    query,
    useLegacySql,
    defaultDataset,
    parameterMode,
    queryParameters: body.queryParameters,
    maximumBytesBilled,
    useQueryCache,
  };
  const given = Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== undefined && value !== null),
  );
  const configuration = { query: given, ...(body.labels ? { labels: body.labels } : {}) };
  return {
    id: newJobId(),
    location: body.location ?? null,
    configuration,
    settings: parseConfiguration(configuration, project).settings,
    requestId: body.requestId ?? null,
  };
}

function dryRunAnswer(job: DryRunJob): object {
  const { totalBytesProcessed, query } = job.statistics;
  const { schema } = (query ?? {}) as { readonly schema?: object };
  return {
    kind: 'bigquery#queryResponse',
    jobReference: job.jobReference,
    jobComplete: true,
    totalBytesProcessed,
    cacheHit: false,
    ...(schema ? { schema } : {}),
  };
}
