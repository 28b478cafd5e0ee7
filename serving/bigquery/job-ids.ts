/** What a job is to do -> its id: the same for a repeat after a crash, another for anything else. Pure. */
import { canonicalJson, sha256 } from '../../core/fingerprint.ts';

/**
 * The part of an id that tells one turn of a table's history from the next. `epoch` is new whenever the ledger or the table
 * is; `after` is the id of the job that made what is replaced. So A, B, A gives three ids, and a repeat of any of them its own.
 */
export interface JobTurn {
  readonly epoch: string;
  /** Null: nothing was ever written there in this epoch. */
  readonly after: string | null;
}

export interface JobIdentity {
  readonly kind: 'load' | 'remove' | 'build' | 'count' | 'final' | 'swap' | 'copy' | 'extract';
  readonly project: string;
  readonly location: string;
  /** `dataset.table` */
  readonly table: string;
  readonly turns: readonly JobTurn[];
  /** All else that decides the result. */
  readonly content: unknown;
  /** For people: partition, mart. */
  readonly words: readonly string[];
}

/**
 * `assay_load_enriched_sales_2025-01-01_0123456789abcdef01234567`
 *
 * @source BigQuery REST reference, JobReference: letters, digits, `_`, `-`, at most 1,024 (read 2026-11-21)
 */
export function jobIdOf(identity: JobIdentity): string {
  const { kind, words, ...rest } = identity;
  const hash = sha256(canonicalJson([kind, rest])).slice(0, 24);
  const readable = words.map((word) => word.replace(/[^A-Za-z0-9-]+/g, '_')).filter((word) => word !== '');
  return `assay_${[kind, ...readable].join('_').slice(0, 160)}_${hash}`;
}

/** The id under which a job is run again once its own is spent: `…`, `…-r1`, `…-r2`. */
export function nextJobId(jobId: string, attempt: number): string {
  return attempt === 0 ? jobId : `${jobId}-r${attempt}`;
}
