/** Names of run, task and table -> labels that BigQuery takes. Pure. */
import { fingerprint } from '../../core/fingerprint.ts';

const MAX_LENGTH = 63;

/**
 * Lower case, other characters as `_`; what is too long is cut and ends in a hash, so that two long run ids stay two.
 *
 * @source BigQuery, "Requirements for labels": lower case, digits, `_`, `-`, at most 63 (read 2026-11-21)
 */
export function labelValue(text: string): string {
  const safe = text.toLowerCase().replace(/[^a-z0-9_-]+/g, '_');
  return safe.length <= MAX_LENGTH ? safe : `${safe.slice(0, MAX_LENGTH - 9)}_${fingerprint(text).slice(0, 8)}`;
}

/** A key begins with a letter. */
function labelKey(text: string): string {
  const value = labelValue(text);
  return /^[a-z]/.test(value) ? value : labelValue(`l_${text}`);
}

export type Labels = { readonly [key: string]: string };

export function labelsOf(words: { readonly [key: string]: string }): Labels {
  return Object.fromEntries(Object.entries(words).map(([key, value]) => [labelKey(key), labelValue(value)]));
}
