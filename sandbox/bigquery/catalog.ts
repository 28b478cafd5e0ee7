/** Datasets and tables as rows of the database, so that they commit together with the data that they describe. */
import { createHash } from 'node:crypto';
import { identifier, literal } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import type { Database, Sql } from './database.ts';
import { type TimePartitioning, unexpiredCondition } from './partitions.ts';
import { columnType, type Field } from './table-schema.ts';

export interface Dataset {
  readonly project: string;
  readonly id: string;
  /** Upper case for multi-regions (`US`, `EU`), as given for regions. */
  readonly location: string;
  readonly description: string | null;
  readonly friendlyName: string | null;
  readonly labels: { readonly [key: string]: string };
  readonly defaultTableExpirationMs: number | null;
  readonly createdMs: number;
  readonly modifiedMs: number;
  readonly revision: number;
}

export interface TableName {
  readonly project: string;
  readonly dataset: string;
  readonly table: string;
}

export interface Table extends TableName {
  /** Its DuckDB table in schema `data`; a replaced table gets a new one. */
  readonly physical: string;
  readonly fields: readonly Field[];
  readonly partitioning: TimePartitioning | null;
  readonly clustering: readonly string[];
  readonly requirePartitionFilter: boolean;
  readonly description: string | null;
  readonly friendlyName: string | null;
  readonly labels: { readonly [key: string]: string };
  readonly expirationMs: number | null;
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** Counts every change, of rows too. */
  readonly revision: number;
}

export function tableText(name: TableName): string {
  return `${name.project}:${name.dataset}.${name.table}`;
}

export function etagOf(value: object): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64').slice(0, 24);
}

/** Tables of the catalog itself; safe to run on every start. */
export async function createCatalog(database: Database): Promise<void> {
  await database.write(async (sql) => {
    await sql.run(`
      CREATE SCHEMA IF NOT EXISTS meta; CREATE SCHEMA IF NOT EXISTS data; CREATE SCHEMA IF NOT EXISTS results;
      CREATE SEQUENCE IF NOT EXISTS meta.physical_names;
      CREATE TABLE IF NOT EXISTS meta.datasets (project VARCHAR, id VARCHAR, body VARCHAR);
      CREATE TABLE IF NOT EXISTS meta.tables (project VARCHAR, dataset VARCHAR, id VARCHAR, body VARCHAR);
      CREATE TABLE IF NOT EXISTS meta.jobs (project VARCHAR, id VARCHAR, created_ms BIGINT, body VARCHAR);
      CREATE TABLE IF NOT EXISTS meta.ledger (subject VARCHAR, kind VARCHAR, at_ms BIGINT, amount BIGINT)`);
  });
}

/** What exists at one instant, read and written by the SQL that it is given. */
export class Catalog {
  readonly #sql: Sql;
  /** The instant that decides what has expired. */
  readonly nowMs: number;

  constructor(sql: Sql, nowMs: number) {
    this.#sql = sql;
    this.nowMs = nowMs;
  }

  async datasets(project: string): Promise<readonly Dataset[]> {
    const rows = await this.#sql.rows(`SELECT body FROM meta.datasets WHERE project = ${literal(project)} ORDER BY id`);
    return rows.map((row) => JSON.parse(String(row.body)) as Dataset);
  }

  async findDataset(project: string, id: string): Promise<Dataset | null> {
    const [row] = await this.#sql.rows(
      `SELECT body FROM meta.datasets WHERE project = ${literal(project)} AND id = ${literal(id)}`,
    );
    return row ? (JSON.parse(String(row.body)) as Dataset) : null;
  }

  /** @throws BigQueryError `notFound` */
  async dataset(project: string, id: string): Promise<Dataset> {
    const found = await this.findDataset(project, id);
    if (!found) throw new BigQueryError('notFound', `Not found: Dataset ${project}:${id}`);
    return found;
  }

  async putDataset(dataset: Dataset): Promise<void> {
    await this.removeDataset(dataset.project, dataset.id);
    await this.#sql.run(
      `INSERT INTO meta.datasets VALUES (${literal(dataset.project)}, ${literal(dataset.id)}, ${literal(JSON.stringify(dataset))})`,
    );
  }

  async removeDataset(project: string, id: string): Promise<void> {
    await this.#sql.run(`DELETE FROM meta.datasets WHERE project = ${literal(project)} AND id = ${literal(id)}`);
  }

  /** Expired tables are absent. */
  async tables(project: string, dataset: string): Promise<readonly Table[]> {
    const rows = await this.#sql.rows(
      `SELECT body FROM meta.tables WHERE project = ${literal(project)} AND dataset = ${literal(dataset)} ORDER BY id`,
    );
    return rows.map((row) => JSON.parse(String(row.body)) as Table).filter((table) => this.#isAlive(table));
  }

  async findTable(name: TableName): Promise<Table | null> {
    const [row] = await this.#sql.rows(`SELECT body FROM meta.tables WHERE ${whereTable(name)}`);
    const table = row ? (JSON.parse(String(row.body)) as Table) : null;
    return table && this.#isAlive(table) ? table : null;
  }

  /** @throws BigQueryError `notFound` */
  async table(name: TableName): Promise<Table> {
    await this.dataset(name.project, name.dataset);
    const found = await this.findTable(name);
    if (!found) throw new BigQueryError('notFound', `Not found: Table ${tableText(name)}`);
    return found;
  }

  /** An empty table, with its DuckDB table. An expired one of that name makes room. */
  async createTable(table: Omit<Table, 'physical' | 'createdMs' | 'modifiedMs' | 'revision'>): Promise<Table> {
    await this.dropTable(table);
    const created: Table = {
      ...table,
      physical: await this.newPhysical(table.fields),
      createdMs: this.nowMs,
      modifiedMs: this.nowMs,
      revision: 1,
    };
    await this.#insert(created);
    return created;
  }

  /** A DuckDB table with these columns; its name. */
  async newPhysical(fields: readonly Field[]): Promise<string> {
    const { name } = await this.#sql.one("SELECT 't_' || nextval('meta.physical_names') AS name");
    const columns = fields.map((field) => `${identifier(field.name)} ${columnType(field)}`).join(', ');
    await this.#sql.run(`CREATE TABLE data.${identifier(String(name))} (${columns})`);
    return String(name);
  }

  /** Stores what has changed, and that it has. */
  async putTable(table: Table): Promise<Table> {
    const changed = { ...table, modifiedMs: this.nowMs, revision: table.revision + 1 };
    await this.#sql.run(`DELETE FROM meta.tables WHERE ${whereTable(table)}`);
    await this.#insert(changed);
    return changed;
  }

  async dropTable(name: TableName): Promise<void> {
    const [row] = await this.#sql.rows(`SELECT body FROM meta.tables WHERE ${whereTable(name)}`);
    if (!row) return;
    await this.dropPhysical((JSON.parse(String(row.body)) as Table).physical);
    await this.#sql.run(`DELETE FROM meta.tables WHERE ${whereTable(name)}`);
  }

  async dropPhysical(physical: string): Promise<void> {
    await this.#sql.run(`DROP TABLE IF EXISTS data.${identifier(physical)}`);
  }

  /** Rows that a reader may see, as a relation for FROM; `condition` narrows them. */
  relation(table: Table, condition: string | null = null): string {
    const conditions = [unexpiredCondition(table.partitioning, this.nowMs), condition].filter((each) => each !== null);
    if (conditions.length === 0) return physicalName(table);
    return `(SELECT * FROM ${physicalName(table)} WHERE ${conditions.join(' AND ')})`;
  }

  async #insert(table: Table): Promise<void> {
    const names = [table.project, table.dataset, table.table, JSON.stringify(table)].map(literal).join(', ');
    await this.#sql.run(`INSERT INTO meta.tables VALUES (${names})`);
  }

  #isAlive(table: Table): boolean {
    return table.expirationMs === null || table.expirationMs > this.nowMs;
  }
}

export function physicalName(table: Table): string {
  return `data.${identifier(table.physical)}`;
}

function whereTable(name: TableName): string {
  return `project = ${literal(name.project)} AND dataset = ${literal(name.dataset)} AND id = ${literal(name.table)}`;
}
