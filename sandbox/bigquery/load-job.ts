/** A load job -> the rows of its Parquet files in the destination, all or none. */
import type { Buckets } from '../ports.ts';
import { Catalog } from './catalog.ts';
import type { LoadSettings } from './job-configuration.ts';
import { checkLocation, type JobContext } from './job-context.ts';
import type { Work } from './jobs.ts';
import { placeRows, spendModification } from './place-rows.ts';
import { filesQuery, findFiles, inferFields, readFooters } from './read-files.ts';
import type { Field } from './table-schema.ts';

/**
 * @throws BigQueryError `notFound` for a missing URI, dataset or table, `invalid` for files that do not fit, `duplicate`
 * @source BigQuery, "Loading Parquet data from Cloud Storage"
 */
export function loadJob(settings: LoadSettings, buckets: Buckets, context: JobContext): Work {
  return async (writer) => {
    const { nowMs } = context;
    const catalog = new Catalog(writer, nowMs);
    await checkLocation(catalog, context.location, settings.to.table);
    const files = await readFooters(writer, await findFiles(buckets, settings.uris), {
      enableListInference: settings.enableListInference,
      enumAsString: settings.enumAsString,
    });
    const placed = await placeRows(
      writer,
      catalog,
      settings.to,
      {
        fields: settings.fields ?? inferFields(files),
        missing: settings.fields ? 'refuse' : 'allow',
        select: (fields: readonly Field[]) => filesQuery(files, fields, settings.ignoreUnknown),
      },
      nowMs,
    );
    await spendModification(writer, context, placed);
    const inputBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    return {
      statistics: {
        load: {
          inputFiles: String(files.length),
          inputFileBytes: String(inputBytes),
          outputRows: String(placed.rows),
          outputBytes: String(placed.bytes),
          badRecords: '0',
        },
      },
      result: null,
    };
  };
}
