/** `_MANIFEST.json` of a bronze partition, ours or another program's -> what it promises; and our own promise -> its text. */
import { z } from 'zod';
import type { BronzeManifest, BronzeManifestState } from '../../core/types.ts';

export const MANIFEST_NAME = '_MANIFEST.json';

const rowCount = z.int().nonnegative();

/** Only what somebody reads is asked for; other members are passed over, so that foreign manifests may say more. */
const manifestShape = z.object({
  table: z.string(),
  partition: z.string().nullish(),
  batch_id: z.string().nullish(),
  total_rows: rowCount.nullish(),
  files: z.array(
    z.object({
      path: z.string().min(1),
      rows: rowCount.nullish(),
      size_bytes: rowCount.nullish(),
      checksum: z.string().nullish(),
      batch_id: z.string().nullish(),
    }),
  ),
  checksum_kind: z.string().nullish(),
  schema_fingerprint: z.string().nullish(),
});
type ManifestDocument = z.infer<typeof manifestShape>;

/** Never throws: text that is no manifest is a state that validation names. */
export function parseManifest(text: string): BronzeManifestState {
  const read = readDocument(text);
  return 'document' in read ? { state: 'read', manifest: toManifest(read.document) } : { state: 'unreadable', ...read };
}

/** The files of a manifest that we wrote; none where the text is not one of ours. */
export function ownFiles(text: string): readonly ManifestFile[] {
  const read = readDocument(text);
  if (!('document' in read)) return [];
  return read.document.files.flatMap(({ path, rows, size_bytes, checksum, batch_id }) =>
    typeof rows === 'number' && typeof size_bytes === 'number' && checksum && batch_id
      ? [{ path, rows, sizeBytes: size_bytes, checksum, batchId: batch_id }]
      : [],
  );
}

/** What a manifest of ours holds. */
export interface ManifestContent {
  readonly table: string;
  readonly partition: string;
  /** Batch of the newest file. */
  readonly batchId: string;
  /** ISO-8601 UTC. */
  readonly createdAt: string;
  readonly files: readonly ManifestFile[];
  readonly schemaFingerprint: string;
  /** First and last day of the rows' event time; null where the table has none. */
  readonly eventDays: { readonly min: string; readonly max: string } | null;
}

export interface ManifestFile {
  /** Relative to the bronze base path. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** SHA-256 of the file's bytes, in hex. */
  readonly checksum: string;
  readonly batchId: string;
}

/** Pretty JSON with a fixed order of members and a newline at the end. */
export function renderManifest(content: ManifestContent): string {
  const document = {
    schema_version: '1.0.0',
    table: content.table,
    partition: content.partition,
    batch_id: content.batchId,
    created_at: content.createdAt,
    total_rows: content.files.reduce((sum, file) => sum + file.rows, 0),
    files: content.files.map((file) => ({
      path: file.path,
      rows: file.rows,
      size_bytes: file.sizeBytes,
      checksum: file.checksum,
      batch_id: file.batchId,
    })),
    checksum_kind: 'bytes',
    schema_fingerprint: content.schemaFingerprint,
    min_event_dt: content.eventDays?.min ?? null,
    max_event_dt: content.eventDays?.max ?? null,
    generator_version: null,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function readDocument(text: string): { readonly document: ManifestDocument } | { readonly message: string } {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (thrown) {
    return { message: `no JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
  }
  const parsed = manifestShape.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { message: `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'not a manifest'}` };
  }
  if (totalRows(parsed.data) === null) return { message: 'total_rows: missing, and not every file states its rows' };
  return { document: parsed.data };
}

function totalRows(document: ManifestDocument): number | null {
  if (typeof document.total_rows === 'number') return document.total_rows;
  let sum = 0;
  for (const file of document.files) {
    if (typeof file.rows !== 'number') return null;
    sum += file.rows;
  }
  return sum;
}

function toManifest(document: ManifestDocument): BronzeManifest {
  return {
    table: document.table,
    partition: document.partition ?? '',
    totalRows: totalRows(document) ?? 0,
    files: document.files.map((file) => ({
      path: file.path,
      rows: file.rows ?? null,
      sizeBytes: file.size_bytes ?? null,
      checksum: file.checksum ?? null,
    })),
    batchId: document.batch_id ?? null,
    schemaFingerprint: document.schema_fingerprint ?? null,
    ...(typeof document.checksum_kind === 'string' ? { checksumKind: document.checksum_kind } : {}),
  };
}
