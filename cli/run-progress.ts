/** Scheduler events -> a live task tree on a terminal, or one line per state change elsewhere. */

import { counted } from '../core/counted.ts';
import type { Clock } from '../core/ports.ts';
import { TASK_LOOKS, type Tone } from '../core/state-words.ts';
import type { Dag, DagRun, TaskInstance } from '../core/types.ts';
import type { SchedulerEvent } from '../scheduler/control.ts';
import { ENDED, factOf, number, seconds } from './task-words.ts';

interface RunView {
  readonly dag: Dag;
  run: DagRun;
  readonly instances: Map<string, TaskInstance>;
}

export interface ProgressOptions {
  readonly dags: ReadonlyMap<string, Dag>;
  readonly clock: Clock;
  readonly out: NodeJS.WriteStream;
  readonly live: boolean;
  readonly colour: boolean;
}

/** Follows every run that it is told of; `stop` leaves the last picture standing. */
export class RunProgress {
  readonly #options: ProgressOptions;
  readonly #runs = new Map<string, RunView>();
  readonly #timer: NodeJS.Timeout | null;
  #drawnLines = 0;
  #dirty = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#timer = options.live ? setInterval(() => this.#draw(true), 100) : null;
    this.#timer?.unref();
  }

  readonly onEvent = (event: SchedulerEvent): void => {
    switch (event.kind) {
      case 'run':
        this.#onRun(event.run);
        break;
      case 'task':
        this.#onTask(event.instance);
        break;
      case 'progress':
        break;
      default:
        event satisfies never;
    }
  };

  /** A run that an earlier process began and this one goes on with. Its tasks are told by `onEvent`, or by `know`. */
  takeUp(run: DagRun): void {
    const key = `${run.dagId}/${run.runId}`;
    const dag = this.#options.dags.get(run.dagId);
    if (!dag || this.#runs.has(key)) return;
    this.#runs.set(key, { dag, run, instances: new Map() });
    this.#dirty = true;
    if (!this.#options.live) this.#line(`${run.dagId}  ${run.runId}  ${run.state}, taken up where it stopped`);
  }

  /** Where a task stands that no event has told of yet; one that is over needs no line. */
  know(instance: TaskInstance): void {
    const view = this.#runs.get(`${instance.dagId}/${instance.runId}`);
    if (!view || view.instances.has(instance.taskId)) return;
    if (ENDED.has(instance.state)) view.instances.set(instance.taskId, instance);
    else this.#onTask(instance);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    if (this.#options.live) this.#draw(false);
  }

  #onRun(run: DagRun): void {
    const key = `${run.dagId}/${run.runId}`;
    const known = this.#runs.get(key);
    const dag = this.#options.dags.get(run.dagId);
    if (!dag) return;
    const before = known?.run.state;
    if (known) known.run = run;
    else this.#runs.set(key, { dag, run, instances: new Map() });
    this.#dirty = true;
    if (!this.#options.live && before !== run.state) this.#line(`${run.dagId}  ${run.runId}  ${run.state}`);
  }

  #onTask(instance: TaskInstance): void {
    const view = this.#runs.get(`${instance.dagId}/${instance.runId}`);
    if (!view) return;
    const before = view.instances.get(instance.taskId);
    view.instances.set(instance.taskId, instance);
    this.#dirty = true;
    if (this.#options.live || before?.state === instance.state) return;
    if (['none', 'scheduled', 'queued'].includes(instance.state)) return;
    const fact = factOf(instance);
    const took =
      ENDED.has(instance.state) && instance.startedAtMs !== null && instance.endedAtMs !== null
        ? `  ${seconds(instance.endedAtMs - instance.startedAtMs)}`
        : '';
    this.#line(`${instance.dagId}  ${instance.taskId}  ${instance.state}${took}${fact ? `  ${fact}` : ''}`);
  }

  #line(text: string): void {
    this.#options.out.write(`${text}\n`);
  }

  #draw(partial: boolean): void {
    if (!this.#dirty && partial && ![...this.#runs.values()].some((view) => view.run.state === 'running')) return;
    this.#dirty = false;
    const { out, clock, colour } = this.#options;
    const width = Math.max(40, out.columns ?? 100);
    const all = [...this.#runs.values()].flatMap((view) => renderTree(view, clock.now()));
    const height = Math.max(5, (out.rows ?? 40) - 1);
    const lines = (partial && all.length > height ? all.slice(-height) : all).map((line) => cut(line, width));
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : '';
    out.write(`${up}\u001b[0J${lines.map((line) => (colour ? paint(line) : line)).join('\n')}\n`);
    this.#drawnLines = partial ? lines.length : 0;
  }
}

/** Groups are one line with their members below while they run or where one failed. */
export function renderTree(
  view: { dag: Dag; run: DagRun; instances: ReadonlyMap<string, TaskInstance> },
  nowMs: number,
): string[] {
  const { dag, run, instances } = view;
  const took = run.startedAtMs === null ? '' : `  ${seconds((run.endedAtMs ?? nowMs) - run.startedAtMs)}`;
  const lines = [`${dag.id}  ${run.runId}  ${run.state}${took}`];
  const shown = new Set<string>();
  for (const task of dag.tasks) {
    const instance = instances.get(task.id);
    if (task.group === null) {
      if (instance) lines.push(`  ${taskLine(instance, task.id, nowMs)}`);
      continue;
    }
    if (shown.has(task.group)) continue;
    shown.add(task.group);
    lines.push(...groupLines(task.group, dag, instances, nowMs));
  }
  return lines;
}

function groupLines(group: string, dag: Dag, instances: ReadonlyMap<string, TaskInstance>, nowMs: number): string[] {
  const members = dag.tasks.filter((task) => task.group === group);
  const known = members.flatMap((task) => instances.get(task.id) ?? []);
  const ended = known.filter((instance) => ENDED.has(instance.state));
  const failed = known.filter((instance) => ['failed', 'upstream_failed'].includes(instance.state));
  const started = known.filter((instance) => !['none', 'scheduled'].includes(instance.state));
  const state =
    failed.length > 0
      ? 'failed'
      : ended.length === members.length
        ? (known[0]?.state ?? 'none')
        : started.length > 0
          ? 'running'
          : 'none';
  const rows = known.reduce((sum, i) => sum + (i.output?.kind === 'staged' ? i.output.staged.account.output : 0), 0);
  const held = known.reduce(
    (sum, i) => sum + (i.output?.kind === 'staged' ? i.output.staged.account.quarantined : 0),
    0,
  );
  const fact = rows > 0 ? `  ${counted(rows, 'row')}${held > 0 ? `, ${number(held)} quarantined` : ''}` : '';
  const head = `  ${TASK_LOOKS[state].glyph} ${group}  ${ended.length}/${members.length}${fact}`;
  if (state !== 'running' && state !== 'failed') return [head];
  const open = known.filter((instance) => !['none', 'scheduled'].includes(instance.state));
  return [
    head,
    ...open.map((instance) => `      ${taskLine(instance, instance.taskId.slice(group.length + 1), nowMs)}`),
  ];
}

function taskLine(instance: TaskInstance, name: string, nowMs: number): string {
  const took =
    instance.startedAtMs === null ? '' : `  ${seconds((instance.endedAtMs ?? nowMs) - instance.startedAtMs)}`;
  const tries = instance.tryNumber > 1 ? `  try ${instance.tryNumber}` : '';
  const fact = factOf(instance);
  return `${TASK_LOOKS[instance.state].glyph} ${name}${took}${tries}${fact ? `  ${fact}` : ''}`;
}

function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

/** Codes of ANSI terminals. */
const COLOURS: Readonly<Record<Tone, number>> = { good: 32, bad: 31, busy: 36, warn: 33, quiet: 2 };
const COLOUR_OF_GLYPH = new Map(Object.values(TASK_LOOKS).map(({ glyph, tone }) => [glyph, COLOURS[tone]]));

function paint(line: string): string {
  const [, indent = '', glyph = '', rest = ''] = /^(\s*)(\S)(.*)$/.exec(line) ?? [];
  const colour = COLOUR_OF_GLYPH.get(glyph);
  if (colour !== undefined) return `${indent}\u001b[${colour}m${glyph}\u001b[0m${rest}`;
  return line.startsWith(' ') ? line : `\u001b[1m${line}\u001b[0m`;
}
