/** What has been spent of BigQuery's quotas -> whether a request may go on. */
import { literal } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { type TableName, tableText } from './catalog.ts';
import type { Database, Sql } from './database.ts';

/** @source BigQuery, "Quotas and limits" */
export interface Limits {
  /** Failed ones count; tied to the table's name, so that to drop it gives nothing back. */
  readonly loadsPerTableAndDay: number;
  /** Loads, copies and query results that are written to a table without partitions. */
  readonly modificationsPerTableAndDay: number;
  /** The same, by partitions, for partitioned tables. */
  readonly partitionModificationsPerDay: number;
  /** Tables that one multi-statement transaction changes. */
  readonly tablesPerTransaction: number;
  /** Updates of a table's metadata by the API. */
  readonly metadataUpdatesPerTenSeconds: number;
  readonly partitionedMetadataUpdatesPerTenSeconds: number;
}

export const LIMITS: Limits = {
  loadsPerTableAndDay: 1_500,
  modificationsPerTableAndDay: 1_500,
  partitionModificationsPerDay: 30_000,
  tablesPerTransaction: 100,
  metadataUpdatesPerTenSeconds: 5,
  partitionedMetadataUpdatesPerTenSeconds: 50,
};

type Spent = 'load' | 'modification' | 'metadata';

const DAY_MS = 86_400_000;
const TEN_SECONDS_MS = 10_000;

export class Quotas {
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @throws BigQueryError `resourcesExceeded` */
  checkTransaction(tables: number): void {
    const most = this.#limits.tablesPerTransaction;
    if (tables > most)
      throw new BigQueryError('resourcesExceeded', `A transaction may change at most ${most} tables.`, 'query');
  }

  /** @throws BigQueryError `rateLimitExceeded` */
  async spendMetadataUpdate(sql: Sql, table: TableName, isPartitioned: boolean, nowMs: number): Promise<void> {
    const most = isPartitioned
      ? this.#limits.partitionedMetadataUpdatesPerTenSeconds
      : this.#limits.metadataUpdatesPerTenSeconds;
    const since = nowMs - TEN_SECONDS_MS + 1;
    if ((await this.#spent(sql, table, 'metadata', since)) >= most)
      throw new BigQueryError(
        'rateLimitExceeded',
        `Exceeded rate limits: too many table update operations for this table ${tableText(table)}. For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas`,
      );
    await this.#record(sql, table, 'metadata', nowMs, 1);
  }

  /** Asked before a job is taken; a load is spent also where it then fails. @throws BigQueryError `quotaExceeded` */
  async spendLoad(database: Database, table: TableName, nowMs: number): Promise<void> {
    const spent = await database.read((sql) => this.#spent(sql, table, 'load', startOfDay(nowMs)));
    if (spent >= this.#limits.loadsPerTableAndDay)
      throw new BigQueryError(
        'quotaExceeded',
        `Quota exceeded: Your table exceeded quota for imports or query appends per table. (${tableText(table)}) For more information, see https://cloud.google.com/bigquery/docs/troubleshoot-quotas`,
      );
    await database.append(record(table, 'load', nowMs, 1));
  }

  /** In the transaction of a job that writes: `partitions` 0 for a table without. @throws BigQueryError `quotaExceeded` */
  async spendModification(
    sql: Sql,
    table: TableName,
    partitions: number,
    isPartitioned: boolean,
    nowMs: number,
  ): Promise<void> {
    const amount = isPartitioned ? Math.max(partitions, 1) : 1;
    const most = isPartitioned ? this.#limits.partitionModificationsPerDay : this.#limits.modificationsPerTableAndDay;
    const spent = await this.#spent(sql, table, 'modification', startOfDay(nowMs));
    if (spent + amount > most)
      throw new BigQueryError(
        'quotaExceeded',
        `Quota exceeded: Your table exceeded quota for total number of ${isPartitioned ? 'partition' : 'table'} modifications per day. (${tableText(table)})`,
      );
    await this.#record(sql, table, 'modification', nowMs, amount);
  }

  async #spent(sql: Sql, table: TableName, kind: Spent, sinceMs: number): Promise<number> {
    const { spent } = await sql.one(
      `SELECT coalesce(sum(amount), 0) AS spent FROM meta.ledger WHERE subject = ${literal(tableText(table))} AND kind = '${kind}' AND at_ms >= ${sinceMs}`,
    );
    return Number(spent);
  }

  async #record(sql: Sql, table: TableName, kind: Spent, nowMs: number, amount: number): Promise<void> {
    await sql.run(`DELETE FROM meta.ledger WHERE at_ms < ${startOfDay(nowMs) - TEN_SECONDS_MS}`);
    await sql.run(record(table, kind, nowMs, amount));
  }
}

function record(table: TableName, kind: Spent, nowMs: number, amount: number): string {
  return `INSERT INTO meta.ledger VALUES (${literal(tableText(table))}, '${kind}', ${nowMs}, ${amount})`;
}

/** The day begins at midnight Pacific in BigQuery; here in UTC. */
function startOfDay(nowMs: number): number {
  return nowMs - (nowMs % DAY_MS);
}
