/** A finished query job -> one page of its rows as BigQuery answers it, or its error. */
import { identifier } from '../../engine/sql-text.ts';
import { BigQueryError, type ErrorProto, isReason } from './bigquery-error.ts';
import { Catalog, etagOf } from './catalog.ts';
import { type JobRecord, type JobResult, jobReference } from './job-record.ts';
import type { Service } from './service.ts';
import { type Field, fieldResource } from './table-schema.ts';
import { type Page, pageToken, readPage } from './wire-rows.ts';

/** @throws BigQueryError with the reason of a job that failed */
export async function answerResults(service: Service, job: JobRecord, page: Page): Promise<object> {
  const reference = jobReference(job);
  if (job.state !== 'DONE') return { jobReference: reference, jobComplete: false };
  if (job.error) throw errorOf(job.error);
  const { totalBytesProcessed = '0' } = job.statistics as { readonly totalBytesProcessed?: string };
  const done = { jobReference: reference, jobComplete: true, totalBytesProcessed, cacheHit: false };
  const { result } = job;
  if (result === null)
    throw new BigQueryError('notFound', `Not found: the results of job ${job.id} are older than a day and gone.`);
  if (result.kind === 'none')
    return result.dmlRows === null
      ? { ...done, totalRows: '0' }
      : { ...done, numDmlAffectedRows: String(result.dmlRows) };
  const read = await readResult(service, result, page);
  return {
    ...done,
    etag: etagOf([job.id, page]),
    schema: { fields: read.fields.map(fieldResource) },
    totalRows: String(read.total),
    // As all of BigQuery's lists: left out where it is empty, by which clients tell an answer without rows.
    ...(read.rows.length === 0 ? {} : { rows: read.rows }),
    ...(read.next === null ? {} : { pageToken: pageToken(`results ${job.id}`, read.next) }),
  };
}

async function readResult(service: Service, result: Exclude<JobResult, { kind: 'none' }>, page: Page) {
  return service.database.read(async (sql) => {
    let relation: string;
    let fields: readonly Field[];
    if (result.kind === 'rows') {
      relation = `results.${identifier(result.physical)}`;
      ({ fields } = result);
    } else {
      const catalog = new Catalog(sql, service.clock.now());
      const table = await catalog.table(result.table);
      relation = catalog.relation(table);
      ({ fields } = table);
    }
    const { total } = await sql.one(`SELECT count(*) AS total FROM ${relation}`);
    const empty = { rows: [], next: null };
    const read = page.maxRows === 0 ? empty : await readPage(sql, relation, fields, page);
    return { ...read, fields, total: Number(total) };
  });
}

function errorOf({ reason, message, location }: ErrorProto): BigQueryError {
  return new BigQueryError(isReason(reason) ? reason : 'invalid', message, location);
}
