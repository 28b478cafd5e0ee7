/** A spec and a layer -> the names of the tables that the layer has. */
import type { Spec } from '../core/spec.ts';
import type { Layer } from '../core/types.ts';

/** In the order of the spec; bronze has one table for each of base silver. */
export function namesOf(spec: Spec, layer: Layer): readonly string[] {
  switch (layer) {
    case 'bronze':
    case 'silver':
      return spec.tables.map((table) => table.name);
    case 'dims':
      return spec.dims.map((dim) => dim.name);
    case 'enriched':
      return spec.transforms.map((transform) => transform.name);
    case 'gold':
      return spec.marts.map((mart) => mart.name);
  }
}
