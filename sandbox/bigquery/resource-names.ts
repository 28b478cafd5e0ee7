/** Ids of datasets, tables and jobs -> checked, with BigQuery's words where they cannot be. */
import { BigQueryError } from './bigquery-error.ts';

/** @source BigQuery, "Creating datasets", name datasets: letters, digits and underscores, up to 1,024 */
export function checkDatasetId(id: string): void {
  if (!/^[A-Za-z0-9_]{1,1024}$/.test(id))
    throw new BigQueryError(
      'invalid',
      `Invalid dataset ID "${id}". Dataset IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long.`,
    );
}

/** @source BigQuery, "Creating and using tables", table naming */
export function checkTableId(id: string): void {
  if (!/^[\p{L}\p{M}\p{N}\p{Pc}\p{Pd} ]{1,1024}$/u.test(id))
    throw new BigQueryError(
      'invalid',
      `Invalid table ID "${id}". Table IDs must be alphanumeric (plus underscores) and must be at most 1024 characters long.`,
    );
}

/** @source BigQuery, jobs reference, `jobReference.jobId`: letters, digits, underscores, dashes, up to 1,024 */
export function checkJobId(id: string): void {
  if (!/^[A-Za-z0-9_-]{1,1024}$/.test(id))
    throw new BigQueryError(
      'invalid',
      `Invalid job ID "${id}". Job IDs must be alphanumeric (plus underscores and dashes) and at most 1024 characters long.`,
    );
}
