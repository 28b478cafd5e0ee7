/** What is known of a table in BigQuery, and what just happened there -> what is known afterwards. Pure. */
import { fingerprint } from '../../core/fingerprint.ts';
import type { JobTurn } from './job-ids.ts';
import { NOTHING_SPENT, type QuotaSpent } from './quota.ts';

/** The last job that wrote a partition. A removed one stays in the ledger: its job is part of the history that ids are made of. */
export interface LedgerEntry {
  /** Null: removed, or written by two jobs at once so that nobody can say what is there. */
  readonly fingerprint: string | null;
  readonly isRemoved: boolean;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly jobId: string;
  /** Of the job, by BigQuery's clock. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Rises with every change of this partition. */
  readonly revision: number;
}

/** What a mart's build has put beside its target. */
export interface BuildRecord {
  /**
   * `building`: begun; a repeat goes on with the same token, and so with the same job ids. `spent`: all of it is visible, and its
   * table is dropped; it stays here so that whoever comes next drops what a crash left.
   */
  readonly state: 'building' | 'built' | 'spent';
  readonly token: string;
  /** Hash of query, columns, days and fingerprints: what is built. */
  readonly identity: string;
  readonly stagingTable: string;
  readonly partitions: { readonly [partition: string]: { readonly fingerprint: string; readonly rows: number } };
}

export interface TableLedger {
  readonly formatVersion: 1;
  /** Rises with every write, so that no two bodies are equal. */
  readonly sequence: number;
  readonly project: string;
  readonly dataset: string;
  readonly table: string;
  /** `creationTime` of the table that the entries are of; null while there is none. */
  readonly tableCreated: string | null;
  readonly epoch: string;
  readonly partitions: { readonly [partition: string]: LedgerEntry };
  readonly build: BuildRecord | null;
  readonly spent: QuotaSpent;
}

export type LedgerOf = Pick<TableLedger, 'project' | 'dataset' | 'table'>;

/** `seed`: anything that no other beginning shares. */
export function newLedger(of: LedgerOf, seed: string): TableLedger {
  return {
    formatVersion: 1,
    sequence: 0,
    ...of,
    tableCreated: null,
    epoch: fingerprint([of, seed]),
    partitions: {},
    build: null,
    spent: NOTHING_SPENT,
  };
}

/** The same table goes on; one that was dropped and made anew has nothing loaded, and job ids of its own. */
export function ofTable(ledger: TableLedger, created: string): TableLedger {
  if (ledger.tableCreated === created) return ledger;
  return { ...ledger, tableCreated: created, epoch: fingerprint([ledger.epoch, created]), partitions: {} };
}

/** What is known of this very table; of one that was made since, nothing. */
export function entriesOf(ledger: TableLedger | null, created: string | null): TableLedger['partitions'] {
  return ledger === null || created === null || ledger.tableCreated !== created ? {} : ledger.partitions;
}

/** Partitions that hold rows, or may. */
export function presentPartitions(partitions: TableLedger['partitions']): ReadonlySet<string> {
  return new Set(Object.entries(partitions).flatMap(([partition, entry]) => (entry.isRemoved ? [] : [partition])));
}

/** Fingerprint by partition, without what was removed or is uncertain. */
export function loadedFingerprints(partitions: TableLedger['partitions']): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(partitions)
      .flatMap(([partition, entry]) => (entry.fingerprint === null ? [] : [[partition, entry.fingerprint] as const]))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export function turnOf(ledger: TableLedger, partition: string): JobTurn {
  return { epoch: ledger.epoch, after: ledger.partitions[partition]?.jobId ?? null };
}

/** The build is spent where all of it is there. */
export function withSpent(ledger: TableLedger, token: string): TableLedger {
  const { build, partitions } = ledger;
  if (build?.state !== 'built' || build.token !== token) return ledger;
  const isThere = Object.entries(build.partitions).every(
    ([partition, made]) => partitions[partition]?.fingerprint === made.fingerprint,
  );
  return isThere ? { ...ledger, build: { ...build, state: 'spent', partitions: {} } } : ledger;
}

/** What a finished job made of a partition. */
export type Outcome = Omit<LedgerEntry, 'revision'> & { readonly partition: string };

/**
 * `seen` is the ledger that the jobs were planned on. Where another has written a partition since, the later job tells what is
 * there; of two that ran at the same time with different content none does, and the partition counts as not loaded.
 */
export function withOutcomes(current: TableLedger, seen: TableLedger, outcomes: readonly Outcome[]): TableLedger {
  // Another table by now: what was loaded is gone with the one before.
  if (current.epoch !== seen.epoch) return current;
  const partitions: Record<string, LedgerEntry> = { ...current.partitions };
  for (const { partition, ...outcome } of outcomes) {
    const theirs = current.partitions[partition];
    const revision = (theirs?.revision ?? 0) + 1;
    const isUnseen = theirs !== undefined && theirs.revision !== (seen.partitions[partition]?.revision ?? 0);
    if (!isUnseen || theirs.jobId === outcome.jobId) {
      if (theirs?.jobId !== outcome.jobId) partitions[partition] = { ...outcome, revision };
      continue;
    }
    if (theirs.fingerprint !== null && theirs.fingerprint === outcome.fingerprint) continue;
    if (outcome.endedAtMs <= theirs.startedAtMs) continue;
    const isLater = outcome.startedAtMs >= theirs.endedAtMs;
    partitions[partition] = { ...outcome, ...(isLater ? {} : { fingerprint: null }), revision };
  }
  return { ...current, partitions };
}
