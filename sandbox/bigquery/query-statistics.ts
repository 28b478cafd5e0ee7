/** What a query has read and changed -> what it costs, and the statistics of its job. */
import type { StatementOutcome } from './statement-run.ts';

/** @source BigQuery, "Pricing", on-demand: rounded up to a megabyte, at least 10 MB for each table that a query reads */
const MB = 1_048_576;
const LEAST_BYTES_PER_TABLE = 10 * MB;

export function billedBytes(bytes: number, tables: number): number {
  if (bytes === 0) return 0;
  return Math.max(Math.ceil(bytes / MB) * MB, LEAST_BYTES_PER_TABLE * Math.max(1, tables));
}

export function statisticsOf(type: string, bytes: number, billed: number, more: object): object {
  return {
    totalBytesProcessed: String(bytes),
    totalSlotMs: '1',
    query: {
      statementType: type,
      totalBytesProcessed: String(bytes),
      totalBytesBilled: String(billed),
      billingTier: billed > 0 ? 1 : 0,
      cacheHit: false,
      totalSlotMs: '1',
      ...more,
    },
  };
}

export function dmlStatistics(outcome: StatementOutcome | undefined): object {
  if (outcome?.dmlRows === null || outcome === undefined) return {};
  const rows = String(outcome.dmlRows);
  const counter = { INSERT: 'insertedRowCount', DELETE: 'deletedRowCount', TRUNCATE_TABLE: 'deletedRowCount' }[
    outcome.type
  ];
  return { numDmlAffectedRows: rows, ...(counter ? { dmlStats: { [counter]: rows } } : {}) };
}
