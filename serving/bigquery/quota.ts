/** What a table's jobs have spent of BigQuery's quotas -> how many may start now, and when the next may. Pure. */

/** Job counts by hour (epoch hour), of the last 24 hours; instants of the last changes. Failed jobs count as well. */
export interface QuotaSpent {
  readonly loads: { readonly [hour: string]: number };
  /** Loads, copies and query results written, DML left out. */
  readonly modifications: { readonly [hour: string]: number };
  /** Epoch ms of changes within the last 10 s, ascending. */
  readonly recentMs: readonly number[];
}

export const NOTHING_SPENT: QuotaSpent = { loads: {}, modifications: {}, recentMs: [] };

/** @source BigQuery, "Quotas and limits" (read 2026-11-21) */
export const LIMITS = {
  loadsPerTablePerDay: 1_500,
  modificationsPerTablePerDay: 1_500,
  modificationsPerPartitionedTablePerDay: 30_000,
  updatesPerTenSeconds: 5,
  updatesPerTenSecondsPartitioned: 50,
  partitionsPerJob: 4_000,
  urisPerJob: 10_000,
  tablesPerTransaction: 100,
} as const;

const HOUR_MS = 3_600_000;
const WINDOW_MS = 10_000;
const HOURS = 24;

export interface QuotaAsk {
  readonly kind: 'load' | 'write';
  readonly isPartitioned: boolean;
  readonly nowMs: number;
}

/** Jobs of this kind that the day still allows. */
export function jobsLeft(spent: QuotaSpent, ask: QuotaAsk): number {
  const daily = ask.isPartitioned ? LIMITS.modificationsPerPartitionedTablePerDay : LIMITS.modificationsPerTablePerDay;
  const modifications = daily - sum(spent.modifications, ask.nowMs);
  const loads = ask.kind === 'load' ? LIMITS.loadsPerTablePerDay - sum(spent.loads, ask.nowMs) : modifications;
  return Math.max(0, Math.min(loads, modifications));
}

/** Until the oldest counted hour leaves the day; for when `jobsLeft` is 0. */
export function refillMs(spent: QuotaSpent, nowMs: number): number {
  const hours = [...Object.keys(spent.loads), ...Object.keys(spent.modifications)]
    .map(Number)
    .filter((hour) => isWithinDay(hour, nowMs));
  const oldest = Math.min(...hours, hourOf(nowMs));
  return (oldest + HOURS + 1) * HOUR_MS - nowMs;
}

/** Until one more change keeps within so many in 10 s; 0: now. */
export function updatePauseMs(spent: QuotaSpent, ask: Pick<QuotaAsk, 'isPartitioned' | 'nowMs'>): number {
  const limit = ask.isPartitioned ? LIMITS.updatesPerTenSecondsPartitioned : LIMITS.updatesPerTenSeconds;
  const recent = spent.recentMs.filter((at) => at > ask.nowMs - WINDOW_MS);
  if (recent.length < limit) return 0;
  const first = recent[recent.length - limit] ?? ask.nowMs;
  return Math.max(0, first + WINDOW_MS - ask.nowMs);
}

export function spend(spent: QuotaSpent, ask: QuotaAsk, jobs: number): QuotaSpent {
  const loads = ask.kind === 'load' ? jobs : 0;
  return {
    loads: add(spent.loads, ask.nowMs, loads),
    modifications: add(spent.modifications, ask.nowMs, jobs),
    recentMs: spent.recentMs,
  };
}

export function updated(spent: QuotaSpent, nowMs: number): QuotaSpent {
  return { ...spent, recentMs: [...spent.recentMs.filter((at) => at > nowMs - WINDOW_MS), nowMs] };
}

const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS);
const isWithinDay = (hour: number, nowMs: number): boolean => hour >= hourOf(nowMs) - HOURS;

function sum(counts: QuotaSpent['loads'], nowMs: number): number {
  return Object.entries(counts).reduce(
    (total, [hour, jobs]) => (isWithinDay(Number(hour), nowMs) ? total + jobs : total),
    0,
  );
}

function add(counts: QuotaSpent['loads'], nowMs: number, jobs: number): QuotaSpent['loads'] {
  const kept = Object.fromEntries(Object.entries(counts).filter(([hour]) => isWithinDay(Number(hour), nowMs)));
  if (jobs === 0) return kept;
  const hour = String(hourOf(nowMs));
  return { ...kept, [hour]: (kept[hour] ?? 0) + jobs };
}
