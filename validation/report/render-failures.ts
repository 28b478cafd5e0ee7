/** Failing results -> one section a cause: what is promised, how bad it is, which rows, and what is made of them. Pure. */
import type { CheckResult, Report } from '../../core/types.ts';
import { count, counted, someOf } from '../figures.ts';
import { compareText } from '../measured-result.ts';
import { codeSpan, markdownSentence, markdownText } from './escape-text.ts';
import { tableRow } from './markdown-table.ts';
import { renderSpread } from './render-spread.ts';

export interface Section {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** Where hundreds of checks fail, a page is read for its causes; every check stands in `results.json`. */
const MOST = { sections: 50, names: 6, rows: 20, withEvidence: 4, hit: 5 } as const;

/**
 * One section a cause: the same promise broken in several tables mostly has one, and a pass rate that breaks because a key
 * points nowhere is no second one.
 */
export function renderFailures(report: Report, results: readonly CheckResult[]): Section[] {
  const failed = results.filter((result) => result.state === 'FAIL');
  const causeOf = (result: CheckResult): string =>
    (isConsequence(result) ? failed.find((other) => other.table === result.table && isForeignKey(other)) : undefined)
      ?.checkId ?? result.checkId;
  const causes = [...new Set(failed.map(causeOf))];
  const sections = causes.slice(0, MOST.sections).map((cause) =>
    failureSection(
      report,
      failed
        .filter((result) => causeOf(result) === cause)
        .sort((a, b) => Number(a.checkId !== cause) - Number(b.checkId !== cause)),
    ),
  );
  const others = causes.slice(MOST.sections);
  return others.length === 0
    ? sections
    : [
        ...sections,
        {
          heading: 'FAIL of other checks',
          lines: [`${someOf(others.map(codeSpan), MOST.rows)}: in \`results.json\`.`],
        },
      ];
}

/** Results that only sum up what other checks of the table name. */
export function isConsequence(result: CheckResult): boolean {
  return result.checkId === 'pass_rate' || result.checkId === 'max_quarantine';
}

function isForeignKey(result: CheckResult): boolean {
  return result.checkId.startsWith('fk_');
}

function failureSection(report: Report, group: readonly CheckResult[]): Section {
  const owners = [...new Set(group.map((result) => result.owner).filter((owner) => owner !== ''))].sort(compareText);
  const names = group.map((result) => `FAIL ${codeSpan(`${report.layer}.${checkName(result)}`)}`);
  // The rows behind a pass rate are those of the check that it follows from.
  const shown = group.filter((result) => result.checkId === group[0]?.checkId);
  const unnamed = names.length - MOST.names;
  const heading = [
    ...names.slice(0, MOST.names),
    ...(unnamed > 0 ? [`${count(unnamed)} more`] : []),
    ...(owners.length > 0 ? [`owner ${markdownText(owners.join(', '))}`] : []),
  ].join(' · ');
  const told = group.slice(0, MOST.rows);
  return {
    heading,
    lines: [
      ...new Set(told.map((result) => markdownSentence(result.description))),
      '',
      '| check | expected | observed | failing rows |',
      '|---|---|---|--:|',
      ...told.map((result) =>
        tableRow([
          markdownText(checkName(result)),
          markdownSentence(result.expected),
          `**${markdownSentence(result.observed)}**`,
          failingRows(result),
        ]),
      ),
      ...(told.length < group.length
        ? ['', `${counted(group.length - told.length, 'more check')}: in \`results.json\`.`]
        : []),
      ...shown.slice(0, MOST.withEvidence).flatMap((result) => evidence(result, shown.length > 1)),
      ...hitDownstream(report, group),
    ],
  };
}

function hitDownstream(report: Report, group: readonly CheckResult[]): string[] {
  const tables = new Set(group.map((result) => result.table));
  const hit = (report.downstream ?? []).filter(({ of }) => of.some((table) => tables.has(table)));
  const layers = (['enriched', 'gold'] as const).flatMap((layer) => {
    const own = hit.map(({ asset }) => asset).filter((asset) => asset.startsWith(`${layer}.`));
    return own.length === 0 ? [] : [someOf(own.map(codeSpan), MOST.hit)];
  });
  return layers.length === 0 ? [] : ['', `**Hit downstream:** ${layers.join(' · ')}`];
}

export function checkName(result: CheckResult): string {
  return `${result.table}.${result.checkId}`;
}

export function failingRows(result: CheckResult): string {
  if (result.failedRows === null) return '';
  return result.totalRows === null
    ? count(result.failedRows)
    : `${count(result.failedRows)} of ${count(result.totalRows)}`;
}

function evidence(result: CheckResult, named: boolean): string[] {
  const lines: string[] = [];
  if (result.note !== '')
    lines.push('', `${named ? `${codeSpan(result.table)}: ` : ''}${markdownSentence(result.note)}`);
  for (const spread of result.spread ?? [])
    lines.push(...renderSpread(named ? `Orphans of ${codeSpan(result.table)}` : 'Orphans', spread));
  if (result.samples.length > 0)
    lines.push(...(named ? ['', `${codeSpan(result.table)}:`] : []), '', ...sampleTable(result));
  return lines;
}

function sampleTable(result: CheckResult): string[] {
  const columns = [...new Set(result.samples.flatMap((sample) => Object.keys(sample)))];
  return [
    tableRow(columns.map((column) => markdownText(column))),
    tableRow(columns.map(() => '---')),
    ...result.samples.map((sample) => tableRow(columns.map((column) => markdownText(sample[column] ?? '')))),
  ];
}
