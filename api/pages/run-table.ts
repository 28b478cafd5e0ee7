/** Runs -> the table that overview and DAG page show. */
import { html } from 'hono/html';
import type { Dag, DagRun } from '../../core/types.ts';
import type { Html } from './layout.ts';
import { dagHref, elapsed, instant, intervalWords, runBadge, runHref } from './words.ts';

/** How Airflow's `triggered_by` reads to a person. */
const BY: Readonly<Record<DagRun['triggeredBy'], string>> = {
  cli: 'command line',
  rest_api: 'API',
  timetable: 'schedule',
  operator: 'another DAG',
  backfill: 'backfill',
  ui: 'this page',
  test: 'test',
};

export const triggeredBy = (run: DagRun): string => BY[run.triggeredBy];

export interface RunTable {
  readonly id: string;
  readonly label: string;
  readonly runs: readonly DagRun[];
  readonly dags: ReadonlyMap<string, Dag>;
  readonly nowMs: number;
  readonly withDag: boolean;
}

export function runTable({ id, label, runs, dags, nowMs, withDag }: RunTable): Html {
  const row = (run: DagRun): Html => html`<tr>
<th scope="row" class="time"><a href="${runHref(run)}">${intervalWords(run.interval, dags.get(run.dagId)?.timezone ?? 'UTC')}</a></th>
<td>${runBadge(run.state)}</td>
${withDag ? html`<td class="words"><a href="${dagHref(run.dagId)}">${run.dagId}</a></td>` : ''}
<td class="time wide">${instant(run.startedAtMs)}</td>
<td class="number${run.startedAtMs === null ? ' none' : ''}">${elapsed(run.startedAtMs, run.endedAtMs, nowMs)}</td>
<td class="wide">${triggeredBy(run)}</td>
</tr>`;
  const table = html`<table class="stack" aria-label="${label}"><thead><tr>
<th scope="col">Data of</th><th scope="col">State</th>${withDag ? html`<th scope="col">DAG</th>` : ''}
<th scope="col" class="wide">Started</th><th scope="col" class="number">Took</th><th scope="col" class="wide">Asked for by</th>
</tr></thead><tbody>${runs.map(row)}</tbody></table>`;
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><div id="${id}" data-live>
${runs.length === 0 ? html`<p class="empty">No runs yet. Trigger one above, or wait for the schedule.</p>` : table}
</div></div>`;
}
