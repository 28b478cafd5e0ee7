/** A reason and a build's accounts -> the bronze partitions that its rows came from. Pure. */
import type { StagedTable } from '../../core/types.ts';
import { count, someOf } from '../figures.ts';
import { compareText } from '../measured-result.ts';

/** `: ingest_dt=2025-10-08 105`, most rows first; empty where the accounts by partition do not say. */
export function placesOf(reason: string, staged: Pick<StagedTable, 'inputs'>): string {
  const places = Object.entries(staged.inputs)
    .map(([input, record]) => ({ input, rows: record.account.byReason[reason] ?? 0 }))
    .filter((place) => place.rows > 0 && place.input !== '')
    .sort((a, b) => b.rows - a.rows || compareText(a.input, b.input))
    .map((place) => `${place.input} ${count(place.rows)}`);
  return places.length === 0 ? '' : `: ${someOf(places, 5)}`;
}
