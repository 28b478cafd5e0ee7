/** A layer that was rolled back -> the warehouse brought to the same version, and its marts with it. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counted } from '../core/counted.ts';
import { keySafe, parseStagedKey } from '../core/object-keys.ts';
import { daysOfInterval } from '../core/partition.ts';
import type { ObjectStore, TaskContext } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { Publication, PublishedLayer, Task, TaskOutput } from '../core/types.ts';
import { heldError } from '../storage/hold-file.ts';
import type { Publications } from '../storage/publications.ts';
import { restoreMarts } from '../transforms/gold/restore-marts.ts';
import { createLogger } from './create-logger.ts';
import { createHandlers } from './handlers.ts';
import { openLake } from './lake.ts';
import type { Project } from './project.ts';
import { outputFact } from './task-words.ts';
import { warehouseOpener } from './warehouse.ts';

/**
 * Gold: partitions that the warehouse holds otherwise are loaded. A layer that the warehouse holds: it is loaded and the
 * marts are built and published from it. Other layers: nothing, their next run builds on them. Each compares with what is
 * in the warehouse now, so a repeat after a crash completes it and one after success changes nothing.
 */
export async function followRollback(project: Project, spec: Spec, after: Publication): Promise<string[]> {
  if (after.layer === 'gold') return restoreGold(project, spec, after);
  return leadsToMarts(project, spec, after.layer) ? rebuild(project, spec, after) : [];
}

/** @throws PipelineError `publish_held` before anything was changed, where marts would have to follow into a held layer */
export async function assertMayFollow(
  project: Project,
  spec: Spec,
  layer: PublishedLayer,
  publications: Publications,
): Promise<void> {
  if (layer === 'gold' || !leadsToMarts(project, spec, layer)) return;
  const hold = await publications.held('gold');
  if (hold !== null) throw heldError(hold);
}

/** Does what follows the pointer go to the embedded warehouse, which one process at a time may build marts in? */
export function needsWarehouseFile(project: Project, spec: Spec, layer: PublishedLayer): boolean {
  if (project.settings.values['warehouse.kind'] !== 'duckdb') return false;
  return layer === 'gold' || leadsToMarts(project, spec, layer);
}

function servingTasks(project: Project, spec: Spec): readonly Task[] {
  return project.dags.flatMap(({ dag }) => (dag.pipeline === spec.pipeline ? dag.tasks : [])).filter(isServing);
}

const leadsToMarts = (project: Project, spec: Spec, layer: PublishedLayer): boolean =>
  servingTasks(project, spec).some((task) => task.kind === 'load' && task.layer === layer);

const isServing = (task: Task): boolean => task.kind === 'load' || (task.layer === 'gold' && task.kind !== 'validate');

async function rebuild(project: Project, spec: Spec, after: Publication): Promise<string[]> {
  const handlers = createHandlers(project.settings);
  const tryNumber = await nextTry((await openLake(project.settings, spec.pipeline)).store, after);
  const outputs: Record<string, TaskOutput> = {};
  const lines: string[] = [];
  for (const task of servingTasks(project, spec)) {
    const handler = handlers[`${task.kind}.${task.layer}`] ?? handlers[task.kind];
    if (!handler) throw new Error(`no handler for ${task.id}`);
    const tempDir = await mkdtemp(join(tmpdir(), 'assay-rollback-'));
    try {
      const output = await handler({ ...contextOf(spec, task, after, outputs, tempDir), tryNumber });
      outputs[task.id] = output;
      lines.push(`  ${task.id}  ${outputFact(output)}`);
    } finally {
      await rm(tempDir, { recursive: true, force: true });
    }
  }
  return lines;
}

/** A repeat stages under a prefix of its own, because an interrupted one may have left files with other bytes. */
async function nextTry(store: ObjectStore, after: Publication): Promise<number> {
  const prefix = `gold/_staging/${keySafe(after.dagId)}.${keySafe(after.runId)}/`;
  let last = 0;
  for await (const { key } of store.list(prefix)) last = Math.max(last, parseStagedKey(key)?.tryNumber ?? 0);
  return last + 1;
}

function contextOf(
  spec: Spec,
  task: Task,
  after: Publication,
  outputs: TaskContext['outputs'],
  tempDir: string,
): TaskContext {
  const { dagId, runId, interval } = after;
  const days = daysOfInterval(interval, spec.timezone);
  return {
    spec,
    task,
    run: { dagId, runId, interval, firstDay: days.first, runDate: days.last, conf: {} },
    tryNumber: 1,
    outputs,
    log: createLogger('warn'),
    signal: new AbortController().signal,
    tempDir,
    holdTimeout: () => {},
  };
}

async function restoreGold(project: Project, spec: Spec, after: Publication): Promise<string[]> {
  const { settings } = project;
  const task = servingTasks(project, spec).find(({ kind, layer }) => kind === 'publish' && layer === 'gold');
  if (!task) return [];
  const lake = await openLake(settings, spec.pipeline);
  const tempDir = await mkdtemp(join(tmpdir(), 'assay-rollback-'));
  try {
    const warehouse = await warehouseOpener(settings, spec.pipeline, lake)(contextOf(spec, task, after, {}, tempDir));
    try {
      const done = await restoreMarts(lake.publications, warehouse, spec.marts, after);
      return done.map(
        ({ mart, isKnown, restored, removed }) =>
          `  gold.${mart}  ${isKnown ? `${counted(restored, 'partition')} restored, ${removed} removed` : 'not in this version'}`,
      );
    } finally {
      await warehouse.close();
    }
  } finally {
    await rm(tempDir, { recursive: true, force: true });
  }
}
