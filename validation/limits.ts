/** Offending rows, rows in all and the declared limits -> the state a check comes to, in numbers and words. */
import type { Limit } from '../core/spec.ts';
import type { CheckState } from '../core/types.ts';
import { count, counted, limitPercent, percent } from './figures.ts';

export interface Limits {
  readonly warnIf: Limit | null;
  readonly failIf: Limit | null;
}

/** No offending row is tolerated. */
export const NONE_FAILS: Limits = { warnIf: null, failIf: { op: '>', value: 0, unit: 'rows' } };
export const NONE_WARNS: Limits = { warnIf: { op: '>', value: 0, unit: 'rows' }, failIf: null };

/** A check without limits tolerates nothing. */
export function limitsOf(declared: Limits): Limits {
  return declared.warnIf === null && declared.failIf === null ? NONE_FAILS : declared;
}

export function severityOf(limits: Limits): 'warn' | 'fail' {
  return limits.failIf === null ? 'warn' : 'fail';
}

/** Needs `total > 0`: without rows there is nothing to judge. */
export function stateWithin(failed: number, total: number, limits: Limits): CheckState {
  if (limits.failIf && breaches(failed, total, limits.failIf)) return 'FAIL';
  if (limits.warnIf && breaches(failed, total, limits.warnIf)) return 'WARN';
  return 'PASS';
}

function breaches(failed: number, total: number, limit: Limit): boolean {
  // Shares are compared as products, because 3/300*100 is not 1 in binary arithmetic.
  const [left, right] = limit.unit === 'rows' ? [failed, limit.value] : [failed * 100, limit.value * total];
  switch (limit.op) {
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
  }
}

const OPPOSITE: { readonly [op in Limit['op']]: string } = { '>': '≤', '>=': '<', '<': '≥', '<=': '>' };

/** What the limits promise: `0 rows`, `≤ 1 %`, `0 rows (FAIL above 1 %)`. */
export function promiseOf(limits: Limits): string {
  const strictest = limits.warnIf ?? limits.failIf;
  if (strictest === null) return 'measured, not limited';
  const also = limits.warnIf && limits.failIf ? ` (FAIL if ${limits.failIf.op} ${amount(limits.failIf)})` : '';
  const promise =
    strictest.op === '>' && strictest.value === 0 ? '0 rows' : `${OPPOSITE[strictest.op]} ${amount(strictest)}`;
  return promise + also;
}

function amount(limit: Limit): string {
  return limit.unit === 'rows' ? counted(limit.value, 'row') : limitPercent(limit.value / 100);
}

/** `3 rows (0.15 %)` */
export function rowsAndShare(failed: number, total: number): string {
  return failed === 0 || total === 0
    ? counted(failed, 'row')
    : `${count(failed)} of ${counted(total, 'row')} (${percent(failed / total)})`;
}
