/** The DAGs of a spec -> what is wrong with their schedules, tasks and edges. */
import { didYouMean } from '../core/did-you-mean.ts';
import type { DagSpec, DagTaskSpec } from '../core/spec.ts';
import type { Layer, TaskKind } from '../core/types.ts';
import { type CheckContext, keyAt, reportMissing, valueAt } from './check-context.ts';
import { CRON_NICKNAMES, readCronSyntax } from './cron-syntax.ts';
import { ancestors, findCycle } from './graph.ts';
import { meant } from './issue-log.ts';
import { namesOf } from './layer-tables.ts';
import type { RawTask } from './spec-schema.ts';
import { declaredUpstream, groupIdOf, isGroup, membersOf, tablesOf } from './task-groups.ts';
import { isTimezone, reportTimezone } from './timezones.ts';
import type { TreePath } from './yaml-tree.ts';

interface KindRow {
  readonly layers: readonly Layer[];
  /** Keys of this kind alone, with an example where they are needed. */
  readonly keys: { readonly [key in keyof RawTask]?: string | null };
}

const onTables = (...layers: readonly Layer[]): KindRow => ({
  layers,
  keys: { layer: layers[0] ?? null, tables: null, except: null },
});

const KINDS: { readonly [kind in TaskKind]: KindRow } = {
  pin: onTables('bronze', 'silver', 'dims', 'enriched', 'gold'),
  validate: onTables('bronze', 'silver', 'dims', 'enriched', 'gold'),
  build: onTables('silver', 'dims', 'enriched', 'gold'),
  publish: onTables('silver', 'dims', 'enriched', 'gold'),
  load: onTables('enriched', 'dims', 'silver'),
  // biome-ignore lint/suspicious/noThenProperty: the spec's own word; its value is a text and never called
  branch: { layers: [], keys: { if: 'dims_fresh', then: '<task>', else: '<task>' } },
  short_circuit: { layers: [], keys: { setting: 'warehouse.load' } },
  trigger_dag: { layers: [], keys: { dag: '<DAG>', wait: null } },
  empty: { layers: [], keys: {} },
};

const KEYS_OF_EVERY_KIND: ReadonlySet<string> = new Set([
  'id',
  'kind',
  'depends_on',
  'trigger_rule',
  'retry',
  'timeout',
]);

export function checkDags(context: CheckContext): void {
  for (const [index, dag] of context.spec.dags.entries()) checkDag(context, dag, ['dags', index]);
  checkTriggerCycles(context);
}

function checkDag(context: CheckContext, dag: DagSpec, path: TreePath): void {
  checkSchedule(context, dag, [...path, 'schedule']);
  if (dag.tasks.length === 0) reportMissing(context, path, `DAG ${dag.id}`, 'tasks', '[{id: …, kind: …}]');
  for (const [index, task] of dag.tasks.entries()) {
    checkKind(context, task, [...path, 'tasks', index]);
    checkSelectors(context, task, [...path, 'tasks', index]);
    checkDependsOn(context, dag, task, [...path, 'tasks', index]);
    checkTargets(context, dag, task, [...path, 'tasks', index]);
  }
  const upstream = groupedUpstream(dag);
  const cycle = findCycle(upstream);
  if (cycle) {
    const index = dag.tasks.findIndex((task) => task.id === cycle[0]);
    context.log.error({
      code: 'cycle',
      at: valueAt(context, [...path, 'tasks', index, 'depends_on']),
      message: `the tasks of ${dag.id} form a circle: ${cycle.join(' → ')}`,
      expected: 'edges that lead nowhere back',
      hint: 'remove one of these edges',
    });
    return;
  }
  checkBuilds(context, dag, path, upstream);
}

function checkSchedule(context: CheckContext, dag: DagSpec, path: TreePath): void {
  const { schedule } = dag;
  if (!schedule) return;
  if (schedule.cron === '') {
    reportMissing(context, path, `the schedule of ${dag.id}`, 'cron', '"0 6 * * *"');
    return;
  }
  const syntax = readCronSyntax(schedule.cron);
  if (!syntax.valid) {
    context.log.error({
      code: 'bad_cron',
      at: valueAt(context, [...path, 'cron']),
      message: syntax.message,
      expected: 'five fields (minute hour day month weekday), six with seconds first, or an @name',
      hint: meant(schedule.cron.startsWith('@') ? didYouMean(schedule.cron, CRON_NICKNAMES) : null),
    });
  } else if (schedule.window !== 'since_last' && syntax.ticksPerDay > 1) {
    context.log.error({
      code: 'shared_window',
      at: valueAt(context, [...path, 'window']),
      message: `"${schedule.cron}" ticks ${syntax.ticksPerDay} times a day, and all these runs would cover one day`,
      expected: 'window: since_last, or one tick a day',
    });
  }
  const isDeclaredHere = context.raw.dags?.[Number(path[1])]?.schedule?.timezone !== undefined;
  if (isDeclaredHere && !isTimezone(schedule.timezone))
    reportTimezone(context, [...path, 'timezone'], schedule.timezone);
}

function rawTask(context: CheckContext, path: TreePath): RawTask | undefined {
  return context.raw.dags?.[Number(path[1])]?.tasks?.[Number(path[3])];
}

function checkKind(context: CheckContext, task: DagTaskSpec, path: TreePath): void {
  const raw = rawTask(context, path);
  if (!raw) return;
  if (raw.kind === undefined) {
    reportMissing(context, path, `task ${task.id}`, 'kind', Object.keys(KINDS).join(', '));
    return;
  }
  const { keys, layers } = KINDS[raw.kind];
  for (const key of Object.keys(raw)) {
    if (KEYS_OF_EVERY_KIND.has(key) || key in keys) continue;
    context.log.error({
      code: 'bad_task',
      at: keyAt(context, [...path, key]),
      message: `a task of kind ${raw.kind} has no ${key}`,
      expected: Object.keys(keys).length > 0 ? `one of ${Object.keys(keys).join(', ')}` : 'no keys of its own',
    });
  }
  for (const [key, example] of Object.entries(keys)) {
    if (example && !(key in raw)) reportMissing(context, path, `task ${task.id} of kind ${raw.kind}`, key, example);
  }
  if (raw.layer !== undefined && layers.length > 0 && !layers.includes(raw.layer)) {
    context.log.error({
      code: 'bad_task',
      at: valueAt(context, [...path, 'layer']),
      message: `a task of kind ${raw.kind} cannot work on ${raw.layer}`,
      expected: layers.join(', '),
    });
  }
}

function checkSelectors(context: CheckContext, task: DagTaskSpec, path: TreePath): void {
  if (task.layer === null) return;
  const known = namesOf(context.spec, task.layer);
  for (const [key, names] of [
    ['tables', task.only ?? []],
    ['except', task.except],
  ] as const) {
    for (const [index, name] of names.entries()) {
      if (known.includes(name) || context.unreadWords.has(name)) continue;
      context.log.error({
        code: 'unknown_table',
        at: valueAt(context, [...path, key, index]),
        message: `${task.layer} has no table ${name}`,
        expected: known.length > 0 ? `one of ${known.join(', ')}` : `a table of ${task.layer}`,
        hint: meant(didYouMean(name, known)),
      });
    }
  }
}

function checkDependsOn(context: CheckContext, dag: DagSpec, task: DagTaskSpec, path: TreePath): void {
  for (const [index, name] of (task.dependsOn ?? []).entries()) {
    checkTaskName(context, dag, name, [...path, 'depends_on', index]);
  }
}

/** A task of the DAG, a group, or a group's member. */
function checkTaskName(context: CheckContext, dag: DagSpec, name: string, path: TreePath): boolean {
  const members = dag.tasks.flatMap((task) =>
    membersOf(task, dag, context.spec).map((member) => `${task.id}.${member.name}`),
  );
  const known = [...dag.tasks.map((task) => task.id), ...members];
  if (known.includes(name)) return true;
  if (context.unreadWords.has(name)) return false;
  context.log.error({
    code: 'unknown_task',
    at: valueAt(context, path),
    message: `${dag.id} has no task ${name}`,
    expected: `one of ${dag.tasks.map((task) => task.id).join(', ')}`,
    hint: meant(didYouMean(name, known)),
  });
  return false;
}

function checkTargets(context: CheckContext, dag: DagSpec, task: DagTaskSpec, path: TreePath): void {
  const raw = rawTask(context, path);
  if (task.kind === 'trigger_dag' && raw?.dag !== undefined) checkTrigger(context, raw.dag, [...path, 'dag']);
  if (task.kind !== 'branch') return;
  if (raw?.if === 'dims_fresh' && context.spec.dims.length === 0) {
    context.log.error({
      code: 'bad_branch',
      at: valueAt(context, [...path, 'if']),
      message: 'the pipeline has no dims that could be fresh',
      expected: 'dims: […]',
    });
  }
  for (const side of ['then', 'else'] as const) {
    const target = raw?.[side];
    if (target === undefined || !checkTaskName(context, dag, target, [...path, side])) continue;
    const next = dag.tasks.find((candidate) => candidate.id === target);
    const leadsThere = declaredUpstream(dag).get(target)?.includes(task.id) ?? false;
    if (next && !isGroup(next) && leadsThere) continue;
    context.log.error({
      code: 'bad_branch',
      at: valueAt(context, [...path, side]),
      message: leadsThere ? `${target} is a group of tasks` : `${target} does not follow ${task.id}`,
      expected: leadsThere ? 'one task; put an empty task before the group' : `depends_on: [${task.id}] in ${target}`,
    });
  }
}

function checkTrigger(context: CheckContext, target: string, path: TreePath): void {
  const known = context.spec.dags.map((dag) => dag.id);
  if (known.includes(target) || context.unreadWords.has(target)) return;
  context.log.error({
    code: 'unknown_dag',
    at: valueAt(context, path),
    message: `no DAG ${target} is declared`,
    expected: `one of ${known.join(', ')}`,
    hint: meant(didYouMean(target, known)),
  });
}

function checkTriggerCycles(context: CheckContext): void {
  const { dags } = context.spec;
  const triggered = (dag: DagSpec) =>
    dag.tasks.filter((task) => task.kind === 'trigger_dag').map((task) => String(task.params.dag));
  const cycle = findCycle(new Map(dags.map((dag) => [dag.id, triggered(dag)])));
  if (!cycle) return;
  const index = dags.findIndex((dag) => dag.id === cycle[0]);
  const position = dags[index]?.tasks.findIndex((task) => task.params.dag === cycle[1]) ?? 0;
  context.log.error({
    code: 'cycle',
    at: valueAt(context, ['dags', index, 'tasks', position, 'dag']),
    message: `the DAGs trigger each other in a circle: ${cycle.join(' → ')}`,
    expected: 'triggers that lead nowhere back',
  });
}

/** Edges between tasks as written; one to a group's member counts as one to the group. */
function groupedUpstream(dag: DagSpec): ReadonlyMap<string, readonly string[]> {
  return new Map([...declaredUpstream(dag)].map(([id, needed]) => [id, needed.map(groupIdOf)]));
}

/** A table is built once in a DAG, and what is published was built before. */
function checkBuilds(
  context: CheckContext,
  dag: DagSpec,
  path: TreePath,
  upstream: ReadonlyMap<string, readonly string[]>,
): void {
  const isReadable = dag.tasks.every((_, index) => rawTask(context, [...path, 'tasks', index])?.kind !== undefined);
  const builtBy = new Map<string, string>();
  for (const [index, task] of dag.tasks.entries()) {
    if (task.layer === null) continue;
    if (task.kind === 'build') {
      for (const table of tablesOf(task, context.spec)) {
        const asset = `${task.layer}.${table}`;
        const other = builtBy.get(asset);
        builtBy.set(asset, task.id);
        if (other === undefined) continue;
        context.log.error({
          code: 'bad_task',
          at: valueAt(context, [...path, 'tasks', index, 'id']),
          message: `${asset} is built by ${other} and by ${task.id}`,
          expected: 'one build of a table in a DAG; use tables and except',
        });
      }
    }
    if (task.kind !== 'publish' || !isReadable) continue;
    const before = ancestors(task.id, upstream);
    const hasBuild = dag.tasks.some(
      (candidate) => candidate.kind === 'build' && candidate.layer === task.layer && before.has(candidate.id),
    );
    if (hasBuild) continue;
    context.log.error({
      code: 'nothing_to_publish',
      at: valueAt(context, [...path, 'tasks', index, 'id']),
      message: `nothing of ${task.layer} is built before ${task.id}`,
      expected: `a task {kind: build, layer: ${task.layer}} that it depends on`,
    });
  }
}
