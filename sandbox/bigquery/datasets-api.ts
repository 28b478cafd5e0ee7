/** Requests for datasets -> rows of the catalog, and the answers of BigQuery's REST API. */
import type { Hono } from 'hono';
import { z } from 'zod';
import { BigQueryError } from './bigquery-error.ts';
import { Catalog, type Dataset, etagOf } from './catalog.ts';
import { flag, integer, mergeLabels, parseBody } from './request-body.ts';
import { checkDatasetId } from './resource-names.ts';
import { checkIfMatch, jsonBody, notImitated, pageOf, type Service } from './service.ts';

const PATH = '/bigquery/v2/projects/:project/datasets';

const readOnly = {
  kind: z.unknown().optional(),
  etag: z.unknown().optional(),
  id: z.unknown().optional(),
  selfLink: z.unknown().optional(),
  creationTime: z.unknown().optional(),
  lastModifiedTime: z.unknown().optional(),
  access: z.unknown().optional(),
  type: z.unknown().optional(),
};

const datasetBody = z.strictObject({
  datasetReference: z.strictObject({ datasetId: z.string(), projectId: z.string().optional() }).optional(),
  location: z.string().nullish(),
  description: z.string().nullish(),
  friendlyName: z.string().nullish(),
  labels: z.record(z.string(), z.string().nullable()).nullish(),
  defaultTableExpirationMs: integer.nullish(),
  isCaseInsensitive: flag.nullish(),
  maxTimeTravelHours: integer.nullish(),
  projectId: z.string().optional(),
  ...readOnly,
});

export function datasetRoutes(app: Hono, service: Service): void {
  const { database, clock } = service;
  const resource = (dataset: Dataset): object => datasetResource(dataset, service.baseUrl());

  app.post(PATH, async (context) => {
    const body = parseBody(datasetBody, await jsonBody(context), 'dataset');
    const project = context.req.param('project');
    const id = body.datasetReference?.datasetId ?? '';
    checkDatasetId(id);
    const nowMs = clock.now();
    const dataset = await database.write(async (sql) => {
      const catalog = new Catalog(sql, nowMs);
      if (await catalog.findDataset(project, id))
        throw new BigQueryError('duplicate', `Already Exists: Dataset ${project}:${id}`);
      const created: Dataset = {
        project,
        id,
        location: locationName(body.location ?? 'US'),
        description: body.description ?? null,
        friendlyName: body.friendlyName ?? null,
        labels: mergeLabels({}, body.labels ?? {}),
        defaultTableExpirationMs: body.defaultTableExpirationMs || null,
        createdMs: nowMs,
        modifiedMs: nowMs,
        revision: 1,
      };
      await catalog.putDataset(created);
      return created;
    });
    return context.json(resource(dataset));
  });

  app.get(PATH, async (context) => {
    const project = context.req.param('project');
    const all = await database.read((sql) => new Catalog(sql, clock.now()).datasets(project));
    const { items, ...next } = pageOf(context, `datasets ${project}`, all);
    const datasets = items.map((dataset) => ({
      kind: 'bigquery#dataset',
      id: `${project}:${dataset.id}`,
      datasetReference: { datasetId: dataset.id, projectId: project },
      location: dataset.location,
      labels: dataset.labels,
    }));
    return context.json({ kind: 'bigquery#datasetList', etag: etagOf(datasets), datasets, ...next });
  });

  app.get(`${PATH}/:dataset`, async (context) => {
    const { project, dataset } = context.req.param();
    return context.json(
      resource(await database.read((sql) => new Catalog(sql, clock.now()).dataset(project, dataset))),
    );
  });

  app.patch(`${PATH}/:dataset`, async (context) => {
    const { project, dataset: id } = context.req.param();
    const body = parseBody(datasetBody, await jsonBody(context), 'dataset');
    const nowMs = clock.now();
    const changed = await database.write(async (sql) => {
      const catalog = new Catalog(sql, nowMs);
      const dataset = await catalog.dataset(project, id);
      checkIfMatch(context, etagOf(dataset));
      if (body.location && locationName(body.location) !== dataset.location)
        throw new BigQueryError('invalid', `Cannot change the location of dataset ${project}:${id}.`);
      const patched: Dataset = {
        ...dataset,
        description: body.description === undefined ? dataset.description : body.description,
        friendlyName: body.friendlyName === undefined ? dataset.friendlyName : body.friendlyName,
        labels: body.labels === undefined ? dataset.labels : mergeLabels(dataset.labels, body.labels ?? {}),
        defaultTableExpirationMs:
          body.defaultTableExpirationMs === undefined
            ? dataset.defaultTableExpirationMs
            : body.defaultTableExpirationMs || null,
        modifiedMs: nowMs,
        revision: dataset.revision + 1,
      };
      await catalog.putDataset(patched);
      return patched;
    });
    return context.json(resource(changed));
  });

  app.put(`${PATH}/:dataset`, () => notImitated('datasets.update'));

  app.delete(`${PATH}/:dataset`, async (context) => {
    const { project, dataset: id } = context.req.param();
    const isForced = context.req.query('deleteContents') === 'true';
    await database.write(async (sql) => {
      const catalog = new Catalog(sql, clock.now());
      await catalog.dataset(project, id);
      const tables = await catalog.tables(project, id);
      if (tables.length > 0 && !isForced)
        throw new BigQueryError('resourceInUse', `Dataset ${project}:${id} is still in use`);
      for (const table of tables) await catalog.dropTable(table);
      await catalog.removeDataset(project, id);
    });
    return context.body(null, 204);
  });
}

/** Regions are lower case, multi-regions upper case. */
function locationName(written: string): string {
  return /^(us|eu)$/i.test(written) ? written.toUpperCase() : written.toLowerCase();
}

function datasetResource(dataset: Dataset, baseUrl: string): object {
  const { project, id } = dataset;
  return {
    kind: 'bigquery#dataset',
    etag: etagOf(dataset),
    id: `${project}:${id}`,
    selfLink: `${baseUrl}/bigquery/v2/projects/${project}/datasets/${id}`,
    datasetReference: { datasetId: id, projectId: project },
    location: dataset.location,
    ...(dataset.description === null ? {} : { description: dataset.description }),
    ...(dataset.friendlyName === null ? {} : { friendlyName: dataset.friendlyName }),
    labels: dataset.labels,
    ...(dataset.defaultTableExpirationMs === null
      ? {}
      : { defaultTableExpirationMs: String(dataset.defaultTableExpirationMs) }),
    creationTime: String(dataset.createdMs),
    lastModifiedTime: String(dataset.modifiedMs),
    type: 'DEFAULT',
  };
}
