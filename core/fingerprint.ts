/** Values -> short stable hashes; the order of object keys never matters. */
import { createHash } from 'node:crypto';

/** SHA-256 in hex of a text or of bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** JSON with object keys sorted at every depth; `undefined` members are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  );
}

/** 16 hex digits of the canonical JSON's SHA-256: equal values, equal fingerprints. */
export function fingerprint(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 16);
}

/** A version-8 style UUID derived from a text, for APIs that want one. */
export function derivedUuid(text: string): string {
  const hex = sha256(text);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
