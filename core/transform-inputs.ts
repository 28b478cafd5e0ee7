/** A transform's inputs by name -> the tables that they mean. Pure. */
import type { Spec, TransformSpec } from './spec.ts';

/** `dims.customers`, `silver.orders`: a name means the dim, else the silver table, else another transform. */
export function transformInputs(spec: Spec, { dependsOn }: Pick<TransformSpec, 'dependsOn'>): readonly string[] {
  return dependsOn.map((name) => {
    if (spec.dims.some((dim) => dim.name === name)) return `dims.${name}`;
    return spec.tables.some((table) => table.name === name) ? `silver.${name}` : `enriched.${name}`;
  });
}
