/** A silver table's row account and limits -> pass rate, quarantine, row loss and least rows. Pure. */
import type { QualitySpec } from '../../core/spec.ts';
import type { CheckState, RowAccount } from '../../core/types.ts';
import { count, counted, limitPercent, percent } from '../figures.ts';
import { type CheckHead, type MeasuredResult, type Measurement, measured } from '../measured-result.ts';

export interface AccountSubject {
  readonly table: string;
  readonly owner: string;
  readonly quality: QualitySpec;
  readonly account: RowAccount;
  /** Only what changed is read, so that nothing new is no news. */
  readonly readsChanges: boolean;
  /** Limit of the whole pipeline; a table's own limit is a gate only where it differs. */
  readonly pipelineMaxQuarantinePct: number;
  /** Rows that the pinned bronze manifests promise, and rows that were read of these partitions; null where a manifest is missing. */
  readonly bronze: { readonly promised: number; readonly read: number } | null;
}

/** output / (output + quarantined); duplicates and filtered rows are no failures. Null where nothing was judged. */
export function passRate(account: RowAccount): number | null {
  const judged = account.output + account.quarantined;
  return judged === 0 ? null : account.output / judged;
}

/** Below this part of the SLA a table fails; between, it warns. */
const WARN_BAND = 0.9;
/** 0.9 · 0.8 is a little more than 0.72 in binary arithmetic; no table fails for that. */
const ROUNDING = 1e-12;

export function rowAccountChecks(subject: AccountSubject): readonly MeasuredResult[] {
  return [
    passRateResult(subject),
    minRowsResult(subject),
    ...(passRate(subject.account) === null ? [] : [quarantineResult(subject)]),
    ...(subject.bronze?.promised === 0 && subject.account.input === 0 ? [] : [rowLossResult(subject)]),
  ];
}

function passRateResult(subject: AccountSubject): MeasuredResult {
  const { account, quality } = subject;
  const check = head(subject, 'pass_rate', {
    severity: 'fail',
    description: 'Enough of the rows that came in pass every rule of the table.',
    expected: `≥ ${limitPercent(quality.sla)}`,
  });
  const rate = passRate(account);
  if (rate === null) return measured(check, nothingJudged(subject));
  const state: CheckState = rate >= quality.sla ? 'PASS' : rate >= WARN_BAND * quality.sla - ROUNDING ? 'WARN' : 'FAIL';
  return measured(check, {
    state,
    observed: percent(rate),
    failedRows: account.quarantined,
    totalRows: account.output + account.quarantined,
    note: account.quarantined === 0 ? '' : topReasons(account),
  });
}

function nothingJudged({ account, quality, readsChanges }: AccountSubject): Measurement {
  if (account.input > 0) {
    return {
      state: 'WARN',
      observed: 'no row judged',
      note: 'All that came in were duplicates or filtered rows.',
    };
  }
  if (quality.allowEmpty) {
    return {
      state: 'NOT EVALUATED',
      observed: '',
      note: 'No row came in, and the table may be empty (`allow_empty: true`).',
    };
  }
  if (readsChanges)
    return { state: 'NOT EVALUATED', observed: '', note: 'No partition changed since the last publication.' };
  return { state: 'FAIL', observed: 'no row came in', note: 'A table that may be empty says so: `allow_empty: true`.' };
}

function minRowsResult(subject: AccountSubject): MeasuredResult {
  const { account, quality } = subject;
  const rows = account.output + account.quarantined;
  const check = head(subject, 'min_rows', {
    severity: 'fail',
    description: 'Enough rows came in, good and quarantined ones together.',
    expected: `≥ ${counted(quality.minRows, 'row')}`,
  });
  if (rows === 0 && quality.minRows > 0) return measured(check, { ...nothingJudged(subject), totalRows: 0 });
  return measured(check, {
    state: rows >= quality.minRows ? 'PASS' : 'FAIL',
    observed: counted(rows, 'row'),
    totalRows: rows,
  });
}

/** The pass rate already gates a table; its quarantine share gates too only where the table sets a limit of its own. */
function quarantineResult(subject: AccountSubject): MeasuredResult {
  const { account, pipelineMaxQuarantinePct, quality } = subject;
  const ownLimit = quality.maxQuarantinePct !== pipelineMaxQuarantinePct;
  return quarantineShare(
    head(subject, 'max_quarantine', {
      severity: ownLimit ? 'fail' : 'warn',
      description: 'Not too many rows are quarantined; duplicates do not count.',
      expected: `≤ ${limitPercent(quality.maxQuarantinePct / 100)}`,
    }),
    account,
    quality.maxQuarantinePct,
  );
}

/** For one table or for the sum of all. */
export function quarantineShare(check: CheckHead, account: RowAccount, maxPct: number): MeasuredResult {
  const rate = passRate(account);
  if (rate === null)
    return measured(check, { state: 'NOT EVALUATED', observed: '', note: 'There is no row to judge.' });
  const judged = account.output + account.quarantined;
  const isOver = account.quarantined * 100 > maxPct * judged;
  return measured(check, {
    state: !isOver ? 'PASS' : check.severity === 'fail' ? 'FAIL' : 'WARN',
    observed: percent(account.quarantined / judged),
    failedRows: account.quarantined,
    totalRows: judged,
  });
}

/** Bronze rows as promised by the manifests against what the build read: a reconciliation between two layers. */
function rowLossResult(subject: AccountSubject): MeasuredResult {
  const { bronze, quality } = subject;
  const check = head(subject, 'row_loss', {
    severity: 'fail',
    description: 'Every row that the bronze manifests promise was read.',
    expected: `≤ ${limitPercent(quality.maxRowLossPct / 100)} lost`,
  });
  if (bronze === null) {
    return measured(check, {
      state: 'NOT EVALUATED',
      observed: '',
      note: 'Not every bronze partition has a readable manifest.',
    });
  }
  const lost = bronze.promised - bronze.read;
  const compared = `The manifests promise ${count(bronze.promised)}, the build read ${count(bronze.read)}.`;
  if (lost === 0)
    return measured(check, { state: 'PASS', observed: 'none lost', failedRows: 0, totalRows: bronze.promised });
  if (lost < 0) {
    return measured(check, {
      state: 'WARN',
      observed: `${counted(-lost, 'row')} more than promised`,
      totalRows: bronze.promised,
      note: compared,
    });
  }
  return measured(check, {
    state: lost * 100 > quality.maxRowLossPct * bronze.promised ? 'FAIL' : 'WARN',
    observed: `${counted(lost, 'row')} lost (${percent(lost / bronze.promised)})`,
    failedRows: lost,
    totalRows: bronze.promised,
    note: compared,
  });
}

/** The three most frequent reasons; all of them stand in the report's own table. */
function topReasons(account: RowAccount): string {
  const reasons = Object.entries(account.byReason)
    .filter(([reason, rows]) => rows > 0 && !reason.startsWith('duplicate_'))
    .sort(([a, rowsA], [b, rowsB]) => rowsB - rowsA || (a < b ? -1 : 1))
    .slice(0, 3)
    .map(([reason, rows]) => `${reason} ${count(rows)}`);
  return reasons.length === 0 ? '' : `Most frequent: ${reasons.join(', ')}.`;
}

function head(
  subject: AccountSubject,
  checkId: string,
  rest: Pick<CheckHead, 'severity' | 'description' | 'expected'>,
): CheckHead {
  return { checkId, table: subject.table, owner: subject.owner, ...rest };
}
