/** Publications and pointers <-> the JSON objects that hold them; what is read back is checked before it is trusted. */
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { historyKey } from '../core/object-keys.ts';
import { type ColumnType, LAYERS, type Publication } from '../core/types.ts';
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
  accepted: z.object({ by: z.string(), because: z.string(), held: z.array(z.string()) }).exactOptional(),
  schemaFingerprint: z.string().exactOptional(),
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
  /** Of the manifest's bytes: a reader that finds others has not the version that was published. Left out before 0.2. */
  manifest_crc32c: z.string().exactOptional(),
  schema_fingerprint: z.string().exactOptional(),
  /** What readers saw before: one step back is `assay rollback <layer> --to <previous>`. */
  previous: z.int().positive().nullable().exactOptional(),
  /** Counts rewrites of the pointer at one and the same version, which fail whoever read it before. */
  revision: count.exactOptional(),
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
  return parseJson(key, body, publication, 'publication manifest');
}

/** @throws PipelineError `data_unreadable` naming the key and the first fault */
export function parsePointer(key: string, body: Uint8Array): Pointer {
  return parseJson(key, body, pointer, 'publication pointer');
}

export const renderPublication = (value: Publication): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);

export const renderPointer = (value: Pointer): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

/** Hash of what readers must know of the tables' shape. */
export function schemaFingerprintOf(tables: Publication['tables']): string {
  return fingerprint(
    Object.entries(tables)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, { columns, primaryKey, partitionKey }]) => [name, columns, primaryKey, partitionKey]),
  );
}

/** The same version again, in other bytes: a conditional write that was prepared against the old ones fails. */
export const revised = (pointer: Pointer): Pointer => ({ ...pointer, revision: (pointer.revision ?? 0) + 1 });

/**
 * The pointer to a publication. Its bytes never repeat, because the sequence does not.
 *
 * @param previous the publication that `before` points to
 */
export function pointerTo(
  next: Publication,
  manifestCrc32c: string,
  previous: Publication | null,
  before: Pointer | null,
): Pointer {
  const base = {
    format_version: 1 as const,
    pipeline: next.pipeline,
    layer: next.layer,
    sequence: next.sequence,
    manifest: historyKey(next.layer, next.sequence),
    manifest_crc32c: manifestCrc32c,
    schema_fingerprint: schemaFingerprintOf(next.tables),
    previous: before?.sequence ?? null,
    revision: 0,
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

/** @throws PipelineError `data_unreadable` naming the key, the first fault and what to do */
export function parseJson<T>(
  key: string,
  body: Uint8Array,
  schema: z.ZodType<T>,
  what: string,
  advice: string = restoreAdvice(key),
): T {
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

const restoreAdvice = (key: string): string =>
  `Restore the file from a copy; ${key.split('/')[0]} cannot be read or published until then. No data file was touched.`;
