/** A spec and some tables of a layer -> the enriched tables and marts that are made of their rows, directly or not. Pure. */
import type { Spec } from '../core/spec.ts';
import type { Layer, Report } from '../core/types.ts';
import { readers } from './held-tables.ts';

/** In spec order, each with those of the tables that it is made of, in their order. */
export function downstreamOf(spec: Spec, layer: Layer, tables: readonly string[]): NonNullable<Report['downstream']> {
  const base = layer === 'bronze' ? 'silver' : layer;
  const hit = new Map(tables.map((table) => [table, new Set(readers(spec, [`${base}.${table}`]))]));
  return [
    ...spec.transforms.map((transform) => `enriched.${transform.name}`),
    ...spec.marts.map((mart) => `gold.${mart.name}`),
  ].flatMap((asset) => {
    const of = tables.filter((table) => hit.get(table)?.has(asset));
    return of.length === 0 ? [] : [{ asset, of }];
  });
}
