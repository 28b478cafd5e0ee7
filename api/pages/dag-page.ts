/** One DAG -> its page: schedule, runs, tasks in order. */
import { html } from 'hono/html';
import type { DagRun, Task } from '../../core/types.ts';
import type { DagSummary } from '../../scheduler/control.ts';
import { scheduleInWords } from '../schedule-words.ts';
import { type Html, layout } from './layout.ts';
import { pauseForm, triggerForm } from './overview-page.ts';
import { runTable } from './run-table.ts';
import { dagHref, instant, intervalWords, pausedBadge, plural } from './words.ts';

export interface DagView {
  readonly summary: DagSummary;
  /** One page of runs, newest first. */
  readonly runs: readonly DagRun[];
  readonly totalRuns: number;
  readonly offset: number;
  readonly pageSize: number;
  readonly nowMs: number;
}

export function dagPage(view: DagView): Html {
  const { summary, runs, totalRuns, nowMs } = view;
  const { dag, isPaused, next } = summary;
  return layout({
    title: dag.id,
    section: null,
    crumbs: [{ text: 'Overview', href: '/' }],
    events: `/api/assay/v1/events?dag_id=${encodeURIComponent(dag.id)}`,
    body: html`<div class="head"><div><h1>${dag.id}</h1><p class="muted">${dag.description}</p></div>
<div class="actions">${triggerForm(dag, nowMs)}<div id="pause" data-live>${pauseForm(summary)}</div></div></div>
<dl class="strip" id="facts" data-live>
<div><dt>State</dt><dd>${pausedBadge(isPaused)}</dd></div>
<div><dt>Schedule</dt><dd>${scheduleInWords(dag.schedule)}</dd></div>
<div><dt>Next run</dt><dd>${next ? html`${instant(next.runAfterMs)} for ${intervalWords(next.interval, dag.timezone)}` : '–'}</dd></div>
<div><dt>Owner</dt><dd>${dag.owner}</dd></div>
<div><dt>Declared in</dt><dd><code>${dag.sourceFile}</code></dd></div>
</dl>
<section aria-labelledby="runs"><h2 id="runs">Runs</h2>
${runTable({ id: 'dag-runs', label: `Runs of ${dag.id}`, runs, dags: new Map([[dag.id, dag]]), nowMs, withDag: false })}
${pager(view, totalRuns)}
</section>
<section aria-labelledby="tasks"><h2 id="tasks">Tasks</h2>
<div class="scroll" role="region" aria-label="Tasks" tabindex="0"><table class="stack" aria-label="Tasks"><thead><tr><th scope="col">Task</th><th scope="col">Kind</th><th scope="col">After</th><th scope="col" class="wide">Runs when</th></tr></thead>
<tbody>${dag.tasks.map(taskRow)}</tbody></table></div></section>`,
  });
}

const taskRow = (task: Task): Html => html`<tr><th scope="row">${task.id}</th>
<td>${task.kind}${task.layer ? ` ${task.layer}` : ''}</td>
<td class="words">${task.upstream.length > 4 ? plural(task.upstream.length, 'task') : task.upstream.join(', ') || '–'}</td>
<td class="wide">${task.triggerRule.replaceAll('_', ' ')}</td></tr>`;

function pager({ summary, offset, pageSize }: DagView, total: number): Html | string {
  if (total <= pageSize) return '';
  const href = (to: number): string => `${dagHref(summary.dag.id)}?offset=${to}`;
  return html`<nav aria-label="Pages of runs"><p class="note">
${offset > 0 ? html`<a href="${href(Math.max(0, offset - pageSize))}">Newer runs</a> · ` : ''}
${offset + 1} to ${Math.min(total, offset + pageSize)} of ${total}
${offset + pageSize < total ? html` · <a href="${href(offset + pageSize)}">Older runs</a>` : ''}</p></nav>`;
}
