/** What a query would read -> words for people, and a refusal before it starts where it is too much. Pure. */
import { PipelineError } from '../../core/errors.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.5 GiB` */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `0.0123 USD` */
export function moneyText(usd: number): string {
  return `${usd.toFixed(usd > 0 && usd < 1 ? 4 : 2)} USD`;
}

/** @throws PipelineError `warehouse_rejected` */
export function assertWithinLimit(what: string, bytes: number, usd: number, maximumBytesBilled: number | null): void {
  if (maximumBytesBilled === null || bytes <= maximumBytesBilled) return;
  throw new PipelineError(
    'warehouse_rejected',
    `${what} would read ${bytesText(bytes)} (about ${moneyText(usd)}), but bigquery.maximum_bytes_billed is ${bytesText(maximumBytesBilled)}. ` +
      'It was not started. Let it read fewer days or columns, or raise the limit for this environment.',
    { context: { what, bytes, maximumBytesBilled } },
  );
}
