/** Repeated runs -> a line with median and range. */
export interface Figure {
  readonly label: string;
  readonly values: readonly number[];
  readonly unit: 'ms' | 'MB' | 'tasks/s';
  /** What the design asks for, in words. */
  readonly target?: string;
}

export function printFigures(figures: readonly Figure[]): void {
  const rows = figures.map(({ label, values, unit, target }) => {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(unit === 'ms' ? 1 : 0);
    return [label, `${at(0.5)} ${unit}`, `${at(0)}–${at(1)}`, String(values.length), target ?? ''];
  });
  const table = [['', 'median', 'min–max', 'runs', 'target'], ...rows];
  const widths = table[0]?.map((_cell, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? [];
  for (const row of table)
    process.stdout.write(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
}

/** Wall time of a piece of work. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** `--files=20` of the command line; `byDefault` where it is left out. */
export function sizeFlag(name: string, byDefault: number): number {
  const given = process.argv.find((arg) => arg.startsWith(`--${name}=`));
  if (given === undefined) return byDefault;
  const value = Number(given.slice(name.length + 3));
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${given}: expected a whole number above 0`);
}
