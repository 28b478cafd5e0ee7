/** The DAGs that the project declares now, with their pauses and schedules -> which runs are due, and when the next one is. */
import type { Clock } from '../core/ports.ts';
import { nextTick } from './cron.ts';
import { type PlannedRun, planRuns } from './plan-runs.ts';
import { noDagError } from './run-reader.ts';
import type { DagVersion, RunStore } from './store/run-store.ts';

export interface ProjectDag {
  readonly version: DagVersion;
  readonly isPaused: boolean;
}

interface Known extends ProjectDag {
  readonly unpausedAtMs: number;
  readonly cursorMs: number;
  /** First tick after the cursor; null without a schedule, or while paused. */
  readonly dueMs: number | null;
}

export interface DueRuns {
  readonly version: DagVersion;
  readonly runs: readonly PlannedRun[];
  readonly cursorMs: number;
}

export class ProjectDags {
  readonly #known = new Map<string, Known>();

  /** Stores new versions, forgets DAGs that are gone. */
  async register(store: RunStore, versions: readonly DagVersion[], clock: Clock): Promise<void> {
    await store.registerDags(versions, clock.now());
    const stored = new Map((await store.listDags()).map((dag) => [dag.dagId, dag]));
    this.#known.clear();
    for (const version of versions) {
      const dag = stored.get(version.dag.id);
      if (!dag) throw new Error(`DAG ${version.dag.id} was not stored`);
      this.#set({ version, isPaused: dag.isPaused, unpausedAtMs: dag.unpausedAtMs, cursorMs: dag.cursorMs });
    }
  }

  find(dagId: string): ProjectDag | null {
    return this.#known.get(dagId) ?? null;
  }

  /** @throws PipelineError `dag_not_found` */
  get(dagId: string): ProjectDag {
    const known = this.#known.get(dagId);
    if (!known) throw noDagError(dagId, [...this.#known.keys()]);
    return known;
  }

  setPaused(dagId: string, isPaused: boolean, nowMs: number): void {
    const known = this.#known.get(dagId);
    if (!known || known.isPaused === isPaused) return;
    this.#set({ ...known, isPaused, unpausedAtMs: isPaused ? known.unpausedAtMs : nowMs });
  }

  moveCursor(dagId: string, cursorMs: number): void {
    const known = this.#known.get(dagId);
    if (known) this.#set({ ...known, cursorMs });
  }

  /** Schedules with a tick between their cursor and now. `awakeSinceMs`: when the scheduler started. */
  due(nowMs: number, awakeSinceMs: number): readonly DueRuns[] {
    const due: DueRuns[] = [];
    for (const { version, isPaused, cursorMs, unpausedAtMs, dueMs } of this.#known.values()) {
      if (dueMs === null || dueMs > nowMs) continue;
      const state = { isPaused, cursorMs, awakeSinceMs: Math.max(awakeSinceMs, unpausedAtMs) };
      due.push({ version, ...planRuns(version.dag, state, nowMs) });
    }
    return due;
  }

  /** The instant of the next tick of any schedule; null where none comes. */
  nextDueMs(): number | null {
    let next: number | null = null;
    for (const { dueMs } of this.#known.values()) {
      if (dueMs !== null && (next === null || dueMs < next)) next = dueMs;
    }
    return next;
  }

  #set(known: Omit<Known, 'dueMs'>): void {
    const { schedule } = known.version.dag;
    const dueMs = schedule === null || known.isPaused ? null : nextTick(schedule, known.cursorMs);
    this.#known.set(known.version.dag.id, { ...known, dueMs });
  }
}
