/** The body of a request for a table -> a checked table; what a patch makes of one. */
import { z } from 'zod';
import { BigQueryError } from './bigquery-error.ts';
import { type Table, tableText } from './catalog.ts';
import { samePartitioning, type TimePartitioning } from './partitions.ts';
import {
  clustering,
  flag,
  integer,
  mergeLabels,
  parseBody,
  partitioningOf,
  tableSchema,
  timePartitioning,
} from './request-body.ts';
import { notImitated } from './service.ts';
import { type Field, parseFields, patchedSchema } from './table-schema.ts';

const tableBody = z.strictObject({
  tableReference: z
    .object({ projectId: z.string().optional(), datasetId: z.string().optional(), tableId: z.string() })
    .optional(),
  schema: tableSchema.nullish(),
  description: z.string().max(16_384).nullish(),
  friendlyName: z.string().nullish(),
  labels: z.record(z.string(), z.string().nullable()).nullish(),
  timePartitioning: timePartitioning.nullish(),
  clustering: clustering.nullish(),
  requirePartitionFilter: flag.nullish(),
  expirationTime: integer.nullish(),
  view: z.unknown().optional(),
  materializedView: z.unknown().optional(),
  // What the service itself writes into a table is passed over.
  kind: z.unknown().optional(),
  etag: z.unknown().optional(),
  id: z.unknown().optional(),
  selfLink: z.unknown().optional(),
  numRows: z.unknown().optional(),
  numBytes: z.unknown().optional(),
  creationTime: z.unknown().optional(),
  lastModifiedTime: z.unknown().optional(),
  type: z.unknown().optional(),
  location: z.unknown().optional(),
  numLongTermBytes: z.unknown().optional(),
  numTotalLogicalBytes: z.unknown().optional(),
});

export type TableBody = z.infer<typeof tableBody>;

/** @throws BigQueryError `notImplemented` for views */
export function parseTable(body: unknown): TableBody {
  const parsed = parseBody(tableBody, body, 'table');
  if (parsed.view) notImitated('views (tables.insert with view)');
  if (parsed.materializedView) notImitated('materialized views (tables.insert with materializedView)');
  return parsed;
}

/** @source BigQuery, "Creating and using clustered tables": top-level columns, no FLOAT64, arrays or structs */
export function checkClustering(names: readonly string[], fields: readonly Field[]): readonly string[] {
  for (const name of names) {
    const field = fields.find((each) => each.name.toLowerCase() === name.toLowerCase());
    if (!field)
      throw new BigQueryError('invalid', `The field specified for clustering cannot be found in the schema: ${name}`);
    if (['FLOAT', 'RECORD', 'JSON', 'TIME'].includes(field.type) || field.mode === 'REPEATED')
      throw new BigQueryError(
        'invalid',
        `Entity has clustering on field ${name} of type ${field.type}, which is not supported`,
      );
  }
  return names;
}

/** @throws BigQueryError `invalid` naming what may not change */
export function patchTable(table: Table, body: TableBody): Table {
  const fields = body.schema
    ? patchedSchema(tableText(table), table.fields, parseFields(body.schema.fields))
    : table.fields;
  return {
    ...table,
    fields,
    partitioning: patchPartitioning(table, body),
    clustering:
      body.clustering === undefined ? table.clustering : checkClustering(body.clustering?.fields ?? [], fields),
    requirePartitionFilter:
      body.requirePartitionFilter ?? body.timePartitioning?.requirePartitionFilter ?? table.requirePartitionFilter,
    description: body.description === undefined ? table.description : body.description,
    friendlyName: body.friendlyName === undefined ? table.friendlyName : body.friendlyName,
    labels: body.labels === undefined ? table.labels : mergeLabels(table.labels, body.labels ?? {}),
    expirationMs: body.expirationTime === undefined ? table.expirationMs : body.expirationTime,
  };
}

/** Only the expiration may change. */
function patchPartitioning(table: Table, body: TableBody): TimePartitioning | null {
  if (body.timePartitioning === undefined) return table.partitioning;
  const wanted = body.timePartitioning;
  const changed =
    wanted === null ? null : partitioningOf({ ...wanted, field: wanted.field ?? table.partitioning?.field });
  if (!samePartitioning(changed, table.partitioning))
    throw new BigQueryError('invalid', `Cannot change partitioning spec for table ${tableText(table)}.`);
  return changed;
}
