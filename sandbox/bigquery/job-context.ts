/** What the work of every job knows of its surroundings. */
import { BigQueryError } from './bigquery-error.ts';
import type { Catalog, TableName } from './catalog.ts';
import type { Quotas } from './quotas.ts';

export interface JobContext {
  readonly location: string;
  readonly nowMs: number;
  readonly quotas: Quotas;
}

/**
 * A job sees only what lies where it runs.
 *
 * @throws BigQueryError `notFound` for a dataset that is not there, or elsewhere
 * @source BigQuery, "Locations": a job runs in the location of the data that it uses
 */
export async function checkLocation(
  catalog: Catalog,
  location: string,
  { project, dataset }: Pick<TableName, 'project' | 'dataset'>,
): Promise<void> {
  const found = await catalog.findDataset(project, dataset);
  if (found?.location.toUpperCase() !== location.toUpperCase())
    throw new BigQueryError(
      'notFound',
      `Not found: Dataset ${project}:${dataset} was not found in location ${location}`,
    );
}
