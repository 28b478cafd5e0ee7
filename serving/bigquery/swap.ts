/** The built marts of a run -> visible together: one transaction over all of them, or one free copy job for each. */
import { PipelineError } from '../../core/errors.ts';
import { mapParallel } from '../../core/map-parallel.ts';
import type { Clock, Warehouse, WarehouseTableDef, WarehouseUse } from '../../core/ports.ts';
import { sideBySide } from '../side-by-side.ts';
import { displayName } from '../table-columns.ts';
import type { BigQueryClient } from './client.ts';
import { assertWithinLimit, bytesText, moneyText } from './costs.ts';
import { BigQueryFaultError } from './errors.ts';
import { type JobIdentity, jobIdOf } from './job-ids.ts';
import type { BigQueryJobs, FinishedJob } from './jobs.ts';
import type { BigQueryLedger } from './ledger.ts';
import {
  type BuildRecord,
  entriesOf,
  loadedFingerprints,
  type Outcome,
  ofTable,
  presentPartitions,
  type TableLedger,
  turnOf,
  withOutcomes,
  withSpent,
} from './ledger-entries.ts';
import { inPartitions, partitionRef, quoted, quotedTable } from './names.ts';
import { jobsLeft, LIMITS, type QuotaAsk, refillMs, spend } from './quota.ts';
import type { BigQueryTable, TableRef } from './resources.ts';
import { hasDecorator, isPartitionedByDay } from './schema.ts';
import type { BigQueryTables } from './tables.ts';

export interface SwapOptions {
  readonly client: BigQueryClient;
  readonly jobs: BigQueryJobs;
  readonly ledger: BigQueryLedger;
  readonly tables: BigQueryTables;
  readonly swap: 'transaction' | 'copy';
  readonly parallelJobs: number;
  readonly maximumBytesBilled: number | null;
  readonly clock: Clock;
  readonly use: WarehouseUse;
}

/** Each has a ledger and tables of its own, so that what is looked up and noted of them need not wait for one another. */
const MARTS_AT_ONCE = 8;

type SwapBuild = Parameters<Warehouse['swapMarts']>[0][number];

/** What is to become visible of one mart. */
interface MartSwap {
  readonly def: WarehouseTableDef;
  readonly ref: TableRef;
  /** Fingerprint of each partition that arrives. */
  readonly wanted: ReadonlyMap<string, string>;
  readonly gone: readonly string[];
  readonly build: BuildRecord | null;
}

/** The same with the table and the ledger that it was planned on. */
interface ReadySwap extends MartSwap {
  readonly live: BigQueryTable;
  readonly seen: TableLedger;
}

/**
 * A repeat changes nothing: what the ledger says to be there is left out, and the jobs of a try that was killed are adopted.
 *
 * @throws PipelineError `state_conflict` where something is not built, before anything is changed
 */
export async function swapBuiltMarts(
  options: SwapOptions,
  builds: readonly SwapBuild[],
  removed: { readonly [table: string]: readonly string[] },
): Promise<void> {
  try {
    await swapWhatIsMissing(options, builds, removed);
  } catch (thrown) {
    // Another scheduler may have swapped these very builds, noted it, and only then dropped their tables.
    if (!isGone(thrown)) throw thrown;
    await swapWhatIsMissing(options, builds, removed).catch((again: unknown) => {
      throw isGone(again) ? buildTaken(again) : again;
    });
  }
}

const isGone = (thrown: unknown): thrown is BigQueryFaultError =>
  thrown instanceof BigQueryFaultError && thrown.fault.reason === 'notFound';

function buildTaken(cause: PipelineError): PipelineError {
  return new PipelineError(
    'state_conflict',
    `${cause.message} Another run has probably taken or replaced what was built for the marts; readers see each mart whole. Clear the tasks that build the marts.`,
    { cause },
  );
}

async function swapWhatIsMissing(
  options: SwapOptions,
  builds: readonly SwapBuild[],
  removed: { readonly [table: string]: readonly string[] },
): Promise<void> {
  const planned = await mapParallel(builds, MARTS_AT_ONCE, (build) =>
    plan(options, build, removed[build.def.table] ?? []),
  );
  const ready = await mapParallel(planned, MARTS_AT_ONCE, (each) => prepare(options, each));
  const changing = ready.filter(({ wanted, gone }) => wanted.size > 0 || gone.length > 0);
  if (changing.length > LIMITS.tablesPerTransaction && options.swap === 'transaction') throw tooMany(changing.length);
  const byCopy = options.swap === 'copy' ? changing.filter(isCopyable) : [];
  const byScript = changing.filter((each) => !byCopy.includes(each));
  const failures: unknown[] = [];
  if (byScript.length > 0) await transact(options, byScript);
  for (const each of byCopy) {
    try {
      await copyMart(options, each);
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  if (failures.length > 0) throw failures[0];
  const unchanged = ready.filter((each) => !changing.includes(each));
  await mapParallel(unchanged, MARTS_AT_ONCE, (each) => forgetBuild(options, each));
}

async function plan(options: SwapOptions, build: SwapBuild, removed: readonly string[]): Promise<MartSwap> {
  const { ledger, tables } = options;
  const { def, days, fingerprints } = build;
  const ref = tables.ref(def);
  const [known, live] = await Promise.all([ledger.read(ref), tables.get(def)]);
  const entries = entriesOf(known, live?.creationTime ?? null);
  const loaded = loadedFingerprints(entries);
  const present = [...presentPartitions(entries)].sort();
  const wanted = new Map(Object.entries(fingerprints).filter(([partition, made]) => loaded.get(partition) !== made));
  const gone =
    days === null
      ? present.filter((value) => !(value in fingerprints))
      : removed.filter((value) => present.includes(value));
  const built = known?.build?.state === 'built' ? known.build : null;
  const missing = [...wanted].find(([partition, made]) => built?.partitions[partition]?.fingerprint !== made);
  if (missing) throw notBuilt(def, missing[0]);
  return { def, ref, wanted, gone, build: known?.build ?? null };
}

async function prepare({ ledger, tables }: SwapOptions, mart: MartSwap): Promise<ReadySwap> {
  const live = await tables.ensure(mart.def);
  const known = await ledger.read(mart.ref);
  if (known?.tableCreated === live.creationTime) return { ...mart, live, seen: known };
  const seen = await ledger.update(mart.ref, (before) => ofTable(before, live.creationTime));
  return { ...mart, live, seen };
}

// ------------------------------------------------------------------ one transaction

async function transact(options: SwapOptions, marts: readonly ReadySwap[]): Promise<void> {
  const { client, jobs, tables } = options;
  const what = `swap ${marts.map(({ def }) => def.table).join(', ')}`;
  const statements = marts.flatMap((mart) => replaceStatements(mart, tables));
  const query = ['BEGIN TRANSACTION;', ...statements, 'COMMIT TRANSACTION;'].join('\n');
  const configuration = queryOf(options, query);
  await estimate(options, what, configuration);
  const job = await jobs.run({
    jobId: jobIdOf({
      kind: 'swap',
      project: client.projectId,
      location: client.location,
      table: marts.map(({ ref, live }) => `${ref.datasetId}.${ref.tableId}@${live.creationTime}`).join(),
      turns: marts.flatMap((mart) => touched(mart).map((partition) => turnOf(mart.seen, partition))),
      content: marts.map(contentOf),
      words: marts.length === 1 ? [marts[0]?.def.table ?? ''] : [`${marts.length}_marts`],
    }),
    kind: 'query',
    table: marts.map(({ ref }) => `${ref.datasetId}.${ref.tableId}`).join(', '),
    what,
    configuration,
  });
  await mapParallel(marts, MARTS_AT_ONCE, (mart) =>
    remember(options, mart, (partition) => outcomeOf(mart, partition, job)),
  );
}

const touched = ({ wanted, gone }: MartSwap): readonly string[] => [...wanted.keys(), ...gone];
const contentOf = ({ wanted, gone, build }: MartSwap): unknown => [[...wanted], gone, build?.token ?? null];

/** Of constants alone, so that only these partitions are read and written. */
function replaceStatements(mart: ReadySwap, tables: BigQueryTables): readonly string[] {
  const { def, ref, wanted, build } = mart;
  const names = def.columns.map(({ name }) => quoted(name)).join(', ');
  const deletes = inChunks(touched(mart)).map(
    (values) => `DELETE FROM ${quotedTable(ref)} WHERE ${inPartitions(def, values)};`,
  );
  const arriving = [...wanted.keys()].filter((partition) => (build?.partitions[partition]?.rows ?? 0) > 0);
  const inserts = inChunks(arriving).map((values) => {
    const from = quotedTable(tables.stagingRef(build?.stagingTable ?? ''));
    return `INSERT INTO ${quotedTable(ref)} (${names}) SELECT ${names} FROM ${from} WHERE ${inPartitions(def, values)};`;
  });
  return [...deletes, ...inserts];
}

function inChunks(values: readonly string[]): readonly (readonly string[])[] {
  const chunks: (readonly string[])[] = [];
  for (let first = 0; first < values.length; first += LIMITS.partitionsPerJob)
    chunks.push(values.slice(first, first + LIMITS.partitionsPerJob));
  return chunks;
}

function queryOf({ maximumBytesBilled }: SwapOptions, query: string): { readonly query: object } {
  return {
    query: {
      query,
      useLegacySql: false,
      ...(maximumBytesBilled === null ? {} : { maximumBytesBilled: String(maximumBytesBilled) }),
    },
  };
}

/** BigQuery cannot tell the bytes of every script beforehand; the job itself is held to the limit either way. */
async function estimate(options: SwapOptions, what: string, configuration: object): Promise<void> {
  const { client, jobs, use, maximumBytesBilled } = options;
  let bytes: number;
  try {
    const { statistics } = await client.dryRun(what, configuration);
    bytes = Number(statistics?.query?.totalBytesProcessed ?? statistics?.totalBytesProcessed ?? 0);
  } catch (thrown) {
    if (thrown instanceof PipelineError && (thrown.retryable || thrown.code === 'task_cancelled')) throw thrown;
    use.log.debug(`${what}: bytes are not known beforehand`, { error: String(thrown) });
    return;
  }
  assertWithinLimit(what, bytes, jobs.costOf(bytes), maximumBytesBilled);
  use.log.info(`${what}: reads up to ${bytesText(bytes)}, about ${moneyText(jobs.costOf(bytes))}`, { bytes });
}

// ------------------------------------------------------------------ copies

/** Of a mart by value, or with rows of no day, only a statement can replace a part. */
function isCopyable(mart: ReadySwap): boolean {
  return mart.def.partitionKey === null || touched(mart).every((value) => hasDecorator(mart.def, value));
}

/** Each table, or partition, appears at once; not all together. */
async function copyMart(options: SwapOptions, mart: ReadySwap): Promise<void> {
  const { def, wanted, gone, build } = mart;
  const rowsOf = (partition: string): number => build?.partitions[partition]?.rows ?? 0;
  const filled = [...wanted.keys()].filter((partition) => rowsOf(partition) > 0);
  const emptied = [...gone, ...[...wanted.keys()].filter((partition) => rowsOf(partition) === 0)];
  await assertQuota(options, mart, filled.length);
  const source = filled.length > 0 ? await finalTable(options, mart, filled) : null;
  const copies = filled.map((partition) => async () => ({
    partitions: [partition],
    job: await copyPartition(options, mart, source, partition),
  }));
  const deletes = inChunks(emptied).map((partitions) => async () => ({
    partitions,
    job: await deletePartitions(options, mart, partitions),
  }));
  const { done, failures } = await sideBySide([...copies, ...deletes], options.parallelJobs);
  const jobs = new Map(done.flatMap(({ partitions, job }) => partitions.map((partition) => [partition, job] as const)));
  if (jobs.size > 0) {
    await remember(options, mart, (partition) => {
      const job = jobs.get(partition);
      return job ? outcomeOf(mart, partition, job) : null;
    });
  }
  if (failures.length > 0) throw failures[0];
  options.use.log.info(`${def.table}: ${filled.length} copied, ${emptied.length} emptied`);
}

async function assertQuota(
  { ledger, clock }: SwapOptions,
  { def, ref, seen }: ReadySwap,
  copies: number,
): Promise<void> {
  const ask: QuotaAsk = { kind: 'write', isPartitioned: isPartitionedByDay(def), nowMs: clock.now() };
  const left = jobsLeft(seen.spent, ask);
  if (left < copies) {
    throw new PipelineError(
      'warehouse_quota',
      `${displayName(def)}: ${copies} copies are needed, but BigQuery's daily limit leaves ${left} changes of this table. Nothing of it was changed.`,
      { context: { table: displayName(def), left }, retryAfterMs: refillMs(seen.spent, clock.now()) },
    );
  }
  await ledger.update(ref, (before) => ({ ...before, spent: spend(before.spent, ask, copies) }));
}

/** What a copy brings along is the schema too: this table has the target's, policy tags and all. Both must be partitioned and clustered alike. */
async function finalTable(options: SwapOptions, mart: ReadySwap, partitions: readonly string[]): Promise<TableRef> {
  const { client, jobs, tables } = options;
  const { def, live, build } = mart;
  const { timePartitioning, clustering } = live;
  const staging = tables.stagingRef(build?.stagingTable ?? '');
  const final = await tables.createStaging(finalRef(staging).tableId, {
    schema: { fields: live.schema?.fields ?? [] },
    ...(timePartitioning ? { timePartitioning: { type: timePartitioning.type, field: timePartitioning.field } } : {}),
    ...(clustering?.fields?.length ? { clustering: { fields: clustering.fields } } : {}),
  });
  const created = (await client.getTable(final))?.creationTime ?? '';
  const names = def.columns.map(({ name }) => quoted(name)).join(', ');
  const query = `INSERT INTO ${quotedTable(final)} (${names}) SELECT ${names} FROM ${quotedTable(staging)} WHERE ${inPartitions(def, partitions)}`;
  await jobs.run({
    jobId: jobIdOf({ ...identityOf(options, mart, 'final'), turns: [], content: [contentOf(mart), created] }),
    kind: 'query',
    table: `${final.datasetId}.${final.tableId}`,
    what: `put mart ${def.table} into its final shape`,
    configuration: queryOf(options, query),
  });
  return final;
}

function copyPartition(
  options: SwapOptions,
  mart: ReadySwap,
  source: TableRef | null,
  partition: string,
): Promise<FinishedJob> {
  if (source === null) throw new Error(`no rows are built for ${mart.def.table} ${partition}`);
  const at = (table: TableRef): TableRef => (mart.def.partitionKey === null ? table : partitionRef(table, partition));
  const { ref, def } = mart;
  return options.jobs.run({
    jobId: jobIdOf({
      ...identityOf(options, mart, 'copy'),
      turns: [turnOf(mart.seen, partition)],
      content: [partition, mart.wanted.get(partition), mart.build?.token],
      words: [def.table, partition],
    }),
    kind: 'copy',
    table: `${ref.datasetId}.${ref.tableId}`,
    what: `copy mart ${def.table} ${partition}`.trim(),
    configuration: {
      copy: {
        sourceTable: at(source),
        destinationTable: at(ref),
        writeDisposition: 'WRITE_TRUNCATE',
        createDisposition: 'CREATE_NEVER',
      },
    },
  });
}

function deletePartitions(options: SwapOptions, mart: ReadySwap, partitions: readonly string[]): Promise<FinishedJob> {
  const { ref, def, seen } = mart;
  return options.jobs.run({
    jobId: jobIdOf({
      ...identityOf(options, mart, 'remove'),
      turns: partitions.map((partition) => turnOf(seen, partition)),
      content: [partitions, partitions.map((partition) => mart.wanted.get(partition) ?? null)],
    }),
    kind: 'query',
    table: `${ref.datasetId}.${ref.tableId}`,
    what: `remove ${partitions.length} partitions of ${displayName(def)}`,
    configuration: queryOf(options, `DELETE FROM ${quotedTable(ref)} WHERE ${inPartitions(def, partitions)}`),
  });
}

function identityOf(
  { client }: SwapOptions,
  { def, ref, live }: ReadySwap,
  kind: JobIdentity['kind'],
): Omit<JobIdentity, 'content' | 'turns'> {
  return {
    kind,
    project: client.projectId,
    location: client.location,
    table: `${ref.datasetId}.${ref.tableId}@${live.creationTime}`,
    words: [def.table],
  };
}

// ------------------------------------------------------------------ afterwards

function outcomeOf({ wanted, build }: MartSwap, partition: string, job: FinishedJob): Outcome {
  const fingerprint = wanted.get(partition) ?? null;
  return {
    partition,
    fingerprint,
    isRemoved: fingerprint === null,
    rows: fingerprint === null ? 0 : (build?.partitions[partition]?.rows ?? 0),
    sizeBytes: 0,
    jobId: job.jobId,
    startedAtMs: job.startedAtMs,
    endedAtMs: job.endedAtMs,
  };
}

/** One write for all: Cloud Storage takes about one a second for an object. */
async function remember(
  options: SwapOptions,
  mart: ReadySwap,
  outcome: (partition: string) => Outcome | null,
): Promise<void> {
  const { client, ledger } = options;
  const outcomes = touched(mart).flatMap((partition) => outcome(partition) ?? []);
  // A whole table that was truncated may count as made anew.
  const created = mart.def.partitionKey === null ? await createdAfter(client, mart) : mart.live.creationTime;
  const after = await ledger.update(mart.ref, (current) => {
    const noted = {
      ...withOutcomes(current, mart.seen, outcomes),
      ...(current.epoch === mart.seen.epoch ? { tableCreated: created } : {}),
    };
    return mart.build === null ? noted : withSpent(noted, mart.build.token);
  });
  await dropSpent(options, mart, after);
}

/** A table that was replaced whole stays for as long as it did before, and not for as long as what it was copied from. */
async function createdAfter(client: BigQueryClient, { ref, live }: ReadySwap): Promise<string> {
  const now = await client.getTable(ref);
  if (now !== null && now.expirationTime !== live.expirationTime)
    await client.patchTable(ref, { expirationTime: live.expirationTime ?? null }, now.etag);
  return now?.creationTime ?? live.creationTime;
}

/** Of a mart that had nothing to swap any more: another try, or another scheduler, has done it. */
async function forgetBuild(options: SwapOptions, mart: ReadySwap): Promise<void> {
  const { ref, build, seen } = mart;
  if (build === null) return;
  const isNoted = withSpent(seen, build.token) === seen;
  await dropSpent(
    options,
    mart,
    isNoted ? seen : await options.ledger.update(ref, (now) => withSpent(now, build.token)),
  );
}

/** Another run's build is left alone. The ledger goes on naming the tables, so that a repeat, or the next build, drops what a crash leaves. */
async function dropSpent(options: SwapOptions, { build }: ReadySwap, after: TableLedger): Promise<void> {
  const { client, tables, swap } = options;
  if (build === null || after.build?.state !== 'spent' || after.build.token !== build.token) return;
  const staging = tables.stagingRef(build.stagingTable);
  if (swap === 'copy') await client.deleteTable(finalRef(staging));
  await client.deleteTable(staging);
}

const finalRef = (staging: TableRef): TableRef => ({ ...staging, tableId: `${staging.tableId}__final` });

function notBuilt(def: WarehouseTableDef, partition: string): PipelineError {
  const what = partition === '' ? '' : `, partition ${partition}`;
  return new PipelineError(
    'state_conflict',
    `Nothing is built for ${displayName(def)}${what}: another run has built the mart since, or what was built has expired. ` +
      'No mart was changed. Clear the task that builds it, then this one.',
    { context: { table: displayName(def), partition } },
  );
}

function tooMany(marts: number): PipelineError {
  return new PipelineError(
    'warehouse_rejected',
    `${marts} marts are to be swapped together, but a transaction of BigQuery changes ${LIMITS.tablesPerTransaction} tables at most. Nothing was changed. Set bigquery.swap: copy, or publish them by several tasks.`,
    { context: { marts } },
  );
}
