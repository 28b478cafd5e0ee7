/** The faults and how many sound rows each day has -> which sound row each planted row is made from, and on which day it comes. Pure. */
import { isLookup, type TableName } from './bronze-tables.ts';
import { FAULTS, type Fault } from './faults.ts';

/** One planted row. Days are indexes, from 0. */
export interface Place {
  readonly fault: Fault;
  /** Numbers the planted rows of the table, from 1. */
  readonly n: number;
  /** Day of the sound row that it is made from, and that row's place in the day's fixed shuffle, from 1. */
  readonly fromDay: number;
  readonly fromRow: number;
  /** Day on which the planted row comes. */
  readonly day: number;
}

/** Sound rows by table and day; a day without any is left out. */
export type SoundRows = { readonly [table in TableName]: ReadonlyMap<number, number> };

/** Orders for which each fault is planted once (twice in the tables that grow most). */
const ORDERS_PER_ROUND = 2_800;
const TWICE: readonly TableName[] = ['customers', 'shopping_carts', 'cart_items', 'orders', 'order_items'];
/** With fewer sound rows on its day, one bad row would already be more than a few percent. */
const ENOUGH_FOR_DIRT = 40;
const ENOUGH_FOR_AN_ORPHAN = 400;

/**
 * Every sound row serves once, so that no row has two faults. Days are taken in turn, at a step that spreads them.
 * Orphans avoid the day before the last: rows that come again on the last day let its partitions be written anew, and the orphans
 * in there would be counted by two runs. Where a small demo has no fitting day the fault is planted on another, or not at all.
 */
export function choosePlaces(orders: number, days: number, sound: SoundRows): readonly Place[] {
  const taken = new Map<string, number>();
  const numbered = new Map<TableName, number>();
  const places: Place[] = [];
  const rounds = Math.max(1, Math.round(orders / ORDERS_PER_ROUND));
  for (const [index, fault] of FAULTS.entries()) {
    const times = fault.table === 'product_catalog' ? 1 : rounds * (TWICE.includes(fault.table) ? 2 : 1);
    const candidates = daysFor(fault, days, sound[fault.table]);
    for (let time = 0; time < times; time += 1) {
      const start = index * 3 + time * 5;
      for (let step = 0; step < candidates.length; step += 1) {
        const [fromDay, day] = candidates[(start + step) % candidates.length] ?? [0, 0];
        const key = `${fault.table} ${fromDay}`;
        const fromRow = (taken.get(key) ?? 0) + 1;
        if (fromRow > (sound[fault.table].get(fromDay) ?? 0)) continue;
        taken.set(key, fromRow);
        const n = (numbered.get(fault.table) ?? 0) + 1;
        numbered.set(fault.table, n);
        places.push({ fault, n, fromDay, fromRow, day });
        break;
      }
    }
  }
  return places;
}

/** Pairs of days on which a fault may be planted: that of the sound row, that of the planted one. */
function daysFor(
  fault: Fault,
  days: number,
  sound: ReadonlyMap<number, number>,
): readonly (readonly [number, number])[] {
  const all = [...sound.keys()].sort((a, b) => a - b);
  const last = days - 1;
  if (isLookup(fault.table)) return all.map((day) => [day, day]);
  if (fault.way === 'again') return againDays(fault, all, last);
  const isFit = (day: number): boolean => {
    const rows = sound.get(day) ?? 0;
    if (fault.effect.kind !== 'orphan') return rows >= ENOUGH_FOR_DIRT;
    return day !== last - 1 && (day !== last || rows >= ENOUGH_FOR_AN_ORPHAN);
  };
  const fit = all.filter(isFit);
  if (fit.length > 0) return fit.map((day) => [day, day]);
  const isOrphan = fault.effect.kind === 'orphan';
  const spare = all.filter((day) => (day < last || all.length === 1) && !(isOrphan && day === last - 1));
  // Of two days the first is the day before the last.
  return (spare.length > 0 ? spare : all.filter((day) => day === last)).map((day) => [day, day]);
}

/** A second delivery crosses from the days before the last to the last one only where that is meant. */
function againDays(fault: Fault, all: readonly number[], last: number): readonly (readonly [number, number])[] {
  if (fault.later === 'last') return all.includes(last - 1) ? [[last - 1, last]] : [];
  const later = fault.later ?? 0;
  const limit = fault.effect.kind === 'duplicate' && later > 0 ? last - 1 : last;
  return all.filter((day) => day + later <= limit).map((day) => [day, day + later]);
}
