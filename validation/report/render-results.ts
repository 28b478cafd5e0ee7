/** Report -> the text of `results.json`: one canonical JSON, and its digest. */
import { canonicalJson, sha256 } from '../../core/fingerprint.ts';
import type { Report } from '../../core/types.ts';

/** Object keys sorted, two spaces a level, one line break at the end: equal reports, equal bytes, readable diffs. */
export function renderResults(report: Report): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(report)), null, 2)}\n`;
}

/** What a publication keeps to say which report let it pass. */
export function digestOf(resultsJson: string): string {
  return sha256(resultsJson);
}
