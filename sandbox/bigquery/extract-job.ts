/** An extract job -> the rows of a table or partition as Parquet objects in a bucket. */
import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identifiers, literal } from '../../engine/sql-text.ts';
import type { Buckets } from '../ports.ts';
import { Catalog } from './catalog.ts';
import { findSource } from './copy-job.ts';
import type { ExtractSettings } from './job-configuration.ts';
import { checkLocation, type JobContext } from './job-context.ts';
import type { Work } from './jobs.ts';
import { parseUri } from './read-files.ts';

/** Bytes of rows in one object; beyond it the sandbox begins another where the URI has a wildcard. */
const BYTES_PER_FILE = '256MB';

/**
 * A wildcard becomes the number of the file in twelve digits; without one there is one file.
 *
 * @throws BigQueryError `notFound`, `invalid`
 * @source BigQuery, "Exporting table data", wildcard URIs
 */
export function extractJob(settings: ExtractSettings, buckets: Buckets, folder: string, context: JobContext): Work {
  return async (writer) => {
    const { bucket, pattern } = parseUri(settings.uri);
    const catalog = new Catalog(writer, context.nowMs);
    await checkLocation(catalog, context.location, settings.from.table);
    const { table, relation } = await findSource(catalog, settings.from);
    const columns = identifiers(table.fields.map((field) => field.name));
    const path = join(folder, `extract-${randomUUID()}`);
    const isMany = pattern.includes('*');
    const codec = settings.compression === 'NONE' ? 'UNCOMPRESSED' : settings.compression;
    try {
      await writer.run(
        `COPY (SELECT ${columns} FROM ${relation}) TO ${literal(path)} (FORMAT parquet, COMPRESSION ${codec}${isMany ? `, FILE_SIZE_BYTES '${BYTES_PER_FILE}'` : ''})`,
      );
      const files = await writtenFiles(path);
      for (const [index, file] of files.entries())
        await buckets.put(bucket, pattern.replace('*', String(index).padStart(12, '0')), file);
      return { statistics: { extract: { destinationUriFileCounts: [String(files.length)] } }, result: null };
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  };
}

/** DuckDB writes a folder where it may write several files. */
async function writtenFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = await readdir(path);
  return names.sort().map((name) => join(path, name));
}
