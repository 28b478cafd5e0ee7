/** What the warehouse remembers of itself, in the schema `assay` of its own file: what is loaded, and what is built but unseen. */
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';

export interface LedgerEntry {
  readonly partition: string;
  readonly fingerprint: string;
  readonly rows: number;
}

/**
 * `_loads`: one row per loaded partition; written in the transaction that loads it, so it never says more than is there.
 * `_builds`: one row per partition that a mart's build table holds, rows or none.
 * No keys or indexes: DuckDB checks them too early where one transaction deletes and inserts the same key.
 */
const LEDGER = `
  CREATE SCHEMA IF NOT EXISTS assay;
  CREATE TABLE IF NOT EXISTS assay._tables(dataset VARCHAR, table_name VARCHAR, partition_key VARCHAR);
  CREATE TABLE IF NOT EXISTS assay._loads(
    dataset VARCHAR, table_name VARCHAR, partition VARCHAR, fingerprint VARCHAR, rows BIGINT, size_bytes BIGINT, job_id VARCHAR);
  CREATE TABLE IF NOT EXISTS assay._builds(table_name VARCHAR, partition VARCHAR, fingerprint VARCHAR, rows BIGINT);
`;

interface Name {
  readonly dataset: string;
  readonly table: string;
}

export async function createLedger(session: DuckDbSession): Promise<void> {
  await session.run(LEDGER);
}

/** All or nothing: a failure, a kill or a cancel leaves what was there before. */
export async function transaction<T>(session: DuckDbSession, work: () => Promise<T>): Promise<T> {
  await session.run('BEGIN TRANSACTION');
  try {
    const result = await work();
    await session.run('COMMIT');
    return result;
  } catch (thrown) {
    // After a cancel the session refuses every statement; closing it then rolls back.
    await session.run('ROLLBACK').catch(() => undefined);
    throw thrown;
  }
}

const named = ({ dataset, table }: Name): string => `dataset = ${literal(dataset)} AND table_name = ${literal(table)}`;

export async function loadedEntries(session: DuckDbSession, name: Name): Promise<ReadonlyMap<string, LedgerEntry>> {
  const rows = await session.rows(
    `SELECT partition, fingerprint, rows FROM assay._loads WHERE ${named(name)} ORDER BY partition`,
  );
  return new Map(rows.map((row) => [String(row.partition), entryOf(row)]));
}

export async function forgetLoads(
  session: DuckDbSession,
  name: Name,
  partitions: readonly string[] | 'all',
): Promise<void> {
  if (partitions.length === 0) return;
  const which = partitions === 'all' ? '' : ` AND partition IN (${partitions.map(literal).join(', ')})`;
  await session.run(`DELETE FROM assay._loads WHERE ${named(name)}${which}`);
}

export async function rememberLoads(
  session: DuckDbSession,
  name: Name,
  entries: readonly (LedgerEntry & { readonly sizeBytes: number; readonly jobId: string })[],
): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map((entry) => {
    const texts = [name.dataset, name.table, entry.partition, entry.fingerprint].map(literal).join(', ');
    return `(${texts}, ${entry.rows}, ${entry.sizeBytes}, ${literal(entry.jobId)})`;
  });
  await session.run(`INSERT INTO assay._loads VALUES ${rows.join(', ')}`);
}

export async function builtEntries(session: DuckDbSession, table: string): Promise<ReadonlyMap<string, LedgerEntry>> {
  const rows = await session.rows(
    `SELECT partition, fingerprint, rows FROM assay._builds WHERE table_name = ${literal(table)}`,
  );
  return new Map(rows.map((row) => [String(row.partition), entryOf(row)]));
}

export async function rememberBuilds(
  session: DuckDbSession,
  table: string,
  entries: readonly LedgerEntry[],
): Promise<void> {
  await forgetBuilds(session, table);
  if (entries.length === 0) return;
  const rows = entries.map(
    (entry) => `(${[table, entry.partition, entry.fingerprint].map(literal).join(', ')}, ${entry.rows})`,
  );
  await session.run(`INSERT INTO assay._builds VALUES ${rows.join(', ')}`);
}

export async function forgetBuilds(session: DuckDbSession, table: string): Promise<void> {
  await session.run(`DELETE FROM assay._builds WHERE table_name = ${literal(table)}`);
}

/** The column that the table is partitioned by; undefined where the table is not known. */
export async function partitionKeyOf(session: DuckDbSession, name: Name): Promise<string | null | undefined> {
  const [row] = await session.rows(`SELECT partition_key FROM assay._tables WHERE ${named(name)}`);
  if (!row) return undefined;
  return row.partition_key === null || row.partition_key === undefined ? null : String(row.partition_key);
}

export async function rememberTable(session: DuckDbSession, name: Name, partitionKey: string | null): Promise<void> {
  const key = partitionKey === null ? 'NULL' : literal(partitionKey);
  await session.run(`DELETE FROM assay._tables WHERE ${named(name)}`);
  await session.run(`INSERT INTO assay._tables VALUES (${literal(name.dataset)}, ${literal(name.table)}, ${key})`);
}

function entryOf(row: Record<string, unknown>): LedgerEntry {
  return { partition: String(row.partition), fingerprint: String(row.fingerprint), rows: Number(row.rows) };
}
