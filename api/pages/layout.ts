/** A page's title and content -> a whole HTML document with landmarks, navigation, style and script. */
import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** What `html` gives: text in which everything foreign is escaped. */
export type Html = ReturnType<typeof html>;

export const PAGE_STYLE_HASH = contentHash(STYLE);
export const PAGE_SCRIPT_HASH = contentHash(SCRIPT);

function contentHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

export interface PageContent {
  readonly title: string;
  readonly section: 'overview' | 'reports' | null;
  /** From the overview down; the page itself is not among them. */
  readonly crumbs: readonly { readonly text: string; readonly href: string }[];
  /** Which events change this page; null: none do. */
  readonly events: string | null;
  readonly body: Html;
}

export function layout(page: PageContent): Html {
  const current = (section: PageContent['section']) => (page.section === section ? raw(' aria-current="page"') : '');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title} · Assay</title>
<link rel="icon" href="data:,">
<style>${raw(STYLE)}</style>
</head>
<body data-events="${page.events ?? ''}">
<a class="skip" href="#content">Skip to content</a>
<header class="top"><div>
<a class="brand" href="/">Assay<span>.</span></a>
<nav class="main" aria-label="Main">
<a href="/"${current('overview')}>Overview</a>
<a href="/reports"${current('reports')}>Reports</a>
<a href="/openapi.json">API</a>
</nav>
<button type="button" class="live" id="live" aria-pressed="true" data-state="waiting" aria-label="Live updates" hidden><i aria-hidden="true">●</i> Live</button>
</div></header>
<main id="content">
${page.crumbs.length === 0 ? '' : html`<nav aria-label="Breadcrumb"><ol class="crumbs">${page.crumbs.map((crumb) => html`<li><a href="${crumb.href}">${crumb.text}</a></li>`)}</ol></nav>`}
${page.body}
</main>
<footer><p>All times are UTC. Days are calendar days in the time zone of their DAG.</p></footer>
<script>${raw(SCRIPT)}</script>
</body>
</html>`;
}
