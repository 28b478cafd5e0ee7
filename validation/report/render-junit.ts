/** Report -> JUnit XML, so that build servers show checks as they show tests. */
import type { CheckResult, Report } from '../../core/types.ts';
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
    ...results.map((result) => testCase(name, result)),
    '  </testsuite>',
  ].join('\n');
}

function testCase(suiteName: string, result: CheckResult): string {
  const open = `    <testcase classname="${xmlText(suiteName)}" name="${xmlText(result.checkId)}"`;
  const body = outcome(result);
  return body === null ? `${open}/>` : `${open}>\n      ${body}\n    </testcase>`;
}

function outcome(result: CheckResult): string | null {
  const told = xmlText(`expected ${result.expected}, observed ${result.observed}`);
  const note = xmlText(result.note);
  switch (result.state) {
    case 'PASS':
      return null;
    case 'WARN':
      return `<system-out>WARN: ${told}. ${note}</system-out>`;
    case 'FAIL':
      return `<failure message="${told}">${note}</failure>`;
    case 'NOT EVALUATED':
      return `<skipped message="${note}"/>`;
  }
}

function totals(results: readonly CheckResult[]): string {
  const failures = results.filter((result) => result.state === 'FAIL').length;
  const skipped = results.filter((result) => result.state === 'NOT EVALUATED').length;
  return `tests="${results.length}" failures="${failures}" skipped="${skipped}"`;
}
