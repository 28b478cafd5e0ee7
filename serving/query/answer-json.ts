/** A cell -> what JSON can hold of it without loss: whole numbers beyond 2^53 and numbers that are none become text. */
import type { Cell } from '../../engine/duckdb-session.ts';

export function jsonCell(cell: Cell): string | number | boolean | null {
  if (typeof cell === 'bigint') return String(cell);
  return typeof cell === 'number' && !Number.isFinite(cell) ? String(cell) : cell;
}
