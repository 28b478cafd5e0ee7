/** Publications and pointers <-> the JSON objects that hold them; what is read back is checked before it is trusted. */
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { historyKey } from '../core/object-keys.ts';
import { type ColumnType, LAYERS, type Publication, type PublishedLayer } from '../core/types.ts';
import { fingerprintsOf } from './publication-diff.ts';

const COLUMN_TYPE = /^(string|int64|float64|bool|date|timestamp|decimal\(\d+,\d+\))$/;

const count = z.int().nonnegative();
const layer = z.enum(LAYERS).exclude(['bronze']);
const rowsByName = z.record(z.string(), count);

const dataFile = z.object({ key: z.string().min(1), rows: count, sizeBytes: count, crc32c: z.string() });

const dataPartition = z.object({
  value: z.string(),
  files: z.array(dataFile),
  rows: count,
  sizeBytes: count,
  fingerprint: z.string(),
});

const rowAccount = z.object({
  input: count,
  output: count,
  quarantined: count,
  duplicates: count,
  filtered: count,
  replaced: count,
  byReason: rowsByName,
});

const publishedTable = z.object({
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.custom<ColumnType>((value) => typeof value === 'string' && COLUMN_TYPE.test(value)),
    }),
  ),
  primaryKey: z.array(z.string()),
  partitionKey: z.string().nullable(),
  partitions: z.record(z.string(), dataPartition),
  inputs: z.record(z.string(), z.object({ fingerprint: z.string(), account: rowAccount, wrote: z.array(z.string()) })),
  quarantine: z.record(z.string(), z.array(dataFile)),
  logicFingerprint: z.string(),
  state: z.record(z.string(), z.json()),
});

const publication: z.ZodType<Publication> = z.object({
  formatVersion: z.literal(1),
  pipeline: z.string(),
  layer,
  sequence: z.int().positive(),
  dagId: z.string(),
  runId: z.string(),
  publishedAt: z.iso.datetime(),
  interval: z.object({ startMs: z.int(), endMs: z.int() }),
  revertsTo: z.int().positive().nullable(),
  reportDigest: z.string().nullable(),
  verdict: z.enum(['PASS', 'WARN', 'FAIL']).nullable(),
  tables: z.record(z.string(), publishedTable),
});

const snapshot = z.object({ snapshot_dt: z.string(), run_id: z.string(), published_at: z.iso.datetime() });

const pointer = z.object({
  format_version: z.literal(1),
  pipeline: z.string(),
  layer,
  sequence: z.int().positive(),
  /** Key of the manifest that holds this version. */
  manifest: z.string(),
  dag_id: z.string(),
  run_id: z.string(),
  published_at: z.iso.datetime(),
  reverts_to: z.int().positive().nullable(),
  /** Dims alone: the newest snapshot of each table, for people and tools that do not read manifests. */
  tables: z.record(z.string(), snapshot).optional(),
});

/** `<layer>/_latest.json`; its words are snake_case because programs other than ours read it. */
export type Pointer = z.infer<typeof pointer>;

/** @throws PipelineError `data_unreadable` naming the key and the first fault */
export function parsePublication(key: string, body: Uint8Array): Publication {
  return parse(key, body, publication, 'publication manifest');
}

/** @throws PipelineError `data_unreadable` naming the key and the first fault */
export function parsePointer(key: string, body: Uint8Array): Pointer {
  return parse(key, body, pointer, 'publication pointer');
}

export const renderPublication = (value: Publication): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);

export const renderPointer = (value: Pointer): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** The pointer to a publication. Its bytes never repeat, because the sequence does not. */
export function pointerTo(next: Publication, previous: Publication | null, before: Pointer | null): Pointer {
  const base = {
    format_version: 1 as const,
    pipeline: next.pipeline,
    layer: next.layer,
    sequence: next.sequence,
    manifest: historyKey(next.layer, next.sequence),
    dag_id: next.dagId,
    run_id: next.runId,
    published_at: next.publishedAt,
    reverts_to: next.revertsTo,
  };
  return next.layer === 'dims' ? { ...base, tables: snapshotsOf(next, previous, before) } : base;
}

/**
 * The newest snapshot a table. A run for an older date adds its partition and so leaves the newest, and who made it, alone;
 * only a rollback can take it back.
 */
function snapshotsOf(
  next: Publication,
  previous: Publication | null,
  before: Pointer | null,
): NonNullable<Pointer['tables']> {
  const snapshots: NonNullable<Pointer['tables']> = {};
  for (const [table, published] of Object.entries(next.tables)) {
    const newest = Object.keys(published.partitions).sort().at(-1);
    if (newest === undefined) continue;
    const known = before?.tables?.[table];
    const isSame = fingerprintsOf(previous?.tables[table]).get(newest) === published.partitions[newest]?.fingerprint;
    snapshots[table] =
      known && known.snapshot_dt === newest && isSame
        ? known
        : { snapshot_dt: newest, run_id: next.runId, published_at: next.publishedAt };
  }
  return snapshots;
}

function parse<T>(key: string, body: Uint8Array, schema: z.ZodType<T>, what: string): T {
  const advice = `Restore the file from a copy; ${layerOf(key)} cannot be read or published until then. No data file was touched.`;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (thrown) {
    throw new PipelineError(
      'data_unreadable',
      `${key} is no ${what}: it holds ${body.byteLength} bytes that are not JSON. ${advice}`,
      { context: { key }, cause: thrown },
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const fault = issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : 'unknown fault';
  throw new PipelineError('data_unreadable', `${key} is no ${what}: ${fault}. ${advice}`, { context: { key } });
}

const layerOf = (key: string): PublishedLayer | string => key.split('/')[0] ?? key;
