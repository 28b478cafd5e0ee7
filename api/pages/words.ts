/** Values -> the words and little pieces of HTML in which every page writes them: states, times, intervals, links. */
import { html } from 'hono/html';
import { DAY_MS, daysOfInterval, isoInstant, startOfDay } from '../../core/partition.ts';
import { type Look, RUN_LOOKS, TASK_LOOKS, VERDICT_LOOKS } from '../../core/state-words.ts';
import type { DagRun, Interval, RunState, TaskState, Verdict } from '../../core/types.ts';
import type { Html } from './layout.ts';

const badge = ({ glyph, words, tone }: Look): Html =>
  html`<span class="badge ${tone}"><i aria-hidden="true">${glyph}</i>${words}</span>`;

export const taskBadge = (state: TaskState): Html => badge(TASK_LOOKS[state]);
export const runBadge = (state: RunState): Html => badge(RUN_LOOKS[state]);
export const verdictBadge = (verdict: Verdict): Html => badge(VERDICT_LOOKS[verdict]);
export const pausedBadge = (isPaused: boolean): Html =>
  badge(isPaused ? { glyph: '‖', words: 'paused', tone: 'warn' } : { glyph: '●', words: 'active', tone: 'good' });

export const taskWords = (state: TaskState): string => TASK_LOOKS[state].words;

/** One cell of a history: the glyph to see, the words to hear and to hover. */
export function historyCell(run: DagRun, interval: string): Html {
  const { glyph, words, tone } = RUN_LOOKS[run.state];
  return html`<li><a class="${tone}" href="${runHref(run)}" title="${interval}: ${words}"><i aria-hidden="true">${glyph}</i><span class="sr">${interval}: ${words}</span></a></li>`;
}

// ------------------------------------------------------------------ time

/** `2025-10-15 06:00:02`, UTC. */
export function instant(ms: number | null): Html | string {
  if (ms === null) return '–';
  const iso = isoInstant(ms);
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)}</time>`;
}

/** `870 ms`, `12.4 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

/** From start to end, or to now; marked as still counting where there is no end. */
export function elapsed(startMs: number | null, endMs: number | null, nowMs: number): Html | string {
  if (startMs === null) return '–';
  if (endMs !== null) return duration(endMs - startMs);
  return html`<span data-running>${duration(nowMs - startMs)}</span>`;
}

/** Whole days as days (`2025-10-15`, `2025-10-08 to 2025-10-17`), anything else as instants. */
export function intervalWords(interval: Interval, timezone: string): string {
  const { first, last } = daysOfInterval(interval, timezone);
  const isWholeDays =
    interval.endMs > interval.startMs &&
    interval.startMs === startOfDay(first, timezone) &&
    interval.endMs === startOfDay(dayAfter(last), timezone);
  if (isWholeDays) return first === last ? first : `${first} to ${last}`;
  const text = (ms: number): string => isoInstant(ms).slice(0, 16).replace('T', ' ');
  return `${text(interval.startMs)} to ${text(interval.endMs)}`;
}

function dayAfter(day: string): string {
  return isoInstant(Date.parse(`${day}T00:00:00Z`) + DAY_MS).slice(0, 10);
}

// ------------------------------------------------------------------ numbers and addresses

export const number = (value: number): string => value.toLocaleString('en-US');

export const plural = (count: number, noun: string): string => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = count / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit] ?? ''}`;
}

const segment = encodeURIComponent;

export const dagHref = (dagId: string): string => `/dags/${segment(dagId)}`;

export const runHref = (run: { readonly dagId: string; readonly runId: string }): string =>
  `${dagHref(run.dagId)}/runs/${segment(run.runId)}`;

export const logHref = (
  run: { readonly dagId: string; readonly runId: string },
  taskId: string,
  tryNumber: number,
): string => `${runHref(run)}/tasks/${segment(taskId)}/logs/${tryNumber}`;

export const runReportHref = (run: { readonly dagId: string; readonly runId: string }, name: string): string =>
  `${runHref(run)}/reports/${segment(name)}`;

export const reportHref = (report: { readonly name: string; readonly pipeline: string }): string =>
  `/reports/${segment(report.name)}?pipeline=${segment(report.pipeline)}`;
