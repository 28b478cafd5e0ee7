/** Requests for tables and their rows -> rows of the catalog, and the answers of BigQuery's REST API. */
import type { Context, Hono } from 'hono';
import { BigQueryError } from './bigquery-error.ts';
import { Catalog, etagOf, physicalName, type Table, tableText } from './catalog.ts';
import { findSource } from './copy-job.ts';
import type { Sql } from './database.ts';
import { partOf, type TablePart } from './job-configuration.ts';
import { checkPartitioning, partitionCondition } from './partitions.ts';
import { addColumn } from './place-rows.ts';
import { mergeLabels, partitioningOf } from './request-body.ts';
import {
  checkIfMatch,
  jsonBody,
  notImitated,
  numberQuery,
  pageOf,
  pageStart,
  type Service,
  wantsInt64Timestamps,
} from './service.ts';
import { checkClustering, parseTable, patchTable } from './table-body.ts';
import { listedParts, resourceOf } from './table-resource.ts';
import { type Field, parseFields } from './table-schema.ts';
import { pageToken, readPage } from './wire-rows.ts';

const PATH = '/bigquery/v2/projects/:project/datasets/:dataset/tables';

export function tableRoutes(app: Hono, service: Service): void {
  const { database, clock } = service;

  app.post(PATH, async (context) => {
    const { project, dataset } = context.req.param();
    const body = parseTable(await jsonBody(context));
    const part = partOf({ projectId: project, datasetId: dataset, tableId: body.tableReference?.tableId ?? '' });
    if (part.decorator !== null)
      throw new BigQueryError('invalid', 'A table is created without a partition decorator.');
    const nowMs = clock.now();
    const created = await database.write(async (sql) => {
      const catalog = new Catalog(sql, nowMs);
      const { defaultTableExpirationMs } = await catalog.dataset(project, dataset);
      if (await catalog.findTable(part.table))
        throw new BigQueryError('duplicate', `Already Exists: Table ${tableText(part.table)}`);
      const fields = parseFields(body.schema?.fields ?? []);
      if (fields.length === 0) throw new BigQueryError('notImplemented', 'The sandbox has no tables without columns.');
      const partitioning = body.timePartitioning ? partitioningOf(body.timePartitioning) : null;
      if (partitioning) checkPartitioning(partitioning, fields);
      const clusterBy = checkClustering(body.clustering?.fields ?? [], fields);
      const byDefault = defaultTableExpirationMs === null ? null : nowMs + defaultTableExpirationMs;
      return resourceOf(
        service,
        sql,
        catalog,
        await catalog.createTable({
          ...part.table,
          fields,
          partitioning,
          clustering: clusterBy,
          requirePartitionFilter: body.requirePartitionFilter ?? body.timePartitioning?.requirePartitionFilter ?? false,
          description: body.description ?? null,
          friendlyName: body.friendlyName ?? null,
          labels: mergeLabels({}, body.labels ?? {}),
          expirationMs: body.expirationTime ?? byDefault,
        }),
      );
    });
    return context.json(created);
  });

  app.get(PATH, async (context) => {
    const { project, dataset } = context.req.param();
    const all = await database.read(async (sql) => {
      const catalog = new Catalog(sql, clock.now());
      await catalog.dataset(project, dataset);
      return catalog.tables(project, dataset);
    });
    const { items, ...next } = pageOf(context, `tables ${project}.${dataset}`, all);
    const tables = items.map((table) => ({ kind: 'bigquery#table', ...listedParts(table) }));
    return context.json({ kind: 'bigquery#tableList', etag: etagOf(tables), totalItems: all.length, tables, ...next });
  });

  app.get(`${PATH}/:table`, async (context) => {
    const part = partOfPath(context);
    return context.json(
      await database.read(async (sql) => {
        const catalog = new Catalog(sql, clock.now());
        const { table, relation } = await findSource(catalog, part);
        return resourceOf(service, sql, catalog, table, part.decorator === null ? undefined : relation);
      }),
    );
  });

  app.patch(`${PATH}/:table`, async (context) => {
    const part = partOfPath(context);
    const body = parseTable(await jsonBody(context));
    const nowMs = clock.now();
    const changed = await database.write(async (sql) => {
      const catalog = new Catalog(sql, nowMs);
      const table = await catalog.table(part.table);
      checkIfMatch(context, etagOf(table));
      await service.quotas.spendMetadataUpdate(sql, table, table.partitioning !== null, nowMs);
      const patched = patchTable(table, body);
      for (const field of patched.fields.slice(table.fields.length)) await addColumn(sql, table, field);
      return resourceOf(service, sql, catalog, await catalog.putTable(patched));
    });
    return context.json(changed);
  });

  app.put(`${PATH}/:table`, () => notImitated('tables.update'));
  app.post(`${PATH}/:table/insertAll`, () => notImitated('tabledata.insertAll'));

  app.delete(`${PATH}/:table`, async (context) => {
    const part = partOfPath(context);
    await database.write(async (sql) => {
      const catalog = new Catalog(sql, clock.now());
      const table = await catalog.table(part.table);
      if (part.decorator === null) await catalog.dropTable(table);
      else await deletePartition(sql, catalog, table, part.decorator);
    });
    return context.body(null, 204);
  });

  app.get(`${PATH}/:table/data`, async (context) => {
    const part = partOfPath(context);
    const subject = `data ${tableText(part.table)}$${part.decorator ?? ''}`;
    const start = pageStart(context, subject);
    const page = await database.read(async (sql) => {
      const { table, relation } = await findSource(new Catalog(sql, clock.now()), part);
      const fields = selectFields(table, context.req.query('selectedFields'));
      const { total } = await sql.one(`SELECT count(*) AS total FROM ${relation}`);
      const maxRows = numberQuery(context, 'maxResults');
      const int64Timestamps = wantsInt64Timestamps(context);
      return { total, ...(await readPage(sql, relation, fields, { start, maxRows, int64Timestamps })) };
    });
    return context.json({
      kind: 'bigquery#tableDataList',
      etag: etagOf(page),
      totalRows: String(page.total),
      ...(page.rows.length === 0 ? {} : { rows: page.rows }),
      ...(page.next === null ? {} : { pageToken: pageToken(subject, page.next) }),
    });
  });
}

function partOfPath(context: Context): TablePart {
  const { project = '', dataset = '', table = '' } = context.req.param() as { readonly [name: string]: string };
  return partOf({ projectId: project, datasetId: dataset, tableId: table });
}

async function deletePartition(sql: Sql, catalog: Catalog, table: Table, decorator: string): Promise<void> {
  const condition = partitionCondition(tableText(table), table.partitioning, table.fields, decorator);
  const { rows } = await sql.one(`SELECT count(*) AS rows FROM ${catalog.relation(table, condition)}`);
  if (Number(rows) === 0) throw new BigQueryError('notFound', `Not found: Table ${tableText(table)}$${decorator}`);
  await sql.run(`DELETE FROM ${physicalName(table)} WHERE ${condition}`);
  await catalog.putTable(table);
}

/** @throws BigQueryError `invalid` for a column that is not there */
function selectFields(table: Table, selected: string | undefined): readonly Field[] {
  if (!selected) return table.fields;
  const names = selected.split(',').map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => !table.fields.some((field) => field.name.toLowerCase() === name));
  if (unknown !== undefined)
    throw new BigQueryError('invalid', `Field ${unknown} is not in table ${tableText(table)}.`);
  return table.fields.filter((field) => names.includes(field.name.toLowerCase()));
}
