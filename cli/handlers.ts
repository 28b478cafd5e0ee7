/** Settings -> the table task kind → handler. The code of each, with the engine that it needs, loads for its first task. */
import { gateSettings, isSwitchedOn, landingFiles } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import type { TaskHandler, TaskHandlers } from '../core/ports.ts';
import type { TaskOutput } from '../core/types.ts';
import { openAcceptances } from '../storage/acceptance-file.ts';
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
type Makers = { readonly [Kind in (typeof KINDS)[number]]: () => Promise<TaskHandler> };

const LOAD = {
  pinBronze: () => import('../transforms/bronze/pin-bronze.ts'),
  pinDims: () => import('../transforms/dims/pin-dims.ts'),
  dimsFresh: () => import('../transforms/dims/dims-fresh.ts'),
  buildSilver: () => import('../transforms/base/run-base.ts'),
  buildDims: () => import('../transforms/dims/build-dims.ts'),
  buildEnriched: () => import('../transforms/enriched/build-enriched.ts'),
  buildGold: () => import('../transforms/gold/build-gold.ts'),
  load: () => import('../transforms/gold/load.ts'),
  validate: () => import('../validation/validate-handler.ts'),
  publish: () => import('../storage/publish-handler.ts'),
  publishGold: () => import('../transforms/gold/publish-gold.ts'),
};

/** Loads all code and both engines ahead of the first tasks. What cannot be loaded is told by the task that needs it. */
export async function loadHandlers(): Promise<void> {
  await Promise.allSettled(Object.values(LOAD).map((load) => load()));
}

/** One table for every pipeline of the project: each handler opens the lake of the pipeline that its task belongs to. */
export function createHandlers(settings: Settings): TaskHandlers {
  const makers = new Map<string, Promise<Makers>>();
  const handlers = new Map<string, Promise<TaskHandler>>();
  return Object.fromEntries(
    KINDS.map((kind): [string, TaskHandler] => [
      kind,
      async (context) => {
        const { pipeline } = context.spec;
        const make = await once(makers, pipeline, () => pipelineHandlers(settings, pipeline));
        const handler = await once(handlers, `${pipeline} ${kind}`, make[kind]);
        return handler(context);
      },
    ]),
  );
}

/** Made again only where that failed: a lake may be out of reach for one task and there for the next. */
async function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  try {
    return await made;
  } catch (thrown) {
    known.delete(key);
    throw thrown;
  }
}

async function pipelineHandlers(settings: Settings, pipeline: string): Promise<Makers> {
  const { values, root } = settings;
  const lake = await openLake(settings, pipeline);
  const { publications } = lake;
  const gates = gateSettings(settings);
  const duckdb = { memoryLimit: values['engine.duckdb.memory_limit'], threads: values['engine.threads'] };
  const openWarehouse = warehouseOpener(settings, pipeline, lake);
  const landing = landingFiles(settings, pipeline);
  const reading = { lake: lake.files, publications, duckdb };
  return {
    'pin.bronze': async () =>
      (await LOAD.pinBronze()).createPinBronzeHandler({
        bronze: lake.bronzeStore,
        publications,
        strictForeignKeys: gates.strictForeignKeys,
        landing,
      }),
    'pin.dims': async () => (await LOAD.pinDims()).createPinDimsHandler({ publications }),
    branch: async () => (await LOAD.dimsFresh()).createDimsFreshHandler({ publications }),
    short_circuit: async () => shortCircuit(settings),
    'build.silver': async () =>
      (await LOAD.buildSilver()).createBuildSilverHandler({
        ...reading,
        bronze: lake.bronzeFiles,
        strictForeignKeys: gates.strictForeignKeys,
      }),
    'build.dims': async () => (await LOAD.buildDims()).createBuildDimsHandler(reading),
    'build.enriched': async () =>
      (await LOAD.buildEnriched()).createBuildEnrichedHandler({ ...reading, projectRoot: root }),
    'build.gold': async () => (await LOAD.buildGold()).createBuildGoldHandler({ publications, openWarehouse }),
    load: async () => (await LOAD.load()).createLoadHandler({ publications, openWarehouse }),
    validate: async () =>
      (await LOAD.validate()).createValidateHandler({
        ...reading,
        acceptances: openAcceptances(lake.store),
        bronze: lake.bronzeFiles,
        gates,
        root,
      }),
    publish: async () => (await LOAD.publish()).createPublishHandler({ publications }),
    'publish.gold': async () => {
      const publish = (await LOAD.publish()).createPublishHandler({ publications });
      return (await LOAD.publishGold()).createPublishGoldHandler({ publications, openWarehouse, publish });
    },
  };
}

/** `setting: warehouse.load` lets pass what follows where the setting is on. */
function shortCircuit(settings: Settings): TaskHandler {
  return async ({ task }): Promise<TaskOutput> => {
    const key = String(task.params.setting) as keyof Settings['values'];
    const proceed = isSwitchedOn(settings, task);
    const origin = settings.sources[key]?.[0]?.origin ?? 'unknown';
    return { kind: 'short_circuit', proceed, because: `${key} is ${proceed ? 'on' : 'off'} (${origin})` };
  };
}
