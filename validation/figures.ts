/** Counts and shares -> the text that reports print; never rounds a flaw away. */

/** `68775` -> `68,775` */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** A share of 0..1 with two digits. What is not all is never printed as `100.00 %`, nor what is not nothing as `0.00 %`. */
export function percent(share: number): string {
  const text = (share * 100).toFixed(2);
  if (text === '100.00' && share < 1) return '> 99.99 %';
  if (text === '0.00' && share > 0) return '< 0.01 %';
  return `${text} %`;
}

/** A limit as its author wrote it: `0.99` -> `99 %`, `0.005` -> `0.5 %` */
export function limitPercent(share: number): string {
  return `${Number((share * 100).toFixed(6))} %`;
}

/** `1 row`, `2 rows`, `2 entries` with an own plural. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** First and last day of a span, shortened where month and year repeat: `2025-10-08..17`. */
export function daySpan(from: string, to: string): string {
  if (from === to) return from;
  return from.slice(0, 8) === to.slice(0, 8) ? `${from}..${to.slice(8)}` : `${from}..${to}`;
}

/** The first few of a list, and how many more there are. */
export function someOf(items: readonly string[], most = 3): string {
  const shown = items.slice(0, most).join(', ');
  return items.length > most ? `${shown} and ${count(items.length - most)} more` : shown;
}
