/** Settings -> the table task kind → handler. Imports the engines, so only task children load it. */
import { resolve } from 'node:path';
import { gateSettings, landingFolder } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import type { TaskHandler, TaskHandlers } from '../core/ports.ts';
import type { TaskOutput } from '../core/types.ts';
import { openAcceptances } from '../storage/acceptance-file.ts';
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
import { warehouseOpener } from './warehouse.ts';

const KINDS = [
  'pin.bronze',
  'pin.dims',
  'branch',
  'short_circuit',
  'build.silver',
  'build.dims',
  'build.enriched',
  'build.gold',
  'load',
  'validate',
  'publish',
  'publish.gold',
] as const;
type Handlers = { readonly [Kind in (typeof KINDS)[number]]: TaskHandler };

/** One table for every pipeline of the project: each handler opens the lake of the pipeline that its task belongs to. */
export function createHandlers(settings: Settings): TaskHandlers {
  const byPipeline = new Map<string, Promise<Handlers>>();
  const handlersOf = (pipeline: string): Promise<Handlers> => {
    const known = byPipeline.get(pipeline);
    if (known) return known;
    const made = pipelineHandlers(settings, pipeline);
    byPipeline.set(pipeline, made);
    return made;
  };
  return Object.fromEntries(
    KINDS.map((kind): [string, TaskHandler] => [
      kind,
      async (context) => (await handlersOf(context.spec.pipeline))[kind](context),
    ]),
  );
}

async function pipelineHandlers(settings: Settings, pipeline: string): Promise<Handlers> {
  const { values, root } = settings;
  const lake = await openLake(settings, pipeline);
  const { publications } = lake;
  const gates = gateSettings(settings);
  const duckdb = { memoryLimit: values['engine.duckdb.memory_limit'], threads: values['engine.threads'] };
  const openWarehouse = warehouseOpener(settings, pipeline, lake);
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
    'build.gold': createBuildGoldHandler({ publications, openWarehouse }),
    load: createLoadHandler({ publications, openWarehouse }),
    validate: createValidateHandler({
      ...reading,
      acceptances: openAcceptances(lake.store),
      bronze: lake.bronzeFiles,
      gates,
      root,
    }),
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
