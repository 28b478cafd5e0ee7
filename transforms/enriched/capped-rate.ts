/** A rate and its bounds -> the rate as the reference pipeline publishes it. */
import type { Expr } from 'nodejs-polars';
import { clamp } from './exact-numbers.ts';

/** Parameters of every transform that publishes rates. */
export const RATE_CAPS = { rate_cap_enabled: true, rate_cap_min: 0, rate_cap_max: 1 };

export function cappedRate(
  rate: Expr,
  caps: { readonly [name in keyof typeof RATE_CAPS]: (typeof RATE_CAPS)[name] },
): Expr {
  return caps.rate_cap_enabled ? clamp(rate, caps.rate_cap_min, caps.rate_cap_max) : rate;
}
