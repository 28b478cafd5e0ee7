/**
 * Results and row accounts of one layer -> the Decision whether it may be published. Pure.
 *
 * The rules, first match wins for the verdict:
 * 1. A covered table without any result, or a layer without any, cannot be decided: FAIL.
 * 2. A result that could not be decided: FAIL.
 * 3. A FAIL of any check or row account: FAIL.
 * 4. A WARN of any: WARN.
 * 5. A table of which nothing was evaluated: WARN, because no data is not a pass.
 * 6. Else PASS. `NOT EVALUATED` beside evaluated checks neither passes nor blocks; reports list it.
 *
 * What could not be decided (1, 2) is not published in any mode; another FAIL not in `strict`, unless somebody accepts it.
 */
import type { Acceptance, CheckState, Decision, GateMode, Layer, TableAccount, Verdict } from '../core/types.ts';
import { compareText, inReportOrder, isUndecided, type MeasuredResult } from './measured-result.ts';

export interface GateInput {
  readonly layer: Layer;
  readonly mode: GateMode;
  /** Tables that the gate must hear of. */
  readonly tables: readonly string[];
  readonly results: readonly MeasuredResult[];
  readonly accounts: readonly Pick<TableAccount, 'table' | 'state'>[];
}

export interface GateOutcome {
  readonly decision: Decision;
  /** What kept the gate from deciding: `silver.orders`, `bronze.orders.readable`; empty where all was decided. */
  readonly undecided: readonly string[];
}

export function gate(input: GateInput): GateOutcome {
  const ordered = inReportOrder(input.results);
  const silent = input.tables
    .filter((table) => !ordered.some((result) => result.table === table))
    .map((table) => `${input.layer}.${table}`)
    .sort(compareText);
  const undecided = [
    ...(input.tables.length === 0 ? [input.layer] : silent),
    ...ordered.filter(isUndecided).map((result) => reference(input.layer, result)),
  ];
  const failed = ordered
    .filter((result) => result.state === 'FAIL' || isUndecided(result))
    .map((result) => reference(input.layer, result));
  const failedAccounts = input.accounts
    .filter((account) => account.state === 'FAIL')
    .map((account) => account.table)
    .filter((table) => !ordered.some((result) => result.table === table && result.state === 'FAIL'))
    .map((table) => `${input.layer}.${table}.row_account`)
    .sort(compareText);
  const blockedBy = [...new Set([...undecided, ...failed, ...failedAccounts])];
  const verdict = blockedBy.length > 0 ? 'FAIL' : verdictWithoutFailure(input);
  return {
    decision: {
      verdict,
      mayPublish: undecided.length === 0 && (verdict !== 'FAIL' || input.mode === 'warning-only'),
      blockedBy,
    },
    undecided,
  };
}

/** Tables that failed or could not be decided; a limit over all tables names none. Sorted. */
export function failedTables({ tables, results, accounts }: GateInput): readonly string[] {
  const isBroken = (table: string): boolean => {
    const own = results.filter((result) => result.table === table);
    return (
      own.length === 0 ||
      [...own, ...accounts.filter((account) => account.table === table)].some(({ state }) => state === 'FAIL')
    );
  };
  return tables.filter(isBroken).toSorted(compareText);
}

/**
 * The gate of the tables that are not held, which somebody has accepted as the whole was measured.
 *
 * @param rest the gate's input without the held tables; the whole where none is held
 */
export function gateAccepted(whole: GateOutcome, rest: GateInput, accepted: Acceptance): GateOutcome {
  const { blockedBy } = whole.decision;
  if (accepted.held.length === 0) {
    return {
      decision: { ...whole.decision, mayPublish: whole.undecided.length === 0, accepted },
      undecided: whole.undecided,
    };
  }
  const { decision, undecided } = gate(rest);
  return { decision: { ...decision, blockedBy, ...(decision.mayPublish ? { accepted } : {}) }, undecided };
}

function verdictWithoutFailure(input: GateInput): Verdict {
  const states: readonly CheckState[] = [...input.results, ...input.accounts].map((item) => item.state);
  if (states.includes('WARN')) return 'WARN';
  const isEvaluated = (table: string) =>
    input.results.some((result) => result.table === table && result.state !== 'NOT EVALUATED');
  return input.tables.every(isEvaluated) ? 'PASS' : 'WARN';
}

function reference(layer: Layer, result: MeasuredResult): string {
  return `${layer}.${result.table}.${result.checkId}`;
}
