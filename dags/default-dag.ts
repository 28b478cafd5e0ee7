/** A spec without DAGs -> the one DAG that builds all of it, from bronze to gold, leaving out the layers it does not have. */
import type { DagSpec, DagTaskSpec, Spec } from '../core/spec.ts';
import type { JsonObject, Layer, TaskKind } from '../core/types.ts';

/** Null where the spec declares nothing to build. It has no schedule: it runs when triggered. */
export function defaultDag(spec: Spec): DagSpec | null {
  const location = spec.tables[0]?.location ?? { file: spec.folder, line: 1, column: 1 };
  const task = (id: string, kind: TaskKind, layer: Layer | null = null, params: JsonObject = {}): DagTaskSpec => ({
    id,
    kind,
    layer,
    params,
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    dependsOn: null,
    only: null,
    except: [],
    location,
  });
  const gated = (layer: Layer) => [
    task(`build_${layer}`, 'build', layer),
    task(`validate_${layer}`, 'validate', layer),
    task(`publish_${layer}`, 'publish', layer),
  ];
  const { tables, dims, transforms, marts } = spec;
  if (tables.length === 0) return null;
  const load = loadTask(spec, task);
  const tasks = [
    task('pin_bronze', 'pin', 'bronze'),
    task('validate_bronze', 'validate', 'bronze'),
    ...gated('silver'),
    // Pinned after it is published: what follows reads the snapshot that this run has just made.
    ...(dims.length > 0 ? [...gated('dims'), task('pin_dims', 'pin', 'dims')] : []),
    ...(transforms.length > 0 ? gated('enriched') : []),
    ...(load ? [task('should_load_warehouse', 'short_circuit', null, { setting: 'warehouse.load' }), load] : []),
    ...(marts.length > 0
      ? [task('should_run_gold', 'short_circuit', null, { setting: 'warehouse.marts' }), ...gated('gold')]
      : []),
  ];
  return {
    id: spec.pipeline,
    description: `Everything of ${spec.pipeline}, from bronze to gold.`,
    schedule: null,
    maxActiveRuns: 1,
    tags: [],
    tasks,
    location,
  };
}

/** All of the enriched layer; without one, just what the marts read. */
function loadTask(spec: Spec, task: (id: string, kind: TaskKind, layer: Layer) => DagTaskSpec): DagTaskSpec | null {
  if (spec.transforms.length > 0) return task('load_warehouse', 'load', 'enriched');
  if (spec.marts.length === 0) return null;
  const inputs = spec.marts.flatMap((mart) => mart.inputs);
  const only = inputs.filter((input) => input.layer === 'silver').map((input) => input.table);
  return { ...task('load_warehouse', 'load', 'silver'), only };
}
