/** A layer that was rolled back -> the warehouse brought to the same version, and its marts with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daysOfInterval } from '../core/partition.ts';
import type { TaskContext, TaskHandlers } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { Publication, PublishedLayer, Task, TaskOutput } from '../core/types.ts';
import { martDefinition } from '../transforms/gold/build-gold.ts';
import { createLogger } from './app.ts';
import { createHandlers } from './handlers.ts';
import { openLake } from './lake.ts';
import type { Project } from './project.ts';
import { outputFact } from './task-words.ts';
import { warehouseOpener } from './warehouse.ts';

interface RolledBack {
  readonly layer: PublishedLayer;
  readonly before: Publication;
  readonly after: Publication;
}

/**
 * Gold: the older partitions are loaded again. A layer that the warehouse holds: it is loaded and the marts are built and
 * published from it. Other layers: nothing, their next run builds on them.
 */
export async function followRollback(project: Project, spec: Spec, rolled: RolledBack): Promise<string[]> {
  if (rolled.layer === 'gold') return restoreMarts(project, spec, rolled);
  const loads = project.dags
    .flatMap(({ dag }) => (dag.pipeline === spec.pipeline ? dag.tasks : []))
    .filter((task) => isServing(task));
  if (!loads.some((task) => task.kind === 'load' && task.layer === rolled.layer)) return [];
  return rebuild(createHandlers(project.settings), spec, loads, rolled);
}

const isServing = (task: Task): boolean => task.kind === 'load' || (task.layer === 'gold' && task.kind !== 'validate');

async function rebuild(
  handlers: TaskHandlers,
  spec: Spec,
  tasks: readonly Task[],
  { after }: RolledBack,
): Promise<string[]> {
  const outputs: Record<string, TaskOutput> = {};
  const lines: string[] = [];
  for (const task of tasks) {
    const handler = handlers[`${task.kind}.${task.layer}`] ?? handlers[task.kind];
    if (!handler) throw new Error(`no handler for ${task.id}`);
    const tempDir = await mkdtemp(join(tmpdir(), 'assay-rollback-'));
    try {
      const output = await handler(contextOf(spec, task, after, outputs, tempDir));
      outputs[task.id] = output;
      lines.push(`  ${task.id}  ${outputFact(output)}`);
    } finally {
      await rm(tempDir, { recursive: true, force: true });
    }
  }
  return lines;
}

function contextOf(
  spec: Spec,
  task: Task,
  after: Publication,
  outputs: TaskContext['outputs'],
  tempDir: string,
): TaskContext {
  const { dagId, runId, interval, sequence } = after;
  const days = daysOfInterval(interval, spec.timezone);
  return {
    spec,
    task,
    run: { dagId, runId, interval, firstDay: days.first, runDate: days.last, conf: {} },
    tryNumber: sequence,
    outputs,
    log: createLogger('warn'),
    signal: new AbortController().signal,
    tempDir,
    holdTimeout: () => {},
  };
}

async function restoreMarts(project: Project, spec: Spec, { before, after }: RolledBack): Promise<string[]> {
  const { settings } = project;
  const lake = await openLake(settings, spec.pipeline);
  const task = project.dags
    .flatMap(({ dag }) => (dag.pipeline === spec.pipeline ? dag.tasks : []))
    .find(({ kind, layer }) => kind === 'publish' && layer === 'gold');
  if (!task) return [];
  const tempDir = await mkdtemp(join(tmpdir(), 'assay-rollback-'));
  const warehouse = await warehouseOpener(settings, spec.pipeline, lake)(contextOf(spec, task, after, {}, tempDir));
  const lines: string[] = [];
  try {
    for (const mart of spec.marts) {
      const target = after.tables[mart.name]?.partitions ?? {};
      const present = before.tables[mart.name]?.partitions ?? {};
      const changed = Object.values(target).filter(
        (partition) => present[partition.value]?.fingerprint !== partition.fingerprint,
      );
      const removed = Object.keys(present).filter((value) => !(value in target));
      await warehouse.loadPartitions(martDefinition(mart), changed, removed);
      lines.push(`  gold.${mart.name}  ${changed.length} partitions restored, ${removed.length} removed`);
    }
  } finally {
    await warehouse.close();
    await rm(tempDir, { recursive: true, force: true });
  }
  return lines;
}
