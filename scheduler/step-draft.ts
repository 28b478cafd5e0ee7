/** The decisions of one step, laid over the runs as they are: written in one transaction, then made true in memory, or dropped. */
import type { DagRun, RunState, TaskInstance, TaskState } from '../core/types.ts';
import type { SchedulerEvent } from './control.ts';
import type { OpenRun, RunBook } from './run-book.ts';
import type { ClosedAttempt, OpenedAttempt, StoreChanges, StoreEvent } from './store/apply-changes.ts';
import type { DagVersion } from './store/run-store.ts';
import { isFinalRun } from './task-state.ts';

interface Moved<T, S> {
  readonly before: T;
  readonly path: readonly S[];
  readonly after: T;
}

type TaskPatch = Partial<Omit<TaskInstance, 'dagId' | 'runId' | 'taskId' | 'mapIndex' | 'uuid' | 'state'>>;

export class StepDraft {
  readonly nowMs: number;
  readonly #book: RunBook;
  readonly #created = new Set<OpenRun>();
  readonly #runs = new Map<OpenRun, Moved<DagRun, RunState>>();
  readonly #requeued = new Map<OpenRun, { readonly before: DagRun; readonly after: DagRun }>();
  readonly #tasks = new Map<OpenRun, Map<string, Moved<TaskInstance, TaskState>>>();
  readonly #cleared = new Map<OpenRun, Map<string, { readonly before: TaskInstance | null; after: TaskInstance }>>();
  readonly #versions = new Map<OpenRun, DagVersion>();
  readonly #opened: OpenedAttempt[] = [];
  readonly #closed: ClosedAttempt[] = [];
  readonly #cursors: { readonly dagId: string; readonly cursorMs: number }[] = [];
  readonly #events: StoreEvent[] = [];
  readonly #postponed = new Set<OpenRun>();
  #touched = new Set<OpenRun>();

  constructor(book: RunBook, nowMs: number) {
    this.#book = book;
    this.nowMs = nowMs;
  }

  // ---------------------------------------------------------------- reading through the draft

  run(open: OpenRun): DagRun {
    return this.#runs.get(open)?.after ?? this.#requeued.get(open)?.after ?? open.run;
  }

  /** @throws Error for a task that the run does not have */
  task(open: OpenRun, taskId: string): TaskInstance {
    return this.tasksOf(open)(taskId);
  }

  /** `task` for many tasks of one run; asked anew after each change, or it may miss one. */
  tasksOf(open: OpenRun): (taskId: string) => TaskInstance {
    const moved = this.#tasks.get(open);
    const cleared = this.#cleared.get(open);
    return (taskId) => {
      const instance = moved?.get(taskId)?.after ?? cleared?.get(taskId)?.after ?? open.instances.get(taskId);
      if (!instance) throw new Error(`run ${open.run.dagId}/${open.run.runId} has no task ${taskId}`);
      return instance;
    };
  }

  hasTask(open: OpenRun, taskId: string): boolean {
    return open.instances.has(taskId) || (this.#cleared.get(open)?.has(taskId) ?? false);
  }

  /** True where this draft starts or ends the run, which can then be cleared in the next one only. */
  hasMovedRun(open: OpenRun): boolean {
    return this.#runs.has(open);
  }

  /** Runs that are over by this draft. */
  endedRuns(): readonly OpenRun[] {
    return [...this.#runs.keys()].filter((open) => isFinalRun(this.run(open).state));
  }

  version(open: OpenRun): DagVersion {
    return this.#versions.get(open) ?? open;
  }

  /** Runs of the book and of this draft, in the order in which they start. */
  openRuns(): readonly OpenRun[] {
    const added = [...this.#created, ...this.#requeued.keys()].filter((open) => this.#book.get(open.run) !== open);
    return [...this.#book.list(), ...added];
  }

  findRun(of: { readonly dagId: string; readonly runId: string }): OpenRun | undefined {
    const isIt = ({ run }: OpenRun): boolean => run.dagId === of.dagId && run.runId === of.runId;
    return this.#book.get(of) ?? [...this.#created, ...this.#requeued.keys()].find(isIt);
  }

  // ---------------------------------------------------------------- deciding

  /** Adds states to a task's path; the patch holds at its end. */
  moveTask(open: OpenRun, taskId: string, path: readonly TaskState[], patch: TaskPatch): TaskInstance {
    const now = this.task(open, taskId);
    const state = path.at(-1) ?? now.state;
    const earlier = this.#tasks.get(open)?.get(taskId);
    const moved = {
      before: earlier?.before ?? now,
      path: [...(earlier?.path ?? []), ...path],
      after: { ...now, ...patch, state },
    };
    entryOf(this.#tasks, open).set(taskId, moved);
    this.touch(open);
    return moved.after;
  }

  moveRun(open: OpenRun, to: RunState, patch: Partial<Pick<DagRun, 'startedAtMs' | 'endedAtMs'>>): void {
    const now = this.run(open);
    const earlier = this.#runs.get(open);
    this.#runs.set(open, {
      before: earlier?.before ?? now,
      path: [...(earlier?.path ?? []), to],
      after: { ...now, ...patch, state: to },
    });
    this.touch(open);
  }

  createRun(open: OpenRun): void {
    this.#created.add(open);
    this.touch(open);
  }

  /** Only for runs and tasks that this draft has not moved yet. */
  requeueRun(open: OpenRun, after: DagRun, version: DagVersion): void {
    if (this.#runs.has(open)) throw new Error('a run is cleared before it is moved');
    this.#requeued.set(open, { before: open.run, after });
    this.#versions.set(open, version);
    this.touch(open);
  }

  clearTask(open: OpenRun, after: TaskInstance): void {
    if (this.#tasks.get(open)?.has(after.taskId)) throw new Error('a task is cleared before it is moved');
    const before = open.instances.get(after.taskId) ?? null;
    entryOf(this.#cleared, open).set(after.taskId, { before, after });
    this.touch(open);
  }

  openAttempt(attempt: OpenedAttempt): void {
    this.#opened.push(attempt);
  }

  closeAttempt(attempt: ClosedAttempt): void {
    this.#closed.push(attempt);
  }

  moveCursor(dagId: string, cursorMs: number): void {
    this.#cursors.push({ dagId, cursorMs });
  }

  logEvent(event: Omit<StoreEvent, 'atMs'>): void {
    this.#events.push({ atMs: this.nowMs, ...event });
  }

  touch(open: OpenRun): void {
    this.#touched.add(open);
  }

  /** Leaves the rest of a run's work to the next step, which follows at once. */
  postpone(open: OpenRun): void {
    this.#postponed.add(open);
  }

  get postponed(): readonly OpenRun[] {
    return [...this.#postponed];
  }

  get hasTouched(): boolean {
    return this.#touched.size > 0;
  }

  /** Runs that something has changed in since this was last asked. */
  takeTouched(): readonly OpenRun[] {
    const touched = [...this.#touched];
    this.#touched = new Set();
    return touched;
  }

  // ---------------------------------------------------------------- acting

  changes(): StoreChanges {
    return {
      createdRuns: [...this.#created].map(({ run, parent, instances }) => ({
        run,
        parent,
        instances: [...instances.values()],
      })),
      requeuedRuns: [...this.#requeued.values()],
      runMoves: [...this.#runs.values()],
      clearedTasks: [...this.#cleared.values()].flatMap((tasks) => [...tasks.values()]),
      taskMoves: [...this.#tasks.values()].flatMap((tasks) => [...tasks.values()]),
      openedAttempts: this.#opened,
      closedAttempts: this.#closed,
      cursors: this.#cursors,
      events: this.#events,
    };
  }

  /** Once the changes are stored: makes the book say the same, and tells what happened. */
  commit(): readonly SchedulerEvent[] {
    const started: SchedulerEvent[] = [];
    const tasks: SchedulerEvent[] = [];
    const ended: SchedulerEvent[] = [];
    for (const open of new Set([...this.#created, ...this.#requeued.keys(), ...this.#runs.keys()])) {
      open.run = this.run(open);
      const { dag, spec } = this.version(open);
      open.dag = dag;
      open.spec = spec;
      if (isFinalRun(open.run.state)) this.#book.remove(open);
      else this.#book.add(open);
      (isFinalRun(open.run.state) ? ended : started).push({ kind: 'run', run: open.run });
    }
    for (const [open, cleared] of this.#cleared) {
      for (const [taskId, { before, after }] of cleared) {
        open.instances.set(taskId, after);
        tasks.push({ kind: 'task', instance: after, previous: before?.state ?? 'none' });
      }
    }
    for (const [open, moved] of this.#tasks) {
      for (const [taskId, { before, after }] of moved) {
        open.instances.set(taskId, after);
        tasks.push({ kind: 'task', instance: after, previous: before.state });
      }
    }
    return [...started, ...tasks, ...ended];
  }
}

function entryOf<T>(map: Map<OpenRun, Map<string, T>>, open: OpenRun): Map<string, T> {
  let entry = map.get(open);
  if (!entry) {
    entry = new Map();
    map.set(open, entry);
  }
  return entry;
}
