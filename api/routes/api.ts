/** The app's type, and what every group of routes shares: declared answers and the JSON wrappers of OpenAPI. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import * as schemas from '../airflow/schemas.ts';

export interface ApiEnv {
  Variables: { requestId: string };
}

export type Api = OpenAPIHono<ApiEnv>;

export function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** An answer in one of several media types; its handler is not held to one of them. */
export function oneOf(
  description: string,
  schemaByType: { readonly [mediaType: string]: z.ZodType },
): { description: string; content: { [mediaType: string]: { schema: z.ZodType } } } {
  const content = Object.entries(schemaByType).map(([mediaType, schema]) => [mediaType, { schema }] as const);
  return { description, content: Object.fromEntries(content) };
}

/** A body that must be there, if only as `{}`. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** The errors that any operation under /api/v2 may answer. */
export const airflowErrors = {
  400: json(schemas.detail, 'The request asks for something that cannot be'),
  404: json(schemas.detail, 'There is no such DAG, run or task'),
  409: json(schemas.detail, 'It exists already, or is in a state that forbids this'),
  422: json(schemas.invalid, 'The request does not match its schema'),
  501: json(schemas.detail, 'Airflow can do this, Assay cannot'),
} as const;

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string().openapi({ description: 'One of the codes in docs/reference/http-api.md' }),
    request_id: z.string(),
    errors: z
      .array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string(), type: z.string() }))
      .optional(),
  })
  .openapi('Problem');

const problemBody = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problem } },
});

/** The errors that any operation under /api/assay/v1 may answer: RFC 9457 problems. */
export const assayErrors = {
  400: problemBody('The request does not match its schema'),
  404: problemBody('There is no such thing'),
  422: problemBody('What the request carries is not valid, such as its SQL'),
  501: problemBody('This server cannot do that'),
  503: problemBody('Store or warehouse does not answer; try again'),
} as const;
