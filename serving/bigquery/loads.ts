/** Published partitions -> load jobs that replace exactly these, side by side within the quotas, and the ledger that remembers them. */
import { PipelineError } from '../../core/errors.ts';
import type { Clock, LakeObjects, WarehouseTableDef, WarehouseUse } from '../../core/ports.ts';
import type { DataPartition, LoadReceipt } from '../../core/types.ts';
import { checkTails } from '../parquet/check-remote-footers.ts';
import { sideBySide } from '../side-by-side.ts';
import { displayName } from '../table-columns.ts';
import type { BigQueryClient } from './client.ts';
import { type JobIdentity, jobIdOf } from './job-ids.ts';
import type { BigQueryJobs, FinishedJob } from './jobs.ts';
import type { BigQueryLedger } from './ledger.ts';
import {
  entriesOf,
  loadedFingerprints,
  type Outcome,
  ofTable,
  presentPartitions,
  type TableLedger,
  turnOf,
  withOutcomes,
} from './ledger-entries.ts';
import { inPartitions, partitionRef, quoted, quotedTable } from './names.ts';
import { jobsLeft, LIMITS, type QuotaAsk, refillMs, spend, updated, updatePauseMs } from './quota.ts';
import type { BigQueryTable, TableRef } from './resources.ts';
import { hasDecorator, isPartitionedByDay, mergedFields } from './schema.ts';
import type { BigQueryTables } from './tables.ts';
import type { TimeoutHold } from './timeout-hold.ts';

export interface LoadsOptions {
  readonly client: BigQueryClient;
  readonly jobs: BigQueryJobs;
  readonly hold: TimeoutHold;
  readonly ledger: BigQueryLedger;
  readonly tables: BigQueryTables;
  readonly lake: LakeObjects;
  readonly parallelJobs: number;
  readonly maximumBytesBilled: number | null;
  readonly clock: Clock;
  readonly use: WarehouseUse;
}

/** What is to be done with one table, decided before anything is. */
interface LoadPlan {
  readonly def: WarehouseTableDef;
  readonly ref: TableRef;
  readonly live: BigQueryTable;
  readonly seen: TableLedger;
}

/** One job and the partitions that it makes. */
interface LoadStep {
  readonly partitions: readonly DataPartition[];
  readonly removed: readonly string[];
  /** Loads that count against the table's own quota. */
  readonly loads: number;
  readonly run: () => Promise<FinishedJob>;
}

/**
 * A table by day: one load job a partition, into its decorator; any other partition (a value, null): loaded beside the table,
 * then swapped in by one transaction. Ids are derived, so whatever a crash leaves running is adopted by the repeat.
 *
 * @throws PipelineError `warehouse_schema` before anything is loaded; `warehouse_quota` where the day's loads are spent, after
 *   as many partitions as they allow
 */
export async function loadIntoTable(
  options: LoadsOptions,
  def: WarehouseTableDef,
  partitions: readonly DataPartition[],
  removed: readonly string[],
): Promise<readonly LoadReceipt[]> {
  const live = await options.tables.ensure(def);
  const ref = options.tables.ref(def);
  const known = await options.ledger.read(ref);
  const entries = entriesOf(known, live.creationTime);
  const loaded = loadedFingerprints(entries);
  const present = presentPartitions(entries);
  const changed = partitions.filter(({ value, fingerprint }) => loaded.get(value) !== fingerprint);
  const gone = removed.filter((value) => present.has(value));
  let after = known;
  if (changed.length > 0 || gone.length > 0) {
    const { lake, use } = options;
    await checkTails(def, changed, { lake, tempDir: use.tempDir, signal: use.signal });
    after = await replace(options, { def, ref, live }, changed, gone);
  }
  return partitions.map((partition) => ({
    table: displayName(def),
    partition: partition.value,
    rows: partition.rows,
    sizeBytes: partition.sizeBytes,
    jobId: after?.partitions[partition.value]?.jobId ?? '',
    changed: changed.some(({ value }) => value === partition.value),
  }));
}

/** @returns the ledger afterwards */
async function replace(
  options: LoadsOptions,
  table: Omit<LoadPlan, 'seen'>,
  changed: readonly DataPartition[],
  gone: readonly string[],
): Promise<TableLedger> {
  const { ledger, clock } = options;
  const isPartitioned = isPartitionedByDay(table.def);
  const ask = (): QuotaAsk => ({ kind: 'load', isPartitioned, nowMs: clock.now() });
  let allowed = 0;
  // Noted before the jobs start: what a crash leaves uncounted would be spent twice. It also fixes the epoch of their ids.
  const seen = await ledger.update(table.ref, (before) => {
    const current = ofTable(before, table.live.creationTime);
    const needed = stepsOf(options, { ...table, seen: current }, changed, gone).reduce(
      (sum, { loads }) => sum + loads,
      0,
    );
    allowed = Math.min(needed, jobsLeft(current.spent, ask()));
    return { ...current, spent: spend(current.spent, ask(), allowed) };
  });
  const steps = stepsOf(options, { ...table, seen }, changed, gone);
  const within = withinQuota(steps, allowed);
  const after = await runSteps(options, { ...table, seen }, within);
  if (within.length === steps.length) return after;
  const left = steps.length - within.length;
  throw new PipelineError(
    'warehouse_quota',
    `${displayName(table.def)}: BigQuery allows ${LIMITS.loadsPerTablePerDay} load jobs a day into one table. ` +
      `${within.length} of ${steps.length} were run; the other ${left} follow when the task is tried again.`,
    { context: { table: displayName(table.def), left }, retryAfterMs: refillMs(seen.spent, clock.now()) },
  );
}

function withinQuota(steps: readonly LoadStep[], loads: number): readonly LoadStep[] {
  let left = loads;
  return steps.filter((step) => {
    left -= step.loads;
    return step.loads === 0 || left >= 0;
  });
}

function stepsOf(
  options: LoadsOptions,
  plan: LoadPlan,
  changed: readonly DataPartition[],
  gone: readonly string[],
): readonly LoadStep[] {
  const { def } = plan;
  if (def.partitionKey === null) {
    const [whole] = changed;
    // A load job of no file is refused.
    const isEmpty = whole !== undefined && whole.files.length === 0;
    return whole && !isEmpty ? [loadStep(options, plan, whole)] : removeSteps(options, plan, gone, changed);
  }
  const isOwnPartition = (value: string): boolean => hasDecorator(def, value);
  const filled = (partition: DataPartition): boolean => partition.files.length > 0;
  const direct = changed.filter((partition) => isOwnPartition(partition.value) && filled(partition));
  const beside = changed.filter((partition) => !isOwnPartition(partition.value) && filled(partition));
  const emptied = changed.filter((partition) => !filled(partition));
  return [
    ...direct.map((partition) => loadStep(options, plan, partition)),
    ...(beside.length > 0 ? [besideStep(options, plan, beside)] : []),
    ...removeSteps(options, plan, gone, emptied),
  ];
}

/** By decorator, or the whole table. */
function loadStep(options: LoadsOptions, plan: LoadPlan, partition: DataPartition): LoadStep {
  const { def, ref } = plan;
  const where = def.partitionKey === null ? displayName(def) : `${displayName(def)}, partition ${partition.value}`;
  const target = def.partitionKey === null ? ref : partitionRef(ref, partition.value);
  const jobId = jobIdOf({
    ...identityOf(options, plan, 'load', [partition.value]),
    content: [partition.value, partition.fingerprint],
  });
  return {
    partitions: [partition],
    removed: [],
    loads: 1,
    run: () =>
      options.jobs.run({
        jobId,
        kind: 'load',
        table: `${ref.datasetId}.${ref.tableId}`,
        what: `load ${where}`,
        configuration: { load: loadConfiguration(options, plan, target, [partition]) },
      }),
  };
}

/** @source BigQuery REST reference, JobConfigurationLoad (read 2026-11-21) */
function loadConfiguration(
  { lake }: LoadsOptions,
  { def, ref, live }: Pick<LoadPlan, 'def' | 'ref' | 'live'>,
  target: TableRef,
  partitions: readonly DataPartition[],
): object {
  const sourceUris = partitions.flatMap(({ files }) => files.map((file) => lake.uri(file)));
  if (sourceUris.length > LIMITS.urisPerJob) {
    throw new PipelineError(
      'warehouse_rejected',
      `${displayName(def)}: ${sourceUris.length} files in one load; BigQuery takes ${LIMITS.urisPerJob}. Build the partition with fewer files.`,
      { context: { table: displayName(def) } },
    );
  }
  return {
    destinationTable: target,
    sourceUris,
    sourceFormat: 'PARQUET',
    writeDisposition: 'WRITE_TRUNCATE',
    createDisposition: 'CREATE_NEVER',
    // Whole, with the policy tags and descriptions that stand there: a truncating load takes the schema that it is given.
    schema: { fields: mergedFields(def, live.schema?.fields ?? []) },
    // Of a whole table it would be replaced by none.
    ...(target === ref && live.clustering?.fields?.length ? { clustering: { fields: live.clustering.fields } } : {}),
    decimalTargetTypes: ['NUMERIC', 'BIGNUMERIC'],
    parquetOptions: { enableListInference: true },
  };
}

/** Partitions that have no decorator: one load into a table beside, then DELETE and INSERT in one transaction. */
function besideStep(options: LoadsOptions, plan: LoadPlan, partitions: readonly DataPartition[]): LoadStep {
  const { def, ref, live } = plan;
  const { jobs, tables, client } = options;
  const values = partitions.map(({ value }) => value);
  const content = partitions.map(({ value, fingerprint }) => [value, fingerprint]);
  const identity = identityOf(options, plan, 'load', values);
  const swapId = jobIdOf({ ...identity, kind: 'swap', words: wordsOf(def), content });
  const stagingId = `load__${def.dataset}__${def.table}__${swapId.slice(-12)}`;
  const names = def.columns.map(({ name }) => quoted(name)).join(', ');
  return {
    partitions,
    removed: [],
    loads: 0,
    run: async () => {
      const fields = mergedFields(def, live.schema?.fields ?? []);
      const staging = await tables.createStaging(stagingId, { schema: { fields } });
      const created = (await client.getTable(staging))?.creationTime ?? '';
      await jobs.run({
        // Of this staging table: one that was dropped and made anew is loaded again.
        jobId: jobIdOf({ ...identity, words: [...wordsOf(def), 'beside'], content: [content, created] }),
        kind: 'load',
        table: `${staging.datasetId}.${staging.tableId}`,
        what: `load ${displayName(def)}, ${values.length} partitions, beside the table`,
        configuration: { load: loadConfiguration(options, plan, staging, partitions) },
      });
      const query = [
        'BEGIN TRANSACTION;',
        `DELETE FROM ${quotedTable(ref)} WHERE ${inPartitions(def, values)};`,
        `INSERT INTO ${quotedTable(ref)} (${names}) SELECT ${names} FROM ${quotedTable(staging)};`,
        'COMMIT TRANSACTION;',
      ].join('\n');
      const job = await jobs.run({
        jobId: swapId,
        kind: 'query',
        table: `${ref.datasetId}.${ref.tableId}`,
        what: `replace ${values.length} partitions of ${displayName(def)}`,
        configuration: { query: queryConfiguration(options, query) },
      });
      await client.deleteTable(staging);
      return job;
    },
  };
}

/** Rows of partitions that are published no more. DELETE of whole partitions reads nothing. */
function removeSteps(
  options: LoadsOptions,
  plan: LoadPlan,
  gone: readonly string[],
  emptied: readonly DataPartition[] = [],
): readonly LoadStep[] {
  const { def, ref } = plan;
  const values = [...gone, ...emptied.map(({ value }) => value)];
  const steps: LoadStep[] = [];
  for (let first = 0; first < values.length; first += LIMITS.partitionsPerJob) {
    const some = values.slice(first, first + LIMITS.partitionsPerJob);
    const made = emptied.filter(({ value }) => some.includes(value));
    const content = ['remove', some, made.map(({ value, fingerprint }) => [value, fingerprint])];
    steps.push({
      partitions: made,
      removed: some.filter((value) => gone.includes(value)),
      loads: 0,
      run: () =>
        options.jobs.run({
          jobId: jobIdOf({ ...identityOf(options, plan, 'remove', some), words: wordsOf(def), content }),
          kind: 'query',
          table: `${ref.datasetId}.${ref.tableId}`,
          what: `remove ${some.length} partitions of ${displayName(def)}`,
          configuration: {
            query: queryConfiguration(options, `DELETE FROM ${quotedTable(ref)} WHERE ${inPartitions(def, some)}`),
          },
        }),
    });
  }
  return steps;
}

function queryConfiguration({ maximumBytesBilled }: LoadsOptions, query: string): object {
  return {
    query,
    useLegacySql: false,
    ...(maximumBytesBilled === null ? {} : { maximumBytesBilled: String(maximumBytesBilled) }),
  };
}

const wordsOf = (def: WarehouseTableDef): readonly string[] => [def.dataset, def.table];

function identityOf(
  { client }: LoadsOptions,
  { def, ref, live, seen }: LoadPlan,
  kind: JobIdentity['kind'],
  values: readonly string[],
): Omit<JobIdentity, 'content'> {
  return {
    kind,
    project: client.projectId,
    location: client.location,
    table: `${ref.datasetId}.${ref.tableId}@${live.creationTime}`,
    turns: values.map((value) => turnOf(seen, value)),
    words: [...wordsOf(def), ...values.slice(0, 1)],
  };
}

/** All that ended well is remembered before a failure is told, so that the next try has less to do. */
async function runSteps(options: LoadsOptions, plan: LoadPlan, steps: readonly LoadStep[]): Promise<TableLedger> {
  const pace = paceOf(options, plan);
  const tasks = steps.map((step) => async () => {
    if (step.loads > 0) await pace();
    return outcomesOf(step, await step.run());
  });
  const { done, failures } = await sideBySide(tasks, options.parallelJobs);
  let after = plan.seen;
  if (done.length > 0) {
    const created = await createdAfter(options, plan);
    after = await options.ledger.update(plan.ref, (current) => ({
      ...withOutcomes(current, plan.seen, done.flat()),
      ...(current.epoch === plan.seen.epoch ? { tableCreated: created } : {}),
    }));
  }
  if (failures.length > 0) throw failures[0];
  return after;
}

/** A whole table that was truncated may count as made anew. */
async function createdAfter({ client }: LoadsOptions, { def, ref, live }: LoadPlan): Promise<string> {
  if (def.partitionKey !== null) return live.creationTime;
  return (await client.getTable(ref))?.creationTime ?? live.creationTime;
}

function outcomesOf(step: LoadStep, { jobId, startedAtMs, endedAtMs }: FinishedJob): readonly Outcome[] {
  const times = { jobId, startedAtMs, endedAtMs };
  return [
    ...step.partitions.map(({ value, fingerprint, rows, sizeBytes }) => ({
      partition: value,
      fingerprint,
      isRemoved: false,
      rows,
      sizeBytes,
      ...times,
    })),
    ...step.removed.map((partition) => ({
      partition,
      fingerprint: null,
      isRemoved: true,
      rows: 0,
      sizeBytes: 0,
      ...times,
    })),
  ];
}

/** Waits until one more change of the table keeps within BigQuery's few in ten seconds; that wait is no work. */
function paceOf({ client, clock, hold }: LoadsOptions, { def, seen }: LoadPlan): () => Promise<void> {
  const isPartitioned = isPartitionedByDay(def);
  let spent = seen.spent;
  return async () => {
    for (;;) {
      const nowMs = clock.now();
      const pauseMs = updatePauseMs(spent, { isPartitioned, nowMs });
      if (pauseMs === 0) {
        spent = updated(spent, nowMs);
        return;
      }
      const open = hold.open('waiting');
      try {
        await client.pause(pauseMs);
      } finally {
        open.close();
      }
    }
  };
}
