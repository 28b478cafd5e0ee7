/** Rows of a job and where they shall go -> the destination changed by the rules of the dispositions, or an error and nothing changed. */
import { identifier, identifiers } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { type Catalog, physicalName, type Table, type TableName, tableText } from './catalog.ts';
import type { Sql } from './database.ts';
import type { JobContext } from './job-context.ts';
import {
  checkPartitioning,
  partitionCondition,
  partitionId,
  partitioningText,
  samePartitioning,
  type TimePartitioning,
  unexpiredCondition,
} from './partitions.ts';
import { storedBytes } from './stored-bytes.ts';
import { columnType, type Field, mergeSchemas, type SchemaUpdates } from './table-schema.ts';

export const WRITE_DISPOSITIONS = ['WRITE_APPEND', 'WRITE_EMPTY', 'WRITE_TRUNCATE', 'WRITE_TRUNCATE_DATA'] as const;
export type WriteDisposition = (typeof WRITE_DISPOSITIONS)[number];

export interface Destination {
  readonly table: TableName;
  readonly decorator: string | null;
  readonly write: WriteDisposition;
  readonly create: 'CREATE_IF_NEEDED' | 'CREATE_NEVER';
  readonly updates: SchemaUpdates;
  /** Undefined where the job says nothing of it. */
  readonly partitioning?: TimePartitioning | undefined;
  readonly clustering?: readonly string[] | undefined;
  readonly requirePartitionFilter?: boolean | undefined;
  readonly description?: string | undefined;
  readonly labels?: { readonly [key: string]: string } | undefined;
}

export interface IncomingRows {
  readonly fields: readonly Field[];
  /** Must a field of the table that is not among them be an error? */
  readonly missing: 'refuse' | 'allow';
  /** A DuckDB query for the columns of these names, of any type that casts without loss; `null` for those that it has not. */
  readonly select: (fields: readonly Field[]) => string;
}

export interface Placed {
  readonly table: Table;
  readonly rows: number;
  readonly bytes: number;
  /** Distinct partitions of the rows. */
  readonly partitions: number;
}

/** @throws BigQueryError `quotaExceeded` */
export async function spendModification(sql: Sql, context: JobContext, placed: Placed): Promise<void> {
  const { table, partitions } = placed;
  await context.quotas.spendModification(sql, table, partitions, table.partitioning !== null, context.nowMs);
}

/** Partitions that a job may touch, and that a table may have. @source BigQuery, "Quotas and limits", partitioned tables */
const MOST_PARTITIONS_PER_JOB = 4_000;
const MOST_PARTITIONS_PER_TABLE = 10_000;

const STAGE = 'temp.incoming';

/**
 * Runs inside the caller's transaction.
 *
 * @throws BigQueryError `notFound`, `duplicate` (WRITE_EMPTY on a table with rows), `invalid`, `quotaExceeded`
 * @source BigQuery, jobs reference, `writeDisposition`, `createDisposition`, `schemaUpdateOptions`
 */
export async function placeRows(
  sql: Sql,
  catalog: Catalog,
  to: Destination,
  incoming: IncomingRows,
  nowMs: number,
): Promise<Placed> {
  const before = await catalog.findTable(to.table);
  const table =
    before === null ? await createTarget(catalog, to, incoming) : await evolve(sql, catalog, before, to, incoming);
  const target =
    to.decorator === null
      ? null
      : partitionCondition(tableText(to.table), table.partitioning, table.fields, to.decorator);
  if (to.write === 'WRITE_EMPTY') await refuseRows(sql, catalog, table, target);
  await sql.run(`CREATE OR REPLACE TEMP TABLE incoming AS ${incoming.select(table.fields)}`);
  try {
    await checkRequired(sql, table);
    await checkPartition(sql, table, target, to.decorator);
    const partitions = await checkPartitionCount(sql, table);
    if (to.write === 'WRITE_TRUNCATE' || to.write === 'WRITE_TRUNCATE_DATA')
      await sql.run(`DELETE FROM ${physicalName(table)}${target === null ? '' : ` WHERE ${target}`}`);
    const columns = identifiers(table.fields.map((field) => field.name));
    await sql.run(`INSERT INTO ${physicalName(table)} (${columns}) SELECT ${columns} FROM ${STAGE}`);
    await checkTotalPartitions(sql, table, nowMs);
    const size = await sql.one(`SELECT count(*) AS rows, ${storedBytes(table.fields)} AS bytes FROM ${STAGE}`);
    return { table: await catalog.putTable(table), rows: Number(size.rows), bytes: Number(size.bytes), partitions };
  } finally {
    await sql.run('DROP TABLE IF EXISTS temp.incoming').catch(() => undefined);
  }
}

async function createTarget(catalog: Catalog, to: Destination, incoming: IncomingRows): Promise<Table> {
  const dataset = await catalog.dataset(to.table.project, to.table.dataset);
  if (to.create === 'CREATE_NEVER') throw new BigQueryError('notFound', `Not found: Table ${tableText(to.table)}`);
  if (to.partitioning) checkPartitioning(to.partitioning, incoming.fields);
  return catalog.createTable({
    ...to.table,
    fields: incoming.fields,
    partitioning: to.partitioning ?? null,
    clustering: to.clustering ?? [],
    requirePartitionFilter: to.requirePartitionFilter ?? false,
    description: to.description ?? null,
    friendlyName: null,
    labels: to.labels ?? {},
    expirationMs: dataset.defaultTableExpirationMs === null ? null : catalog.nowMs + dataset.defaultTableExpirationMs,
  });
}

/** The table as it is to be when the rows go in; what WRITE_TRUNCATE replaces as a whole is emptied here. */
async function evolve(
  sql: Sql,
  catalog: Catalog,
  table: Table,
  to: Destination,
  incoming: IncomingRows,
): Promise<Table> {
  if (to.partitioning && !samePartitioning(to.partitioning, table.partitioning)) {
    throw new BigQueryError(
      'invalid',
      `Incompatible table partitioning specification. Expects partitioning specification ${partitioningText(table.partitioning)}, ` +
        `but input partitioning specification is ${partitioningText(to.partitioning)}`,
    );
  }
  if (to.write === 'WRITE_TRUNCATE' && to.decorator === null) return replaceSchema(catalog, table, to, incoming.fields);
  const fields = mergeSchemas(tableText(table), table.fields, incoming.fields, to.updates, incoming.missing);
  for (const field of fields.slice(table.fields.length)) await addColumn(sql, table, field);
  return { ...table, fields };
}

export async function addColumn(sql: Sql, table: Table, field: Field): Promise<void> {
  await sql.run(`ALTER TABLE ${physicalName(table)} ADD COLUMN ${identifier(field.name)} ${columnType(field)}`);
}

/** Descriptions and policy tags of columns go with the old schema; description, labels and partitioning of the table stay. */
async function replaceSchema(
  catalog: Catalog,
  table: Table,
  to: Destination,
  fields: readonly Field[],
): Promise<Table> {
  if (table.partitioning) checkPartitioning(table.partitioning, fields);
  const physical = await catalog.newPhysical(fields);
  await catalog.dropPhysical(table.physical);
  return { ...table, physical, fields, clustering: to.clustering ?? table.clustering };
}

async function refuseRows(sql: Sql, catalog: Catalog, table: Table, target: string | null): Promise<void> {
  const { rows } = await sql.one(`SELECT count(*) AS rows FROM ${catalog.relation(table, target)}`);
  if (Number(rows) > 0) throw new BigQueryError('duplicate', `Already Exists: Table ${tableText(table)}`);
}

async function checkRequired(sql: Sql, table: Table): Promise<void> {
  for (const field of table.fields.filter((each) => each.mode === 'REQUIRED')) {
    const { rows } = await sql.one(`SELECT count(*) AS rows FROM ${STAGE} WHERE ${identifier(field.name)} IS NULL`);
    if (Number(rows) > 0)
      throw new BigQueryError(
        'invalid',
        `Required field ${field.name} of table ${tableText(table)} cannot be null.`,
        field.name,
      );
  }
}

async function checkPartition(sql: Sql, table: Table, target: string | null, decorator: string | null): Promise<void> {
  if (target === null) return;
  const { rows } = await sql.one(`SELECT count(*) AS rows FROM ${STAGE} WHERE coalesce(NOT ${target}, true)`);
  if (Number(rows) > 0)
    throw new BigQueryError(
      'invalid',
      `Some rows belong to different partitions rather than destination partition ${tableText(table)}$${decorator}`,
    );
}

async function checkPartitionCount(sql: Sql, table: Table): Promise<number> {
  if (!table.partitioning) return 0;
  const id = partitionId(table.partitioning);
  const { parts } = await sql.one(`SELECT count(DISTINCT coalesce(${id}, '')) AS parts FROM ${STAGE}`);
  if (Number(parts) > MOST_PARTITIONS_PER_JOB)
    throw new BigQueryError(
      'quotaExceeded',
      `Too many partitions produced by the job: allowed ${MOST_PARTITIONS_PER_JOB}, job produces ${parts}.`,
    );
  return Number(parts);
}

async function checkTotalPartitions(sql: Sql, table: Table, nowMs: number): Promise<void> {
  if (!table.partitioning) return;
  const alive = unexpiredCondition(table.partitioning, nowMs);
  const where = alive === null ? '' : ` WHERE ${alive}`;
  const { parts } = await sql.one(
    `SELECT count(DISTINCT ${partitionId(table.partitioning)}) AS parts FROM ${physicalName(table)}${where}`,
  );
  if (Number(parts) > MOST_PARTITIONS_PER_TABLE)
    throw new BigQueryError(
      'quotaExceeded',
      `Too many partitions in table ${tableText(table)}: allowed ${MOST_PARTITIONS_PER_TABLE}.`,
    );
}
