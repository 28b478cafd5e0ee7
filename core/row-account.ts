/** Adding row accounts up, and holding them to their law. */
import { PipelineError } from './errors.ts';
import type { RowAccount } from './types.ts';

export const EMPTY_ACCOUNT: RowAccount = {
  input: 0,
  output: 0,
  quarantined: 0,
  duplicates: 0,
  filtered: 0,
  replaced: 0,
  byReason: {},
};

export function addAccounts(accounts: readonly RowAccount[]): RowAccount {
  const byReason: Record<string, number> = {};
  const sum = { input: 0, output: 0, quarantined: 0, duplicates: 0, filtered: 0, replaced: 0 };
  for (const account of accounts) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += account[key];
    for (const [reason, rows] of Object.entries(account.byReason)) byReason[reason] = (byReason[reason] ?? 0) + rows;
  }
  return { ...sum, byReason: Object.fromEntries(Object.entries(byReason).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** @throws PipelineError `row_account_broken` where a row was lost or made up */
export function assertBalanced(account: RowAccount, what: string): void {
  const accounted = account.output + account.quarantined + account.duplicates + account.filtered;
  if (accounted === account.input) return;
  throw new PipelineError(
    'row_account_broken',
    `${what}: ${account.input} rows came in but ${accounted} are accounted for ` +
      `(${account.output} out, ${account.quarantined} quarantined, ${account.duplicates} duplicates, ${account.filtered} filtered). ` +
      'Nothing was published. This is a fault of the build, not of the data: report it with the table’s spec.',
  );
}
