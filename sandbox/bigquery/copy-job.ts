/** A copy job -> the rows of all its sources in the destination, all or none. */
import { identifiers } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { Catalog, type Table, tableText } from './catalog.ts';
import type { CopySettings, TablePart } from './job-configuration.ts';
import { checkLocation, type JobContext } from './job-context.ts';
import type { Work } from './jobs.ts';
import { partitionCondition, partitioningText, samePartitioning } from './partitions.ts';
import { placeRows, spendModification } from './place-rows.ts';
import { isSameType } from './table-schema.ts';

/**
 * Costs nothing: a copy job reads no billed bytes.
 *
 * @throws BigQueryError `notFound`, `invalid` where sources or destination do not match, `duplicate`
 * @source BigQuery, "Managing tables", copy tables; "Managing partitioned table data", copy a partition
 */
export function copyJob(settings: CopySettings, context: JobContext): Work {
  return async (writer) => {
    const { nowMs, location } = context;
    const catalog = new Catalog(writer, nowMs);
    const sources: { readonly table: Table; readonly relation: string }[] = [];
    for (const part of settings.from) await checkLocation(catalog, location, part.table);
    for (const part of settings.from) sources.push(await findSource(catalog, part));
    const [first] = sources;
    if (!first) throw new Error('a copy job without a source');
    for (const { table } of sources) checkAlike(first.table, table);
    await checkLocation(catalog, location, settings.to.table);
    const target = await catalog.findTable(settings.to.table);
    if (target && !samePartitioning(target.partitioning, first.table.partitioning))
      throw new BigQueryError(
        'invalid',
        `Incompatible table partitioning specification. Expects partitioning specification ${partitioningText(target.partitioning)}, ` +
          `but input partitioning specification is ${partitioningText(first.table.partitioning)}`,
      );
    if (target && clusteringText(target) !== clusteringText(first.table))
      throw new BigQueryError(
        'invalid',
        `Incompatible table partitioning specification. Expects ${clusteringText(target)}, but input is ${clusteringText(first.table)}`,
      );
    const { partitioning, clustering } = first.table;
    const placed = await placeRows(
      writer,
      catalog,
      { ...settings.to, partitioning: partitioning ?? undefined, clustering },
      {
        fields: first.table.fields,
        missing: 'refuse',
        select: (fields) => {
          const columns = identifiers(fields.map((field) => field.name));
          return sources.map(({ relation }) => `SELECT ${columns} FROM ${relation}`).join(' UNION ALL ');
        },
      },
      nowMs,
    );
    await spendModification(writer, context, placed);
    return {
      statistics: { copy: { copiedRows: String(placed.rows), copiedLogicalBytes: String(placed.bytes) } },
      result: null,
    };
  };
}

/** @source https://github.com/apache/beam/issues/34571: a copy into a clustered table from one that is not ends in an error */
const clusteringText = ({ clustering }: Table): string =>
  clustering.length === 0 ? 'no clustering' : `clustering(${clustering.join(',')})`;

export async function findSource(
  catalog: Catalog,
  part: TablePart,
): Promise<{ readonly table: Table; readonly relation: string }> {
  const table = await catalog.table(part.table);
  if (part.decorator === null) return { table, relation: catalog.relation(table) };
  const condition = partitionCondition(tableText(table), table.partitioning, table.fields, part.decorator);
  return { table, relation: catalog.relation(table, condition) };
}

function checkAlike(one: Table, other: Table): void {
  const isAlike =
    one.fields.length === other.fields.length &&
    one.fields.every((field) =>
      other.fields.some((each) => each.name.toLowerCase() === field.name.toLowerCase() && isSameType(field, each)),
    );
  if (!isAlike || !samePartitioning(one.partitioning, other.partitioning))
    throw new BigQueryError(
      'invalid',
      `Sources of one copy job must have one schema and partitioning: ${tableText(one)}, ${tableText(other)}.`,
    );
}
