/** `> 1%`, `30s`, `2d` -> numbers with their unit. The schema has checked the form; a wrong one here is a bug. */
import type { Limit } from '../core/spec.ts';

/** `> 0` is a count of rows, `> 1%` their share in percent. */
export function parseLimit(text: string): Limit {
  const [, op, value, percent] = /^\s*(>=|>|<=|<)\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(text) ?? [];
  if (op === undefined || value === undefined) throw new Error(`not a limit: ${text}`);
  return { op: op as Limit['op'], value: Number(value), unit: percent === '%' ? 'percent' : 'rows' };
}

const UNIT_MS: { readonly [unit: string]: number } = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `5m`, `2h`, `1d` -> milliseconds. */
export function parseDurationMs(text: string): number {
  const [, value, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit ?? ''];
  if (unitMs === undefined) throw new Error(`not a duration: ${text}`);
  return Number(value) * unitMs;
}

/** `2d` or 2 -> 2. */
export function parseDays(days: string | number | undefined): number {
  return days === undefined ? 0 : typeof days === 'number' ? days : Number.parseInt(days, 10);
}
