/** The report's Markdown -> one HTML page that needs no other file and runs no script. */
import { marked } from 'marked';
import { xmlText } from './escape-text.ts';

const STYLE = `
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1d2430;background:#fff}
h1{font-size:1.4rem;border-bottom:2px solid #d5dae2;padding-bottom:.4rem}
h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;margin:.8rem 0;font-variant-numeric:tabular-nums}
th,td{border:1px solid #d5dae2;padding:.25rem .6rem;text-align:left}
th{background:#f2f4f8}
code{background:#f2f4f8;padding:.1rem .3rem;border-radius:3px;font-size:.9em}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}th,code{background:#222936}th,td,h1{border-color:#3a4454}}
`;

/** `markdown` is text that render-markdown made: its data is escaped, so no markup of the data's own comes through. */
export function renderHtml(title: string, markdown: string): string {
  const body = marked.parse(markdown, { async: false, gfm: true });
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${xmlText(title)}</title><style>${STYLE}</style></head>`,
    `<body>\n${body}</body></html>`,
    '',
  ].join('\n');
}
