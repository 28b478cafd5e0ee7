/** Report summaries -> the table that overview and the page of reports show. */
import { html } from 'hono/html';
import type { ReportSummary } from '../ports.ts';
import type { Html } from './layout.ts';
import { reportHref, verdictBadge } from './words.ts';

export function reportTable(reports: readonly ReportSummary[]): Html {
  const row = (report: ReportSummary): Html => html`<tr>
<th scope="row"><a href="${reportHref(report)}">${report.name}</a> <span class="muted">${report.pipeline}</span></th>
<td>${verdictBadge(report.verdict)}</td>
<td class="wide">${report.mayPublish ? 'open' : 'closed'}</td>
<td class="time">${report.interval.from}${report.interval.to === report.interval.from ? '' : html` to ${report.interval.to}`}</td>
</tr>`;
  return html`<div class="scroll" role="region" aria-label="Validation reports" tabindex="0"><div id="report-list" data-live>
${
  reports.length === 0
    ? html`<p class="empty">No reports yet. A run writes one for each layer that it validates.</p>`
    : html`<table class="stack" aria-label="Validation reports"><thead><tr><th scope="col">Report</th><th scope="col">Verdict</th><th scope="col" class="wide">Gate</th><th scope="col">Days</th></tr></thead>
<tbody>${reports.map(row)}</tbody></table>`
}
</div></div>`;
}
