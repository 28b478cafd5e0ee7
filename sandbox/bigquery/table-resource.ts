/** A table of the catalog -> as the API answers it, with its size. */
import { type Catalog, etagOf, type Table, tableText } from './catalog.ts';
import type { Sql } from './database.ts';
import type { Service } from './service.ts';
import { storedBytes } from './stored-bytes.ts';
import { fieldResource } from './table-schema.ts';

/** With the size of `relation`: the whole table, or one partition of it. */
export async function resourceOf(
  service: Service,
  sql: Sql,
  catalog: Catalog,
  table: Table,
  relation: string = catalog.relation(table),
): Promise<object> {
  const { rows, bytes } = await sql.one(
    `SELECT count(*) AS rows, ${storedBytes(table.fields)} AS bytes FROM ${relation}`,
  );
  const { location } = await catalog.dataset(table.project, table.dataset);
  const { project, dataset, table: id } = table;
  return {
    kind: 'bigquery#table',
    etag: etagOf(table),
    selfLink: `${service.baseUrl()}/bigquery/v2/projects/${project}/datasets/${dataset}/tables/${id}`,
    ...listedParts(table),
    ...(table.description === null ? {} : { description: table.description }),
    schema: { fields: table.fields.map(fieldResource) },
    numRows: String(rows),
    numBytes: String(bytes),
    numLongTermBytes: '0',
    lastModifiedTime: String(table.modifiedMs),
    location,
  };
}

/** What a list tells of a table, and a get too. */
export function listedParts(table: Table): object {
  const { partitioning, expirationMs } = table;
  return {
    id: tableText(table),
    tableReference: { projectId: table.project, datasetId: table.dataset, tableId: table.table },
    ...(table.friendlyName === null ? {} : { friendlyName: table.friendlyName }),
    type: 'TABLE',
    labels: table.labels,
    ...(partitioning === null
      ? {}
      : {
          timePartitioning: {
            type: partitioning.type,
            field: partitioning.field,
            ...(partitioning.expirationMs === undefined ? {} : { expirationMs: String(partitioning.expirationMs) }),
          },
        }),
    ...(table.clustering.length === 0 ? {} : { clustering: { fields: table.clustering } }),
    ...(table.requirePartitionFilter ? { requirePartitionFilter: true } : {}),
    creationTime: String(table.createdMs),
    ...(expirationMs === null ? {} : { expirationTime: String(expirationMs) }),
  };
}
