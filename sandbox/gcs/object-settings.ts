/** The JSON that a client sends about an object -> settings to keep and checksums to hold the bytes to. */
import { invalid, notImplemented } from './api-error.ts';
import type { ObjectSettings } from './object-record.ts';

/** What the client says the bytes are; null where it says nothing. */
export interface ClaimedChecksums {
  readonly crc32c: string | null;
  readonly md5Hash: string | null;
}

export interface ObjectRequest {
  readonly name: string | null;
  /** Null removes a setting. */
  readonly settings: SettingsChange;
  readonly claimed: ClaimedChecksums;
}

export type SettingsChange = {
  readonly [Field in TextField]?: string | null;
} & { readonly metadata?: { readonly [key: string]: string | null } | null };

const TEXT_FIELDS = [
  'contentType',
  'contentEncoding',
  'contentDisposition',
  'contentLanguage',
  'cacheControl',
  'customTime',
] as const;
type TextField = (typeof TEXT_FIELDS)[number];

/** Fields that the service sets; what a client sends there is ignored. */
const OUTPUT_FIELDS = new Set(
  (
    'kind id selfLink mediaLink bucket generation metageneration size etag timeCreated updated timeFinalized ' +
    'timeStorageClassUpdated componentCount storageClass contentLength'
  ).split(' '),
);

/** @throws ApiError 400 for what is not valid, 501 for what the API has and the sandbox has not */
export function parseObjectRequest(body: unknown): ObjectRequest {
  const fields = recordOf(body, 'The request body');
  const settings: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    if ((TEXT_FIELDS as readonly string[]).includes(field)) settings[field] = textOrNull(field, value);
    else if (field === 'metadata') settings.metadata = value === null ? null : parseMetadata(value);
    else if (field === 'storageClass' && value !== 'STANDARD') throw notImplemented(`storage class ${String(value)}`);
    else if (!OUTPUT_FIELDS.has(field) && !['name', 'crc32c', 'md5Hash'].includes(field))
      throw notImplemented(`the field ${field} of an object`);
  }
  if (typeof settings.customTime === 'string' && Number.isNaN(Date.parse(settings.customTime)))
    throw invalid(`Invalid value for customTime: ${settings.customTime}`, 'customTime');
  return {
    name: textOrNull('name', fields.name),
    settings: settings as SettingsChange,
    claimed: { crc32c: textOrNull('crc32c', fields.crc32c), md5Hash: textOrNull('md5Hash', fields.md5Hash) },
  };
}

/**
 * Settings with some of them changed; metadata is changed key by key.
 *
 * @throws ApiError 400 where a custom time would go back or away
 * @source Cloud Storage, "Object metadata: Custom-Time" (read 2026-11-21)
 */
export function changeSettings(before: ObjectSettings, change: SettingsChange): ObjectSettings {
  const after: Record<string, unknown> = { ...before };
  for (const field of TEXT_FIELDS) {
    const value = change[field];
    if (value === null) delete after[field];
    else if (value !== undefined) after[field] = value;
  }
  if (before.customTime !== undefined) {
    const time = after.customTime;
    if (typeof time !== 'string') throw invalid('A custom time, once set, cannot be removed.', 'customTime');
    if (Date.parse(time) < Date.parse(before.customTime))
      throw invalid('A custom time cannot be set to an earlier time.', 'customTime');
  }
  if (change.metadata !== undefined) {
    const merged = Object.entries({ ...(change.metadata === null ? {} : before.metadata), ...change.metadata });
    const kept = merged.filter((entry): entry is [string, string] => entry[1] !== null);
    if (kept.length > 0) after.metadata = Object.fromEntries(kept);
    else delete after.metadata;
  }
  return after as ObjectSettings;
}

/** The header `x-goog-hash: crc32c=…,md5=…`. */
export function parseHashHeader(header: string | undefined): ClaimedChecksums {
  const find = (kind: string): string | null =>
    new RegExp(`(?:^|,)\\s*${kind}=([^,\\s]+)`).exec(header ?? '')?.[1] ?? null;
  return { crc32c: find('crc32c'), md5Hash: find('md5') };
}

/** @throws ApiError 400 where the bytes are not what the client said */
export function checkClaim(
  claimed: ClaimedChecksums,
  found: { readonly crc32c: string; readonly md5Hash: string },
): void {
  if (claimed.crc32c !== null && claimed.crc32c !== found.crc32c)
    throw invalid(`Provided CRC32C "${claimed.crc32c}" doesn't match calculated CRC32C "${found.crc32c}".`);
  if (claimed.md5Hash !== null && claimed.md5Hash !== found.md5Hash)
    throw invalid(`Provided MD5 hash "${claimed.md5Hash}" doesn't match calculated MD5 hash "${found.md5Hash}".`);
}

/** @source Cloud Storage, "About objects: object names" (read 2026-11-21) */
export function checkObjectName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > 1024) throw invalid('An object name has 1 to 1,024 bytes of UTF-8.', 'name');
  if (/[\r\n]/.test(name) || name === '.' || name === '..' || name.startsWith('.well-known/acme-challenge/'))
    throw invalid(`Invalid object name: ${JSON.stringify(name)}`, 'name');
}

export function recordOf(value: unknown, what: string): { readonly [field: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} must be a JSON object.`);
  return value as { readonly [field: string]: unknown };
}

function textOrNull(field: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw invalid(`Invalid value for ${field}: it must be a string.`, field);
  return value;
}

function parseMetadata(value: unknown): { readonly [key: string]: string | null } {
  return Object.fromEntries(
    Object.entries(recordOf(value, 'metadata')).map(([key, text]) => [key, textOrNull(`metadata.${key}`, text)]),
  );
}
