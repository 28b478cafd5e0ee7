/** Rows of any engine -> types and text in one notation, so that two engines can be compared cell by cell. */

/** As GoogleSQL writes it: `INT64`, `ARRAY<NUMERIC>`. BIGNUMERIC counts as NUMERIC. */
export type CanonicalType = string;

export interface CanonicalRows {
  readonly types: readonly CanonicalType[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Without zeros at the end, and without the sign of zero: engines keep different scales of one value. */
export function plainDecimal(text: string): string {
  const trimmed = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return trimmed === '-0' ? '0' : trimmed;
}

export function dayText(days: number): string {
  const date = new Date(days * 86_400_000);
  const year = String(date.getUTCFullYear()).padStart(4, '0');
  return `${year}-${String(date.getUTCMonth() + 1).padStart(2, '0')}-${String(date.getUTCDate()).padStart(2, '0')}`;
}

/** Microseconds since 1970 -> `YYYY-MM-DD HH:MM:SS.ffffff`. */
export function instantText(microseconds: bigint): string {
  const day = 86_400_000_000n;
  const within = ((microseconds % day) + day) % day;
  const pad = (value: bigint, width: number) => value.toString().padStart(width, '0');
  const [seconds, fraction] = [within / 1_000_000n, within % 1_000_000n];
  const clock = `${pad(seconds / 3600n, 2)}:${pad((seconds / 60n) % 60n, 2)}:${pad(seconds % 60n, 2)}.${pad(fraction, 6)}`;
  return `${dayText(Number((microseconds - within) / day))} ${clock}`;
}

export function listText(cells: readonly (string | null)[]): string {
  return `[${cells.map((cell) => cell ?? 'NULL').join(', ')}]`;
}

/** How the rows differ; null where they are the same. Without an order of their own, rows may come in any. */
export function differenceOf(found: CanonicalRows, expected: CanonicalRows, isOrdered: boolean): string | null {
  const types = [found, expected].map((each) => each.types.join(', '));
  if (types[0] !== types[1]) return `types are ${types[0]}, not ${types[1]}`;
  const [mine, theirs] = [found, expected].map(({ rows }) => (isOrdered ? rows : [...rows].sort(byText)));
  const same =
    mine?.length === theirs?.length &&
    mine?.every((row, index) =>
      row.every((cell, column) => sameCell(cell, theirs?.[index]?.[column] ?? null, expected.types[column] ?? '')),
    );
  if (same) return null;
  const text = (rows: CanonicalRows['rows'] | undefined) =>
    (rows ?? []).map((row) => row.map((cell) => cell ?? 'NULL').join(' | ')).join('\n  ');
  return `rows are\n  ${text(mine)}\nnot\n  ${text(theirs)}`;
}

function byText(one: readonly (string | null)[], other: readonly (string | null)[]): number {
  const [a, b] = [one, other].map((row) => JSON.stringify(row.map(sortable)));
  return (a ?? '') < (b ?? '') ? -1 : 1;
}

/** Floating-point digits past the ninth must not decide an order. */
function sortable(cell: string | null): string | null {
  return cell !== null && /^-?\d+\.\d{7,}(e[+-]?\d+)?$/.test(cell) ? Number(cell).toPrecision(9) : cell;
}

/** FLOAT64 within a billionth of its size: engines add in different orders. */
function sameCell(found: string | null, expected: string | null, type: CanonicalType): boolean {
  if (found === expected) return true;
  if (type !== 'FLOAT64' || found === null || expected === null) return false;
  const [a, b] = [Number(found), Number(expected)];
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}
