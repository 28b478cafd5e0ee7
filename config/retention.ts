/** Settings -> how long each layer's versions are kept. */
import type { PublishedLayer } from '../core/types.ts';
import type { Settings } from './settings.ts';

export interface Retention {
  readonly versions: number;
  readonly days: number;
}

export function retentionPolicies({ values }: Settings): { readonly [layer in PublishedLayer]: Retention } {
  const of = (layer: PublishedLayer): Retention => ({
    versions: values[`retention.${layer}.versions`],
    days: values[`retention.${layer}.days`],
  });
  return { silver: of('silver'), dims: of('dims'), enriched: of('enriched'), gold: of('gold') };
}

export const graceMs = ({ values }: Settings): number => values['retention.grace_hours'] * 3_600_000;
