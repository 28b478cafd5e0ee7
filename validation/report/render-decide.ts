/** A report that refuses -> the table of what a reviewer may do now, each with its command. Pure. */
import type { Report } from '../../core/types.ts';
import { someOf } from '../figures.ts';
import { isUndecided } from '../measured-result.ts';
import { codeSpan } from './escape-text.ts';
import { tableRow } from './markdown-table.ts';

const BECAUSE = '--because "…"';
/** Tables that are named; beyond them, only how many more there are. */
const MOST_HELD = 8;

/** Nothing where the gate is open. */
export function renderDecide(report: Report): string[] {
  if (report.decision.mayPublish) return [];
  const rows = [...acceptances(report), correction(report)];
  return ['| decide | command |', '|---|---|', ...rows.map(([what, command]) => tableRow([what, command])), ''];
}

type Row = readonly [what: string, command: string];

function acceptances({ layer, remedies }: Report): readonly Row[] {
  const rows: Row[] = [];
  if (remedies && remedies.hold.length > 0) {
    const held = `${someOf(remedies.hold.map(codeSpan), MOST_HELD)}, and what is built on ${remedies.hold.length === 1 ? 'it' : 'them'}`;
    rows.push([`publish what passed; hold ${held}`, codeSpan(`assay publish ${layer} --hold-failed ${BECAUSE}`)]);
  }
  if (remedies?.accept) {
    rows.push([
      'accept what failed, and let the run go on with all of it',
      codeSpan(`assay publish ${layer} ${BECAUSE}`),
    ]);
  }
  return rows;
}

function correction(report: Report): Row {
  const what = report.results.some(isUndecided)
    ? 'deliver what is missing or unreadable'
    : 'correct the data or the limits';
  const { rerun } = report;
  if (rerun !== null && rerun !== undefined) return [`${what}, then run the interval again`, codeSpan(rerun)];
  const { dag } = report.settings;
  const command = `assay clear ${typeof dag === 'string' ? dag : '<dag>'} <run>`;
  return [`${what}, then clear the run that [provenance](provenance.json) names`, codeSpan(command)];
}
