/** A task as the YAML lists it -> the tables it works on, and the members that it expands to. */
import type { DagSpec, DagTaskSpec, Spec } from '../core/spec.ts';
import type { Layer } from '../core/types.ts';
import { namesOf } from './layer-tables.ts';

export interface Member {
  /** Last part of the task's id: `orders`, or `silver.orders` where another layer's table joined the group. */
  readonly name: string;
  readonly layer: Layer;
  readonly table: string;
}

export const isGroup = (task: Pick<DagTaskSpec, 'kind'>): boolean => task.kind === 'build' || task.kind === 'load';

/** Tables of the layer that the task names, or all, without those it excepts; in the order of the spec. */
export function tablesOf(task: DagTaskSpec, spec: Spec): readonly string[] {
  if (task.layer === null) return [];
  return namesOf(spec, task.layer).filter((name) => (task.only?.includes(name) ?? true) && !task.except.includes(name));
}

/**
 * One member a table. The DAG's first load also takes the silver and dims tables that marts read directly and that no
 * load of the DAG names: without them the marts would find no table in the warehouse.
 */
export function membersOf(task: DagTaskSpec, dag: DagSpec, spec: Spec): readonly Member[] {
  const { layer } = task;
  if (!isGroup(task) || layer === null) return [];
  const own = tablesOf(task, spec).map((table) => ({ name: table, layer, table }));
  const loads = dag.tasks.filter((candidate) => candidate.kind === 'load');
  if (task.kind !== 'load' || loads[0]?.id !== task.id) return own;
  const covered = new Set(loads.flatMap((load) => tablesOf(load, spec).map((table) => `${load.layer}.${table}`)));
  const joined = new Map<string, Member>();
  for (const input of spec.marts.flatMap((mart) => mart.inputs)) {
    const name = `${input.layer}.${input.table}`;
    if (covered.has(name) || !namesOf(spec, input.layer).includes(input.table)) continue;
    joined.set(name, { name, layer: input.layer, table: input.table });
  }
  return [...own, ...[...joined.values()].sort((a, b) => (a.name < b.name ? -1 : 1))];
}

/** By task id: what it depends on, as written or, where nothing is, the task above. */
export function declaredUpstream(dag: DagSpec): ReadonlyMap<string, readonly string[]> {
  return new Map(
    dag.tasks.map((task, index) => {
      const above = dag.tasks[index - 1];
      return [task.id, task.dependsOn ?? (above ? [above.id] : [])];
    }),
  );
}

/** `base_silver.orders` -> `base_silver`; an id without a dot is its own. Ids as written hold no dots. */
export const groupIdOf = (id: string): string => id.split('.', 1)[0] ?? id;
