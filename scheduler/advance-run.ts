/** A run as it stands -> which of its waiting tasks may start, which never will, and whether the run is over. Pure. */
import type { Dag, Task, TaskOutput, TaskState } from '../core/types.ts';
import { isFinal } from './task-state.ts';
import { applyTriggerRule } from './trigger-rules.ts';

export interface InstanceView {
  readonly state: TaskState;
  readonly output: TaskOutput | null;
}

export interface RunAdvance {
  /** In the DAG's order. */
  readonly moves: readonly { readonly taskId: string; readonly to: 'scheduled' | 'skipped' | 'upstream_failed' }[];
  /** Set once every task is in a final state: success where all leaves are success or skipped. */
  readonly end: 'success' | 'failed' | null;
}

/**
 * One pass in topological order, so that a skip or a failure reaches everything below it at once.
 *
 * A branch skips those of its direct children that it does not follow and that nothing it follows leads to; a short circuit
 * that does not proceed skips its direct children. Both do so whatever the child's trigger rule says; from there on
 * trigger rules decide.
 */
export function advanceRun(dag: Pick<Dag, 'tasks'>, instanceOf: (taskId: string) => InstanceView): RunAdvance {
  const { children, byId } = graphOf(dag);
  const moves: { taskId: string; to: 'scheduled' | 'skipped' | 'upstream_failed' }[] = [];
  const moved = new Map<string, TaskState>();
  const stateOf = (taskId: string): TaskState => moved.get(taskId) ?? instanceOf(taskId).state;
  for (const task of dag.tasks) {
    if (stateOf(task.id) !== 'none') continue;
    const to = decide(task);
    if (to === null) continue;
    moved.set(task.id, to);
    moves.push({ taskId: task.id, to });
  }
  if (!dag.tasks.every((task) => isFinal(stateOf(task.id)))) return { moves, end: null };
  const leaves = dag.tasks.filter((task) => (children.get(task.id) ?? []).length === 0);
  const isGood = leaves.every((task) => ['success', 'skipped', 'removed'].includes(stateOf(task.id)));
  return { moves, end: isGood ? 'success' : 'failed' };

  function decide(task: Task): 'scheduled' | 'skipped' | 'upstream_failed' | null {
    if (task.upstream.some((id) => isCutOff(task, id))) return 'skipped';
    const verdict = applyTriggerRule(task.triggerRule, task.upstream.map(stateOf));
    switch (verdict) {
      case 'run':
        return 'scheduled';
      case 'skip':
        return 'skipped';
      case 'upstream_failed':
        return 'upstream_failed';
      case 'wait':
        return null;
      default:
        return verdict satisfies never;
    }
  }

  function isCutOff(task: Task, upstreamId: string): boolean {
    const above = byId.get(upstreamId);
    if ((above?.kind !== 'branch' && above?.kind !== 'short_circuit') || stateOf(upstreamId) !== 'success')
      return false;
    const { output } = instanceOf(upstreamId);
    if (output?.kind === 'short_circuit') return !output.proceed;
    return output?.kind === 'branch' && !isFollowed(task, output.follow);
  }

  function isFollowed(task: Task, follow: readonly string[]): boolean {
    const isNamed = (id: string): boolean => follow.includes(id) || follow.includes(byId.get(id)?.group ?? '');
    return isNamed(task.id) || ancestorsOf(task).some(isNamed);
  }

  function ancestorsOf(task: Task): readonly string[] {
    const found = new Set<string>();
    const visit = (id: string): void => {
      for (const above of byId.get(id)?.upstream ?? []) {
        if (found.has(above)) continue;
        found.add(above);
        visit(above);
      }
    };
    visit(task.id);
    return [...found];
  }
}

interface Graph {
  readonly byId: ReadonlyMap<string, Task>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

const graphs = new WeakMap<object, Graph>();

function graphOf(dag: Pick<Dag, 'tasks'>): Graph {
  let graph = graphs.get(dag);
  if (!graph) {
    const children = new Map<string, string[]>();
    for (const task of dag.tasks) {
      for (const above of task.upstream) {
        const known = children.get(above);
        if (known) known.push(task.id);
        else children.set(above, [task.id]);
      }
    }
    graph = { byId: new Map(dag.tasks.map((task) => [task.id, task])), children };
    graphs.set(dag, graph);
  }
  return graph;
}

/** A set of tasks with everything below and above it as asked; group ids stand for their members. */
export function selectTasks(
  dag: Pick<Dag, 'tasks'>,
  ids: readonly string[],
  reach: { readonly downstream: boolean; readonly upstream: boolean },
): ReadonlySet<string> {
  const { byId, children } = graphOf(dag);
  const chosen = ids.flatMap((id) =>
    byId.has(id) ? [id] : dag.tasks.filter((task) => task.group === id).map((task) => task.id),
  );
  const selected = new Set(chosen);
  const follow = (next: (id: string) => readonly string[]): void => {
    const open = [...chosen];
    const seen = new Set(open);
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      for (const near of next(id)) {
        if (seen.has(near)) continue;
        seen.add(near);
        selected.add(near);
        open.push(near);
      }
    }
  };
  if (reach.downstream) follow((id) => children.get(id) ?? []);
  if (reach.upstream) follow((id) => byId.get(id)?.upstream ?? []);
  return selected;
}
