/** JSON of a request -> a checked value; what the sandbox does not know is refused by its name, never passed over. */
import { z } from 'zod';
import { BigQueryError } from './bigquery-error.ts';
import type { TimePartitioning } from './partitions.ts';
import type { FieldRequest } from './table-schema.ts';

/** The API writes 64-bit integers as text; clients also send numbers. */
export const integer = z.union([z.string().regex(/^-?\d+$/), z.int()]).transform(Number);
export const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);

/**
 * @throws BigQueryError `notImplemented` naming the first field that the sandbox does not know, `invalid` for a wrong value
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = [what, ...(issue?.path ?? [])].join('.');
  if (issue?.code === 'unrecognized_keys')
    throw new BigQueryError('notImplemented', `The sandbox does not imitate ${path}.${issue.keys[0]}.`, path);
  const isMissing = issue?.code === 'invalid_type' && issue.input === undefined;
  throw new BigQueryError(isMissing ? 'required' : 'invalid', `${path}: ${issue?.message ?? 'invalid value'}`, path);
}

export const tableReference = z.object({
  projectId: z.string(),
  datasetId: z.string(),
  tableId: z.string(),
});

const baseField = {
  name: z.string(),
  type: z.string(),
  mode: z.string().nullish(),
  description: z.string().nullish(),
  policyTags: z.strictObject({ names: z.array(z.string()).optional() }).nullish(),
  precision: z.union([z.string(), z.number()]).nullish(),
  scale: z.union([z.string(), z.number()]).nullish(),
};

export const fieldRequest: z.ZodType<FieldRequest> = z.strictObject({
  ...baseField,
  get fields(): z.ZodOptional<z.ZodNullable<z.ZodArray<z.ZodType<FieldRequest>>>> {
    return z.array(fieldRequest).nullable().optional();
  },
});

export const tableSchema = z.strictObject({ fields: z.array(fieldRequest).default([]) });

export const timePartitioning = z.strictObject({
  type: z.enum(['HOUR', 'DAY', 'MONTH', 'YEAR']),
  field: z.string().nullish(),
  expirationMs: integer.nullish(),
  requirePartitionFilter: flag.nullish(),
});

/** @throws BigQueryError `notImplemented` for tables partitioned by the time of loading */
export function partitioningOf(written: z.infer<typeof timePartitioning>): TimePartitioning {
  if (!written.field)
    throw new BigQueryError(
      'notImplemented',
      'The sandbox does not imitate tables partitioned by ingestion time; name timePartitioning.field.',
    );
  // BigQuery's null and 0 both mean never.
  const expires = written.expirationMs ? { expirationMs: written.expirationMs } : {};
  return { type: written.type, field: written.field, ...expires };
}

/** @source BigQuery, "Creating and using clustered tables": up to four columns */
export const clustering = z.strictObject({ fields: z.array(z.string()).min(1).max(4) });

/** @source BigQuery, "Requirements for labels" */
export const labels = z.record(
  z.string().regex(/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u, 'invalid label key'),
  z.string().regex(/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u, 'invalid label value'),
);

/**
 * Null takes a label away, as JSON merge patch says.
 *
 * @throws BigQueryError `invalid`
 */
export function mergeLabels(
  existing: { readonly [key: string]: string },
  changes: { readonly [key: string]: string | null },
): { readonly [key: string]: string } {
  const kept = { ...existing, ...changes };
  const present = Object.fromEntries(
    Object.entries(kept).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
  return parseBody(labels, present, 'labels');
}
