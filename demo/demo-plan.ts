/** What a demo's bronze holds, and what dirt was planted where: counts by table, reason and day, to hold findings against. */
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { TABLE_NAMES, type TableName } from './bronze-tables.ts';

const rows = z.int().positive();

/** `day`: the ingest day of the planted rows; lookups, which the first run reads whole, have the demo's first day. */
const planted = z.discriminatedUnion('kind', [
  /** Rows that break a rule; the source's fault may earn a row more than one reason. */
  z.object({ kind: z.literal('quarantined'), reasons: z.array(z.string()).min(1), day: z.string(), rows }),
  /** Rows delivered again; `firstDay` is when the first ones came. */
  z.object({ kind: z.literal('duplicate'), reason: z.string(), firstDay: z.string(), day: z.string(), rows }),
  /** Sound rows without a parent, by foreign key. */
  z.object({ kind: z.literal('orphan'), foreignKey: z.string(), day: z.string(), rows }),
  /** Sound rows with an optional column that does not cast, by check id. */
  z.object({ kind: z.literal('bad_cast'), check: z.string(), day: z.string(), rows }),
  /** Sound rows that came days after they happened. */
  z.object({ kind: z.literal('late'), day: z.string(), rows }),
]);

const demoPlan = z.object({
  formatVersion: z.literal(1),
  firstDay: z.string(),
  lastDay: z.string(),
  days: z.int().positive(),
  ordersPerDay: z.int().positive(),
  seed: z.int().nonnegative(),
  tables: z.record(z.enum(TABLE_NAMES), z.object({ rows: z.record(z.string(), rows), planted: z.array(planted) })),
});

export type Planted = z.infer<typeof planted>;
export type DemoPlan = z.infer<typeof demoPlan>;

/** What a run over some days must find in one table. */
export interface Expected {
  /** Bronze rows. input = output + quarantined + duplicates. */
  readonly input: number;
  readonly output: number;
  readonly quarantined: number;
  readonly duplicates: number;
  /** Rows of earlier days, published by an earlier run, that were delivered again in this one. */
  readonly replaced: number;
  /** Rows by reason code, `duplicate_*` included. */
  readonly byReason: { readonly [reason: string]: number };
  readonly orphans: { readonly [foreignKey: string]: number };
  /** By check id, e.g. `cast_updated_at`. */
  readonly badCasts: { readonly [check: string]: number };
  readonly late: number;
}

/**
 * What a run over `fromDay`..`toDay`, both included, finds in one table, where all earlier days were published before it,
 * foreign keys are soft, and the rules are those of the reference pipeline.
 */
export function plantedFor(plan: DemoPlan, table: TableName, fromDay: string, toDay: string): Expected {
  const isIn = (day: string): boolean => day >= fromDay && day <= toDay;
  const { rows: rowsByDay, planted: all } = plan.tables[table];
  const found = all.filter(({ day }) => isIn(day));
  const count = (chosen: readonly Planted[]): number => chosen.reduce((sum, one) => sum + one.rows, 0);
  const tally = (names: (one: Planted) => readonly string[]): { [name: string]: number } => {
    const counts = new Map<string, number>();
    for (const one of found) for (const name of names(one)) counts.set(name, (counts.get(name) ?? 0) + one.rows);
    return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  };

  const input = Object.entries(rowsByDay).reduce((sum, [day, rows]) => sum + (isIn(day) ? rows : 0), 0);
  const quarantined = count(found.filter(({ kind }) => kind === 'quarantined'));
  const again = found.filter((one) => one.kind === 'duplicate');
  const duplicates = count(again.filter(({ firstDay }) => firstDay >= fromDay));
  return {
    input,
    output: input - quarantined - duplicates,
    quarantined,
    duplicates,
    replaced: count(again) - duplicates,
    byReason: tally((one) => {
      if (one.kind === 'quarantined') return one.reasons;
      return one.kind === 'duplicate' && one.firstDay >= fromDay ? [one.reason] : [];
    }),
    orphans: tally((one) => (one.kind === 'orphan' ? [one.foreignKey] : [])),
    badCasts: tally((one) => (one.kind === 'bad_cast' ? [one.check] : [])),
    late: count(found.filter(({ kind }) => kind === 'late')),
  };
}

/** Rows of one table that readers of silver see once all days are published. */
export function cleanRows(plan: DemoPlan, table: TableName): number {
  return plantedFor(plan, table, plan.firstDay, plan.lastDay).output;
}

export const renderDemoPlan = (plan: DemoPlan): string => `${JSON.stringify(plan, null, 1)}\n`;

/** @throws PipelineError `data_unreadable` */
export function parseDemoPlan(text: string, path: string): DemoPlan {
  let json: unknown = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Told below, as any other text that is no plan.
  }
  const parsed = demoPlan.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new PipelineError('data_unreadable', `${path} is no plan of a demo. Start over with: assay demo --reset`, {
    context: { path },
    cause: parsed.error,
  });
}
