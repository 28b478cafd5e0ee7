/** A report's Markdown -> HTML in which nothing but our own renderer writes tags: reports quote data, data may be hostile. */
import { raw } from 'hono/html';
import { Marked, type Tokens } from 'marked';
import { VERDICT_LOOKS } from '../../core/state-words.ts';
import type { Html } from './layout.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (mark) => ESCAPES[mark] ?? mark);

const VERDICTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(VERDICT_LOOKS).map(([verdict, { glyph, words, tone }]) => [
    verdict,
    `<span class="badge ${tone}"><i aria-hidden="true">${glyph}</i>${words}</span>`,
  ]),
);

/** Only addresses that a report may lead to; the files beside it have no address here. */
const MAY_LINK = /^(https?:\/\/|#|\/(?!\/))/i;

const markdown = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    image: ({ text }) => escapeHtml(text),
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return MAY_LINK.test(href) ? `<a href="${escapeHtml(href)}" rel="noreferrer">${text}</a>` : text;
    },
    table(token) {
      const head = token.header.map((cell) => this.tablecell(cell)).join('');
      const rows = token.rows.map((row) => `<tr>${row.map((cell) => this.tablecell(cell)).join('')}</tr>`).join('');
      return `<div class="scroll" role="region" aria-label="Table" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table></div>`;
    },
    tablecell(token: Tokens.TableCell) {
      const text = this.parser.parseInline(token.tokens);
      const align = token.align ? ` align="${token.align}"` : '';
      if (token.header) return text.trim() === '' ? `<td${align}></td>` : `<th scope="col"${align}>${text}</th>`;
      return `<td${align}>${VERDICTS[text.replace(/<\/?strong>/g, '').trim()] ?? text}</td>`;
    },
  },
});

export function renderMarkdownHtml(text: string): Html {
  return raw(markdown.parse(text, { async: false }));
}
