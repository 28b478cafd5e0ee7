/** One row -> one line of CSV as RFC 4180 has it. NULL is nothing between two commas, an empty text is `""`. */
import type { Cell } from '../../engine/duckdb-session.ts';

/** A file of one column whose value is NULL has an empty line for it. */
export function csvLine(cells: readonly Cell[], lineEnd: string): string {
  return `${cells.map(csvCell).join(',')}${lineEnd}`;
}

function csvCell(cell: Cell): string {
  if (cell === null) return '';
  const text = String(cell);
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
