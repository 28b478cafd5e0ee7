/** What the terminal can show, and how results are written to it. */
import { environmentVariables } from '../config/settings.ts';

/** A live picture needs a terminal that is watched; CI gets one line per change. */
export function isLive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !environmentVariables().CI && environmentVariables().TERM !== 'dumb';
}

/** `NO_COLOR` and `FORCE_COLOR` win over what the stream is. */
export function hasColour(stream: NodeJS.WriteStream): boolean {
  const env = environmentVariables();
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return isLive(stream);
}

export function printJson(value: unknown): void {
  process.stdout.write(
    `${JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner), 2)}\n`,
  );
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Rows of text as columns; numbers to the right. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headers.map((header, at) => Math.max(header.length, ...rows.map((row) => (row[at] ?? '').length)));
  const isNumeric = headers.map(
    (_header, at) => rows.length > 0 && rows.every((row) => /^-?[\d,.]*( %)?$/.test(row[at] ?? '')),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (isNumeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(headers), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)];
}

/** On a terminal: asks once. Elsewhere: only an explicit `--yes` counts. */
export async function confirm(question: string, isYes: boolean | undefined): Promise<boolean> {
  if (isYes) return true;
  if (process.stdin.isTTY !== true) return false;
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`${question} [y/N] `);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}
