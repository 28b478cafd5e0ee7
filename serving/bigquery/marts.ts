/** A mart's GoogleSQL and the loaded tables -> its touched partitions in a table of the staging dataset, unseen by readers. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { invalid, SqlFaultError } from '../../core/google-sql/lexer.ts';
import type { BuiltMart, Clock, MartBuild, WarehouseTableDef, WarehouseUse } from '../../core/ports.ts';
import type { PublishedLayer } from '../../core/types.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import type { BigQueryClient } from './client.ts';
import { assertWithinLimit, bytesText, moneyText } from './costs.ts';
import { BigQueryFaultError } from './errors.ts';
import { type JobIdentity, jobIdOf } from './job-ids.ts';
import type { BigQueryJobs } from './jobs.ts';
import type { BigQueryLedger } from './ledger.ts';
import type { BuildRecord, TableLedger } from './ledger-entries.ts';
import {
  buildQuery,
  type MartWindow,
  parametersOf,
  qualifyTables,
  tablesOf,
  WINDOW_COLUMN,
  windowsOf,
} from './mart-sql.ts';
import { partitionValueOf, quoted, quotedTable } from './names.ts';
import type { BigQueryJob, TableField } from './resources.ts';
import { columnTypeOfField } from './schema.ts';
import type { BigQueryTables } from './tables.ts';

export interface MartsOptions {
  readonly client: BigQueryClient;
  readonly jobs: BigQueryJobs;
  readonly ledger: BigQueryLedger;
  readonly tables: BigQueryTables;
  readonly maximumBytesBilled: number | null;
  readonly clock: Clock;
  readonly use: WarehouseUse;
}

const LAYERS: readonly string[] = ['enriched', 'silver', 'dims', 'gold'] satisfies readonly PublishedLayer[];

/** @source BigQuery, "Quotas and limits": length of a query, tables that it refers to (read 2026-11-21) */
const MAX_QUERY_CHARACTERS = 500_000;
const MAX_TABLES = 1_000;
const MAX_WINDOWS = 100;
/** BigQuery keeps the rows of a finished query for a day. */
const RESULT_LIFE_MS = 20 * 3_600_000;

/**
 * Each day is computed by itself, many in one query. The same build again takes what a try before has made, or goes on with its jobs.
 *
 * @throws PipelineError `sql_not_portable`, `sql_invalid`, `warehouse_schema` where columns are not as declared,
 *   `warehouse_rejected` where the query fails on its data or would read too much
 */
export async function buildMartTable(options: MartsOptions, build: MartBuild): Promise<BuiltMart> {
  const { def } = build;
  const windows = windowsOf(def, build.days);
  const queries = chunked(build, windows, (sql, suffix) => qualified(options, def, sql, suffix));
  const identity = identityOfBuild(build);
  const known = (await options.ledger.read(options.tables.ref(def)))?.build ?? null;
  if (known?.identity === identity && known.state === 'built' && (await isThere(options, known))) {
    return builtMart(build, known);
  }
  if (windows.length > 0) {
    await checkBefore(options, build, windows);
    await estimate(options, def, queries);
  }
  const record = await beginBuild(options, def, identity);
  if (windows.length > 0) await runBuild(options, build, record, queries);
  const counted = windows.length > 0 ? await countRows(options, build, record) : new Map<string, number>();
  return builtMart(build, await endBuild(options, build, record, counted));
}

interface ChunkQuery {
  readonly query: string;
  readonly windows: readonly MartWindow[];
}

function chunked(
  build: MartBuild,
  windows: readonly MartWindow[],
  qualify: (sql: string, suffix: string) => string,
): readonly ChunkQuery[] {
  const tables = Math.max(1, tablesOfMart(build).length);
  const length = buildQuery(build.def, windows.slice(0, 1), () => build.sql).length + 500;
  const most = Math.min(MAX_WINDOWS, Math.floor(MAX_TABLES / tables), Math.floor(MAX_QUERY_CHARACTERS / length));
  const size = Math.max(1, most);
  const chunks: ChunkQuery[] = [];
  for (let first = 0; first < windows.length; first += size) {
    const some = windows.slice(first, first + size);
    chunks.push({ windows: some, query: buildQuery(build.def, some, (suffix) => qualify(build.sql, suffix)) });
  }
  return chunks;
}

function tablesOfMart({ def, sql }: MartBuild): ReturnType<typeof tablesOf> {
  try {
    return tablesOf(sql);
  } catch (thrown) {
    throw ofMart(def, thrown);
  }
}

/** The mart's text with full table names; its faults name the mart. */
function qualified({ tables }: MartsOptions, def: WarehouseTableDef, sql: string, suffix: string): string {
  try {
    return qualifyTables(
      sql,
      (layer, table) =>
        LAYERS.includes(layer) ? quotedTable(tables.ref({ dataset: layer as PublishedLayer, table })) : null,
      suffix,
    );
  } catch (thrown) {
    throw ofMart(def, thrown);
  }
}

function ofMart(def: WarehouseTableDef, thrown: unknown): unknown {
  if (!(thrown instanceof SqlFaultError)) return thrown;
  return new PipelineError(thrown.code, `Mart ${def.table}: ${thrown.message}`, {
    context: { ...thrown.context, table: displayName(def) },
    cause: thrown,
  });
}

function identityOfBuild({ def, sql, days, fingerprints }: MartBuild): string {
  const columns = def.columns.map(({ name, type }) => [name, type]);
  return fingerprint([sql, columns, def.partitionKey, days, fingerprints]);
}

/** The build's token: that of a try before, where it builds the same and has not ended. */
async function beginBuild(
  { client, ledger, tables }: MartsOptions,
  def: WarehouseTableDef,
  identity: string,
): Promise<BuildRecord> {
  let old: BuildRecord | null = null;
  const { build } = await ledger.update(tables.ref(def), (before) => {
    const isSame = before.build?.identity === identity && before.build.state === 'building';
    old = isSame ? null : before.build;
    return isSame ? before : { ...before, build: newBuild(before, def, identity) };
  });
  if (build === null) throw new Error('the ledger lost the build that it was given');
  // What was built before is wanted no more.
  if (old !== null) await client.deleteTable(tables.stagingRef((old as BuildRecord).stagingTable));
  return build;
}

function newBuild(ledger: TableLedger, def: WarehouseTableDef, identity: string): BuildRecord {
  const token = `${ledger.epoch}.${ledger.sequence + 1}`;
  return {
    state: 'building',
    token,
    identity,
    stagingTable: `build__${def.table}__${fingerprint([identity, token]).slice(0, 12)}`,
    partitions: {},
  };
}

async function isThere({ client, tables }: MartsOptions, record: BuildRecord): Promise<boolean> {
  if (Object.keys(record.partitions).length === 0) return true;
  return (await client.getTable(tables.stagingRef(record.stagingTable))) !== null;
}

/** Columns of the query as BigQuery sees them, which is free. */
async function checkBefore(options: MartsOptions, build: MartBuild, windows: readonly MartWindow[]): Promise<void> {
  const { client } = options;
  const { def } = build;
  const some = windows.slice(0, 1);
  let job: BigQueryJob;
  try {
    job = await client.dryRun(`mart ${def.table}`, queryOf(options, qualified(options, def, build.sql, ''), some));
  } catch (thrown) {
    throw await explained(options, build, thrown);
  }
  checkColumns(def, job.statistics?.query?.schema?.fields ?? []);
}

/** A table that is not there is named with its place, and with what may be meant. */
async function explained(options: MartsOptions, build: MartBuild, thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof BigQueryFaultError) || thrown.fault.reason !== 'notFound') return thrown;
  const { ledger, tables } = options;
  for (const { layer, table, at } of tablesOf(build.sql)) {
    if ((await tables.get({ dataset: layer as PublishedLayer, table })) !== null) continue;
    const known = (await ledger.known()).flatMap((each) =>
      (LAYERS as readonly PublishedLayer[])
        .filter((name) => tables.ref({ dataset: name, table: each.table }).datasetId === each.datasetId)
        .map((name) => `${name}.${each.table}`),
    );
    const meant = didYouMean(`${layer}.${table}`, known);
    const hint = meant ? `Did you mean ${meant}?` : 'Is it loaded?';
    return ofMart(build.def, invalid(build.sql, at, `There is no table ${layer}.${table} in BigQuery.`, hint));
  }
  return thrown;
}

function checkColumns(def: WarehouseTableDef, found: readonly TableField[]): void {
  const declared = columnSchemas(def);
  const extra = found.map(({ name }) => name).filter((name) => !declared.some((column) => column.name === name));
  if (extra.length > 0) {
    const what = 'given by the query, and not declared by the header';
    throw mismatch(def, extra.join(', '), what, 'Declare it, or leave it out of SELECT.');
  }
  for (const { name, type } of declared) {
    const field = found.find((each) => each.name === name);
    if (!field) {
      throw mismatch(def, name, `declared as ${type}, but the query does not give it`, 'Select it under that name.');
    }
    if (!becomes(field, type)) {
      const what = `declared as ${type}, the query gives ${field.type}`;
      throw mismatch(def, name, what, 'Cast it in the query, or declare its type.');
    }
  }
}

/** Numbers may gain digits or be rounded to the declared ones; anything else must be what it is declared. */
function becomes(field: TableField, declared: string): boolean {
  const found = columnTypeOfField(field);
  const isNumber = found === 'int64' || found === 'float64' || /^(decimal|numeric|bignumeric)/.test(found);
  if (declared === 'float64' || declared.startsWith('decimal')) return isNumber;
  return found === declared;
}

function mismatch(def: WarehouseTableDef, column: string, what: string, next: string): PipelineError {
  return new PipelineError('warehouse_schema', `Mart ${def.table}, column ${column}: ${what}. ${next}`, {
    context: { table: displayName(def), column },
  });
}

/** Bytes and money before anything is spent; the limit is for the mart, however many jobs it takes. */
async function estimate(options: MartsOptions, def: WarehouseTableDef, queries: readonly ChunkQuery[]): Promise<void> {
  const { client, jobs, use, maximumBytesBilled } = options;
  let total = 0;
  for (const { query, windows } of queries) {
    const job = await client.dryRun(`mart ${def.table}`, queryOf(options, query, windows));
    total += Number(job.statistics?.query?.totalBytesProcessed ?? job.statistics?.totalBytesProcessed ?? 0);
  }
  assertWithinLimit(`Mart ${def.table}`, total, jobs.costOf(total), maximumBytesBilled);
  use.log.info(`${def.table}: reads up to ${bytesText(total)}, about ${moneyText(jobs.costOf(total))}`, {
    bytes: total,
  });
}

function queryOf(
  { maximumBytesBilled }: Pick<MartsOptions, 'maximumBytesBilled'>,
  query: string,
  windows: readonly MartWindow[],
): { readonly query: object } {
  const queryParameters = parametersOf(windows);
  return {
    query: {
      query,
      useLegacySql: false,
      ...(queryParameters.length === 0 ? {} : { parameterMode: 'NAMED', queryParameters }),
      ...(maximumBytesBilled === null ? {} : { maximumBytesBilled: String(maximumBytesBilled) }),
    },
  };
}

async function runBuild(
  options: MartsOptions,
  build: MartBuild,
  record: BuildRecord,
  queries: readonly ChunkQuery[],
): Promise<void> {
  const { jobs, tables, maximumBytesBilled } = options;
  const { def } = build;
  const staging = tables.stagingRef(record.stagingTable);
  await tables.ensureDataset('staging');
  let before = '';
  let billed = 0;
  for (const [index, { query, windows }] of queries.entries()) {
    const left = maximumBytesBilled === null ? null : maximumBytesBilled - billed;
    if (left !== null && left <= 0) throw limitSpent(def, index, queries.length, billed);
    const { query: configuration } = queryOf({ maximumBytesBilled: left }, query, windows);
    try {
      const { jobId, bytesBilled } = await jobs.run({
        // After the chunk before: where that one had to be run again, so has this.
        jobId: jobIdOf({ ...identityOf(options, def, record, 'build'), content: [record.identity, index, before] }),
        kind: 'query',
        table: `${staging.datasetId}.${staging.tableId}`,
        what: `build mart ${def.table}`,
        configuration: {
          query: {
            ...configuration,
            destinationTable: staging,
            createDisposition: 'CREATE_IF_NEEDED',
            writeDisposition: index === 0 ? 'WRITE_TRUNCATE' : 'WRITE_APPEND',
          },
        },
        isUsable: async () => (await options.client.getTable(staging)) !== null,
      });
      before = jobId;
      billed += bytesBilled;
    } catch (thrown) {
      throw failedOnData(def, windows, thrown);
    }
  }
}

/** BigQuery bills ten megabytes a table and query at least, of which a dry run does not tell. */
function limitSpent(def: WarehouseTableDef, done: number, jobs: number, billed: number): PipelineError {
  return new PipelineError(
    'warehouse_rejected',
    `Mart ${def.table}: ${done} of ${jobs} jobs that build it were billed ${bytesText(billed)}, all that bigquery.maximum_bytes_billed ` +
      'allows. The others were not started, and the visible mart stays as it is. Let it build fewer days at once, or raise the limit.',
    { context: { table: displayName(def), billed } },
  );
}

/** The text has passed the dry run: what fails now fails on the data. */
function failedOnData(def: WarehouseTableDef, windows: readonly MartWindow[], thrown: unknown): unknown {
  if (!(thrown instanceof BigQueryFaultError) || thrown.code !== 'sql_invalid') return thrown;
  const days = windows.flatMap(({ day }) => (day === null ? [] : [day]));
  const when = days.length === 0 ? '' : days.length === 1 ? ` on ${days[0]}` : ` between ${days[0]} and ${days.at(-1)}`;
  const message = thrown.fault.message.replace(/\.$/, '');
  return new PipelineError(
    'warehouse_rejected',
    `Mart ${def.table} failed${when}: ${message}. Correct its query, or the data that it reads.`,
    { context: { ...thrown.context, table: displayName(def) }, cause: thrown },
  );
}

function identityOf(
  { client }: MartsOptions,
  def: WarehouseTableDef,
  record: BuildRecord,
  kind: JobIdentity['kind'],
): Omit<JobIdentity, 'content'> {
  return {
    kind,
    project: client.projectId,
    location: client.location,
    table: displayName(def),
    turns: [{ epoch: record.token, after: null }],
    words: [def.table],
  };
}

/** @throws PipelineError `warehouse_rejected` where a day's window gave rows of another day */
async function countRows(
  options: MartsOptions,
  { def, days }: MartBuild,
  record: BuildRecord,
): Promise<ReadonlyMap<string, number>> {
  const { client, jobs, tables, clock } = options;
  const staging = tables.stagingRef(record.stagingTable);
  const key = def.partitionKey;
  const value = key === null ? "''" : partitionValueOf(key);
  const day = days === null ? 'CAST(NULL AS STRING)' : `CAST(${quoted(WINDOW_COLUMN)} AS STRING)`;
  const query = `SELECT ${day} AS day, ${value} AS value, COUNT(*) AS n FROM ${quotedTable(staging)} GROUP BY 1, 2 ORDER BY 1, 2`;
  const { jobId } = await jobs.run({
    jobId: jobIdOf({ ...identityOf(options, def, record, 'count'), content: record.identity }),
    kind: 'query',
    table: `${staging.datasetId}.${staging.tableId}`,
    what: `count the rows of mart ${def.table}`,
    configuration: queryOf(options, query, []),
    isUsable: async (job) => clock.now() - Number(job.statistics?.endTime ?? 0) < RESULT_LIFE_MS,
  });
  const counted = new Map<string, number>();
  for (const row of await client.rows(`count the rows of mart ${def.table}`, jobId)) {
    if (days !== null && key !== null && row.day !== row.value) throw strayRows(def, key, row);
    counted.set(row.value ?? '', (counted.get(row.value ?? '') ?? 0) + Number(row.n));
  }
  return counted;
}

function strayRows(
  def: WarehouseTableDef,
  key: string,
  row: { readonly [column: string]: string | null },
): PipelineError {
  return new PipelineError(
    'warehouse_rejected',
    `Mart ${def.table}: asked for ${key} = ${row.day}, its query gave ${row.n} rows of ${row.value}. ` +
      `Filter ${key} by @window_start and @window_end (exclusive).`,
    { context: { table: displayName(def), partition: row.day ?? '' } },
  );
}

/** Every day that was asked for, also those without rows. */
async function endBuild(
  { ledger, tables }: MartsOptions,
  { def, days, fingerprints }: MartBuild,
  record: BuildRecord,
  counted: ReadonlyMap<string, number>,
): Promise<BuildRecord> {
  const asked = days ?? (def.partitionKey === null ? [''] : []);
  const rows = new Map<string, number>([...asked.map((day) => [day, 0] as const), ...counted]);
  const partitions = Object.fromEntries(
    [...rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([partition, count]) => [
        partition,
        { rows: count, fingerprint: fingerprints[partition] ?? fingerprints[''] ?? '' },
      ]),
  );
  const built: BuildRecord = { ...record, state: 'built', partitions };
  const after = await ledger.update(tables.ref(def), (before) =>
    before.build?.token === record.token ? { ...before, build: built } : before,
  );
  if (after.build?.token === record.token) return built;
  throw new PipelineError(
    'state_conflict',
    `Another run has begun to build ${displayName(def)} meanwhile. No mart was changed. Clear this task once that run is over.`,
    { context: { table: displayName(def) } },
  );
}

function builtMart({ def }: MartBuild, { partitions }: BuildRecord): BuiltMart {
  return {
    table: def.table,
    rowsByPartition: Object.fromEntries(Object.entries(partitions).map(([value, { rows }]) => [value, rows])),
  };
}
