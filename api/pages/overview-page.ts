/** DAGs, runs, reports and publications -> the first page: what needs a look, what runs, what readers see. */
import { html } from 'hono/html';
import { DAY_MS, dayOf } from '../../core/partition.ts';
import type { Dag, DagRun } from '../../core/types.ts';
import type { DagSummary } from '../../scheduler/control.ts';
import type { PipelineIssue, PublicationSummary, ReportSummary } from '../ports.ts';
import { scheduleInWords } from '../schedule-words.ts';
import { type Html, layout } from './layout.ts';
import { reportTable } from './report-table.ts';
import { runTable } from './run-table.ts';
import {
  bytes,
  dagHref,
  historyCell,
  instant,
  intervalWords,
  pausedBadge,
  plural,
  reportHref,
  runBadge,
  runHref,
  verdictBadge,
} from './words.ts';

export interface Overview {
  readonly dags: readonly { readonly summary: DagSummary; readonly lastRuns: readonly DagRun[] }[];
  readonly recentRuns: readonly DagRun[];
  readonly reports: readonly ReportSummary[];
  /** What readers see now, by layer. */
  readonly current: readonly PublicationSummary[];
  readonly issues: readonly PipelineIssue[];
  readonly nowMs: number;
}

export function overviewPage(overview: Overview): Html {
  const { dags, recentRuns, reports, current, nowMs } = overview;
  const byId = new Map(dags.map(({ summary }) => [summary.dag.id, summary.dag]));
  return layout({
    title: 'Overview',
    section: 'overview',
    crumbs: [],
    events: '/api/assay/v1/events',
    body: html`<h1>Overview</h1>
<div id="attention" data-live>${attention(overview)}</div>
<section aria-labelledby="dags"><h2 id="dags">DAGs</h2>
${dags.length === 0 ? html`<p class="card empty">No DAGs yet. A folder below specs/ with a pipeline.yml makes one.</p>` : html`<div class="cards">${dags.map((entry) => dagCard(entry.summary, entry.lastRuns, nowMs))}</div>`}
</section>
<section aria-labelledby="recent"><h2 id="recent">Recent runs</h2>
${runTable({ id: 'recent-runs', label: 'Recent runs', runs: recentRuns, dags: byId, nowMs, withDag: true })}
</section>
<div class="columns">
<section aria-labelledby="reports"><h2 id="reports">Validation reports</h2>${reportTable(reports)}</section>
<section aria-labelledby="publications"><h2 id="publications">What readers see</h2>${publicationTable(current, byId)}</section>
</div>`,
  });
}

/** Faults that keep specs from compiling, last runs that failed, reports that block: nothing where all is well. */
function attention({ dags, reports, issues }: Overview): Html | string {
  const errors = issues.filter(({ issue }) => issue.severity === 'error');
  const failed = dags.flatMap(({ lastRuns: [last], summary }) =>
    last?.state === 'failed' ? [{ run: last, dag: summary.dag }] : [],
  );
  const blocked = reports.filter((report) => !report.mayPublish);
  if (errors.length + failed.length + blocked.length === 0) return '';
  return html`<section class="alert" aria-labelledby="needs"><h2 id="needs" class="sr">Needs a look</h2><strong aria-hidden="true">Needs a look</strong><ul>
${errors.map(({ issue }) => html`<li>Spec fault at <code>${issue.location.file}:${issue.location.line}:${issue.location.column}</code>: ${issue.message}</li>`)}
${failed.map(({ run, dag }) => html`<li>The last run of ${dag.id} failed: <a href="${runHref(run)}">${intervalWords(run.interval, dag.timezone)}</a></li>`)}
${blocked.map((report) => html`<li><a href="${reportHref(report)}">${report.name}</a> of ${report.pipeline} blocks publishing ${report.layer} for ${report.interval.from}${report.interval.to === report.interval.from ? '' : ` to ${report.interval.to}`}</li>`)}
</ul></section>`;
}

function dagCard(summary: DagSummary, lastRuns: readonly DagRun[], nowMs: number): Html {
  const { dag, isPaused, next } = summary;
  const [last] = lastRuns;
  const nextRun = next
    ? html`${instant(next.runAfterMs)} for ${intervalWords(next.interval, dag.timezone)}${isPaused ? ', when resumed' : ''}`
    : '–';
  return html`<article class="card" aria-labelledby="dag-${dag.id}">
<div class="head"><div><h3 id="dag-${dag.id}"><a href="${dagHref(dag.id)}">${dag.id}</a></h3>
<p class="muted note">${dag.description}</p></div>
<div id="state-${dag.id}" data-live>${pausedBadge(isPaused)}</div></div>
<dl class="facts" id="facts-${dag.id}" data-live>
<dt>Schedule</dt><dd>${scheduleInWords(dag.schedule)}</dd>
<dt>Next run</dt><dd>${nextRun}</dd>
<dt>Last run</dt><dd>${last ? html`${runBadge(last.state)} <a href="${runHref(last)}">${intervalWords(last.interval, dag.timezone)}</a>` : 'never'}</dd>
</dl>
<div id="history-${dag.id}" data-live>${lastRuns.length === 0 ? '' : html`<ol class="history" aria-label="Last runs, oldest first">${[...lastRuns].reverse().map((run) => historyCell(run, intervalWords(run.interval, dag.timezone)))}</ol>`}</div>
<div class="actions">${triggerForm(dag, nowMs)}<div id="pause-${dag.id}" data-live>${pauseForm(summary)}</div></div>
</article>`;
}

/** Yesterday in the DAG's zone is what a person most often wants to run. */
export function triggerForm(dag: Dag, nowMs: number): Html {
  return html`<form method="post" action="${dagHref(dag.id)}/trigger">
<div><label for="date-${dag.id}">Day<span class="sr"> for ${dag.id}</span></label>
<input type="date" name="date" id="date-${dag.id}" value="${dayOf(nowMs - DAY_MS, dag.timezone)}" required></div>
<button class="primary">Trigger run<span class="sr"> of ${dag.id}</span></button></form>`;
}

export function pauseForm({ dag, isPaused }: DagSummary): Html {
  return html`<form method="post" action="${dagHref(dag.id)}/pause">
<input type="hidden" name="paused" value="${isPaused ? 'false' : 'true'}">
<button id="toggle-${dag.id}">${isPaused ? 'Resume' : 'Pause'}<span class="sr"> ${dag.id}</span></button></form>`;
}

function publicationTable(current: readonly PublicationSummary[], dags: ReadonlyMap<string, Dag>): Html {
  const row = (publication: PublicationSummary): Html => {
    const rows = publication.tables.reduce((sum, table) => sum + table.rows, 0);
    const size = publication.tables.reduce((sum, table) => sum + table.sizeBytes, 0);
    return html`<tr><th scope="row">${publication.layer} ${publication.sequence} <span class="muted">${publication.pipeline}</span></th>
<td>${publication.verdict ? verdictBadge(publication.verdict) : '–'}</td>
<td class="time"><a href="${runHref(publication)}">${intervalWords(publication.interval, dags.get(publication.dagId)?.timezone ?? 'UTC')}</a></td>
<td class="number" title="${plural(publication.tables.length, 'table')}, ${bytes(size)}">${plural(rows, 'row')}</td></tr>`;
  };
  return html`<div class="scroll" role="region" aria-label="What readers see" tabindex="0"><div id="current-publications" data-live>
${
  current.length === 0
    ? html`<p class="empty">Nothing is published yet. A run publishes each layer that passes its gate.</p>`
    : html`<table class="stack" aria-label="What readers see"><thead><tr><th scope="col">Layer and version</th><th scope="col">Verdict</th><th scope="col">Run for</th><th scope="col" class="number">Holds</th></tr></thead>
<tbody>${current.map(row)}</tbody></table>`
}
</div></div>`;
}
