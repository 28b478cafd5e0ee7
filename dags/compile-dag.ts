/** Spec -> Dags: groups expanded to one task a table, edges resolved, tasks in order. Pure: equal specs give equal Dags. */
import { fingerprint } from '../core/fingerprint.ts';
import type { DagSpec, DagTaskSpec, Spec } from '../core/spec.ts';
import type { Dag, Layer, Task } from '../core/types.ts';
import { defaultDag } from './default-dag.ts';
import { ancestors, topologicalOrder, type Upstream } from './graph.ts';
import { declaredUpstream, isGroup, type Member, membersOf, tablesOf } from './task-groups.ts';

/**
 * Every DAG that the spec declares; for a spec without any, the one from bronze to gold.
 *
 * `build` and `load` become a group `<id>.<table>`. A member depends on all that its group depends on, and on the
 * members that its table's foreign keys (silver) or inputs (enriched) name. A task that depends on a group depends on
 * all its members. A `publish` covers what the DAG builds of its layer before it; a bronze `pin` what is used after it.
 *
 * @throws CycleError where tasks, tables or transforms depend on each other in a circle
 */
export function compileDags(spec: Spec): readonly Dag[] {
  const fallback = spec.dags.length === 0 ? defaultDag(spec) : null;
  return (fallback ? [fallback] : spec.dags).map((dag) => compileDag(dag, spec));
}

/** What a task's declaration says of it, before its tables are known from the rest of the DAG. */
interface Drafted {
  readonly declared: DagTaskSpec;
  readonly member: Member | null;
  readonly group: string | null;
}

function compileDag(dag: DagSpec, spec: Spec): Dag {
  const drafts = new Map<string, Drafted>();
  const upstream = new Map<string, readonly string[]>();
  const declared = declaredUpstream(dag);
  for (const task of dag.tasks) {
    const needed = expandAll(declared.get(task.id) ?? [], dag, spec, declared);
    if (!isGroup(task)) {
      drafts.set(task.id, { declared: task, member: null, group: null });
      upstream.set(task.id, needed);
      continue;
    }
    const members = membersOf(task, dag, spec);
    for (const member of members) {
      const id = `${task.id}.${member.name}`;
      const within = innerEdges(member, task, members, spec).map((name) => `${task.id}.${name}`);
      drafts.set(id, { declared: task, member, group: task.id });
      upstream.set(id, [...new Set([...needed, ...within])]);
    }
  }
  const order = topologicalOrder(upstream, `the tasks of ${dag.id}`);
  const tasks = order.flatMap((id) => {
    const draft = drafts.get(id);
    return draft ? [compileTask(id, draft, drafts, upstream, spec)] : [];
  });
  const { schedule } = dag;
  return {
    id: dag.id,
    pipeline: spec.pipeline,
    description: dag.description,
    owner: spec.owner,
    tags: dag.tags,
    timezone: schedule?.timezone ?? spec.timezone,
    schedule,
    maxActiveRuns: dag.maxActiveRuns,
    tasks,
    sourceFile: dag.location.file,
    fingerprint: fingerprint({ spec: spec.fingerprint, id: dag.id, schedule, tasks }),
  };
}

/** A group stands for its members; one without members for what it depends on itself. */
function expandAll(names: readonly string[], dag: DagSpec, spec: Spec, declared: Upstream): readonly string[] {
  const expand = (name: string): readonly string[] => {
    const task = dag.tasks.find((candidate) => candidate.id === name);
    if (!task || !isGroup(task)) return [name];
    const members = membersOf(task, dag, spec);
    if (members.length === 0) return (declared.get(name) ?? []).flatMap(expand);
    return members.map((member) => `${name}.${member.name}`);
  };
  return [...new Set(names.flatMap(expand))];
}

/** Members of the group that this one waits for. */
function innerEdges(member: Member, group: DagTaskSpec, members: readonly Member[], spec: Spec): readonly string[] {
  if (group.kind !== 'build') return [];
  const wanted = new Set(inputsWithinLayer(member.layer, member.table, spec));
  return members.filter(({ table }) => table !== member.table && wanted.has(table)).map(({ name }) => name);
}

function inputsWithinLayer(layer: Layer, table: string, spec: Spec): readonly string[] {
  if (layer === 'silver') {
    const foreignKeys = spec.tables.find((candidate) => candidate.name === table)?.foreignKeys ?? [];
    return foreignKeys.map((foreignKey) => foreignKey.references.table);
  }
  if (layer === 'enriched') return spec.transforms.find((candidate) => candidate.name === table)?.dependsOn ?? [];
  return [];
}

function compileTask(
  id: string,
  draft: Drafted,
  drafts: ReadonlyMap<string, Drafted>,
  upstream: Upstream,
  spec: Spec,
): Task {
  const { declared, member } = draft;
  const layer = member?.layer ?? declared.layer;
  return {
    id,
    kind: declared.kind,
    layer,
    tables: member ? [member.table] : coveredTables(id, declared, drafts, upstream, spec),
    group: draft.group,
    upstream: upstream.get(id) ?? [],
    triggerRule: declared.triggerRule,
    retry: declared.retry,
    timeoutMs: declared.timeoutMs,
    pool: touchesWarehouse(declared.kind, layer) ? 'warehouse' : 'default',
    priority: 0,
    params: declared.params,
  };
}

function coveredTables(
  id: string,
  task: DagTaskSpec,
  drafts: ReadonlyMap<string, Drafted>,
  upstream: Upstream,
  spec: Spec,
): readonly string[] {
  const selected = tablesOf(task, spec);
  if (task.kind === 'publish') {
    const before = ancestors(id, upstream);
    return selected.filter((table) =>
      [...drafts].some(
        ([other, { declared, member }]) =>
          before.has(other) && declared.kind === 'build' && member?.layer === task.layer && member.table === table,
      ),
    );
  }
  if (task.kind !== 'pin' || task.layer !== 'bronze' || task.only !== null) return selected;
  const used = new Set(
    [...drafts].flatMap(([other, { declared, member }]) => {
      if (!ancestors(other, upstream).has(id)) return [];
      if (declared.kind === 'build' && member?.layer === 'silver') return [member.table];
      return declared.kind === 'validate' && declared.layer === 'bronze' ? tablesOf(declared, spec) : [];
    }),
  );
  return used.size === 0 ? selected : selected.filter((table) => used.has(table));
}

/** The embedded warehouse admits one process at a time, so its tasks share a pool of one slot. */
function touchesWarehouse(kind: DagTaskSpec['kind'], layer: Layer | null): boolean {
  return kind === 'load' || (layer === 'gold' && (kind === 'build' || kind === 'validate' || kind === 'publish'));
}
