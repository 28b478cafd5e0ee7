/** Reports -> the page that lists them, and the page of one, rendered from its Markdown. */
import { html } from 'hono/html';
import type { ReportSelector, ReportSummary } from '../ports.ts';
import { type Html, layout } from './layout.ts';
import { renderMarkdownHtml } from './markdown-html.ts';
import { reportTable } from './report-table.ts';
import { dagHref, runHref } from './words.ts';

export function reportsPage(reports: readonly ReportSummary[]): Html {
  return layout({
    title: 'Reports',
    section: 'reports',
    crumbs: [{ text: 'Overview', href: '/' }],
    events: '/api/assay/v1/events',
    body: html`<h1>Validation reports</h1>
<p class="muted">The newest of each layer. Older ones are on the pages of their runs.</p>
${reportTable(reports)}`,
  });
}

/** The report brings its own first heading. */
export function reportPage(selector: ReportSelector, markdown: string): Html {
  const { name, pipeline, run } = selector;
  return layout({
    title: name,
    section: 'reports',
    crumbs: run
      ? [
          { text: 'Overview', href: '/' },
          { text: run.dagId, href: dagHref(run.dagId) },
          { text: run.runId, href: runHref(run) },
        ]
      : [
          { text: 'Overview', href: '/' },
          { text: 'Reports', href: '/reports' },
        ],
    events: null,
    body: html`<article class="report" aria-label="${name}">${renderMarkdownHtml(markdown)}</article>
<p class="note"><a href="${apiHref(name, pipeline, run)}format=md">Markdown</a> · <a href="${apiHref(name, pipeline, run)}format=json">Results as JSON</a></p>`,
  });
}

function apiHref(name: string, pipeline: string | null, run: ReportSelector['run']): string {
  const segment = encodeURIComponent;
  if (run) return `/api/assay/v1/runs/${segment(run.dagId)}/${segment(run.runId)}/reports/${segment(name)}?`;
  return `/api/assay/v1/reports/${segment(name)}?${pipeline === null ? '' : `pipeline=${segment(pipeline)}&`}`;
}
