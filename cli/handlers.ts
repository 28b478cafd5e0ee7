/** Settings -> the table task kind → handler. Imports the engines, so only task children load it. */
import { resolve } from 'node:path';
import { gateSettings, landingFolder, warehouseFile } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import type { TaskContext, TaskHandler, TaskHandlers, Warehouse } from '../core/ports.ts';
import type { TaskOutput } from '../core/types.ts';
import { openDuckDbWarehouse } from '../serving/duckdb-warehouse.ts';
import { createPublishHandler } from '../storage/publish-handler.ts';
import { createBuildSilverHandler } from '../transforms/base/run-base.ts';
import { createPinBronzeHandler } from '../transforms/bronze/pin-bronze.ts';
import { createBuildDimsHandler } from '../transforms/dims/build-dims.ts';
import { createDimsFreshHandler } from '../transforms/dims/dims-fresh.ts';
import { createPinDimsHandler } from '../transforms/dims/pin-dims.ts';
import { createBuildEnrichedHandler } from '../transforms/enriched/build-enriched.ts';
import { createBuildGoldHandler } from '../transforms/gold/build-gold.ts';
import { createLoadHandler } from '../transforms/gold/load.ts';
import { createPublishGoldHandler } from '../transforms/gold/publish-gold.ts';
import { createValidateHandler } from '../validation/validate-handler.ts';
import { openLake } from './lake.ts';

/** One table for every pipeline of the project: each handler opens the lake of the pipeline that its task belongs to. */
export function createHandlers(settings: Settings): TaskHandlers {
  const byPipeline = new Map<string, TaskHandlers>();
  const handlersOf = (pipeline: string): TaskHandlers => {
    const known = byPipeline.get(pipeline);
    if (known) return known;
    const made = pipelineHandlers(settings, pipeline);
    byPipeline.set(pipeline, made);
    return made;
  };
  const kinds = Object.keys(handlersOf(''));
  return Object.fromEntries(kinds.map((kind) => [kind, (context) => handlerFor(handlersOf, kind, context)(context)]));
}

function handlerFor(handlersOf: (pipeline: string) => TaskHandlers, kind: string, context: TaskContext): TaskHandler {
  const handler = handlersOf(context.spec.pipeline)[kind];
  if (!handler) throw new Error(`no handler for ${kind}`);
  return handler;
}

function pipelineHandlers(settings: Settings, pipeline: string): TaskHandlers {
  const { values, root } = settings;
  const lake = openLake(settings, pipeline);
  const { publications } = lake;
  const gates = gateSettings(settings);
  const duckdb = { memoryLimit: values['engine.duckdb.memory_limit'], threads: values['engine.threads'] };
  const openWarehouse = (signal: AbortSignal): Promise<Warehouse> =>
    openDuckDbWarehouse({ path: warehouseFile(settings), ...duckdb, signal });
  const landing = { path: (relative: string) => resolve(landingFolder(settings, pipeline), relative) };
  const reading = { lake: lake.files, publications, duckdb };
  return {
    'pin.bronze': createPinBronzeHandler({
      bronze: lake.bronzeStore,
      publications,
      strictForeignKeys: gates.strictForeignKeys,
      landing,
    }),
    'pin.dims': createPinDimsHandler({ publications }),
    branch: createDimsFreshHandler({ publications }),
    short_circuit: shortCircuit(settings),
    'build.silver': createBuildSilverHandler({
      ...reading,
      bronze: lake.bronzeFiles,
      strictForeignKeys: gates.strictForeignKeys,
    }),
    'build.dims': createBuildDimsHandler(reading),
    'build.enriched': createBuildEnrichedHandler({
      ...reading,
      projectRoot: root,
    }),
    'build.gold': createBuildGoldHandler({ ...reading, openWarehouse }),
    load: createLoadHandler({ ...reading, openWarehouse }),
    validate: createValidateHandler({ ...reading, bronze: lake.bronzeFiles, gates, root }),
    publish: createPublishHandler({ publications }),
    'publish.gold': createPublishGoldHandler({ openWarehouse, publish: createPublishHandler({ publications }) }),
  };
}

/** `setting: warehouse.load` lets pass what follows where the setting is on. */
function shortCircuit(settings: Settings): TaskHandler {
  return async ({ task }): Promise<TaskOutput> => {
    const key = String(task.params.setting) as keyof Settings['values'];
    const proceed = settings.values[key] === true;
    const origin = settings.sources[key]?.[0]?.origin ?? 'unknown';
    return { kind: 'short_circuit', proceed, because: `${key} is ${proceed ? 'on' : 'off'} (${origin})` };
  };
}
