/** Layer and covered tables -> the report's name, which is also its file's. */
import type { Layer } from '../../core/types.ts';

const NAMES: { readonly [layer in Layer]: string } = {
  bronze: 'BRONZE_QUALITY',
  silver: 'SILVER_QUALITY',
  dims: 'DIMS_SNAPSHOT_QUALITY',
  enriched: 'ENRICHED_QUALITY',
  gold: 'GOLD_QUALITY',
};

/** A task over lookup tables alone, as in a refresh of dims, writes beside the main report, not over it. */
export function reportName(layer: Layer, tables: readonly string[], dims: readonly string[]): string {
  const isLookups = tables.length > 0 && tables.every((table) => dims.includes(table));
  if (isLookups && layer === 'bronze') return 'BRONZE_DIMS_QUALITY';
  if (isLookups && layer === 'silver') return 'SILVER_DIMS_QUALITY';
  return NAMES[layer];
}
