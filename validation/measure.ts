/** What every layer's measurement needs, and what it comes to. */
import type { BronzeFiles, GateSettings, LakeFiles, PublicationReader, TaskContext } from '../core/ports.ts';
import { EMPTY_ACCOUNT } from '../core/row-account.ts';
import type { RowAccount, TableAccount } from '../core/types.ts';
import type { DuckDbSession } from '../engine/duckdb-session.ts';
import { type MeasuredResult, worstState } from './measured-result.ts';

export interface MeasureDeps {
  readonly lake: LakeFiles;
  readonly bronze: BronzeFiles;
  readonly publications: PublicationReader;
  readonly gates: GateSettings;
}

export interface Measuring extends MeasureDeps {
  readonly context: TaskContext;
  readonly session: DuckDbSession;
}

export interface LayerMeasurement {
  /** Each about one table. */
  readonly results: readonly MeasuredResult[];
  readonly tables: readonly TableAccount[];
  /** What is asked of these tables together. */
  readonly overall?: (tables: readonly TableAccount[]) => readonly MeasuredResult[];
}

/** The account of a table whose rows were only counted. */
export function countedRows(rows: number): RowAccount {
  return { ...EMPTY_ACCOUNT, input: rows, output: rows };
}

/** A table's line in the report: in the state of the worst of its checks. */
export function tableAccount(
  table: string,
  account: RowAccount,
  results: readonly MeasuredResult[],
  judged: Pick<TableAccount, 'passRate' | 'sla'> = { passRate: null, sla: 1 },
): TableAccount {
  const states = results.filter((result) => result.table === table).map((result) => result.state);
  return { table, account, ...judged, state: worstState(states) };
}
