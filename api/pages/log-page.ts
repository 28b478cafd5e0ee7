/** The log of one attempt -> its page; the newest lines where there are very many. */
import { html, raw } from 'hono/html';
import type { Dag, DagRun, TaskInstance } from '../../core/types.ts';
import type { LogLine } from '../../scheduler/control.ts';
import { type Html, layout } from './layout.ts';
import { dagHref, elapsed, intervalWords, logHref, number, runHref, taskBadge } from './words.ts';

/** More lines than a person reads and a browser likes; the rest is one download away. */
const MAX_LINES = 2000;

export interface LogView {
  readonly run: DagRun;
  readonly dag: Dag;
  readonly instance: TaskInstance;
  readonly tryNumber: number;
  readonly lines: readonly LogLine[];
  readonly nowMs: number;
}

export function logPage(view: LogView): Html {
  const { run, dag, instance, tryNumber, lines, nowMs } = view;
  const isLatest = tryNumber === instance.tryNumber;
  const place = `dag_id=${encodeURIComponent(run.dagId)}&run_id=${encodeURIComponent(run.runId)}`;
  const download = `/api/v2${dagHref(run.dagId)}/dagRuns/${encodeURIComponent(run.runId)}/taskInstances/${encodeURIComponent(instance.taskId)}/logs/${tryNumber}`;
  const tries = Array.from({ length: instance.tryNumber }, (_, index) => index + 1);
  return layout({
    title: `${instance.taskId}, try ${tryNumber}`,
    section: null,
    crumbs: [
      { text: 'Overview', href: '/' },
      { text: dag.id, href: dagHref(dag.id) },
      { text: intervalWords(run.interval, dag.timezone), href: runHref(run) },
    ],
    events: `/api/assay/v1/events?${place}`,
    body: html`<h1>${instance.taskId}</h1>
<div id="log-facts" data-live><p>${isLatest ? html`${taskBadge(instance.state)} ` : ''}try ${tryNumber} of ${instance.tryNumber}${isLatest && instance.startedAtMs !== null ? html`, ${elapsed(instance.startedAtMs, instance.endedAtMs, nowMs)}` : ''}</p>
${isLatest && instance.error && instance.state !== 'success' ? html`<p class="error"><strong>${instance.error.code}</strong>: ${instance.error.message}</p>` : ''}
${tries.length > 1 ? html`<nav aria-label="Tries"><p>${tries.map((n) => (n === tryNumber ? html`<strong aria-current="page">try ${n}</strong> ` : html`<a href="${logHref(run, instance.taskId, n)}">try ${n}</a> `))}</p></nav>` : ''}</div>
<h2>Log <a class="note" href="${download}">as JSON</a></h2>
<div class="card log mono" role="region" aria-label="Log lines" tabindex="0"><div id="log-lines" data-live>
${lines.length > MAX_LINES ? html`<p class="muted">The last ${number(MAX_LINES)} of ${number(lines.length)} lines.</p>` : ''}
${lines.length === 0 ? html`<p class="muted">This try wrote nothing${isLatest && instance.state === 'running' ? ' yet' : ''}.</p>` : html`<ol>${lines.slice(-MAX_LINES).map(logLine)}</ol>`}
</div></div>`,
  });
}

function logLine(line: LogLine): Html {
  const { timestamp, level, event, ...fields } = line;
  const tone = level === 'error' || level === 'warn' ? raw(` class="${level}-line"`) : '';
  const rest = Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  return html`<li${tone}><span class="when">${timestamp.slice(11, 23)}</span> ${level.padEnd(5)} ${event}${rest === '' ? '' : html` <span class="fields">${rest}</span>`}</li>`;
}
