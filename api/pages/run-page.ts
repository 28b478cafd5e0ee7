/** One run -> its page: state, tasks by group with what each did, reports, and what can be done about it. */
import { html, raw } from 'hono/html';
import type { Dag, DagRun, TaskInstance } from '../../core/types.ts';
import { isFinal } from '../../scheduler/task-state.ts';
import type { ReportSummary } from '../ports.ts';
import { type Html, layout } from './layout.ts';
import { triggeredBy } from './run-table.ts';
import { taskFacts } from './task-facts.ts';
import {
  dagHref,
  elapsed,
  instant,
  intervalWords,
  logHref,
  plural,
  runBadge,
  runHref,
  runReportHref,
  taskBadge,
  taskWords,
  verdictBadge,
} from './words.ts';

export interface RunView {
  readonly run: DagRun;
  readonly dag: Dag;
  /** In the order of the DAG's tasks. */
  readonly instances: readonly TaskInstance[];
  readonly reports: readonly ReportSummary[];
  readonly nowMs: number;
}

export function runPage(view: RunView): Html {
  const { run, dag, instances, nowMs } = view;
  const days = intervalWords(run.interval, dag.timezone);
  const place = `dag_id=${encodeURIComponent(run.dagId)}&run_id=${encodeURIComponent(run.runId)}`;
  return layout({
    title: `${days} · ${dag.id}`,
    section: null,
    crumbs: [
      { text: 'Overview', href: '/' },
      { text: dag.id, href: dagHref(dag.id) },
    ],
    events: `/api/assay/v1/events?${place}`,
    body: html`<div class="head"><div><h1>Run for ${days}</h1><p class="muted mono">${run.runId}</p></div>
<div class="actions" id="actions" data-live>${actions(view)}</div></div>
<div id="run-facts" data-live>
<p role="status">${runBadge(run.state)} <span class="muted">${progressWords(instances)}</span></p>
<dl class="strip">
<div><dt>Started</dt><dd>${instant(run.startedAtMs)}</dd></div>
<div><dt>Ended</dt><dd>${instant(run.endedAtMs)}</dd></div>
<div><dt>Took</dt><dd>${elapsed(run.startedAtMs, run.endedAtMs, nowMs)}</dd></div>
<div><dt>Asked for by</dt><dd>${triggeredBy(run)}</dd></div>
${run.note === null ? '' : html`<div><dt>Note</dt><dd>${run.note}</dd></div>`}
${Object.keys(run.conf).length === 0 ? '' : html`<div><dt>Conf</dt><dd><code>${JSON.stringify(run.conf)}</code></dd></div>`}
</dl></div>
<section aria-labelledby="reports"><h2 id="reports">Reports</h2><div id="run-reports" data-live>${reportLinks(view)}</div></section>
<section aria-labelledby="tasks"><h2 id="tasks">Tasks</h2>
<div class="scroll" role="region" aria-label="Tasks" tabindex="0"><div id="run-tasks" data-live>${taskTable(view)}</div></div></section>`,
  });
}

function actions({ run, instances }: RunView): Html | string {
  if (run.state === 'queued' || run.state === 'running') {
    return html`<details class="ask" id="cancel"><summary id="cancel-ask">Cancel run…</summary><div>
<p>Running tasks are stopped, waiting ones skipped, and the run ends as failed. What readers see stays as it is.</p>
<form method="post" action="${runHref(run)}/cancel"><button class="danger" id="cancel-now">Cancel this run</button></form></div></details>`;
  }
  const failed = instances.filter((instance) => instance.state === 'failed' || instance.state === 'upstream_failed');
  if (failed.length === 0) return '';
  return html`<form method="post" action="${runHref(run)}/clear"><button class="primary" id="clear-failed">Run ${plural(failed.length, 'failed task')} again</button></form>`;
}

function progressWords(instances: readonly TaskInstance[]): string {
  const done = instances.filter((instance) => isFinal(instance.state)).length;
  return `${done} of ${plural(instances.length, 'task')} done`;
}

function reportLinks({ run, reports }: RunView): Html {
  if (reports.length === 0) {
    return html`<p class="muted">None yet: a report is written when a layer has been validated.</p>`;
  }
  const decision = (report: ReportSummary): string => {
    if (report.blockedBy.length === 0) return '';
    return `${report.mayPublish ? 'published in spite of' : 'blocked by'} ${report.blockedBy.join(', ')}`;
  };
  return html`<ul class="plain">${reports.map(
    (report) =>
      html`<li>${verdictBadge(report.verdict)} <a href="${runReportHref(run, report.name)}">${report.name}</a> <span class="muted">${decision(report)}</span></li>`,
  )}</ul>`;
}

function taskTable({ dag, instances, nowMs }: RunView): Html {
  const groupOf = new Map(dag.tasks.map((task) => [task.id, task.group]));
  const bodies: Html[] = [];
  let open: { group: string | null; rows: TaskInstance[] } | null = null;
  const close = (): void => {
    if (open) bodies.push(taskBody(open.group, open.rows, dag, nowMs));
  };
  for (const instance of instances) {
    const group = groupOf.get(instance.taskId) ?? null;
    if (open && open.group === group) open.rows.push(instance);
    else {
      close();
      open = { group, rows: [instance] };
    }
  }
  close();
  return html`<table class="stack" aria-label="Tasks"><thead><tr><th scope="col">Task</th><th scope="col" class="wide">Kind</th><th scope="col">State</th><th scope="col">What it did</th>
<th scope="col" class="number">Took</th><th scope="col" class="wide">Started</th><th scope="col">Log</th></tr></thead>${bodies}</table>`;
}

function taskBody(group: string | null, rows: readonly TaskInstance[], dag: Dag, nowMs: number): Html {
  const head =
    group === null
      ? ''
      : html`<tr class="group"><th scope="rowgroup" colspan="7">${group} <span class="muted">${groupWords(rows)}</span></th></tr>`;
  return html`<tbody>${head}${rows.map((instance) => taskRow(instance, group, dag, nowMs))}</tbody>`;
}

/** `3 success, 1 failed`, in the order in which the states appear. */
function groupWords(rows: readonly TaskInstance[]): string {
  const counts = new Map<string, number>();
  for (const { state } of rows) counts.set(taskWords(state), (counts.get(taskWords(state)) ?? 0) + 1);
  return [...counts].map(([words, count]) => `${count} ${words}`).join(', ');
}

function taskRow(instance: TaskInstance, group: string | null, dag: Dag, nowMs: number): Html {
  const kind = dag.tasks.find((task) => task.id === instance.taskId)?.kind;
  const name = group === null ? instance.taskId : instance.taskId.slice(group.length + 1);
  const isRunning = instance.state === 'running';
  const tries = Array.from({ length: instance.tryNumber }, (_, index) => index + 1);
  const hasTime = isRunning || instance.endedAtMs !== null;
  return html`<tr${group === null ? '' : raw(' class="member"')}><th scope="row">${name}</th><td class="wide">${kind}</td>
<td>${taskBadge(instance.state)}</td><td class="words">${taskFacts(instance)}</td>
<td class="number${hasTime ? '' : ' none'}">${hasTime ? elapsed(instance.startedAtMs, instance.endedAtMs, nowMs) : '–'}</td>
<td class="time wide">${instant(instance.startedAtMs)}</td>
<td class="time${tries.length === 0 ? ' none' : ''}">${tries.length === 0 ? '–' : tries.map((tryNumber) => html`<a href="${logHref(instance, instance.taskId, tryNumber)}"><span class="sr">Log of ${instance.taskId}, </span>try ${tryNumber}</a> `)}</td></tr>`;
}
