/** A parsed request for a job -> the job taken, where it runs and what it does; or, of a query, only what it would cost. */
import { randomUUID } from 'node:crypto';
import { BigQueryError, isReason } from './bigquery-error.ts';
import { Catalog, type TableName } from './catalog.ts';
import { copyJob } from './copy-job.ts';
import { extractJob } from './extract-job.ts';
import type { JobSettings } from './job-configuration.ts';
import type { JobContext } from './job-context.ts';
import type { JobRecord } from './job-record.ts';
import type { Work } from './jobs.ts';
import { loadJob } from './load-job.ts';
import { dryRun, type QueryJobOptions, queryJob } from './query-job.ts';
import type { Service } from './service.ts';
import { tablesInText } from './tables-in-text.ts';

export interface NewJob {
  readonly id: string;
  readonly location: string | null;
  readonly configuration: object;
  readonly settings: JobSettings;
  readonly requestId: string | null;
}

export interface DryRunJob {
  readonly kind: string;
  readonly jobReference: object;
  readonly configuration: object;
  readonly status: object;
  readonly statistics: { readonly [name: string]: unknown };
}

export async function startJob(service: Service, project: string, job: NewJob): Promise<JobRecord> {
  const nowMs = service.clock.now();
  const location = await locationOf(service, project, job);
  if (service.jobs.find(project, job.id))
    throw new BigQueryError('duplicate', `Already Exists: Job ${project}:${location}.${job.id}`);
  if (job.settings.kind === 'LOAD') await service.quotas.spendLoad(service.database, job.settings.to.table, nowMs);
  const record: JobRecord = {
    project,
    id: job.id,
    location,
    kind: job.settings.kind,
    configuration: job.configuration,
    requestId: job.requestId,
    createdMs: nowMs,
    startedMs: null,
    endedMs: null,
    state: 'PENDING',
    error: null,
    statistics: {},
    result: null,
  };
  return service.jobs.insert(record, workOf(service, record, job.settings));
}

function workOf(service: Service, job: JobRecord, settings: JobSettings): Work {
  return async (writer) => {
    const outcome = await plainWork(service, job, settings)(writer);
    const fault = service.faults.next('bigquery', `job.${settings.kind.toLowerCase()}`);
    // What was not committed before is undone with the job.
    if (fault?.kind === 'reason')
      throw new BigQueryError(
        isReason(fault.reason) ? fault.reason : 'jobBackendError',
        `The sandbox was told to end this job with ${fault.reason}.`,
      );
    return outcome;
  };
}

function plainWork(service: Service, job: JobRecord, settings: JobSettings): Work {
  const { location } = job;
  const options = contextOf(service, location);
  switch (settings.kind) {
    case 'LOAD':
      return loadJob(settings, service.buckets, options);
    case 'COPY':
      return copyJob(settings, options);
    case 'EXTRACT':
      return extractJob(settings, service.buckets, service.folder, options);
    case 'QUERY':
      return queryJob(settings, optionsOf(service, job.project, location));
  }
}

function contextOf(service: Service, location: string): JobContext {
  return { location, nowMs: service.clock.now(), quotas: service.quotas };
}

function optionsOf(service: Service, project: string, location: string): QueryJobOptions {
  const resultName = `r_${randomUUID().replaceAll('-', '')}`;
  return { project, job: contextOf(service, location), resultName };
}

/** As the caller says; else that of the first dataset that the job names; else US. */
async function locationOf(service: Service, project: string, job: NewJob): Promise<string> {
  const { settings } = job;
  if (job.location) return /^(us|eu)$/i.test(job.location) ? job.location.toUpperCase() : job.location;
  const named = datasetsOf(settings, project);
  return service.database.read(async (sql) => {
    const catalog = new Catalog(sql, service.clock.now());
    for (const { project: owner, dataset } of named) {
      const found = await catalog.findDataset(owner, dataset);
      if (found) return found.location;
    }
    return 'US';
  });
}

function datasetsOf(settings: JobSettings, project: string): readonly Pick<TableName, 'project' | 'dataset'>[] {
  switch (settings.kind) {
    case 'LOAD':
      return [settings.to.table];
    case 'COPY':
      return [settings.to.table, ...settings.from.map((part) => part.table)];
    case 'EXTRACT':
      return [settings.from.table];
    case 'QUERY':
      return [
        ...(settings.to ? [settings.to.table] : []),
        ...(settings.defaultDataset ? [settings.defaultDataset] : []),
        ...tablesInText(settings.text, project),
      ];
  }
}

/** A resource without a job behind it. @throws BigQueryError for a query that could not run */
export async function answerDryRun(service: Service, project: string, job: NewJob): Promise<DryRunJob> {
  const { settings } = job;
  if (settings.kind !== 'QUERY') throw new BigQueryError('invalid', 'Dry run is for query jobs.');
  const location = await locationOf(service, project, job);
  const { statistics } = await service.database.dry((writer) =>
    dryRun(writer, settings, optionsOf(service, project, location)),
  );
  return {
    kind: 'bigquery#job',
    jobReference: { projectId: project, location },
    configuration: { ...job.configuration, jobType: 'QUERY' },
    status: { state: 'DONE' },
    statistics: { creationTime: String(service.clock.now()), ...statistics },
  };
}
