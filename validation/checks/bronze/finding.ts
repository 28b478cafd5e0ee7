/** Places where a promise of bronze is broken -> one result that names the first of them. Pure. */

import type { BronzeTableFacts } from '../../bronze-facts.ts';
import { count } from '../../figures.ts';
import { brokenState, type CheckHead, type MeasuredResult, measured, notEvaluated } from '../../measured-result.ts';

export interface Finding {
  /** A file's key, a partition or a column. */
  readonly where: string;
  /** What is wrong there; shown after the place. */
  readonly what: string;
  readonly rows?: number;
}

export interface BronzeCheck {
  readonly id: string;
  readonly severity: CheckHead['severity'];
  readonly description: string;
  readonly expected: string;
  /** What to do where it is broken. */
  readonly next?: string;
}

export function headOf(facts: BronzeTableFacts, check: BronzeCheck): CheckHead {
  return {
    checkId: check.id,
    table: facts.spec.name,
    severity: check.severity,
    description: check.description,
    expected: check.expected,
    owner: facts.spec.owner,
  };
}

/**
 * Nothing found is a PASS only where something was looked at: with `looked` 0 the check is not evaluated.
 * `looked` counts what the check is about: files, partitions, rows.
 */
export function fromFindings(
  facts: BronzeTableFacts,
  check: BronzeCheck,
  findings: readonly Finding[],
  looked: number,
  options: {
    readonly note?: string;
    readonly undecided?: boolean;
    readonly nothing?: string;
    readonly totalRows?: number;
  } = {},
): MeasuredResult {
  const head = headOf(facts, check);
  const [first, ...more] = findings;
  if (!first) {
    if (looked === 0) return notEvaluated(head, options.nothing ?? 'There is no data file to look at.');
    return measured(head, { state: 'PASS', observed: 'as expected', note: options.note ?? '' });
  }
  const rows = findings.every((finding) => finding.rows !== undefined)
    ? findings.reduce((sum, finding) => sum + (finding.rows ?? 0), 0)
    : null;
  return measured(head, {
    state: brokenState(check.severity),
    observed: `${first.where}: ${first.what}${more.length > 0 ? `, and ${count(more.length)} more` : ''}`,
    failedRows: rows,
    totalRows: rows === null ? null : (options.totalRows ?? null),
    note: [options.note, check.next].filter((text) => text !== undefined && text !== '').join(' '),
    samples: more.length === 0 ? [] : findings.map(({ where, what }) => ({ where, found: what })),
    undecided: options.undecided === true,
  });
}
