/** Name of a built-in transform -> its definition; each module, and Polars with it, is loaded only when asked for. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import type { TransformDefinition } from './define-transform.ts';

const BUILTIN: { readonly [name: string]: () => Promise<{ readonly default: unknown }> } = {
  int_attributed_purchases: () => import('./int-attributed-purchases.ts'),
  int_cart_attribution: () => import('./int-cart-attribution.ts'),
  int_customer_lifetime_value: () => import('./int-customer-lifetime-value.ts'),
  int_customer_retention_signals: () => import('./int-customer-retention-signals.ts'),
  int_daily_business_metrics: () => import('./int-daily-business-metrics.ts'),
  int_inventory_risk: () => import('./int-inventory-risk.ts'),
  int_product_performance: () => import('./int-product-performance.ts'),
  int_regional_financials: () => import('./int-regional-financials.ts'),
  int_sales_velocity: () => import('./int-sales-velocity.ts'),
  int_shipping_economics: () => import('./int-shipping-economics.ts'),
};

export const BUILTIN_TRANSFORM_NAMES: readonly string[] = Object.keys(BUILTIN);

/**
 * A name without `int_` means the same function.
 *
 * @throws PipelineError `transform_invalid` for a name that is none
 */
export async function loadBuiltin(name: string): Promise<TransformDefinition> {
  const load = BUILTIN[name] ?? BUILTIN[`int_${name}`];
  if (!load) {
    const near = didYouMean(name, BUILTIN_TRANSFORM_NAMES);
    throw new PipelineError(
      'transform_invalid',
      `There is no built-in transform ${name}${near ? `; did you mean ${near}` : ''}. Name one of your own with file: ./<name>.ts.`,
      { context: { transform: name } },
    );
  }
  return (await load()).default as TransformDefinition;
}
