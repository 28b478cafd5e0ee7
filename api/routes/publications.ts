/** Published versions of a layer, newest first. */
import { createRoute, z } from '@hono/zod-openapi';
import { isoInstant } from '../../core/partition.ts';
import type { PublishedLayer } from '../../core/types.ts';
import type { ApiDeps, PublicationSummary } from '../ports.ts';
import { type Api, assayErrors, json } from './api.ts';

/** In the order in which a run publishes them. */
const PUBLISHED_LAYERS = ['silver', 'dims', 'enriched', 'gold'] as const satisfies readonly PublishedLayer[];

const publication = z
  .object({
    pipeline: z.string(),
    layer: z.enum(PUBLISHED_LAYERS),
    sequence: z.number().int(),
    is_current: z.boolean(),
    dag_id: z.string(),
    run_id: z.string(),
    published_at: z.string().openapi({ format: 'date-time' }),
    data_interval_start: z.string().openapi({ format: 'date-time' }),
    data_interval_end: z.string().openapi({ format: 'date-time' }),
    verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable(),
    reverts_to: z.number().int().nullable(),
    tables: z.array(
      z.object({
        name: z.string(),
        partitions: z.number().int(),
        rows: z.number().int(),
        size_bytes: z.number().int(),
      }),
    ),
  })
  .openapi('Publication');

const listPublications = createRoute({
  method: 'get',
  path: '/api/assay/v1/publications/{layer}',
  tags: ['Publications'],
  summary: 'Published versions of a layer, newest first; is_current marks what readers see',
  request: { params: z.object({ layer: z.enum(PUBLISHED_LAYERS) }) },
  responses: {
    200: json(z.object({ publications: z.array(publication), total_entries: z.number().int() }), 'All versions'),
    ...assayErrors,
  },
});

export function registerPublicationRoutes(api: Api, deps: ApiDeps): void {
  api.openapi(listPublications, async (context) => {
    const publications = (await deps.publications.list(context.req.valid('param').layer)).map(shapeOf);
    return context.json({ publications, total_entries: publications.length }, 200);
  });
}

function shapeOf(summary: PublicationSummary): z.infer<typeof publication> {
  return {
    pipeline: summary.pipeline,
    layer: summary.layer,
    sequence: summary.sequence,
    is_current: summary.isCurrent,
    dag_id: summary.dagId,
    run_id: summary.runId,
    published_at: summary.publishedAt,
    data_interval_start: isoInstant(summary.interval.startMs),
    data_interval_end: isoInstant(summary.interval.endMs),
    verdict: summary.verdict,
    reverts_to: summary.revertsTo,
    tables: summary.tables.map((table) => ({
      name: table.name,
      partitions: table.partitions,
      rows: table.rows,
      size_bytes: table.sizeBytes,
    })),
  };
}
