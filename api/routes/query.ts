/** SQL, or a metric query over one mart -> rows of what is published, as JSON, CSV or Parquet, with where they come from. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { PipelineError } from '../../core/errors.ts';
import { FILTER_OPS, GRAINS, type MetricQuery } from '../../core/metric-query.ts';
import type { JsonValue, PublishedLayer } from '../../core/types.ts';
import {
  type AnswerSource,
  type ApiDeps,
  QUERY_FORMATS,
  type QueryAnswer,
  type QueryFormat,
  type QueryRequest,
} from '../ports.ts';
import { type Api, type ApiEnv, assayErrors, jsonBody, oneOf } from './api.ts';

const MAX_SQL_CHARACTERS = 100_000;
const MAX_NAMES = 100;

const MEDIA_TYPES: { readonly [format in QueryFormat]: string } = {
  json: 'application/json',
  csv: 'text/csv',
  parquet: 'application/vnd.apache.parquet',
};

const CONTENT_TYPES: { readonly [format in QueryFormat]: string } = {
  ...MEDIA_TYPES,
  json: 'application/json; charset=UTF-8',
  csv: 'text/csv; charset=utf-8; header=present',
};

const sequence = z.number().int().min(1);
const name = z.string().trim().min(1).max(300);
const names = z.array(name).max(MAX_NAMES);

const filter = z
  .strictObject({
    field: name.openapi({ description: 'A dimension, a measure, or time' }),
    op: z.enum(FILTER_OPS),
    value: z
      .unknown()
      .optional()
      .openapi({ description: 'A list for in and not_in, two values for between, none for is_null and is_not_null' }),
  })
  .openapi('MetricFilter');

const time = z
  .strictObject({
    grain: z.enum(GRAINS).optional().openapi({ description: 'Weeks begin on Monday' }),
    from: z.string().optional().openapi({ description: 'First day, YYYY-MM-DD' }),
    to: z.string().optional().openapi({ description: 'Last day, included' }),
  })
  .openapi('MetricTime');

const common = {
  pipeline: z.string().optional().openapi({ description: 'Whose tables are meant, where a project has several' }),
  publication: z
    .union(
      [
        sequence,
        z.strictObject({
          gold: sequence.optional(),
          enriched: sequence.optional(),
          dims: sequence.optional(),
          silver: sequence.optional(),
        }),
      ],
      { error: 'a version of gold, such as 12, or of each layer, such as {"gold": 12, "enriched": 40}' },
    )
    .optional()
    .openapi({ description: 'Version of gold, or of each layer, to read instead of the current one' }),
  format: z
    .enum(QUERY_FORMATS)
    .optional()
    .openapi({ description: 'Wins over Accept; JSON where neither says anything' }),
  max_rows: z.number().int().min(1).optional().openapi({
    description: 'Default: 1,000 of a JSON answer; of CSV and Parquet all, if they are no more than query.max_rows',
  }),
};

const metricKeys = {
  mart: name.optional().openapi({ description: 'A mart with metrics; GET /metrics lists them' }),
  measures: names.min(1).optional(),
  dimensions: names.optional(),
  time: time.optional(),
  filters: z.array(filter).max(MAX_NAMES).optional(),
  order_by: names.optional().openapi({ description: 'Names of the answer’s fields; - before one for descending' }),
  limit: z.number().int().min(1).optional(),
};

/** One object with two kinds of keys rather than a union, so that what is wrong is named by its own key. */
const request = z
  .strictObject({
    sql: z
      .string()
      .trim()
      .min(1)
      .max(MAX_SQL_CHARACTERS)
      .optional()
      .openapi({ description: 'One SELECT in GoogleSQL' }),
    ...metricKeys,
    ...common,
  })
  .superRefine((body, context) => {
    const report = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
    if (body.sql === undefined) {
      if (body.mart === undefined) report('sql', 'Send sql, or mart with measures');
      else if (body.measures === undefined) report('measures', 'Say which measures of the mart are meant');
      return;
    }
    for (const key of Object.keys(metricKeys)) {
      if (body[key as keyof typeof metricKeys] !== undefined)
        report(key, 'It belongs to a query by mart, not to one by sql');
    }
  })
  .openapi('QueryRequest');

const source = z.object({
  layer: z.string(),
  sequence: z.number().int(),
  published_at: z.string().nullable(),
  verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable(),
});

const answer = z
  .object({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.array(z.unknown())),
    truncated: z.boolean(),
    publication: source.nullable().openapi({ description: 'The most refined layer that was read' }),
    publications: z.array(source).openapi({ description: 'Each layer that was read' }),
    inputs: z.array(source).openapi({ description: 'The versions that these were built from' }),
    verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable().openapi({ description: 'The worst of all these' }),
  })
  .openapi('QueryAnswer');

const postQuery = createRoute({
  method: 'post',
  path: '/api/assay/v1/query',
  tags: ['Query'],
  summary: 'Read gold with SQL, or by the names of its metrics',
  request: { body: jsonBody(request) },
  responses: {
    200: oneOf('Rows as arrays, in the columns’ order', {
      [MEDIA_TYPES.json]: answer,
      [MEDIA_TYPES.csv]: z.string(),
      [MEDIA_TYPES.parquet]: z.string().openapi({ format: 'binary' }),
    }),
    304: { description: 'The answer that If-None-Match names still holds' },
    ...assayErrors,
    413: { ...assayErrors[400], description: 'The answer, or what it takes, is larger than a query may be' },
  },
});

type Body = z.infer<typeof request>;

export function registerQueryRoute(api: Api, deps: ApiDeps): void {
  api.openapi(postQuery, async (context) => {
    if (!deps.query) {
      throw new PipelineError('not_implemented', 'This server was started without a warehouse. Use `assay query`.');
    }
    const body: Body = context.req.valid('json');
    const format = body.format ?? formatByAccept(context);
    const asked = {
      pipeline: body.pipeline ?? null,
      ask: askOf(body),
      publication: pinned(body.publication),
      format,
      maxRows: body.max_rows ?? null,
      knownTags: tagsIn(context.req.header('if-none-match')),
    };
    try {
      return respond(await deps.query(asked, context.req.raw.signal), format);
    } catch (thrown) {
      if (thrown instanceof PipelineError && thrown.retryAfterMs !== null)
        context.header('Retry-After', String(Math.max(1, Math.ceil(thrown.retryAfterMs / 1000))));
      throw thrown;
    }
  });
}

function askOf({ sql, mart = '', measures = [], dimensions = [], filters = [], ...body }: Body): QueryRequest['ask'] {
  if (sql !== undefined) return { kind: 'sql', sql };
  const query: MetricQuery = {
    mart,
    measures,
    dimensions,
    time: timeOf(body.time),
    // The body was JSON.
    filters: filters.map(({ field, op, value }) =>
      value === undefined ? { field, op } : { field, op, value: value as JsonValue },
    ),
    orderBy: body.order_by ?? [],
    limit: body.limit ?? null,
  };
  return { kind: 'metrics', query };
}

function timeOf(given: Body['time']): MetricQuery['time'] {
  if (given === undefined) return null;
  const { grain, from, to } = given;
  return {
    ...(grain === undefined ? {} : { grain }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function pinned(publication: Body['publication']): { readonly [layer in PublishedLayer]?: number } {
  if (publication === undefined) return {};
  if (typeof publication === 'number') return { gold: publication };
  return Object.fromEntries(Object.entries(publication).filter(([, each]) => each !== undefined));
}

function formatByAccept(context: Context<ApiEnv>): QueryFormat {
  const type = accepts(context, {
    header: 'Accept',
    supports: QUERY_FORMATS.map((format) => MEDIA_TYPES[format]),
    default: MEDIA_TYPES.json,
  });
  return QUERY_FORMATS.find((format) => MEDIA_TYPES[format] === type) ?? 'json';
}

/** `"a", W/"b"` -> a, b */
function tagsIn(header: string | undefined): readonly string[] {
  return [...(header ?? '').matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '');
}

/** Where an answer comes from stands in its headers, whatever its format. */
function respond(answer: QueryAnswer, format: QueryFormat): Response {
  const headers = new Headers({
    // Rows of equal answers may come in another order where the query says none.
    ETag: `W/"${answer.tag}"`,
    'Cache-Control': 'no-cache',
    Vary: 'Accept',
    'Assay-Publication': answer.publications.map(({ layer, sequence }) => `${layer}/${sequence}`).join(', '),
    'Assay-Published-At': answer.publications.map(({ publishedAt }) => publishedAt ?? '').join(', '),
    'Assay-Inputs': answer.inputs.map(inputWords).join(', '),
    'Assay-Verdict': answer.verdict ?? 'NONE',
  });
  const { content } = answer;
  if (content === null) return new Response(null, { status: 304, headers });
  headers.set('Content-Type', CONTENT_TYPES[format]);
  headers.set('Content-Length', String(content.sizeBytes));
  headers.set('Assay-Rows', String(content.rows));
  headers.set('Assay-Truncated', String(content.truncated));
  const place = format === 'json' ? 'inline' : 'attachment';
  headers.set('Content-Disposition', `${place}; filename="${content.name}.${format}"`);
  return new Response(content.body, { status: 200, headers });
}

const inputWords = ({ layer, sequence, verdict }: AnswerSource): string => `${layer}/${sequence}=${verdict ?? 'NONE'}`;
