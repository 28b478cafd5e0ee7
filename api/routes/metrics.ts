/** The specs' marts -> what each can be asked for by name, and which publication would answer. */
import { createRoute, z } from '@hono/zod-openapi';
import { GRAINS } from '../../core/metric-query.ts';
import type { MartSpec } from '../../core/spec.ts';
import type { ApiDeps, PublicationSummary } from '../ports.ts';
import { type Api, assayErrors, json } from './api.ts';

const measure = z.object({
  name: z.string(),
  description: z.string(),
  type: z.string(),
  format: z.string().nullable(),
  sql: z.string(),
});

const dimension = z.object({ name: z.string(), description: z.string(), type: z.string(), sql: z.string() });

const mart = z
  .object({
    pipeline: z.string(),
    mart: z.string(),
    description: z.string(),
    time: z.object({ column: z.string(), grains: z.array(z.string()) }).nullable(),
    measures: z.array(measure),
    dimensions: z.array(dimension),
    publication: z
      .object({
        layer: z.string(),
        sequence: z.number().int(),
        published_at: z.string(),
        verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable(),
      })
      .nullable()
      .openapi({ description: 'The newest that holds the mart; null: it is not published yet' }),
  })
  .openapi('MartMetrics');

const getMetrics = createRoute({
  method: 'get',
  path: '/api/assay/v1/metrics',
  tags: ['Query'],
  summary: 'Marts with their measures, dimensions and grains',
  request: { query: z.object({ pipeline: z.string().optional(), mart: z.string().optional() }) },
  responses: {
    200: json(z.object({ metrics: z.array(mart), total_entries: z.number().int() }), 'In the order of the specs'),
    ...assayErrors,
  },
});

export function registerMetricsRoute(api: Api, deps: ApiDeps): void {
  api.openapi(getMetrics, async (context) => {
    const asked = context.req.valid('query');
    const gold = (await deps.publications.current()).filter(({ layer }) => layer === 'gold');
    const metrics = (deps.marts?.() ?? [])
      .filter(({ pipeline }) => asked.pipeline === undefined || pipeline === asked.pipeline)
      .flatMap(({ pipeline, marts }) =>
        marts
          .filter(({ name }) => asked.mart === undefined || name === asked.mart)
          .flatMap((each) => describe(pipeline, each, gold)),
      );
    return context.json({ metrics, total_entries: metrics.length }, 200);
  });
}

function describe(
  pipeline: string,
  { name, description, metrics }: MartSpec,
  gold: readonly PublicationSummary[],
): readonly z.infer<typeof mart>[] {
  if (metrics === null) return [];
  const found = gold.find((each) => each.pipeline === pipeline && each.tables.some((table) => table.name === name));
  return [
    {
      pipeline,
      mart: name,
      description,
      time: metrics.time === null ? null : { column: metrics.time, grains: [...GRAINS] },
      measures: metrics.measures.map((each) => ({ ...each })),
      dimensions: metrics.dimensions.map((each) => ({ ...each })),
      publication: found
        ? { layer: 'gold', sequence: found.sequence, published_at: found.publishedAt, verdict: found.verdict }
        : null,
    },
  ];
}
