/** Any text from data -> text that is safe inside a Markdown line, a table cell or an XML attribute. */

/** Longest value that a report shows, in code points. */
const LONGEST_VALUE = 80;

// Control characters, line and paragraph separators, zero-width and direction marks: none of them may reach a terminal or a page.
const INVISIBLE = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** One visible line, cut to `longest` code points; control characters are written as `\u{…}`, line breaks as `⏎`. */
export function visibleText(text: string, longest = LONGEST_VALUE): string {
  const line = text
    .replace(/\p{Cs}/gu, '�')
    .replace(/\r\n|\r|\n/g, '⏎')
    .replace(INVISIBLE, (mark) => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`);
  const points = [...line];
  return points.length > longest ? `${points.slice(0, longest - 1).join('')}…` : line;
}

/** A value from data as Markdown that renders as exactly its visible text, in a paragraph or a table cell. */
export function markdownText(text: string, longest = LONGEST_VALUE): string {
  return visibleText(text, longest)
    .replace(/&(?=#|\w)/g, '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*[\]|~]/g, '\\$&')
    .replace(/(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])/g, (marks) => '\\_'.repeat(marks.length));
}

/** A sentence of ours, which may quote data: escaped but not cut, and its `code` spans stay. */
export function markdownSentence(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part, index) =>
      index % 2 === 1 ? codeSpan(part.slice(1, -1)) : markdownText(part, Number.POSITIVE_INFINITY),
    )
    .join('');
}

/** A code span that its content can neither end nor, in a table, split. */
export function codeSpan(text: string): string {
  return `\`${visibleText(text, Number.POSITIVE_INFINITY).replaceAll('`', 'ˋ').replaceAll('|', '\\|')}\``;
}

/** Text as XML 1.0 character data or attribute value. */
export function xmlText(text: string): string {
  return visibleText(text, Number.POSITIVE_INFINITY)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;');
}
