/** Report -> JUnit XML, so that build servers show checks as they show tests. */
import type { CheckResult, Report } from '../../core/types.ts';
import { daySpan, someOf } from '../figures.ts';
import { compareText } from '../measured-result.ts';
import { xmlText } from './escape-text.ts';

/** One suite a table, one case a check; WARN passes with its text in `system-out`. No times: the same report gives the same bytes. */
export function renderJUnit(report: Report): string {
  const tables = [...new Set(report.results.map((result) => result.table))].sort(compareText);
  const suites = tables.map((table) => suite(report, table));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${xmlText(`${report.pipeline} ${report.name}`)}" ${totals(report.results)}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function suite(report: Report, table: string): string {
  const results = report.results.filter((result) => result.table === table);
  const name = `${report.layer}.${table}`;
  return [
    `  <testsuite name="${xmlText(name)}" ${totals(results)}>`,
    ...results.map((result) => testCase(report, name, result)),
    '  </testsuite>',
  ].join('\n');
}

function testCase(report: Report, suiteName: string, result: CheckResult): string {
  const open = `    <testcase classname="${xmlText(suiteName)}" name="${xmlText(result.checkId)}"`;
  const body = outcome(report, result);
  return body === null ? `${open}/>` : `${open}>\n      ${body}\n    </testcase>`;
}

function outcome(report: Report, result: CheckResult): string | null {
  const told = xmlText(`expected ${result.expected}, observed ${result.observed}`);
  const note = xmlText(result.note);
  switch (result.state) {
    case 'PASS':
      return null;
    case 'WARN':
      return `<system-out>WARN: ${told}. ${note}</system-out>`;
    case 'FAIL':
      return `<failure message="${told}">${xmlText(failureText(report, result))}</failure>`;
    case 'NOT EVALUATED':
      return `<skipped message="${note}"/>`;
  }
}

function failureText({ downstream, layer, since }: Report, { checkId, note, table }: CheckResult): string {
  const isNew = since?.kind === 'compared' && since.newFailures.includes(`${layer}.${table}.${checkId}`);
  const hit = (downstream ?? []).filter(({ of }) => of.includes(table)).map(({ asset }) => asset);
  return [
    note,
    ...(isNew ? [`New since ${daySpan(since.interval.from, since.interval.to)}.`] : []),
    ...(hit.length > 0 ? [`Hit downstream: ${someOf(hit, 5)}.`] : []),
  ]
    .filter((text) => text !== '')
    .join(' ');
}

function totals(results: readonly CheckResult[]): string {
  const failures = results.filter((result) => result.state === 'FAIL').length;
  const skipped = results.filter((result) => result.state === 'NOT EVALUATED').length;
  return `tests="${results.length}" failures="${failures}" skipped="${skipped}"`;
}
