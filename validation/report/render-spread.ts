/** Offending rows over partitions -> a table with a column a partition. Pure. */
import { isDay } from '../../core/partition.ts';
import type { PartitionSpread } from '../../core/types.ts';
import { count, counted } from '../figures.ts';
import { codeSpan, markdownText } from './escape-text.ts';
import { tableRow } from './markdown-table.ts';

/** `noun` names the offending rows: `Orphans`. Begins with an empty line. */
export function renderSpread(noun: string, { key, of, partitions, others }: PartitionSpread): string[] {
  const years = new Set(partitions.map(({ value }) => value.slice(0, 4)));
  const isShort = years.size === 1 && partitions.every(({ value }) => isDay(value));
  return [
    '',
    `${noun} ÷ ${of}, by ${codeSpan(key)}${isShort ? ` of ${[...years].join('')}` : ''}:`,
    '',
    tableRow(partitions.map(({ value }) => markdownText(isShort ? value.slice(5) : value))),
    tableRow(partitions.map(() => '--:')),
    tableRow(partitions.map(({ failed, rows }) => (rows === 0 ? 'none' : `${count(failed)}/${count(rows)}`))),
    ...(others === null
      ? []
      : ['', `In ${counted(others.partitions, 'other')}: ${count(others.failed)}/${count(others.rows)}.`]),
  ];
}
