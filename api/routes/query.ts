/** One SQL statement -> rows of gold, capped, with the publication that they came from. */
import { createRoute, z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';
import type { ApiDeps, QueryAnswer } from '../ports.ts';
import { type Api, assayErrors, jsonBody, oneOf } from './api.ts';

const MAX_SQL_CHARACTERS = 100_000;
const DEFAULT_ROWS = 1000;
const MAX_ROWS = 10_000;

const request = z
  .strictObject({
    sql: z.string().trim().min(1).max(MAX_SQL_CHARACTERS),
    max_rows: z.number().int().min(1).max(MAX_ROWS).default(DEFAULT_ROWS),
  })
  .openapi('QueryRequest');

const answer = z
  .object({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.array(z.unknown())),
    truncated: z.boolean(),
    publication: z
      .object({
        layer: z.string(),
        sequence: z.number().int(),
        verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable(),
      })
      .nullable(),
  })
  .openapi('QueryAnswer');

const postQuery = createRoute({
  method: 'post',
  path: '/api/assay/v1/query',
  tags: ['Query'],
  summary: 'Read gold with SQL',
  request: { body: jsonBody(request) },
  responses: { 200: oneOf('Rows as arrays, in the columns’ order', { 'application/json': answer }), ...assayErrors },
});

export function registerQueryRoute(api: Api, deps: ApiDeps): void {
  api.openapi(postQuery, async (context) => {
    if (!deps.query) {
      throw new PipelineError('not_implemented', 'This server was started without a warehouse. Use `assay query`.');
    }
    const { sql, max_rows: maxRows } = context.req.valid('json');
    const found: QueryAnswer = await deps.query(sql, { maxRows, signal: context.req.raw.signal });
    return context.json(
      {
        columns: found.columns.map((column) => ({ ...column })),
        rows: found.rows.slice(0, maxRows).map((row) => [...row]),
        truncated: found.truncated || found.rows.length > maxRows,
        publication: found.publication,
      },
      200,
    );
  });
}
