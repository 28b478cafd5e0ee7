/** An object key -> the same key, or a refusal of one that would leave the store or hide from its listing. */

/**
 * Segments are separated by `/`. None is empty, `.` or `..`, and none begins with a dot: those names are the local
 * store's own (temporary and lock files) and those of tools (`.part-0.parquet.crc`), which are never data.
 *
 * @throws Error a malformed key is a bug of the caller
 */
export function assertObjectKey(key: string): string {
  if (key === '' || hasControlCharacter(key) || key.includes('\\')) throw new Error(malformed(key));
  if (key.split('/').some((segment) => segment === '' || segment.startsWith('.'))) throw new Error(malformed(key));
  return key;
}

/** A listing prefix: the beginning of a key, maybe empty, maybe in the middle of a segment. */
export function assertKeyPrefix(prefix: string): string {
  const whole = prefix === '' || prefix.endsWith('/') ? `${prefix}x` : prefix;
  assertObjectKey(whole);
  return prefix;
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

const malformed = (key: string): string => `malformed object key ${JSON.stringify(key.slice(0, 200))}`;
