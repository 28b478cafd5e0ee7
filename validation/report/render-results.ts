/** Report -> the text of `results.json`: one canonical JSON, and its digest. */
import { canonicalJson, fingerprint, sha256 } from '../../core/fingerprint.ts';
import type { CheckState, Report } from '../../core/types.ts';

/** Object keys sorted, two spaces a level, one line break at the end: equal reports, equal bytes, readable diffs. */
export function renderResults(report: Report): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(report)), null, 2)}\n`;
}

/** Hash of all that failed and by how much: what somebody accepts. It stays where only what passed has changed. */
export function failuresDigest({ name, interval, tables, results }: Report): string {
  const isFailed = ({ state }: { readonly state: CheckState }): boolean => state === 'FAIL';
  return fingerprint({ name, interval, tables: tables.filter(isFailed), results: results.filter(isFailed) });
}

/** What a publication keeps to say which report let it pass. */
export function digestOf(resultsJson: string): string {
  return sha256(resultsJson);
}
